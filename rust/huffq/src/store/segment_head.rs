//! What the blocks of a segment share.

use super::schema::MAX_GROUP_SAMPLES;
use crate::cursor::{Cursor, put_varint};
use crate::error::{Error, Result};

/// The numbers of groups have 32 bits.
const MAX_FIRST_SAMPLE: u64 = MAX_GROUP_SAMPLES << 32;

/// The payload of a segment's record: what its blocks share.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SegmentHead {
    /// First sample of the group, and how many it has.
    pub first_sample: u64,
    pub samples: u64,
    /// Items of each sample, if they differ.
    pub lengths: Option<Vec<u64>>,
    /// Empty if there is none.
    pub codebook: Vec<u8>,
}

impl SegmentHead {
    pub fn put(&self, out: &mut Vec<u8>) {
        put_varint(self.first_sample, out);
        put_varint(self.samples, out);
        self.lengths.iter().flatten().for_each(|&len| put_varint(len, out));
        out.extend(&self.codebook);
    }

    pub fn parse(payload: &[u8], ragged: bool) -> Result<Self> {
        let mut cursor = Cursor::new("segment", payload);
        let (first_sample, samples) = (cursor.varint()?, cursor.varint()?);
        if !(1..=MAX_GROUP_SAMPLES).contains(&samples) {
            return Err(Error::corrupt("segment", format!("its group has {samples} samples")));
        }
        if first_sample > MAX_FIRST_SAMPLE {
            return Err(Error::corrupt("segment", format!("{first_sample} samples are before it")));
        }
        let lengths = ragged.then(|| (0..samples).map(|_| cursor.varint()).collect());
        let lengths = lengths.transpose()?;
        let codebook = cursor.take(cursor.remaining())?.to_vec();
        Ok(Self { first_sample, samples, lengths, codebook })
    }

    /// Items of the group's field.
    pub fn items(&self) -> Result<usize> {
        let Some(lengths) = &self.lengths else { return Ok(self.samples as usize) };
        let sum = lengths.iter().try_fold(0u64, |sum, &len| sum.checked_add(len));
        let most = |items: &u64| *items <= 1 << 40;
        let sum = sum.filter(most).ok_or(Error::corrupt("segment", "its samples are too long"))?;
        Ok(sum as usize)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn first_samples_that_no_file_reaches_are_refused() {
        let parse = |first_sample| {
            let mut payload = Vec::new();
            SegmentHead { first_sample, samples: 3, lengths: None, codebook: vec![1] }
                .put(&mut payload);
            SegmentHead::parse(&payload, false)
        };
        assert_eq!(parse(MAX_FIRST_SAMPLE).unwrap().first_sample, 1 << 52);
        for far in [MAX_FIRST_SAMPLE + 1, u64::MAX] {
            assert!(parse(far).is_err());
        }
    }
}

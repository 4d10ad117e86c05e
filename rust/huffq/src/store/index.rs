//! Where each block lies.

use super::frame::{HEADER_LEN, RECORD_HEAD_LEN};
use super::schema::Schema;
use crate::cursor::Cursor;
use crate::error::{Error, Result};

/// One block's record in the file.
#[derive(Clone, Copy, Debug)]
pub struct Entry {
    /// Its first byte.
    pub offset: u64,
    /// Its bytes, head included.
    pub len: u32,
}

const ENTRY_LEN: u64 = 12;

/// Number of samples, and each field's blocks in order.
#[derive(Debug)]
pub struct Index {
    pub samples: u64,
    pub blocks: Vec<Vec<Entry>>,
}

impl Index {
    /// Appends the index record's payload.
    pub fn put(&self, out: &mut Vec<u8>) {
        out.extend(self.samples.to_le_bytes());
        for entry in self.blocks.iter().flatten() {
            out.extend(entry.offset.to_le_bytes());
            out.extend(entry.len.to_le_bytes());
        }
    }

    /// Reads the index of a file of these fields whose block records end at `end`.
    ///
    /// The numbers of blocks follow from the number of samples; they are held against the payload's
    /// length before anything is allocated.
    pub fn parse(payload: &[u8], schema: &Schema, end: u64) -> Result<Self> {
        let mut cursor = Cursor::new("index", payload);
        let samples = cursor.u64()?;
        let counts: Vec<u64> = schema.fields.iter().map(|f| f.blocks(samples)).collect();
        let total = counts.iter().try_fold(0u64, |sum, &n| sum.checked_add(n));
        let expected = total.and_then(|n| n.checked_mul(ENTRY_LEN));
        if expected != Some(cursor.remaining() as u64) {
            let why = format!("its length does not fit {samples} samples");
            return Err(Error::corrupt("index", why));
        }
        let mut read = || {
            let entry = Entry { offset: cursor.u64()?, len: cursor.u32()? };
            let stop = entry.offset.checked_add(entry.len.into());
            let inside = entry.offset >= HEADER_LEN as u64 && stop.is_some_and(|s| s <= end);
            if !inside || (entry.len as usize) < RECORD_HEAD_LEN {
                return Err(Error::corrupt("index", "a block lies outside the file"));
            }
            Ok(entry)
        };
        let blocks = counts
            .iter()
            .map(|&n| (0..n).map(|_| read()).collect())
            .collect::<Result<Vec<Vec<_>>>>()?;
        Ok(Self { samples, blocks })
    }
}

//! One whole array as a self-contained byte string, a *blob*.
//!
//! ```text
//! 3  magic "HQA"
//! 1  format version
//! 1  bits (low four), signed (highest bit)
//! 1  number of axes, at most 32
//! v  length of each axis
//! v  bytes of each block
//! 4  CRC-32C of all of the above
//! …  the blocks: each 4 bytes CRC-32C of what follows, then the block
//! ```
//!
//! `v` is a variable-length number; fixed numbers are little-endian. Symbols lie in C order, in
//! blocks of [`BLOCK_SYMBOLS`], so any block decodes alone.

use crate::block::{BLOCK_SYMBOLS, Coder, MIN_BLOCK_LEN};
use crate::cursor::{Cursor, put_varint};
use crate::error::{Error, Result};
use crate::parallel::{self, Threads};
use crate::{Alphabet, Backend, checksum};

/// Most axes that an array may have; numpy 1 has the same bound.
pub const MAX_AXES: usize = 32;

const MAGIC: &[u8; 3] = b"HQA";
const VERSION: u8 = 0;
const SIGNED: u8 = 0x80;
const CRC_LEN: usize = 4;

/// Encodes `codes`, an array of `shape` in C order, on up to `threads` threads.
///
/// The bytes are the same for any number of threads.
///
/// # Errors
/// [`Error::InvalidArgument`] if the shape has more than 32 axes or another number of elements;
/// [`Error::CodeOutOfRange`] names the first code outside the alphabet.
pub fn encode(
    codes: &[u8],
    shape: &[usize],
    alphabet: Alphabet,
    threads: Threads,
) -> Result<Vec<u8>> {
    if shape.len() > MAX_AXES {
        return Err(Error::argument("number of axes", shape.len(), "be at most 32"));
    }
    if shape.iter().try_fold(1usize, |n, &d| n.checked_mul(d)) != Some(codes.len()) {
        let expected = format!("have {} elements", codes.len());
        return Err(Error::argument("shape", format!("{shape:?}"), expected));
    }
    let blocks = codes.chunks(BLOCK_SYMBOLS).enumerate().collect();
    let backend = Backend::current()?;
    let encode = |coder: &mut Coder, (i, codes)| {
        let mut out = Vec::new();
        coder.encode(codes, alphabet, &mut out).map_err(|e| shift_index(e, i * BLOCK_SYMBOLS))?;
        Ok(out)
    };
    let encoded = parallel::map(threads, blocks, || Coder::new(backend), encode)?;
    let mut blob = MAGIC.to_vec();
    blob.extend([VERSION, alphabet.bits() | if alphabet.signed() { SIGNED } else { 0 }]);
    blob.push(shape.len() as u8);
    for len in shape.iter().copied().chain(encoded.iter().map(Vec::len)) {
        put_varint(len as u64, &mut blob);
    }
    blob.extend(checksum::of(&blob).to_le_bytes());
    blob.reserve_exact(encoded.iter().map(|b| CRC_LEN + b.len()).sum());
    for block in encoded {
        blob.extend(checksum::of(&block).to_le_bytes());
        blob.extend(block);
    }
    Ok(blob)
}

/// An index within a block to one within the array.
fn shift_index(error: Error, offset: usize) -> Error {
    match error {
        Error::CodeOutOfRange { value, index, alphabet } => {
            Error::CodeOutOfRange { value, index: index + offset, alphabet }
        }
        other => other,
    }
}

/// A blob whose header was read and found right.
#[derive(Debug)]
pub struct Blob<'a> {
    alphabet: Alphabet,
    shape: Vec<usize>,
    len: usize,
    /// Each block with its checksum before it.
    blocks: Vec<&'a [u8]>,
}

impl<'a> Blob<'a> {
    /// Reads the header of `bytes`. Nothing that the header claims is allocated unless `bytes` is
    /// long enough for it.
    ///
    /// # Errors
    /// [`Error::Corrupt`], [`Error::Truncated`] or [`Error::UnsupportedVersion`].
    pub fn parse(bytes: &'a [u8]) -> Result<Self> {
        let mut cursor = Cursor::new("encoded array", bytes);
        if cursor.take(MAGIC.len())? != MAGIC {
            return Err(Error::corrupt("encoded array", "it does not begin with \"HQA\""));
        }
        let version = cursor.u8()?;
        if version != VERSION {
            let (found, supported) = (version.into(), VERSION.into());
            return Err(Error::UnsupportedVersion { found, supported });
        }
        let kind = cursor.u8()?;
        let alphabet = Alphabet::new(kind & !SIGNED, kind & SIGNED != 0)
            .map_err(|e| Error::corrupt("encoded array", e.to_string()))?;
        let (shape, len) = read_shape(&mut cursor)?;
        let sizes = read_block_sizes(&mut cursor, len.div_ceil(BLOCK_SYMBOLS))?;
        let header = &bytes[..cursor.position()];
        if !checksum::matches(cursor.u32()?, checksum::of(header)) {
            return Err(Error::corrupt("encoded array", "the header's checksum differs"));
        }
        let blocks = sizes.into_iter().map(|n| cursor.take(n)).collect::<Result<_>>()?;
        if cursor.remaining() > 0 {
            return Err(Error::corrupt("encoded array", "bytes follow the last block"));
        }
        Ok(Self { alphabet, shape, len, blocks })
    }

    /// The integers that the array may hold.
    pub fn alphabet(&self) -> Alphabet {
        self.alphabet
    }

    /// The array's shape.
    pub fn shape(&self) -> &[usize] {
        &self.shape
    }

    /// Decodes into `out`, in C order, on up to `threads` threads.
    ///
    /// # Errors
    /// [`Error::InvalidArgument`] if `out` has another number of elements; [`Error::Corrupt`] or
    /// [`Error::Truncated`] name the first block that is damaged.
    pub fn decode(&self, out: &mut [u8], threads: Threads) -> Result<()> {
        if out.len() != self.len {
            let expected = format!("be {}, as the array has", self.len);
            return Err(Error::argument("number of elements of out", out.len(), expected));
        }
        let work = self.blocks.iter().zip(out.chunks_mut(BLOCK_SYMBOLS)).enumerate().collect();
        let backend = Backend::current()?;
        parallel::map(
            threads,
            work,
            || Coder::new(backend),
            |coder, (i, (block, out))| {
                let (crc, body) = block.split_first_chunk().expect("a checksum and a block");
                if !checksum::matches(u32::from_le_bytes(*crc), checksum::of(body)) {
                    return Err(Error::corrupt(format!("block {i}"), "its checksum differs"));
                }
                coder.decode(body, self.alphabet, out)
            },
        )?;
        Ok(())
    }
}

fn read_shape(cursor: &mut Cursor) -> Result<(Vec<usize>, usize)> {
    let axes = usize::from(cursor.u8()?);
    if axes > MAX_AXES {
        let why = format!("{axes} axes are more than {MAX_AXES}");
        return Err(Error::corrupt("encoded array", why));
    }
    let too_large = |_| Error::corrupt("encoded array", "an axis is too long");
    let shape = (0..axes)
        .map(|_| cursor.varint().and_then(|d| usize::try_from(d).map_err(too_large)))
        .collect::<Result<Vec<_>>>()?;
    let len = shape
        .iter()
        .try_fold(1usize, |n, &d| n.checked_mul(d))
        .filter(|&n| n <= isize::MAX as usize)
        .ok_or(Error::corrupt("encoded array", "its shape has too many elements"))?;
    Ok((shape, len))
}

/// Bytes of each block with its checksum.
fn read_block_sizes(cursor: &mut Cursor, blocks: usize) -> Result<Vec<usize>> {
    let least = blocks.saturating_mul(1 + CRC_LEN + MIN_BLOCK_LEN);
    if least > cursor.remaining() {
        return Err(Error::Truncated {
            what: "encoded array",
            needed: least as u64,
            available: cursor.remaining() as u64,
        });
    }
    (0..blocks)
        .map(|_| {
            let size = usize::try_from(cursor.varint()?).unwrap_or(usize::MAX);
            Ok(size.saturating_add(CRC_LEN))
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use std::num::NonZero;

    use super::*;

    const ONE: Threads = NonZero::new(1);

    fn sample(n: usize) -> Vec<u8> {
        (0..n).map(|i| (i * i / 7 % 11 * (i % 3) / 2) as u8).collect()
    }

    fn decoded(blob: &[u8], threads: Threads) -> Result<Vec<u8>> {
        let blob = Blob::parse(blob)?;
        let mut out = vec![0; blob.len];
        blob.decode(&mut out, threads)?;
        Ok(out)
    }

    #[test]
    fn shapes_around_the_block_size_round_trip_for_any_threads() {
        let alphabet = Alphabet::new(4, false).unwrap();
        for n in
            [0, 1, 2, BLOCK_SYMBOLS - 1, BLOCK_SYMBOLS, BLOCK_SYMBOLS + 1, 5 * BLOCK_SYMBOLS + 9]
        {
            let codes = sample(n);
            let blob = encode(&codes, &[1, n, 1], alphabet, ONE).unwrap();
            assert_eq!(blob, encode(&codes, &[1, n, 1], alphabet, NonZero::new(3)).unwrap());
            assert_eq!(Blob::parse(&blob).unwrap().shape(), [1, n, 1]);
            assert_eq!(decoded(&blob, ONE).unwrap(), codes);
            assert_eq!(decoded(&blob, NonZero::new(4)).unwrap(), codes);
        }
    }

    #[test]
    fn wrong_arguments_are_refused() {
        let alphabet = Alphabet::new(4, false).unwrap();
        assert!(encode(&[1, 2], &[3], alphabet, ONE).is_err());
        assert!(encode(&[1], &[1; 33], alphabet, ONE).is_err());
        let blob = encode(&[1, 2], &[2], alphabet, ONE).unwrap();
        assert!(Blob::parse(&blob).unwrap().decode(&mut [0; 3], ONE).is_err());
        let mut codes = vec![0; 3 * BLOCK_SYMBOLS];
        codes[2 * BLOCK_SYMBOLS + 5] = 16;
        let error = encode(&codes, &[codes.len()], alphabet, NonZero::new(3)).unwrap_err();
        assert!(matches!(error, Error::CodeOutOfRange { value: 16, index: 131_077, .. }));
    }

    #[test]
    fn every_bit_flip_and_truncation_is_an_error() {
        let blob = encode(&sample(700), &[7, 100], Alphabet::new(4, false).unwrap(), ONE).unwrap();
        for bit in 0..8 * blob.len() {
            let mut flipped = blob.clone();
            flipped[bit / 8] ^= 1 << (bit % 8);
            decoded(&flipped, ONE).expect_err("a flipped bit");
        }
        for len in 0..blob.len() {
            let error = decoded(&blob[..len], ONE).unwrap_err();
            assert!(matches!(error, Error::Truncated { .. }), "{len} bytes: {error}");
        }
    }

    #[test]
    fn claims_beyond_the_bytes_at_hand_are_refused_before_allocation() {
        let mut blob = b"HQA\x00\x04\x02".to_vec();
        put_varint(1 << 31, &mut blob);
        put_varint(1 << 30, &mut blob);
        blob.extend([0; 64]);
        assert!(matches!(Blob::parse(&blob).unwrap_err(), Error::Truncated { .. }));
        let mut overflowing = b"HQA\x00\x04\x02".to_vec();
        put_varint(u64::MAX, &mut overflowing);
        put_varint(2, &mut overflowing);
        assert!(matches!(Blob::parse(&overflowing).unwrap_err(), Error::Corrupt { .. }));
    }
}

//! One whole array as a byte string, a *blob*: self-contained, or under a [`SharedCodebook`].
//!
//! One that is self-contained:
//!
//! ```text
//! 3  magic "HQA"
//! 1  format version
//! 1  bits (low four), level (next three), signed (highest bit)
//! 1  number of axes, at most 32
//! v  length of each axis
//! 3  but at level fast: channel axis, first and second neighbour axis of a sample, plus 1; 0 for none
//! v  for each segment: but at level fast, bytes of its codebook, 0 for none; bytes of each block
//! 4  CRC-32C of all of the above
//! …  for each segment: the codebook, if it has one, and the blocks; each behind its CRC-32C
//! ```
//!
//! `v` is a variable-length number; fixed numbers are little-endian. At level fast the symbols in C
//! order are cut into blocks; at the others the first axis is the samples, and [`cut`](crate::cut)
//! says where blocks begin.

mod blob;
mod codebook;
mod shared;
#[cfg(test)]
mod tests;

pub use blob::Blob;
pub use codebook::SharedCodebook;
pub use shared::SharedBlob;

use crate::cursor::{Cursor, put_varint};
use crate::error::{Error, Result};
use crate::parallel::{self, Threads};
use crate::segment::{self, Form};
use crate::{Alphabet, Axes, Cut, Level, checksum};

/// Most axes that an array may have; numpy 1 has the same bound.
pub const MAX_AXES: usize = 32;

const MAGIC: &[u8; 3] = b"HQA";
const VERSION: u8 = 1;
const SIGNED: u8 = 0x80;
const LEVEL_SHIFT: u8 = 4;
const CRC_LEN: usize = 4;

/// Bytes of a blob that are worth a thread of their own to be checked and copied.
const THREAD_BYTES: usize = 1 << 21;

/// Encodes `codes`, an array of `shape` in C order, on up to `threads` threads.
///
/// `axes` are those of a sample, which is what the axes behind the first one span; level fast has
/// no use for them. The bytes are the same for any number of threads.
///
/// # Errors
/// [`Error::InvalidArgument`] if the shape has more than 32 axes or another number of elements, or
/// the axes are not a sample's; [`Error::CodeOutOfRange`] names the first code outside the alphabet.
pub fn encode(
    codes: &[u8],
    shape: &[usize],
    alphabet: Alphabet,
    level: Level,
    axes: Axes,
    threads: Threads,
) -> Result<EncodedArray> {
    if shape.len() > MAX_AXES {
        return Err(Error::argument("number of axes", shape.len(), "be at most 32"));
    }
    if shape.iter().try_fold(1usize, |n, &d| n.checked_mul(d)) != Some(codes.len()) {
        let expected = format!("have {} elements", codes.len());
        return Err(Error::argument("shape", format!("{shape:?}"), expected));
    }
    let (form, items) = form_of(shape, alphabet, level, axes)?;
    let encoded = segment::encode(&form, items, codes, threads)?;
    let mut header = MAGIC.to_vec();
    header.extend([VERSION, kind_to_byte(alphabet, level), shape.len() as u8]);
    shape.iter().for_each(|&len| put_varint(len as u64, &mut header));
    if level.has_codebooks() {
        header.extend(axes_to_bytes(axes));
    }
    for segment in &encoded {
        if level.has_codebooks() {
            put_varint(segment.codebook.as_ref().map_or(0, Vec::len) as u64, &mut header);
        }
        segment.blocks.iter().for_each(|block| put_varint(block.bytes.len() as u64, &mut header));
    }
    header.extend(checksum::of(&header).to_le_bytes());
    let parts = encoded.into_iter().flat_map(|segment| {
        let blocks = segment.blocks.into_iter().map(|block| block.bytes);
        segment.codebook.into_iter().chain(blocks)
    });
    Ok(EncodedArray { header, parts: parts.collect() })
}

/// A self-contained blob in the parts that it was made of, so that its bytes are copied only once,
/// to where they are wanted.
#[derive(Debug)]
pub struct EncodedArray {
    header: Vec<u8>,
    /// Codebooks and blocks.
    parts: Vec<Vec<u8>>,
}

impl EncodedArray {
    /// Bytes of the blob.
    pub fn encoded_len(&self) -> usize {
        self.header.len() + self.parts.iter().map(|part| CRC_LEN + part.len()).sum::<usize>()
    }

    /// Writes the blob on up to `threads` threads.
    ///
    /// # Errors
    /// [`Error::InvalidArgument`] if `out` is not [`encoded_len`](Self::encoded_len) bytes long.
    pub fn write(&self, out: &mut [u8], threads: Threads) -> Result<()> {
        let len = self.encoded_len();
        if out.len() != len {
            return Err(Error::argument("bytes of out", out.len(), format!("be {len}")));
        }
        let (header, mut rest) = out.split_at_mut(self.header.len());
        header.copy_from_slice(&self.header);
        let places = self.parts.iter().map(|part| {
            let (place, behind) = std::mem::take(&mut rest).split_at_mut(CRC_LEN + part.len());
            rest = behind;
            (part, place)
        });
        let threads = parallel::count_for(threads, len.div_ceil(THREAD_BYTES));
        let write = |(): &mut (), (part, place): (&Vec<u8>, &mut [u8])| {
            let (crc, bytes) = place.split_at_mut(CRC_LEN);
            crc.copy_from_slice(&checksum::of(part).to_le_bytes());
            bytes.copy_from_slice(part);
            Ok(())
        };
        parallel::map(Some(threads), places.collect(), || (), write).map(drop)
    }

    /// The blob, written on every core.
    pub fn to_bytes(&self) -> Vec<u8> {
        let mut bytes = vec![0; self.encoded_len()];
        self.write(&mut bytes, None).expect("as long as the blob");
        bytes
    }
}

/// How an array is coded, and how many items it has: symbols at level fast, samples otherwise.
fn form_of(shape: &[usize], alphabet: Alphabet, level: Level, axes: Axes) -> Result<(Form, usize)> {
    let (items, item_shape, axes) = match (level, shape) {
        (Level::Fast, _) => (shape.iter().product(), &[][..], Axes::default()),
        (_, &[]) => (1, &[][..], axes),
        (_, &[samples, ref sample_shape @ ..]) => (samples, sample_shape, axes),
    };
    let cut = Cut::samples(item_shape, axes, level.block_symbols())?;
    let items = if cut.item_len() == 0 { 0 } else { items };
    Ok((Form { level, alphabet, cut }, items))
}

/// Each axis plus 1, 0 for none.
fn axes_to_bytes(axes: Axes) -> [u8; 3] {
    let [first, second] = axes.neighbours;
    [axes.channel, first, second].map(|axis| axis.map_or(0, |axis| axis as u8 + 1))
}

/// Axes from their numbers plus 1, 0 for none.
fn axes_from_bytes(bytes: [u8; 3]) -> Axes {
    let [channel, first, second] = bytes.map(|b| usize::from(b).checked_sub(1));
    Axes { channel, neighbours: [first, second] }
}

fn kind_to_byte(alphabet: Alphabet, level: Level) -> u8 {
    let signed = if alphabet.signed() { SIGNED } else { 0 };
    alphabet.bits() | (level as u8) << LEVEL_SHIFT | signed
}

fn read_kind(what: &'static str, kind: u8) -> Result<(Alphabet, Level)> {
    let bits = kind & ((1 << LEVEL_SHIFT) - 1);
    let alphabet = Alphabet::new(bits, kind & SIGNED != 0);
    let alphabet = alphabet.map_err(|error| Error::corrupt(what, error.to_string()))?;
    let number = (kind & !SIGNED) >> LEVEL_SHIFT;
    let level = Level::ALL.iter().find(|(_, level)| *level as u8 == number);
    let &(_, level) = level.ok_or(Error::corrupt(what, format!("level {number} is unknown")))?;
    Ok((alphabet, level))
}

/// The lengths of at most `most` axes, which have no more elements than memory can hold.
fn read_shape(what: &'static str, cursor: &mut Cursor, most: usize) -> Result<Vec<usize>> {
    let axes = usize::from(cursor.u8()?);
    if axes > most {
        return Err(Error::corrupt(what, format!("{axes} axes are more than {most}")));
    }
    let too_large = |_| Error::corrupt(what, "an axis is too long");
    let shape = (0..axes)
        .map(|_| cursor.varint().and_then(|d| usize::try_from(d).map_err(too_large)))
        .collect::<Result<Vec<_>>>()?;
    let len = shape.iter().try_fold(1usize, |n, &d| n.checked_mul(d));
    len.filter(|&n| n <= isize::MAX as usize)
        .ok_or(Error::corrupt(what, "its shape has too many elements"))?;
    Ok(shape)
}

fn check_version(found: u8) -> Result<()> {
    if found == VERSION {
        return Ok(());
    }
    Err(Error::UnsupportedVersion { found: found.into(), supported: VERSION.into() })
}

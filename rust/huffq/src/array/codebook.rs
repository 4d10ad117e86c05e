//! A codebook that many small arrays share, as a byte string.
//!
//! ```text
//! 3  magic "HQC"
//! 1  format version
//! 1  kind, as of an encoded array
//! 1  number of axes of a sample, at most 31
//! v  length of each axis
//! 3  channel axis, first and second neighbour axis, plus 1; 0 for none
//! v  bytes of the codebook
//! …  the codebook
//! …  for each of its classes the code lengths of all symbols, 4 bits each
//! 4  CRC-32C of all of the above: the codebook's number
//! ```

use super::{
    CRC_LEN, MAX_AXES, VERSION, axes_from_bytes, axes_to_bytes, check_version, kind_to_byte,
    read_kind, read_shape,
};
use crate::channels::pick;
use crate::cursor::{Cursor, put_varint};
use crate::direct::DirectCodes;
use crate::error::{Error, Result};
use crate::{Alphabet, Axes, Backend, Codebook, Cut, Level, checksum};

const MAGIC: &[u8; 3] = b"HQC";
const WHAT: &str = "codebook";

/// What many arrays of samples of one shape share; see [`shared`](super::shared) for these.
///
/// Two of equal bytes are the same codebook.
#[derive(Debug)]
pub struct SharedCodebook {
    pub(super) level: Level,
    pub(super) alphabet: Alphabet,
    pub(super) cut: Cut,
    pub(super) codebook: Codebook,
    pub(super) direct: DirectCodes,
    pub(super) number: u32,
    sample_shape: Vec<usize>,
    axes: Axes,
    bytes: Vec<u8>,
}

impl SharedCodebook {
    /// Trains a codebook on `codes`, samples of a shape in C order. It can code any others too.
    ///
    /// # Errors
    /// [`Error::InvalidArgument`] if the level has no codebooks, the axes are not a sample's, a
    /// sample has no symbol or more than fit a block, or `codes` are not whole samples, at least
    /// one; [`Error::CodeOutOfRange`] names the first code outside the alphabet.
    pub fn train(
        codes: &[u8],
        sample_shape: &[usize],
        alphabet: Alphabet,
        level: Level,
        axes: Axes,
    ) -> Result<Self> {
        let cut = cut(sample_shape, level, axes)?;
        let geometry = cut.geometry();
        let samples = codes.len() / geometry.sample_len();
        geometry.check_len(codes.len(), samples)?;
        if samples == 0 {
            return Err(Error::argument("number of samples to train on", 0, "be at least 1"));
        }
        let symbols = alphabet.symbols(codes)?;
        let backend = Backend::current()?;
        let codebook = Codebook::train(level, backend, &symbols, samples, geometry, alphabet)?;
        let (picked, _) = pick(&symbols, samples, geometry.sample_len());
        let direct = DirectCodes::train(&codebook, &picked, geometry, alphabet)?;
        let mut bytes = MAGIC.to_vec();
        bytes.extend([VERSION, kind_to_byte(alphabet, level), sample_shape.len() as u8]);
        sample_shape.iter().for_each(|&len| put_varint(len as u64, &mut bytes));
        bytes.extend(axes_to_bytes(axes));
        let mut body = Vec::new();
        codebook.serialise(&mut body)?;
        put_varint(body.len() as u64, &mut bytes);
        bytes.append(&mut body);
        direct.serialise(&mut bytes);
        let number = checksum::of(&bytes);
        bytes.extend(number.to_le_bytes());
        let sample_shape = sample_shape.to_vec();
        Ok(Self { level, alphabet, cut, codebook, direct, number, sample_shape, axes, bytes })
    }

    /// Reads a codebook's [`bytes`](Self::bytes).
    ///
    /// # Errors
    /// [`Error::Corrupt`], [`Error::Truncated`] or [`Error::UnsupportedVersion`].
    pub fn parse(bytes: &[u8]) -> Result<Self> {
        let mut cursor = Cursor::new(WHAT, bytes);
        if cursor.take(MAGIC.len())? != MAGIC {
            return Err(Error::corrupt(WHAT, "it does not begin with \"HQC\""));
        }
        check_version(cursor.u8()?)?;
        let (alphabet, level) = read_kind(WHAT, cursor.u8()?)?;
        let sample_shape = read_shape(WHAT, &mut cursor, MAX_AXES - 1)?;
        let axes = axes_from_bytes(cursor.array()?);
        let as_corrupt = |error: Error| Error::corrupt(WHAT, error.to_string());
        let cut = cut(&sample_shape, level, axes).map_err(as_corrupt)?;
        let len = usize::try_from(cursor.varint()?).unwrap_or(usize::MAX);
        let body = cursor.take(len)?;
        let lengths = cursor.take(cursor.remaining().saturating_sub(CRC_LEN))?;
        let number = checksum::of(&bytes[..cursor.position()]);
        if !checksum::matches(cursor.u32()?, number) {
            return Err(Error::corrupt(WHAT, "its checksum differs: it is damaged or cut off"));
        }
        let codebook = Codebook::parse(level, body, cut.geometry(), alphabet)?;
        let direct = DirectCodes::parse(lengths, &codebook, cut.geometry(), alphabet)?;
        let bytes = bytes.to_vec();
        Ok(Self { level, alphabet, cut, codebook, direct, number, sample_shape, axes, bytes })
    }

    /// The codebook as a byte string.
    pub fn bytes(&self) -> &[u8] {
        &self.bytes
    }

    /// The integers that its arrays may hold.
    pub fn alphabet(&self) -> Alphabet {
        self.alphabet
    }

    /// The level that it was trained for.
    pub fn level(&self) -> Level {
        self.level
    }

    /// The shape of a sample.
    pub fn sample_shape(&self) -> &[usize] {
        &self.sample_shape
    }

    /// The axes of a sample that coding looks at.
    pub fn axes(&self) -> Axes {
        self.axes
    }
}

/// Blocks of whole samples.
fn cut(sample_shape: &[usize], level: Level, axes: Axes) -> Result<Cut> {
    if !level.has_codebooks() {
        return Err(Error::argument("level of a codebook", "fast", "be dense or max"));
    }
    let most = level.block_symbols();
    let cut = Cut::samples(sample_shape, axes, most)?;
    if sample_shape.len() >= MAX_AXES || !(1..=most).contains(&cut.item_len()) {
        let expected = format!("have at most 31 axes, and 1 to {most} elements");
        return Err(Error::argument("sample shape", format!("{sample_shape:?}"), expected));
    }
    Ok(cut)
}

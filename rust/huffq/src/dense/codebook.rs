//! What the blocks of a field share: which class each channel belongs to, and the classes' codes.
//!
//! # Bytes
//!
//! Bit fields, most significant bit first, padded with zeros to a byte:
//!
//! - the number of classes K, less one, in 3 bits;
//! - if K > 1, the class of each group of channels, in as many bits as K - 1 takes. Up to 1024
//!   channels each are a group; of C > 1024 channels, channel c is in group `c * 1024 / C`;
//! - for each class its code (see [`nested`](crate::nested)).
//!
//! Geometry and alphabet are known from outside.

use crate::bits::BitWriter;
use crate::channels::{self, as_corrupt, flip, groups, number_bits};
use crate::error::{Error, Result};
use crate::nested::{BitReader, ClassCode};
use crate::{Alphabet, Geometry};

/// Most classes of a codebook.
pub const MAX_CLASSES: usize = 8;

/// Bits of the number of classes, less one.
const CLASSES_BITS: u32 = 3;

/// The codes of a field's blocks.
///
/// Made by [`Codebook::train`] or [`Codebook::parse`]; blocks are encoded and decoded in
/// [`dense`](crate::dense).
#[derive(Debug)]
pub struct Codebook {
    geometry: Geometry,
    alphabet: Alphabet,
    /// The class of every group of channels.
    groups: Vec<u8>,
    /// All channels, those of class 0 first.
    order: Vec<usize>,
    /// Codes and numbers of channels.
    classes: Vec<(ClassCode, usize)>,
}

impl Codebook {
    pub(super) fn new(
        geometry: &Geometry,
        alphabet: Alphabet,
        groups: Vec<u8>,
        codes: Vec<ClassCode>,
    ) -> Self {
        let (order, sizes) = channels::sort(geometry.channels(), &groups, codes.len());
        let classes = codes.into_iter().zip(sizes).collect();
        Self { geometry: geometry.clone(), alphabet, groups, order, classes }
    }

    /// The geometry that it was made for.
    pub fn geometry(&self) -> &Geometry {
        &self.geometry
    }

    /// The alphabet that it was made for.
    pub fn alphabet(&self) -> Alphabet {
        self.alphabet
    }

    pub(crate) fn order(&self) -> &[usize] {
        &self.order
    }

    pub(crate) fn classes(&self) -> &[(ClassCode, usize)] {
        &self.classes
    }

    /// Coded nodes of all classes.
    pub(crate) fn coded_nodes(&self) -> usize {
        self.classes.iter().map(|(code, _)| code.coded_nodes()).sum()
    }

    /// Appends the codebook's bytes.
    ///
    /// # Errors
    /// None that a codebook can cause.
    pub fn serialise(&self, out: &mut Vec<u8>) -> Result<()> {
        let stored: u64 = self.classes.iter().map(|(code, _)| code.max_stored_bits()).sum();
        BitWriter::append(out, 8 + 3 * self.groups.len() as u64 + stored, |writer| {
            writer.put(self.classes.len() as u64 - 1, CLASSES_BITS);
            if self.classes.len() > 1 {
                let bits = number_bits(self.classes.len());
                self.groups.iter().for_each(|&class| writer.put(class.into(), bits));
            }
            self.classes.iter().try_for_each(|(code, _)| code.write(writer))
        })
    }

    /// Reads what [`serialise`](Self::serialise) wrote for this geometry and alphabet.
    ///
    /// # Errors
    /// [`Error::Truncated`] or [`Error::Corrupt`] if `bytes` are not exactly that.
    pub fn parse(bytes: &[u8], geometry: &Geometry, alphabet: Alphabet) -> Result<Self> {
        let mut reader = BitReader::new(bytes);
        let classes = reader.read(CLASSES_BITS)? as usize + 1;
        let mut groups = vec![0; groups(geometry.channels())];
        if classes > 1 {
            for group in &mut groups {
                *group = reader.read(number_bits(classes))? as u8;
                if usize::from(*group) >= classes {
                    return Err(Error::corrupt("codebook", format!("class {group} of {classes}")));
                }
            }
        }
        let read = |_| ClassCode::read(alphabet.size(), flip(alphabet), &mut reader);
        let codes = (0..classes).map(read).collect::<Result<_>>().map_err(as_corrupt)?;
        reader.finish()?;
        Ok(Self::new(geometry, alphabet, groups, codes))
    }
}

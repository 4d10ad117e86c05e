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

use std::sync::{Arc, OnceLock};

use crate::bits::BitWriter;
use crate::channels::{as_corrupt, flip, groups, number_bits, sort};
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
/// [`dense`](crate::dense). A clone shares the codes.
#[derive(Clone, Debug)]
pub struct Codebook {
    geometry: Geometry,
    alphabet: Alphabet,
    /// Channels of the array, of which the geometry may have a part.
    channels: usize,
    /// The class of every group of channels.
    groups: Arc<[u8]>,
    /// The channel of the array that the geometry's first one is.
    first_channel: usize,
    codes: Arc<[ClassCode]>,
    /// Made with the first block: a few hostile bytes can claim more channels than any block has.
    sorted: OnceLock<Arc<Sorted>>,
}

/// The geometry's channels, those of class 0 first, and how many each class has.
#[derive(Debug)]
struct Sorted {
    order: Vec<usize>,
    sizes: Vec<usize>,
}

impl Codebook {
    /// For the geometry whose first channel is number `first_channel` of `channels`.
    pub(super) fn new(
        geometry: &Geometry,
        (channels, first_channel): (usize, usize),
        alphabet: Alphabet,
        groups: Arc<[u8]>,
        codes: Arc<[ClassCode]>,
    ) -> Self {
        let (geometry, sorted) = (geometry.clone(), OnceLock::new());
        Self { geometry, alphabet, channels, groups, first_channel, codes, sorted }
    }

    fn sorted(&self) -> &Sorted {
        self.sorted.get_or_init(|| {
            let place = (self.channels, self.first_channel);
            let (order, sizes) =
                sort(self.geometry.channels(), place, &self.groups, self.codes.len());
            Arc::new(Sorted { order, sizes })
        })
    }

    /// The same codes for a block of another geometry, whose first channel is number
    /// `first_channel` of the array's.
    pub fn for_slab(&self, geometry: &Geometry, first_channel: usize) -> Self {
        if geometry.channels() == self.geometry.channels() {
            // Sorted before it is cloned: once for all blocks.
            self.sorted();
            return Self { geometry: geometry.clone(), ..self.clone() };
        }
        let channels = (self.channels, first_channel);
        Self::new(geometry, channels, self.alphabet, self.groups.clone(), self.codes.clone())
    }

    /// The geometry that it was made for.
    pub fn geometry(&self) -> &Geometry {
        &self.geometry
    }

    /// The alphabet that it was made for.
    pub fn alphabet(&self) -> Alphabet {
        self.alphabet
    }

    /// The class of every group of channels.
    pub(crate) fn groups(&self) -> &[u8] {
        &self.groups
    }

    pub(crate) fn order(&self) -> &[usize] {
        &self.sorted().order
    }

    /// Each class's code, and how many of the geometry's channels it has.
    pub(crate) fn classes(&self) -> impl Iterator<Item = (&ClassCode, usize)> {
        self.codes.iter().zip(self.sorted().sizes.iter().copied())
    }

    /// Coded nodes of all classes.
    pub(crate) fn coded_nodes(&self) -> usize {
        self.codes.iter().map(ClassCode::coded_nodes).sum()
    }

    /// Appends the codebook's bytes.
    ///
    /// # Errors
    /// None that a codebook can cause.
    pub fn serialise(&self, out: &mut Vec<u8>) -> Result<()> {
        let stored: u64 = self.codes.iter().map(ClassCode::max_stored_bits).sum();
        BitWriter::append(out, 8 + 3 * self.groups.len() as u64 + stored, |writer| {
            writer.put(self.codes.len() as u64 - 1, CLASSES_BITS);
            if self.codes.len() > 1 {
                let bits = number_bits(self.codes.len());
                self.groups.iter().for_each(|&class| writer.put(class.into(), bits));
            }
            self.codes.iter().try_for_each(|code| code.write(writer))
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
        let channels = (geometry.channels(), 0);
        Ok(Self::new(geometry, channels, alphabet, groups.into(), codes))
    }
}

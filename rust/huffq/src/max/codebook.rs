//! A codebook's bytes.

use std::sync::Arc;

use super::partition::{Contexts, Partition, level_count};
use crate::bits::BitWriter;
use crate::channels::{as_corrupt, flip, groups, number_bits};
use crate::error::{Error, Result};
use crate::kernels::contexts::MAX_LEVELS;
use crate::nested::{BitReader, ClassCode};
use crate::{Alphabet, Geometry};

/// Bits of the number of classes, less one.
const CLASSES_BITS: u32 = 5;

/// Bits of the number of kinds of channels, less one.
const KINDS_BITS: u32 = 4;

/// Most kinds of channels.
pub(super) const MAX_KINDS: usize = 1 << KINDS_BITS;

/// The codes of a segment's blocks.
///
/// Made by [`Codebook::train`] or [`Codebook::parse`].
#[derive(Clone, Debug)]
pub struct Codebook {
    pub(super) partition: Partition,
    /// One for each class.
    pub(super) codes: Arc<[ClassCode]>,
}

impl Codebook {
    /// The same codes for a block of another geometry, whose first channel is number
    /// `first_channel` of the array's.
    pub fn for_slab(&self, geometry: &Geometry, first_channel: usize) -> Self {
        Self {
            partition: self.partition.for_slab(geometry, first_channel),
            codes: self.codes.clone(),
        }
    }

    /// The geometry that it was made for.
    pub fn geometry(&self) -> &Geometry {
        &self.partition.geometry
    }

    /// The alphabet that it was made for.
    pub fn alphabet(&self) -> Alphabet {
        self.partition.alphabet
    }

    /// Which class a symbol belongs to.
    pub(crate) fn contexts(&self) -> Arc<Contexts> {
        self.partition.contexts.clone()
    }

    /// Coded nodes of all classes.
    pub(super) fn coded_nodes(&self) -> usize {
        self.codes.iter().map(ClassCode::coded_nodes).sum()
    }

    /// Appends the codebook's bytes.
    ///
    /// # Errors
    /// None that a codebook can cause.
    pub fn serialise(&self, out: &mut Vec<u8>) -> Result<()> {
        let Contexts { kinds, levels, classes, .. } = &*self.partition.contexts;
        let stored: u64 = self.codes.iter().map(ClassCode::max_stored_bits).sum();
        let most = 16 + 4 * kinds.len() + levels.len() + 5 * classes.len();
        BitWriter::append(out, most as u64 + stored, |writer| {
            let pairs = level_count(levels).pow(2);
            let kind_count = classes.len() / pairs;
            writer.put(self.codes.len() as u64 - 1, CLASSES_BITS);
            writer.put(kind_count as u64 - 1, KINDS_BITS);
            put_all(kinds, kind_count, writer);
            for pair in levels.windows(2) {
                writer.put((pair[0] < pair[1]).into(), 1);
            }
            put_all(classes, self.codes.len(), writer);
            self.codes.iter().try_for_each(|code| code.write(writer))
        })
    }

    /// Reads what [`serialise`](Self::serialise) wrote for this geometry and alphabet.
    ///
    /// # Errors
    /// [`Error::Truncated`] or [`Error::Corrupt`] if `bytes` are not exactly that.
    pub fn parse(bytes: &[u8], geometry: &Geometry, alphabet: Alphabet) -> Result<Self> {
        let mut reader = BitReader::new(bytes);
        let class_count = reader.read(CLASSES_BITS)? as usize + 1;
        let kind_count = reader.read(KINDS_BITS)? as usize + 1;
        let kinds = read_all(groups(geometry.channels()), kind_count, "kind", &mut reader)?;
        let mut levels = vec![0];
        for number in 1..alphabet.size() {
            levels.push(levels[number - 1] + reader.read(1)? as u8);
        }
        let level_count = level_count(&levels);
        if level_count > MAX_LEVELS {
            let why = format!("{level_count} levels are more than {MAX_LEVELS}");
            return Err(Error::corrupt("codebook", why));
        }
        let contexts = kind_count * level_count.pow(2);
        let classes = read_all(contexts, class_count, "class", &mut reader)?;
        let read = |_| ClassCode::read(alphabet.size(), flip(alphabet), &mut reader);
        let codes = (0..class_count).map(read).collect::<Result<_>>().map_err(as_corrupt)?;
        reader.finish()?;
        let contexts = Contexts { kinds, levels, classes, count: class_count };
        let channels = (geometry.channels(), 0);
        let partition = Partition::new(geometry, channels, alphabet, contexts.into());
        Ok(Self { partition, codes })
    }
}

/// Writes numbers below `count`; nothing if they can only be 0.
fn put_all(numbers: &[u8], count: usize, writer: &mut BitWriter) {
    if count > 1 {
        numbers.iter().for_each(|&number| writer.put(number.into(), number_bits(count)));
    }
}

/// Reads `len` numbers below `count`; nothing if they can only be 0.
fn read_all(len: usize, count: usize, what: &str, reader: &mut BitReader) -> Result<Vec<u8>> {
    if count == 1 {
        return Ok(vec![0; len]);
    }
    let read = |_| {
        let number = reader.read(number_bits(count))? as u8;
        match usize::from(number) < count {
            true => Ok(number),
            false => Err(Error::corrupt("codebook", format!("{what} {number} of {count}"))),
        }
    };
    (0..len).map(read).collect()
}

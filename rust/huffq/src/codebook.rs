//! What the blocks of a segment share: a codebook of the level's kind.

use std::sync::Arc;

use crate::cut::Slab;
use crate::error::Result;
use crate::kernels::Ahead;
use crate::{Alphabet, Backend, Geometry, Level, dense, max};

/// The codes of a segment's blocks.
#[derive(Clone, Debug)]
pub enum Codebook {
    /// Classes of channels.
    Dense(dense::Codebook),
    /// Classes of channels and neighbours.
    Max(Box<max::Codebook>),
}

/// Buffers that blocks are coded in under codebooks, one after another.
#[derive(Debug)]
pub struct Scratch {
    dense: dense::Scratch,
    max: max::Scratch,
}

impl Scratch {
    /// Buffers for the kernels of `backend`; the bytes are the same for all.
    pub fn new(backend: Backend) -> Self {
        Self { dense: dense::Scratch::new(backend), max: max::Scratch::new(backend) }
    }

    /// Says what decoding the next block fetches on its way.
    pub(crate) fn set_ahead(&mut self, ahead: Ahead) {
        self.dense.decoder.ahead = ahead;
        self.max.decoder.ahead = ahead;
    }
}

impl Codebook {
    /// Trains a codebook of a level that has them on `samples` samples.
    ///
    /// # Errors
    /// As [`dense::Codebook::train`].
    pub fn train(
        level: Level,
        backend: Backend,
        symbols: &[u8],
        samples: usize,
        geometry: &Geometry,
        alphabet: Alphabet,
    ) -> Result<Self> {
        Ok(match level {
            Level::Max => {
                let book = max::Codebook::train(backend, symbols, samples, geometry, alphabet)?;
                Self::Max(Box::new(book))
            }
            _ => {
                let book = dense::Codebook::train(backend, symbols, samples, geometry, alphabet)?;
                Self::Dense(book)
            }
        })
    }

    /// Trains a codebook for an array of `geometry` on slabs that it is cut into, which stand for
    /// `total` symbols.
    ///
    /// # Errors
    /// As [`dense::Codebook::train`].
    pub fn train_on(
        level: Level,
        backend: Backend,
        slabs: &[(Slab, &[u8])],
        total: usize,
        geometry: &Geometry,
        alphabet: Alphabet,
    ) -> Result<Self> {
        Ok(match level {
            Level::Max => {
                let book = max::Codebook::train_on(backend, slabs, geometry, alphabet)?;
                Self::Max(Box::new(book))
            }
            _ => {
                let book = dense::Codebook::train_on(backend, slabs, total, geometry, alphabet)?;
                Self::Dense(book)
            }
        })
    }

    /// The same codes for a block of another geometry, whose first channel is number
    /// `first_channel` of the array's.
    pub fn for_slab(&self, geometry: &Geometry, first_channel: usize) -> Self {
        match self {
            Self::Dense(book) => Self::Dense(book.for_slab(geometry, first_channel)),
            Self::Max(book) => Self::Max(Box::new(book.for_slab(geometry, first_channel))),
        }
    }

    /// Reads what [`serialise`](Self::serialise) wrote at a level, for this geometry and alphabet.
    ///
    /// # Errors
    /// [`Truncated`](crate::Error::Truncated) or [`Corrupt`](crate::Error::Corrupt) if `bytes` are
    /// not exactly that.
    pub fn parse(
        level: Level,
        bytes: &[u8],
        geometry: &Geometry,
        alphabet: Alphabet,
    ) -> Result<Self> {
        Ok(match level {
            Level::Max => Self::Max(Box::new(max::Codebook::parse(bytes, geometry, alphabet)?)),
            _ => Self::Dense(dense::Codebook::parse(bytes, geometry, alphabet)?),
        })
    }

    /// Appends the codebook's bytes.
    ///
    /// # Errors
    /// None that a codebook can cause.
    pub fn serialise(&self, out: &mut Vec<u8>) -> Result<()> {
        match self {
            Self::Dense(book) => book.serialise(out),
            Self::Max(book) => book.serialise(out),
        }
    }

    /// The geometry that it was made for.
    pub fn geometry(&self) -> &Geometry {
        match self {
            Self::Dense(book) => book.geometry(),
            Self::Max(book) => book.geometry(),
        }
    }

    /// Which class a symbol belongs to.
    pub(crate) fn contexts(&self) -> Arc<max::Contexts> {
        match self {
            Self::Dense(book) => {
                let (kinds, count) = (book.groups().to_vec(), book.classes().count());
                let (levels, classes) =
                    (vec![0; book.alphabet().size()], (0..count as u8).collect());
                max::Contexts { kinds, levels, classes, count }.into()
            }
            Self::Max(book) => book.contexts(),
        }
    }

    /// Appends the block of `samples` samples to `out`.
    ///
    /// # Errors
    /// As [`dense::Codebook::encode_block`].
    pub fn encode_block(
        &self,
        symbols: &[u8],
        samples: usize,
        scratch: &mut Scratch,
        out: &mut Vec<u8>,
    ) -> Result<()> {
        match self {
            Self::Dense(book) => book.encode_block(symbols, samples, &mut scratch.dense, out),
            Self::Max(book) => book.encode_block(symbols, samples, &mut scratch.max, out),
        }
    }

    /// Decodes a block of `samples` samples into all of `out`; `block` must hold nothing else.
    ///
    /// # Errors
    /// As [`dense::Codebook::decode_block`].
    pub fn decode_block(
        &self,
        block: &[u8],
        samples: usize,
        scratch: &mut Scratch,
        out: &mut [u8],
    ) -> Result<()> {
        match self {
            Self::Dense(book) => book.decode_block(block, samples, &mut scratch.dense, out),
            Self::Max(book) => book.decode_block(block, samples, &mut scratch.max, out),
        }
    }
}

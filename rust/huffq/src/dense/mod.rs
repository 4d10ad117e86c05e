//! Level `dense`: blocks of whole samples under a codebook.
//!
//! A block is a whole number of samples. Its symbols are brought into sequence, channel after
//! channel, the channels of one class together (see [`geometry`](crate::geometry) for the order
//! within a channel), and each class is coded under its own tree and mask codes (see
//! [`nested`]), which the [`Codebook`] holds.
//!
//! # Block
//!
//! ```text
//! ┌───────┬────────────┬────────┬─────┬────────┬─────────────┐
//! │ flags │ lane sizes │ lane 0 │  …  │ lane 7 │ raw streams │
//! └───────┴────────────┴────────┴─────┴────────┴─────────────┘
//! ```
//!
//! Number of samples, geometry, alphabet and codebook are known from outside. Classes come in
//! order, and within a class the nodes of its tree: the root, then its right subtree, then its
//! left one. What is *coded* below is a node to which the codebook gives a mask code.
//!
//! - *Flags*: one bit per coded node of all classes, from the least significant bit of each byte
//!   on, padded with zeros to a byte; 1 says that the mask stands raw in this block.
//! - *Lane sizes*: bytes of each lane as variable-length numbers (7 bits a byte, lowest first, the
//!   highest bit set if another byte follows). A block of at least 4096 symbols has eight lanes, a
//!   smaller one a single one. Without any coded node in the codebook there are no lane sizes.
//! - *Lanes*: codewords of mask bytes, most significant bit first, each lane padded with zeros to
//!   a byte. The m bytes of a mask go to L lanes in runs: `m / L` bytes to each, one more to the
//!   first `m % L`. Lane 0 gets the first run, and where a mask's run ends in a lane the next coded
//!   mask's run goes on.
//! - *Raw streams*: masks that are not coded or are flagged, and the packed numbers of flat
//!   subtrees, each padded to a byte; they end with the block.
//!
//! Nothing counts symbols: a mask's set bits are the symbols of the right child. Since a mask must
//! be known before its children's lengths are, decoding goes through a class's masks from the root
//! down, then merges from the leaves up.

mod codebook;
mod train;

pub use codebook::Codebook;

use crate::channels::check;
use crate::error::Result;
use crate::nested::{self, Decoder};
use crate::{Backend, planes};

/// Buffers that blocks are coded in, one after another.
#[derive(Debug)]
pub struct Scratch {
    backend: Backend,
    planes: planes::Scratch,
    sequence: Vec<u8>,
    encoder: nested::Encoder,
    pub(crate) decoder: nested::Scratch,
}

impl Scratch {
    /// Buffers for the kernels of `backend`; the bytes are the same for all.
    pub fn new(backend: Backend) -> Self {
        Self {
            backend,
            planes: planes::Scratch::default(),
            sequence: Vec::new(),
            encoder: nested::Encoder::default(),
            decoder: nested::Scratch::default(),
        }
    }
}

impl Codebook {
    /// Appends the block of `samples` samples to `out`.
    ///
    /// # Errors
    /// [`InvalidArgument`](crate::Error::InvalidArgument) if `symbols` are not `samples` samples;
    /// [`CodeOutOfRange`](crate::Error::CodeOutOfRange) names a symbol outside the alphabet.
    pub fn encode_block(
        &self,
        symbols: &[u8],
        samples: usize,
        scratch: &mut Scratch,
        out: &mut Vec<u8>,
    ) -> Result<()> {
        let geometry = self.geometry();
        check(symbols, samples, geometry, self.alphabet())?;
        let Scratch { backend, planes, sequence, encoder, .. } = scratch;
        if sequence.len() < symbols.len() {
            sequence.resize(symbols.len(), 0);
        }
        let sequence = &mut sequence[..symbols.len()];
        planes::gather(*backend, geometry, samples, self.order(), symbols, planes, sequence);
        encoder.start(symbols.len());
        let mut rest = &*sequence;
        for (code, channels) in self.classes() {
            let (class, behind) = rest.split_at(channels * geometry.run_len(samples));
            encoder.put(*backend, code, class);
            rest = behind;
        }
        encoder.finish(out);
        Ok(())
    }

    /// Decodes a block of `samples` samples into all of `out`; `block` must hold nothing else.
    ///
    /// # Errors
    /// [`InvalidArgument`](crate::Error::InvalidArgument) if `out` is not as long as `samples`
    /// samples; [`Truncated`](crate::Error::Truncated) or [`Corrupt`](crate::Error::Corrupt) if
    /// `block` is not such a block. `out` then holds what it held before.
    pub fn decode_block(
        &self,
        block: &[u8],
        samples: usize,
        scratch: &mut Scratch,
        out: &mut [u8],
    ) -> Result<()> {
        let geometry = self.geometry();
        geometry.check_len(out.len(), samples)?;
        let Scratch { backend, planes, sequence, decoder, .. } = scratch;
        if sequence.len() < out.len() {
            sequence.resize(out.len(), 0);
        }
        let sequence = &mut sequence[..out.len()];
        let mut decoder = Decoder::new(*backend, decoder, self.coded_nodes(), out.len(), block)?;
        let mut rest = &mut *sequence;
        for (code, channels) in self.classes() {
            let (class, behind) = rest.split_at_mut(channels * geometry.run_len(samples));
            decoder.take(code, class)?;
            rest = behind;
        }
        decoder.finish()?;
        planes::scatter(*backend, geometry, samples, self.order(), sequence, planes, out);
        Ok(())
    }
}

//! Level `max`: blocks of whole samples whose symbols are told apart by channel and neighbours.
//!
//! A block is seen as a matrix with a row for each position and a column for each channel of each
//! sample. Row by row, a symbol's *context* is the kind of its channel and the levels of its two
//! neighbours, which stand in rows above it; contexts fall into classes. All symbols of a class,
//! over the whole block, form one sequence, coded under the class's tree and mask codes (see
//! [`nested`]).
//!
//! So a decoder first decodes all classes in bulk, and then, row by row, looks up the classes and
//! lets every place take its class's next symbol: the only dependency is that of a row on those
//! above it, and a row is wide.
//!
//! `docs/format.md` has the bytes.

mod codebook;
mod matrix;
mod partition;
mod train;

pub use codebook::Codebook;
pub(crate) use partition::{Contexts, level_count};

use std::ops::Range;

use crate::Backend;
use crate::channels::check;
use crate::cursor::{Cursor, put_varint};
use crate::error::{Error, Result};
use crate::kernels::contexts::{MAX_CLASSES, Positions};
use crate::kernels::{Ahead, SLACK};
use crate::nested::{self, Decoder};
use partition::{Buffers, grow};

/// Buffers that blocks are coded in, one after another.
#[derive(Debug)]
pub struct Scratch {
    backend: Backend,
    matrix: Vec<u8>,
    buffers: Buffers,
    encoder: nested::Encoder,
    pub(crate) decoder: nested::Scratch,
}

impl Scratch {
    /// Buffers for the kernels of `backend`; the bytes are the same for all.
    pub fn new(backend: Backend) -> Self {
        Self {
            backend,
            matrix: Vec::new(),
            buffers: Buffers::default(),
            encoder: nested::Encoder::default(),
            decoder: nested::Scratch::default(),
        }
    }
}

impl Codebook {
    /// Appends the block of `samples` samples to `out`.
    ///
    /// # Errors
    /// [`InvalidArgument`](Error::InvalidArgument) if `symbols` are not `samples` samples;
    /// [`CodeOutOfRange`](Error::CodeOutOfRange) names a symbol outside the alphabet.
    pub fn encode_block(
        &self,
        symbols: &[u8],
        samples: usize,
        scratch: &mut Scratch,
        out: &mut Vec<u8>,
    ) -> Result<()> {
        check(symbols, samples, self.geometry(), self.alphabet())?;
        let Scratch { backend, matrix, buffers, encoder, .. } = scratch;
        grow(matrix, symbols.len() + SLACK);
        let matrix = &mut matrix[..symbols.len() + SLACK];
        self.partition.matrix(*backend, samples).gather(symbols, matrix);
        let spans = self.partition.split(*backend, samples, matrix, buffers);
        spans.iter().for_each(|span| put_varint(span.len() as u64, out));
        encoder.start(symbols.len());
        for (code, span) in self.codes.iter().zip(spans) {
            encoder.put(*backend, code, &buffers.streams[span]);
        }
        encoder.finish(out);
        Ok(())
    }

    /// Decodes a block of `samples` samples into all of `out`; `block` must hold nothing else.
    ///
    /// # Errors
    /// [`InvalidArgument`](Error::InvalidArgument) if `out` is not as long as `samples` samples;
    /// [`Truncated`](Error::Truncated) or [`Corrupt`](Error::Corrupt) if `block` is not such a
    /// block. `out` then holds what it held before.
    pub fn decode_block(
        &self,
        block: &[u8],
        samples: usize,
        scratch: &mut Scratch,
        out: &mut [u8],
    ) -> Result<()> {
        self.geometry().check_len(out.len(), samples)?;
        let mut cursor = Cursor::new("block", block);
        let spans = self.read_spans(&mut cursor, out.len())?;
        let rest = cursor.take(cursor.remaining())?;
        let Scratch { backend, matrix, buffers, decoder, .. } = scratch;
        let view = self.partition.matrix(*backend, samples);
        let streams = &mut buffers.streams;
        grow(streams, out.len() + view.width() + SLACK);
        let mut decoder = Decoder::new(*backend, decoder, self.coded_nodes(), out.len(), rest)?;
        for (code, span) in self.codes.iter().zip(&spans) {
            decoder.take(code, &mut streams[span.clone()])?;
        }
        decoder.finish()?;
        grow(matrix, out.len() + SLACK);
        let matrix = &mut matrix[..out.len() + SLACK];
        // `out` once more: decoding the classes has driven it out of the nearer caches.
        self.join(*backend, samples, &spans, buffers, matrix, Ahead::new(out))?;
        view.scatter(matrix, out);
        Ok(())
    }

    /// Where each class's symbols are to stand, of `n` together.
    fn read_spans(&self, cursor: &mut Cursor, n: usize) -> Result<Vec<Range<usize>>> {
        let mut end = 0usize;
        let mut span = || {
            let start = end;
            let count = usize::try_from(cursor.varint()?).unwrap_or(usize::MAX);
            end = start.saturating_add(count);
            Ok(start..end)
        };
        let spans: Vec<_> = self.codes.iter().map(|_| span()).collect::<Result<_>>()?;
        if end != n {
            let why = format!("its classes have {end} symbols together, it has {n}");
            return Err(Error::corrupt("block", why));
        }
        Ok(spans)
    }

    /// Fills the matrix from its classes' symbols. What lies `ahead` is fetched row by row, as
    /// many bytes as the matrix has.
    fn join(
        &self,
        backend: Backend,
        samples: usize,
        spans: &[Range<usize>],
        buffers: &mut Buffers,
        matrix: &mut [u8],
        mut ahead: Ahead,
    ) -> Result<()> {
        let width = self.geometry().channels() * samples;
        let rows = (matrix.len() - SLACK) / width.max(1);
        let mut positions: Positions = [0; MAX_CLASSES];
        positions.iter_mut().zip(spans).for_each(|(position, span)| *position = span.start);
        let Buffers { classes, zeros, streams } = buffers;
        grow(classes, width);
        grow(zeros, width);
        let runs = self.partition.runs(samples);
        for row in 0..rows {
            let (above, rest) = matrix.split_at_mut(row * width);
            let neighbours = match self.partition.neighbours(row) {
                Some(neighbours) => neighbours.map(|row| &above[row * width..][..width]),
                None => [&zeros[..width]; 2],
            };
            let (row, classes) = (&mut rest[..width], &mut classes[..width]);
            self.partition.classify(backend, &runs, neighbours, classes);
            backend.collect(&runs, classes, streams, &mut positions, row);
            ahead.fetch(width);
            // Symbols of the next class were taken; the streams have room for a row of them.
            if spans.iter().zip(&positions).any(|(span, &position)| position > span.end) {
                return Err(Error::corrupt("block", "a class has too few symbols"));
            }
        }
        Ok(())
    }
}

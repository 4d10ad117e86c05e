//! A segment: consecutive blocks of one field, and the codebook that they share.
//!
//! A codebook is trained on the whole segment before its first block is written. A segment that
//! would not be smaller with its codebook goes without, and so does every single block of it.

use std::borrow::Cow;
use std::time::{Duration, Instant};

use crate::block::Coder;
use crate::error::{Error, Result};
use crate::histogram::Counts;
use crate::parallel::{self, Threads};
use crate::{Alphabet, Backend, Codebook, Geometry, Level};

/// Blocks in a segment, all but the last of a field.
pub const SEGMENT_BLOCKS: usize = 128;

/// Symbols below which training a codebook is not worth a try.
const MIN_TRAINING: usize = 1 << 12;

/// What the blocks of one field have in common, from its first segment to its last.
#[derive(Clone, Debug)]
pub struct Form {
    /// How hard to compress.
    pub level: Level,
    /// The integers that the field may hold.
    pub alphabet: Alphabet,
    /// Shape and axes of its samples.
    pub geometry: Geometry,
    /// Samples in a block, all but the last.
    pub block_samples: usize,
}

impl Form {
    /// Samples in a segment, all but the last.
    pub fn segment_samples(&self) -> usize {
        self.block_samples.saturating_mul(SEGMENT_BLOCKS)
    }

    /// Symbols in a block, all but the last.
    pub fn block_len(&self) -> usize {
        self.block_samples * self.geometry.sample_len()
    }
}

/// Consecutive whole samples of a field, beginning at a block.
pub struct Segment<'a> {
    /// The field's form.
    pub form: &'a Form,
    /// Number of samples, at most [`SEGMENT_BLOCKS`] blocks.
    pub samples: usize,
    /// Their codes in C order.
    pub codes: &'a [u8],
}

/// One encoded block.
pub struct EncodedBlock {
    /// The block's bytes.
    pub bytes: Vec<u8>,
    /// Occurrences of each symbol.
    pub counts: Counts,
    /// Time that encoding took.
    pub time: Duration,
    /// Bytes that the block takes without a codebook.
    alone_len: usize,
}

/// One encoded segment.
pub struct EncodedSegment {
    /// The codebook's bytes, if the segment has one.
    pub codebook: Option<Vec<u8>>,
    /// Time that training it took.
    pub training_time: Duration,
    /// Its blocks in order.
    pub blocks: Vec<EncodedBlock>,
}

/// Encodes segments on up to `threads` threads.
///
/// # Errors
/// [`Error::CodeOutOfRange`], passed through `locate` with the segment's number; its index counts
/// within the segment.
pub fn encode(
    segments: &[Segment],
    threads: Threads,
    locate: impl Fn(usize, Error) -> Error + Sync,
) -> Result<Vec<EncodedSegment>> {
    let backend = Backend::current()?;
    let prepare = |_: &mut (), (number, segment)| {
        Prepared::new(backend, segment).map_err(|error| locate(number, error))
    };
    let prepared = parallel::map(threads, segments.iter().enumerate().collect(), || (), prepare)?;
    let blocks = prepared.iter().flat_map(|p| p.blocks().map(move |block| (p, block))).collect();
    let encode = |coder: &mut Coder, (segment, symbols): (&Prepared, &[u8])| {
        segment.encode_block(coder, symbols)
    };
    let mut encoded = parallel::map(threads, blocks, || Coder::new(backend), encode)?.into_iter();
    prepared.iter().map(|p| p.collect(encoded.by_ref().take(p.block_count()), threads)).collect()
}

/// A segment whose codebook was trained.
struct Prepared<'a> {
    form: &'a Form,
    samples: usize,
    symbols: Cow<'a, [u8]>,
    codebook: Option<Codebook>,
    time: Duration,
}

impl<'a> Prepared<'a> {
    fn new(backend: Backend, segment: &'a Segment) -> Result<Self> {
        let begin = Instant::now();
        let &Segment { form, samples, codes } = segment;
        let symbols = form.alphabet.symbols(codes)?;
        let Form { level, alphabet, ref geometry, .. } = *form;
        let codebook = match codes.len() {
            ..MIN_TRAINING => None,
            _ => Codebook::train(level, backend, &symbols, samples, geometry, alphabet)?,
        };
        Ok(Self { form, samples, symbols, codebook, time: begin.elapsed() })
    }

    fn block_count(&self) -> usize {
        self.samples.div_ceil(self.form.block_samples)
    }

    fn blocks(&self) -> impl Iterator<Item = &[u8]> {
        let (len, total) = (self.form.block_len(), self.symbols.len());
        (0..self.block_count()).map(move |i| &self.symbols[i * len..total.min((i + 1) * len)])
    }

    fn encode_block(&self, coder: &mut Coder, symbols: &[u8]) -> Result<EncodedBlock> {
        let begin = Instant::now();
        let mut bytes = Vec::new();
        let plan = coder.plan(symbols, self.form.alphabet)?;
        coder.encode(symbols, &plan, self.codebook.as_ref(), &mut bytes)?;
        let alone_len = plan.encoded_len();
        Ok(EncodedBlock { bytes, counts: plan.counts, time: begin.elapsed(), alone_len })
    }

    /// The segment of these blocks, without the codebook if that makes it smaller.
    fn collect(
        &self,
        blocks: impl Iterator<Item = EncodedBlock>,
        threads: Threads,
    ) -> Result<EncodedSegment> {
        let blocks: Vec<_> = blocks.collect();
        let mut segment = EncodedSegment { codebook: None, training_time: self.time, blocks };
        let Some(codebook) = &self.codebook else { return Ok(segment) };
        let mut bytes = Vec::new();
        codebook.serialise(&mut bytes)?;
        let with: usize = bytes.len() + segment.blocks.iter().map(|b| b.bytes.len()).sum::<usize>();
        if with < segment.blocks.iter().map(|b| b.alone_len).sum() {
            segment.codebook = Some(bytes);
            return Ok(segment);
        }
        let alone = Prepared { codebook: None, symbols: Cow::Borrowed(&self.symbols), ..*self };
        let backend = Backend::current()?;
        let encode = |coder: &mut Coder, symbols: &[u8]| alone.encode_block(coder, symbols);
        let blocks = alone.blocks().collect();
        segment.blocks = parallel::map(threads, blocks, || Coder::new(backend), encode)?;
        Ok(segment)
    }
}

//! A segment: consecutive blocks of one field, and the codebook that they share.
//!
//! A codebook is trained on the whole segment before its first block is written. A segment that
//! would not be smaller with its codebook goes without, and so does every single block of it.

use std::borrow::Cow;
use std::ops::Range;
use std::time::{Duration, Instant};

use crate::block::Coder;
use crate::channels::TRAINED;
use crate::cut::{Cut, Slab};
use crate::error::{Error, Result};
use crate::histogram::Counts;
use crate::parallel::{self, Threads};
use crate::{Alphabet, Backend, Codebook, Level};

/// Symbols below which training a codebook is not worth a try.
const MIN_TRAINING: usize = 1 << 12;

/// Blocks of a segment that are encoded ahead: if the codebook makes none of them smaller, the
/// others are spared trying it, which takes longer than all the rest.
const PROBES: usize = 4;

/// Blocks that each of those speaks for, at least.
const LEAST_PER_PROBE: usize = 8;

/// What the blocks of one field have in common, from its first segment to its last.
#[derive(Clone, Debug)]
pub struct Form {
    /// How hard to compress.
    pub level: Level,
    /// The integers that the field may hold.
    pub alphabet: Alphabet,
    /// Where its blocks begin and end.
    pub cut: Cut,
}

/// Some blocks of an array.
#[derive(Clone, Debug)]
pub struct Segment<'a> {
    /// The blocks, at most [`Cut::segment_blocks`].
    pub blocks: Range<usize>,
    /// Items of the array that they are blocks of.
    pub items: usize,
    /// The blocks' codes in C order.
    pub codes: Cow<'a, [u8]>,
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

impl EncodedBlock {
    /// Bytes that are no codes.
    pub(crate) fn raw(bytes: &[u8]) -> Self {
        let (bytes, alone_len) = (bytes.to_vec(), bytes.len());
        Self { bytes, counts: [0; 256], time: Duration::ZERO, alone_len }
    }
}

impl EncodedSegment {
    /// Blocks without a codebook that took no time.
    pub(crate) fn raw(blocks: Vec<EncodedBlock>) -> Self {
        Self { codebook: None, training_time: Duration::ZERO, blocks }
    }
}

/// Encodes the array `codes` of `items` items, segment by segment, on up to `threads` threads.
///
/// # Errors
/// [`Error::CodeOutOfRange`].
pub fn encode(
    form: &Form,
    items: usize,
    codes: &[u8],
    threads: Threads,
) -> Result<Vec<EncodedSegment>> {
    let backend = Backend::current()?;
    let segment = |blocks: Range<usize>| {
        let symbols = form.cut.symbols_of(&blocks, items);
        (symbols.start, Segment { blocks, items, codes: Cow::Borrowed(&codes[symbols]) })
    };
    let prepare = |_: &mut (), (start, segment)| {
        Prepared::new(backend, form, segment).map_err(|error| shift_index(error, start))
    };
    let segments = form.cut.segments(items).map(segment).collect();
    let prepared = parallel::map(threads, segments, || (), prepare)?;
    let blocks = prepared.iter().flat_map(|p| (0..p.blocks()).map(move |block| (p, block)));
    let encode = |(): &mut (), (segment, block): (&Prepared, usize)| {
        Coder::with(backend, |coder| segment.encode_block(form, coder, block, false))
    };
    let encoded = parallel::map(threads, blocks.collect(), || (), encode)?;
    let mut encoded = encoded.into_iter();
    let finish = |prepared: &Prepared| {
        let blocks = encoded.by_ref().take(prepared.blocks()).collect();
        if let Some(segment) = prepared.finish(blocks, false)? {
            return Ok(segment);
        }
        let encode = |(): &mut (), block| {
            Coder::with(backend, |coder| prepared.encode_block(form, coder, block, true))
        };
        let blocks = (0..prepared.blocks()).collect();
        let blocks = parallel::map(threads, blocks, || (), encode)?;
        Ok(prepared.finish(blocks, true)?.expect("the segment goes without a codebook"))
    };
    prepared.iter().map(finish).collect()
}

/// A segment whose codebook was trained.
pub(crate) struct Prepared<'a> {
    blocks: Range<usize>,
    items: usize,
    symbols: Cow<'a, [u8]>,
    codebook: Option<Codebook>,
    time: Duration,
}

impl<'a> Prepared<'a> {
    pub fn new(backend: Backend, form: &Form, segment: Segment<'a>) -> Result<Self> {
        let begin = Instant::now();
        let Segment { blocks, items, codes } = segment;
        let symbols = form.alphabet.symbols_of(codes)?;
        let mut prepared = Self { blocks, items, symbols, codebook: None, time: Duration::ZERO };
        if form.level.has_codebooks() && prepared.symbols.len() >= MIN_TRAINING {
            prepared.codebook = Some(prepared.train(backend, form)?);
            if !prepared.pays(backend, form)? {
                prepared.codebook = None;
            }
        }
        prepared.time = begin.elapsed();
        Ok(prepared)
    }

    /// Number of blocks.
    pub fn blocks(&self) -> usize {
        self.blocks.len()
    }

    /// The memory of its symbols, for others, if it is its own.
    pub fn into_memory(self) -> Option<Vec<u8>> {
        match self.symbols {
            Cow::Owned(symbols) => Some(symbols),
            Cow::Borrowed(_) => None,
        }
    }

    fn train(&self, backend: Backend, form: &Form) -> Result<Codebook> {
        let &Form { level, alphabet, ref cut } = form;
        let (first, symbols) = (cut.slab(self.blocks.start, self.items), &self.symbols);
        if let Cow::Borrowed(geometry) = first.geometry {
            let samples = symbols.len() / geometry.sample_len();
            return Codebook::train(level, backend, symbols, samples, geometry, alphabet);
        }
        // Where blocks have some of the channels each, all blocks of an item are looked at.
        let unit = if cut.splits_channels() { cut.blocks_per_item() } else { 1 };
        let step = match level {
            // It picks rows of all blocks.
            Level::Max => 1,
            _ => (symbols.len() / TRAINED).max(1),
        };
        let all = self.blocks.len() <= unit;
        let picked = self.blocks.clone().filter(|block| all || (block / unit).is_multiple_of(step));
        let slabs: Vec<_> =
            picked.map(|block| (cut.slab(block, self.items), self.symbols(cut, block))).collect();
        Codebook::train_on(level, backend, &slabs, symbols.len(), cut.geometry(), alphabet)
    }

    /// Whether the codebook makes a block smaller, as far as a few tell of many that are not
    /// constant.
    fn pays(&self, backend: Backend, form: &Form) -> Result<bool> {
        let varies = |&place: &usize| {
            let symbols = self.symbols(&form.cut, self.blocks.start + place);
            symbols.iter().any(|&symbol| symbol != symbols[0])
        };
        let places: Vec<usize> = (0..self.blocks.len()).filter(varies).collect();
        let step = places.len() / PROBES;
        if step < LEAST_PER_PROBE {
            return Ok(true);
        }
        for &place in places[step / 2..].iter().step_by(step).take(PROBES) {
            let encode = |coder: &mut Coder| self.encode_block(form, coder, place, false);
            let block = Coder::with(backend, encode)?;
            if block.bytes.len() < block.alone_len {
                return Ok(true);
            }
        }
        Ok(false)
    }

    fn symbols(&self, cut: &Cut, block: usize) -> &[u8] {
        let start = cut.symbols(self.blocks.start, self.items).start;
        let symbols = cut.symbols(block, self.items);
        &self.symbols[symbols.start - start..symbols.end - start]
    }

    /// Encodes the block of that place in the segment, `alone` without the codebook.
    pub fn encode_block(
        &self,
        form: &Form,
        coder: &mut Coder,
        place: usize,
        alone: bool,
    ) -> Result<EncodedBlock> {
        let begin = Instant::now();
        let block = self.blocks.start + place;
        let symbols = self.symbols(&form.cut, block);
        let codebook = self.codebook.as_ref().filter(|_| !alone);
        let codebook = codebook.map(|book| for_slab(book, &form.cut.slab(block, self.items)));
        let plan = coder.plan(symbols, form.alphabet)?;
        let mut bytes = Vec::with_capacity(plan.encoded_len());
        coder.encode(symbols, &plan, codebook.as_deref(), &mut bytes)?;
        let alone_len = plan.encoded_len();
        Ok(EncodedBlock { bytes, counts: plan.counts, time: begin.elapsed(), alone_len })
    }

    /// The segment of these blocks; `None` if it is smaller without the codebook, and its blocks are
    /// to be encoded `alone`.
    pub fn finish(&self, blocks: Vec<EncodedBlock>, alone: bool) -> Result<Option<EncodedSegment>> {
        let mut segment = EncodedSegment { codebook: None, training_time: self.time, blocks };
        let Some(codebook) = self.codebook.as_ref().filter(|_| !alone) else {
            return Ok(Some(segment));
        };
        let mut bytes = Vec::new();
        codebook.serialise(&mut bytes)?;
        let blocks = &segment.blocks;
        let with: usize = bytes.len() + blocks.iter().map(|b| b.bytes.len()).sum::<usize>();
        if with >= blocks.iter().map(|b| b.alone_len).sum() {
            return Ok(None);
        }
        segment.codebook = Some(bytes);
        Ok(Some(segment))
    }
}

/// A segment's codebook as the block of a slab uses it.
pub(crate) fn for_slab<'a>(codebook: &'a Codebook, slab: &Slab) -> Cow<'a, Codebook> {
    match &slab.geometry {
        Cow::Borrowed(_) => Cow::Borrowed(codebook),
        Cow::Owned(geometry) => Cow::Owned(codebook.for_slab(geometry, slab.first_channel)),
    }
}

/// An index within a segment to one within the array.
pub(crate) fn shift_index(error: Error, offset: usize) -> Error {
    match error {
        Error::CodeOutOfRange { value, index, alphabet } => {
            Error::CodeOutOfRange { value, index: index + offset, alphabet }
        }
        other => other,
    }
}

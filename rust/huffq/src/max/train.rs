//! Symbols to codebooks.

use std::borrow::Cow;

use super::codebook::{Codebook, MAX_KINDS};
use super::partition::{Contexts, Partition, grow, level_count};
use crate::channels::{TRAINED, check, flip, group, groups};
use crate::classes::{Limits, cluster};
use crate::cut::Slab;
use crate::error::Result;
use crate::kernels::SLACK;
use crate::kernels::contexts::ClassTable;
use crate::nested::ClassCode;
use crate::{Alphabet, Backend, Geometry, Level};

/// Levels of neighbours: more for more symbols, since the map of contexts has its price.
const LEVELS: std::ops::RangeInclusive<usize> = 3..=9;

/// A kind has to save more than the map of its contexts takes, a class more than its code does.
const KINDS: Limits = Limits { classes: MAX_KINDS, runs: 64, worth: 1 << 16, floor_bits: 512 };
const CLASSES: Limits = Limits { classes: 24, runs: 96, worth: 1 << 10, floor_bits: 256 };

impl Codebook {
    /// Trains a codebook on `samples` samples; it can code any others of the same geometry too.
    ///
    /// # Errors
    /// [`Error::InvalidArgument`](crate::Error::InvalidArgument) if `symbols` are not `samples`
    /// samples; [`Error::CodeOutOfRange`](crate::Error::CodeOutOfRange) names a symbol outside the
    /// alphabet.
    pub fn train(
        backend: Backend,
        symbols: &[u8],
        samples: usize,
        geometry: &Geometry,
        alphabet: Alphabet,
    ) -> Result<Self> {
        geometry.check_len(symbols.len(), samples)?;
        let sample_len = geometry.sample_len().max(1);
        let chunk_len = (Level::Max.block_symbols() / sample_len).max(1) * sample_len;
        let slab = |chunk: &'_ [u8]| {
            let samples = chunk.len() / sample_len;
            Slab { geometry: Cow::Borrowed(geometry), samples, first_channel: 0 }
        };
        let slabs: Vec<_> = symbols.chunks(chunk_len).map(|chunk| (slab(chunk), chunk)).collect();
        Self::train_on(backend, &slabs, geometry, alphabet)
    }

    /// Trains a codebook for an array of `geometry` on the slabs that it is cut into.
    ///
    /// # Errors
    /// As [`train`](Self::train).
    pub fn train_on(
        backend: Backend,
        slabs: &[(Slab, &[u8])],
        geometry: &Geometry,
        alphabet: Alphabet,
    ) -> Result<Self> {
        let size = alphabet.size();
        let total: usize = slabs.iter().map(|(_, symbols)| symbols.len()).sum();
        let trainer = Trainer::new(backend, slabs, total, geometry, alphabet)?;
        let counts = trainer.count_groups();
        // What is counted stands for more.
        let trained = TRAINED.min(total) as u64;
        let scaled = |limits: Limits| {
            let floor_bits = limits.floor_bits * trained / total.max(1) as u64;
            Limits { floor_bits, ..limits }
        };
        let kinds = cluster(backend, &counts, size, scaled(KINDS));
        let levels = match geometry.neighbours() {
            [None, _] => vec![0; size],
            _ => levels(&counts, size, total),
        };
        let counts = trainer.count_contexts(&kinds, &levels);
        let classes = cluster(backend, &counts, size, scaled(CLASSES));
        let count = classes.iter().map(|&class| usize::from(class) + 1).max().unwrap_or(1);
        let mut sums = vec![0; count * size];
        for (counts, &class) in counts.chunks_exact(size).zip(&classes) {
            let sums = &mut sums[usize::from(class) * size..][..size];
            sums.iter_mut().zip(counts).for_each(|(sum, &n)| *sum += u64::from(n));
        }
        let code = |counts| ClassCode::from_counts(backend, counts, flip(alphabet));
        let codes = sums.chunks_exact(size).map(code).collect::<Result<_>>()?;
        let contexts = Contexts { kinds, levels, classes, count };
        let channels = (geometry.channels(), 0);
        Ok(Self { partition: Partition::new(geometry, channels, alphabet, contexts.into()), codes })
    }
}

/// Symbols to train on.
struct Trainer {
    backend: Backend,
    alphabet: Alphabet,
    /// Channels of the whole array.
    channels: usize,
    rows: Vec<Row>,
}

/// A row of a slab's matrix, its channels in order.
struct Row {
    symbols: Vec<u8>,
    neighbours: [Vec<u8>; 2],
    samples: usize,
    first_channel: usize,
}

impl Trainer {
    /// Picks rows all over the slabs, so that every sample and every position is seen.
    fn new(
        backend: Backend,
        slabs: &[(Slab, &[u8])],
        total: usize,
        geometry: &Geometry,
        alphabet: Alphabet,
    ) -> Result<Self> {
        let mut lottery = Lottery::new(total);
        let (mut rows, mut matrix) = (Vec::new(), Vec::new());
        for (slab, symbols) in slabs {
            let &Slab { ref geometry, samples, first_channel } = slab;
            check(symbols, samples, geometry, alphabet)?;
            let whole = Partition::whole(geometry, alphabet);
            let width = samples * geometry.channels();
            grow(&mut matrix, symbols.len() + SLACK);
            whole.matrix(backend, samples).gather(symbols, &mut matrix);
            let row_of = |row: usize| matrix[row * width..][..width].to_vec();
            let count = symbols.len() / width.max(1);
            for row in (0..count).filter(|_| lottery.draws()) {
                let neighbours = match whole.neighbours(row) {
                    Some(neighbours) => neighbours.map(row_of),
                    None => [vec![0; width], vec![0; width]],
                };
                rows.push(Row { symbols: row_of(row), neighbours, samples, first_channel });
            }
        }
        Ok(Self { backend, alphabet, channels: geometry.channels(), rows })
    }

    /// Counts per group of channels, of the alphabet's numbers in their order.
    fn count_groups(&self) -> Vec<u32> {
        let (size, flip) = (self.alphabet.size(), usize::from(flip(self.alphabet)));
        let mut counts = vec![0; groups(self.channels) * size];
        for row in &self.rows {
            for (channel, symbols) in (row.first_channel..).zip(row.symbols.chunks(row.samples)) {
                let counts = &mut counts[group(channel, self.channels) * size..][..size];
                symbols.iter().for_each(|&symbol| counts[usize::from(symbol) ^ flip] += 1);
            }
        }
        counts
    }

    /// Counts per kind and pair of levels.
    fn count_contexts(&self, kinds: &[u8], levels: &[u8]) -> Vec<u32> {
        let (size, flip) = (self.alphabet.size(), flip(self.alphabet));
        let pairs = level_count(levels).pow(2);
        let all: Vec<u8> = (0..pairs as u8).collect();
        let table = ClassTable::new(self.alphabet, levels, &all);
        let kind_count = kinds.iter().map(|&kind| usize::from(kind) + 1).max().unwrap_or(1);
        let mut counts = vec![0; kind_count * pairs * size];
        let mut contexts = Vec::new();
        for Row { symbols, neighbours: [first, second], samples, first_channel } in &self.rows {
            contexts.resize(symbols.len(), 0);
            self.backend.classify(&table, first, second, &mut contexts);
            let channels = symbols.chunks(*samples).zip(contexts.chunks(*samples));
            for (channel, (symbols, contexts)) in (*first_channel..).zip(channels) {
                let kind = usize::from(kinds[group(channel, self.channels)]);
                let counts = &mut counts[kind * pairs * size..][..pairs * size];
                for (&symbol, &context) in symbols.iter().zip(contexts) {
                    counts[usize::from(context) * size + usize::from(symbol ^ flip)] += 1;
                }
            }
        }
        counts
    }
}

/// Draws a share of rows in a fixed order that keeps step with no row length.
struct Lottery {
    number: u32,
    share: u64,
}

impl Lottery {
    /// The share that is about [`TRAINED`] of `n` symbols.
    fn new(n: usize) -> Self {
        Self { number: 0, share: ((TRAINED as u64) << 32) / n.max(1) as u64 }
    }

    fn draws(&mut self) -> bool {
        // 2^32 over the golden ratio: multiples of it lie evenly everywhere.
        self.number = self.number.wrapping_add(0x9e37_79b9);
        u64::from(self.number) < self.share
    }
}

/// Levels of nearly equal mass: a number opens a new level if that brings the mass of the level
/// before nearer to its share of what was left.
fn levels(counts: &[u32], size: usize, n: usize) -> Vec<u8> {
    let mut totals = vec![0u64; size];
    for counts in counts.chunks_exact(size) {
        totals.iter_mut().zip(counts).for_each(|(total, &n)| *total += u64::from(n));
    }
    let mut remaining = (n >> 10).isqrt().clamp(*LEVELS.start(), *LEVELS.end()) as u64;
    let mut left: u64 = totals.iter().sum();
    let (mut level, mut mass) = (0, 0);
    let mut levels = Vec::with_capacity(size);
    for count in totals {
        if mass > 0 && remaining > 1 && (2 * mass + count) * remaining > 2 * left {
            left -= mass;
            (mass, level, remaining) = (0, level + 1, remaining - 1);
        }
        mass += count;
        levels.push(level);
    }
    levels
}

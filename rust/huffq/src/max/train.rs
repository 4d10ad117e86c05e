//! Symbols to codebooks.

use super::codebook::{Codebook, MAX_KINDS};
use super::partition::{Partition, level_count};
use crate::channels::{check, flip, group, groups};
use crate::classes::{Limits, cluster};
use crate::error::Result;
use crate::kernels::SLACK;
use crate::kernels::contexts::ClassTable;
use crate::nested::ClassCode;
use crate::{Alphabet, Backend, Geometry, Level};

/// Symbols that are trained on, about, of however many there are.
const TRAINED: usize = 1 << 19;

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
        check(symbols, samples, geometry, alphabet)?;
        let size = alphabet.size();
        let trainer = Trainer::new(backend, symbols, geometry, alphabet);
        let counts = trainer.count_groups();
        let trained = TRAINED.min(symbols.len()) as u64;
        let scaled = |limits: Limits| {
            let floor_bits = limits.floor_bits * trained / symbols.len().max(1) as u64;
            Limits { floor_bits, ..limits }
        };
        let kinds = cluster(backend, &counts, size, scaled(KINDS));
        let levels = match geometry.neighbour_extents() {
            [None, _] => vec![0; size],
            _ => levels(&counts, size, symbols.len()),
        };
        let counts = trainer.count_contexts(&kinds, &levels);
        let classes = cluster(backend, &counts, size, scaled(CLASSES));
        let class_count = classes.iter().map(|&class| usize::from(class) + 1).max().unwrap_or(1);
        let mut sums = vec![0; class_count * size];
        for (counts, &class) in counts.chunks_exact(size).zip(&classes) {
            let sums = &mut sums[usize::from(class) * size..][..size];
            sums.iter_mut().zip(counts).for_each(|(sum, &n)| *sum += u64::from(n));
        }
        let code = |counts| ClassCode::from_counts(backend, counts, flip(alphabet));
        let codes = sums.chunks_exact(size).map(code).collect::<Result<_>>()?;
        let partition = Partition::new(geometry, alphabet, kinds, levels, classes, class_count);
        Ok(Self { partition, codes })
    }
}

/// Rows to train on, with those of their neighbours.
struct Trainer {
    backend: Backend,
    alphabet: Alphabet,
    channels: usize,
    rows: Vec<[Vec<u8>; 3]>,
}

impl Trainer {
    /// Picks rows all over the symbols, so that every sample and every position is seen.
    fn new(backend: Backend, symbols: &[u8], geometry: &Geometry, alphabet: Alphabet) -> Self {
        let channels = geometry.channels();
        let whole = Partition::whole(geometry, alphabet);
        let sample_len = geometry.sample_len().max(1);
        let chunk_len = (Level::Max.block_symbols() / sample_len).max(1) * sample_len;
        let mut matrix = vec![0; chunk_len.min(symbols.len()) + SLACK];
        let mut rows = Vec::new();
        let mut lottery = Lottery::new(symbols.len());
        for chunk in symbols.chunks(chunk_len) {
            let samples = chunk.len() / sample_len;
            let width = samples * channels;
            whole.matrix(backend, samples).gather(chunk, &mut matrix[..chunk.len() + SLACK]);
            let row_of = |row: usize| matrix[row * width..][..width].to_vec();
            for row in (0..chunk.len() / width).filter(|_| lottery.draws()) {
                let [first, second] = match whole.neighbours(row) {
                    Some(neighbours) => neighbours.map(row_of),
                    None => [vec![0; width], vec![0; width]],
                };
                rows.push([row_of(row), first, second]);
            }
        }
        Self { backend, alphabet, channels, rows }
    }

    /// Counts per group of channels, of the alphabet's numbers in their order.
    fn count_groups(&self) -> Vec<u32> {
        let (size, flip) = (self.alphabet.size(), usize::from(flip(self.alphabet)));
        let mut counts = vec![0; groups(self.channels) * size];
        for [row, ..] in &self.rows {
            let samples = row.len() / self.channels;
            for (channel, symbols) in row.chunks_exact(samples).enumerate() {
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
        for [row, first, second] in &self.rows {
            let samples = row.len() / self.channels;
            contexts.resize(row.len(), 0);
            self.backend.classify(&table, first, second, &mut contexts);
            let channels = row.chunks_exact(samples).zip(contexts.chunks_exact(samples));
            for (channel, (symbols, contexts)) in channels.enumerate() {
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

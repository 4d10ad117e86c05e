//! Symbols to codebooks.

use super::codebook::{Codebook, MAX_CLASSES};
use crate::channels::{check, flip, group, groups, pick};
use crate::classes::{Limits, cluster};
use crate::error::Result;
use crate::nested::{ClassCode, MaskCounter, Terms};
use crate::{Alphabet, Backend, Geometry, histogram, planes};

/// Symbols between which masks are split anew: what fits the second-level cache.
const CHUNK: usize = 1 << 16;

/// Symbols of a block for which a tree node is expected to cost [`NODE_BITS`] beside its mask.
const BLOCK: usize = 1 << 16;
const NODE_BITS: usize = 32;

/// A mask is coded again if that saves 2 of 64 parts: decoding it takes time.
const WORTH: u64 = 61;

const LIMITS: Limits = Limits { classes: MAX_CLASSES, runs: 64, worth: 512, floor_bits: 256 };

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
        let (picked, samples) = pick(symbols, samples, geometry.sample_len());
        let mut sequence = vec![0; picked.len()];
        let identity: Vec<usize> = (0..geometry.channels()).collect();
        let scratch = &mut planes::Scratch::default();
        planes::gather(backend, geometry, samples, &identity, &picked, scratch, &mut sequence);
        let trainer = Trainer {
            backend,
            alphabet,
            run_len: geometry.run_len(samples),
            channels: geometry.channels(),
            terms: Terms {
                penalty: (NODE_BITS * picked.len().div_ceil(BLOCK)).min(1 << 20) as u32,
                worth: WORTH,
                symbols: symbols.len() as u64,
                trained: picked.len() as u64,
            },
            sequence,
        };
        let counts = trainer.count();
        let groups = cluster(backend, &counts, alphabet.size(), LIMITS);
        let classes = groups.iter().map(|&class| usize::from(class) + 1).max().unwrap_or(1);
        let codes = (0..classes).map(|class| trainer.class(&counts, &groups, class as u8));
        Ok(Self::new(geometry, alphabet, groups.clone(), codes.collect::<Result<_>>()?))
    }
}

/// The symbols trained on, channel after channel.
struct Trainer {
    backend: Backend,
    alphabet: Alphabet,
    sequence: Vec<u8>,
    /// Symbols of a channel.
    run_len: usize,
    channels: usize,
    terms: Terms,
}

impl Trainer {
    fn run(&self, channel: usize) -> &[u8] {
        &self.sequence[channel * self.run_len..][..self.run_len]
    }

    /// Counts per group of channels, of the alphabet's numbers in their order.
    fn count(&self) -> Vec<u32> {
        let size = self.alphabet.size();
        let flip = usize::from(flip(self.alphabet));
        let mut counts = vec![0u32; groups(self.channels) * size];
        for channel in 0..self.channels {
            let counted = histogram::count(self.backend, self.run(channel));
            let counts = &mut counts[group(channel, self.channels) * size..][..size];
            for (number, count) in counts.iter_mut().enumerate() {
                *count = count.saturating_add(counted[number ^ flip].min(u32::MAX.into()) as u32);
            }
        }
        counts
    }

    fn class(&self, counts: &[u32], groups: &[u8], class: u8) -> Result<ClassCode> {
        let size = self.alphabet.size();
        let mut sums = vec![0; size];
        for (counts, _) in counts.chunks_exact(size).zip(groups).filter(|(_, c)| **c == class) {
            sums.iter_mut().zip(counts).for_each(|(sum, &count)| *sum += u64::from(count));
        }
        let mut counter = MaskCounter::new(self.backend, &sums, flip(self.alphabet), self.terms)?;
        let mut symbols = Vec::new();
        let members = |channel: &usize| groups[group(*channel, self.channels)] == class;
        for channel in (0..self.channels).filter(members) {
            symbols.extend_from_slice(self.run(channel));
        }
        symbols.chunks(CHUNK).for_each(|chunk| counter.add(self.backend, chunk));
        counter.finish(self.terms)
    }
}

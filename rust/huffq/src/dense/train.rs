//! Symbols to codebooks.

use std::borrow::Cow;
use std::ops::Range;

use super::codebook::{Codebook, MAX_CLASSES};
use crate::channels::{check, flip, group, groups, pick};
use crate::classes::{Limits, cluster};
use crate::cut::Slab;
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
        geometry.check_len(symbols.len(), samples)?;
        let (picked, samples) = pick(symbols, samples, geometry.sample_len());
        let slab = Slab { geometry: Cow::Borrowed(geometry), samples, first_channel: 0 };
        Self::train_on(backend, &[(slab, &picked)], symbols.len(), geometry, alphabet)
    }

    /// Trains a codebook for an array of `geometry` on some of the slabs that it is cut into, which
    /// stand for `total` symbols.
    ///
    /// # Errors
    /// As [`train`](Self::train).
    pub fn train_on(
        backend: Backend,
        slabs: &[(Slab, &[u8])],
        total: usize,
        geometry: &Geometry,
        alphabet: Alphabet,
    ) -> Result<Self> {
        let part = |(slab, symbols): &(Slab, &[u8])| Part::new(backend, slab, symbols, alphabet);
        let parts = slabs.iter().map(part).collect::<Result<Vec<_>>>()?;
        let trained: usize = parts.iter().map(|part| part.sequence.len()).sum();
        let terms = Terms {
            penalty: (NODE_BITS * trained.div_ceil(BLOCK)).min(1 << 20) as u32,
            worth: WORTH,
            symbols: total as u64,
            trained: trained as u64,
        };
        let trainer = Trainer { backend, alphabet, parts, channels: geometry.channels(), terms };
        let counts = trainer.count();
        let groups = cluster(backend, &counts, alphabet.size(), LIMITS);
        let classes = groups.iter().map(|&class| usize::from(class) + 1).max().unwrap_or(1);
        // One buffer for all classes, and large enough for any.
        let mut symbols = Vec::with_capacity(trained);
        let code = |class| trainer.class(&counts, &groups, class as u8, &mut symbols);
        let codes = (0..classes).map(code).collect::<Result<_>>()?;
        Ok(Self::new(geometry, (geometry.channels(), 0), alphabet, groups.into(), codes))
    }
}

/// The symbols of a slab, channel after channel.
struct Part {
    sequence: Vec<u8>,
    /// Symbols of a channel.
    run_len: usize,
    /// The channels that it has.
    channels: Range<usize>,
}

impl Part {
    fn new(backend: Backend, slab: &Slab, symbols: &[u8], alphabet: Alphabet) -> Result<Self> {
        let &Slab { ref geometry, samples, first_channel } = slab;
        check(symbols, samples, geometry, alphabet)?;
        let mut sequence = vec![0; symbols.len()];
        let identity: Vec<usize> = (0..geometry.channels()).collect();
        let scratch = &mut planes::Scratch::default();
        planes::gather(backend, geometry, samples, &identity, symbols, scratch, &mut sequence);
        let channels = first_channel..first_channel + geometry.channels();
        Ok(Self { sequence, run_len: geometry.run_len(samples), channels })
    }

    /// Each channel and its symbols.
    fn runs(&self) -> impl Iterator<Item = (usize, &[u8])> {
        let run = |place| &self.sequence[place * self.run_len..][..self.run_len];
        self.channels.clone().enumerate().map(move |(place, channel)| (channel, run(place)))
    }
}

/// What is trained on.
struct Trainer {
    backend: Backend,
    alphabet: Alphabet,
    parts: Vec<Part>,
    channels: usize,
    terms: Terms,
}

impl Trainer {
    fn runs(&self) -> impl Iterator<Item = (usize, &[u8])> {
        self.parts.iter().flat_map(Part::runs)
    }

    /// Counts per group of channels, of the alphabet's numbers in their order.
    fn count(&self) -> Vec<u32> {
        let size = self.alphabet.size();
        let flip = usize::from(flip(self.alphabet));
        let mut counts = vec![0u32; groups(self.channels) * size];
        for (channel, run) in self.runs() {
            let counted = histogram::count(self.backend, run);
            let counts = &mut counts[group(channel, self.channels) * size..][..size];
            for (number, count) in counts.iter_mut().enumerate() {
                *count = count.saturating_add(counted[number ^ flip].min(u32::MAX.into()) as u32);
            }
        }
        counts
    }

    /// The code of a class, whose symbols are brought together in a buffer.
    fn class(
        &self,
        counts: &[u32],
        groups: &[u8],
        class: u8,
        symbols: &mut Vec<u8>,
    ) -> Result<ClassCode> {
        let size = self.alphabet.size();
        let mut sums = vec![0; size];
        for (counts, _) in counts.chunks_exact(size).zip(groups).filter(|(_, c)| **c == class) {
            sums.iter_mut().zip(counts).for_each(|(sum, &count)| *sum += u64::from(count));
        }
        let mut counter = MaskCounter::new(self.backend, &sums, flip(self.alphabet), self.terms)?;
        symbols.clear();
        let members = |&(channel, _): &(usize, _)| groups[group(channel, self.channels)] == class;
        self.runs().filter(members).for_each(|(_, run)| symbols.extend_from_slice(run));
        symbols.chunks(CHUNK).for_each(|chunk| counter.add(self.backend, chunk));
        counter.finish(self.terms)
    }
}

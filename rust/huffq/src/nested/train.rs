//! A class's tree and codes from counts.

use super::encode::MaskStreams;
use super::mask_code::{DENSITIES, MaskCode};
use super::shape::{Shape, has_mask};
use super::{ClassCode, Coding, OWN_BITS, STATIC_BITS, static_coding};
use crate::Backend;
use crate::classes::ideal_cost;
use crate::error::Result;
use crate::histogram::Tables;
use crate::pivot::Node;

/// What codes are trained for.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Terms {
    /// Bits that a tree node costs, over all the symbols trained on.
    pub penalty: u32,
    /// A mask is coded where that takes less than this many 64ths of it.
    pub worth: u64,
    /// What is trained on stands for this many symbols...
    pub symbols: u64,
    /// ...and are this many.
    pub trained: u64,
}

/// A mask is coded by density where that takes less than this many 64ths of it.
const WORTH_STATIC: u64 = 63;

/// What a stored mask code takes at least, in practice: trying one costs more than it might save.
const MIN_CODE_BITS: u64 = 480;

/// Counts the bytes of the masks of a class.
#[derive(Debug)]
pub(crate) struct MaskCounter {
    code: ClassCode,
    /// For every node of the tree.
    counts: Vec<Tables>,
    masks: MaskStreams,
}

impl MaskCounter {
    /// Chooses the tree of a class with these counts.
    pub(crate) fn new(backend: Backend, counts: &[u64], flip: u8, terms: Terms) -> Result<Self> {
        let shape = Shape::train(backend, counts, terms.penalty)?;
        let code = ClassCode::raw(shape, counts.len(), flip)?;
        let nodes = code.codings.len();
        Ok(Self { code, counts: vec![Tables::default(); nodes], masks: MaskStreams::default() })
    }

    /// Counts the masks of a sequence.
    pub(crate) fn add(&mut self, backend: Backend, symbols: &[u8]) {
        for (node, stream) in self.masks.split(backend, &self.code.tree, symbols) {
            if has_mask(self.code.tree.nodes()[node]) {
                self.counts[node].add(stream);
            }
        }
    }

    /// The class's code.
    pub(crate) fn finish(mut self, terms: Terms) -> Result<ClassCode> {
        let masks: Vec<usize> = self.code.masks().collect();
        for node in masks {
            self.code.codings[node] = choose(&self.counts[node].sums(), terms)?;
        }
        Ok(self.code)
    }
}

impl ClassCode {
    /// The code of a class of which nothing but counts is known, by number: a mask whose bits are
    /// independent is coded by density wherever that saves anything.
    pub(crate) fn from_counts(backend: Backend, counts: &[u64], flip: u8) -> Result<Self> {
        let shape = Shape::train(backend, counts, 0)?;
        let mut code = Self::raw(shape, counts.len(), flip)?;
        let count = |rank: usize| {
            let symbol = code.tree.symbols()[rank];
            counts[usize::from(symbol ^ flip)]
        };
        // Of every node its first rank and the counts of its symbols.
        let mut sums: Vec<(usize, u64)> = Vec::with_capacity(code.codings.len());
        let mut codings = Vec::with_capacity(code.codings.len());
        for (index, &node) in code.tree.nodes().iter().enumerate() {
            let (first, left, right) = match node {
                Node::Flat { depth, first } => {
                    let first = usize::from(first);
                    let middle = first + (1 << depth >> 1);
                    let right = (middle..first + (1 << depth)).map(count).sum();
                    ((first), (first..middle).map(count).sum(), right)
                }
                Node::Merge { left, .. } => {
                    let (first, left) = sums[usize::from(left)];
                    (first, left, sums[index - 1].1)
                }
            };
            sums.push((first, left + right));
            codings.push(if has_mask(node) { by_density(left, right)? } else { Coding::Raw });
        }
        code.codings = codings;
        Ok(code)
    }
}

/// How to store a mask with so many zeros and ones in any order.
fn by_density(zeros: u64, ones: u64) -> Result<Coding> {
    let all = (zeros + ones).max(1);
    let density = ((ones * DENSITIES + all / 2) / all).clamp(1, DENSITIES - 1);
    let coding = static_coding(density as u8)?;
    let worth = coding.code().is_some_and(|code| code.expected_bits(density) < 64 * WORTH_STATIC);
    Ok(if worth { coding } else { Coding::Raw })
}

/// How to store a mask with these bytes: in the cheaper of the two codes, if it is worth it.
fn choose(counts: &[u32; 256], terms: Terms) -> Result<Coding> {
    let bytes: u64 = counts.iter().map(|&n| u64::from(n)).sum();
    let ones: u64 = counts
        .iter()
        .zip(0u32..)
        .map(|(&n, byte)| u64::from(n) * u64::from(byte.count_ones()))
        .sum();
    let scale = |bits: u64| {
        (u128::from(bits) * u128::from(terms.symbols) / u128::from(terms.trained.max(1))) as u64
    };
    let bar = scale(8 * bytes) * terms.worth / 64;
    let density = ((ones * DENSITIES + 4 * bytes) / (8 * bytes).max(1)).clamp(1, DENSITIES - 1);
    let coding = static_coding(density as u8)?;
    let static_cost =
        coding.code().map_or(0, |code| scale(code.cost(counts))) + u64::from(STATIC_BITS);
    // No code is shorter than the entropy: most masks need not be tried.
    let ideal = ideal_cost(counts.iter().map(|&n| u64::from(n))) >> 8;
    let best = bar.min(static_cost);
    if scale(ideal) + MIN_CODE_BITS < best {
        let own = MaskCode::from_counts(counts)?;
        if scale(own.cost(counts)) + own.stored_bits()? + u64::from(OWN_BITS) < best {
            return Ok(Coding::Own(Box::new(own)));
        }
    }
    Ok(if static_cost < bar { coding } else { Coding::Raw })
}

//! Contexts to classes: which contexts share a code.
//!
//! Contexts are sorted by their mean symbol and cut into runs of equal mass; the runs are improved
//! by steps of Lloyd's algorithm (every context goes to the class whose ideal code is cheapest for
//! it), merged pairwise, the cheapest merge first, and improved again. Integers only: the result
//! is the same on every machine.

mod merge;

use crate::Backend;
use crate::kernels::CODES;
use merge::merge;

/// How far [`cluster`] goes.
#[derive(Clone, Copy, Debug)]
pub struct Limits {
    /// Most classes, 1 to 255.
    pub classes: usize,
    /// Runs to start from, 1 to 255: contexts beyond that many are first grouped by their means.
    pub runs: usize,
    /// Classes are merged, although few enough, while that costs less than one part in `worth`...
    pub worth: u64,
    /// ...of all, or less than these bits.
    pub floor_bits: u64,
}

/// More than any ideal length, and little enough for sums over 2^15 symbols.
const LONGEST: i16 = 1 << 14;

/// Steps of Lloyd's algorithm, before merging and after it.
const STEPS: usize = 4;

/// The class of every context. `counts` holds each context's symbol counts, `alphabet` numbers
/// each; contexts that were never seen go to class 0. Classes are numbered from 0 without gaps.
pub fn cluster(backend: Backend, counts: &[u32], alphabet: usize, limits: Limits) -> Vec<u8> {
    let contexts = Contexts::new(backend, counts, alphabet);
    let mut map = vec![0; contexts.masses.len()];
    let runs = contexts.cut(limits.runs, &mut map);
    if contexts.masses.len() > limits.runs {
        (0..STEPS).for_each(|_| contexts.reassign(runs, &mut map));
    }
    let classes = merge(&contexts.sums(&map, runs), alphabet, limits, &mut map);
    (0..STEPS).for_each(|_| contexts.reassign(classes, &mut map));
    close_gaps(&mut map);
    map
}

struct Contexts<'a> {
    backend: Backend,
    counts: &'a [u32],
    alphabet: usize,
    masses: Vec<u64>,
    /// The counts of each context scaled to a sum below 2^15: times code lengths they fit 32 bits.
    scaled: Vec<i16>,
}

impl<'a> Contexts<'a> {
    fn new(backend: Backend, counts: &'a [u32], alphabet: usize) -> Self {
        let contexts = || counts.chunks_exact(alphabet);
        let masses: Vec<u64> = contexts().map(|c| c.iter().map(|&n| u64::from(n)).sum()).collect();
        let shift = |mass: u64| (u64::BITS - mass.leading_zeros()).saturating_sub(15);
        let scaled = contexts()
            .zip(&masses)
            .flat_map(|(c, &mass)| c.iter().map(move |&n| (n >> shift(mass)) as i16))
            .collect();
        Self { backend, counts, alphabet, masses, scaled }
    }

    /// Sorts by mean symbol and cuts into at most `runs` runs of equal mass; returns how many.
    fn cut(&self, runs: usize, map: &mut [u8]) -> usize {
        let mean = |context: usize| {
            let counts = &self.counts[context * self.alphabet..][..self.alphabet];
            let sum: u64 = counts.iter().zip(0..).map(|(&n, symbol)| u64::from(n) * symbol).sum();
            // In 1/4096, so that contexts do not tie.
            (u128::from(sum) << 12) / u128::from(self.masses[context])
        };
        let seen = (0..map.len()).filter(|&context| self.masses[context] > 0);
        let mut sorted: Vec<_> = seen.map(|context| (mean(context), context)).collect();
        sorted.sort_unstable();
        if sorted.len() <= runs {
            sorted.iter().zip(0..).for_each(|(&(_, context), run)| map[context] = run);
            return sorted.len().max(1);
        }
        let total: u64 = self.masses.iter().sum();
        let mut before = 0;
        for (_, context) in sorted {
            let middle = u128::from(before + self.masses[context] / 2);
            map[context] = (middle * runs as u128 / u128::from(total)) as u8;
            before += self.masses[context];
        }
        runs
    }

    /// The summed counts of every class.
    fn sums(&self, map: &[u8], classes: usize) -> Vec<u64> {
        let mut sums = vec![0; classes * self.alphabet];
        for (counts, &class) in self.counts.chunks_exact(self.alphabet).zip(map) {
            let sums = &mut sums[usize::from(class) * self.alphabet..][..self.alphabet];
            sums.iter_mut().zip(counts).for_each(|(sum, &n)| *sum += u64::from(n));
        }
        sums
    }

    /// Moves every context to the class that codes it cheapest, the lowest if several do.
    fn reassign(&self, classes: usize, map: &mut [u8]) {
        let sums = self.sums(map, classes);
        // The places of classes that there are not hold the longest codes.
        let mut lengths = vec![LONGEST; self.alphabet * classes.next_multiple_of(CODES)];
        for (class, sums) in sums.chunks_exact(self.alphabet).enumerate() {
            let start = class / CODES * CODES * self.alphabet + class % CODES;
            let places = lengths[start..].iter_mut().step_by(CODES);
            places.zip(ideal_lengths(sums)).for_each(|(place, length)| *place = length);
        }
        for (scaled, class) in self.scaled.chunks_exact(self.alphabet).zip(map) {
            *class = self.backend.cheapest(scaled, &lengths) as u8;
        }
    }
}

/// Ideal code lengths in 1/256 bits; counts are doubled and raised by one so that none is infinite.
fn ideal_lengths(counts: &[u64]) -> impl Iterator<Item = i16> {
    let total = log2(counts.iter().map(|&n| 2 * n + 1).sum());
    counts.iter().map(move |&n| (total - log2(2 * n + 1)) as i16)
}

/// Bits, in 1/256, that symbols with these counts cost ideally.
pub(crate) fn ideal_cost(counts: impl Iterator<Item = u64>) -> u64 {
    let (mut total, mut saved) = (0, 0);
    for n in counts.filter(|&n| n > 0) {
        total += n;
        saved += n * log2(n);
    }
    if total == 0 { 0 } else { (total * log2(total)).saturating_sub(saved) }
}

/// Renumbers classes that Lloyd's steps have left empty away.
fn close_gaps(map: &mut [u8]) {
    let mut used = [false; 256];
    map.iter().for_each(|&class| used[usize::from(class)] = true);
    let mut place = [0; 256];
    let mut next = 0;
    for class in 0..256 {
        place[class] = next;
        next += u8::from(used[class] && next < u8::MAX);
    }
    map.iter_mut().for_each(|class| *class = place[usize::from(*class)]);
}

/// log2 of numbers from 1 to 2, exclusively, in 1/256, rounded to nearest and capped at 255.
static LOG2: [u8; 4096] = log2_table();

const fn log2_table() -> [u8; 4096] {
    let mut table = [0; 4096];
    let mut i = 0;
    while i < 4096 {
        // Each squaring gives one more binary digit of the logarithm.
        let mut x = (4096 + i as u64) << 19;
        let (mut log, mut digit) = (0u64, 0);
        while digit < 12 {
            x = (x * x) >> 31;
            log <<= 1;
            if x >> 32 != 0 {
                x >>= 1;
                log |= 1;
            }
            digit += 1;
        }
        let rounded = (log + 8) >> 4;
        table[i] = if rounded > 255 { 255 } else { rounded as u8 };
        i += 1;
    }
    table
}

/// log2 of a number of at least 1, in 1/256.
fn log2(x: u64) -> u64 {
    let whole = u64::from(x.ilog2());
    let mantissa = if whole >= 12 { x >> (whole - 12) } else { x << (12 - whole) };
    whole << 8 | u64::from(LOG2[(mantissa & 4095) as usize])
}

#[cfg(test)]
mod tests {
    use super::*;

    const LIMITS: Limits = Limits { classes: 4, runs: 8, worth: 512, floor_bits: 64 };

    /// Counts of a context whose symbols lie around `peak`.
    fn around(peak: u32, scale: u32) -> Vec<u32> {
        (0..16u32).map(|symbol| (scale * 1000) >> (2 * symbol.abs_diff(peak))).collect()
    }

    #[test]
    fn logarithms_are_close() {
        for x in (1..5000).chain([1 << 20, u64::MAX, (1 << 40) + 12345]) {
            let exact = (x as f64).log2() * 256.0;
            assert!((log2(x) as f64 - exact).abs() <= 1.0, "{x}");
        }
    }

    #[test]
    fn contexts_alike_share_a_class_whatever_their_mass() {
        for contexts in [6, 60] {
            let peaks: Vec<u32> = (0..contexts).map(|i| [2, 9][i % 2]).collect();
            let counts: Vec<u32> =
                peaks.iter().zip(1..).flat_map(|(&peak, i)| around(peak, i)).collect();
            let map = cluster(Backend::current().unwrap(), &counts, 16, LIMITS);
            for (a, b) in peaks.iter().zip(&map).zip(peaks.iter().zip(&map).skip(1)) {
                assert_eq!(a.0 == b.0, a.1 == b.1, "{map:?}");
            }
            assert_eq!(map.iter().max(), Some(&1));
        }
    }

    #[test]
    fn there_are_no_more_classes_than_allowed_and_no_gaps() {
        let counts: Vec<u32> = (0..16).flat_map(|peak| around(peak, 50)).collect();
        let map = cluster(Backend::current().unwrap(), &counts, 16, LIMITS);
        let highest = *map.iter().max().unwrap();
        assert!(highest < 4 && (0..=highest).all(|class| map.contains(&class)), "{map:?}");
    }

    #[test]
    fn what_was_never_seen_has_class_zero() {
        assert_eq!(cluster(Backend::current().unwrap(), &[0; 48], 16, LIMITS), [0; 3]);
        assert!(cluster(Backend::current().unwrap(), &[], 16, LIMITS).is_empty());
    }

    #[test]
    fn a_class_that_saves_less_than_the_floor_is_not_kept() {
        let counts: Vec<u32> = [2, 9].iter().flat_map(|&peak| around(peak, 50)).collect();
        let limits = Limits { floor_bits: 1 << 40, ..LIMITS };
        assert_eq!(cluster(Backend::current().unwrap(), &counts, 16, limits), [0, 0]);
    }
}

//! Counts to optimal length-limited code lengths.

use crate::error::{Error, Result};

/// The longest codeword that any code may have.
pub const MAX_LENGTH: u8 = 15;
/// The limit that blocks are coded under.
pub const DEFAULT_MAX_LENGTH: u8 = 12;

/// Optimal code lengths under a limit: Huffman's where they keep it, which takes a fraction of the
/// time, else those of [`package_merge`].
///
/// Returns one length per count, as there, of the same cost, though not always the same. They are a
/// pure function of the counts too.
///
/// # Errors
/// As of [`package_merge`].
pub fn optimal(counts: &[u64], max_length: u8) -> Result<Vec<u8>> {
    let leaves = leaves(counts)?;
    let within = |lengths: &Vec<u8>| lengths.iter().all(|&length| length <= max_length);
    match huffman(&leaves, counts.len()).filter(within) {
        Some(lengths) if max_length <= MAX_LENGTH => Ok(lengths),
        _ => merge_packages(&leaves, counts.len(), max_length),
    }
}

/// Sums of counts below this leave room for the weights of packages, and for a symbol beside a count.
const MAX_SUM: u128 = 1 << 56;

/// A used symbol: its count, and itself.
type Leaf = (u64, usize);

/// The used symbols by count, those of equal counts by symbol.
fn leaves(counts: &[u64]) -> Result<Vec<Leaf>> {
    let sum: u128 = counts.iter().copied().map(u128::from).sum();
    if sum >= MAX_SUM {
        return Err(Error::argument("sum of counts", sum, "be below 2^56"));
    }
    let used = counts.iter().zip(0usize..).filter(|&(&count, _)| count > 0);
    if counts.len() > 256 {
        let mut leaves: Vec<_> = used.map(|(&count, symbol)| (count, symbol)).collect();
        leaves.sort_unstable();
        return Ok(leaves);
    }
    // The symbol in the low byte: one comparison sorts by both.
    let mut keys: Vec<_> = used.map(|(count, symbol)| count << 8 | symbol as u64).collect();
    keys.sort_unstable();
    Ok(keys.into_iter().map(|key| (key >> 8, (key & 0xff) as usize)).collect())
}

/// Code lengths of `alphabet` symbols by Huffman's method, without a limit. Of equal weights single
/// symbols go first. `None` for fewer than 2 or more than 256 used symbols.
fn huffman(leaves: &[Leaf], alphabet: usize) -> Option<Vec<u8>> {
    let packages = leaves.len().checked_sub(1).filter(|n| (1..256).contains(n))?;
    let (mut weights, mut leaf_parents, mut package_parents) = ([0; 256], [0; 256], [0; 256]);
    let (mut leaf, mut package) = (0, 0);
    for parent in 0..packages {
        for _ in 0..2 {
            // Packages come up in the order of their weights.
            let next = leaves.get(leaf).map(|&(weight, _)| weight);
            if let Some(weight) = next.filter(|&w| package == parent || w <= weights[package]) {
                weights[parent] += weight;
                leaf_parents[leaf] = parent;
                leaf += 1;
            } else {
                weights[parent] += weights[package];
                package_parents[package] = parent;
                package += 1;
            }
        }
    }
    // The last package is the root; parents stand behind their children.
    let mut depths = [0u8; 256];
    for package in (0..packages - 1).rev() {
        depths[package] = depths[package_parents[package]] + 1;
    }
    let mut lengths = vec![0; alphabet];
    for (&(_, symbol), parent) in leaves.iter().zip(leaf_parents) {
        lengths[symbol] = depths[parent] + 1;
    }
    Some(lengths)
}

/// Optimal code lengths under a limit, by package-merge (Larmore and Hirschberg, 1990).
///
/// Returns one length per count; 0 where the count is 0. A lone used symbol gets length 1.
/// Equal weights are taken in symbol order, single symbols before packages, so the result is a
/// pure function of the counts.
///
/// # Errors
/// [`Error::InvalidArgument`] if `max_length` is not within 1 to [`MAX_LENGTH`], or too small for
/// the number of used symbols; or if the counts' sum is 2^56 or more.
pub fn package_merge(counts: &[u64], max_length: u8) -> Result<Vec<u8>> {
    merge_packages(&leaves(counts)?, counts.len(), max_length)
}

fn merge_packages(leaves: &[Leaf], alphabet: usize, max_length: u8) -> Result<Vec<u8>> {
    if !(1..=MAX_LENGTH).contains(&max_length) || leaves.len() > 1 << max_length {
        let expected = format!("lie between 1 and 15 and allow {} codewords", leaves.len());
        return Err(Error::argument("max_length", max_length, expected));
    }
    let mut lengths = vec![0; alphabet];
    if let [(_, symbol)] = leaves[..] {
        lengths[symbol] = 1;
    }
    if leaves.len() < 2 {
        return Ok(lengths);
    }
    let levels = merge_levels(leaves, max_length);
    // An optimal code is the cheapest 2n - 2 items of the last level. An item that is a leaf adds
    // one bit to its symbol; a package stands for the two items of the level before.
    let mut taken = 2 * leaves.len() - 2;
    for level in levels.iter().rev() {
        let in_level = level[..taken].iter().filter(|&&is_leaf| is_leaf).count();
        for &(_, symbol) in &leaves[..in_level] {
            lengths[symbol] += 1;
        }
        taken = 2 * (taken - in_level);
    }
    Ok(lengths)
}

/// For each bit position, which items of the sorted list of leaves and packages are leaves.
fn merge_levels(leaves: &[Leaf], max_length: u8) -> Vec<Vec<bool>> {
    let weights = leaves.iter().map(|&(weight, _)| weight);
    let sorted: Vec<u64> = [0].into_iter().chain(weights).chain([u64::MAX]).collect();
    let mut packages = vec![0, u64::MAX];
    let mut merged = vec![0; 2 * leaves.len()];
    let mut levels = Vec::with_capacity(usize::from(max_length));
    for _ in 0..max_length {
        let len = leaves.len() + packages.len() - 2;
        let mut is_leaf = vec![false; len];
        merge(&sorted, &packages, &mut merged[..len], &mut is_leaf);
        packages.truncate(1);
        packages.extend(merged[..len].chunks_exact(2).map(|pair| pair[0] + pair[1]));
        packages.push(u64::MAX);
        levels.push(is_leaf);
    }
    levels
}

/// Merges two sorted lists, each between a zero and the largest number; leaves go first among
/// equals.
///
/// From both ends at once: each step waits for the one before, but not for the other end. The
/// lists' ends, which no weight is beyond, make a step one comparison without a branch.
fn merge(leaves: &[u64], packages: &[u64], merged: &mut [u64], is_leaf: &mut [bool]) {
    let (mut low_leaf, mut low_package) = (1, 1);
    let (mut high_leaf, mut high_package) = (leaves.len() - 2, packages.len() - 2);
    let len = merged.len();
    for low in 0..len.div_ceil(2) {
        let (leaf, package) = (leaves[low_leaf], packages[low_package]);
        (merged[low], is_leaf[low]) = (leaf.min(package), leaf <= package);
        low_leaf += usize::from(leaf <= package);
        low_package += usize::from(leaf > package);

        let high = len - 1 - low;
        let (leaf, package) = (leaves[high_leaf], packages[high_package]);
        (merged[high], is_leaf[high]) = (leaf.max(package), leaf > package);
        high_leaf -= usize::from(leaf > package);
        high_package -= usize::from(leaf <= package);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn cost(counts: &[u64], lengths: &[u8]) -> u64 {
        counts.iter().zip(lengths).map(|(&c, &l)| c * u64::from(l)).sum()
    }

    /// The cheapest complete code by exhaustive search over non-increasing lengths.
    fn cheapest(counts: &[u64], max_length: u8) -> u64 {
        fn search(counts: &[u64], shortest: u8, max_length: u8, room: u64) -> Option<u64> {
            let Some((&first, rest)) = counts.split_first() else {
                return (room == 0).then_some(0);
            };
            (shortest..=max_length)
                .filter(|&l| 1 << (max_length - l) <= room)
                .filter_map(|l| {
                    let left = room - (1 << (max_length - l));
                    Some(first * u64::from(l) + search(rest, l, max_length, left)?)
                })
                .min()
        }
        let mut sorted = counts.to_vec();
        sorted.sort_unstable_by(|a, b| b.cmp(a));
        search(&sorted, 1, max_length, 1 << max_length).unwrap()
    }

    #[test]
    fn degenerate_counts() {
        assert!(package_merge(&[], 12).unwrap().is_empty());
        assert_eq!(package_merge(&[0, 0], 12).unwrap(), [0, 0]);
        assert_eq!(package_merge(&[0, 7, 0], 12).unwrap(), [0, 1, 0]);
        assert_eq!(package_merge(&[5, 1], 1).unwrap(), [1, 1]);
        assert_eq!(package_merge(&[1; 256], 8).unwrap(), [8; 256]);
    }

    #[test]
    fn limits_outside_the_domain_are_refused() {
        for (symbols, limit) in [(2, 0), (2, 16), (3, 1), (256, 7)] {
            for make in [package_merge, optimal] {
                let error = make(&vec![1; symbols], limit).unwrap_err();
                assert!(matches!(error, Error::InvalidArgument { name: "max_length", .. }));
            }
        }
    }

    #[test]
    fn enormous_counts_are_refused() {
        for counts in [vec![1 << 59; 256], vec![u64::MAX; 2], vec![1 << 55; 2]] {
            for make in [package_merge, optimal] {
                let error = make(&counts, 12).unwrap_err();
                assert!(matches!(error, Error::InvalidArgument { name: "sum of counts", .. }));
            }
        }
        assert_eq!(optimal(&[1 << 55, 1, 1], 12).unwrap(), [1, 2, 2]);
    }

    #[test]
    fn the_limit_binds_on_fibonacci_counts() {
        let mut counts = vec![1u64, 1];
        while counts.len() < 20 {
            counts.push(counts[counts.len() - 1] + counts[counts.len() - 2]);
        }
        let lengths = optimal(&counts, 12).unwrap();
        assert_eq!(lengths.iter().max(), Some(&12));
    }

    proptest! {
        #[test]
        fn as_cheap_as_exhaustive_search(
            counts in prop::collection::vec(1u64..500, 2..7),
            max_length in 3u8..7,
        ) {
            let lengths = package_merge(&counts, max_length).unwrap();
            prop_assert_eq!(cost(&counts, &lengths), cheapest(&counts, max_length));
        }

        #[test]
        fn both_methods_cost_the_same_under_the_same_limit(
            counts in prop::collection::vec(prop_oneof![0u64..10, 1u64..1 << 30], 0..=256),
            max_length in 8u8..=15,
        ) {
            let merged = package_merge(&counts, max_length).unwrap();
            let lengths = optimal(&counts, max_length).unwrap();
            prop_assert_eq!(cost(&counts, &lengths), cost(&counts, &merged));
            prop_assert!(lengths.iter().all(|&length| length <= max_length));
            if let Some(unlimited) = huffman(&leaves(&counts).unwrap(), counts.len()) {
                prop_assert!(cost(&counts, &unlimited) <= cost(&counts, &merged));
            }
        }

        #[test]
        fn complete_and_within_the_limit(
            counts in prop::collection::vec(prop_oneof![Just(0u64), 1u64..10, 1u64..1 << 40], 0..=256),
            max_length in 8u8..=15,
        ) {
            let lengths = package_merge(&counts, max_length).unwrap();
            prop_assert!(lengths.iter().all(|&l| l <= max_length));
            prop_assert!(lengths.iter().zip(&counts).all(|(&l, &c)| (l > 0) == (c > 0)));
            let kraft: u64 = lengths.iter().filter(|&&l| l > 0).map(|&l| 1 << (15 - l)).sum();
            match counts.iter().filter(|&&c| c > 0).count() {
                0 => prop_assert_eq!(kraft, 0),
                1 => prop_assert_eq!(kraft, 1 << 14),
                _ => prop_assert_eq!(kraft, 1 << 15),
            }
        }
    }
}

//! Code lengths to codewords.

use crate::error::{Error, Result};
use crate::lengths::{MAX_LENGTH, optimal};

/// A canonical prefix code: shorter codewords first, ties by symbol.
///
/// Invariants: at most 256 symbols; each length is 0 (unused) or 1 to 15; the code is complete
/// (Kraft sum 1), or has one symbol of length 1, or none.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct CodeTable {
    lengths: Vec<u8>,
    codewords: Vec<u16>,
}

impl CodeTable {
    /// The optimal code for `counts` with codewords of at most `max_length` bits.
    pub fn from_counts(counts: &[u64], max_length: u8) -> Result<Self> {
        check_alphabet(counts.len())?;
        Self::from_lengths(&optimal(counts, max_length)?)
    }

    /// The canonical code with these lengths.
    ///
    /// # Errors
    /// [`Error::NotComplete`] if the lengths are not those of a complete code or of one symbol.
    pub fn from_lengths(lengths: &[u8]) -> Result<Self> {
        Self::check_lengths(lengths)?;
        Ok(Self { codewords: assign_codewords(lengths), lengths: lengths.to_vec() })
    }

    /// Whether there is a code with these lengths.
    pub(crate) fn check_lengths(lengths: &[u8]) -> Result<()> {
        check_alphabet(lengths.len())?;
        if let Some(&length) = lengths.iter().find(|&&l| l > MAX_LENGTH) {
            return Err(Error::argument("code length", length, "be at most 15"));
        }
        let sum = kraft_sum(lengths);
        let lone = lengths.iter().filter(|&&l| l > 0).count() == 1 && sum == 1 << 14;
        if sum != 1 << MAX_LENGTH && sum != 0 && !lone {
            return Err(Error::NotComplete { sum });
        }
        Ok(())
    }

    /// Bits of each symbol's codeword; 0 where the symbol is unused.
    pub fn lengths(&self) -> &[u8] {
        &self.lengths
    }

    /// Each symbol's codeword in the low bits; 0 where the symbol is unused.
    pub fn codewords(&self) -> &[u16] {
        &self.codewords
    }

    /// The sum of 2^-length over the used symbols.
    pub fn kraft_sum(&self) -> f64 {
        kraft_sum(&self.lengths) as f64 / f64::from(1 << MAX_LENGTH)
    }

    /// Length of the longest codeword; 0 for the empty code.
    pub fn max_length(&self) -> u8 {
        self.lengths.iter().copied().max().unwrap_or(0)
    }

    /// Bits that symbols with these counts take.
    pub fn cost(&self, counts: &[u64]) -> u64 {
        counts.iter().zip(&self.lengths).map(|(&c, &l)| c * u64::from(l)).sum()
    }
}

fn check_alphabet(size: usize) -> Result<()> {
    if size > 256 {
        return Err(Error::argument("alphabet size", size, "be at most 256"));
    }
    Ok(())
}

/// Kraft sum in units of 2^-15.
fn kraft_sum(lengths: &[u8]) -> u64 {
    lengths.iter().filter(|&&l| l > 0).map(|&l| 1 << (MAX_LENGTH - l)).sum()
}

/// The canonical codewords of these lengths.
pub(crate) fn assign_codewords(lengths: &[u8]) -> Vec<u16> {
    let mut of_length = [0u16; MAX_LENGTH as usize + 1];
    for &length in lengths.iter().filter(|&&l| l > 0) {
        of_length[usize::from(length)] += 1;
    }
    let mut next = [0u16; MAX_LENGTH as usize + 1];
    for length in 1..next.len() {
        next[length] = (next[length - 1] + of_length[length - 1]) << 1;
    }
    let mut assign = |&length: &u8| {
        if length == 0 {
            return 0;
        }
        let codeword = next[usize::from(length)];
        next[usize::from(length)] += 1;
        codeword
    };
    lengths.iter().map(&mut assign).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn shorter_first_then_by_symbol() {
        let table = CodeTable::from_lengths(&[3, 1, 0, 2, 3]).unwrap();
        assert_eq!(table.codewords(), [0b110, 0b0, 0, 0b10, 0b111]);
        assert_eq!((table.kraft_sum(), table.max_length()), (1.0, 3));
    }

    #[test]
    fn empty_and_one_symbol_codes() {
        let empty = CodeTable::from_counts(&[0; 16], 12).unwrap();
        assert_eq!((empty.kraft_sum(), empty.max_length()), (0.0, 0));
        let lone = CodeTable::from_counts(&[0, 9, 0], 12).unwrap();
        assert_eq!((lone.lengths(), lone.codewords()), (&[0, 1, 0][..], &[0, 0, 0][..]));
        assert_eq!(lone.kraft_sum(), 0.5);
    }

    #[test]
    fn lengths_that_are_no_complete_code_are_refused() {
        for lengths in [&[1, 1, 1][..], &[1, 2], &[2], &[15, 0], &[2, 2, 2]] {
            let error = CodeTable::from_lengths(lengths).unwrap_err();
            assert!(matches!(error, Error::NotComplete { .. }), "{lengths:?}: {error}");
        }
        assert!(CodeTable::from_lengths(&[16, 1]).is_err());
        assert!(CodeTable::from_lengths(&[9; 257]).is_err());
    }

    proptest! {
        #[test]
        fn codewords_are_prefix_free_and_ordered(
            counts in prop::collection::vec(prop_oneof![Just(0u64), 1u64..1000], 2..=256),
        ) {
            let table = CodeTable::from_counts(&counts, 12).unwrap();
            let mut used: Vec<_> = (0..counts.len())
                .filter(|&s| table.lengths()[s] > 0)
                .map(|s| (table.lengths()[s], s, table.codewords()[s]))
                .collect();
            used.sort_unstable();
            for pair in used.windows(2) {
                let ((short, _, a), (long, _, b)) = (pair[0], pair[1]);
                prop_assert!(a < b >> (long - short), "{a:b} is a prefix of, or above, {b:b}");
            }
        }
    }
}

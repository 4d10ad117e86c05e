//! Codes of mask bytes: 256 symbols, codewords of at most 11 bits.

use std::sync::OnceLock;

use super::bits::BitReader;
use super::shape::{check_complete, complete};
use crate::CodeTable;
use crate::bits::BitWriter;
use crate::canonical::assign_codewords;
use crate::error::{Error, Result};
use crate::kernels::{Codewords, LANE_INDEX_BITS, LaneTable};
use crate::lengths::{optimal, package_merge};

/// The longest codeword: a decoding table has an entry for each string of that many bits.
pub(crate) const LIMIT: u8 = LANE_INDEX_BITS as u8;

/// Densities with a static code: i / 64 for i from 1 to 63.
pub(super) const DENSITIES: u64 = 64;

/// Bits of the lengths of the code of lengths, each.
const LENGTH_BITS: u32 = 3;

/// The longest codeword of that code.
const MAX_LENGTH_BITS: u32 = (1 << LENGTH_BITS) - 1;

/// A complete code of all 256 mask bytes.
#[derive(Debug)]
pub(crate) struct MaskCode {
    lengths: [u8; 256],
    codewords: OnceLock<Box<Codewords>>,
    table: OnceLock<Box<LaneTable>>,
}

impl MaskCode {
    /// The code with these lengths, which must be those of a complete code within [`LIMIT`].
    fn new(lengths: [u8; 256]) -> Self {
        Self { lengths, codewords: OnceLock::new(), table: OnceLock::new() }
    }

    /// The best code for these counts; bytes without any get a codeword too, since the code may
    /// serve data that it was not trained on.
    pub(super) fn from_counts(counts: &[u32; 256]) -> Result<Self> {
        let lengths = optimal(&counts.map(|n| u64::from(n) + 1), LIMIT)?;
        Ok(Self::new(std::array::from_fn(|byte| lengths[byte])))
    }

    /// The code for masks whose bits are set with a probability of `density` / 64, each by itself:
    /// a byte with k bits set weighs density^k (64 - density)^(8 - k).
    pub(super) fn of_density(density: u8) -> Result<&'static Self> {
        static CODES: [OnceLock<MaskCode>; DENSITIES as usize] = [const { OnceLock::new() }; 64];
        let cell = &CODES[usize::from(density)];
        if let Some(code) = cell.get() {
            return Ok(code);
        }
        let density = u64::from(density);
        let weight = |byte: u32| {
            let set = byte.count_ones();
            density.pow(set) * (DENSITIES - density).pow(8 - set)
        };
        let weights: Vec<u64> = (0..256).map(weight).collect();
        let lengths = package_merge(&weights, LIMIT)?;
        let code = Self::new(std::array::from_fn(|byte| lengths[byte]));
        Ok(cell.get_or_init(|| code))
    }

    /// Bits, in 1/512, that a byte takes whose bits are set with a probability of `density` / 64.
    pub(super) fn expected_bits(&self, density: u64) -> u64 {
        let cost = |(byte, &length): (u32, &u8)| {
            let set = byte.count_ones();
            let weight = density.pow(set) * (DENSITIES - density).pow(8 - set);
            u128::from(weight) * u128::from(length)
        };
        let sum: u128 = (0u32..).zip(&self.lengths).map(cost).sum();
        // The weights sum to 64^8.
        (sum >> (48 - 9)) as u64
    }

    /// Bits that mask bytes with these counts take.
    pub(super) fn cost(&self, counts: &[u32; 256]) -> u64 {
        counts.iter().zip(&self.lengths).map(|(&n, &l)| u64::from(n) * u64::from(l)).sum()
    }

    /// What lanes are written with.
    pub(crate) fn codewords(&self) -> &Codewords {
        self.codewords.get_or_init(|| {
            let codewords = assign_codewords(&self.lengths);
            Box::new(Codewords::new(|byte| (codewords[byte], self.lengths[byte])))
        })
    }

    /// What lanes are read with.
    pub(crate) fn table(&self) -> &LaneTable {
        self.table.get_or_init(|| {
            // A canonical code's codewords ascend with their lengths, then with the bytes.
            let entries = |length: u8| 1 << (LIMIT - length);
            let mut ends = [0; LIMIT as usize + 1];
            self.lengths.iter().for_each(|&l| ends[usize::from(l)] += entries(l));
            (1..ends.len()).for_each(|length| ends[length] += ends[length - 1]);
            let mut table = Box::new([0; 1 << LANE_INDEX_BITS]);
            for (byte, &length) in (0..).zip(&self.lengths) {
                let next = &mut ends[usize::from(length) - 1];
                let entry = byte << 8 | u16::from(length);
                table[*next..*next + entries(length)].fill(entry);
                *next += entries(length);
            }
            table
        })
    }

    /// The code in which the lengths are written, and how many bits it and they take.
    fn length_code(&self) -> Result<(CodeTable, u64)> {
        let mut counts = [0; LIMIT as usize];
        self.lengths.iter().for_each(|&length| counts[usize::from(length) - 1] += 1);
        let code = CodeTable::from_counts(&counts, MAX_LENGTH_BITS as u8)?;
        let bits = u64::from(LENGTH_BITS) * u64::from(LIMIT) + code.cost(&counts);
        Ok((code, bits))
    }

    /// Bits that [`write`](Self::write) takes.
    pub(super) fn stored_bits(&self) -> Result<u64> {
        Ok(self.length_code()?.1)
    }

    /// Writes the lengths, at most 1825 bits: first those of their own code.
    pub(super) fn write(&self, writer: &mut BitWriter) -> Result<()> {
        let (code, _) = self.length_code()?;
        code.lengths().iter().for_each(|&l| writer.put(l.into(), LENGTH_BITS));
        for &length in &self.lengths {
            let symbol = usize::from(length) - 1;
            writer.put(code.codewords()[symbol].into(), code.lengths()[symbol].into());
        }
        Ok(())
    }

    pub(super) fn read(reader: &mut BitReader) -> Result<Self> {
        let mut of_code = [0; LIMIT as usize];
        for length in &mut of_code {
            *length = reader.read(LENGTH_BITS)? as u8;
        }
        let entries = entries(&complete(&of_code)?);
        let mut lengths = [0; 256];
        for length in &mut lengths {
            let (symbol, bits) = entries[reader.peek(MAX_LENGTH_BITS) as usize];
            if bits == 0 {
                return Err(Error::corrupt("codebook", "a code length has no codeword"));
            }
            reader.skip(bits.into())?;
            *length = 1 + symbol;
        }
        check_complete(&lengths)?;
        Ok(Self::new(lengths))
    }
}

/// What codeword of the code of lengths any [`MAX_LENGTH_BITS`] bits begin with: the symbol, and
/// the codeword's bits, 0 if there is none.
fn entries(code: &CodeTable) -> [(u8, u8); 1 << MAX_LENGTH_BITS] {
    let mut entries = [(0, 0); 1 << MAX_LENGTH_BITS];
    for ((symbol, &codeword), &length) in (0..).zip(code.codewords()).zip(code.lengths()) {
        if length > 0 {
            let below = MAX_LENGTH_BITS - u32::from(length);
            let first = usize::from(codeword) << below;
            entries[first..first + (1 << below)].fill((symbol, length));
        }
    }
    entries
}

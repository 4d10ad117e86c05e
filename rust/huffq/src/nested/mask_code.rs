//! Codes of mask bytes: 256 symbols, codewords of at most 11 bits.

use std::sync::OnceLock;

use super::bits::BitReader;
use super::shape::complete;
use crate::CodeTable;
use crate::bits::BitWriter;
use crate::error::{Error, Result};
use crate::kernels::{Codewords, LANE_INDEX_BITS, LaneTable};
use crate::lengths::package_merge;

/// The longest codeword: a decoding table has an entry for each string of that many bits.
pub(crate) const LIMIT: u8 = LANE_INDEX_BITS as u8;

/// Densities with a static code: i / 64 for i from 1 to 63.
pub(super) const DENSITIES: u64 = 64;

/// Bits of the lengths of the code of lengths, each.
const LENGTH_BITS: u32 = 3;

/// A complete code of all 256 mask bytes.
#[derive(Debug)]
pub(crate) struct MaskCode {
    lengths: [u8; 256],
    codewords: Codewords,
    table: OnceLock<Box<LaneTable>>,
}

impl MaskCode {
    /// The code with these lengths, which must be those of a complete code within [`LIMIT`].
    fn new(table: &CodeTable) -> Self {
        let lengths: [u8; 256] = std::array::from_fn(|byte| table.lengths()[byte]);
        let codewords = Codewords::new(|byte| (table.codewords()[byte], lengths[byte]));
        Self { lengths, codewords, table: OnceLock::new() }
    }

    /// The best code for these counts; bytes without any get a codeword too, since the code may
    /// serve data that it was not trained on.
    pub(super) fn from_counts(counts: &[u32; 256]) -> Result<Self> {
        Ok(Self::new(&CodeTable::from_counts(&counts.map(|n| u64::from(n) + 1), LIMIT)?))
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
        let code = Self::new(&CodeTable::from_lengths(&lengths)?);
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
        &self.codewords
    }

    /// What lanes are read with.
    pub(crate) fn table(&self) -> &LaneTable {
        self.table.get_or_init(|| {
            let mut table = Box::new([0; 1 << LANE_INDEX_BITS]);
            for byte in 0..=u8::MAX {
                let length = self.lengths[usize::from(byte)];
                let first = (self.codewords.wide(byte) >> (u64::BITS - LANE_INDEX_BITS)) as usize;
                let count = 1 << (LANE_INDEX_BITS - u32::from(length));
                table[first..first + count].fill(u16::from(byte) << 8 | u16::from(length));
            }
            table
        })
    }

    /// The code in which the lengths are written, and how many bits it and they take.
    fn length_code(&self) -> Result<(CodeTable, u64)> {
        let mut counts = [0; LIMIT as usize];
        self.lengths.iter().for_each(|&length| counts[usize::from(length) - 1] += 1);
        let code = CodeTable::from_counts(&counts, (1 << LENGTH_BITS) - 1)?;
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
        let code = complete(&of_code)?;
        let mut lengths = [0; 256];
        for length in &mut lengths {
            *length = 1 + read_symbol(&code, reader)?;
        }
        let table = complete(&lengths)?;
        Ok(Self::new(&table))
    }
}

/// The next symbol of a code; a few hundred of them are read, so a search does.
fn read_symbol(code: &CodeTable, reader: &mut BitReader) -> Result<u8> {
    for (symbol, (&length, &codeword)) in code.lengths().iter().zip(code.codewords()).enumerate() {
        let length = u32::from(length);
        if length > 0 && reader.peek(length) == u64::from(codeword) {
            reader.skip(length)?;
            return Ok(symbol as u8);
        }
    }
    Err(Error::corrupt("codebook", "a code length has no codeword"))
}

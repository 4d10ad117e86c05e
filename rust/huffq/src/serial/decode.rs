//! Codewords to symbols, several a look-up.

use crate::CodeTable;
use crate::bits::peek;
use crate::error::{Error, Result};
use crate::lengths::MAX_LENGTH;

/// Index bits of the largest table: 16 KiB, which leaves half of a small first-level cache free.
const MAX_INDEX_BITS: u32 = 11;
/// Symbols that one entry can hold: 7 bytes, below 8 bits of count and length.
const ENTRY_SYMBOLS: usize = 7;
/// Look-ups that one 64-bit window serves: 5 × 11 bits out of at least 57 valid ones.
const LOOKUPS: usize = 5;

/// Decodes exactly `out.len()` symbols from `bytes`, which must hold nothing else.
///
/// # Errors
/// [`Error::Truncated`] or [`Error::Corrupt`] if the bits are not codewords of `table`, run out, or
/// go on, or if the padding is not zero. `out` then holds unspecified symbols.
pub fn decode(bytes: &[u8], table: &CodeTable, out: &mut [u8]) -> Result<()> {
    let decoder = DecodeTable::new(table, out.len());
    let (position, written) = decoder.decode_bulk(bytes, out);
    let end = decoder.decode_rest(bytes, position, &mut out[written..])?;
    let expected = end.div_ceil(8);
    if expected > bytes.len() {
        return Err(Error::Truncated {
            what: "serial payload",
            needed: expected as u64,
            available: bytes.len() as u64,
        });
    }
    if expected < bytes.len() || (end % 8 != 0 && peek(bytes, end) != 0) {
        return Err(Error::corrupt("serial payload", "bits follow the last codeword"));
    }
    Ok(())
}

/// Symbols by the next bits of the stream.
struct DecodeTable {
    /// The whole codewords that an index begins with:
    ///
    /// ```text
    /// bit  63 … 8            7 … 4           3 … 0
    ///      up to 7 symbols   their number    bits they take
    /// ```
    ///
    /// The first symbol lies lowest. No symbol at all: the codeword is longer than the index, or
    /// there is none.
    entries: Vec<u64>,
    index_bits: u32,
    long: LongCodes,
}

impl DecodeTable {
    fn new(table: &CodeTable, n_symbols: usize) -> Self {
        // Few symbols do not pay for a large table, beyond one that holds every codeword.
        let longest = u32::from(table.max_length()).clamp(1, MAX_INDEX_BITS);
        let worthwhile = n_symbols.max(1).ilog2().saturating_sub(5);
        let index_bits = worthwhile.clamp(longest, MAX_INDEX_BITS);
        let singles = single_symbols(table, index_bits);
        let mask = (1 << index_bits) - 1;
        let entries = (0..1usize << index_bits)
            .map(|index| join(&singles, index, index_bits, mask))
            .collect();
        Self { entries, index_bits, long: LongCodes::new(table) }
    }

    /// Decodes while a whole window of input and room for whole entries are left; returns the bit
    /// position and the symbols written.
    fn decode_bulk(&self, bytes: &[u8], out: &mut [u8]) -> (usize, usize) {
        let (mut position, mut written) = (0, 0);
        let shift = 64 - self.index_bits;
        while position / 8 + 8 <= bytes.len() {
            let Some(room) = out[written..].first_chunk_mut::<{ 8 * LOOKUPS }>() else { break };
            let mut window = peek(bytes, position);
            let (mut used, mut count) = (0, 0);
            for _ in 0..LOOKUPS {
                let entry = self.entries[(window >> shift) as usize];
                // A look-up adds at most 7 symbols, so the fifth begins at 28 or before.
                room[count..count + 8].copy_from_slice(&(entry >> 8).to_le_bytes());
                count += (entry >> 4 & 0xf) as usize;
                let bits = entry & 0xf;
                window <<= bits;
                used += bits as usize;
            }
            if used == 0 {
                // A long codeword, or none: take it alone.
                let Some((symbol, length)) = self.long.find(peek(bytes, position)) else { break };
                room[0] = symbol;
                (count, used) = (1, length);
            }
            position += used;
            written += count;
        }
        (position, written)
    }

    /// Decodes one symbol at a time; returns the bit position behind the last.
    fn decode_rest(&self, bytes: &[u8], mut position: usize, out: &mut [u8]) -> Result<usize> {
        for symbol in out {
            let window = peek(bytes, position);
            let Some((found, length)) = self.long.find(window) else {
                let why = format!("no codeword begins at bit {position}");
                return Err(Error::corrupt("serial payload", why));
            };
            *symbol = found;
            position += length;
            if position > 8 * bytes.len() {
                return Err(Error::Truncated {
                    what: "serial payload",
                    needed: position.div_ceil(8) as u64,
                    available: bytes.len() as u64,
                });
            }
        }
        Ok(position)
    }
}

/// (symbol, length) for every index that begins with a whole codeword, else length 0.
fn single_symbols(table: &CodeTable, index_bits: u32) -> Vec<(u8, u8)> {
    let mut singles = vec![(0, 0); 1 << index_bits];
    for (symbol, (&codeword, &length)) in table.codewords().iter().zip(table.lengths()).enumerate()
    {
        if (1..=index_bits).contains(&u32::from(length)) {
            let spare = index_bits - u32::from(length);
            let first = usize::from(codeword) << spare;
            singles[first..first + (1 << spare)].fill((symbol as u8, length));
        }
    }
    singles
}

/// The entry for `index`: as many whole codewords as fit.
fn join(singles: &[(u8, u8)], index: usize, index_bits: u32, mask: usize) -> u64 {
    let (mut symbols, mut count, mut used) = (0u64, 0, 0);
    while count < ENTRY_SYMBOLS {
        let (symbol, length) = singles[index << used & mask];
        // The bits past the index are unknown, so a codeword must end within it.
        if length == 0 || used + u32::from(length) > index_bits {
            break;
        }
        symbols |= u64::from(symbol) << (8 * count);
        used += u32::from(length);
        count += 1;
    }
    symbols << 8 | (count as u64) << 4 | u64::from(used)
}

/// Canonical decoding of a codeword of any length, by the first codeword of each length.
struct LongCodes {
    /// For each length, the first left-aligned 15-bit value above its codewords.
    limits: [u32; MAX_LENGTH as usize + 1],
    /// For each length, the position in `symbols` of its first codeword, less that codeword.
    offsets: [i32; MAX_LENGTH as usize + 1],
    /// Used symbols in canonical order.
    symbols: Vec<u8>,
}

impl LongCodes {
    fn new(table: &CodeTable) -> Self {
        let mut limits = [0; MAX_LENGTH as usize + 1];
        let mut offsets = [0; MAX_LENGTH as usize + 1];
        let mut symbols = Vec::with_capacity(table.lengths().len());
        for length in 1..=MAX_LENGTH {
            limits[usize::from(length)] = limits[usize::from(length) - 1];
            for (symbol, &l) in table.lengths().iter().enumerate() {
                if l != length {
                    continue;
                }
                let codeword = u32::from(table.codewords()[symbol]);
                offsets[usize::from(length)] = symbols.len() as i32 - codeword as i32;
                limits[usize::from(length)] = (codeword + 1) << (MAX_LENGTH - length);
                symbols.push(symbol as u8);
            }
        }
        Self { limits, offsets, symbols }
    }

    /// The symbol whose codeword begins `window`, and its length.
    #[inline]
    fn find(&self, window: u64) -> Option<(u8, usize)> {
        let bits = (window >> (64 - u32::from(MAX_LENGTH))) as u32;
        let length = (1..self.limits.len()).find(|&l| bits < self.limits[l])?;
        let codeword = (bits >> (usize::from(MAX_LENGTH) - length)) as i32;
        let symbol = self.symbols[(self.offsets[length] + codeword) as usize];
        Some((symbol, length))
    }
}

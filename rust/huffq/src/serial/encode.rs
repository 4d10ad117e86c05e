//! Symbols to codewords.

use crate::bits::BitWriter;
use crate::error::{Error, Result};
use crate::{Backend, CodeTable, histogram};

/// Appends the codewords of `symbols` to `out`, the last byte padded with zeros, and returns their
/// number of bits.
///
/// # Errors
/// [`Error::NoCodeword`] names the first symbol that `table` has no codeword for; `out` is then
/// as it was.
pub fn encode(symbols: &[u8], table: &CodeTable, out: &mut Vec<u8>) -> Result<u64> {
    let counts = histogram::count(Backend::current()?, symbols);
    let lacks = |s: u8| table.lengths().get(usize::from(s)).is_none_or(|&l| l == 0);
    if (0..=255).any(|s| counts[usize::from(s)] > 0 && lacks(s)) {
        let first = symbols.iter().enumerate().find(|&(_, &s)| lacks(s));
        let (index, &symbol) = first.expect("a counted symbol occurs");
        return Err(Error::NoCodeword { symbol, index });
    }
    let bits = table.cost(&counts);
    let mut writer = BitWriter::new(out, bits);
    // As many codewords in one put as surely fit: four, or three of the longest kind.
    if 4 * u32::from(table.max_length()) <= BitWriter::MAX_PUT {
        put_groups::<4>(symbols, &codeword_by_byte(table), &mut writer);
    } else {
        put_groups::<3>(symbols, &codeword_by_byte(table), &mut writer);
    }
    writer.finish();
    Ok(bits)
}

#[inline(always)]
fn put_groups<const N: usize>(
    symbols: &[u8],
    codewords: &[(u16, u16); 256],
    writer: &mut BitWriter,
) {
    let mut put = |group: &[u8]| {
        let (mut joined, mut bits) = (0, 0);
        for &s in group {
            let (codeword, length) = codewords[usize::from(s)];
            joined = (joined << length) | u64::from(codeword);
            bits += u32::from(length);
        }
        writer.put(joined, bits);
    };
    let (groups, rest) = symbols.as_chunks::<N>();
    groups.iter().for_each(|group| put(group));
    if !rest.is_empty() {
        put(rest);
    }
}

/// (codeword, length) for every byte value, so that the loop needs no bounds check.
fn codeword_by_byte(table: &CodeTable) -> [(u16, u16); 256] {
    let mut all = [(0, 0); 256];
    let entries = table.codewords().iter().copied().zip(table.lengths().iter().map(|&l| l.into()));
    all.iter_mut().zip(entries).for_each(|(slot, entry)| *slot = entry);
    all
}

//! Symbols to codewords.

use crate::bits::BitWriter;
use crate::error::{Error, Result};
use crate::{CodeTable, histogram};

/// Appends the codewords of `symbols` to `out`, the last byte padded with zeros, and returns their
/// number of bits.
///
/// # Errors
/// [`Error::NoCodeword`] names the first symbol that `table` has no codeword for; `out` is then
/// as it was.
pub fn encode(symbols: &[u8], table: &CodeTable, out: &mut Vec<u8>) -> Result<u64> {
    let counts = histogram::count(symbols);
    let lacks = |s: u8| table.lengths().get(usize::from(s)).is_none_or(|&l| l == 0);
    if (0..=255).any(|s| counts[usize::from(s)] > 0 && lacks(s)) {
        let first = symbols.iter().enumerate().find(|&(_, &s)| lacks(s));
        let (index, &symbol) = first.expect("a counted symbol occurs");
        return Err(Error::NoCodeword { symbol, index });
    }
    let bits = table.cost(&counts);
    out.reserve(bits.div_ceil(8) as usize);
    write(symbols, &codeword_by_byte(table), out);
    Ok(bits)
}

fn write(symbols: &[u8], codewords: &[(u16, u16); 256], out: &mut Vec<u8>) {
    let mut writer = BitWriter::new(out);
    let mut pairs = symbols.chunks_exact(2);
    for pair in &mut pairs {
        // Two codewords have at most 30 bits: one shift and one test serve both.
        let (first, first_length) = codewords[usize::from(pair[0])];
        let (second, second_length) = codewords[usize::from(pair[1])];
        let joined = u32::from(first) << second_length | u32::from(second);
        writer.put(joined, u32::from(first_length + second_length));
    }
    for &s in pairs.remainder() {
        let (codeword, length) = codewords[usize::from(s)];
        writer.put(u32::from(codeword), u32::from(length));
    }
    writer.finish();
}

/// (codeword, length) for every byte value, so that the loop needs no bounds check.
fn codeword_by_byte(table: &CodeTable) -> [(u16, u16); 256] {
    let mut all = [(0, 0); 256];
    for (entry, (&codeword, &length)) in
        all.iter_mut().zip(table.codewords().iter().zip(table.lengths()))
    {
        *entry = (codeword, u16::from(length));
    }
    all
}

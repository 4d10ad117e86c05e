//! Symbols to codewords.

use crate::bits::BitWriter;
use crate::error::{Error, Result};
use crate::histogram::Counts;
use crate::kernels::serial::{PUT_TOGETHER, ShortAlphabet};
use crate::{Backend, CodeTable, histogram};

/// Symbols below which the table of pairs costs more than it saves.
const LEAST_FOR_PAIRS: usize = 512;

/// Appends the codewords of `symbols` to `out`, the last byte padded with zeros, and returns their
/// number of bits.
///
/// # Errors
/// [`Error::NoCodeword`] names the first symbol that `table` has no codeword for; `out` is then
/// as it was.
pub fn encode(symbols: &[u8], table: &CodeTable, out: &mut Vec<u8>) -> Result<u64> {
    let backend = Backend::current()?;
    let counts = histogram::count(backend, symbols);
    check_codewords(symbols, &counts, table)?;
    let bits = table.cost(&counts);
    let codewords = Codewords::new(backend, table, symbols.len());
    BitWriter::append(out, bits, |writer| codewords.put(symbols, writer));
    Ok(bits)
}

pub(super) fn check_codewords(symbols: &[u8], counts: &Counts, table: &CodeTable) -> Result<()> {
    let lacks = |s: u8| table.lengths().get(usize::from(s)).is_none_or(|&l| l == 0);
    if (0..=255).any(|s| counts[usize::from(s)] > 0 && lacks(s)) {
        let first = symbols.iter().enumerate().find(|&(_, &s)| lacks(s));
        let (index, &symbol) = first.expect("a counted symbol occurs");
        return Err(Error::NoCodeword { symbol, index });
    }
    Ok(())
}

/// A codeword, or several one after the other, in the low bits.
#[derive(Clone, Copy, Default)]
struct Bits {
    bits: u64,
    length: u32,
}

impl Bits {
    #[inline(always)]
    fn then(self, next: Self) -> Self {
        Self { bits: self.bits << next.length | next.bits, length: self.length + next.length }
    }
}

/// The codewords, ready to be joined.
pub(super) struct Codewords {
    backend: Backend,
    by_symbol: [Bits; 256],
    /// If only symbols below 16 have one, and there are many to encode.
    short: Option<Short>,
    longest: u32,
}

struct Short {
    alphabet: ShortAlphabet,
    /// By two symbols, the first in the low half: a look-up less for each symbol.
    by_pair: [Bits; 256],
}

impl Codewords {
    pub(super) fn new(backend: Backend, table: &CodeTable, symbols: usize) -> Self {
        let mut by_symbol = [Bits::default(); 256];
        for ((own, &bits), &length) in
            by_symbol.iter_mut().zip(table.codewords()).zip(table.lengths())
        {
            *own = Bits { bits: bits.into(), length: length.into() };
        }
        let is_short = table.lengths().iter().skip(16).all(|&length| length == 0);
        let short = (is_short && symbols >= LEAST_FOR_PAIRS).then(|| Short::new(&by_symbol));
        Self { backend, by_symbol, short, longest: table.max_length().into() }
    }

    /// Puts the codewords of `symbols`, as many at once as fit.
    #[inline(always)]
    pub(super) fn put(&self, symbols: &[u8], writer: &mut BitWriter) {
        let four_fit = 4 * self.longest <= BitWriter::MAX_PUT;
        let Some(short) = self.short.as_ref().filter(|_| four_fit) else {
            return if four_fit {
                self.put_symbols::<4>(symbols, writer)
            } else {
                self.put_symbols::<3>(symbols, writer)
            };
        };
        let (groups, rest) = symbols.as_chunks::<PUT_TOGETHER>();
        for group in groups {
            if !self.backend.put_codewords(&short.alphabet, group, writer) {
                put_pairs(&short.by_pair, group, writer);
            }
        }
        self.put_symbols::<4>(put_pairs(&short.by_pair, rest, writer), writer);
    }

    #[inline(always)]
    fn put_symbols<const N: usize>(&self, symbols: &[u8], writer: &mut BitWriter) {
        let of = |symbol: u8| self.by_symbol[usize::from(symbol)];
        let (groups, rest) = symbols.as_chunks::<N>();
        for group in groups {
            let all = group.iter().fold(Bits::default(), |all, &symbol| all.then(of(symbol)));
            writer.put(all.bits, all.length);
        }
        rest.iter().for_each(|&symbol| writer.put(of(symbol).bits, of(symbol).length));
    }
}

impl Short {
    fn new(by_symbol: &[Bits; 256]) -> Self {
        let mut alphabet = ShortAlphabet { codewords: [0; 32], lengths: [0; 32] };
        for (symbol, bits) in by_symbol[..16].iter().enumerate() {
            alphabet.codewords[symbol] = bits.bits as u16;
            alphabet.lengths[symbol] = bits.length as u16;
        }
        let by_pair = std::array::from_fn(|i| by_symbol[i % 16].then(by_symbol[i / 16]));
        Self { alphabet, by_pair }
    }
}

/// Puts eight symbols a turn; returns those that are left.
fn put_pairs<'a>(by_pair: &[Bits; 256], symbols: &'a [u8], writer: &mut BitWriter) -> &'a [u8] {
    let (groups, rest) = symbols.as_chunks::<8>();
    for group in groups {
        let word = u64::from_le_bytes(*group);
        // Every even byte: its symbol, and above it the next one.
        let pairs = word | word >> 4;
        let of = |i: u32| by_pair[(pairs >> (16 * i)) as usize & 255];
        let (first, second) = (of(0).then(of(1)), of(2).then(of(3)));
        if first.length + second.length <= BitWriter::MAX_PUT {
            let all = first.then(second);
            writer.put(all.bits, all.length);
        } else {
            writer.put(first.bits, first.length);
            writer.put(second.bits, second.length);
        }
    }
    rest
}

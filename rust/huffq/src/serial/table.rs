//! The tables that decode: several symbols a look-up, and codewords of any length.

use crate::CodeTable;
use crate::kernels::serial::{Entries, INDEX_BITS};
use crate::lengths::MAX_LENGTH;

/// Symbols that one entry can hold.
const ENTRY_SYMBOLS: u32 = 6;
/// The bits of an entry that its symbols take; number and length lie above and below.
const SYMBOLS: u64 = 0x00ff_ffff_ffff_ff00;

/// Entries for the next m bits of a stream, for every m up to [`INDEX_BITS`]: those for m bits are
/// numbers 2^m to 2^(m+1) − 1, so the largest table is the upper half.
pub(super) struct DecodeTable(Box<[u64; 2 << INDEX_BITS]>);

impl DecodeTable {
    /// Makes the entries of a code.
    ///
    /// Each round puts one codeword before what the round before made of the bits that follow:
    /// in canonical order, the entries that begin with a codeword of l bits are the whole table for
    /// m − l bits. That is about three vector operations an entry, and no look-up at all.
    pub fn fill(&mut self, codes: &CanonicalCodes) {
        let tables = self.0.as_mut_slice();
        tables.fill(0);
        let shortest = u32::from(codes.lengths.first().copied().unwrap_or(1));
        let rounds = (INDEX_BITS / shortest).min(ENTRY_SYMBOLS);
        for round in 1..rounds {
            // Later rounds put at least the shortest codeword before these entries.
            let most = INDEX_BITS - (rounds - round) * shortest;
            // From the largest table down, since each is made of smaller ones.
            (shortest..=most).rev().for_each(|m| prepend(tables, m, codes));
        }
        prepend(tables, INDEX_BITS, codes);
    }

    /// The entry for the first bits of `window`.
    pub fn entry(&self, window: u64) -> u64 {
        self.entries()[(window >> (u64::BITS - INDEX_BITS)) as usize]
    }

    pub fn entries(&self) -> &Entries {
        self.0.last_chunk().expect("the upper half")
    }
}

impl Default for DecodeTable {
    fn default() -> Self {
        Self(vec![0; 2 << INDEX_BITS].try_into().expect("the length of the type"))
    }
}

/// Makes the entries for `m` bits: each codeword, followed by the entries for the bits behind it.
fn prepend(tables: &mut [u64], m: u32, codes: &CanonicalCodes) {
    let (shorter, own) = tables.split_at_mut(1 << m);
    let mut own = &mut own[..1 << m];
    for (&symbol, &length) in codes.symbols.iter().zip(&codes.lengths) {
        if u32::from(length) > m {
            break;
        }
        let behind = &shorter[1 << (m - u32::from(length))..][..1 << (m - u32::from(length))];
        let (region, rest) = own.split_at_mut(behind.len());
        own = rest;
        let first = 1 << 61 | u64::from(symbol) << 8 | u64::from(length);
        for (entry, &tail) in region.iter_mut().zip(behind) {
            *entry = ((tail & SYMBOLS) << 8 | tail & !SYMBOLS) + first;
        }
    }
}

/// Canonical decoding of a codeword of any length, by the first codeword of each length.
pub(super) struct CanonicalCodes {
    /// For each length, the first left-aligned 15-bit value above its codewords.
    limits: [u32; MAX_LENGTH as usize + 1],
    /// For each length, the position in `symbols` of its first codeword, less that codeword.
    offsets: [i32; MAX_LENGTH as usize + 1],
    /// Used symbols in canonical order.
    symbols: Vec<u8>,
    /// Their codewords' lengths.
    lengths: Vec<u8>,
}

impl CanonicalCodes {
    pub fn new(table: &CodeTable) -> Self {
        let mut limits = [0; MAX_LENGTH as usize + 1];
        let mut offsets = [0; MAX_LENGTH as usize + 1];
        let mut order: Vec<(u8, u8)> =
            (0..=255).zip(table.lengths()).filter(|&(_, &l)| l > 0).map(|(s, &l)| (l, s)).collect();
        order.sort_unstable();
        for (i, &(length, symbol)) in order.iter().enumerate() {
            let codeword = table.codewords()[usize::from(symbol)];
            let length = usize::from(length);
            offsets[length] = i as i32 - i32::from(codeword);
            limits[length] = (u32::from(codeword) + 1) << (usize::from(MAX_LENGTH) - length);
        }
        for length in 1..limits.len() {
            limits[length] = limits[length].max(limits[length - 1]);
        }
        let (lengths, symbols) = order.into_iter().unzip();
        Self { limits, offsets, symbols, lengths }
    }

    /// The symbol whose codeword begins `window`, and its length.
    #[inline]
    pub fn find(&self, window: u64) -> Option<(u8, u32)> {
        let bits = (window >> (64 - u32::from(MAX_LENGTH))) as u32;
        let length = (1..self.limits.len()).find(|&l| bits < self.limits[l])?;
        let codeword = (bits >> (usize::from(MAX_LENGTH) - length)) as i32;
        let symbol = self.symbols[(self.offsets[length] + codeword) as usize];
        Some((symbol, length as u32))
    }
}

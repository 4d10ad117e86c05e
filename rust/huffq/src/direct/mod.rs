//! Small blocks under a codebook: each symbol as a codeword of its class, one after another.
//!
//! Nested masks need room: every stream is padded to a byte, every mask has a flag. A block of a
//! hundred symbols has no room; here it takes its codewords and nothing else. The classes are
//! those of a [`Codebook`], the order is C order, and every class has a canonical code of its own
//! in which each symbol of the alphabet has a codeword.

mod places;

use crate::bits::{self, BitWriter, peek};
use crate::channels::as_corrupt;
use crate::error::{Error, Result};
use crate::lengths::DEFAULT_MAX_LENGTH;
use crate::{Alphabet, CodeTable, Codebook, Geometry, serial};
use places::Places;

const WHAT: &str = "direct payload";

/// Bits that index a class's entries; no codeword is longer.
const INDEX_BITS: u32 = DEFAULT_MAX_LENGTH as u32;

/// The codes of a codebook's classes.
#[derive(Debug)]
pub struct DirectCodes {
    alphabet: Alphabet,
    places: Places,
    /// For each class, each symbol's length.
    lengths: Vec<u8>,
    /// For each class, each symbol's codeword.
    codewords: Vec<u16>,
    /// For each class, what codeword any [`INDEX_BITS`] begin with: the symbol, and below it its
    /// length in four bits.
    entries: Vec<[u16; 1 << INDEX_BITS]>,
}

impl DirectCodes {
    /// The best codes for `symbols`, whole samples, among those in which no symbol is missing.
    ///
    /// # Errors
    /// None that symbols of the alphabet can cause.
    pub fn train(
        codebook: &Codebook,
        symbols: &[u8],
        geometry: &Geometry,
        alphabet: Alphabet,
    ) -> Result<Self> {
        let contexts = codebook.contexts();
        let places = Places::new(&contexts, geometry, alphabet);
        let size = alphabet.size();
        let mut counts = vec![1; contexts.count * size];
        places.for_each(symbols.len(), |place, i| {
            counts[places.class(place, symbols, i) * size + usize::from(symbols[i])] += 1;
        });
        let table = |counts| CodeTable::from_counts(counts, DEFAULT_MAX_LENGTH);
        let tables = counts.chunks_exact(size).map(table).collect::<Result<Vec<_>>>()?;
        Ok(Self::new(alphabet, places, &tables))
    }

    /// Reads what [`serialise`](Self::serialise) wrote for a codebook of this geometry and
    /// alphabet.
    ///
    /// # Errors
    /// [`Error::Truncated`] or [`Error::Corrupt`] if `bytes` are not exactly that.
    pub fn parse(
        bytes: &[u8],
        codebook: &Codebook,
        geometry: &Geometry,
        alphabet: Alphabet,
    ) -> Result<Self> {
        let contexts = codebook.contexts();
        let mut lengths = vec![0; contexts.count * alphabet.size()];
        let needed = bits::packed_len(lengths.len(), 4);
        if bytes.len() != needed {
            let why = format!("its code lengths take {} bytes, not {needed}", bytes.len());
            return Err(Error::corrupt("codebook", why));
        }
        bits::unpack(bytes, 4, &mut lengths);
        if let Some(length) = lengths.iter().find(|l| !(1..=DEFAULT_MAX_LENGTH).contains(l)) {
            let why = format!("a code length is {length}; it must lie between 1 and 12");
            return Err(Error::corrupt("codebook", why));
        }
        let tables = lengths.chunks_exact(alphabet.size()).map(CodeTable::from_lengths);
        let tables = tables.collect::<Result<Vec<_>>>().map_err(as_corrupt)?;
        Ok(Self::new(alphabet, Places::new(&contexts, geometry, alphabet), &tables))
    }

    fn new(alphabet: Alphabet, places: Places, tables: &[CodeTable]) -> Self {
        let lengths = tables.iter().flat_map(CodeTable::lengths).copied().collect();
        let codewords = tables.iter().flat_map(CodeTable::codewords).copied().collect();
        let entries = tables.iter().map(entries).collect();
        Self { alphabet, places, lengths, codewords, entries }
    }

    /// Appends the code lengths: for each class 4 bits for each symbol.
    pub fn serialise(&self, out: &mut Vec<u8>) {
        bits::pack(&self.lengths, 4, out);
    }

    /// Appends the codewords of `symbols`, whole samples of the alphabet's.
    pub fn encode(&self, symbols: &[u8], out: &mut Vec<u8>) {
        let most = symbols.len() as u64 * u64::from(INDEX_BITS);
        BitWriter::append(out, most, |writer| {
            let (mut pending, mut length) = (0, 0);
            self.places.for_each(symbols.len(), |place, i| {
                let class = self.places.class(place, symbols, i);
                let code = class * self.alphabet.size() + usize::from(symbols[i]);
                pending = pending << self.lengths[code] | u64::from(self.codewords[code]);
                length += u32::from(self.lengths[code]);
                if length > BitWriter::MAX_PUT - INDEX_BITS {
                    writer.put(pending, length);
                    (pending, length) = (0, 0);
                }
            });
            if length > 0 {
                writer.put(pending, length);
            }
        });
    }

    /// Decodes whole samples into all of `out`; `payload` must hold nothing else.
    ///
    /// # Errors
    /// [`Error::Truncated`] or [`Error::Corrupt`] if `payload` is not theirs.
    pub fn decode(&self, payload: &[u8], out: &mut [u8]) -> Result<()> {
        let check_bits = |needed: usize| match needed.div_ceil(8) <= payload.len() {
            true => Ok(()),
            false => Err(Error::Truncated {
                what: WHAT,
                needed: needed.div_ceil(8) as u64,
                available: payload.len() as u64,
            }),
        };
        check_bits(out.len())?;
        let (mut position, mut window, mut left) = (0usize, 0u64, 0u32);
        self.places.for_each(out.len(), |place, i| {
            if left < INDEX_BITS {
                window = peek(payload, position);
                left = BitWriter::MAX_PUT;
            }
            let entries = &self.entries[self.places.class(place, out, i)];
            let entry = entries[(window >> (u64::BITS - INDEX_BITS)) as usize];
            let length = u32::from(entry & 15);
            out[i] = (entry >> 4) as u8;
            window <<= length;
            left -= length;
            position += length as usize;
        });
        check_bits(position)?;
        serial::check_end(payload, position)
    }
}

/// What codeword any [`INDEX_BITS`] begin with: codewords ascend with their lengths and symbols.
fn entries(table: &CodeTable) -> [u16; 1 << INDEX_BITS] {
    let mut entries = [0; 1 << INDEX_BITS];
    for ((symbol, &codeword), &length) in (0..).zip(table.codewords()).zip(table.lengths()) {
        let below = INDEX_BITS - u32::from(length);
        let first = usize::from(codeword) << below;
        entries[first..first + (1 << below)].fill(symbol << 4 | u16::from(length));
    }
    entries
}

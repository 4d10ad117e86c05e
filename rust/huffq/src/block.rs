//! One block: a run of symbols, to bytes and back, in the cheapest of three forms.
//!
//! ```text
//! byte 0   method
//! rest     constant   the symbol, one byte
//!          packed     every symbol in the alphabet's bits, most significant bit first
//!          serial     code lengths, 4 bits for each symbol of the alphabet (the even symbol's
//!                     high), then the codewords in serial layout
//! ```
//!
//! Number of symbols and alphabet are known from outside. The form is a pure function of both and
//! of the symbols. Checksums belong to the containers.

use crate::error::{Error, Result};
use crate::lengths::DEFAULT_MAX_LENGTH;
use crate::{Alphabet, CodeTable, bits, histogram, serial};

/// Symbols in a block of the default size.
pub const BLOCK_SYMBOLS: usize = 1 << 16;

/// Bytes of the shortest block.
pub(crate) const MIN_BLOCK_LEN: usize = 1;

const CONSTANT: u8 = 0;
const PACKED: u8 = 1;
const SERIAL: u8 = 2;

/// What a block held, for reports.
pub struct BlockStats {
    /// Occurrences of each symbol; index = code in the alphabet's low bits.
    pub counts: histogram::Counts,
}

/// Appends the block of `codes` to `out`.
///
/// # Errors
/// [`Error::CodeOutOfRange`] names a code outside the alphabet.
pub fn encode(codes: &[u8], alphabet: Alphabet, out: &mut Vec<u8>) -> Result<BlockStats> {
    let symbols = &*alphabet.symbols(codes)?;
    let counts = histogram::count(symbols);
    let used = &counts[..alphabet.size()];
    let packed_len = bits::packed_len(symbols.len(), alphabet.bits());
    if let Some(symbol) = used.iter().position(|&c| c == symbols.len() as u64) {
        out.push(CONSTANT);
        out.extend((!symbols.is_empty()).then_some(symbol as u8));
        return Ok(BlockStats { counts });
    }
    let table = CodeTable::from_counts(used, DEFAULT_MAX_LENGTH)?;
    let serial_len = alphabet.size() / 2 + table.cost(used).div_ceil(8) as usize;
    if serial_len < packed_len {
        out.push(SERIAL);
        bits::pack(table.lengths(), 4, out);
        serial::encode(symbols, &table, out)?;
    } else {
        out.push(PACKED);
        bits::pack(symbols, alphabet.bits(), out);
    }
    Ok(BlockStats { counts })
}

/// Decodes a block of exactly `out.len()` codes; `block` must hold nothing else.
///
/// # Errors
/// [`Error::Truncated`] or [`Error::Corrupt`] if `block` is not such a block.
pub fn decode(block: &[u8], alphabet: Alphabet, out: &mut [u8]) -> Result<()> {
    let (&method, body) = block.split_first().ok_or(truncated(1, 0))?;
    match method {
        CONSTANT => decode_constant(body, alphabet, out)?,
        PACKED => decode_packed(body, alphabet, out)?,
        SERIAL => decode_serial(body, alphabet, out)?,
        other => return Err(Error::corrupt("block", format!("method {other} is unknown"))),
    }
    alphabet.symbols_to_codes(out);
    Ok(())
}

fn decode_constant(body: &[u8], alphabet: Alphabet, out: &mut [u8]) -> Result<()> {
    match *body {
        [] if out.is_empty() => {}
        [symbol] if usize::from(symbol) < alphabet.size() => out.fill(symbol),
        _ => return Err(Error::corrupt("block", "its constant is not one symbol")),
    }
    Ok(())
}

fn decode_packed(body: &[u8], alphabet: Alphabet, out: &mut [u8]) -> Result<()> {
    let needed = bits::packed_len(out.len(), alphabet.bits());
    if body.len() < needed {
        return Err(truncated(needed, body.len()));
    }
    if body.len() > needed {
        return Err(Error::corrupt("block", "bytes follow the last symbol"));
    }
    bits::unpack(body, alphabet.bits(), out);
    Ok(())
}

fn decode_serial(body: &[u8], alphabet: Alphabet, out: &mut [u8]) -> Result<()> {
    let lengths_len = alphabet.size() / 2;
    let (packed_lengths, payload) =
        body.split_at_checked(lengths_len).ok_or(truncated(lengths_len, body.len()))?;
    let mut lengths = [0; 256];
    let lengths = &mut lengths[..alphabet.size()];
    bits::unpack(packed_lengths, 4, lengths);
    let table = CodeTable::from_lengths(lengths)
        .map_err(|error| Error::corrupt("block", error.to_string()))?;
    serial::decode(payload, &table, out)
}

fn truncated(needed: usize, available: usize) -> Error {
    Error::Truncated { what: "block", needed: needed as u64, available: available as u64 }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn encoded(codes: &[u8], alphabet: Alphabet) -> Vec<u8> {
        let mut out = Vec::new();
        encode(codes, alphabet, &mut out).unwrap();
        out
    }

    #[test]
    fn the_cheapest_method_is_taken() {
        let alphabet = Alphabet::new(4, false).unwrap();
        let uniform: Vec<u8> = (0..160).map(|i| i % 16).collect();
        let sparse: Vec<u8> = (0..160).map(|i| if i % 10 == 0 { 3 } else { 0 }).collect();
        assert_eq!(encoded(&[], alphabet), [CONSTANT]);
        assert_eq!(encoded(&[7; 1000], alphabet), [CONSTANT, 7]);
        assert_eq!(encoded(&uniform, alphabet)[0], PACKED);
        assert_eq!(encoded(&sparse, alphabet)[0], SERIAL);
        assert_eq!(encoded(&sparse, alphabet).len(), 1 + 8 + 20);
    }

    #[test]
    fn every_bit_flip_and_truncation_is_an_error_or_valid_symbols() {
        for (bits, signed) in [(1, false), (4, false), (4, true), (8, true)] {
            let alphabet = Alphabet::new(bits, signed).unwrap();
            let (low, high) = alphabet.range();
            let codes: Vec<u8> = (0..2000i32)
                .map(|i| (i % 7 * i % 5 / 3).clamp(low.into(), high.into()) as u8)
                .collect();
            let block = encoded(&codes, alphabet);
            let mut out = vec![0; codes.len()];
            for bit in 0..8 * block.len() {
                let mut flipped = block.clone();
                flipped[bit / 8] ^= 1 << (bit % 8);
                if decode(&flipped, alphabet, &mut out).is_ok() {
                    alphabet.symbols(&out).expect("codes within the alphabet");
                }
            }
            for len in 0..block.len() {
                decode(&block[..len], alphabet, &mut out).expect_err("a truncated block");
            }
        }
    }

    proptest! {
        #[test]
        fn round_trips_and_never_exceeds_packed(
            bits in 1u8..=8,
            signed: bool,
            mask: u8,
            bytes in prop::collection::vec(any::<u8>(), 0..3000),
        ) {
            let alphabet = Alphabet::new(bits, signed).unwrap();
            let mut codes: Vec<u8> =
                bytes.iter().map(|b| b & mask & (alphabet.size() - 1) as u8).collect();
            alphabet.symbols_to_codes(&mut codes);
            let block = encoded(&codes, alphabet);
            prop_assert!(block.len() <= 2.max(1 + bits::packed_len(codes.len(), bits)));
            let mut back = vec![0x55; codes.len()];
            decode(&block, alphabet, &mut back).unwrap();
            prop_assert_eq!(back, codes);
        }
    }
}

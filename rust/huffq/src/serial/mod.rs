//! Layout 1: codewords one after another, most significant bit first, padded to a byte with zeros.
//!
//! ```text
//! bits   101 0 0 0 111 …          codewords in symbol order of the input
//! bytes  10100011 1…              the first bit is the highest of the first byte
//! ```
//!
//! The bytes are the words that a hardware decoder reads.

mod decode;
mod encode;

pub use decode::decode;
pub use encode::encode;

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::{Backend, CodeTable, Error, histogram};

    fn round_trip(symbols: &[u8], max_length: u8) {
        let counts = histogram::count(Backend::current().unwrap(), symbols);
        let table = CodeTable::from_counts(&counts, max_length).unwrap();
        let mut bytes = Vec::new();
        let bits = encode(symbols, &table, &mut bytes).unwrap();
        assert_eq!(bits, table.cost(&counts));
        assert_eq!(bytes.len() as u64, bits.div_ceil(8));
        let mut back = vec![0xaa; symbols.len()];
        decode(&bytes, &table, &mut back).unwrap();
        assert_eq!(back, symbols);
    }

    #[test]
    fn exact_bits() {
        let table = CodeTable::from_lengths(&[1, 2, 3, 3]).unwrap();
        let mut bytes = Vec::new();
        assert_eq!(encode(&[0, 1, 3, 2, 0, 0], &table, &mut bytes).unwrap(), 11);
        assert_eq!(bytes, [0b0101_1111, 0b0000_0000]);
    }

    #[test]
    fn every_length_to_300_and_codewords_to_15_bits() {
        // Doubling counts force the longest codewords.
        let skewed: Vec<u8> = (0..16u32).flat_map(|s| vec![s as u8; 1 << (s / 2)]).collect();
        for n in 0..=300 {
            let symbols: Vec<u8> = (0..n).map(|i| skewed[i * 7919 % skewed.len()]).collect();
            round_trip(&symbols, 15);
        }
        let fibonacci = [1, 1, 2, 3, 5, 8, 13, 21, 34, 55, 89, 144, 233, 377, 610, 987, 1597];
        let deep: Vec<u8> = (0..17).flat_map(|s| vec![s as u8; fibonacci[s]]).collect();
        round_trip(&deep, 15);
        round_trip(&deep, 12);
    }

    #[test]
    fn symbols_without_a_codeword_are_named() {
        let table = CodeTable::from_lengths(&[1, 1, 0]).unwrap();
        for symbol in [2, 200] {
            let mut symbols = vec![0; 9];
            symbols[6] = symbol;
            let mut out = vec![9];
            let error = encode(&symbols, &table, &mut out).unwrap_err();
            assert!(matches!(error, Error::NoCodeword { symbol: s, index: 6 } if s == symbol));
            assert_eq!(out, [9], "nothing is left behind");
        }
    }

    #[test]
    fn inputs_of_the_wrong_length_or_padding_are_refused() {
        let table = CodeTable::from_lengths(&[1, 2, 2]).unwrap();
        let mut out = [0; 3];
        decode(&[0b0101_1000], &table, &mut out).unwrap();
        assert_eq!(out, [0, 1, 2]);
        assert!(decode(&[0b0101_1001], &table, &mut out).is_err(), "padding");
        assert!(decode(&[0b0101_1000, 0], &table, &mut out).is_err(), "a byte too many");
        assert!(decode(&[], &table, &mut out).is_err(), "a byte too few");
        assert!(decode(&[0b1111_1111], &table, &mut [0; 5]).is_err(), "bits run out");
        let lone = CodeTable::from_lengths(&[0, 1]).unwrap();
        assert!(decode(&[0b0010_0000], &lone, &mut [0; 8]).is_err(), "not a codeword");
        let empty = CodeTable::from_lengths(&[0, 0]).unwrap();
        assert!(decode(&[0], &empty, &mut [0; 1]).is_err(), "no codewords at all");
        decode(&[], &empty, &mut []).unwrap();
    }

    proptest! {
        #[test]
        fn round_trips(
            alphabet in 2usize..=256,
            skew in 0.2f64..6.0,
            seeds in prop::collection::vec(0.0f64..1.0, 0..20_000),
            max_length in 8u8..=15,
        ) {
            let symbol = |x: &f64| (x.powf(skew) * alphabet as f64) as u8;
            let symbols: Vec<u8> = seeds.iter().map(symbol).collect();
            round_trip(&symbols, max_length);
        }

        #[test]
        fn any_bytes_decode_or_fail(
            bytes in prop::collection::vec(any::<u8>(), 0..200),
            counts in prop::collection::vec(0u64..50, 2..64),
            n in 0usize..700,
        ) {
            let table = CodeTable::from_counts(&counts, 12).unwrap();
            let mut out = vec![0; n];
            if decode(&bytes, &table, &mut out).is_ok() {
                let mut again = Vec::new();
                encode(&out, &table, &mut again).unwrap();
                prop_assert_eq!(again, bytes);
            }
        }
    }
}

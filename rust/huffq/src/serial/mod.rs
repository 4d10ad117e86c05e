//! Layout 1: codewords one after another, most significant bit first, padded to a byte with zeros.
//!
//! ```text
//! bits   101 0 0 0 111 …          codewords in symbol order of the input
//! bytes  10100011 1…              the first bit is the highest of the first byte
//! ```
//!
//! The bytes are the words that a hardware decoder reads. A block of many symbols has many such
//! bitstreams side by side instead, which a processor decodes at once.

mod decode;
mod encode;
mod payload;
mod table;

pub(crate) use decode::check_end;
pub use decode::{Scratch, decode};
pub use encode::encode;
pub use payload::{decode_payload, encode_payload, max_payload_len};

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
        let mut first: Option<Vec<u8>> = None;
        for backend in Backend::available() {
            let mut payload = Vec::new();
            encode_payload(backend, symbols, &counts, &table, &mut payload).unwrap();
            if payload[0] == 1 {
                assert_eq!(payload[1..], bytes, "{backend:?}: the bitstream is the plain one");
            }
            assert!(payload.len() <= max_payload_len(symbols.len(), bits));
            assert_eq!(*first.get_or_insert_with(|| payload.clone()), payload, "{backend:?}");
            back.fill(0xaa);
            decode_payload(backend, &payload, &table, &mut Scratch::default(), &mut back).unwrap();
            assert_eq!(back, symbols, "{backend:?}");
        }
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
    fn codewords_put_together_may_be_of_any_length() {
        let lengths: Vec<u8> = (1..=11).chain([12; 2]).collect();
        let table = CodeTable::from_lengths(&lengths).unwrap();
        // Eight neighbours take from 8 to 96 bits.
        let symbols: Vec<u8> = (0..16_000).map(|i| (i % 13).min(i / 700 % 13) as u8).collect();
        let counts = histogram::count(Backend::current().unwrap(), &symbols);
        let mut plain = Vec::new();
        let mut pending = String::new();
        for &symbol in &symbols {
            let (codeword, length) = (table.codewords()[symbol as usize], lengths[symbol as usize]);
            pending += &format!("{codeword:0width$b}", width = length.into());
            while pending.len() >= 8 {
                plain.push(u8::from_str_radix(&pending[..8], 2).unwrap());
                pending.drain(..8);
            }
        }
        for backend in Backend::available() {
            let mut payload = Vec::new();
            encode_payload(backend, &symbols, &counts, &table, &mut payload).unwrap();
            assert_eq!(payload[1..][..plain.len()], plain, "{backend:?}");
        }
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

    /// Many symbols and their payload, of 64 streams.
    fn striped(backend: Backend) -> (Vec<u8>, CodeTable, Vec<u8>) {
        let symbols: Vec<u8> =
            (0..20_000u32).map(|i| (i * i / 7 % 11 * (i % 3) / 2) as u8).collect();
        let counts = histogram::count(backend, &symbols);
        let table = CodeTable::from_counts(&counts, 12).unwrap();
        let mut payload = Vec::new();
        encode_payload(backend, &symbols, &counts, &table, &mut payload).unwrap();
        assert_eq!(payload[0], 64);
        (symbols, table, payload)
    }

    #[test]
    fn words_of_many_streams_lie_in_the_order_of_need() {
        let backend = Backend::current().unwrap();
        let (symbols, table, payload) = striped(backend);
        let codeword = |symbol: &u8| {
            let symbol = usize::from(*symbol);
            let (codeword, length) = (table.codewords()[symbol], table.lengths()[symbol]);
            format!("{codeword:0width$b}", width = length.into())
        };
        let mut expected = Vec::new();
        let word = |text: &str| u16::from_str_radix(text, 2).unwrap().to_le_bytes();
        let groups = [0, 1].map(|group| {
            // Every stream as text, and how much of it a decoder has used and taken.
            let symbols: Vec<u8> = symbols.iter().copied().skip(group).step_by(2).collect();
            let stream =
                |i: usize| symbols.iter().skip(i).step_by(32).map(codeword).collect::<String>();
            let streams: Vec<String> = (0..32).map(|i| stream(i) + &"0".repeat(32)).collect();
            let mut words: Vec<_> = streams.iter().map(|stream| word(&stream[..16])).collect();
            let (mut used, mut taken) = ([0; 32], [16; 32]);
            for (i, &symbol) in symbols.iter().enumerate() {
                let (used, taken) = (&mut used[i % 32], &mut taken[i % 32]);
                *used += usize::from(table.lengths()[usize::from(symbol)]);
                if *taken - *used < 16 {
                    words.push(word(&streams[i % 32][*taken..*taken + 16]));
                    *taken += 16;
                }
            }
            words
        });
        expected.extend((groups[0].len() as u32).to_le_bytes());
        groups.iter().for_each(|words| expected.extend_from_slice(words.as_flattened()));
        assert_eq!(payload[1..], expected);
    }

    #[test]
    fn damaged_words_of_many_streams_are_refused_or_leave_other_symbols() {
        for backend in Backend::available() {
            let (symbols, table, mut payload) = striped(backend);
            let (mut out, mut scratch) = (vec![0; symbols.len()], Scratch::default());
            let mut decode = |payload: &[u8]| {
                decode_payload(backend, payload, &table, &mut scratch, &mut out)
                    .map(|()| out.clone())
            };
            for bit in (0..8 * payload.len()).step_by(37) {
                payload[bit / 8] ^= 1 << (bit % 8);
                assert!(decode(&payload).map_or(true, |out| out != symbols), "bit {bit}");
                payload[bit / 8] ^= 1 << (bit % 8);
            }
            for len in (0..payload.len()).rev().take(300).chain([0, 1, 2, 128, 129]) {
                decode(&payload[..len]).expect_err("a truncated payload");
            }
            payload.push(0);
            decode(&payload).expect_err("a byte too many");
            payload.push(0);
            decode(&payload).expect_err("a word too many");
        }
    }

    #[test]
    fn bits_of_many_streams_that_begin_no_codeword_are_refused() {
        let payload = |words: u8, first: u8| {
            let mut payload = vec![64, 32 * words, 0, 0, 0, 0, first];
            payload.resize(5 + 128 * usize::from(words), 0);
            payload
        };
        let empty = CodeTable::from_lengths(&[0; 4]).unwrap();
        let lone = CodeTable::from_lengths(&[0, 1]).unwrap();
        for backend in Backend::available() {
            let decode = |payload: &[u8], table, n| {
                let mut out = vec![0xaa; n];
                decode_payload(backend, payload, table, &mut Scratch::default(), &mut out)
                    .map(|()| out)
            };
            for n in [1, 64, 1000] {
                decode(&payload(1, 0), &empty, n).expect_err("a code without codewords");
            }
            assert_eq!(decode(&payload(2, 0), &lone, 64).unwrap(), [1; 64], "{backend:?}");
            decode(&payload(2, 0x80), &lone, 64).expect_err("not the code's only codeword");
        }
    }

    #[test]
    fn codewords_too_long_for_the_table_may_be_cut_off_anywhere() {
        let lengths: Vec<u8> = (1..=15).chain([15]).collect();
        let table = CodeTable::from_lengths(&lengths).unwrap();
        let symbols: Vec<u8> = (0..2000).map(|i| 15 - (i % 6) as u8).collect();
        let mut bytes = Vec::new();
        encode(&symbols, &table, &mut bytes).unwrap();
        let mut out = vec![0; symbols.len()];
        decode(&bytes, &table, &mut out).unwrap();
        assert_eq!(out, symbols);
        for len in (0..bytes.len()).rev().take(100) {
            decode(&bytes[..len], &table, &mut out).expect_err("a truncated stream");
        }
    }

    proptest! {
        #[test]
        fn round_trips(
            alphabet in 2usize..=256,
            skew in 0.2f64..6.0,
            seeds in prop::collection::vec(0.0f64..1.0, 0..30_000),
            max_length in 8u8..=15,
        ) {
            let symbol = |x: &f64| (x.powf(skew) * alphabet as f64) as u8;
            let symbols: Vec<u8> = seeds.iter().map(symbol).collect();
            round_trip(&symbols, max_length);
        }

        #[test]
        fn any_bytes_decode_or_fail(
            bytes in prop::collection::vec(any::<u8>(), 0..2000),
            counts in prop::collection::vec(0u64..50, 2..64),
            n in 0usize..3000,
        ) {
            let table = CodeTable::from_counts(&counts, 12).unwrap();
            let mut out = vec![0; n];
            let backend = Backend::current().unwrap();
            let _ = decode_payload(backend, &bytes, &table, &mut Scratch::default(), &mut out);
            if decode(&bytes, &table, &mut out).is_ok() {
                let mut again = Vec::new();
                encode(&out, &table, &mut again).unwrap();
                prop_assert_eq!(again, bytes);
            }
        }
    }
}

//! Arrays under a shared codebook: they come back, and no bytes do harm.

mod common;

use std::num::NonZero;

use common::Random;
use huffq::array::{self, Blob, SharedCodebook};
use huffq::{Alphabet, Axes, Error, Level, Threads};
use proptest::prelude::*;

const ONE: Threads = NonZero::new(1);
const LEVELS: [Level; 2] = [Level::Dense, Level::Max];
const SHAPES: [&[usize]; 9] =
    [&[], &[1], &[128], &[7, 3], &[2, 4, 8], &[3, 5, 6], &[2, 1, 3, 9], &[1, 1, 1], &[40, 30]];

/// Codes of which small ones are frequent and resemble those before.
fn codes(n: usize, alphabet: Alphabet, random: &mut Random) -> Vec<u8> {
    let size = alphabet.size() as u64;
    let mut last = 0;
    let mut next = || {
        let fresh = random.below(size).min(random.below(size)).min(random.below(size));
        last = if random.below(3) == 0 { last } else { fresh };
        last as u8
    };
    let mut codes: Vec<u8> = (0..n).map(|_| next()).collect();
    alphabet.symbols_to_codes(&mut codes);
    codes
}

fn book(level: Level, shape: &[usize], alphabet: Alphabet, samples: usize) -> SharedCodebook {
    let n = samples * shape.iter().product::<usize>();
    let codes = codes(n, alphabet, &mut Random(7));
    SharedCodebook::train(&codes, shape, alphabet, level, Axes::of_shape(shape)).unwrap()
}

fn decoded(book: &SharedCodebook, blob: &[u8], threads: Threads) -> huffq::Result<Vec<u8>> {
    let blob = book.open(blob)?;
    let mut out = vec![0xaa; blob.shape().iter().product()];
    blob.decode(&mut out, threads)?;
    Ok(out)
}

/// A codebook's bytes with the checksum that belongs to them.
fn sealed(mut bytes: Vec<u8>) -> Vec<u8> {
    let body = bytes.len() - 4;
    let crc = crc_fast::crc32_iscsi(&bytes[..body]);
    bytes[body..].copy_from_slice(&crc.to_le_bytes());
    bytes
}

/// An array's bytes with the checksum that belongs to them under a codebook.
fn sealed_under(book: &SharedCodebook, bytes: &[u8]) -> Vec<u8> {
    let mut bytes = sealed(bytes.to_vec());
    let number = book.bytes().last_chunk::<4>().unwrap();
    bytes.iter_mut().rev().zip(number.iter().rev()).for_each(|(byte, number)| *byte ^= number);
    bytes
}

fn flipped(bytes: &[u8], bit: usize) -> Vec<u8> {
    let mut bytes = bytes.to_vec();
    bytes[bit / 8] ^= 1 << (bit % 8);
    bytes
}

proptest! {
    #[test]
    fn arrays_round_trip(
        bits in 1u8..=8,
        signed: bool,
        level in 0usize..2,
        shape in 0..SHAPES.len(),
        trained in 1usize..60,
        samples in prop::option::of(0usize..30),
        seed in 0u64..1000,
    ) {
        let (shape, alphabet) = (SHAPES[shape], Alphabet::new(bits, signed).unwrap());
        let book = book(LEVELS[level], shape, alphabet, trained);
        let n = samples.unwrap_or(1) * shape.iter().product::<usize>();
        let codes = codes(n, alphabet, &mut Random(seed));
        let blob = book.encode(&codes, samples, ONE).unwrap();
        prop_assert!(blob.len() <= 14 + (n * usize::from(bits)).div_ceil(8));
        let read = SharedCodebook::parse(book.bytes()).unwrap();
        prop_assert_eq!(read.bytes(), book.bytes());
        prop_assert_eq!(&read.encode(&codes, samples, ONE).unwrap(), &blob);
        let expected: Vec<usize> = samples.iter().chain(shape).copied().collect();
        prop_assert_eq!(read.open(&blob).unwrap().shape(), expected);
        prop_assert_eq!(decoded(&read, &blob, ONE).unwrap(), codes);
    }

    #[test]
    fn any_bytes_with_a_right_checksum_decode_or_fail(
        bytes in prop::collection::vec(any::<u8>(), 1..60),
        level in 0usize..2,
        shape in 0..SHAPES.len(),
    ) {
        let alphabet = Alphabet::new(4, false).unwrap();
        let book = book(LEVELS[level], SHAPES[shape], alphabet, 9);
        let head = book.encode(&[], Some(0), ONE).unwrap();
        let blob = sealed_under(&book, &[&head[..5], &bytes, &[0; 4]].concat());
        if let Ok(opened) = book.open(&blob) {
            let len: usize = opened.shape().iter().product();
            if len <= 1 << 20 {
                let mut out = vec![0; len];
                if opened.decode(&mut out, ONE).is_ok() {
                    alphabet.check(&out).unwrap();
                }
            }
        }
    }
}

#[test]
fn axes_may_be_any() {
    let alphabet = Alphabet::new(4, true).unwrap();
    let shape = [3, 4, 5];
    for level in LEVELS {
        for channel in [None, Some(0), Some(2)] {
            for neighbours in [[None; 2], [Some(1), None], [Some(1), Some(2)], [Some(2), Some(1)]] {
                if channel.is_some() && neighbours.contains(&channel) {
                    continue;
                }
                let axes = Axes { channel, neighbours };
                let codes = codes(60 * 25, alphabet, &mut Random(3));
                let book = SharedCodebook::train(&codes, &shape, alphabet, level, axes).unwrap();
                let blob = book.encode(&codes[..120], Some(2), ONE).unwrap();
                let read = SharedCodebook::parse(book.bytes()).unwrap();
                assert_eq!(read.axes(), axes);
                assert_eq!(decoded(&read, &blob, ONE).unwrap(), &codes[..120]);
            }
        }
    }
}

#[test]
fn arrays_of_several_blocks_are_the_same_for_any_threads() {
    let alphabet = Alphabet::new(4, false).unwrap();
    for level in LEVELS {
        let book = book(level, &[6, 50], alphabet, 200);
        let most = level.block_symbols() / 300;
        for samples in [most, most + 1, 2 * most + 1] {
            let codes = codes(300 * samples, alphabet, &mut Random(5));
            let blob = book.encode(&codes, Some(samples), ONE).unwrap();
            assert_eq!(blob, book.encode(&codes, Some(samples), NonZero::new(3)).unwrap());
            assert!(decoded(&book, &blob, NonZero::new(2)).unwrap() == codes);
            let mut wrong = codes;
            let last = wrong.len() - 2;
            wrong[last] = 16;
            let error = book.encode(&wrong, Some(samples), ONE).unwrap_err();
            assert!(
                matches!(error, Error::CodeOutOfRange { value: 16, index, .. } if index == last)
            );
        }
    }
}

#[test]
fn every_bit_flip_and_truncation_is_an_error() {
    let alphabet = Alphabet::new(4, true).unwrap();
    for level in LEVELS {
        let book = book(level, &[2, 4, 8], alphabet, 20);
        for samples in [0, 1, 3, 40] {
            let codes = codes(64 * samples, alphabet, &mut Random(9));
            let blob = book.encode(&codes, Some(samples), ONE).unwrap();
            for bit in 0..8 * blob.len() {
                decoded(&book, &flipped(&blob, bit), ONE).expect_err("a flipped bit");
            }
            for len in 0..blob.len() {
                decoded(&book, &blob[..len], ONE).expect_err("a truncated array");
            }
        }
        let bytes = book.bytes();
        for bit in 0..8 * bytes.len() {
            SharedCodebook::parse(&flipped(bytes, bit)).expect_err("a flipped bit");
        }
        for len in 0..bytes.len() {
            SharedCodebook::parse(&bytes[..len]).expect_err("a truncated codebook");
        }
    }
}

#[test]
fn bit_flips_behind_a_right_checksum_are_errors_or_codes() {
    let alphabet = Alphabet::new(4, true).unwrap();
    for level in LEVELS {
        let book = book(level, &[2, 4, 8], alphabet, 20);
        let codes = codes(64 * 40, alphabet, &mut Random(9));
        for samples in [1, 3, 40] {
            let blob = book.encode(&codes[..64 * samples], Some(samples), ONE).unwrap();
            for bit in 0..8 * (blob.len() - 4) {
                if let Ok(out) = decoded(&book, &sealed_under(&book, &flipped(&blob, bit)), ONE) {
                    alphabet.check(&out).unwrap();
                }
            }
        }
        let bytes = book.bytes();
        for bit in 0..8 * (bytes.len() - 4) {
            let Ok(other) = SharedCodebook::parse(&sealed(flipped(bytes, bit))) else { continue };
            let n = other.sample_shape().iter().product();
            let zeros = vec![0; n];
            let blob = other.encode(&zeros, None, ONE).unwrap();
            assert_eq!(decoded(&other, &blob, ONE).unwrap(), zeros);
            book.open(&blob).expect_err("another codebook's array");
        }
    }
}

#[test]
fn an_array_and_another_codebook_are_refused() {
    let alphabet = Alphabet::new(4, false).unwrap();
    let (dense, max) = (book(LEVELS[0], &[9], alphabet, 9), book(LEVELS[1], &[9], alphabet, 9));
    let shared = dense.encode(&[3; 9], None, ONE).unwrap();
    let axes = Axes::of_shape(&[]);
    let alone = array::encode(&[3; 9], &[9], alphabet, Level::Dense, axes, ONE).unwrap().to_bytes();
    for error in [
        max.open(&shared).unwrap_err(),
        dense.open(&alone).unwrap_err(),
        Blob::parse(&shared).unwrap_err(),
    ] {
        assert!(matches!(error, Error::WrongCodebook { .. }), "{error}");
    }
    assert!(matches!(SharedCodebook::parse(&shared).unwrap_err(), Error::Corrupt { .. }));
}

#[test]
fn claims_beyond_the_bytes_at_hand_are_refused_before_allocation() {
    let alphabet = Alphabet::new(4, false).unwrap();
    let book = book(Level::Dense, &[2, 3], alphabet, 9);
    let head = book.encode(&[], Some(0), ONE).unwrap();
    for samples in [[0xff, 0xff, 0xff, 0xff, 0x0f].as_slice(), &[0xff; 9]] {
        let blob = sealed_under(&book, &[&head[..5], samples, &[1], &[0; 40]].concat());
        assert!(book.open(&blob).is_err());
    }
    // Samples of 2^40 and of 2^62 symbols, of no symbol, of more channels than memory can hold.
    for shape in [
        &[1, 0x80, 0x80, 0x80, 0x80, 0x80, 0x40][..],
        &[2, 0x80, 0x80, 0x80, 0x80, 0x40, 0x80, 0x80, 0x80, 0x80, 0x40],
        &[1, 0],
        &[2, 0x80, 0x80, 0x80, 0x80, 0x80, 0x40, 0],
    ] {
        let bytes = sealed([b"HQC\x01\x14", shape, &[1, 0, 0, 40], &[0; 48]].concat());
        let error = SharedCodebook::parse(&bytes).unwrap_err();
        assert!(matches!(error, Error::Corrupt { .. }), "{error}");
    }
}

#[test]
fn wrong_arguments_are_refused() {
    let alphabet = Alphabet::new(4, false).unwrap();
    let train = |codes: &[u8], shape: &[usize], level| {
        SharedCodebook::train(codes, shape, alphabet, level, Axes::of_shape(shape)).unwrap_err()
    };
    for error in [
        train(&[1, 2], &[2], Level::Fast),
        train(&[], &[2], Level::Dense),
        train(&[1, 2, 3], &[2], Level::Dense),
        train(&[], &[0], Level::Max),
        train(&[0; 70_000], &[70_000], Level::Dense),
        train(&[1], &[1; 32], Level::Dense),
    ] {
        assert!(matches!(error, Error::InvalidArgument { .. }), "{error}");
    }
    let book = book(Level::Dense, &[2], alphabet, 9);
    assert!(book.encode(&[1, 2, 3], Some(1), ONE).is_err());
    assert!(book.encode(&[1, 2, 3, 4], None, ONE).is_err());
    let blob = book.encode(&[1, 2], None, ONE).unwrap();
    assert!(book.open(&blob).unwrap().decode(&mut [0; 4], ONE).is_err());
}

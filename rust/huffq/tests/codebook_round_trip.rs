//! Blocks of every shape, alphabet and backend come back, and all backends write the same bytes.

mod common;

use common::Random;
use huffq::codebook::Scratch;
use huffq::{Alphabet, Axes, Backend, Codebook, Error, Geometry, Level};
use proptest::prelude::*;

/// Smooth noise: neighbours in memory are alike, small symbols frequent.
fn smooth(n: usize, size: u64, random: &mut Random) -> Vec<u8> {
    let mut last = 0;
    let mut next = || {
        let fresh = random.below(size).min(random.below(size));
        last = if random.below(3) == 0 { fresh } else { (last + random.below(2)) % size };
        last as u8
    };
    (0..n).map(|_| next()).collect()
}

const LEVELS: [Level; 2] = [Level::Dense, Level::Max];

/// At every level that has codebooks, a codebook and a block, which all backends must agree on.
fn check(shape: &[usize], axes: Axes, alphabet: Alphabet, samples: usize, symbols: &[u8]) {
    LEVELS
        .into_iter()
        .for_each(|level| check_level(level, shape, axes, alphabet, samples, symbols));
}

fn train(
    level: Level,
    backend: Backend,
    symbols: &[u8],
    samples: usize,
    geometry: &Geometry,
    alphabet: Alphabet,
) -> Codebook {
    let book = Codebook::train(level, backend, symbols, samples, geometry, alphabet);
    book.unwrap().expect("the level has codebooks")
}

fn check_level(
    level: Level,
    shape: &[usize],
    axes: Axes,
    alphabet: Alphabet,
    samples: usize,
    symbols: &[u8],
) {
    let geometry = Geometry::new(shape, axes).unwrap();
    let mut written: Option<(Vec<u8>, Vec<u8>)> = None;
    for backend in Backend::available() {
        let book = train(level, backend, symbols, samples, &geometry, alphabet);
        let (mut stored, mut block) = (Vec::new(), Vec::new());
        book.serialise(&mut stored).unwrap();
        let mut scratch = Scratch::new(backend);
        book.encode_block(symbols, samples, &mut scratch, &mut block).unwrap();
        let read = Codebook::parse(level, &stored, &geometry, alphabet).unwrap();
        let mut out = vec![0xaa; symbols.len()];
        read.decode_block(&block, samples, &mut scratch, &mut out).unwrap();
        assert!(out == symbols, "{level:?}, {backend:?}, {shape:?}, {axes:?}, {alphabet}");
        let mut again = Vec::new();
        read.serialise(&mut again).unwrap();
        assert_eq!(again, stored);
        match &written {
            None => written = Some((stored, block)),
            Some(first) => {
                assert!(*first == (stored, block), "{level:?}, {backend:?}, {shape:?}, {axes:?}");
            }
        }
    }
}

#[test]
fn every_shape() {
    let mut random = Random(1);
    let alphabet = Alphabet::new(4, false).unwrap();
    let shapes: &[(usize, &[usize])] = &[
        (1, &[3, 5, 7]),
        (3, &[257, 96]),
        (7, &[257, 96]),
        (300, &[768]),
        (1, &[16, 33, 35]),
        (9, &[2, 8, 8]),
        (2, &[5, 2, 64]),
        (2, &[3, 4, 5, 6]),
        (5, &[2, 2, 2, 9, 12]),
        (4000, &[]),
        (1, &[]),
        (0, &[8, 4, 4]),
        (5, &[0, 4, 4]),
        (5, &[4, 0]),
        (1, &[1]),
        (6, &[1500]),
    ];
    for &(samples, shape) in shapes {
        let n = samples * shape.iter().product::<usize>();
        check(shape, Axes::of_shape(shape), alphabet, samples, &smooth(n, 16, &mut random));
    }
}

#[test]
fn every_choice_of_axes() {
    let mut random = Random(2);
    let alphabet = Alphabet::new(3, true).unwrap();
    let shape = [6, 17, 18];
    let symbols = smooth(4 * 6 * 17 * 18, 8, &mut random);
    let all = [None, Some(0), Some(1), Some(2)];
    for channel in all {
        for first in all {
            for second in all {
                let axes = Axes { channel, neighbours: [first, second] };
                if Geometry::new(&shape, axes).is_ok() {
                    check(&shape, axes, alphabet, 4, &symbols);
                }
            }
        }
    }
}

#[test]
fn every_alphabet() {
    let mut random = Random(3);
    for bits in 1..=8 {
        for signed in [false, true] {
            let alphabet = Alphabet::new(bits, signed).unwrap();
            let symbols = smooth(3 * 4 * 12 * 16, 1 << bits, &mut random);
            check(&[4, 12, 16], Axes::of_shape(&[4, 12, 16]), alphabet, 3, &symbols);
        }
    }
}

#[test]
fn a_codebook_serves_symbols_that_it_was_not_trained_on() {
    let mut random = Random(4);
    let geometry = Geometry::new(&[8, 16, 16], Axes::of_shape(&[8, 16, 16])).unwrap();
    for bits in [4, 8] {
        let alphabet = Alphabet::new(bits, false).unwrap();
        let zeros = vec![0; 64 * 2048];
        let smooth = smooth(64 * 2048, 1 << (bits - 1), &mut random);
        for (level, trained_on) in LEVELS.iter().flat_map(|&l| [(l, &zeros), (l, &smooth)]) {
            let backend = Backend::current().unwrap();
            let book = train(level, backend, trained_on, 64, &geometry, alphabet);
            let noise: Vec<u8> = (0..32 * 2048).map(|_| random.below(1 << bits) as u8).collect();
            let (mut scratch, mut block) = (Scratch::new(backend), Vec::new());
            book.encode_block(&noise, 32, &mut scratch, &mut block).unwrap();
            let mut out = vec![0; noise.len()];
            book.decode_block(&block, 32, &mut scratch, &mut out).unwrap();
            assert!(out == noise);
        }
    }
}

#[test]
fn wrong_arguments_are_named() {
    let geometry = Geometry::new(&[2, 3], Axes::of_shape(&[2, 3])).unwrap();
    let alphabet = Alphabet::new(2, false).unwrap();
    let backend = Backend::current().unwrap();
    for level in LEVELS {
        let book = train(level, backend, &[0; 12], 2, &geometry, alphabet);
        let mut scratch = Scratch::new(backend);
        let mut encode = |symbols: &[u8], samples| {
            book.encode_block(symbols, samples, &mut scratch, &mut Vec::new()).unwrap_err()
        };
        assert!(matches!(encode(&[0; 11], 2), Error::InvalidArgument { .. }));
        assert!(matches!(encode(&[0; 12], usize::MAX), Error::InvalidArgument { .. }));
        let error = encode(&[0, 0, 0, 0, 4, 0], 1);
        assert!(matches!(error, Error::CodeOutOfRange { value: 4, index: 4, .. }));
    }
    let twice = Axes { channel: Some(1), neighbours: [Some(1), None] };
    for axes in [twice, Axes { channel: Some(2), ..Axes::default() }] {
        assert!(matches!(Geometry::new(&[2, 3], axes), Err(Error::InvalidArgument { .. })));
    }
    assert!(Geometry::new(&[usize::MAX, 2], Axes::default()).is_err());
}

#[test]
fn exact_bytes_of_level_dense() {
    // Two channels of four tokens: 0 0 1 0 and 1 1 1 1.
    let symbols = [0, 1, 0, 1, 1, 1, 0, 1];
    let geometry = Geometry::new(&[4, 2], Axes::of_shape(&[4, 2])).unwrap();
    let backend = Backend::current().unwrap();
    let alphabet = Alphabet::new(1, false).unwrap();
    let book = train(Level::Dense, backend, &symbols, 1, &geometry, alphabet);
    let (mut stored, mut block) = (Vec::new(), Vec::new());
    book.serialise(&mut stored).unwrap();
    book.encode_block(&symbols, 1, &mut Scratch::new(backend), &mut block).unwrap();
    // One class (000), an ordered tree (1), a raw mask (0); then the mask, first symbol lowest.
    assert_eq!((&stored[..], &block[..]), (&[0b0001_0000][..], &[0b1111_0100][..]));
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(40))]

    #[test]
    fn any_shape_and_distribution(
        bits in 1u8..=8,
        signed: bool,
        shape in prop::collection::vec(1usize..20, 0..4),
        samples in 0usize..6,
        mask: u8,
        seed in 1u64..,
    ) {
        let alphabet = Alphabet::new(bits, signed).unwrap();
        let n = samples * shape.iter().product::<usize>();
        let mut symbols = smooth(n, 1 << bits, &mut Random(seed));
        symbols.iter_mut().for_each(|symbol| *symbol &= mask);
        check(&shape, Axes::of_shape(&shape), alphabet, samples, &symbols);
    }
}

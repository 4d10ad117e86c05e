use std::num::NonZero;

use super::blob::BEYOND_CACHES;
use super::*;
use crate::block::BLOCK_SYMBOLS;
use crate::cut::SEGMENT_SYMBOLS;

const ONE: Threads = NonZero::new(1);

fn sample(n: usize) -> Vec<u8> {
    (0..n).map(|i| (i * i / 7 % 11 * (i % 3) / 2) as u8).collect()
}

/// Unsigned 4-bit codes at a level, with the usual axes.
fn encoded(codes: &[u8], shape: &[usize], level: Level, threads: Threads) -> Result<Vec<u8>> {
    let axes = Axes::of_shape(shape.get(1..).unwrap_or_default());
    Ok(encode(codes, shape, Alphabet::new(4, false)?, level, axes, threads)?.to_bytes())
}

fn decoded(blob: &[u8], threads: Threads) -> Result<Vec<u8>> {
    let blob = Blob::parse(blob)?;
    let mut out = vec![0; blob.shape().iter().product()];
    blob.decode(&mut out, threads)?;
    Ok(out)
}

#[test]
fn shapes_around_the_block_size_round_trip_for_any_threads() {
    const N: usize = BLOCK_SYMBOLS;
    for n in [0, 1, 2, N - 1, N, N + 1, 5 * N + 9] {
        for shape in [vec![n], vec![1, n, 1], vec![n, 1]] {
            for (_, level) in Level::ALL {
                let codes = sample(n);
                let blob = encoded(&codes, &shape, level, ONE).unwrap();
                assert_eq!(blob, encoded(&codes, &shape, level, NonZero::new(3)).unwrap());
                assert_eq!(Blob::parse(&blob).unwrap().shape(), shape);
                assert_eq!(decoded(&blob, ONE).unwrap(), codes);
                assert_eq!(decoded(&blob, NonZero::new(4)).unwrap(), codes);
            }
        }
    }
}

#[test]
fn shapes_of_every_kind_round_trip() {
    let shapes: [&[usize]; 12] = [
        &[],
        &[0, 3],
        &[3, 0, 4],
        &[1, 3, 5, 7],
        &[40, 3, 5, 7],
        &[7, 257, 96],
        &[300, 768],
        &[2, 3, 2, 3, 9, 10],
        &[1, 1, 1, 1, 1, 1, 1, 1],
        &[2, 40, 100, 90],
        &[3, 70, 1000],
        &[2, 3, 70_000],
    ];
    for shape in shapes {
        for (_, level) in Level::ALL {
            let codes = sample(shape.iter().product());
            let blob = encoded(&codes, shape, level, None).unwrap();
            assert!(decoded(&blob, None).unwrap() == codes, "{shape:?}");
        }
    }
}

#[test]
fn arrays_beyond_the_caches_round_trip() {
    let codes: Vec<u8> = sample(1 << 16).into_iter().cycle().take(BEYOND_CACHES + 77).collect();
    for (_, level) in Level::ALL {
        let blob = encoded(&codes, &[codes.len()], level, None).unwrap();
        for threads in [1, 2].map(NonZero::new) {
            assert!(decoded(&blob, threads).unwrap() == codes, "{level:?}");
        }
    }
}

#[test]
fn wrong_arguments_are_refused() {
    assert!(encoded(&[1, 2], &[3], Level::Dense, ONE).is_err());
    assert!(encoded(&[1], &[1; 33], Level::Dense, ONE).is_err());
    let alphabet = Alphabet::new(4, false).unwrap();
    let axes = Axes { channel: Some(1), neighbours: [None; 2] };
    assert!(encode(&[1, 2], &[1, 2], alphabet, Level::Dense, axes, ONE).is_err());
    let blob = encoded(&[1, 2], &[2], Level::Fast, ONE).unwrap();
    assert!(Blob::parse(&blob).unwrap().decode(&mut [0; 3], ONE).is_err());
    let mut codes = vec![0; SEGMENT_SYMBOLS + 9];
    let last = codes.len() - 4;
    codes[last] = 16;
    for (_, level) in Level::ALL {
        let error = encoded(&codes, &[codes.len()], level, NonZero::new(2)).unwrap_err();
        assert!(matches!(error, Error::CodeOutOfRange { value: 16, index, .. } if index == last));
    }
}

#[test]
fn every_bit_flip_and_truncation_is_an_error() {
    let skewed: Vec<u8> = sample(6000).iter().map(|s| s / 2).collect();
    for (codes, shape) in [(&sample(700), [7, 100]), (&skewed, [60, 100])] {
        for (_, level) in Level::ALL {
            let blob = encoded(codes, &shape, level, ONE).unwrap();
            for bit in 0..8 * blob.len() {
                let mut flipped = blob.clone();
                flipped[bit / 8] ^= 1 << (bit % 8);
                decoded(&flipped, ONE).expect_err("a flipped bit");
            }
            for len in 0..blob.len() {
                let error = decoded(&blob[..len], ONE).unwrap_err();
                assert!(matches!(error, Error::Truncated { .. }), "{len} bytes: {error}");
            }
        }
    }
}

#[test]
fn claims_beyond_the_bytes_at_hand_are_refused_before_allocation() {
    for kind in [0x04, 0x14] {
        let mut blob = vec![b'H', b'Q', b'A', 1, kind, 2];
        put_varint(1 << 31, &mut blob);
        put_varint(1 << 30, &mut blob);
        blob.extend([0; 64]);
        assert!(matches!(Blob::parse(&blob).unwrap_err(), Error::Truncated { .. }));
        let mut overflowing = vec![b'H', b'Q', b'A', 1, kind, 2];
        put_varint(u64::MAX, &mut overflowing);
        put_varint(2, &mut overflowing);
        assert!(matches!(Blob::parse(&overflowing).unwrap_err(), Error::Corrupt { .. }));
    }
}

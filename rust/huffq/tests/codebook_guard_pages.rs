//! Encoding and decoding stay inside the caller's slices: each against an unmapped page, for every
//! backend and every length.

mod common;
#[path = "common/guard.rs"]
mod guard;

use common::Random;
use guard::Guarded;
use huffq::codebook::Scratch;
use huffq::{Alphabet, Axes, Backend, Codebook, Geometry, Level};

#[test]
fn every_backend_and_length() {
    let mut random = Random(5);
    // As samples of one symbol, as one channel's row, as channels of one symbol, as planes.
    for bits in [1, 4, 8] {
        // Trees of 256 symbols take long to search.
        for n in (0..=300).step_by(if bits == 8 { 23 } else { 1 }) {
            let alphabet = Alphabet::new(bits, false).unwrap();
            let symbols: Vec<u8> = (0..n)
                .map(|_| random.below(1 << bits).min(random.below(1 << bits)) as u8)
                .collect();
            let shapes: [(usize, &[usize]); 5] =
                [(n, &[]), (1, &[1, n]), (1, &[n]), (1, &[1, 1, n]), (n / 4, &[2, 2])];
            for (samples, shape) in shapes {
                let n = samples * shape.iter().product::<usize>();
                for level in [Level::Dense, Level::Max] {
                    against_pages(level, shape, alphabet, samples, &symbols[..n]);
                }
            }
        }
    }
}

fn against_pages(
    level: Level,
    shape: &[usize],
    alphabet: Alphabet,
    samples: usize,
    symbols: &[u8],
) {
    let n = symbols.len();
    let [mut input, mut packed, mut output] = [(); 3].map(|()| Guarded::new(8192));
    let geometry = Geometry::new(shape, Axes::of_shape(shape)).unwrap();
    let input = input.copy(symbols);
    for backend in Backend::available() {
        let book = Codebook::train(level, backend, input, samples, &geometry, alphabet);
        let book = book.unwrap().expect("the level has codebooks");
        let (mut scratch, mut block) = (Scratch::new(backend), Vec::new());
        book.encode_block(input, samples, &mut scratch, &mut block).unwrap();
        let packed = packed.copy(&block);
        for out in [output.last(n).as_mut_ptr(), output.first(n).as_mut_ptr()] {
            // SAFETY: the buffer has `n` bytes there, and no other reference is alive.
            let out = unsafe { std::slice::from_raw_parts_mut(out, n) };
            book.decode_block(packed, samples, &mut scratch, out).unwrap();
            assert!(out == symbols, "{level:?}, {backend:?}, {n} symbols, {shape:?}");
        }
    }
}

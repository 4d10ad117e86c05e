//! Damaged blocks and codebooks give symbols of the alphabet or a typed error, never a panic;
//! input and output lie against unmapped pages.

mod common;
#[path = "common/guard.rs"]
mod guard;

use common::Random;
use guard::Guarded;
use huffq::codebook::Scratch;
use huffq::{Alphabet, Axes, Backend, Codebook, Geometry, Level};

struct Case {
    level: Level,
    geometry: Geometry,
    alphabet: Alphabet,
    samples: usize,
    symbols: Vec<u8>,
    book: Vec<u8>,
    block: Vec<u8>,
}

fn case(level: Level, bits: u8, shape: &[usize], samples: usize, trained: usize) -> Case {
    let mut random = Random(u64::from(bits) + samples as u64);
    let geometry = Geometry::new(shape, Axes::of_shape(shape)).unwrap();
    let alphabet = Alphabet::new(bits, bits > 4).unwrap();
    let backend = Backend::by_name("portable").unwrap();
    let mut last = 0;
    let all: Vec<u8> = (0..trained * geometry.sample_len())
        .map(|_| {
            let fresh = random.below(1 << bits).min(random.below(1 << bits)) as u8;
            last = if random.below(4) == 0 { fresh } else { last };
            last
        })
        .collect();
    let trained_book = Codebook::train(level, backend, &all, trained, &geometry, alphabet);
    let trained_book = trained_book.unwrap().expect("the level has codebooks");
    let symbols = all[..samples * geometry.sample_len()].to_vec();
    let (mut book, mut block) = (Vec::new(), Vec::new());
    trained_book.serialise(&mut book).unwrap();
    let mut scratch = Scratch::new(backend);
    trained_book.encode_block(&symbols, samples, &mut scratch, &mut block).unwrap();
    Case { level, geometry, alphabet, samples, symbols, book, block }
}

fn cases() -> Vec<Case> {
    vec![
        case(Level::Dense, 1, &[3, 5, 7], 2, 400),
        case(Level::Dense, 4, &[2, 6, 8], 3, 600),
        case(Level::Dense, 4, &[40, 5], 3, 300),
        case(Level::Dense, 8, &[16], 20, 6000),
        // Enough for eight lanes.
        case(Level::Dense, 3, &[2, 16, 16], 9, 200),
        case(Level::Max, 1, &[3, 5, 7], 2, 400),
        case(Level::Max, 4, &[2, 6, 8], 3, 600),
        case(Level::Max, 4, &[40, 5], 3, 300),
        case(Level::Max, 3, &[2, 16, 16], 9, 200),
    ]
}

impl Case {
    /// Decodes with every backend and returns what they agree on, if they decode it.
    fn decode(&self, book: &Codebook, block: &[u8], samples: usize) -> Option<Vec<u8>> {
        let n = samples * self.geometry.sample_len();
        let (mut input, mut output) = (Guarded::new(8192), Guarded::new(1 << 14));
        let input = input.copy(block);
        let mut results = Backend::available().map(|backend| {
            let out = output.last(n);
            let mut scratch = Scratch::new(backend);
            let result = book.decode_block(input, samples, &mut scratch, out);
            result.is_ok().then(|| out.to_vec())
        });
        let first = results.next().expect("the portable backend is always available");
        assert!(results.all(|result| result == first), "backends disagree");
        let symbols = first.iter().flatten();
        assert!(symbols.into_iter().all(|&s| usize::from(s) < self.alphabet.size()));
        first
    }

    fn book(&self) -> Codebook {
        Codebook::parse(self.level, &self.book, &self.geometry, self.alphabet).unwrap()
    }
}

#[test]
fn the_undamaged_decode() {
    for case in cases() {
        assert!(case.decode(&case.book(), &case.block, case.samples).unwrap() == case.symbols);
    }
}

#[test]
fn every_truncation_and_every_byte_too_many_is_reported() {
    for case in cases() {
        let book = case.book();
        for len in 0..case.block.len() {
            assert!(case.decode(&book, &case.block[..len], case.samples).is_none(), "{len}");
        }
        let longer = [&case.block[..], &[0]].concat();
        assert!(case.decode(&book, &longer, case.samples).is_none());
        for len in 0..case.book.len() {
            assert!(
                Codebook::parse(case.level, &case.book[..len], &case.geometry, case.alphabet)
                    .is_err()
            );
        }
        let longer = [&case.book[..], &[0]].concat();
        assert!(Codebook::parse(case.level, &longer, &case.geometry, case.alphabet).is_err());
    }
}

#[test]
fn every_bit_flip_of_a_block() {
    for case in cases() {
        let book = case.book();
        for bit in 0..8 * case.block.len() {
            let mut block = case.block.clone();
            block[bit / 8] ^= 1 << (bit % 8);
            case.decode(&book, &block, case.samples);
        }
    }
}

#[test]
fn every_bit_flip_of_a_codebook() {
    for case in cases() {
        for bit in 0..8 * case.book.len() {
            let mut book = case.book.clone();
            book[bit / 8] ^= 1 << (bit % 8);
            if let Ok(book) = Codebook::parse(case.level, &book, &case.geometry, case.alphabet) {
                case.decode(&book, &case.block, case.samples);
            }
        }
    }
}

#[test]
fn any_bytes() {
    let mut random = Random(7);
    for case in cases() {
        let mut guarded = Guarded::new(8192);
        for _ in 0..400 {
            let noise: Vec<u8> = (0..random.below(300)).map(|_| random.next() as u8).collect();
            let _ =
                Codebook::parse(case.level, guarded.copy(&noise), &case.geometry, case.alphabet);
            case.decode(&case.book(), &noise, random.below(1 + case.samples as u64) as usize);
            let mut block = case.block.clone();
            for _ in 0..1 + random.below(6) {
                let at = random.below(block.len() as u64) as usize;
                block[at] = random.next() as u8;
            }
            case.decode(&case.book(), &block, case.samples);
        }
    }
}

#[test]
fn noise_is_never_called_a_wrong_argument() {
    let mut random = Random(77);
    let geometry = Geometry::new(&[5], Axes::of_shape(&[5])).unwrap();
    let alphabet = Alphabet::new(4, false).unwrap();
    for _ in 0..20_000 {
        let noise: Vec<u8> = (0..9 + random.below(80)).map(|_| random.next() as u8).collect();
        let level = [Level::Dense, Level::Max][random.below(2) as usize];
        if let Err(error) = Codebook::parse(level, &noise, &geometry, alphabet) {
            let expected =
                matches!(error, huffq::Error::Corrupt { .. } | huffq::Error::Truncated { .. });
            assert!(expected, "{error}");
        }
    }
}

//! Throughput of the codec's parts on generated 4-bit activations, one thread.
//!
//! `cargo bench -p huffq` prints it; divan's "B/s" counts one byte per symbol.

use std::hint::black_box;

use divan::Bencher;
use divan::counter::BytesCount;
use huffq::block::{BLOCK_SYMBOLS, Coder};
use huffq::codebook::Scratch;
use huffq::lengths::{DEFAULT_MAX_LENGTH, package_merge};
use huffq::{Alphabet, Axes, Backend, CodeTable, Codebook, Geometry, Level, histogram, serial};

fn main() {
    divan::main();
}

/// Share of zeros in per cent; the other values fall off geometrically, as after a ReLU.
const SPARSITIES: [u64; 3] = [20, 50, 80];

/// One block of 64 Ki symbols, by a fixed linear congruential generator (Knuth's MMIX constants).
fn activations(zeros: u64) -> Vec<u8> {
    let mut state = 1u64;
    let mut next = || {
        state =
            state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        state >> 33
    };
    (0..BLOCK_SYMBOLS)
        .map(|_| {
            if next() % 100 < zeros {
                0
            } else {
                1 + (next().trailing_ones() * 2 + (next() % 2) as u32).min(14) as u8
            }
        })
        .collect()
}

fn code(symbols: &[u8]) -> (histogram::Counts, CodeTable) {
    let counts = histogram::count(Backend::current().unwrap(), symbols);
    (counts, CodeTable::from_counts(&counts[..16], DEFAULT_MAX_LENGTH).unwrap())
}

/// Every backend of this machine at every sparsity.
fn cases() -> impl Iterator<Item = (&'static str, u64)> {
    Backend::available().flat_map(|b| SPARSITIES.map(|zeros| (b.name(), zeros)))
}

#[divan::bench(args = cases())]
fn count(bencher: Bencher, (backend, zeros): (&str, u64)) {
    let symbols = activations(zeros);
    let backend = Backend::by_name(backend).unwrap();
    bencher
        .counter(BytesCount::of_slice(&symbols))
        .bench_local(|| histogram::count(backend, &symbols));
}

#[divan::bench(args = [16, 256])]
fn code_lengths(bencher: Bencher, alphabet: u64) {
    let counts: Vec<u64> = (0..alphabet).map(|s| 1 + (1 << 20) / (s + 1)).collect();
    bencher.bench_local(|| package_merge(black_box(&counts), DEFAULT_MAX_LENGTH));
}

#[divan::bench(args = cases())]
fn serial_encode(bencher: Bencher, (backend, zeros): (&str, u64)) {
    let backend = Backend::by_name(backend).unwrap();
    let symbols = activations(zeros);
    let (counts, table) = code(&symbols);
    let mut out = Vec::new();
    bencher.counter(BytesCount::of_slice(&symbols)).bench_local(|| {
        out.clear();
        serial::encode_payload(backend, &symbols, &counts, &table, &mut out).unwrap()
    });
}

#[divan::bench(args = cases())]
fn serial_decode(bencher: Bencher, (backend, zeros): (&str, u64)) {
    let symbols = activations(zeros);
    let backend = Backend::by_name(backend).unwrap();
    let (counts, table) = code(&symbols);
    let mut bytes = Vec::new();
    serial::encode_payload(backend, &symbols, &counts, &table, &mut bytes).unwrap();
    let (mut out, mut scratch) = (vec![0; symbols.len()], serial::Scratch::default());
    bencher.counter(BytesCount::of_slice(&symbols)).bench_local(|| {
        serial::decode_payload(backend, &bytes, &table, &mut scratch, &mut out).unwrap();
    });
}

#[divan::bench(args = cases())]
fn block_encode(bencher: Bencher, (backend, zeros): (&str, u64)) {
    let symbols = activations(zeros);
    let alphabet = Alphabet::new(4, false).unwrap();
    let mut coder = Coder::new(Backend::by_name(backend).unwrap());
    let mut out = Vec::new();
    bencher.counter(BytesCount::of_slice(&symbols)).bench_local(|| {
        out.clear();
        let plan = coder.plan(&symbols, alphabet).unwrap();
        coder.encode(&symbols, &plan, None, &mut out).unwrap();
    });
}

#[divan::bench(args = cases())]
fn block_decode(bencher: Bencher, (backend, zeros): (&str, u64)) {
    let symbols = activations(zeros);
    let alphabet = Alphabet::new(4, false).unwrap();
    let mut coder = Coder::new(Backend::by_name(backend).unwrap());
    let mut bytes = Vec::new();
    let plan = coder.plan(&symbols, alphabet).unwrap();
    coder.encode(&symbols, &plan, None, &mut bytes).unwrap();
    let mut out = vec![0; symbols.len()];
    bencher
        .counter(BytesCount::of_slice(&symbols))
        .bench_local(|| coder.decode(&bytes, alphabet, None, &mut out).unwrap());
}

const SHAPE: [usize; 3] = [8, 32, 32];
const LEVELS: [Level; 2] = [Level::Dense, Level::Max];

/// Samples of [`SHAPE`] that fill a block of the level.
fn samples(level: Level) -> usize {
    level.block_symbols() / SHAPE.iter().product::<usize>()
}

/// Activations of a level's block in which neighbours are alike.
fn smooth(level: Level) -> Vec<u8> {
    let noise: Vec<u8> = (0..).flat_map(|_| activations(50)).take(level.block_symbols()).collect();
    let width = SHAPE[2];
    let near = |i: usize| noise[i - 1] / 2 + noise[i - width] / 2;
    (0..noise.len()).map(|i| if i < width { noise[i] } else { near(i) }).collect()
}

fn codebook(level: Level, backend: Backend, symbols: &[u8]) -> Codebook {
    let geometry = Geometry::new(&SHAPE, Axes::of_shape(&SHAPE)).unwrap();
    let alphabet = Alphabet::new(4, false).unwrap();
    Codebook::train(level, backend, symbols, samples(level), &geometry, alphabet).unwrap()
}

/// Every backend of this machine at every level that has codebooks.
fn codebook_cases() -> impl Iterator<Item = (&'static str, &'static str)> {
    let levels = Level::ALL.iter().filter(|(_, level)| LEVELS.contains(level));
    levels.flat_map(|&(level, _)| Backend::available().map(move |b| (level, b.name())))
}

#[divan::bench(args = codebook_cases())]
fn codebook_train(bencher: Bencher, (level, backend): (&str, &str)) {
    let (level, backend) = (Level::by_name(level).unwrap(), Backend::by_name(backend).unwrap());
    let symbols = smooth(level);
    bencher
        .counter(BytesCount::of_slice(&symbols))
        .bench_local(|| codebook(level, backend, &symbols));
}

#[divan::bench(args = codebook_cases())]
fn codebook_encode(bencher: Bencher, (level, backend): (&str, &str)) {
    let (level, backend) = (Level::by_name(level).unwrap(), Backend::by_name(backend).unwrap());
    let symbols = smooth(level);
    let book = codebook(level, backend, &symbols);
    let (mut scratch, mut out) = (Scratch::new(backend), Vec::new());
    bencher.counter(BytesCount::of_slice(&symbols)).bench_local(|| {
        out.clear();
        book.encode_block(&symbols, samples(level), &mut scratch, &mut out).unwrap();
    });
}

#[divan::bench(args = codebook_cases())]
fn codebook_decode(bencher: Bencher, (level, backend): (&str, &str)) {
    let (level, backend) = (Level::by_name(level).unwrap(), Backend::by_name(backend).unwrap());
    let symbols = smooth(level);
    let book = codebook(level, backend, &symbols);
    let (mut scratch, mut block) = (Scratch::new(backend), Vec::new());
    book.encode_block(&symbols, samples(level), &mut scratch, &mut block).unwrap();
    let mut out = vec![0; symbols.len()];
    bencher.counter(BytesCount::of_slice(&symbols)).bench_local(|| {
        book.decode_block(&block, samples(level), &mut scratch, &mut out).unwrap();
    });
}

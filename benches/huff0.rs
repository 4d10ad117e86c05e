//! The serial layout beside Huff0 (the entropy coder of zstd), on the same bytes, one thread.
//!
//! `cargo bench -p huffq --bench huff0 -- FILE.npz` takes every uint8 array of the file; without
//! one, activations are generated. Both sides work on preallocated buffers and pay for everything
//! that a block needs on its own: counts, code lengths, tables. Huff0 gets its largest chunk
//! (128 KiB) and the faster of its two decoders; huffq its usual block, as 64 streams side by side,
//! where a block of a file would take the pivot layout. Medians of alternating runs.

#[path = "huff0/npz.rs"]
mod npz;
#[path = "huff0/peer.rs"]
mod peer;

use huffq::block::BLOCK_SYMBOLS;
use huffq::lengths::DEFAULT_MAX_LENGTH;
use huffq::{Backend, CodeTable, histogram, serial};
use peer::{CHUNK, Decoder, Huff0};

/// Alternating runs, of which the median counts.
const RUNS: usize = 31;

fn main() {
    let file = std::env::args().skip(1).find(|argument| argument.ends_with(".npz"));
    let arrays = match file {
        Some(path) => npz::read(&path),
        None => [20, 50, 80].map(|zeros| (format!("{zeros} % zeros"), generated(zeros))).into(),
    };
    println!("{:<16}{:>15}{:>24}{:>33}", "", "bits/symbol", "encode GB/s", "decode GB/s");
    println!(
        "{:<16}{:>8}{:>7}{:>10}{:>7}{:>7}{:>12}{:>7}{:>7}{:>7}",
        "array", "huffq", "Huff0", "huffq", "Huff0", "ratio", "huffq", "X1", "X2", "ratio"
    );
    let ratios: Vec<(f64, f64)> = arrays.iter().map(|(name, array)| compare(name, array)).collect();
    let mean = |ratio: fn(&(f64, f64)) -> f64| {
        (ratios.iter().map(|r| ratio(r).ln()).sum::<f64>() / ratios.len() as f64).exp()
    };
    println!("{:<48}{:>7.2}{:>33.2}", "geometric mean", mean(|r| r.0), mean(|r| r.1));
}

/// 4-bit activations after a ReLU: zeros, and a geometric fall-off above.
fn generated(zeros: u64) -> Vec<u8> {
    let mut state = 1u64;
    let mut next = || {
        // Knuth's MMIX generator.
        state =
            state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        state >> 33
    };
    (0..1 << 21)
        .map(|_| match next() % 100 < zeros {
            true => 0,
            false => 1 + (next().trailing_ones() * 2 + (next() % 2) as u32).min(14) as u8,
        })
        .collect()
}

/// Prints the array's line; returns the ratios of encoding and decoding speed.
fn compare(name: &str, array: &[u8]) -> (f64, f64) {
    let mut huff0 = Huff0::new();
    let (mut ours, mut our_sizes) = (Vec::new(), Vec::new());
    let (mut theirs, mut their_sizes) = (vec![0; 2 * array.len() + CHUNK], Vec::new());
    let mut out = vec![0; array.len()];
    let mut seconds = [const { Vec::new() }; 5];
    for _ in 0..RUNS {
        seconds[0].push(time(|| encode(array, &mut ours, &mut our_sizes)));
        seconds[1].push(time(|| huff0.encode(array, &mut theirs, &mut their_sizes)));
        seconds[2].push(time(|| decode(&ours, &our_sizes, &mut out)));
        assert!(out == array);
        for (decoder, seconds) in [Decoder::X1, Decoder::X2].into_iter().zip(&mut seconds[3..]) {
            out.fill(0);
            seconds.push(time(|| huff0.decode(decoder, &theirs, &their_sizes, &mut out)));
            assert!(out == array);
        }
        out.fill(0);
    }
    let speeds = seconds.map(|s| array.len() as f64 / median(s) / 1e9);
    let [ours_encode, theirs_encode, ours_decode, x1, x2] = speeds;
    let (encode, decode) = (ours_encode / theirs_encode, ours_decode / x1.max(x2));
    let bits = |sizes: &[usize]| 8.0 * sizes.iter().sum::<usize>() as f64 / array.len() as f64;
    println!(
        "{name:<16}{:>8.3}{:>7.3}{ours_encode:>10.2}{theirs_encode:>7.2}{encode:>7.2}\
         {ours_decode:>12.2}{x1:>7.2}{x2:>7.2}{decode:>7.2}",
        bits(&our_sizes),
        bits(&their_sizes)
    );
    (encode, decode)
}

/// Seconds that this thread ran: what others do on a busy machine counts less.
fn time(task: impl FnOnce()) -> f64 {
    let begin = seconds_run();
    task();
    seconds_run() - begin
}

fn seconds_run() -> f64 {
    let mut time = libc::timespec { tv_sec: 0, tv_nsec: 0 };
    // SAFETY: the place to write to is a variable of that type.
    assert_eq!(unsafe { libc::clock_gettime(libc::CLOCK_THREAD_CPUTIME_ID, &mut time) }, 0);
    time.tv_sec as f64 + 1e-9 * time.tv_nsec as f64
}

fn median(mut values: Vec<f64>) -> f64 {
    values.sort_by(f64::total_cmp);
    values[values.len() / 2]
}

/// Encodes block after block, each with its own code; `sizes` gets their lengths.
fn encode(symbols: &[u8], out: &mut Vec<u8>, sizes: &mut Vec<usize>) {
    let backend = Backend::current().expect("a backend");
    out.clear();
    sizes.clear();
    for block in symbols.chunks(BLOCK_SYMBOLS) {
        let begin = out.len();
        let counts = histogram::count(backend, block);
        let table = CodeTable::from_counts(&counts, DEFAULT_MAX_LENGTH).expect("a code");
        out.push(table.lengths().iter().rposition(|&l| l > 0).unwrap_or(0) as u8);
        let used = usize::from(out[begin]) + 1;
        out.extend_from_slice(&table.lengths()[..used]);
        serial::encode_payload(backend, block, &counts, &table, out).expect("counted symbols");
        sizes.push(out.len() - begin);
    }
}

/// The inverse of [`encode`].
fn decode(bytes: &[u8], sizes: &[usize], out: &mut [u8]) {
    let backend = Backend::current().expect("a backend");
    let mut scratch = serial::Scratch::default();
    let mut rest = bytes;
    for (out, &size) in out.chunks_mut(BLOCK_SYMBOLS).zip(sizes) {
        let (block, behind) = rest.split_at(size);
        rest = behind;
        let (lengths, payload) = block[1..].split_at(usize::from(block[0]) + 1);
        let table = CodeTable::from_lengths(lengths).expect("a code");
        serial::decode_payload(backend, payload, &table, &mut scratch, out).expect("a block");
    }
}

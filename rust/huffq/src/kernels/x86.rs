//! What all x86 backends share: loops for its general registers, and SSE2, which every machine has.

use std::arch::x86_64::*;

use super::ahead::LINE;
use super::portable::for_each_square;
use super::{Codewords, Lane, LaneTable, lanes, plain};

#[target_feature(enable = "popcnt")]
pub(super) fn count_ones(mask: &[u8], n: usize) -> usize {
    plain::count_ones(mask, n)
}

// Lanes are compiled for general registers only: with vector instructions at hand the compiler
// turns table lookups into gathers, at less than half the speed.
#[target_feature(enable = "bmi1,bmi2")]
pub(super) fn encode_lanes(codewords: &Codewords, symbols: &[u8], lanes: &mut [Lane]) {
    lanes::encode(codewords, symbols, lanes);
}

#[target_feature(enable = "bmi1,bmi2")]
pub(super) fn decode_lanes(
    data: &[u8],
    positions: &mut [usize],
    table: &LaneTable,
    out: &mut [u8],
) {
    lanes::decode_any(data, positions, table, out);
}

#[target_feature(enable = "sse2")]
pub(super) fn copy_to_memory(from: &[u8], to: &mut [u8]) {
    let head = to.as_ptr().align_offset(LINE).min(to.len());
    let (from_head, from) = from.split_at(head);
    let (to_head, to) = to.split_at_mut(head);
    to_head.copy_from_slice(from_head);
    let (to, to_rest) = to.as_chunks_mut::<LINE>();
    let (from, from_rest) = from.as_chunks::<LINE>();
    for (from, to) in from.iter().zip(to) {
        for i in 0..LINE / 16 {
            // SAFETY: both arrays have four vectors of 16 bytes, and the stored ones are aligned,
            // since all lines begin at a multiple of their length.
            unsafe {
                let vector = _mm_loadu_si128(from.as_ptr().cast::<__m128i>().add(i));
                _mm_stream_si128(to.as_mut_ptr().cast::<__m128i>().add(i), vector);
            }
        }
    }
    to_rest.copy_from_slice(from_rest);
    // Such stores are not ordered with any others: whoever learns that the copy is done must see it.
    _mm_sfence();
}

/// Rows of 16 bytes at these places.
#[inline]
#[target_feature(enable = "sse2")]
fn load_rows(from: &[u8], rows: &[usize; 16]) -> [__m128i; 16] {
    let mut vectors = [_mm_setzero_si128(); 16];
    for (vector, &row) in vectors.iter_mut().zip(rows) {
        let row: &[u8; 16] = from[row..].first_chunk().expect("rows have 16 bytes");
        // SAFETY: the array has the 16 bytes that are read.
        *vector = unsafe { _mm_loadu_si128(row.as_ptr().cast()) };
    }
    vectors
}

/// Interleaving rows i and i + 8 four times moves a byte's row number to where its column number
/// was: each step brings one bit of it.
#[inline]
#[target_feature(enable = "sse2")]
fn interleave_rows(rows: [__m128i; 16]) -> [__m128i; 16] {
    let [a, b, c, d, e, f, g, h, i, j, k, l, m, n, o, p] = rows;
    let ([a, i], [b, j]) = (interleave_bytes(a, i), interleave_bytes(b, j));
    let ([c, k], [d, l]) = (interleave_bytes(c, k), interleave_bytes(d, l));
    let ([e, m], [f, n]) = (interleave_bytes(e, m), interleave_bytes(f, n));
    let ([g, o], [h, p]) = (interleave_bytes(g, o), interleave_bytes(h, p));
    [a, i, b, j, c, k, d, l, e, m, f, n, g, o, h, p]
}

#[inline]
#[target_feature(enable = "sse2")]
fn interleave_bytes(a: __m128i, b: __m128i) -> [__m128i; 2] {
    [_mm_unpacklo_epi8(a, b), _mm_unpackhi_epi8(a, b)]
}

#[target_feature(enable = "sse2")]
pub(super) fn transpose(from: &[u8], rows: &[usize; 16], to: &mut [u8], columns: &[usize; 16]) {
    let halfway = interleave_rows(interleave_rows(load_rows(from, rows)));
    let vectors = interleave_rows(interleave_rows(halfway));
    for (&column, vector) in columns.iter().zip(vectors) {
        let out: &mut [u8; 16] = to[column..].first_chunk_mut().expect("columns have 16 bytes");
        // SAFETY: the array has the 16 bytes that are written.
        unsafe { _mm_storeu_si128(out.as_mut_ptr().cast(), vector) };
    }
}

#[target_feature(enable = "sse2")]
pub(super) fn lines_to_rows(
    from: &[u8],
    lines: &[usize; 16],
    to: &mut [u8],
    first: usize,
    stride: usize,
) {
    for_each_square(lines, first, stride, |lines, rows| transpose(from, lines, to, rows));
}

#[target_feature(enable = "sse2")]
pub(super) fn rows_to_lines(
    from: &[u8],
    first: usize,
    stride: usize,
    to: &mut [u8],
    lines: &[usize; 16],
) {
    for_each_square(lines, first, stride, |lines, rows| transpose(from, rows, to, lines));
}

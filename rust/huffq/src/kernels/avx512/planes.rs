//! Tiles and transposition.

use std::arch::x86_64::*;

use super::{STEP, load, store};
use crate::kernels::{Runs, portable};

/// Where in a vector of whole pairs of rows each quadruple of bytes comes from.
const fn sources(row_len: usize, back: bool) -> [u32; 16] {
    let quadruples = row_len / 4;
    let mut sources = [0; 16];
    let mut to = 0;
    while to < 16 {
        let (pair, place) = (to / (2 * quadruples), to % (2 * quadruples));
        let source = if back {
            place % quadruples * 2 + place / quadruples
        } else {
            place % 2 * quadruples + place / 2
        };
        sources[to] = (pair * 2 * quadruples + source) as u32;
        to += 1;
    }
    sources
}

/// [`sources`] of rows of 8, 16 and 32 bytes, there and back.
static SOURCES: [[[u32; 16]; 2]; 3] = [
    [sources(8, false), sources(8, true)],
    [sources(16, false), sources(16, true)],
    [sources(32, false), sources(32, true)],
];

#[target_feature(enable = "avx512f,avx512bw")]
pub(in crate::kernels) fn interleave(
    row_len: usize,
    back: bool,
    runs: Runs,
    from: &[u8],
    to: &mut [u8],
) {
    let sources = match row_len {
        8 => &SOURCES[0],
        16 => &SOURCES[1],
        32 => &SOURCES[2],
        _ => return portable::interleave(row_len, back, runs, from, to),
    };
    let sources = &sources[usize::from(back)];
    // SAFETY: the array has the 64 bytes that are read.
    let sources = unsafe { _mm512_loadu_epi32(sources.as_ptr().cast()) };
    runs.for_each(from, to, |from, to| {
        let (groups, rest) = to.as_chunks_mut::<STEP>();
        let (full, last) = from.as_chunks::<STEP>();
        for (to, from) in groups.iter_mut().zip(full) {
            store(_mm512_permutexvar_epi32(sources, load(from)), to);
        }
        if !rest.is_empty() {
            portable::interleave_pairs(row_len, back, last, rest);
        }
    });
}

/// Four transpositions of 16 by 16 bytes side by side, one in each lane of 128 bits.
///
/// Interleaving vectors i and i + 8 four times moves a byte's vector number to where its place in
/// the lane was: each step brings one bit of it.
#[inline]
#[target_feature(enable = "avx512f,avx512bw")]
fn transpose_lanes(mut vectors: [__m512i; 16]) -> [__m512i; 16] {
    for _ in 0..4 {
        let mut next = vectors;
        for i in 0..8 {
            next[2 * i] = _mm512_unpacklo_epi8(vectors[i], vectors[i + 8]);
            next[2 * i + 1] = _mm512_unpackhi_epi8(vectors[i], vectors[i + 8]);
        }
        vectors = next;
    }
    vectors
}

#[target_feature(enable = "avx512f,avx512bw")]
pub(in crate::kernels) fn lines_to_rows(
    from: &[u8],
    lines: &[usize; 16],
    to: &mut [u8],
    first: usize,
    stride: usize,
) {
    let mut vectors = [_mm512_setzero_si512(); 16];
    for (vector, &line) in vectors.iter_mut().zip(lines) {
        *vector = load(from[line..].first_chunk().expect("lines have 64 bytes"));
    }
    let rows = &mut to[first..][..63 * stride + 16];
    for (i, vector) in transpose_lanes(vectors).into_iter().enumerate() {
        let squares = [
            _mm512_extracti32x4_epi32::<0>(vector),
            _mm512_extracti32x4_epi32::<1>(vector),
            _mm512_extracti32x4_epi32::<2>(vector),
            _mm512_extracti32x4_epi32::<3>(vector),
        ];
        for (square, bytes) in squares.into_iter().enumerate() {
            // SAFETY: row 16 * square + i is at most row 63, whose 16 bytes end the slice.
            unsafe {
                let row = rows.as_mut_ptr().add((16 * square + i) * stride);
                _mm_storeu_si128(row.cast(), bytes);
            }
        }
    }
}

#[target_feature(enable = "avx512f,avx512bw")]
pub(in crate::kernels) fn rows_to_lines(
    from: &[u8],
    first: usize,
    stride: usize,
    to: &mut [u8],
    lines: &[usize; 16],
) {
    let rows = &from[first..][..63 * stride + 16];
    let mut vectors = [_mm512_setzero_si512(); 16];
    for (i, vector) in vectors.iter_mut().enumerate() {
        // SAFETY: row 48 + i is at most row 63, whose 16 bytes end the slice.
        let row = |square: usize| unsafe {
            _mm_loadu_si128(rows.as_ptr().add((16 * square + i) * stride).cast())
        };
        let low = _mm256_inserti128_si256::<1>(_mm256_castsi128_si256(row(0)), row(1));
        let high = _mm256_inserti128_si256::<1>(_mm256_castsi128_si256(row(2)), row(3));
        *vector = _mm512_inserti64x4::<1>(_mm512_castsi256_si512(low), high);
    }
    for (vector, &line) in transpose_lanes(vectors).into_iter().zip(lines) {
        store(vector, to[line..].first_chunk_mut().expect("lines have 64 bytes"));
    }
}

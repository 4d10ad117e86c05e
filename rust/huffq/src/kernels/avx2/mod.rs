//! Kernels for AVX2: byte shuffles from tables, eight symbols a lookup.

mod decode;
mod encode;

pub(super) use decode::{merge, merge_constant, unpack};
pub(super) use encode::{count_nibbles, pack, partition, take_right, translate};

pub(super) use super::x86::{
    copy_to_memory, count_ones, decode_lanes, encode_lanes, lines_to_rows, rows_to_lines, transpose,
};

use std::arch::x86_64::*;

use super::Runs;
use super::contexts::{ClassTable, Positions, Run};

/// Symbols of a step, where a kernel works on whole vectors.
const STEP: usize = 32;

#[inline]
#[target_feature(enable = "avx2")]
fn load(bytes: &[u8; 32]) -> __m256i {
    // SAFETY: the array has the 32 bytes that are read.
    unsafe { _mm256_loadu_si256(bytes.as_ptr().cast()) }
}

#[inline]
#[target_feature(enable = "avx2")]
fn store(vector: __m256i, out: &mut [u8; 32]) {
    // SAFETY: the array has the 32 bytes that are written.
    unsafe { _mm256_storeu_si256(out.as_mut_ptr().cast(), vector) }
}

/// The same 16 bytes in both lanes.
#[inline]
#[target_feature(enable = "avx2")]
fn broadcast(bytes: &[u8; 16]) -> __m256i {
    // SAFETY: the array has the 16 bytes that are read.
    _mm256_broadcastsi128_si256(unsafe { _mm_loadu_si128(bytes.as_ptr().cast()) })
}

/// Eight bytes in the low half of a vector.
#[inline]
#[target_feature(enable = "avx2")]
fn load_eight(bytes: &[u8; 8]) -> __m128i {
    _mm_cvtsi64_si128(i64::from_le_bytes(*bytes))
}

#[target_feature(enable = "avx2")]
pub(super) fn min_sum(a: &[u32], b: &[u32]) -> u32 {
    super::plain::min_sum(a, b)
}

// Without an instruction that expands under a mask, classes are worked on symbol by symbol.

#[target_feature(enable = "avx2,bmi1,bmi2")]
pub(super) fn classify(table: &ClassTable, first: &[u8], second: &[u8], classes: &mut [u8]) {
    super::portable::classify(table, first, second, classes);
}

#[target_feature(enable = "bmi1,bmi2")]
pub(super) fn collect(
    runs: &[Run],
    classes: &[u8],
    streams: &[u8],
    positions: &mut Positions,
    out: &mut [u8],
) {
    super::portable::collect(runs, classes, streams, positions, out);
}

#[target_feature(enable = "bmi1,bmi2")]
pub(super) fn distribute(
    runs: &[Run],
    classes: &[u8],
    symbols: &[u8],
    streams: &mut [u8],
    positions: &mut Positions,
) {
    super::portable::distribute(runs, classes, symbols, streams, positions);
}

#[target_feature(enable = "avx2")]
pub(super) fn interleave(row_len: usize, back: bool, runs: Runs, from: &[u8], to: &mut [u8]) {
    super::portable::interleave(row_len, back, runs, from, to);
}

#[target_feature(enable = "avx2")]
pub(super) fn cheapest(counts: &[i16], lengths: &[i16]) -> usize {
    super::plain::cheapest(counts, lengths)
}

//! Kernels for AVX-512 with VBMI, VBMI2 and VPOPCNTDQ: 64 symbols a step.
//!
//! Expanding and compressing stay in registers and always merge into data at hand: on Zen 4 the
//! forms that write memory are microcoded, and those that zero what is left out wait for the
//! destination's old value all the same.

mod contexts;
mod decode;
mod encode;
mod lanes;
mod planes;
mod serial;
mod stripes;

pub(super) use contexts::{classify, collect, distribute};
pub(super) use decode::{merge, merge_constant, unpack};
pub(super) use encode::{count_nibbles, pack, partition, take_right, translate};
pub(super) use lanes::encode_lanes;
pub(super) use planes::{interleave, lines_to_rows, rows_to_lines};
pub(super) use serial::put_codewords;
pub(super) use stripes::{put_rounds, sum_lengths, take_rounds};

pub(super) use super::x86::{copy_to_memory, decode_lanes, transpose};

use std::arch::x86_64::*;

/// Symbols of a step.
const STEP: usize = 64;

/// The lowest `n` bits, `n` up to 64.
fn low_bits(n: usize) -> u64 {
    if n < 64 { (1 << n) - 1 } else { u64::MAX }
}

#[inline]
#[target_feature(enable = "avx512f,avx512bw")]
fn load(bytes: &[u8; 64]) -> __m512i {
    // SAFETY: the array has the 64 bytes that are read.
    unsafe { _mm512_loadu_epi8(bytes.as_ptr().cast()) }
}

/// The first bytes of a vector from a slice of up to 64.
#[inline]
#[target_feature(enable = "avx512f,avx512bw")]
fn load_part(bytes: &[u8]) -> __m512i {
    debug_assert!(bytes.len() <= 64);
    // SAFETY: lanes beyond the slice are masked, and masked lanes are not accessed.
    unsafe { _mm512_maskz_loadu_epi8(low_bits(bytes.len()), bytes.as_ptr().cast()) }
}

#[inline]
#[target_feature(enable = "avx512f,avx512bw")]
fn store(vector: __m512i, out: &mut [u8; 64]) {
    // SAFETY: the array has the 64 bytes that are written.
    unsafe { _mm512_storeu_epi8(out.as_mut_ptr().cast(), vector) }
}

/// The same 16 bytes in all four lanes.
#[inline]
#[target_feature(enable = "avx512f")]
fn broadcast(bytes: &[u8; 16]) -> __m512i {
    // SAFETY: the array has the 16 bytes that are read.
    _mm512_broadcast_i32x4(unsafe { _mm_loadu_si128(bytes.as_ptr().cast()) })
}

/// Fills a slice of up to 64 bytes from the front of a vector.
#[inline]
#[target_feature(enable = "avx512f,avx512bw")]
fn store_part(vector: __m512i, out: &mut [u8]) {
    debug_assert!(out.len() <= 64);
    // SAFETY: lanes beyond the slice are masked, and masked lanes are not accessed.
    unsafe { _mm512_mask_storeu_epi8(out.as_mut_ptr().cast(), low_bits(out.len()), vector) }
}

/// A table of up to 256 bytes in registers.
#[derive(Clone, Copy)]
struct Table([__m512i; 4]);

impl Table {
    #[inline]
    #[target_feature(enable = "avx512f,avx512bw")]
    fn new(entries: &[u8]) -> Self {
        let mut vectors = [_mm512_setzero_si512(); 4];
        for (vector, entries) in vectors.iter_mut().zip(entries.chunks(64)) {
            *vector = load_part(entries);
        }
        Self(vectors)
    }

    /// The entries of 64 indices below 2^D.
    #[inline]
    #[target_feature(enable = "avx512f,avx512bw,avx512vbmi")]
    fn look_up<const D: usize>(&self, index: __m512i) -> __m512i {
        let [a, b, c, d] = self.0;
        match D {
            0..=6 => _mm512_permutexvar_epi8(index, a),
            7 => _mm512_permutex2var_epi8(a, index, b),
            _ => {
                let low = _mm512_permutex2var_epi8(a, index, b);
                let high = _mm512_permutex2var_epi8(c, index, d);
                _mm512_mask_blend_epi8(_mm512_movepi8_mask(index), low, high)
            }
        }
    }
}

#[target_feature(enable = "avx512f,avx512vpopcntdq,popcnt")]
pub(super) fn count_ones(mask: &[u8], n: usize) -> usize {
    super::plain::count_ones(mask, n)
}

#[target_feature(enable = "avx512f")]
pub(super) fn min_sum(a: &[u32], b: &[u32]) -> u32 {
    super::plain::min_sum(a, b)
}

#[target_feature(enable = "avx512f,avx512bw")]
pub(super) fn cheapest(counts: &[i16], lengths: &[i16]) -> usize {
    super::plain::cheapest(counts, lengths)
}

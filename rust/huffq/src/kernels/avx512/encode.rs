//! Partitioning, packing, counting.

use std::arch::x86_64::*;

use super::{STEP, Table, broadcast, load, load_part, low_bits, store, store_part};
use crate::kernels::tables::{NIBBLE_INCREMENTS, NIBBLE_LIMIT};
use crate::kernels::{for_depth, portable};

#[target_feature(enable = "avx512f,avx512bw,avx512vbmi")]
pub(in crate::kernels) fn translate(map: &[u8], symbols: &[u8], out: &mut [u8]) {
    let table = Table::new(map);
    if map.len() <= 64 {
        map_bytes(symbols, out, |index| table.look_up::<6>(index));
    } else {
        map_bytes(symbols, out, |index| table.look_up::<8>(index));
    }
}

#[inline]
#[target_feature(enable = "avx512f,avx512bw")]
fn map_bytes(bytes: &[u8], out: &mut [u8], map: impl Fn(__m512i) -> __m512i) {
    let (groups, rest) = out.as_chunks_mut::<STEP>();
    let (full, last) = bytes.as_chunks::<STEP>();
    for (out, bytes) in groups.iter_mut().zip(full) {
        store(map(load(bytes)), out);
    }
    store_part(map(load_part(last)), rest);
}

/// Writes a mask of `n` bits; `step` gives the word of the keys from a position on, of which the
/// given bits count.
#[inline]
#[target_feature(enable = "avx512f")]
fn write_mask(mask: &mut [u8], n: usize, mut step: impl FnMut(usize, u64) -> u64) {
    let (words, last) = mask.split_at_mut(n / STEP * (STEP / 8));
    for (i, word) in words.as_chunks_mut().0.iter_mut().enumerate() {
        *word = step(STEP * i, u64::MAX).to_le_bytes();
    }
    let word = step(n / STEP * STEP, low_bits(n % STEP)).to_le_bytes();
    last.copy_from_slice(&word[..last.len()]);
}

#[target_feature(enable = "avx512f,avx512bw,avx512vbmi2,popcnt")]
pub(in crate::kernels) fn partition(
    split: u8,
    keys: &mut [u8],
    n: usize,
    mask: &mut [u8],
    right: &mut [u8],
) -> usize {
    let pivot = _mm512_set1_epi8(split as i8);
    let (mut kept, mut moved) = (0, 0);
    write_mask(mask, n, |at, bits| {
        // SAFETY: a step advances `at` by 64, and `kept` and `moved` together by at most as much,
        // so all three are at most `n`; both slices have 64 bytes more, as `Backend::partition`
        // has checked. What is kept overwrites only keys that were loaded before.
        unsafe {
            let group = _mm512_loadu_epi8(keys.as_ptr().add(at).cast());
            let goes_right = _mm512_cmpge_epu8_mask(group, pivot) & bits;
            let stays = !goes_right & bits;
            let left = _mm512_mask_compress_epi8(group, stays, group);
            _mm512_storeu_epi8(keys.as_mut_ptr().add(kept).cast(), left);
            let right_part = _mm512_mask_compress_epi8(group, goes_right, group);
            _mm512_storeu_epi8(right.as_mut_ptr().add(moved).cast(), right_part);
            kept += stays.count_ones() as usize;
            moved += goes_right.count_ones() as usize;
            goes_right
        }
    });
    moved
}

#[target_feature(enable = "avx512f,avx512bw,avx512vbmi2,popcnt")]
pub(in crate::kernels) fn take_right(
    split: u8,
    keys: &[u8],
    n: usize,
    mask: &mut [u8],
    right: &mut [u8],
) -> usize {
    let pivot = _mm512_set1_epi8(split as i8);
    let mut moved = 0;
    write_mask(mask, n, |at, bits| {
        // SAFETY: a step advances `at` by 64 and `moved` by at most as much, so both are at most
        // `n`; both slices have 64 bytes more, as `Backend::take_right` has checked.
        unsafe {
            let group = _mm512_loadu_epi8(keys.as_ptr().add(at).cast());
            let goes_right = _mm512_cmpge_epu8_mask(group, pivot) & bits;
            let right_part = _mm512_mask_compress_epi8(group, goes_right, group);
            _mm512_storeu_epi8(right.as_mut_ptr().add(moved).cast(), right_part);
            moved += goes_right.count_ones() as usize;
            goes_right
        }
    });
    moved
}

#[target_feature(enable = "avx512f,avx512bw,avx512vbmi")]
pub(in crate::kernels) fn pack(depth: u32, first: u8, keys: &[u8], packed: &mut [u8]) {
    for_depth!(depth, pack_depth(first, keys, packed));
}

/// Byte shuffle that closes the gaps between the D bytes used of every lane of 64 bits.
const fn gather_bytes<const D: usize>() -> [u8; 64] {
    let mut index = [0; 64];
    let mut i = 0;
    while i < 8 * D {
        index[i] = (i / D * 8 + i % D) as u8;
        i += 1;
    }
    index
}

/// Halves of a lane come together in three steps: bytes to pairs, to quadruples, to D bytes.
#[target_feature(enable = "avx512f,avx512bw,avx512vbmi")]
fn pack_depth<const D: usize>(first: u8, keys: &[u8], packed: &mut [u8]) {
    let gather = load(const { &gather_bytes::<D>() });
    let first = _mm512_set1_epi8(first as i8);
    let pack = |keys: __m512i| {
        let numbers = _mm512_sub_epi8(keys, first);
        // Multiplying by 1 and 2^D, then by 1 and 2^2D, puts an odd lane next to the even one.
        let pairs = _mm512_maddubs_epi16(_mm512_set1_epi16((1 | 1u16 << (8 + D)) as i16), numbers);
        let quadruples = _mm512_madd_epi16(pairs, _mm512_set1_epi32(1 | 1 << (16 + 2 * D)));
        let low = _mm512_and_si512(quadruples, _mm512_set1_epi64(0xffff_ffff));
        let high = _mm512_srli_epi64::<32>(quadruples);
        let high = _mm512_sllv_epi64(high, _mm512_set1_epi64(4 * D as i64));
        _mm512_permutexvar_epi8(gather, _mm512_or_si512(low, high))
    };
    let (groups, rest) = keys.as_chunks::<STEP>();
    let (full, last) = packed.split_at_mut(STEP / 8 * D * groups.len());
    for (keys, packed) in groups.iter().zip(full.chunks_exact_mut(STEP / 8 * D)) {
        store_part(pack(load(keys)), packed);
    }
    // Keys that are not there count as `first`, the number 0.
    let keys = _mm512_mask_mov_epi8(first, low_bits(rest.len()), load_part(rest));
    store_part(pack(keys), last);
}

#[target_feature(enable = "avx512f,avx512bw")]
pub(in crate::kernels) fn count_nibbles(symbols: &[u8]) -> Option<[u64; 16]> {
    let (groups, rest) = symbols.as_chunks::<STEP>();
    let rest = portable::count_nibbles(rest)?;
    let increments = NIBBLE_INCREMENTS.map(|table| broadcast(&table));
    let low = _mm512_set1_epi8(15);
    let zero = _mm512_setzero_si512();
    let mut sums = [zero; 16];
    for groups in groups.chunks(NIBBLE_LIMIT) {
        let mut counters = [zero; 8];
        let mut union = zero;
        for group in groups {
            let group = load(group);
            union = _mm512_or_si512(union, group);
            for (counter, &table) in counters.iter_mut().zip(&increments) {
                *counter = _mm512_add_epi8(*counter, _mm512_shuffle_epi8(table, group));
            }
        }
        if _mm512_cmpgt_epu8_mask(union, low) != 0 {
            return None;
        }
        for (sums, counter) in sums.as_chunks_mut::<2>().0.iter_mut().zip(counters) {
            let even = _mm512_and_si512(counter, low);
            let odd = _mm512_and_si512(_mm512_srli_epi16::<4>(counter), low);
            sums[0] = _mm512_add_epi64(sums[0], _mm512_sad_epu8(even, zero));
            sums[1] = _mm512_add_epi64(sums[1], _mm512_sad_epu8(odd, zero));
        }
    }
    Some(std::array::from_fn(|i| rest[i] + _mm512_reduce_add_epi64(sums[i]) as u64))
}

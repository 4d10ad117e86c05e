//! Partitioning, packing, counting.

use std::arch::x86_64::*;

use super::{STEP, broadcast, load, load_eight, store};
use crate::kernels::for_depth;
use crate::kernels::portable::{self, lanes};
use crate::kernels::tables::{COMPRESS, NIBBLE_INCREMENTS, NIBBLE_LIMIT};

#[target_feature(enable = "avx2")]
pub(in crate::kernels) fn translate(map: &[u8], symbols: &[u8], out: &mut [u8]) {
    if map.len() > 16 {
        return portable::translate(map, symbols, out);
    }
    let mut table = [0; 16];
    table[..map.len()].copy_from_slice(map);
    let table = broadcast(&table);
    let (groups, rest) = out.as_chunks_mut::<STEP>();
    let (full, last) = symbols.as_chunks::<STEP>();
    for (out, symbols) in groups.iter_mut().zip(full) {
        store(_mm256_shuffle_epi8(table, load(symbols)), out);
    }
    portable::translate(map, last, rest);
}

/// The keys of a group of eight whose bits are set, moved to the front.
#[inline]
#[target_feature(enable = "avx2")]
fn compress(keys: __m128i, mask: u8) -> __m128i {
    _mm_shuffle_epi8(keys, load_eight(&COMPRESS[usize::from(mask)]))
}

/// Writes a mask of `n` bits; `step` gives the byte of the keys from a position on, of which the
/// given bits count.
#[inline]
#[target_feature(enable = "avx2")]
fn write_mask(mask: &mut [u8], n: usize, mut step: impl FnMut(usize, u8) -> u8) {
    for (i, byte) in mask[..n / 8].iter_mut().enumerate() {
        *byte = step(8 * i, u8::MAX);
    }
    if let Some(last) = mask.get_mut(n / 8) {
        *last = step(n / 8 * 8, (1 << (n % 8)) - 1);
    }
}

/// Which of eight keys are at least `pivot`.
#[inline]
#[target_feature(enable = "avx2")]
fn at_least(keys: __m128i, pivot: __m128i) -> u8 {
    _mm_movemask_epi8(_mm_cmpeq_epi8(_mm_max_epu8(keys, pivot), keys)) as u8
}

#[target_feature(enable = "avx2,popcnt")]
pub(in crate::kernels) fn partition(
    split: u8,
    keys: &mut [u8],
    n: usize,
    mask: &mut [u8],
    right: &mut [u8],
) -> usize {
    let pivot = _mm_set1_epi8(split as i8);
    let (mut kept, mut moved) = (0, 0);
    write_mask(mask, n, |at, bits| {
        // SAFETY: a step advances `at` by eight, and `kept` and `moved` together by at most as
        // much, so all three are at most `n`; both slices have 64 bytes more, as
        // `Backend::partition` has checked. What is kept overwrites only keys loaded before.
        unsafe {
            let group = _mm_loadl_epi64(keys.as_ptr().add(at).cast());
            let goes_right = at_least(group, pivot) & bits;
            let stays = !goes_right & bits;
            _mm_storel_epi64(keys.as_mut_ptr().add(kept).cast(), compress(group, stays));
            _mm_storel_epi64(right.as_mut_ptr().add(moved).cast(), compress(group, goes_right));
            kept += stays.count_ones() as usize;
            moved += goes_right.count_ones() as usize;
            goes_right
        }
    });
    moved
}

#[target_feature(enable = "avx2,popcnt")]
pub(in crate::kernels) fn take_right(
    split: u8,
    keys: &[u8],
    n: usize,
    mask: &mut [u8],
    right: &mut [u8],
) -> usize {
    let pivot = _mm_set1_epi8(split as i8);
    let mut moved = 0;
    write_mask(mask, n, |at, bits| {
        // SAFETY: a step advances `at` by eight and `moved` by at most as much, so both are at
        // most `n`; both slices have 64 bytes more, as `Backend::take_right` has checked.
        unsafe {
            let group = _mm_loadl_epi64(keys.as_ptr().add(at).cast());
            let goes_right = at_least(group, pivot) & bits;
            _mm_storel_epi64(right.as_mut_ptr().add(moved).cast(), compress(group, goes_right));
            moved += goes_right.count_ones() as usize;
            goes_right
        }
    });
    moved
}

#[target_feature(enable = "avx2")]
pub(in crate::kernels) fn pack(depth: u32, first: u8, keys: &[u8], packed: &mut [u8]) {
    for_depth!(depth, pack_depth(first, keys, packed));
}

/// Byte shuffle that closes the gap between the D bytes used of each of a vector's halves.
const fn gather_bytes<const D: usize>() -> [u8; 16] {
    let mut index = [0x80; 16];
    let mut i = 0;
    while i < D {
        index[i] = i as u8;
        index[D + i] = (8 + i) as u8;
        i += 1;
    }
    index
}

/// As the portable kernel does it, in four lanes.
#[target_feature(enable = "avx2")]
fn pack_depth<const D: usize>(first: u8, keys: &[u8], packed: &mut [u8]) {
    let bytes = broadcast(const { &gather_bytes::<D>() });
    let pivot = _mm256_set1_epi8(first as i8);
    let mut done = 0;
    for keys in keys.as_chunks::<STEP>().0 {
        // 16 bytes are stored where 2D are meant; the next step overwrites the rest.
        let Some(next) = packed[STEP / 8 * D * done..].get_mut(..2 * D + 16) else {
            break;
        };
        let x = gather::<D>(_mm256_sub_epi8(load(keys), pivot));
        let x = _mm256_shuffle_epi8(x, bytes);
        // SAFETY: `next` has the bytes that are written.
        unsafe {
            _mm_storeu_si128(next.as_mut_ptr().cast(), _mm256_castsi256_si128(x));
            let high = _mm256_extracti128_si256::<1>(x);
            _mm_storeu_si128(next.as_mut_ptr().add(2 * D).cast(), high);
        }
        done += 1;
    }
    portable::pack(D as u32, first, &keys[STEP * done..], &mut packed[STEP / 8 * D * done..]);
}

/// Eight numbers of D bits, one per byte, to one run of bits in each lane of 64 bits.
#[inline]
#[target_feature(enable = "avx2")]
fn gather<const D: usize>(x: __m256i) -> __m256i {
    let together = |x, bits: usize, lane: usize| {
        let low = lanes(bits, 2 * lane);
        let moved = _mm256_srl_epi64(x, _mm_cvtsi64_si128((lane - bits) as i64));
        let high = _mm256_and_si256(moved, _mm256_set1_epi64x((low << bits) as i64));
        _mm256_or_si256(_mm256_and_si256(x, _mm256_set1_epi64x(low as i64)), high)
    };
    together(together(together(x, D, 8), 2 * D, 16), 4 * D, 32)
}

#[target_feature(enable = "avx2")]
pub(in crate::kernels) fn count_nibbles(symbols: &[u8]) -> Option<[u64; 16]> {
    let (groups, rest) = symbols.as_chunks::<STEP>();
    let rest = portable::count_nibbles(rest)?;
    let increments = NIBBLE_INCREMENTS.map(|table| broadcast(&table));
    let low = _mm256_set1_epi8(15);
    let zero = _mm256_setzero_si256();
    let mut sums = [zero; 16];
    for groups in groups.chunks(NIBBLE_LIMIT) {
        let mut counters = [zero; 8];
        let mut union = zero;
        for group in groups {
            let group = load(group);
            union = _mm256_or_si256(union, group);
            for (counter, &table) in counters.iter_mut().zip(&increments) {
                *counter = _mm256_add_epi8(*counter, _mm256_shuffle_epi8(table, group));
            }
        }
        if _mm256_testc_si256(low, union) == 0 {
            return None;
        }
        for (sums, counter) in sums.as_chunks_mut::<2>().0.iter_mut().zip(counters) {
            let even = _mm256_and_si256(counter, low);
            let odd = _mm256_and_si256(_mm256_srli_epi16::<4>(counter), low);
            sums[0] = _mm256_add_epi64(sums[0], _mm256_sad_epu8(even, zero));
            sums[1] = _mm256_add_epi64(sums[1], _mm256_sad_epu8(odd, zero));
        }
    }
    Some(std::array::from_fn(|i| rest[i] + sum_lanes(sums[i])))
}

#[inline]
#[target_feature(enable = "avx2")]
fn sum_lanes(x: __m256i) -> u64 {
    let sums = _mm_add_epi64(_mm256_castsi256_si128(x), _mm256_extracti128_si256::<1>(x));
    (_mm_cvtsi128_si64(sums) + _mm_extract_epi64::<1>(sums)) as u64
}

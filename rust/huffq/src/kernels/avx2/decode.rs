//! Merging and unpacking.

use std::arch::x86_64::*;

use super::{STEP, broadcast, store};
use crate::kernels::portable::{self, lanes};
use crate::kernels::tables::EXPAND;
use crate::kernels::{Ahead, for_depth};

/// Byte shuffle that expands 16 bytes under a mask, zero where a bit is clear.
#[inline]
#[target_feature(enable = "avx2,popcnt")]
fn expansion(mask: u16) -> __m128i {
    let [low, high] = mask.to_le_bytes();
    let (low, high) = (EXPAND[usize::from(low)], EXPAND[usize::from(high)]);
    let before_high = u64::from((mask as u8).count_ones()) * 0x0101_0101_0101_0101;
    let high = u64::from_le_bytes(high) + before_high;
    _mm_set_epi64x(high as i64, i64::from_le_bytes(low))
}

/// 32 bytes of a side: 16 from each of two positions.
///
/// # Safety
/// 16 bytes must be readable at both.
#[inline]
#[target_feature(enable = "avx2")]
unsafe fn load_halves(side: &[u8], low: usize, high: usize) -> __m256i {
    // SAFETY: as the caller promises.
    unsafe {
        let low = _mm_loadu_si128(side.as_ptr().add(low).cast());
        _mm256_set_m128i(_mm_loadu_si128(side.as_ptr().add(high).cast()), low)
    }
}

/// Merges 32 bytes a step as far as whole steps go, and returns how many came from the right.
///
/// `combine` gets the right side in place, zero elsewhere; the shuffle that put it there; and the
/// positions of the left side for the lower and the upper 16 bytes.
///
/// # Safety
/// `right` must have 64 bytes more than `out`. Positions of the left side are at most `out.len()`.
#[inline]
#[target_feature(enable = "avx2,popcnt")]
unsafe fn merge_with(
    mask: &[u8],
    right: &[u8],
    ahead: &mut Ahead,
    out: &mut [u8],
    combine: impl Fn(__m256i, __m256i, usize, usize) -> __m256i,
) -> usize {
    let (mut taken, mut lines) = (0, *ahead);
    let words = mask.as_chunks::<4>().0;
    for (i, (out, &word)) in out.as_chunks_mut::<STEP>().0.iter_mut().zip(words).enumerate() {
        lines.fetch_line();
        let word = u32::from_le_bytes(word);
        let middle = taken + (word as u16).count_ones() as usize;
        let shuffle = _mm256_set_m128i(expansion((word >> 16) as u16), expansion(word as u16));
        // SAFETY: a step advances the position by 32 and `taken` by at most as much, so `taken`
        // and `middle` are at most `out.len()`; `right` has 64 bytes more.
        let right = unsafe { load_halves(right, taken, middle) };
        let right = _mm256_shuffle_epi8(right, shuffle);
        store(combine(right, shuffle, STEP * i - taken, STEP * i + 16 - middle), out);
        taken += word.count_ones() as usize;
    }
    *ahead = lines;
    taken
}

#[target_feature(enable = "avx2,popcnt")]
pub(in crate::kernels) fn merge(
    mask: &[u8],
    left: &[u8],
    right: &[u8],
    ahead: &mut Ahead,
    out: &mut [u8],
) -> usize {
    let places =
        _mm256_broadcastsi128_si256(_mm_set_epi64x(0x0f0e_0d0c_0b0a_0908, 0x0706_0504_0302_0100));
    // 0x80 more than the place: subtracting a shuffle of the right side counts the clear bits
    // below and moves the mark from clear bits to set ones.
    let places = _mm256_or_si256(places, _mm256_set1_epi8(-0x80));
    let insert_left = |expanded, shuffle, low: usize, high: usize| {
        // SAFETY: both positions are at most `out.len()`; `left` has 64 bytes more, as
        // `Backend::merge` has checked.
        let left = unsafe { load_halves(left, low, high) };
        let left = _mm256_shuffle_epi8(left, _mm256_sub_epi8(places, shuffle));
        _mm256_or_si256(expanded, left)
    };
    let done = out.len() / STEP * STEP;
    // SAFETY: `Backend::merge` has checked the right side too.
    let taken = unsafe { merge_with(mask, right, ahead, out, insert_left) };
    let (left, right) = (&left[done - taken..], &right[taken..]);
    taken + portable::merge(&mask[done / 8..], left, right, ahead, &mut out[done..])
}

#[target_feature(enable = "avx2,popcnt")]
pub(in crate::kernels) fn merge_constant(
    mask: &[u8],
    left: u8,
    right: &[u8],
    ahead: &mut Ahead,
    out: &mut [u8],
) -> usize {
    let constant = _mm256_set1_epi8(left as i8);
    let fill_left = |expanded, shuffle, _, _| _mm256_blendv_epi8(expanded, constant, shuffle);
    let done = out.len() / STEP * STEP;
    // SAFETY: `Backend::merge_constant` has checked the right side.
    let taken = unsafe { merge_with(mask, right, ahead, out, fill_left) };
    let rest = &mut out[done..];
    taken + portable::merge_constant(&mask[done / 8..], left, &right[taken..], ahead, rest)
}

#[target_feature(enable = "avx2")]
pub(in crate::kernels) fn unpack(
    depth: u32,
    packed: &[u8],
    symbols: &[u8],
    ahead: &mut Ahead,
    out: &mut [u8],
) {
    for_depth!(depth, unpack_depth(packed, symbols, ahead, out));
}

/// Byte shuffle that puts D bytes into each of a vector's two halves.
const fn spread_bytes<const D: usize>() -> [u8; 16] {
    let mut index = [0x80; 16];
    let mut i = 0;
    while i < D {
        index[i] = i as u8;
        index[8 + i] = (D + i) as u8;
        i += 1;
    }
    index
}

/// As the portable kernel does it, in four lanes.
#[target_feature(enable = "avx2")]
fn unpack_depth<const D: usize>(packed: &[u8], symbols: &[u8], ahead: &mut Ahead, out: &mut [u8]) {
    let bytes = broadcast(const { &spread_bytes::<D>() });
    let table = Table::<D>::new(symbols);
    let (mut done, mut lines) = (0, *ahead);
    for out in out.as_chunks_mut::<STEP>().0 {
        lines.fetch_line();
        // 16 bytes are loaded where 2D are needed.
        let Some(next) = packed.get(STEP / 8 * D * done..).filter(|next| next.len() >= 2 * D + 16)
        else {
            break;
        };
        // SAFETY: `next` has the bytes that are read.
        let x = unsafe {
            let low = _mm_loadu_si128(next.as_ptr().cast());
            let high = _mm_loadu_si128(next.as_ptr().add(2 * D).cast());
            _mm256_shuffle_epi8(_mm256_set_m128i(high, low), bytes)
        };
        store(table.look_up(spread::<D>(x)), out);
        done += 1;
    }
    *ahead = lines;
    let (packed, out) = (&packed[STEP / 8 * D * done..], &mut out[STEP * done..]);
    portable::unpack(D as u32, packed, symbols, ahead, out);
}

/// Eight numbers of D bits in each lane of 64 bits to one per byte.
#[inline]
#[target_feature(enable = "avx2")]
fn spread<const D: usize>(x: __m256i) -> __m256i {
    let apart = |x, bits: usize, lane: usize| {
        let low = lanes(bits, 2 * lane);
        let moved = _mm256_sll_epi64(x, _mm_cvtsi64_si128((lane - bits) as i64));
        let high = _mm256_and_si256(moved, _mm256_set1_epi64x((low << lane) as i64));
        _mm256_or_si256(_mm256_and_si256(x, _mm256_set1_epi64x(low as i64)), high)
    };
    apart(apart(apart(x, 4 * D, 32), 2 * D, 16), D, 8)
}

/// A table of 2^D bytes, 16 to a vector.
struct Table<const D: usize>([__m256i; 8]);

impl<const D: usize> Table<D> {
    #[inline]
    #[target_feature(enable = "avx2")]
    fn new(entries: &[u8]) -> Self {
        let mut vectors = [_mm256_setzero_si256(); 8];
        for (vector, entries) in vectors.iter_mut().zip(entries.chunks(16)) {
            let mut sixteen = [0; 16];
            sixteen[..entries.len()].copy_from_slice(entries);
            *vector = broadcast(&sixteen);
        }
        Self(vectors)
    }

    /// The entries of 32 indices: looked up by the low four bits, then chosen by the others.
    #[inline]
    #[target_feature(enable = "avx2")]
    fn look_up(&self, index: __m256i) -> __m256i {
        let low = _mm256_and_si256(index, _mm256_set1_epi8(15));
        let mut found = self.0.map(|table| _mm256_shuffle_epi8(table, low));
        let mut bit = 4;
        while bit < D {
            // Blending looks at the highest bit of each byte.
            let choice = _mm256_sll_epi16(index, _mm_cvtsi64_si128(7 - bit as i64));
            for i in 0..1 << (D - 1 - bit) {
                found[i] = _mm256_blendv_epi8(found[2 * i], found[2 * i + 1], choice);
            }
            bit += 1;
        }
        found[0]
    }
}

//! Merging and unpacking.

use std::arch::x86_64::*;

use super::{STEP, Table, load, load_part, low_bits, store, store_part};
use crate::kernels::ahead::LINE;
use crate::kernels::{Ahead, for_depth};

/// How many bytes to write until `out` reaches a cache line, if those are whole bytes of a mask.
///
/// Storing whole lines is worth 5 % of decoding sparse data into an array that numpy allocated.
fn bytes_to_line(out: &[u8]) -> usize {
    let head = out.as_ptr().align_offset(LINE);
    if head.is_multiple_of(8) && head <= out.len() { head } else { 0 }
}

/// Up to eight bytes of a mask as a word, of which `bits` bits count.
fn short_word(mask: &[u8], bits: usize) -> u64 {
    let word = mask.iter().rev().fold(0, |word, &byte| word << 8 | u64::from(byte));
    word & low_bits(bits)
}

/// Merges 64 bytes a step into what `left` gives: for a mask word and a position of the left side,
/// a vector with that side's bytes where the word's bits are clear. It gets the right side's next
/// bytes too, as something to expand into.
///
/// # Safety
/// `right` must have 64 bytes more than `out`. Positions of the left side are at most `out.len()`.
#[inline]
#[target_feature(enable = "avx512f,avx512bw,avx512vbmi2,popcnt")]
unsafe fn merge_with(
    mask: &[u8],
    right: &[u8],
    ahead: &mut Ahead,
    out: &mut [u8],
    left: impl Fn(u64, usize, __m512i) -> __m512i,
) -> usize {
    let (mut taken, mut lines) = (0, *ahead);
    let mut step = |word: u64, at: usize| {
        lines.fetch_line();
        // SAFETY: a step advances `at` by 64 and `taken` by at most as much, so `taken` never
        // exceeds `at`, which is at most `out.len()`; `right` has 64 bytes more.
        let right = unsafe { _mm512_loadu_epi8(right.as_ptr().add(taken).cast()) };
        let left = left(word, at - taken, right);
        taken += word.count_ones() as usize;
        _mm512_mask_expand_epi8(left, word, right)
    };
    let head = bytes_to_line(out);
    let (head_mask, mask) = mask.split_at(head / 8);
    let (head_out, out) = out.split_at_mut(head);
    if head > 0 {
        store_part(step(short_word(head_mask, head), 0), head_out);
    }
    let (groups, rest) = out.as_chunks_mut::<STEP>();
    let (words, last) = mask.split_at(STEP / 8 * groups.len());
    for (i, (out, &word)) in groups.iter_mut().zip(words.as_chunks().0).enumerate() {
        store(step(u64::from_le_bytes(word), head + STEP * i), out);
    }
    let end = head + STEP * groups.len();
    store_part(step(short_word(last, rest.len()), end), rest);
    *ahead = lines;
    taken
}

#[target_feature(enable = "avx512f,avx512bw,avx512vbmi2,popcnt")]
pub(in crate::kernels) fn merge(
    mask: &[u8],
    left: &[u8],
    right: &[u8],
    ahead: &mut Ahead,
    out: &mut [u8],
) -> usize {
    let expand_left = |word: u64, at: usize, beneath| {
        // SAFETY: `at` is at most `out.len()`; `left` has 64 bytes more, as `Backend::merge` has
        // checked.
        let left = unsafe { _mm512_loadu_epi8(left.as_ptr().add(at).cast()) };
        _mm512_mask_expand_epi8(beneath, !word, left)
    };
    // SAFETY: `Backend::merge` has checked the right side too.
    unsafe { merge_with(mask, right, ahead, out, expand_left) }
}

#[target_feature(enable = "avx512f,avx512bw,avx512vbmi2,popcnt")]
pub(in crate::kernels) fn merge_constant(
    mask: &[u8],
    left: u8,
    right: &[u8],
    ahead: &mut Ahead,
    out: &mut [u8],
) -> usize {
    let left = _mm512_set1_epi8(left as i8);
    // SAFETY: `Backend::merge_constant` has checked the right side.
    unsafe { merge_with(mask, right, ahead, out, |_, _, _| left) }
}

#[target_feature(enable = "avx512f,avx512bw,avx512vbmi,avx512vbmi2,popcnt")]
pub(in crate::kernels) fn unpack(
    depth: u32,
    packed: &[u8],
    symbols: &[u8],
    ahead: &mut Ahead,
    out: &mut [u8],
) {
    for_depth!(depth, unpack_depth(packed, symbols, ahead, out));
}

/// Byte shuffle that puts eight numbers of D bits, D bytes, into every lane of 64 bits.
const fn spread_bytes<const D: usize>() -> [u8; 64] {
    let mut index = [0; 64];
    let mut i = 0;
    while i < 64 {
        // Bytes 8 - D and up of a lane only feed bits that are cut off.
        index[i] = (i / 8 * D + i % 8) as u8 & 63;
        i += 1;
    }
    index
}

/// Where in its lane each number of D bits begins.
const fn bit_offsets<const D: usize>() -> [u8; 64] {
    let mut offset = [0; 64];
    let mut i = 0;
    while i < 64 {
        offset[i] = (i % 8 * D) as u8;
        i += 1;
    }
    offset
}

#[target_feature(enable = "avx512f,avx512bw,avx512vbmi")]
fn unpack_depth<const D: usize>(packed: &[u8], symbols: &[u8], ahead: &mut Ahead, out: &mut [u8]) {
    let spread = load(const { &spread_bytes::<D>() });
    let offsets = load(const { &bit_offsets::<D>() });
    let mut entries = [0; 128];
    entries.chunks_exact_mut(1 << D).for_each(|period| period.copy_from_slice(symbols));
    let table = Table::new(&entries);
    let look_up = |packed: &[u8]| {
        let lanes = _mm512_permutexvar_epi8(spread, load_part(packed));
        // Bits above the lowest D belong to the next number; the table repeats for them.
        table.look_up::<D>(_mm512_multishift_epi64_epi8(offsets, lanes))
    };
    let (groups, rest) = out.as_chunks_mut::<STEP>();
    let (full, last) = packed.split_at(STEP / 8 * D * groups.len());
    let mut lines = *ahead;
    for (out, packed) in groups.iter_mut().zip(full.chunks_exact(STEP / 8 * D)) {
        lines.fetch_line();
        store(look_up(packed), out);
    }
    *ahead = lines;
    store_part(look_up(last), rest);
}

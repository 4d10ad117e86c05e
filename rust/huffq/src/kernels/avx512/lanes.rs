//! Codewords of mask bytes, joined four at a time.

use std::arch::x86_64::*;

use super::{STEP, Table, load_part, low_bits};
use crate::kernels::lanes::share;
use crate::kernels::{Codewords, Lane};

/// Codewords that are joined to a word.
const JOINED: usize = 4;

/// Words of a step.
const WORDS: usize = STEP / JOINED;

#[target_feature(enable = "avx512f,avx512bw,avx512vbmi,bmi1,bmi2")]
pub(in crate::kernels) fn encode_lanes(codewords: &Codewords, symbols: &[u8], lanes: &mut [Lane]) {
    let (low, high) = (Table::new(&codewords.low), Table::new(&codewords.high));
    let count = lanes.len();
    for (i, lane) in lanes.iter_mut().enumerate() {
        let symbols = &symbols[share(symbols.len(), count, i)];
        lane.reserve(symbols.len());
        let mut state = lane.state;
        for group in symbols.chunks(STEP) {
            let index = load_part(group);
            let present = low_bits(group.len());
            let low = _mm512_maskz_mov_epi8(present, low.look_up::<8>(index));
            let high = _mm512_maskz_mov_epi8(present, high.look_up::<8>(index));
            let (words, lengths) = join(low, high);
            let words = words.iter().zip(&lengths).take(group.len().div_ceil(JOINED));
            words.for_each(|(&word, &bits)| state.append(&mut lane.bytes, word, bits as u32));
        }
        lane.state = state;
    }
}

/// The joined codewords in the highest bits of words, in order, and how many bits they have, from
/// the two halves of each codeword and its length; where these are zero there is none.
#[inline]
#[target_feature(enable = "avx512f,avx512bw")]
fn join(low: __m512i, high: __m512i) -> ([u64; WORDS], [u64; WORDS]) {
    // Lanes of 128 bits: their first eight symbols, and their last eight.
    let halves = [_mm512_unpacklo_epi8(low, high), _mm512_unpackhi_epi8(low, high)];
    let (mut words, mut lengths) = ([0; WORDS], [0; WORDS]);
    for (half, entries) in halves.into_iter().enumerate() {
        let (joined, bits) = join_four(entries);
        let (mut half_words, mut half_lengths) = ([0; 8], [0; 8]);
        // SAFETY: the arrays have the 64 bytes that are written.
        unsafe {
            _mm512_storeu_epi64(half_words.as_mut_ptr().cast(), joined);
            _mm512_storeu_epi64(half_lengths.as_mut_ptr().cast(), bits);
        }
        for i in 0..8 {
            let place = i / 2 * 4 + 2 * half + i % 2;
            (words[place], lengths[place]) = (half_words[i], half_lengths[i]);
        }
    }
    (words, lengths)
}

/// Joins the codewords of each word: lanes of 16 bits with a codeword's eleven bits and above them
/// its length.
#[inline]
#[target_feature(enable = "avx512f,avx512bw")]
fn join_four(entries: __m512i) -> (__m512i, __m512i) {
    let codewords = _mm512_and_si512(entries, _mm512_set1_epi16(0x7ff));
    let lengths = _mm512_srli_epi16::<11>(entries);
    // Lanes of 32 bits: the first codeword times two to the second's length, plus the second. The
    // products of both halves are summed up by one instruction.
    let second_len = _mm512_srli_epi32::<16>(lengths);
    let factors = _mm512_sllv_epi16(_mm512_set1_epi16(1), second_len);
    let pairs = _mm512_madd_epi16(codewords, factors);
    let pair_len = _mm512_and_si512(_mm512_add_epi32(lengths, second_len), _mm512_set1_epi32(0xff));
    // Lanes of 64 bits: likewise, with shifts.
    let low_half = _mm512_set1_epi64(0xffff_ffff);
    let second_len = _mm512_srli_epi64::<32>(pair_len);
    let first = _mm512_sllv_epi64(_mm512_and_si512(pairs, low_half), second_len);
    let joined = _mm512_or_si512(first, _mm512_srli_epi64::<32>(pairs));
    let bits = _mm512_add_epi64(_mm512_and_si512(pair_len, low_half), second_len);
    let unused = _mm512_sub_epi64(_mm512_set1_epi64(64), bits);
    (_mm512_sllv_epi64(joined, unused), bits)
}

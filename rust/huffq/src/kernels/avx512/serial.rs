//! Codewords of the serial layout, joined eight at a time.

use std::arch::x86_64::*;

use super::{STEP, load};
use crate::kernels::serial::{Joined, ShortAlphabet};

#[target_feature(enable = "avx512f,avx512bw")]
pub(in crate::kernels) fn join_codewords(code: &ShortAlphabet, symbols: &[u8; STEP]) -> Joined {
    // SAFETY: the arrays have the 64 bytes that are read.
    let [codewords, lengths] = [&code.codewords, &code.lengths]
        .map(|table| unsafe { _mm512_loadu_epi16(table.as_ptr().cast()) });
    let (low_16, low_32) = (_mm512_set1_epi32(0xffff), _mm512_set1_epi64(0xffff_ffff));
    let symbols = load(symbols);
    let first = _mm512_and_si512(symbols, _mm512_set1_epi16(0xff));
    let second = _mm512_srli_epi16::<8>(symbols);
    let [first, first_len, second, second_len] = [
        _mm512_permutexvar_epi16(first, codewords),
        _mm512_permutexvar_epi16(first, lengths),
        _mm512_permutexvar_epi16(second, codewords),
        _mm512_permutexvar_epi16(second, lengths),
    ];
    // Lanes of 32 bits: the pair in their lower halves, and that in their upper ones.
    let low = join_32([first, second, second_len].map(|v| _mm512_and_si512(v, low_16)));
    let high = join_32([first, second, second_len].map(|v| _mm512_srli_epi32::<16>(v)));
    let pair_len = _mm512_add_epi16(first_len, second_len);
    let high_len = _mm512_srli_epi32::<16>(pair_len);
    let four_len = _mm512_add_epi32(_mm512_and_si512(pair_len, low_16), high_len);
    // Lanes of 64 bits, likewise.
    let first = join_64([low, high, high_len].map(|v| _mm512_and_si512(v, low_32)));
    let second = join_64([low, high, high_len].map(|v| _mm512_srli_epi64::<32>(v)));
    let first_len = _mm512_and_si512(four_len, low_32);
    let second_len = _mm512_srli_epi64::<32>(four_len);
    let mut joined = Joined::default();
    // SAFETY: the arrays have the 64 bytes that are written.
    unsafe {
        let bits = join_64([first, second, second_len]);
        _mm512_storeu_epi64(joined.bits.as_mut_ptr().cast(), bits);
        let lengths = _mm512_add_epi64(first_len, second_len);
        _mm512_storeu_epi64(joined.lengths.as_mut_ptr().cast(), lengths);
    }
    joined
}

/// A first codeword, and behind it a second of a length.
#[inline]
#[target_feature(enable = "avx512f")]
fn join_32([first, second, second_len]: [__m512i; 3]) -> __m512i {
    _mm512_or_si512(_mm512_sllv_epi32(first, second_len), second)
}

#[inline]
#[target_feature(enable = "avx512f")]
fn join_64([first, second, second_len]: [__m512i; 3]) -> __m512i {
    _mm512_or_si512(_mm512_sllv_epi64(first, second_len), second)
}

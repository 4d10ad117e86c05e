//! Tiles.

use std::arch::x86_64::*;

use super::{STEP, load, store};
use crate::kernels::portable;

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
pub(in crate::kernels) fn interleave(row_len: usize, back: bool, from: &[u8], to: &mut [u8]) {
    let sources = match row_len {
        8 => &SOURCES[0],
        16 => &SOURCES[1],
        32 => &SOURCES[2],
        _ => return portable::interleave(row_len, back, from, to),
    };
    let sources = &sources[usize::from(back)];
    // SAFETY: the array has the 64 bytes that are read.
    let sources = unsafe { _mm512_loadu_epi32(sources.as_ptr().cast()) };
    let (groups, rest) = to.as_chunks_mut::<STEP>();
    let (full, last) = from.as_chunks::<STEP>();
    for (to, from) in groups.iter_mut().zip(full) {
        store(_mm512_permutexvar_epi32(sources, load(from)), to);
    }
    if !rest.is_empty() {
        portable::interleave(row_len, back, last, rest);
    }
}

//! Classes of symbols: 64 look-ups in registers; streams expanded and compressed class by class.

use std::arch::x86_64::*;

use super::{STEP, Table, load, load_part, low_bits, store, store_part};
use crate::kernels::contexts::{ClassTable, Positions, each};

/// Vectors that take their symbols of one class one after another, before the next class: its
/// position then stays in a register.
const VECTORS: usize = 4;

#[target_feature(enable = "avx512f,avx512bw,avx512vbmi")]
pub(in crate::kernels) fn classify(
    table: &ClassTable,
    first: &[u8],
    second: &[u8],
    classes: &mut [u8],
) {
    if table.alphabet <= STEP {
        classify_depth::<6>(table, first, second, classes);
    } else {
        classify_depth::<8>(table, first, second, classes);
    }
}

#[target_feature(enable = "avx512f,avx512bw,avx512vbmi")]
fn classify_depth<const D: usize>(
    table: &ClassTable,
    first: &[u8],
    second: &[u8],
    classes: &mut [u8],
) {
    let (firsts, seconds) = (Table::new(&table.first), Table::new(&table.second));
    let table = Table::new(&table.classes);
    let look_up = |first: __m512i, second: __m512i| {
        let sum = _mm512_add_epi8(firsts.look_up::<D>(first), seconds.look_up::<D>(second));
        table.look_up::<7>(sum)
    };
    let (groups, rest) = classes.as_chunks_mut::<STEP>();
    let (first, first_rest) = first.as_chunks();
    let (second, second_rest) = second.as_chunks();
    for ((classes, first), second) in groups.iter_mut().zip(first).zip(second) {
        store(look_up(load(first), load(second)), classes);
    }
    store_part(look_up(load_part(first_rest), load_part(second_rest)), rest);
}

#[target_feature(enable = "avx512f,avx512bw,avx512vbmi2,popcnt")]
pub(in crate::kernels) fn collect(
    classes: &[u8],
    used: u32,
    streams: &[u8],
    positions: &mut Positions,
    out: &mut [u8],
) {
    let (groups, rest) = out.as_chunks_mut::<{ VECTORS * STEP }>();
    let (full, last) = classes.as_chunks::<{ VECTORS * STEP }>();
    for (out, classes) in groups.iter_mut().zip(full) {
        let places = classes.as_chunks::<STEP>().0;
        let places: [__m512i; VECTORS] = std::array::from_fn(|i| load(&places[i]));
        let mut symbols = [_mm512_setzero_si512(); VECTORS];
        for class in each(used) {
            let wanted = _mm512_set1_epi8(class as i8);
            let position = &mut positions[class];
            let mut at = *position;
            for (symbols, &places) in symbols.iter_mut().zip(&places) {
                let mask = _mm512_cmpeq_epi8_mask(places, wanted);
                // SAFETY: positions move on by one for each place at most, and `Backend::collect`
                // has checked that as many bytes as there are places, and 64 more, follow.
                let next = unsafe { _mm512_loadu_epi8(streams.as_ptr().add(at).cast()) };
                *symbols = _mm512_mask_expand_epi8(*symbols, mask, next);
                at += mask.count_ones() as usize;
            }
            *position = at;
        }
        for (out, symbols) in out.as_chunks_mut().0.iter_mut().zip(symbols) {
            store(symbols, out);
        }
    }
    for (out, classes) in rest.chunks_mut(STEP).zip(last.chunks(STEP)) {
        let places = load_part(classes);
        let valid = low_bits(classes.len());
        let mut symbols = _mm512_setzero_si512();
        for class in each(used) {
            let position = &mut positions[class];
            let mask = _mm512_cmpeq_epi8_mask(places, _mm512_set1_epi8(class as i8)) & valid;
            // SAFETY: as above.
            let next = unsafe { _mm512_loadu_epi8(streams.as_ptr().add(*position).cast()) };
            symbols = _mm512_mask_expand_epi8(symbols, mask, next);
            *position += mask.count_ones() as usize;
        }
        store_part(symbols, out);
    }
}

#[target_feature(enable = "avx512f,avx512bw,avx512vbmi2,popcnt")]
pub(in crate::kernels) fn distribute(
    classes: &[u8],
    used: u32,
    symbols: &[u8],
    streams: &mut [u8],
    positions: &mut Positions,
) {
    for (symbols, classes) in symbols.chunks(STEP).zip(classes.chunks(STEP)) {
        let valid = low_bits(classes.len());
        let (symbols, places) = (load_part(symbols), load_part(classes));
        for class in each(used) {
            let position = &mut positions[class];
            let mask = _mm512_cmpeq_epi8_mask(places, _mm512_set1_epi8(class as i8)) & valid;
            let next = _mm512_mask_compress_epi8(symbols, mask, symbols);
            // SAFETY: positions move on by one for each place at most, and `Backend::distribute`
            // has checked that as many bytes as there are places, and 64 more, follow.
            unsafe { _mm512_storeu_epi8(streams.as_mut_ptr().add(*position).cast(), next) };
            *position += mask.count_ones() as usize;
        }
    }
}

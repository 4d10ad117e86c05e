//! Classes of symbols: 64 look-ups in registers; streams expanded and compressed class by class.

use std::arch::x86_64::*;

use super::{STEP, Table, load, load_part, low_bits, store, store_part};
use crate::kernels::contexts::{ClassTable, Positions, Run, check_streams, pop};

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

/// Takes the next symbols of a class out of its stream, for the places that want it.
///
/// # Safety
/// 64 bytes must be readable at the position.
#[inline]
#[target_feature(enable = "avx512f,avx512bw,avx512vbmi2,bmi1,bmi2,popcnt")]
unsafe fn take(
    class: usize,
    places: __m512i,
    valid: u64,
    streams: &[u8],
    position: &mut usize,
    symbols: __m512i,
) -> __m512i {
    let mask = _mm512_mask_cmpeq_epi8_mask(valid, places, _mm512_set1_epi8(class as i8));
    // SAFETY: as the caller promises.
    let next = unsafe { _mm512_loadu_epi8(streams.as_ptr().add(*position).cast()) };
    *position += mask.count_ones() as usize;
    _mm512_mask_expand_epi8(symbols, mask, next)
}

#[target_feature(enable = "avx512f,avx512bw,avx512vbmi2,bmi1,bmi2,popcnt")]
pub(in crate::kernels) fn collect(
    runs: &[Run],
    mut classes: &[u8],
    streams: &[u8],
    positions: &mut Positions,
    mut out: &mut [u8],
) {
    check_streams(positions, classes.len(), streams.len());
    for &Run { len, used } in runs {
        let (here, behind) = std::mem::take(&mut out).split_at_mut(len);
        // SAFETY: positions move on by one for each place at most, and as many bytes as there are
        // places in all runs, and 64 more, follow each of them.
        unsafe { collect_run(&classes[..len], used, streams, positions, here) };
        (classes, out) = (&classes[len..], behind);
    }
}

/// # Safety
/// As many bytes as there are places, and 64 more, must follow every position.
#[inline]
#[target_feature(enable = "avx512f,avx512bw,avx512vbmi2,bmi1,bmi2,popcnt")]
unsafe fn collect_run(
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
        let mut used = used;
        while used != 0 {
            let class = pop(&mut used);
            let mut position = positions[class];
            for (symbols, &places) in symbols.iter_mut().zip(&places) {
                // SAFETY: positions move on by one for each place at most.
                *symbols =
                    unsafe { take(class, places, u64::MAX, streams, &mut position, *symbols) };
            }
            positions[class] = position;
        }
        for (out, symbols) in out.as_chunks_mut().0.iter_mut().zip(symbols) {
            store(symbols, out);
        }
    }
    for (out, classes) in rest.chunks_mut(STEP).zip(last.chunks(STEP)) {
        let (places, valid) = (load_part(classes), low_bits(classes.len()));
        // Two vectors: each expansion waits for the one before.
        let mut symbols = [_mm512_setzero_si512(); 2];
        let mut used = used;
        while used != 0 {
            for symbols in &mut symbols {
                // Without another class `pop` gives the first one, and nobody wants it.
                let wanted = if used == 0 { 0 } else { valid };
                let class = pop(&mut used);
                // SAFETY: as above.
                *symbols = unsafe {
                    take(class, places, wanted, streams, &mut positions[class], *symbols)
                };
            }
        }
        store_part(_mm512_or_si512(symbols[0], symbols[1]), out);
    }
}

#[target_feature(enable = "avx512f,avx512bw,avx512vbmi2,bmi1,bmi2,popcnt")]
pub(in crate::kernels) fn distribute(
    runs: &[Run],
    mut classes: &[u8],
    mut symbols: &[u8],
    streams: &mut [u8],
    positions: &mut Positions,
) {
    check_streams(positions, classes.len(), streams.len());
    for &Run { len, used } in runs {
        for (symbols, classes) in symbols[..len].chunks(STEP).zip(classes[..len].chunks(STEP)) {
            let valid = low_bits(classes.len());
            let (symbols, places) = (load_part(symbols), load_part(classes));
            let mut used = used;
            while used != 0 {
                let class = pop(&mut used);
                let position = &mut positions[class];
                let mask = _mm512_cmpeq_epi8_mask(places, _mm512_set1_epi8(class as i8)) & valid;
                let next = _mm512_mask_compress_epi8(symbols, mask, symbols);
                // SAFETY: positions move on by one for each place at most, and as many bytes as
                // there are places in all runs, and 64 more, follow each of them.
                unsafe { _mm512_storeu_epi8(streams.as_mut_ptr().add(*position).cast(), next) };
                *position += mask.count_ones() as usize;
            }
        }
        (classes, symbols) = (&classes[len..], &symbols[len..]);
    }
}

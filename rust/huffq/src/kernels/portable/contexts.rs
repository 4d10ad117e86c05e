//! Classes of symbols: a look-up and a stream position per symbol.

use crate::kernels::contexts::{ClassTable, MAX_CLASSES, Positions, each};

pub(in crate::kernels) fn classify(
    table: &ClassTable,
    first: &[u8],
    second: &[u8],
    classes: &mut [u8],
) {
    for ((class, &first), &second) in classes.iter_mut().zip(first).zip(second) {
        let sum = table.first[usize::from(first)].wrapping_add(table.second[usize::from(second)]);
        *class = table.classes[usize::from(sum & 127)];
    }
}

/// Positions of classes that are not used are only looked at, not moved.
fn put_back(used: u32, moved: &Positions, positions: &mut Positions) {
    each(used).for_each(|class| positions[class] = moved[class]);
}

/// A position for any class: unused ones begin at the streams' start.
fn used_positions(used: u32, positions: &Positions) -> Positions {
    let mut all = [0; MAX_CLASSES];
    put_back(used, positions, &mut all);
    all
}

pub(in crate::kernels) fn collect(
    classes: &[u8],
    used: u32,
    streams: &[u8],
    positions: &mut Positions,
    out: &mut [u8],
) {
    let mut all = used_positions(used, positions);
    for (out, &class) in out.iter_mut().zip(classes) {
        let position = &mut all[usize::from(class) % MAX_CLASSES];
        *out = streams[*position];
        *position += 1;
    }
    put_back(used, &all, positions);
}

pub(in crate::kernels) fn distribute(
    classes: &[u8],
    used: u32,
    symbols: &[u8],
    streams: &mut [u8],
    positions: &mut Positions,
) {
    let mut all = used_positions(used, positions);
    for (&symbol, &class) in symbols.iter().zip(classes) {
        let position = &mut all[usize::from(class) % MAX_CLASSES];
        streams[*position] = symbol;
        *position += 1;
    }
    put_back(used, &all, positions);
}

//! Classes of symbols: a look-up and a stream position per symbol.

use crate::kernels::contexts::{ClassTable, MAX_CLASSES, Positions, Run, check_streams};

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

pub(in crate::kernels) fn collect(
    _runs: &[Run],
    classes: &[u8],
    streams: &[u8],
    positions: &mut Positions,
    out: &mut [u8],
) {
    check_streams(positions, classes.len(), streams.len());
    for (out, &class) in out.iter_mut().zip(classes) {
        let position = &mut positions[usize::from(class) % MAX_CLASSES];
        *out = streams[*position];
        *position += 1;
    }
}

pub(in crate::kernels) fn distribute(
    _runs: &[Run],
    classes: &[u8],
    symbols: &[u8],
    streams: &mut [u8],
    positions: &mut Positions,
) {
    check_streams(positions, classes.len(), streams.len());
    for (&symbol, &class) in symbols.iter().zip(classes) {
        let position = &mut positions[usize::from(class) % MAX_CLASSES];
        streams[*position] = symbol;
        *position += 1;
    }
}

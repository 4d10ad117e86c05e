//! Blocks to sequences of channels and back; [`geometry`](crate::geometry) has the order.

use crate::Backend;
use crate::geometry::{Axis, Geometry, TILE};
use crate::kernels::Runs;
use crate::pivot::LINE;

/// Rows and columns that are transposed at a time.
const SQUARE: usize = 16;

/// The buffers of [`gather`] and [`scatter`].
#[derive(Debug, Default)]
pub(crate) struct Scratch {
    runs: Vec<u8>,
}

/// A block seen channel by channel.
struct View<'a> {
    geometry: &'a Geometry,
    /// Axes of one channel, at least one.
    axes: Vec<Axis>,
    run_len: usize,
}

impl<'a> View<'a> {
    fn new(geometry: &'a Geometry, samples: usize) -> Self {
        let mut axes = geometry.channel_axes(samples);
        if axes.is_empty() {
            axes.push(Axis { extent: 1, stride: 1 });
        }
        Self { geometry, axes, run_len: geometry.run_len(samples) }
    }

    /// Whether the block is a matrix of which each channel is a column.
    fn is_matrix(&self) -> bool {
        let columns = self.geometry.channels();
        columns > 1 && matches!(self.axes[..], [Axis { stride, .. }] if stride == columns)
    }

    /// Calls `copy(place in the block, place in the sequence)` for every run of the innermost
    /// axis; channels change fastest, since mostly their runs are neighbours in the block.
    fn for_each_run(&self, order: &[usize], copy: impl FnMut(usize, usize)) {
        let (inner, outer) = self.axes.split_last().expect("there is an axis");
        self.for_each_part(order, outer, inner.extent, copy);
    }

    /// Calls `copy(place in the block, place in the sequence, runs)` for the runs of the innermost
    /// axis, those along the axis next to it together, from the block to the sequence.
    fn for_each_series(&self, order: &[usize], mut copy: impl FnMut(usize, usize, Runs)) {
        let (inner, outer) = self.axes.split_last().expect("there is an axis");
        let (next, outer) = match outer.split_last() {
            Some((&next, outer)) => (next, outer),
            None => (Axis { extent: 1, stride: 0 }, outer),
        };
        let (count, len) = (next.extent, inner.extent);
        let runs = Runs { count, len, from_stride: next.stride, to_stride: len };
        self.for_each_part(order, outer, count * len, |start, place| copy(start, place, runs));
    }

    /// Calls `copy(place in the block, place in the sequence)` for every channel's parts of `len`
    /// symbols, which all axes but the `outer` ones span.
    fn for_each_part(
        &self,
        order: &[usize],
        outer: &[Axis],
        len: usize,
        mut copy: impl FnMut(usize, usize),
    ) {
        let slots = slots(order, self.run_len);
        let count: usize = outer.iter().map(|axis| axis.extent).product();
        for index in 0..count {
            let mut rest = index;
            let mut start = 0;
            for axis in outer.iter().rev() {
                start += rest % axis.extent * axis.stride;
                rest /= axis.extent;
            }
            for (channel, slot) in slots.iter().enumerate() {
                copy(start + channel * self.geometry.channel_stride(), slot + index * len);
            }
        }
    }
}

/// Brings `samples` samples into sequence: `order[i]` is the `i`-th channel in `out`, which is as
/// long as `symbols`.
pub(crate) fn gather(
    backend: Backend,
    geometry: &Geometry,
    samples: usize,
    order: &[usize],
    symbols: &[u8],
    scratch: &mut Scratch,
    out: &mut [u8],
) {
    if symbols.is_empty() {
        return;
    }
    let view = View::new(geometry, samples);
    let Some(plane) = geometry.plane() else {
        return gather_runs(backend, &view, order, symbols, out);
    };
    let inner = *view.axes.last().expect("there is an axis");
    if inner.stride != 1 || !inner.extent.is_multiple_of(plane.0 * plane.1) {
        scratch.runs.resize(out.len(), 0);
        gather_runs(backend, &view, order, symbols, &mut scratch.runs);
        return tile(backend, plane, Runs::one(out.len()), &scratch.runs, out);
    }
    view.for_each_series(order, |start, place, runs| {
        tile(backend, plane, runs, &symbols[start..], &mut out[place..]);
    });
}

/// The inverse of [`gather`].
pub(crate) fn scatter(
    backend: Backend,
    geometry: &Geometry,
    samples: usize,
    order: &[usize],
    sequence: &[u8],
    scratch: &mut Scratch,
    out: &mut [u8],
) {
    if out.is_empty() {
        return;
    }
    let view = View::new(geometry, samples);
    let Some(plane) = geometry.plane() else {
        return scatter_runs(backend, &view, order, sequence, out);
    };
    let inner = *view.axes.last().expect("there is an axis");
    if inner.stride != 1 || !inner.extent.is_multiple_of(plane.0 * plane.1) {
        scratch.runs.resize(out.len(), 0);
        untile(backend, plane, Runs::one(out.len()), sequence, &mut scratch.runs);
        return scatter_runs(backend, &view, order, &scratch.runs, out);
    }
    view.for_each_series(order, |start, place, runs| {
        untile(backend, plane, runs.reversed(), &sequence[place..], &mut out[start..]);
    });
}

/// [`gather`] without tiles.
fn gather_runs(backend: Backend, view: &View, order: &[usize], symbols: &[u8], out: &mut [u8]) {
    if view.is_matrix() {
        return columns_to_runs(backend, order, symbols, view.run_len, out);
    }
    let Axis { extent, stride } = *view.axes.last().expect("there is an axis");
    view.for_each_run(order, |start, place| {
        let out = &mut out[place..place + extent];
        if stride == 1 {
            out.copy_from_slice(&symbols[start..start + extent]);
        } else {
            let strided = symbols[start..].iter().step_by(stride);
            out.iter_mut().zip(strided).for_each(|(out, &symbol)| *out = symbol);
        }
    });
}

/// [`scatter`] without tiles.
fn scatter_runs(backend: Backend, view: &View, order: &[usize], sequence: &[u8], out: &mut [u8]) {
    if view.is_matrix() {
        return runs_to_columns(backend, order, sequence, view.run_len, out);
    }
    let Axis { extent, stride } = *view.axes.last().expect("there is an axis");
    view.for_each_run(order, |start, place| {
        let symbols = &sequence[place..place + extent];
        if stride == 1 {
            out[start..start + extent].copy_from_slice(symbols);
        } else {
            let strided = out[start..].iter_mut().step_by(stride);
            strided.zip(symbols).for_each(|(out, &symbol)| *out = symbol);
        }
    });
}

/// The columns of a matrix, in `order`, one after another.
fn columns_to_runs(
    backend: Backend,
    order: &[usize],
    matrix: &[u8],
    run_len: usize,
    out: &mut [u8],
) {
    let width = order.len();
    let slots = slots(order, run_len);
    for_each_square(&slots, run_len, |row, rows, slots| {
        backend.transpose(matrix, &rows, out, &slots.map(|slot| slot + row));
    });
    for_each_left_over(width, run_len, |row, column| {
        out[slots[column] + row] = matrix[row * width + column];
    });
}

/// The inverse of [`columns_to_runs`].
fn runs_to_columns(
    backend: Backend,
    order: &[usize],
    runs: &[u8],
    run_len: usize,
    matrix: &mut [u8],
) {
    let width = order.len();
    let slots = slots(order, run_len);
    for_each_square(&slots, run_len, |row, rows, slots| {
        backend.transpose(runs, &slots.map(|slot| slot + row), matrix, &rows);
    });
    for_each_left_over(width, run_len, |row, column| {
        matrix[row * width + column] = runs[slots[column] + row];
    });
}

/// Calls `transpose(row, places of the rows in the matrix, slots of the columns)` for all squares
/// of a matrix with a column for every slot.
fn for_each_square(
    slots: &[usize],
    height: usize,
    mut transpose: impl FnMut(usize, [usize; SQUARE], &[usize; SQUARE]),
) {
    let width = slots.len();
    let whole = height / SQUARE * SQUARE;
    // Squares below one another share cache lines of the columns' runs.
    for top in (0..whole).step_by(LINE) {
        for (column, slots) in slots.as_chunks().0.iter().enumerate() {
            for row in (top..whole.min(top + LINE)).step_by(SQUARE) {
                let place = |i| (row + i) * width + SQUARE * column;
                transpose(row, std::array::from_fn(place), slots);
            }
        }
    }
}

/// Where each channel's run begins.
fn slots(order: &[usize], run_len: usize) -> Vec<usize> {
    let mut slots = vec![0; order.len()];
    for (place, &channel) in order.iter().enumerate() {
        slots[channel] = place * run_len;
    }
    slots
}

/// Calls `copy` for the places of a matrix outside its squares.
fn for_each_left_over(width: usize, height: usize, mut copy: impl FnMut(usize, usize)) {
    for row in 0..height {
        let first = if row < height / SQUARE * SQUARE { width / SQUARE * SQUARE } else { 0 };
        (first..width).for_each(|column| copy(row, column));
    }
}

/// Rearranges runs of whole planes into tiles.
fn tile(backend: Backend, plane: (usize, usize), runs: Runs, planes: &[u8], out: &mut [u8]) {
    let (rows, columns) = plane;
    if columns % (2 * TILE.1) == 0 && rows % TILE.0 == 0 {
        return backend.interleave(columns, false, runs, planes, out);
    }
    runs.for_each(planes, out, |planes, out| {
        for_each_piece(plane, planes.len(), |from, to, len| {
            out[to..to + len].copy_from_slice(&planes[from..from + len]);
        });
    });
}

/// The inverse of [`tile`].
fn untile(backend: Backend, plane: (usize, usize), runs: Runs, tiles: &[u8], planes: &mut [u8]) {
    let (rows, columns) = plane;
    if columns % (2 * TILE.1) == 0 && rows % TILE.0 == 0 {
        return backend.interleave(columns, true, runs, tiles, planes);
    }
    runs.for_each(tiles, planes, |tiles, planes| {
        for_each_piece(plane, tiles.len(), |to, from, len| {
            planes[to..to + len].copy_from_slice(&tiles[from..from + len]);
        });
    });
}

/// Calls `copy(in planes, in tiles, length)` for every row of every tile, in the tiles' order.
fn for_each_piece(plane: (usize, usize), len: usize, mut copy: impl FnMut(usize, usize, usize)) {
    let (rows, columns) = plane;
    let mut place = 0;
    for start in (0..len).step_by(rows * columns) {
        for y in (0..rows).step_by(TILE.0) {
            for x in (0..columns).step_by(TILE.1) {
                let width = TILE.1.min(columns - x);
                for row in y..rows.min(y + TILE.0) {
                    copy(start + row * columns + x, place, width);
                    place += width;
                }
            }
        }
    }
}

//! Blocks to matrices and back: a row for each position, a column for each channel of each sample.
//!
//! Columns lie channel after channel in a given order, and within a channel sample after sample.
//! Rows lie in the order of the sequence (see [`geometry`](crate::geometry)): the second neighbour
//! axis outside, the first one inside.

use crate::Backend;
use crate::geometry::{Axis, Geometry};
use crate::kernels::SLACK;
use crate::pivot::LINE;

/// Rows and columns that are transposed at a time.
const SQUARE: usize = 16;

/// The matrix that belongs to a block of whole samples.
pub(super) struct Matrix<'a> {
    backend: Backend,
    geometry: &'a Geometry,
    order: &'a [usize],
    samples: usize,
    /// Where each column begins in the block.
    columns: Vec<usize>,
    /// The axes of a column, at least one.
    axes: Vec<Axis>,
}

/// Symbols that move together, and where they stand.
enum Piece {
    /// 16 lines of 64 bytes of the block; 64 rows of 16 bytes of the matrix from `first` on.
    Lines { lines: [usize; SQUARE], first: usize },
    /// 16 rows of 16 bytes of the block, 16 columns in the matrix. Of the rows, and of the symbols
    /// of each column, only so many are there.
    Square { rows: [usize; SQUARE], columns: [usize; SQUARE], count: usize },
    /// A single symbol.
    One { block: usize, matrix: usize },
}

impl<'a> Matrix<'a> {
    pub(super) fn new(
        backend: Backend,
        geometry: &'a Geometry,
        order: &'a [usize],
        samples: usize,
    ) -> Self {
        let column = |&channel: &usize| {
            let start = channel * geometry.channel_stride();
            (0..samples).map(move |sample| start + sample * geometry.sample_len())
        };
        let columns = order.iter().flat_map(column).collect();
        let mut axes = geometry.channel_axes(1);
        if axes.is_empty() {
            axes.push(Axis { extent: 1, stride: 1 });
        }
        Self { backend, geometry, order, samples, columns, axes }
    }

    /// Symbols of a row.
    pub(super) fn width(&self) -> usize {
        self.columns.len()
    }

    /// Brings a block's symbols into the matrix, which has [`SLACK`] bytes more.
    pub(super) fn gather(&self, block: &[u8], matrix: &mut [u8]) {
        let backend = self.backend;
        debug_assert!(matrix.len() >= block.len() + SLACK);
        let mut patch = [0; SQUARE * SQUARE];
        self.for_each_piece(|piece| match piece {
            Piece::Lines { lines, first } => {
                backend.lines_to_rows(block, &lines, matrix, first, self.width());
            }
            Piece::Square { rows, columns, count: SQUARE } => {
                backend.transpose(block, &rows, matrix, &columns);
            }
            Piece::Square { rows, columns, count } => {
                backend.transpose(block, &rows, &mut patch, &PATCH);
                for (column, to) in patch.as_chunks::<SQUARE>().0.iter().zip(columns) {
                    matrix[to..to + count].copy_from_slice(&column[..count]);
                }
            }
            Piece::One { block: from, matrix: to } => matrix[to] = block[from],
        });
    }

    /// The inverse of [`gather`](Self::gather).
    pub(super) fn scatter(&self, matrix: &[u8], block: &mut [u8]) {
        let backend = self.backend;
        debug_assert!(matrix.len() >= block.len() + SLACK);
        let mut patch = [0; SQUARE * SQUARE];
        self.for_each_piece(|piece| match piece {
            Piece::Lines { lines, first } => {
                backend.rows_to_lines(matrix, first, self.width(), block, &lines);
            }
            Piece::Square { rows, columns, count: SQUARE } => {
                backend.transpose(matrix, &columns, block, &rows);
            }
            Piece::Square { rows, columns, count } => {
                backend.transpose(matrix, &columns, &mut patch, &PATCH);
                for (row, &to) in patch.as_chunks::<SQUARE>().0.iter().zip(&rows[..count]) {
                    block[to..to + SQUARE].copy_from_slice(row);
                }
            }
            Piece::One { block: to, matrix: from } => block[to] = matrix[from],
        });
    }

    /// Covers the block with pieces as large as its axes allow; some overlap.
    fn for_each_piece(&'a self, each: impl FnMut(Piece)) {
        let inner = *self.axes.last().expect("there is an axis");
        if inner.stride == 1 && inner.extent >= SQUARE && self.width() >= SQUARE {
            self.along_positions(inner.extent, each);
        } else if self.geometry.channel_stride() == 1 && self.geometry.channels() >= SQUARE {
            self.along_channels(each);
        } else {
            self.one_by_one(each);
        }
    }

    /// Where the runs of positions begin in a column, and the number of each one's first position.
    fn runs(&'a self, run_len: usize, axes: &'a [Axis]) -> impl Iterator<Item = (usize, usize)> {
        let count: usize = axes.iter().map(|axis| axis.extent).product();
        (0..count).map(move |index| {
            let mut rest = index;
            let mut start = 0;
            for axis in axes.iter().rev() {
                start += rest % axis.extent * axis.stride;
                rest /= axis.extent;
            }
            (start, index * run_len)
        })
    }

    /// 16 columns by 64 positions, or 16, that are neighbours in the block.
    fn along_positions(&'a self, extent: usize, mut each: impl FnMut(Piece)) {
        let width = self.width();
        let outer = &self.axes[..self.axes.len() - 1];
        let height = if extent < LINE { SQUARE } else { LINE };
        for (start, first_row) in self.runs(extent, outer) {
            for row in tiles(extent, height) {
                for column in tiles(width, SQUARE) {
                    let place = |i| self.columns[column + i] + start + row;
                    let lines: [usize; SQUARE] = std::array::from_fn(place);
                    let first = (first_row + row) * width + column;
                    each(if height == LINE {
                        Piece::Lines { lines, first }
                    } else {
                        let columns = std::array::from_fn(|i| first + i * width);
                        Piece::Square { rows: lines, columns, count: SQUARE }
                    });
                }
            }
        }
    }

    /// 16 samples, or all, by 16 channels that are neighbours in the block, at one position.
    fn along_channels(&'a self, mut each: impl FnMut(Piece)) {
        let (width, samples) = (self.width(), self.samples);
        let mut slots = vec![0; self.order.len()];
        self.order.iter().enumerate().for_each(|(i, &channel)| slots[channel] = i * samples);
        let sample_len = self.geometry.sample_len();
        let count = SQUARE.min(samples);
        for (start, row) in self.runs(1, &self.axes) {
            for sample in tiles(samples, count) {
                // Samples that are not there are the first one.
                let at = |i| start + (sample + if i < count { i } else { 0 }) * sample_len;
                for channel in tiles(slots.len(), SQUARE) {
                    let place = |i| row * width + slots[channel + i] + sample;
                    let rows = std::array::from_fn(|i| at(i) + channel);
                    each(Piece::Square { rows, columns: std::array::from_fn(place), count });
                }
            }
        }
    }

    fn one_by_one(&'a self, mut each: impl FnMut(Piece)) {
        for (start, row) in self.runs(1, &self.axes) {
            for (i, column) in self.columns.iter().enumerate() {
                each(Piece::One { block: column + start, matrix: row * self.width() + i });
            }
        }
    }
}

/// Where the rows of a [`SQUARE`] begin that is not part of a larger matrix.
const PATCH: [usize; SQUARE] = {
    let mut rows = [0; SQUARE];
    let mut i = 0;
    while i < SQUARE {
        rows[i] = i * SQUARE;
        i += 1;
    }
    rows
};

/// Where pieces of `size` begin that cover `len`, at least as much: the last one may overlap the
/// one before.
fn tiles(len: usize, size: usize) -> impl Iterator<Item = usize> {
    (0..len).step_by(size.max(1)).map(move |at| at.min(len - size))
}

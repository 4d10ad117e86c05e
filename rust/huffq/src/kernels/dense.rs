//! The kernels that level `dense` adds.

use super::*;

/// Runs of bytes at regular places of two slices.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Runs {
    pub(crate) count: usize,
    pub(crate) len: usize,
    /// From where a run begins to where the next one does, in each slice.
    pub(crate) from_stride: usize,
    pub(crate) to_stride: usize,
}

impl Runs {
    /// All of two slices of `len` bytes.
    pub(crate) fn one(len: usize) -> Self {
        Self { count: 1, len, from_stride: 0, to_stride: 0 }
    }

    /// From the other slice to this one.
    pub(crate) fn reversed(self) -> Self {
        Self { from_stride: self.to_stride, to_stride: self.from_stride, ..self }
    }

    /// Calls `work` for each run, as it stands in both slices.
    ///
    /// # Panics
    /// If one does not.
    #[inline(always)]
    pub(crate) fn for_each(
        self,
        from: &[u8],
        to: &mut [u8],
        mut work: impl FnMut(&[u8], &mut [u8]),
    ) {
        for i in 0..self.count {
            let from = &from[i * self.from_stride..][..self.len];
            work(from, &mut to[i * self.to_stride..][..self.len]);
        }
    }
}

impl Backend {
    /// How many of the first `n` bits of `mask` are set.
    ///
    /// # Panics
    /// If `mask` has not `n` bits.
    pub(crate) fn count_ones(self, mask: &[u8], n: usize) -> usize {
        assert_eq!(mask.len(), n.div_ceil(8));
        dispatch!(self, count_ones(mask, n))
    }

    /// Transposes 16 rows of 16 bytes: row `i` begins at `from[rows[i]]`, column `i` goes to
    /// `to[columns[i]]` and on.
    ///
    /// # Panics
    /// If a row or a column does not lie within its slice.
    pub(crate) fn transpose(
        self,
        from: &[u8],
        rows: &[usize; 16],
        to: &mut [u8],
        columns: &[usize; 16],
    ) {
        dispatch!(self, transpose(from, rows, to, columns))
    }

    /// Rearranges the pairs of rows of `row_len` bytes, a multiple of eight, in all `runs`: their
    /// quadruples of bytes alternate, or with `back` do not any more. What does not make a whole
    /// pair is left out.
    ///
    /// # Panics
    /// If `row_len` is zero, or a run does not lie within its slice.
    pub(crate) fn interleave(
        self,
        row_len: usize,
        back: bool,
        runs: Runs,
        from: &[u8],
        to: &mut [u8],
    ) {
        assert!(row_len > 0);
        dispatch!(self, interleave(row_len, back, runs, from, to))
    }

    /// The smallest `a[i] + b[i]`, which must not overflow; the largest number if there is none.
    ///
    /// # Panics
    /// If `a` and `b` differ in length.
    pub(crate) fn min_sum(self, a: &[u32], b: &[u32]) -> u32 {
        assert_eq!(a.len(), b.len());
        dispatch!(self, min_sum(a, b))
    }

    /// The first of the codes in which symbols with these counts cost least, in sums that must not
    /// overflow. For every [`CODES`] codes `lengths` has, symbol after symbol, the length in each.
    ///
    /// # Panics
    /// If there is no symbol, or a group of codes lacks lengths.
    pub(crate) fn cheapest(self, counts: &[i16], lengths: &[i16]) -> usize {
        assert!(!counts.is_empty() && lengths.len().is_multiple_of(counts.len() * CODES));
        dispatch!(self, cheapest(counts, lengths))
    }

    /// Appends the codewords of `symbols` to the lanes, an equal share to each: the first ones get
    /// one more where the shares are not equal.
    ///
    /// # Panics
    /// If there are no lanes.
    pub(crate) fn encode_lanes(self, codewords: &Codewords, symbols: &[u8], lanes: &mut [Lane]) {
        dispatch!(self, encode_lanes(codewords, symbols, lanes))
    }

    /// Decodes all of `out` from lanes that are at bit `positions` of `data`, and advances these.
    /// Past the end of `data` there are zeros.
    ///
    /// # Panics
    /// If there are neither one nor [`MAX_LANES`] lanes.
    pub(crate) fn decode_lanes(
        self,
        data: &[u8],
        positions: &mut [usize],
        table: &LaneTable,
        out: &mut [u8],
    ) {
        assert!(positions.len() == 1 || positions.len() == MAX_LANES);
        dispatch!(self, decode_lanes(data, positions, table, out))
    }
}

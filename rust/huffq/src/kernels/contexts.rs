//! The kernels that level `max` adds.

use super::*;

/// Levels of a neighbour that are told apart at most: pairs of them index 128 classes.
pub(crate) const MAX_LEVELS: usize = 11;

/// Most classes whose streams a kernel works on.
pub(crate) const MAX_CLASSES: usize = 32;

/// Where each class's stream goes on.
pub(crate) type Positions = [usize; MAX_CLASSES];

/// The class of a symbol by its two neighbours: `classes[first[a] + second[b]]`.
#[derive(Clone, Debug)]
pub(crate) struct ClassTable {
    /// By the first neighbour's symbol, its level times the number of levels.
    pub first: [u8; 256],
    /// By the second neighbour's symbol, its level.
    pub second: [u8; 256],
    /// The sums are at most 127.
    pub classes: [u8; 128],
    /// Symbols are below this.
    pub alphabet: usize,
}

impl Backend {
    /// Transposes 16 lines of 64 bytes: line `i` begins at `from[lines[i]]`; row `i`, of 16 bytes,
    /// goes to `to[first + i * stride]` and on.
    ///
    /// # Panics
    /// If a line or a row does not lie within its slice.
    pub(crate) fn lines_to_rows(
        self,
        from: &[u8],
        lines: &[usize; 16],
        to: &mut [u8],
        first: usize,
        stride: usize,
    ) {
        check_rows(to.len(), first, stride);
        dispatch!(self, lines_to_rows(from, lines, to, first, stride))
    }

    /// The inverse of [`lines_to_rows`](Self::lines_to_rows).
    ///
    /// # Panics
    /// If a line or a row does not lie within its slice.
    pub(crate) fn rows_to_lines(
        self,
        from: &[u8],
        first: usize,
        stride: usize,
        to: &mut [u8],
        lines: &[usize; 16],
    ) {
        check_rows(from.len(), first, stride);
        dispatch!(self, rows_to_lines(from, first, stride, to, lines))
    }

    /// Looks up the class of every place whose neighbours are `first` and `second`.
    ///
    /// # Panics
    /// If the slices differ in length.
    pub(crate) fn classify(
        self,
        table: &ClassTable,
        first: &[u8],
        second: &[u8],
        classes: &mut [u8],
    ) {
        assert!(first.len() == classes.len() && second.len() == classes.len());
        dispatch!(self, classify(table, first, second, classes))
    }

    /// Takes the next symbol of its class's stream for every place: `out[i]` is
    /// `streams[positions[classes[i]]]`, and the position moves on. Places of a class whose bit in
    /// `used` is not set get arbitrary symbols.
    ///
    /// # Panics
    /// If a class of `used` has not `out.len()` + [`SLACK`] bytes from its position on, or `classes`
    /// and `out` differ in length.
    pub(crate) fn collect(
        self,
        classes: &[u8],
        used: u32,
        streams: &[u8],
        positions: &mut Positions,
        out: &mut [u8],
    ) {
        assert_eq!(classes.len(), out.len());
        check_streams(used, positions, out.len(), streams.len());
        dispatch!(self, collect(classes, used, streams, positions, out))
    }

    /// The inverse of [`collect`](Self::collect): appends every symbol to its class's stream. The
    /// [`SLACK`] bytes behind the place that a position has moved to are overwritten arbitrarily.
    ///
    /// # Panics
    /// As `collect`.
    pub(crate) fn distribute(
        self,
        classes: &[u8],
        used: u32,
        symbols: &[u8],
        streams: &mut [u8],
        positions: &mut Positions,
    ) {
        assert_eq!(classes.len(), symbols.len());
        check_streams(used, positions, symbols.len(), streams.len());
        dispatch!(self, distribute(classes, used, symbols, streams, positions))
    }
}

/// The classes whose bits are set.
#[inline(always)]
pub(super) fn each(used: u32) -> impl Iterator<Item = usize> {
    let below = |rest: &u32| (*rest != 0).then_some(rest & rest.wrapping_sub(1));
    let rests =
        std::iter::successors((used != 0).then_some(used), move |r| below(r).filter(|&r| r != 0));
    rests.map(|rest| rest.trailing_zeros() as usize)
}

fn check_rows(len: usize, first: usize, stride: usize) {
    let end = stride.checked_mul(63).and_then(|last| last.checked_add(first)?.checked_add(16));
    assert!(end.is_some_and(|end| end <= len), "the rows do not lie within their slice");
}

fn check_streams(used: u32, positions: &Positions, n: usize, len: usize) {
    let room = len.checked_sub(n + SLACK).expect("the streams have room for every symbol");
    assert!(each(used).all(|class| positions[class] <= room));
}

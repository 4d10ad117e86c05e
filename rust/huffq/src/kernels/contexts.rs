//! The kernels that level `max` adds.

use super::*;

/// Levels of a neighbour that are told apart at most: pairs of them index 128 classes.
pub(crate) const MAX_LEVELS: usize = 11;

/// Most classes whose streams a kernel works on.
pub(crate) const MAX_CLASSES: usize = 32;

/// Where each class's stream goes on.
pub(crate) type Positions = [usize; MAX_CLASSES];

/// Consecutive places of a few classes.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Run {
    /// Number of places.
    pub len: usize,
    /// One bit for each class that a place may have.
    pub used: u32,
}

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
    /// `streams[positions[classes[i]]]`, and the position moves on. `runs` says how the places
    /// follow one another. A place of a class that its run does not use gets an arbitrary symbol.
    ///
    /// # Panics
    /// If there are not `out.len()` + [`SLACK`] bytes from every position on, or `classes` and `out`
    /// are not as long as the runs together.
    pub(crate) fn collect(
        self,
        runs: &[Run],
        classes: &[u8],
        streams: &[u8],
        positions: &mut Positions,
        out: &mut [u8],
    ) {
        assert!(classes.len() == out.len() && out.len() == runs_len(runs));
        dispatch!(self, collect(runs, classes, streams, positions, out))
    }

    /// The inverse of [`collect`](Self::collect): appends every symbol to its class's stream. The
    /// [`SLACK`] bytes behind the place that a position has moved to are overwritten arbitrarily.
    ///
    /// # Panics
    /// As `collect`.
    pub(crate) fn distribute(
        self,
        runs: &[Run],
        classes: &[u8],
        symbols: &[u8],
        streams: &mut [u8],
        positions: &mut Positions,
    ) {
        assert!(classes.len() == symbols.len() && symbols.len() == runs_len(runs));
        dispatch!(self, distribute(runs, classes, symbols, streams, positions))
    }
}

fn runs_len(runs: &[Run]) -> usize {
    runs.iter().map(|run| run.len).sum()
}

fn check_rows(len: usize, first: usize, stride: usize) {
    let end = stride.checked_mul(63).and_then(|last| last.checked_add(first)?.checked_add(16));
    assert!(end.is_some_and(|end| end <= len), "the rows do not lie within their slice");
}

/// Checks that `n` symbols can be taken at every position, and [`SLACK`] bytes more. Kernels begin
/// with it, since in their instructions it takes no time.
#[inline(always)]
pub(super) fn check_streams(positions: &Positions, n: usize, len: usize) {
    let last = positions.iter().fold(0, |last, &position| last.max(position));
    assert!(last <= len && n + SLACK <= len - last, "the streams lack room for every symbol");
}

/// Takes the lowest class off a set.
#[inline(always)]
pub(super) fn pop(classes: &mut u32) -> usize {
    let lowest = classes.trailing_zeros() as usize % MAX_CLASSES;
    *classes &= classes.wrapping_sub(1);
    lowest
}

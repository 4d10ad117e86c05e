//! Memory that is needed soon.

use std::ops::Range;

/// Bytes of a cache line.
pub(super) const LINE: usize = 64;

/// Memory that decoding comes to soon, fetched line by line between the steps of its kernels.
///
/// What no cache holds takes as long to fetch as to decode. Lines asked for on the way come while
/// the kernels work; asked for all at once, they would only wait for one another.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Ahead {
    /// Addresses of what is needed first.
    first: Lines,
    second: Lines,
}

/// Addresses from `next` on, below `end`.
#[derive(Clone, Copy, Debug, Default)]
struct Lines {
    next: usize,
    end: usize,
}

impl Ahead {
    pub(crate) fn new(bytes: &[u8]) -> Self {
        Self { first: Lines::default(), second: Lines::of(bytes) }
    }

    /// These bytes first.
    pub(crate) fn after(self, bytes: &[u8]) -> Self {
        Self { first: Lines::of(bytes), ..self }
    }

    /// Fetches the next lines, `bytes` bytes at least, if there are so many left.
    pub(crate) fn fetch(&mut self, bytes: usize) {
        (0..bytes.div_ceil(LINE)).for_each(|_| self.fetch_line());
    }

    /// Fetches the next line, if there is one left.
    #[inline(always)]
    pub(super) fn fetch_line(&mut self) {
        if self.first.next < self.first.end {
            self.first.fetch();
        } else if self.second.next < self.second.end {
            self.second.fetch();
        }
    }
}

impl Lines {
    fn of(bytes: &[u8]) -> Self {
        if bytes.is_empty() {
            return Self::default();
        }
        let Range { start, end } = bytes.as_ptr_range();
        Self { next: start.addr() / LINE * LINE, end: end.addr() }
    }

    /// Into the second-level cache: the first one has no room for a block.
    #[inline(always)]
    fn fetch(&mut self) {
        #[cfg(target_arch = "x86_64")]
        {
            use std::arch::x86_64::{_MM_HINT_T1, _mm_prefetch};
            // SAFETY: prefetching reads nothing that the program sees, whatever the address.
            unsafe { _mm_prefetch::<_MM_HINT_T1>(std::ptr::without_provenance(self.next)) };
        }
        self.next += LINE;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nothing_of_nothing_is_fetched() {
        let bytes = [0; LINE];
        let lines = Lines::of(&bytes[7..7]);
        assert!(lines.next >= lines.end);
    }

    #[test]
    fn every_line_is_fetched_once_and_in_order() {
        let bytes = vec![0; 10 * LINE];
        let (first, second) = (&bytes[3 * LINE + 7..5 * LINE + 1], &bytes[9 * LINE..]);
        let mut ahead = Ahead::new(second).after(first);
        let lines = |lines: Lines| lines.end.saturating_sub(lines.next).div_ceil(LINE);
        let (of_first, of_second) = (lines(ahead.first), lines(ahead.second));
        assert!((2..=3).contains(&of_first) && (1..=2).contains(&of_second));
        for step in 1..=of_first + of_second + 3 {
            ahead.fetch(LINE - 1);
            assert_eq!(lines(ahead.first), of_first.saturating_sub(step));
            assert_eq!(
                lines(ahead.second),
                (of_first + of_second).saturating_sub(step).min(of_second)
            );
        }
    }
}

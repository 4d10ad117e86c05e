//! Memory that ends, or begins, at a page that nobody may touch.
#![allow(dead_code, reason = "not every test binary uses all of it")]

use std::ptr::null_mut;
use std::slice;

/// A buffer between two unmapped pages.
pub struct Guarded {
    base: *mut u8,
    page: usize,
    pages: usize,
}

impl Guarded {
    /// Room for at least `capacity` bytes.
    pub fn new(capacity: usize) -> Self {
        // SAFETY: no preconditions.
        let page = unsafe { libc::sysconf(libc::_SC_PAGESIZE) } as usize;
        let pages = capacity.div_ceil(page).max(1);
        let (prot, flags) = (libc::PROT_NONE, libc::MAP_PRIVATE | libc::MAP_ANONYMOUS);
        // SAFETY: a new anonymous mapping, of which all but the first and last page are opened.
        let base = unsafe {
            let base = libc::mmap(null_mut(), (pages + 2) * page, prot, flags, -1, 0);
            assert_ne!(base, libc::MAP_FAILED);
            let inner = base.cast::<u8>().add(page);
            let open = libc::PROT_READ | libc::PROT_WRITE;
            assert_eq!(libc::mprotect(inner.cast(), pages * page, open), 0);
            base.cast()
        };
        Self { base, page, pages }
    }

    /// The last `n` bytes, against the page behind.
    pub fn last(&mut self, n: usize) -> &mut [u8] {
        assert!(n <= self.pages * self.page);
        // SAFETY: the range lies within the open pages.
        unsafe {
            let end = self.base.add((self.pages + 1) * self.page);
            slice::from_raw_parts_mut(end.sub(n), n)
        }
    }

    /// The first `n` bytes, against the page before.
    pub fn first(&mut self, n: usize) -> &mut [u8] {
        assert!(n <= self.pages * self.page);
        // SAFETY: the range lies within the open pages.
        unsafe { slice::from_raw_parts_mut(self.base.add(self.page), n) }
    }

    /// The last bytes, a copy of `bytes`.
    pub fn copy(&mut self, bytes: &[u8]) -> &mut [u8] {
        let last = self.last(bytes.len());
        last.copy_from_slice(bytes);
        last
    }
}

impl Drop for Guarded {
    fn drop(&mut self) {
        // SAFETY: the mapping is this value's own.
        unsafe { libc::munmap(self.base.cast(), (self.pages + 2) * self.page) };
    }
}

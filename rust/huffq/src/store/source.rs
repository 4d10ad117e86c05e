//! Bytes by position: what a reader needs of a file, wherever it lies.

use std::cell::Cell;
use std::fs::File;
use std::io;
use std::os::unix::fs::FileExt;

use crate::error::{Error, Result};

/// Bytes that a thread keeps for reading, at most.
const KEPT_BYTES: usize = 1 << 20;

/// A file, or something like it, whose bytes are read by position from any number of threads.
pub trait ReadAt: Send + Sync {
    /// Number of bytes.
    ///
    /// # Errors
    /// [`Error::Io`].
    fn size(&self) -> Result<u64>;

    /// Fills `out` with the bytes from `offset` on.
    ///
    /// # Errors
    /// [`Error::Truncated`] if there are not that many; [`Error::Io`].
    fn read_at(&self, offset: u64, out: &mut [u8]) -> Result<()>;

    /// Bytes up to which neighbouring blocks are fetched in one go.
    fn run_bytes(&self) -> usize {
        1 << 18
    }

    /// Whether reading mostly waits, so that it is left to threads that have nothing else to do.
    fn is_remote(&self) -> bool {
        false
    }

    /// Bytes at the end of the file that opening asks for first.
    fn tail_bytes(&self) -> usize {
        1 << 12
    }
}

impl ReadAt for File {
    fn size(&self) -> Result<u64> {
        Ok(self.metadata()?.len())
    }

    fn read_at(&self, offset: u64, out: &mut [u8]) -> Result<()> {
        self.read_exact_at(out, offset).map_err(|error| match error.kind() {
            io::ErrorKind::UnexpectedEof => {
                let available = self.metadata().map_or(0, |m| m.len().saturating_sub(offset));
                Error::Truncated { what: "a record", needed: out.len() as u64, available }
            }
            _ => error.into(),
        })
    }
}

/// `len` bytes from `offset` of a source of `size` bytes.
pub(super) fn read_bytes(source: &dyn ReadAt, size: u64, offset: u64, len: u64) -> Result<Vec<u8>> {
    let mut bytes = Vec::new();
    read_into(&mut bytes, source, size, offset, len)?;
    Ok(bytes)
}

/// Works with `len` bytes from `offset` of a source of `size` bytes, in memory that this thread
/// keeps for the next ones.
pub(super) fn with_bytes<T>(
    source: &dyn ReadAt,
    size: u64,
    offset: u64,
    len: u64,
    work: impl FnOnce(&[u8]) -> Result<T>,
) -> Result<T> {
    thread_local! {
        static KEPT: Cell<Vec<u8>> = const { Cell::new(Vec::new()) };
    }
    let mut bytes = KEPT.take();
    let result = read_into(&mut bytes, source, size, offset, len).and_then(|()| work(&bytes));
    if bytes.capacity() <= KEPT_BYTES {
        KEPT.set(bytes);
    }
    result
}

fn read_into(
    bytes: &mut Vec<u8>,
    source: &dyn ReadAt,
    size: u64,
    offset: u64,
    len: u64,
) -> Result<()> {
    let available = size.saturating_sub(offset);
    if len > available {
        return Err(Error::Truncated { what: "a record", needed: len, available });
    }
    bytes.resize(len as usize, 0);
    source.read_at(offset, bytes)
}

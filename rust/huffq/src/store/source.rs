//! Bytes by position: what a reader needs of a file, wherever it lies.

use std::fs::File;
use std::io;
use std::os::unix::fs::FileExt;

use crate::error::{Error, Result};

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
    let available = size.saturating_sub(offset);
    if len > available {
        return Err(Error::Truncated { what: "a record", needed: len, available });
    }
    let mut bytes = vec![0; len as usize];
    source.read_at(offset, &mut bytes)?;
    Ok(bytes)
}

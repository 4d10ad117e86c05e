//! A file somewhere else, read by a function of Python's.

use std::io;

use huffq::store::ReadAt;
use huffq::{Error, Result};
use pyo3::prelude::*;
use pyo3::pybacked::PyBackedBytes;

use crate::exit::Read;

/// Neighbouring blocks are fetched in one request up to these bytes: a request takes longer than
/// they do.
const RUN_BYTES: usize = 1 << 23;

/// Bytes at the end that hold the root of the index, unless metadata are long: the schema, and for a
/// group, which takes megabytes, a few dozen bytes. Of a file of terabytes, or one that is said to be,
/// it is only the end.
fn tail_bytes(size: u64) -> usize {
    (size >> 16).clamp(1 << 18, 1 << 26) as usize
}

/// What `read(offset, length)` returns of `size` bytes.
pub struct Source {
    size: u64,
    read: Py<PyAny>,
}

impl Source {
    pub fn new(size: u64, read: Py<PyAny>) -> Self {
        Self { size, read }
    }
}

impl ReadAt for Source {
    fn size(&self) -> Result<u64> {
        Ok(self.size)
    }

    fn read_at(&self, offset: u64, out: &mut [u8]) -> Result<()> {
        let _read = Read::begin()?;
        let bytes = Python::attach(|py| -> PyResult<PyBackedBytes> {
            Ok(self.read.bind(py).call1((offset, out.len()))?.extract()?)
        });
        let bytes = bytes.map_err(|error| Error::Io(io::Error::other(error)))?;
        if bytes.len() != out.len() {
            let (needed, available) = (out.len() as u64, bytes.len() as u64);
            return Err(Error::Truncated { what: "a range of the source", needed, available });
        }
        out.copy_from_slice(&bytes);
        Ok(())
    }

    fn is_remote(&self) -> bool {
        true
    }

    fn run_bytes(&self) -> usize {
        RUN_BYTES
    }

    fn tail_bytes(&self) -> usize {
        tail_bytes(self.size)
    }
}

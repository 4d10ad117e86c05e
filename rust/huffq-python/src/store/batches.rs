//! Samples that are decoded ahead.

use std::path::PathBuf;

use huffq::store::{Batches, Buffer};
use numpy::PyArray1;
use pyo3::prelude::*;
use pyo3::types::PyDict;

use crate::error::in_file;

/// Codes of the fields that were asked for, and the samples' lengths of ragged ones.
type PyChunk<'py> = Vec<(StoreBuffer, Option<Bound<'py, PyArray1<u64>>>)>;

/// Chunks of samples, decoded ahead.
#[pyclass(frozen, module = "huffq._huffq")]
pub struct StoreBatches {
    pub(super) path: PathBuf,
    pub(super) batches: Batches,
}

#[pymethods]
impl StoreBatches {
    fn __iter__(slf: Py<Self>) -> Py<Self> {
        slf
    }

    fn __next__<'py>(&self, py: Python<'py>) -> PyResult<Option<PyChunk<'py>>> {
        let Some(chunk) = py.detach(|| self.batches.next()) else { return Ok(None) };
        let field = |(codes, lengths): (Buffer, Option<Vec<u64>>)| {
            let lengths = lengths.map(|lengths| PyArray1::from_vec(py, lengths));
            (StoreBuffer::new(codes), lengths)
        };
        Ok(Some(chunk.map_err(in_file(&self.path))?.into_iter().map(field).collect()))
    }
}

/// Bytes for an array that keeps it alive; when the last such array is gone, their memory is used
/// again.
#[pyclass(frozen, module = "huffq._huffq")]
pub struct StoreBuffer {
    /// Where its bytes are; nothing but arrays looks at them.
    address: usize,
    buffer: Buffer,
}

impl StoreBuffer {
    fn new(mut buffer: Buffer) -> Self {
        let address = buffer.as_mut().as_mut_ptr().expose_provenance();
        Self { address, buffer }
    }
}

#[pymethods]
impl StoreBuffer {
    /// How numpy finds the bytes.
    #[getter]
    fn __array_interface__<'py>(&self, py: Python<'py>) -> PyResult<Bound<'py, PyDict>> {
        let interface = PyDict::new(py);
        interface.set_item("version", 3)?;
        interface.set_item("typestr", "|u1")?;
        interface.set_item("shape", (self.buffer.as_ref().len(),))?;
        interface.set_item("data", (self.address, false))?;
        Ok(interface)
    }
}

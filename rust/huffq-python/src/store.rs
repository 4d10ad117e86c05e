//! The `.huffq` file.

use std::path::PathBuf;
use std::sync::{Mutex, MutexGuard, PoisonError};

use huffq::Error;
use huffq::store::{FieldSummary, Reader, Schema, Writer};
use numpy::{PyArray1, PyReadonlyArray1, PyReadwriteArray1};
use pyo3::exceptions::{PyIndexError, PyValueError};
use pyo3::prelude::*;

use crate::error::{in_file, threads as checked_threads, to_py};

/// Counts by symbol, bytes of the blocks, seconds of encoding.
type PyFieldSummary<'py> = (Bound<'py, PyArray1<u64>>, u64, f64);

/// Writes one file; `None` inside once it is finished or given up.
#[pyclass(frozen, module = "huffq._huffq")]
pub struct StoreWriter {
    path: PathBuf,
    writer: Mutex<Option<Writer>>,
}

#[pymethods]
impl StoreWriter {
    #[new]
    fn new(path: PathBuf, schema: &str, threads: Option<i64>) -> PyResult<Self> {
        let schema = Schema::from_json(schema).map_err(to_py)?;
        let threads = checked_threads(threads)?;
        let writer = Writer::create(&path, schema, threads).map_err(in_file(&path))?;
        Ok(Self { path, writer: Mutex::new(Some(writer)) })
    }

    /// Appends samples; on an error the file is given up.
    fn write(
        &self,
        py: Python<'_>,
        samples: usize,
        batch: Vec<PyReadonlyArray1<'_, u8>>,
    ) -> PyResult<()> {
        let slices = batch.iter().map(|a| a.as_slice()).collect::<Result<Vec<_>, _>>()?;
        py.detach(|| {
            let mut guard = self.lock();
            let writer = guard.as_mut().ok_or_else(closed)?;
            let result = writer.write(samples, &slices);
            if result.is_err() {
                *guard = None;
            }
            result.map_err(in_file(&self.path))
        })
    }

    /// Completes the file: samples, bytes, and a summary of each field.
    fn finish<'py>(&self, py: Python<'py>) -> PyResult<(u64, u64, Vec<PyFieldSummary<'py>>)> {
        let summary = py.detach(|| {
            let writer = self.lock().take().ok_or_else(closed)?;
            writer.finish().map_err(in_file(&self.path))
        })?;
        let field = |f: &FieldSummary| {
            (PyArray1::from_slice(py, &f.counts), f.bytes, f.encode_time.as_secs_f64())
        };
        Ok((summary.samples, summary.bytes, summary.fields.iter().map(field).collect()))
    }

    /// Gives the file up and removes what was written of it.
    fn abort(&self) {
        self.lock().take();
    }
}

impl StoreWriter {
    fn lock(&self) -> MutexGuard<'_, Option<Writer>> {
        // What a panic left is given up like any other unfinished file.
        self.writer.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn closed() -> PyErr {
    PyValueError::new_err("this file is finished or was given up; begin a new one")
}

/// Reads one file.
#[pyclass(frozen, module = "huffq._huffq")]
pub struct StoreReader {
    path: PathBuf,
    reader: Reader,
}

#[pymethods]
impl StoreReader {
    #[new]
    fn new(py: Python<'_>, path: PathBuf) -> PyResult<Self> {
        let reader = py.detach(|| Reader::open(&path)).map_err(in_file(&path))?;
        Ok(Self { path, reader })
    }

    /// The schema as JSON.
    #[getter]
    fn schema(&self) -> String {
        self.reader.schema().to_json()
    }

    #[getter]
    fn samples(&self) -> u64 {
        self.reader.samples()
    }

    /// Number of blocks of a field.
    fn blocks(&self, field: usize) -> PyResult<usize> {
        self.check_field(field)?;
        Ok(self.reader.blocks(field))
    }

    /// Bytes of a field's blocks.
    fn encoded_bytes(&self, field: usize) -> PyResult<u64> {
        self.check_field(field)?;
        Ok(self.reader.encoded_bytes(field))
    }

    /// Decodes samples `start` to `stop` into the bytes of an array in C order.
    fn read_range(
        &self,
        py: Python<'_>,
        field: usize,
        start: u64,
        stop: u64,
        mut out: PyReadwriteArray1<'_, u8>,
        threads: Option<i64>,
    ) -> PyResult<()> {
        let out = out.as_slice_mut()?;
        self.read(py, field, threads, |threads| {
            self.reader.read_range(field, start..stop, out, threads)
        })
    }

    /// Decodes the samples of the given numbers into the bytes of an array in C order.
    fn read_samples(
        &self,
        py: Python<'_>,
        field: usize,
        samples: PyReadonlyArray1<'_, u64>,
        mut out: PyReadwriteArray1<'_, u8>,
        threads: Option<i64>,
    ) -> PyResult<()> {
        let (samples, out) = (samples.as_slice()?, out.as_slice_mut()?);
        self.read(py, field, threads, |threads| {
            self.reader.read_samples(field, samples, out, threads)
        })
    }

    /// Reads and decodes blocks `start` to `stop` of a field.
    fn verify(
        &self,
        py: Python<'_>,
        field: usize,
        start: u64,
        stop: u64,
        threads: Option<i64>,
    ) -> PyResult<()> {
        self.read(py, field, threads, |threads| self.reader.verify(field, start..stop, threads))
    }
}

impl StoreReader {
    fn check_field(&self, field: usize) -> PyResult<()> {
        if field >= self.reader.schema().fields.len() {
            return Err(PyIndexError::new_err(format!("there is no field number {field}")));
        }
        Ok(())
    }

    fn read(
        &self,
        py: Python<'_>,
        field: usize,
        threads: Option<i64>,
        read: impl FnOnce(huffq::Threads) -> Result<(), Error> + Send,
    ) -> PyResult<()> {
        self.check_field(field)?;
        let threads = checked_threads(threads)?;
        py.detach(|| read(threads)).map_err(in_file(&self.path))
    }
}

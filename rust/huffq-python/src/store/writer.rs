//! Files that are written.

use std::path::PathBuf;
use std::sync::{Mutex, MutexGuard, PoisonError};

use huffq::store::{self, Batch, FieldSummary, ShardSummary, Writer};
use numpy::PyReadonlyArray1;
use pyo3::exceptions::PyValueError;
use pyo3::prelude::*;

use super::{PyTotals, py_totals};
use crate::error::{in_file, threads as checked_threads};

/// Totals, symbols that were encoded, and the seconds that it took.
type PyFieldSummary<'py> = (PyTotals<'py>, u64, f64);

/// Path, samples, bytes.
type PyShard = (PathBuf, u64, u64);

/// Codes or bytes of one field, and the items of each sample if they differ.
type PyBatch<'py> = (PyReadonlyArray1<'py, u8>, Option<PyReadonlyArray1<'py, u64>>);

/// Writes one dataset; `None` inside once it is finished or suspended.
#[pyclass(frozen, module = "huffq._huffq")]
pub struct StoreWriter {
    path: PathBuf,
    writer: Mutex<Option<Writer>>,
}

#[pymethods]
impl StoreWriter {
    #[new]
    fn new(
        py: Python<'_>,
        path: PathBuf,
        schema: &str,
        threads: Option<i64>,
        resume: bool,
    ) -> PyResult<Self> {
        let threads = checked_threads(threads)?;
        let begin = if resume { Writer::resume } else { Writer::create };
        let writer = py.detach(|| begin(&path, schema, threads)).map_err(in_file(&path))?;
        Ok(Self { path, writer: Mutex::new(Some(writer)) })
    }

    /// The schema as JSON, defaults filled in.
    #[getter]
    fn schema(&self) -> PyResult<String> {
        Ok(self.lock().as_ref().ok_or_else(closed)?.schema().to_json())
    }

    /// Samples that were given to it, those resumed from included.
    #[getter]
    fn samples(&self) -> PyResult<u64> {
        Ok(self.lock().as_ref().ok_or_else(closed)?.samples())
    }

    /// Appends samples.
    fn write(&self, py: Python<'_>, samples: usize, batch: Vec<PyBatch<'_>>) -> PyResult<()> {
        self.with_writer(py, &batch, |writer, batch| writer.write(samples, batch))
    }

    /// Appends the first of some samples, coded where they lie; returns how many.
    fn write_borrowed(
        &self,
        py: Python<'_>,
        samples: usize,
        batch: Vec<PyBatch<'_>>,
    ) -> PyResult<usize> {
        self.with_writer(py, &batch, |writer, batch| writer.write_borrowed(samples, batch))
    }

    /// Completes the dataset: samples, each file, and a summary of each field.
    fn finish<'py>(
        &self,
        py: Python<'py>,
    ) -> PyResult<(u64, Vec<PyShard>, Vec<PyFieldSummary<'py>>)> {
        let summary = py.detach(|| {
            let writer = self.lock().take().ok_or_else(closed)?;
            writer.finish().map_err(in_file(&self.path))
        })?;
        let field =
            |f: &FieldSummary| (py_totals(py, &f.totals), f.encoded, f.encode_time.as_secs_f64());
        let shard = |s: ShardSummary| (s.path, s.samples, s.bytes);
        let shards = summary.shards.into_iter().map(shard).collect();
        Ok((summary.samples, shards, summary.fields.iter().map(field).collect()))
    }

    /// Leaves the whole groups to be resumed, and returns how many samples they are.
    fn suspend(&self, py: Python<'_>) -> PyResult<u64> {
        py.detach(|| {
            let writer = self.lock().take().ok_or_else(closed)?;
            writer.suspend().map_err(in_file(&self.path))
        })
    }
}

impl StoreWriter {
    fn with_writer<T: Send>(
        &self,
        py: Python<'_>,
        batch: &[PyBatch<'_>],
        write: impl FnOnce(&mut Writer, &[Batch]) -> huffq::Result<T> + Send,
    ) -> PyResult<T> {
        let mut fields = Vec::with_capacity(batch.len());
        for (codes, lengths) in batch {
            let lengths = lengths.as_ref().map(|lengths| lengths.as_slice()).transpose()?;
            fields.push(Batch { codes: codes.as_slice()?, lengths });
        }
        py.detach(|| {
            let mut writer = self.lock();
            write(writer.as_mut().ok_or_else(closed)?, &fields).map_err(in_file(&self.path))
        })
    }

    fn lock(&self) -> MutexGuard<'_, Option<Writer>> {
        // A writer that panicked has given up by itself.
        self.writer.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn closed() -> PyErr {
    PyValueError::new_err(
        "this file is finished or suspended; begin a new one, or go on with resume=True",
    )
}

/// Samples of the dataset `path` that need not be written again, and its schema if there are any.
#[pyfunction]
pub fn resume_point(py: Python<'_>, path: PathBuf) -> PyResult<(u64, Option<String>)> {
    let point = py.detach(|| store::resume_point(&path)).map_err(in_file(&path))?;
    Ok(point.map_or((0, None), |(samples, schema)| (samples, Some(schema.to_json()))))
}

/// The number behind that of the last shard in a folder.
#[pyfunction]
pub fn next_shard(path: PathBuf) -> PyResult<u64> {
    store::next_shard(&path).map_err(in_file(&path))
}

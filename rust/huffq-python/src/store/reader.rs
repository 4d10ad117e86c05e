//! Files that are read.

use std::fs::File;
use std::path::PathBuf;
use std::slice;
use std::sync::Arc;

use huffq::store::{Batches, Reader};
use huffq::{Error, Threads, store};
use numpy::{PyArray1, PyReadonlyArray1, PyReadwriteArray1};
use pyo3::exceptions::PyIndexError;
use pyo3::prelude::*;

use super::{PyTotals, StoreBatches, py_totals};
use crate::error::{in_file, threads as checked_threads};
use crate::source::Source;

/// Reads one file.
#[pyclass(frozen, module = "huffq._huffq")]
pub struct StoreReader {
    path: PathBuf,
    reader: Arc<Reader>,
}

#[pymethods]
impl StoreReader {
    /// Reads the file `path`; or what `read(offset, length)` returns of the `size` bytes of a source
    /// that messages call `path`.
    #[new]
    #[pyo3(signature = (path, cache_bytes, source = None))]
    fn new(
        py: Python<'_>,
        path: PathBuf,
        cache_bytes: usize,
        source: Option<(u64, Py<PyAny>)>,
    ) -> PyResult<Self> {
        let reader = py.detach(|| {
            let source: Box<dyn store::ReadAt> = match source {
                Some((size, read)) => Box::new(Source::new(size, read)),
                None => Box::new(File::open(&path)?),
            };
            Reader::new(source, cache_bytes)
        });
        let reader = Arc::new(reader.map_err(in_file(&path))?);
        Ok(Self { path, reader })
    }

    /// The schema as JSON.
    #[getter]
    fn schema(&self) -> String {
        self.reader.schema().to_json()
    }

    /// Bytes of the file.
    #[getter]
    fn size(&self) -> u64 {
        self.reader.size()
    }

    /// Whether reading it mostly waits.
    #[getter]
    fn is_remote(&self) -> bool {
        self.reader.is_remote()
    }

    #[getter]
    fn samples(&self) -> u64 {
        self.reader.samples()
    }

    #[getter]
    fn groups(&self) -> usize {
        self.reader.groups()
    }

    /// A field's items (samples, or first indices of ragged ones), bytes of its records, and
    /// occurrences of each symbol.
    fn totals<'py>(&self, py: Python<'py>, field: usize) -> PyResult<PyTotals<'py>> {
        self.check_field(field)?;
        Ok(py_totals(py, self.reader.totals(field)))
    }

    /// First item of each of some samples, and the one behind its last.
    fn sample_items<'py>(
        &self,
        py: Python<'py>,
        field: usize,
        samples: PyReadonlyArray1<'py, u64>,
    ) -> PyResult<[Bound<'py, PyArray1<u64>>; 2]> {
        self.check_field(field)?;
        let samples = samples.as_slice()?;
        let items = py.detach(|| self.reader.sample_items(field, samples));
        let items = items.map_err(in_file(&self.path))?;
        let starts = PyArray1::from_iter(py, items.iter().map(|range| range.start));
        Ok([starts, PyArray1::from_iter(py, items.iter().map(|range| range.end))])
    }

    /// Decodes items `start` to `stop` into the bytes of an array in C order.
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
        self.work(py, field, threads, |threads| {
            self.reader.read(field, slice::from_ref(&(start..stop)), out, threads)
        })
    }

    /// Decodes ranges of items, one behind the other, into the bytes of an array in C order.
    fn read_ranges(
        &self,
        py: Python<'_>,
        field: usize,
        starts: PyReadonlyArray1<'_, u64>,
        stops: PyReadonlyArray1<'_, u64>,
        mut out: PyReadwriteArray1<'_, u8>,
        threads: Option<i64>,
    ) -> PyResult<()> {
        let (starts, stops, out) = (starts.as_slice()?, stops.as_slice()?, out.as_slice_mut()?);
        self.work(py, field, threads, |threads| {
            let ranges: Vec<_> = starts.iter().zip(stops).map(|(&a, &b)| a..b).collect();
            self.reader.read(field, &ranges, out, threads)
        })
    }

    /// Checks header and schema at the front of the file.
    fn verify_front(&self, py: Python<'_>) -> PyResult<()> {
        py.detach(|| self.reader.verify_front()).map_err(in_file(&self.path))
    }

    /// Checks a group, and decodes a share of its blocks.
    fn verify_group(
        &self,
        py: Python<'_>,
        group: usize,
        fraction: f64,
        threads: Option<i64>,
    ) -> PyResult<()> {
        let threads = checked_threads(threads)?;
        let verify = || self.reader.verify_group(group, fraction, threads);
        py.detach(verify).map_err(in_file(&self.path))
    }

    /// Decodes samples `start` to `stop` of some fields ahead, `step` at a time.
    fn batches(
        &self,
        fields: Vec<usize>,
        start: u64,
        stop: u64,
        step: u64,
        threads: Option<i64>,
    ) -> PyResult<StoreBatches> {
        fields.iter().try_for_each(|&field| self.check_field(field))?;
        let threads = checked_threads(threads)?;
        let batches = Batches::new(self.reader.clone(), fields, start..stop, step, threads);
        Ok(StoreBatches { path: self.path.clone(), batches: batches.map_err(in_file(&self.path))? })
    }
}

impl StoreReader {
    fn check_field(&self, field: usize) -> PyResult<()> {
        if field >= self.reader.schema().fields.len() {
            return Err(PyIndexError::new_err(format!("there is no field number {field}")));
        }
        Ok(())
    }

    fn work(
        &self,
        py: Python<'_>,
        field: usize,
        threads: Option<i64>,
        work: impl FnOnce(Threads) -> Result<(), Error> + Send,
    ) -> PyResult<()> {
        self.check_field(field)?;
        let threads = checked_threads(threads)?;
        py.detach(|| work(threads)).map_err(in_file(&self.path))
    }
}

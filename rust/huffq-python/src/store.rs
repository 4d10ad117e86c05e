//! The `.huffq` file.

use std::fs::File;
use std::path::PathBuf;
use std::slice;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use huffq::store::{Batch, Batches, Buffer, FieldSummary, Reader, ShardSummary, Writer};
use huffq::{Error, Threads, store};
use numpy::{PyArray1, PyReadonlyArray1, PyReadwriteArray1};
use pyo3::exceptions::{PyIndexError, PyValueError};
use pyo3::prelude::*;
use pyo3::types::PyDict;

use crate::error::{in_file, threads as checked_threads};
use crate::source::Source;

/// Items, bytes of the records, counts by symbol.
type PyTotals<'py> = (u64, u64, Bound<'py, PyArray1<u64>>);

/// The same, and seconds of encoding.
type PyFieldSummary<'py> = (PyTotals<'py>, f64);

/// Path, samples, bytes.
type PyShard = (PathBuf, u64, u64);

/// Codes or bytes of one field, and the items of each sample if they differ.
type PyBatch<'py> = (PyReadonlyArray1<'py, u8>, Option<PyReadonlyArray1<'py, u64>>);

/// The same of fields that were read.
type PyChunk<'py> = Vec<(StoreBuffer, Option<Bound<'py, PyArray1<u64>>>)>;

/// Writes one dataset; `None` inside once it is finished, suspended or given up.
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
        let mut fields = Vec::with_capacity(batch.len());
        for (codes, lengths) in &batch {
            let lengths = lengths.as_ref().map(|lengths| lengths.as_slice()).transpose()?;
            fields.push(Batch { codes: codes.as_slice()?, lengths });
        }
        py.detach(|| {
            let mut held = self.lock();
            let written = held.as_mut().ok_or_else(closed)?.write(samples, &fields);
            if let Err(Error::Io(_) | Error::InUse) = written {
                // Half a record may be there, and what belongs behind it is lost.
                *held = None;
            }
            written.map_err(in_file(&self.path))
        })
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
        let field = |f: &FieldSummary| (py_totals(py, &f.totals), f.encode_time.as_secs_f64());
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
    fn lock(&self) -> MutexGuard<'_, Option<Writer>> {
        // What a panic left is given up like any other unfinished file.
        self.writer.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn py_totals<'py>(py: Python<'py>, totals: &store::Totals) -> PyTotals<'py> {
    (totals.items, totals.bytes, PyArray1::from_slice(py, &totals.counts))
}

fn closed() -> PyErr {
    PyValueError::new_err(
        "this file is finished or was given up; begin a new one, or go on with resume=True",
    )
}

/// Samples of the dataset `path` that need not be written again, and its schema if there are any.
#[pyfunction]
pub fn resume_point(py: Python<'_>, path: PathBuf) -> PyResult<(u64, Option<String>)> {
    let point = py.detach(|| store::resume_point(&path)).map_err(in_file(&path))?;
    Ok(point.map_or((0, None), |(samples, schema)| (samples, Some(schema.to_json()))))
}

/// Ranges of samples kept, samples there were, blocks and bytes lost.
type PyRecovery = (Vec<(u64, u64)>, u64, u64, u64);

/// Writes the whole samples of a damaged file to a new one.
#[pyfunction]
pub fn recover(
    py: Python<'_>,
    path: PathBuf,
    out: PathBuf,
    threads: Option<i64>,
) -> PyResult<PyRecovery> {
    let threads = checked_threads(threads)?;
    let found = py.detach(|| store::recover(&path, &out, threads)).map_err(in_file(&path))?;
    let kept = found.kept.iter().map(|range| (range.start, range.end)).collect();
    Ok((kept, found.samples, found.lost_blocks, found.lost_bytes))
}

/// The number behind that of the last shard in a folder.
#[pyfunction]
pub fn next_shard(path: PathBuf) -> PyResult<u64> {
    store::next_shard(&path).map_err(in_file(&path))
}

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

/// Chunks of samples, decoded ahead.
#[pyclass(frozen, module = "huffq._huffq")]
pub struct StoreBatches {
    path: PathBuf,
    batches: Batches,
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

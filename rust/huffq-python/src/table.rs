//! Canonical codes.

use huffq::serial;
use numpy::{PyArray1, PyArrayLike1};
use pyo3::exceptions::PyValueError;
use pyo3::prelude::*;
use pyo3::types::PyBytes;

use crate::error::to_py;

/// A canonical prefix code.
#[pyclass(frozen, eq, module = "huffq")]
#[derive(PartialEq)]
pub struct CodeTable(huffq::CodeTable);

#[pymethods]
impl CodeTable {
    #[staticmethod]
    #[pyo3(signature = (counts, max_length = 12))]
    fn from_counts(counts: Vec<i64>, max_length: u8) -> PyResult<Self> {
        let unsigned = |(symbol, &count): (usize, &i64)| {
            u64::try_from(count).map_err(|_| {
                let message =
                    format!("the count of symbol {symbol} is {count}; it must not be negative");
                PyValueError::new_err(message)
            })
        };
        let counts = counts.iter().enumerate().map(unsigned).collect::<PyResult<Vec<_>>>()?;
        huffq::CodeTable::from_counts(&counts, max_length).map(Self).map_err(to_py)
    }

    #[staticmethod]
    fn from_lengths(lengths: Vec<u8>) -> PyResult<Self> {
        huffq::CodeTable::from_lengths(&lengths).map(Self).map_err(to_py)
    }

    #[getter]
    fn lengths<'py>(&self, py: Python<'py>) -> Bound<'py, PyArray1<u8>> {
        PyArray1::from_slice(py, self.0.lengths())
    }

    #[getter]
    fn codewords<'py>(&self, py: Python<'py>) -> Bound<'py, PyArray1<u16>> {
        PyArray1::from_slice(py, self.0.codewords())
    }

    #[getter]
    fn kraft_sum(&self) -> f64 {
        self.0.kraft_sum()
    }

    fn encode<'py>(
        &self,
        py: Python<'py>,
        symbols: PyArrayLike1<'py, u8>,
    ) -> PyResult<(Bound<'py, PyBytes>, u64)> {
        let symbols = symbols.as_array();
        let symbols = symbols.as_standard_layout();
        let symbols = symbols.as_slice().expect("standard layout is contiguous");
        let mut bytes = Vec::new();
        let bits = py.detach(|| serial::encode(symbols, &self.0, &mut bytes)).map_err(to_py)?;
        Ok((PyBytes::new(py, &bytes), bits))
    }

    fn decode<'py>(
        &self,
        py: Python<'py>,
        bits: &[u8],
        n_symbols: usize,
    ) -> PyResult<Bound<'py, PyArray1<u8>>> {
        if n_symbols > bits.len().saturating_mul(8) {
            // Every codeword has at least one bit: do not allocate for what cannot be there.
            let message = format!("{n_symbols} symbols cannot lie in {} bytes", bits.len());
            return Err(PyValueError::new_err(message));
        }
        let mut symbols = vec![0; n_symbols];
        py.detach(|| serial::decode(bits, &self.0, &mut symbols)).map_err(to_py)?;
        Ok(PyArray1::from_vec(py, symbols))
    }

    fn __repr__(&self) -> String {
        format!("CodeTable.from_lengths({:?})", self.0.lengths())
    }

    fn __reduce__<'py>(slf: &Bound<'py, Self>) -> PyResult<(Bound<'py, PyAny>, (Vec<u8>,))> {
        let constructor = slf.get_type().getattr("from_lengths")?;
        Ok((constructor, (slf.get().0.lengths().to_vec(),)))
    }
}

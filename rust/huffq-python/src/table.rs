//! Canonical codes.

use huffq::serial;
use numpy::{PyArray1, PyArrayMethods};
use pyo3::exceptions::PyValueError;
use pyo3::prelude::*;
use pyo3::pybacked::PyBackedBytes;
use pyo3::types::PyBytes;

use crate::error::{byte, to_py};

/// A canonical prefix code.
#[pyclass(frozen, eq, hash, module = "huffq")]
#[derive(PartialEq, Hash)]
pub struct CodeTable(huffq::CodeTable);

#[pymethods]
impl CodeTable {
    #[staticmethod]
    #[pyo3(signature = (counts, max_length = 12))]
    fn from_counts(counts: Vec<i128>, max_length: i64) -> PyResult<Self> {
        let max_length = byte("max_length", max_length, "lie between 1 and 15")?;
        let unsigned = |(symbol, &count): (usize, &i128)| {
            u64::try_from(count).map_err(|_| {
                let message =
                    format!("the count of symbol {symbol} is {count}; it must lie in 64 bits");
                PyValueError::new_err(message)
            })
        };
        let counts = counts.iter().enumerate().map(unsigned).collect::<PyResult<Vec<_>>>()?;
        huffq::CodeTable::from_counts(&counts, max_length).map(Self).map_err(to_py)
    }

    #[staticmethod]
    fn from_lengths(lengths: Vec<i64>) -> PyResult<Self> {
        let checked = |&length: &i64| byte("a code length", length, "lie between 0 and 15");
        let lengths = lengths.iter().map(checked).collect::<PyResult<Vec<_>>>()?;
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
        symbols: &Bound<'py, PyAny>,
    ) -> PyResult<(Bound<'py, PyBytes>, u64)> {
        let mut bytes = Vec::new();
        let bits = match symbols.cast::<PyArray1<u8>>() {
            Ok(array) => {
                let array = array.readonly();
                let symbols = array.as_array();
                let symbols = symbols.as_standard_layout();
                let symbols = symbols.as_slice().expect("standard layout is contiguous");
                py.detach(|| serial::encode(symbols, &self.0, &mut bytes))
            }
            Err(_) => serial::encode(&listed_symbols(symbols)?, &self.0, &mut bytes),
        };
        let bits = bits.map_err(to_py)?;
        Ok((PyBytes::new(py, &bytes), bits))
    }

    fn decode<'py>(
        &self,
        py: Python<'py>,
        bits: PyBackedBytes,
        n_symbols: i64,
    ) -> PyResult<Bound<'py, PyArray1<u8>>> {
        // Every codeword has at least one bit: do not allocate for what cannot be there.
        let n = usize::try_from(n_symbols).ok().filter(|&n| n <= bits.len().saturating_mul(8));
        let Some(n) = n else {
            let message = format!("{n_symbols} symbols cannot lie in {} bytes", bits.len());
            return Err(PyValueError::new_err(message));
        };
        let mut symbols = vec![0; n];
        py.detach(|| serial::decode(&bits, &self.0, &mut symbols)).map_err(to_py)?;
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

/// Symbols from any sequence of integers.
fn listed_symbols(symbols: &Bound<'_, PyAny>) -> PyResult<Vec<u8>> {
    let symbols: Vec<i64> = symbols.extract()?;
    let name = |index| format!("the symbol at index {index}");
    let checked = |(index, &symbol)| byte(&name(index), symbol, "lie between 0 and 255");
    symbols.iter().enumerate().map(checked).collect()
}

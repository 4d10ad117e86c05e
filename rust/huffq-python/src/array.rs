//! Whole arrays.

use huffq::array::{self, Blob};
use huffq::{Alphabet, Axes, Level};
use numpy::{PyReadonlyArray1, PyReadwriteArray1};
use pyo3::prelude::*;
use pyo3::types::PyBytes;

use crate::error::{byte, threads as checked_threads, to_py};

/// Encodes an array that is given as its bytes in C order.
#[pyfunction]
#[pyo3(signature = (codes, shape, bits, signed, level, axes, threads))]
#[expect(clippy::too_many_arguments, reason = "one for each of Python's")]
pub fn encode<'py>(
    py: Python<'py>,
    codes: PyReadonlyArray1<'py, u8>,
    shape: Vec<usize>,
    bits: Option<i64>,
    signed: bool,
    level: &str,
    axes: Option<(Option<usize>, Vec<usize>)>,
    threads: Option<i64>,
) -> PyResult<Bound<'py, PyBytes>> {
    let codes = codes.as_slice()?;
    let threads = checked_threads(threads)?;
    let bits = bits.map(|bits| byte("bits", bits, "lie between 1 and 8")).transpose()?;
    let level = Level::by_name(level).map_err(to_py)?;
    let axes = sample_axes(axes, shape.get(1..).unwrap_or_default());
    let encoded = py.detach(|| {
        let alphabet = match bits {
            Some(bits) => Alphabet::new(bits, signed)?,
            None => Alphabet::infer(codes, signed),
        };
        array::encode(codes, &shape, alphabet, level, axes, threads)
    });
    let encoded = encoded.map_err(to_py)?;
    PyBytes::new_with(py, encoded.encoded_len(), |bytes| {
        py.detach(|| encoded.write(bytes, threads)).map_err(to_py)
    })
}

/// The axes of a sample as Python gives them, or the usual ones of its shape.
pub fn sample_axes(axes: Option<(Option<usize>, Vec<usize>)>, sample_shape: &[usize]) -> Axes {
    let Some((channel, neighbours)) = axes else { return Axes::of_shape(sample_shape) };
    let mut neighbours = neighbours.into_iter();
    Axes { channel, neighbours: [neighbours.next(), neighbours.next()] }
}

/// The narrowest bit width that holds every code.
#[pyfunction]
pub fn infer_bits(py: Python<'_>, codes: PyReadonlyArray1<'_, u8>, signed: bool) -> PyResult<u8> {
    let codes = codes.as_slice()?;
    Ok(py.detach(|| Alphabet::infer(codes, signed).bits()))
}

/// Shape, bits and signedness of an encoded array.
#[pyfunction]
pub fn describe(blob: PyReadonlyArray1<'_, u8>) -> PyResult<(Vec<usize>, u8, bool)> {
    let blob = Blob::parse(blob.as_slice()?).map_err(to_py)?;
    Ok((blob.shape().to_vec(), blob.alphabet().bits(), blob.alphabet().signed()))
}

/// Decodes into the bytes of an array in C order.
#[pyfunction]
#[pyo3(signature = (blob, out, threads))]
pub fn decode_into(
    py: Python<'_>,
    blob: PyReadonlyArray1<'_, u8>,
    mut out: PyReadwriteArray1<'_, u8>,
    threads: Option<i64>,
) -> PyResult<()> {
    let (blob, out) = (blob.as_slice()?, out.as_slice_mut()?);
    let threads = checked_threads(threads)?;
    py.detach(|| Blob::parse(blob)?.decode(out, threads)).map_err(to_py)
}

//! Codebooks that many small arrays share.

use std::hash::{Hash, Hasher};

use huffq::array::SharedCodebook;
use huffq::{Alphabet, Level};
use numpy::{PyReadonlyArray1, PyReadwriteArray1};
use pyo3::prelude::*;
use pyo3::types::PyBytes;

use crate::array::sample_axes;
use crate::error::{byte, threads as checked_threads, to_py};

/// What many small arrays share.
#[pyclass(frozen, eq, hash, module = "huffq._huffq")]
pub struct Codebook(SharedCodebook);

impl PartialEq for Codebook {
    fn eq(&self, other: &Self) -> bool {
        self.0.bytes() == other.0.bytes()
    }
}

impl Hash for Codebook {
    fn hash<H: Hasher>(&self, state: &mut H) {
        self.0.bytes().hash(state);
    }
}

/// Channel axis and neighbour axes of a sample.
type SampleAxes = (Option<usize>, Vec<usize>);

#[pymethods]
impl Codebook {
    /// Trains on samples that are given as their bytes in C order.
    #[staticmethod]
    fn train(
        py: Python<'_>,
        codes: PyReadonlyArray1<'_, u8>,
        sample_shape: Vec<usize>,
        bits: Option<i64>,
        signed: bool,
        level: &str,
        axes: Option<SampleAxes>,
    ) -> PyResult<Self> {
        let codes = codes.as_slice()?;
        let bits = bits.map(|bits| byte("bits", bits, "lie between 1 and 8")).transpose()?;
        let level = Level::by_name(level).map_err(to_py)?;
        let axes = sample_axes(axes, &sample_shape);
        let trained = py.detach(|| {
            let alphabet = match bits {
                Some(bits) => Alphabet::new(bits, signed)?,
                None => Alphabet::infer(codes, signed),
            };
            SharedCodebook::train(codes, &sample_shape, alphabet, level, axes)
        });
        trained.map(Self).map_err(to_py)
    }

    #[staticmethod]
    fn from_bytes(py: Python<'_>, data: PyReadonlyArray1<'_, u8>) -> PyResult<Self> {
        let data = data.as_slice()?;
        py.detach(|| SharedCodebook::parse(data)).map(Self).map_err(to_py)
    }

    fn to_bytes<'py>(&self, py: Python<'py>) -> Bound<'py, PyBytes> {
        PyBytes::new(py, self.0.bytes())
    }

    #[getter]
    fn level(&self) -> &'static str {
        let level = Level::ALL.iter().find(|(_, level)| *level == self.0.level());
        level.expect("every level has a name").0
    }

    #[getter]
    fn bits(&self) -> u8 {
        self.0.alphabet().bits()
    }

    #[getter]
    fn signed(&self) -> bool {
        self.0.alphabet().signed()
    }

    #[getter]
    fn sample_shape(&self) -> Vec<usize> {
        self.0.sample_shape().to_vec()
    }

    #[getter]
    fn axes(&self) -> SampleAxes {
        let axes = self.0.axes();
        (axes.channel, axes.neighbours.into_iter().flatten().collect())
    }

    /// Encodes an array that is given as its bytes in C order; `samples` is None for one sample.
    #[pyo3(signature = (codes, samples, threads))]
    fn encode<'py>(
        &self,
        py: Python<'py>,
        codes: PyReadonlyArray1<'py, u8>,
        samples: Option<usize>,
        threads: Option<i64>,
    ) -> PyResult<Bound<'py, PyBytes>> {
        let codes = codes.as_slice()?;
        let threads = checked_threads(threads)?;
        let blob = py.detach(|| self.0.encode(codes, samples, threads));
        Ok(PyBytes::new(py, &blob.map_err(to_py)?))
    }

    /// The shape of an array that was encoded under this codebook.
    fn describe(&self, blob: PyReadonlyArray1<'_, u8>) -> PyResult<Vec<usize>> {
        Ok(self.0.open(blob.as_slice()?).map_err(to_py)?.shape())
    }

    /// Decodes into the bytes of an array in C order.
    #[pyo3(signature = (blob, out, threads))]
    fn decode_into(
        &self,
        py: Python<'_>,
        blob: PyReadonlyArray1<'_, u8>,
        mut out: PyReadwriteArray1<'_, u8>,
        threads: Option<i64>,
    ) -> PyResult<()> {
        let (blob, out) = (blob.as_slice()?, out.as_slice_mut()?);
        let threads = checked_threads(threads)?;
        py.detach(|| self.0.open(blob)?.decode(out, threads)).map_err(to_py)
    }
}

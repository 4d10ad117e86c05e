//! The `.huffq` file.

use huffq::store;
use numpy::PyArray1;
use pyo3::prelude::*;

mod batches;
mod reader;
mod salvage;
mod writer;

pub use batches::{StoreBatches, StoreBuffer};
pub use reader::StoreReader;
pub use salvage::recover;
pub use writer::{StoreWriter, next_shard, resume_point};

/// Items, bytes of the records, counts by symbol.
type PyTotals<'py> = (u64, u64, Bound<'py, PyArray1<u64>>);

fn py_totals<'py>(py: Python<'py>, totals: &store::Totals) -> PyTotals<'py> {
    (totals.items, totals.bytes, PyArray1::from_slice(py, &totals.counts))
}

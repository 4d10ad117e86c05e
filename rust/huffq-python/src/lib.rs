//! Python binding of the `huffq` codec: checks, borrows, detaches the GIL, maps errors.

use pyo3::prelude::*;

#[pymodule]
mod _huffq {}

//! Python binding of the `huffq` codec: checks, borrows, detaches from the interpreter, maps
//! errors. Loops belong to the codec, argument handling to the Python package.

use pyo3::prelude::*;

mod array;
mod codebook;
mod error;
mod exit;
mod source;
mod store;
mod table;

#[pymodule]
mod _huffq {
    #[pymodule_export]
    use super::array::{decode_into, describe, encode, infer_bits};
    #[pymodule_export]
    use super::codebook::Codebook;
    #[pymodule_export]
    use super::exit::stop_reads;
    #[pymodule_export]
    use super::store::{
        StoreBatches, StoreBuffer, StoreReader, StoreWriter, next_shard, recover, resume_point,
    };
    #[pymodule_export]
    use super::table::CodeTable;

    use pyo3::prelude::*;

    #[pymodule_init]
    fn init(module: &Bound<'_, PyModule>) -> PyResult<()> {
        module.add("__version__", env!("CARGO_PKG_VERSION"))
    }
}

//! What is left of damaged files.

use std::io;
use std::path::PathBuf;
use std::time::{Duration, Instant};

use huffq::store::{self, Salvaged};
use huffq::{Error, Result};
use pyo3::prelude::*;

use crate::error::{in_file, threads as checked_threads};

/// Work for so long between looks at the interpreter: it may be interrupted.
const BEAT: Duration = Duration::from_millis(50);

/// Samples kept, samples there were, blocks and bytes lost, and why all is lost.
type PySalvaged = (u64, u64, u64, u64, Option<String>);

/// Ranges of samples kept, samples there were, and each file.
type PyRecovery = (Vec<(u64, u64)>, u64, Vec<PySalvaged>);

/// Writes the whole samples of damaged files to a new file or folder. `advance` is told the bytes
/// that were gone through, three times those of the files.
#[pyfunction]
pub fn recover(
    py: Python<'_>,
    sources: Vec<(PathBuf, Option<u64>)>,
    out: PathBuf,
    shard_bytes: Option<u64>,
    threads: Option<i64>,
    advance: Py<PyAny>,
) -> PyResult<PyRecovery> {
    let threads = checked_threads(threads)?;
    let found = py.detach(|| {
        let (mut bytes, mut begin) = (0, Instant::now());
        let mut watch = |more: u64| {
            bytes += more;
            if begin.elapsed() < BEAT {
                return Ok(());
            }
            begin = Instant::now();
            tell(&advance, std::mem::take(&mut bytes))
        };
        store::recover(&sources, &out, shard_bytes, threads, &mut watch).map_err(in_file(&out))
    })?;
    let kept = found.kept.iter().map(|range| (range.start, range.end)).collect();
    let file = |f: Salvaged| (f.kept, f.samples, f.lost_blocks, f.lost_bytes, f.lost);
    Ok((kept, found.samples, found.files.into_iter().map(file).collect()))
}

/// Calls `advance`, unless the user has interrupted.
fn tell(advance: &Py<PyAny>, bytes: u64) -> Result<()> {
    Python::attach(|py| {
        py.check_signals()?;
        advance.call1(py, (bytes,)).map(drop)
    })
    .map_err(|error| Error::Io(io::Error::other(error)))
}

//! Errors of the codec as Python exceptions.

use std::io::{self, ErrorKind};
use std::num::NonZero;
use std::path::Path;

use huffq::{Error, Threads};
use pyo3::exceptions::{PyBlockingIOError, PyOSError, PyValueError};
use pyo3::prelude::*;

// The same numbers on every Unix.
const EBUSY: i32 = 16;
const EEXIST: i32 = 17;
const EISDIR: i32 = 21;

mod exceptions {
    pyo3::import_exception!(huffq.errors, CodebookError);
    pyo3::import_exception!(huffq.errors, CorruptFileError);
    pyo3::import_exception!(huffq.errors, TruncatedFileError);
    pyo3::import_exception!(huffq.errors, UnsupportedVersionError);
}
use exceptions::{CodebookError, CorruptFileError, TruncatedFileError, UnsupportedVersionError};

/// The exception for `error`.
pub fn to_py(error: Error) -> PyErr {
    with_message(&error, error.to_string())
}

/// The exception for an `error` with the file `path`, which it names.
pub fn in_file(path: &Path) -> impl Fn(Error) -> PyErr {
    |error| with_path(path, error)
}

fn with_path(path: &Path, error: Error) -> PyErr {
    match error {
        Error::InFile { path, source } => with_path(&path, *source),
        Error::Io(io) => {
            // What a source in Python raised goes on as it was.
            if let Some(raised) = io.get_ref().and_then(|inner| inner.downcast_ref::<PyErr>()) {
                return Python::attach(|py| raised.clone_ref(py));
            }
            let reason = io.to_string();
            let reason = reason.split(" (os error").next().unwrap_or_default().to_owned();
            match errno(&io) {
                Some(number) => PyOSError::new_err((number, reason, path.as_os_str().to_owned())),
                None => PyOSError::new_err(format!("{}: {reason}", path.display())),
            }
        }
        Error::InUse => {
            PyBlockingIOError::new_err((EBUSY, error.to_string(), path.as_os_str().to_owned()))
        }
        _ => with_message(&error, format!("{}: {error}", path.display())),
    }
}

/// The number by which OSError picks its subclass.
fn errno(error: &io::Error) -> Option<i32> {
    error.raw_os_error().or(match error.kind() {
        ErrorKind::AlreadyExists => Some(EEXIST),
        ErrorKind::IsADirectory => Some(EISDIR),
        _ => None,
    })
}

fn with_message(error: &Error, message: String) -> PyErr {
    match error {
        Error::Truncated { .. } | Error::Unfinished => TruncatedFileError::new_err(message),
        Error::Corrupt { .. } => CorruptFileError::new_err(message),
        Error::WrongCodebook { .. } => CodebookError::new_err(message),
        Error::UnsupportedVersion { .. } | Error::UnsupportedFeatures { .. } => {
            UnsupportedVersionError::new_err(message)
        }
        Error::Io(_) => PyOSError::new_err(message),
        _ => PyValueError::new_err(message),
    }
}

/// The number of threads that a caller asks for; `None` is every core.
pub fn threads(asked: Option<i64>) -> PyResult<Threads> {
    let at_least_one = |n| {
        let threads = usize::try_from(n).ok().and_then(NonZero::new);
        threads
            .ok_or_else(|| PyValueError::new_err(format!("threads is {n}; it must be at least 1")))
    };
    asked.map(at_least_one).transpose()
}

/// A number that fits a byte, or ValueError with the number's name and domain.
pub fn byte(name: &str, value: i64, domain: &str) -> PyResult<u8> {
    let message = || format!("{name} is {value}; it must {domain}");
    u8::try_from(value).map_err(|_| PyValueError::new_err(message()))
}

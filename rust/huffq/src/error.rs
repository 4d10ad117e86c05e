//! The one error type; its variants carry the numbers that a caller needs.

use std::io;
use std::path::PathBuf;

/// What every fallible function of this crate returns.
pub type Result<T> = std::result::Result<T, Error>;

/// Everything that can go wrong.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// A code that its alphabet does not hold.
    #[error("value {value} at index {index} does not fit {alphabet}")]
    CodeOutOfRange {
        /// The offending value.
        value: i16,
        /// Its flat index in the array.
        index: usize,
        /// The alphabet and its range, in words.
        alphabet: crate::Alphabet,
    },
    /// An error in one sample of one field.
    #[error("field {field:?}, sample {sample}: {source}")]
    InField {
        /// The field's name.
        field: String,
        /// The sample's number in the stream.
        sample: u64,
        /// What is wrong with it; its index counts within the sample.
        source: Box<Error>,
    },
    /// A symbol that the code has no codeword for.
    #[error("symbol {symbol} at index {index} has no codeword; count it before making the table")]
    NoCodeword {
        /// The symbol.
        symbol: u8,
        /// Its index in the sequence.
        index: usize,
    },
    /// Code lengths that are not those of a complete prefix code.
    #[error("code lengths have Kraft sum {sum}/32768; a complete prefix code has 32768/32768")]
    NotComplete {
        /// The Kraft sum in units of 2^-15.
        sum: u64,
    },
    /// An argument outside its domain.
    #[error("{name} is {value}; it must {expected}")]
    InvalidArgument {
        /// The argument.
        name: &'static str,
        /// What was given.
        value: String,
        /// What would be accepted.
        expected: String,
    },
    /// Input that ends before what it announces.
    #[error("{what} needs {needed} bytes but only {available} are there: the data is truncated")]
    Truncated {
        /// The part being read.
        what: &'static str,
        /// Bytes that it needs.
        needed: u64,
        /// Bytes that were left.
        available: u64,
    },
    /// A writer whose disk did not take what it wrote.
    #[error(
        "the file was given up when a write failed; go on with what is whole of it by resuming"
    )]
    GivenUp,
    /// An error with one of several files.
    #[error("{}: {source}", path.display())]
    InFile {
        /// The file.
        path: PathBuf,
        /// What is wrong with it.
        source: Box<Error>,
    },
    /// A file that another writer is at work on.
    #[error("the file is being written by someone else")]
    InUse,
    /// A file without its trailer.
    #[error("the file has no trailer: it was cut off, or never finished")]
    Unfinished,
    /// Input that contradicts itself or its checksum.
    #[error("{what} is corrupt: {why}")]
    Corrupt {
        /// The part being read.
        what: String,
        /// The contradiction.
        why: String,
    },
    /// An array and the codebook for it do not belong together.
    #[error("the array was encoded {}", codebooks(*encoded, *given))]
    WrongCodebook {
        /// The low half of the number of the codebook that it was encoded under.
        encoded: Option<u16>,
        /// The same of the codebook that it was to be decoded with.
        given: Option<u16>,
    },
    /// A format version that this reader does not know.
    #[error("format version {found} is not supported; this huffq reads version {supported}")]
    UnsupportedVersion {
        /// The version in the data.
        found: u16,
        /// The version that this reader knows.
        supported: u16,
    },
    /// A file that needs what this reader does not know.
    #[error("the file requires features {features:#010x} that this huffq does not know")]
    UnsupportedFeatures {
        /// The bits of its header.
        features: u32,
    },
    /// A part of a file that other options or metadata began.
    #[error("what is to be resumed has {found}; this run has {expected}")]
    CannotResume {
        /// What the part holds.
        found: String,
        /// What the new run would write.
        expected: String,
    },
    /// The operating system's answer.
    #[error(transparent)]
    Io(#[from] io::Error),
}

/// Under which codebook an array was encoded, and what to do.
fn codebooks(encoded: Option<u16>, given: Option<u16>) -> String {
    match (encoded, given) {
        (Some(id), None) => format!("under codebook {id:04x}; give that codebook to decode it"),
        (Some(id), Some(other)) => format!("under codebook {id:04x}; the one given is {other:04x}"),
        (None, _) => "without a codebook; decode it without one".into(),
    }
}

impl Error {
    /// A [`Error::Corrupt`] of `what`, because of `why`.
    pub(crate) fn corrupt(what: impl Into<String>, why: impl Into<String>) -> Self {
        Self::Corrupt { what: what.into(), why: why.into() }
    }

    /// A [`Error::InvalidArgument`].
    pub(crate) fn argument(
        name: &'static str,
        value: impl ToString,
        expected: impl Into<String>,
    ) -> Self {
        Self::InvalidArgument { name, value: value.to_string(), expected: expected.into() }
    }
}

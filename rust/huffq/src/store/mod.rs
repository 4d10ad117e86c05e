//! The `.huffq` file: named fields of integer codes, streamed in sample by sample, read at random.
//!
//! ```text
//! file header   16 bytes: magic, version, required features, checksum
//! SCHEMA        what the fields are, as JSON
//! CODEBOOK,     segment after segment, in the order in which their last samples arrived, ties by
//! BLOCK …       field; each segment's codebook, if it has one, before its blocks
//! INDEX         number of samples; where each codebook and block lies
//! trailer       24 bytes: where the index lies, checksum, magic
//! ```
//!
//! Between header and trailer everything is a record: length, kind and checksum, then the payload.
//! `docs/format.md` has every byte.

mod frame;
mod index;
mod reader;
mod schema;
mod writer;

pub use reader::Reader;
pub use schema::{FieldSchema, Schema};
pub use writer::{FieldSummary, Summary, Writer};

#[cfg(test)]
mod tests;

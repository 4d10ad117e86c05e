//! The `.huffq` file: named fields of integer codes, streamed in sample by sample, read at random.
//!
//! ```text
//! file header   24 bytes: magic, version, features, checksum
//! SCHEMA        what the fields are, as JSON
//! group …       for each field its segments: a SEGMENT record, then its BLOCK records;
//!               then the group's PAGE: where they lie, and copies of the SEGMENT records
//! ROOT          the schema once more, and where each page lies
//! trailer       36 bytes: where the root lies, version and features once more, checksum, magic
//! ```
//!
//! A *group* is a number of samples of all fields. Between header and trailer everything is a
//! record: marker, checksum, tag and length, then the payload. `docs/format.md` has every byte.

mod batch;
mod batches;
mod buffers;
mod cache;
mod encoder;
mod files;
mod frame;
mod group;
mod page;
mod pool;
mod read;
mod reader;
mod recover;
mod resume;
mod root;
mod scan;
mod schema;
mod segment_head;
mod shard;
mod slots;
mod source;
mod verify;
mod window;
mod wreck;
mod writer;

pub use batch::Batch;
pub use batches::{Batches, Chunk};
pub use buffers::Buffer;
pub use files::{FieldSummary, ShardSummary};
pub use reader::{BLOCK_CACHE, Reader};
pub use recover::{Recovery, Salvaged, Watch, recover};
pub use resume::{next_shard, resume_point};
pub use root::Totals;
pub use schema::{Coding, FieldAxes, FieldSchema, Schema, Shards};
pub use source::ReadAt;
pub use writer::{Summary, Writer};

#[cfg(test)]
mod tests;

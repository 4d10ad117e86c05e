//! Where each block lies.

use super::frame::HEADER_LEN;
use super::schema::{FieldSchema, Schema};
use crate::cursor::Cursor;
use crate::error::{Error, Result};
use crate::segment::SEGMENT_BLOCKS;

/// One record in the file.
#[derive(Clone, Copy, Debug, Default)]
pub struct Entry {
    /// Its first byte.
    pub offset: u64,
    /// Its bytes, head included.
    pub len: u32,
}

const ENTRY_LEN: u64 = 12;

/// Number of samples, and where each field's parts lie, in order.
#[derive(Debug)]
pub struct Index {
    pub samples: u64,
    pub fields: Vec<FieldIndex>,
}

/// Where one field's parts lie.
#[derive(Debug, Default)]
pub struct FieldIndex {
    /// For each segment, its codebook; length 0 if it has none.
    pub codebooks: Vec<Entry>,
    pub blocks: Vec<Entry>,
}

impl Index {
    /// Appends the index record's payload.
    pub fn put(&self, out: &mut Vec<u8>) {
        out.extend(self.samples.to_le_bytes());
        for entry in self.fields.iter().flat_map(|f| f.codebooks.iter().chain(&f.blocks)) {
            out.extend(entry.offset.to_le_bytes());
            out.extend(entry.len.to_le_bytes());
        }
    }

    /// Reads the index of a file of these fields whose block records end at `end`.
    ///
    /// The numbers of blocks follow from the number of samples; they are held against the payload's
    /// length before anything is allocated.
    pub fn parse(payload: &[u8], schema: &Schema, end: u64) -> Result<Self> {
        let mut cursor = Cursor::new("index", payload);
        let samples = cursor.u64()?;
        let blocks = |field: &FieldSchema| field.blocks(samples);
        let segments = |field: &FieldSchema| blocks(field).div_ceil(SEGMENT_BLOCKS as u64);
        let entries = |f| blocks(f).checked_add(segments(f));
        let mut counts = schema.fields.iter().map(entries);
        let total = counts.try_fold(0u64, |sum, n| sum.checked_add(n?));
        let expected = total.and_then(|n| n.checked_mul(ENTRY_LEN));
        if expected != Some(cursor.remaining() as u64) {
            let why = format!("its length does not fit {samples} samples");
            return Err(Error::corrupt("index", why));
        }
        let mut read = |count: u64| -> Result<Vec<_>> {
            (0..count).map(|_| read_entry(&mut cursor, end)).collect()
        };
        let read_field = |field: &FieldSchema| {
            Ok(FieldIndex { codebooks: read(segments(field))?, blocks: read(blocks(field))? })
        };
        let fields = schema.fields.iter().map(read_field).collect::<Result<_>>()?;
        Ok(Self { samples, fields })
    }
}

fn read_entry(cursor: &mut Cursor, end: u64) -> Result<Entry> {
    let entry = Entry { offset: cursor.u64()?, len: cursor.u32()? };
    if entry.len == 0 {
        return Ok(entry);
    }
    let stop = entry.offset.checked_add(entry.len.into());
    if entry.offset < HEADER_LEN as u64 || stop.is_none_or(|stop| stop > end) {
        return Err(Error::corrupt("index", "a record lies outside the file"));
    }
    Ok(entry)
}

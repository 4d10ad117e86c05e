//! Every whole record of a file, whatever lies between them.

use super::frame::{self, Entry, HEAD_LEN, HEADER_LEN, Head, MARKER, TRAILER_LEN, Tag};
use super::recover::Watch;
use super::source::{ReadAt, read_bytes};
use crate::error::{Error, Result};

/// Bytes that are searched for the next record at a time.
const WINDOW: u64 = 1 << 20;

/// Where checksums fail, so many times a file's bytes are read at most: records that claim to hold
/// one another take no longer.
const MOST_READS: u64 = 16;

/// A record whose checksum is right.
#[derive(Clone, Copy, Debug)]
pub struct Found {
    pub tag: Tag,
    pub entry: Entry,
}

/// All whole records, in order, and the bytes that belong to none.
///
/// # Errors
/// [`Error::Io`]; what `watch` returns.
pub fn scan(source: &dyn ReadAt, watch: Watch) -> Result<(Vec<Found>, u64)> {
    let size = end_of_records(source)?;
    let mut budget = size.saturating_mul(MOST_READS).saturating_add(WINDOW);
    let (mut found, mut lost, mut offset) = (Vec::new(), 0, HEADER_LEN as u64);
    while offset + HEAD_LEN as u64 <= size && budget > 0 {
        if let Some((len, tag)) = record_at(source, size, offset, &mut budget)? {
            let entry = Entry { offset, len };
            found.extend(tag.map(|tag| Found { tag, entry }));
            offset = entry.end();
            watch(len.into())?;
            continue;
        }
        let next = next_marker(source, size, offset + 1, watch)?;
        lost += next - offset;
        offset = next;
    }
    Ok((found, lost + size.saturating_sub(offset)))
}

/// Where the trailer begins, or the file ends if it has none.
fn end_of_records(source: &dyn ReadAt) -> Result<u64> {
    let size = source.size()?;
    let Some(end) = size.checked_sub(TRAILER_LEN as u64) else { return Ok(size) };
    let trailer = read_bytes(source, size, end, TRAILER_LEN as u64)?;
    let trailer = trailer[..].try_into().expect("a whole trailer");
    Ok(if frame::check_trailer(trailer, size).is_ok() { end } else { size })
}

/// Length and tag of the record there, if it is whole; without a tag if its kind is unknown.
fn record_at(
    source: &dyn ReadAt,
    size: u64,
    offset: u64,
    budget: &mut u64,
) -> Result<Option<(u32, Option<Tag>)>> {
    let head = read_bytes(source, size, offset, HEAD_LEN as u64)?;
    let Some(head) = Head::parse(head[..].try_into().expect("a whole head")) else {
        return Ok(None);
    };
    let len = HEAD_LEN as u64 + u64::from(head.len);
    if len > size - offset || len > u64::from(u32::MAX) {
        return Ok(None);
    }
    *budget = budget.saturating_sub(len);
    let record = match read_bytes(source, size, offset, len) {
        Ok(record) => record,
        Err(Error::Truncated { .. }) => return Ok(None),
        Err(error) => return Err(error),
    };
    Ok(frame::check_record(&record).is_ok().then_some((len as u32, head.tag)))
}

/// The first place from `offset` on where a record may begin; the end of the file if there is none.
fn next_marker(source: &dyn ReadAt, size: u64, mut offset: u64, watch: Watch) -> Result<u64> {
    while offset + (MARKER.len() as u64) <= size {
        let len = WINDOW.min(size - offset);
        let window = read_bytes(source, size, offset, len)?;
        if let Some(place) = window.windows(MARKER.len()).position(|bytes| bytes == MARKER) {
            watch(place as u64)?;
            return Ok(offset + place as u64);
        }
        watch(len)?;
        // A marker may lie across the windows' border.
        offset += len - (MARKER.len() as u64 - 1);
        if len < WINDOW {
            break;
        }
    }
    Ok(size)
}

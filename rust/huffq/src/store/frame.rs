//! File header, records and trailer: how payloads are framed and checked.

use crate::checksum;
use crate::cursor::Cursor;
use crate::error::{Error, Result};

pub const HEADER_LEN: usize = 16;
pub const RECORD_HEAD_LEN: usize = 16;
pub const TRAILER_LEN: usize = 24;

/// The first byte has its high bit set and the last two are a line end, so that a transfer in text
/// mode shows.
const MAGIC: &[u8; 8] = b"\x89HUFFQ\r\n";
const END_MAGIC: &[u8; 8] = b"HUFFQEND";
/// 0 while the format is being built: no promise that a later huffq reads it.
const VERSION: u16 = 0;
/// A record with this flag must be understood; others may be skipped.
const CRITICAL: u8 = 1;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u8)]
pub enum Kind {
    Schema = 1,
    Block = 2,
    Index = 3,
    Codebook = 4,
}

pub fn header() -> [u8; HEADER_LEN] {
    let mut header = [0; HEADER_LEN];
    header[..8].copy_from_slice(MAGIC);
    header[8..10].copy_from_slice(&VERSION.to_le_bytes());
    let crc = checksum::of(&header[..12]);
    header[12..].copy_from_slice(&crc.to_le_bytes());
    header
}

pub fn check_header(header: &[u8; HEADER_LEN]) -> Result<()> {
    let mut cursor = Cursor::new("file header", header);
    if cursor.take(MAGIC.len())? != MAGIC {
        return Err(Error::corrupt("file header", "this is not a .huffq file"));
    }
    let (version, features) = (cursor.u16()?, cursor.u16()?);
    if !checksum::matches(cursor.u32()?, checksum::of(&header[..12])) {
        return Err(Error::corrupt("file header", "its checksum differs"));
    }
    if version != VERSION {
        return Err(Error::UnsupportedVersion { found: version, supported: VERSION });
    }
    if features != 0 {
        let why = format!("it requires features {features:#06x} that this huffq does not know");
        return Err(Error::corrupt("file header", why));
    }
    Ok(())
}

/// Appends a record to `out`; `payload` appends the payload.
pub fn put_record(kind: Kind, out: &mut Vec<u8>, payload: impl FnOnce(&mut Vec<u8>)) {
    let start = out.len();
    out.extend([0; 4]);
    out.extend([kind as u8, CRITICAL, 0, 0]);
    out.extend([0; 8]);
    payload(out);
    let len = (out.len() - start - RECORD_HEAD_LEN) as u64;
    out[start + 8..start + 16].copy_from_slice(&len.to_le_bytes());
    let crc = checksum::of(&out[start + 4..]);
    out[start..start + 4].copy_from_slice(&crc.to_le_bytes());
}

/// The kind and the payload length that a record's head announces; the checksum is not tested yet.
pub fn record_head(head: &[u8; RECORD_HEAD_LEN]) -> (u8, u64) {
    let len = u64::from_le_bytes(head[8..].try_into().expect("eight bytes"));
    (head[4], len)
}

/// The payload of `record`, a whole record of the given kind.
pub fn check_record(record: &[u8], kind: Kind) -> Result<&[u8]> {
    let corrupt = |why: &str| Error::corrupt(format!("{kind:?} record"), why);
    let (head, payload) = record
        .split_first_chunk::<RECORD_HEAD_LEN>()
        .ok_or_else(|| corrupt("it is shorter than a record's head"))?;
    let crc = u32::from_le_bytes(head[..4].try_into().expect("four bytes"));
    if !checksum::matches(crc, checksum::of_both(&head[4..], payload)) {
        return Err(corrupt("its checksum differs"));
    }
    if record_head(head) != (kind as u8, payload.len() as u64) {
        return Err(corrupt("its kind or length is not what the index says"));
    }
    Ok(payload)
}

/// The trailer of a file whose index record begins at `index_offset`.
pub fn trailer(index_offset: u64) -> [u8; TRAILER_LEN] {
    let mut trailer = [0; TRAILER_LEN];
    trailer[..8].copy_from_slice(&index_offset.to_le_bytes());
    trailer[16..].copy_from_slice(END_MAGIC);
    let crc = checksum::of(&trailer[..8]);
    trailer[8..12].copy_from_slice(&crc.to_le_bytes());
    trailer
}

/// Where the index record begins, according to the last bytes of a file.
pub fn check_trailer(trailer: &[u8; TRAILER_LEN]) -> Result<u64> {
    if &trailer[16..] != END_MAGIC || trailer[12..16] != [0; 4] {
        return Err(Error::Unfinished);
    }
    let mut cursor = Cursor::new("trailer", trailer);
    let offset = cursor.u64()?;
    if !checksum::matches(cursor.u32()?, checksum::of(&trailer[..8])) {
        return Err(Error::corrupt("trailer", "its checksum differs"));
    }
    Ok(offset)
}

//! File header, records and trailer: how payloads are framed and checked.

use crate::checksum;
use crate::cursor::Cursor;
use crate::error::{Error, Result};

pub const HEADER_LEN: usize = 24;
pub const HEAD_LEN: usize = 24;
pub const TRAILER_LEN: usize = 36;

/// Bytes that say who may read the file, in header and trailer.
const FORM_LEN: usize = 12;

/// The first byte has its high bit set and the last two are a line end, so that a transfer in text
/// mode shows.
const MAGIC: &[u8; 8] = b"\x89HUFFQ\r\n";
const END_MAGIC: &[u8; 8] = b"HUFFQEND";
/// The version that is written; all from 1 up to it are read.
const VERSION: u16 = 1;
/// A record begins with these bytes, by which it is found again behind damage.
pub const MARKER: &[u8; 4] = b"\xF7HQR";
/// A record with this flag must be understood; others may be skipped.
const CRITICAL: u8 = 1;

/// What a record holds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u8)]
pub enum Kind {
    Schema = 1,
    Segment = 2,
    Block = 3,
    Page = 4,
    Root = 5,
}

impl Kind {
    fn from_byte(byte: u8) -> Option<Self> {
        use Kind::*;
        [Schema, Segment, Block, Page, Root].into_iter().find(|&kind| kind as u8 == byte)
    }
}

/// Which record it is: its kind, and its place in the file.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Tag {
    pub kind: Kind,
    pub field: u16,
    pub group: u32,
    /// Of a block its number within the group's field, of a segment that of its first block.
    pub place: u32,
}

impl Tag {
    /// The tag of what belongs to no field.
    pub fn new(kind: Kind, group: u32) -> Self {
        Self { kind, field: 0, group, place: 0 }
    }
}

/// Version, and the features that a reader must know and those that it need not.
fn form() -> [u8; FORM_LEN] {
    let mut form = [0; FORM_LEN];
    form[..2].copy_from_slice(&VERSION.to_le_bytes());
    form
}

fn check_form(form: &[u8]) -> Result<()> {
    let mut cursor = Cursor::new("version", form);
    let (version, _, required) = (cursor.u16()?, cursor.u16()?, cursor.u32()?);
    if version != VERSION {
        return Err(Error::UnsupportedVersion { found: version, supported: VERSION });
    }
    if required != 0 {
        return Err(Error::UnsupportedFeatures { features: required });
    }
    Ok(())
}

pub fn header() -> [u8; HEADER_LEN] {
    let mut header = [0; HEADER_LEN];
    header[..8].copy_from_slice(MAGIC);
    header[8..20].copy_from_slice(&form());
    let crc = checksum::of(&header[..20]);
    header[20..].copy_from_slice(&crc.to_le_bytes());
    header
}

pub fn check_header(header: &[u8; HEADER_LEN]) -> Result<()> {
    let mut cursor = Cursor::new("file header", header);
    if cursor.take(MAGIC.len())? != MAGIC {
        return Err(Error::corrupt("file header", "this is not a .huffq file"));
    }
    let form = cursor.take(FORM_LEN)?;
    if !checksum::matches(cursor.u32()?, checksum::of(&header[..20])) {
        return Err(Error::corrupt("file header", "its checksum differs"));
    }
    check_form(form)
}

/// Demands a payload of which head and length fit 32 bits.
///
/// # Errors
/// [`Error::InvalidArgument`] says what is too long.
pub fn check_len(kind: Kind, len: usize) -> Result<u32> {
    let most = u32::MAX - HEAD_LEN as u32;
    u32::try_from(len).ok().filter(|&len| len <= most).ok_or_else(|| {
        let (name, remedy) = match kind {
            Kind::Schema => ("length of fields and metadata as JSON", ""),
            Kind::Root => ("length of the index", "; write a folder of smaller files"),
            _ => ("length of a record", ""),
        };
        Error::argument(name, len, format!("be at most {most} bytes{remedy}"))
    })
}

/// Appends a record to `out`; `payload` appends the payload.
///
/// # Errors
/// As [`check_len`]; `out` is not to be used then.
pub fn put_record(tag: Tag, out: &mut Vec<u8>, payload: impl FnOnce(&mut Vec<u8>)) -> Result<()> {
    let start = out.len();
    out.extend(MARKER);
    out.extend([0; 4]);
    out.extend([tag.kind as u8, CRITICAL]);
    out.extend(tag.field.to_le_bytes());
    out.extend(tag.group.to_le_bytes());
    out.extend(tag.place.to_le_bytes());
    out.extend([0; 4]);
    payload(out);
    let len = check_len(tag.kind, out.len() - start - HEAD_LEN)?;
    out[start + 20..start + 24].copy_from_slice(&len.to_le_bytes());
    let crc = checksum::of(&out[start + 8..]);
    out[start + 4..start + 8].copy_from_slice(&crc.to_le_bytes());
    Ok(())
}

/// What a record's head announces; its checksum is not tested yet.
#[derive(Clone, Copy, Debug)]
pub struct Head {
    crc: u32,
    /// `None` if the kind is unknown.
    pub tag: Option<Tag>,
    pub critical: bool,
    /// Bytes of the payload.
    pub len: u32,
}

impl Head {
    /// `None` if it does not begin as records do.
    pub fn parse(head: &[u8; HEAD_LEN]) -> Option<Self> {
        let mut cursor = Cursor::new("record", head);
        if cursor.take(MARKER.len()).ok()? != MARKER {
            return None;
        }
        let crc = cursor.u32().ok()?;
        let [kind, flags] = cursor.array().ok()?;
        let (field, group, place) = (cursor.u16().ok()?, cursor.u32().ok()?, cursor.u32().ok()?);
        let tag = Kind::from_byte(kind).map(|kind| Tag { kind, field, group, place });
        let len = cursor.u32().ok()?;
        Some(Self { crc, tag, critical: flags & CRITICAL != 0, len })
    }
}

/// Head and payload of `record`, which must be a whole record and nothing else.
pub fn check_record(record: &[u8]) -> Result<(Head, &[u8])> {
    let corrupt = |why: &str| Error::corrupt("record", why);
    let (bytes, payload) = record
        .split_first_chunk::<HEAD_LEN>()
        .ok_or_else(|| corrupt("it is shorter than a record's head"))?;
    let head = Head::parse(bytes).ok_or_else(|| corrupt("it does not begin as records do"))?;
    if !checksum::matches(head.crc, checksum::of(&record[8..])) {
        return Err(corrupt("its checksum differs"));
    }
    if head.len as usize != payload.len() {
        return Err(corrupt("its length is not what the index says"));
    }
    Ok((head, payload))
}

/// The payload of `record`, which must be the one of that tag.
pub fn payload_of(record: &[u8], tag: Tag) -> Result<&[u8]> {
    let (head, payload) = check_record(record)?;
    if head.tag != Some(tag) {
        return Err(Error::corrupt("record", "the index points to another one"));
    }
    Ok(payload)
}

/// Where a record lies.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Entry {
    /// Its first byte.
    pub offset: u64,
    /// Its bytes, head included.
    pub len: u32,
}

impl Entry {
    /// The byte behind it.
    pub fn end(self) -> u64 {
        self.offset + u64::from(self.len)
    }
}

/// The trailer of a file with that root.
pub fn trailer(root: Entry) -> [u8; TRAILER_LEN] {
    let mut trailer = [0; TRAILER_LEN];
    trailer[..8].copy_from_slice(&root.offset.to_le_bytes());
    trailer[8..12].copy_from_slice(&root.len.to_le_bytes());
    trailer[12..24].copy_from_slice(&form());
    let crc = checksum::of(&trailer[..24]);
    trailer[24..28].copy_from_slice(&crc.to_le_bytes());
    trailer[28..].copy_from_slice(END_MAGIC);
    trailer
}

/// Where the root lies, according to the last bytes of a file of `len` bytes.
pub fn check_trailer(trailer: &[u8; TRAILER_LEN], len: u64) -> Result<Entry> {
    if &trailer[28..] != END_MAGIC {
        return Err(Error::Unfinished);
    }
    let mut cursor = Cursor::new("trailer", trailer);
    let root = Entry { offset: cursor.u64()?, len: cursor.u32()? };
    let form = cursor.take(FORM_LEN)?;
    if !checksum::matches(cursor.u32()?, checksum::of(&trailer[..24])) {
        return Err(Error::corrupt("trailer", "its checksum differs"));
    }
    check_form(form)?;
    let end = root.offset.checked_add(root.len.into());
    if root.offset < HEADER_LEN as u64 || end != Some(len - TRAILER_LEN as u64) {
        return Err(Error::corrupt("trailer", "the index lies elsewhere"));
    }
    Ok(root)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lengths_that_do_not_fit_a_record_are_refused() {
        let most = u32::MAX as usize - HEAD_LEN;
        assert_eq!(check_len(Kind::Root, most).unwrap() as usize, most);
        let error = check_len(Kind::Root, most + 1).unwrap_err().to_string();
        assert_eq!(
            error,
            "length of the index is 4294967272; it must be at most 4294967271 bytes; write a \
             folder of smaller files"
        );
        assert!(check_len(Kind::Schema, 1 << 32).is_err());
    }
}

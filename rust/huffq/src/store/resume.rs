//! What an unfinished writer left, and where its source has to go on.

use std::fs::{self, File};
use std::io;
use std::path::Path;

use super::files::ShardSummary;
use super::frame::{self, Entry, HEAD_LEN, HEADER_LEN, Head, Kind, Tag};
use super::page::Page;
use super::reader::Reader;
use super::root::{Root, Totals, parse_schema};
use super::schema::{Coding, Schema};
use super::shard::part_path;
use super::source::{ReadAt, read_bytes};
use crate::error::{Error, Result};

/// What there is of a dataset whose writer did not finish.
pub struct State {
    pub schema: Schema,
    /// Shards that are whole.
    pub finished: Vec<ShardSummary>,
    /// What they hold of each field.
    pub totals: Vec<Totals>,
    /// The groups of the file that is not, and where they end.
    pub part: Option<(Root, u64)>,
}

impl State {
    /// Samples that need not be written again.
    pub fn samples(&self) -> u64 {
        let part = self.part.as_ref().and_then(|(root, _)| root.groups.last());
        let finished = self.finished.iter().map(|shard| shard.samples);
        finished.sum::<u64>() + part.map_or(0, |group| group.samples)
    }
}

/// The file name of a shard.
pub fn shard_name(number: u64) -> String {
    format!("shard-{number:05}.huffq")
}

/// The number of the shard that a file name belongs to, be it finished or not.
fn shard_number(name: &str) -> Option<u64> {
    let name = name.strip_suffix(".part").unwrap_or(name);
    name.strip_prefix("shard-")?.strip_suffix(".huffq")?.parse().ok()
}

/// The number behind that of the last shard in a folder.
///
/// # Errors
/// [`Error::Io`].
pub fn next_shard(folder: &Path) -> Result<u64> {
    let mut next = 0;
    for entry in fs::read_dir(folder)? {
        let number = entry?.file_name().to_str().and_then(shard_number);
        next = next.max(number.map_or(0, |number| number.saturating_add(1)));
    }
    Ok(next)
}

/// Where the source of the dataset `path` has to go on: how many samples need not be written again,
/// and under which schema they were. `None` if there are none.
///
/// # Errors
/// [`Error::Io`]; [`Error::Corrupt`] if what is there is no part of a file.
pub fn resume_point(path: &Path) -> Result<Option<(u64, Schema)>> {
    Ok(state(path)?.map(|state| (state.samples(), state.schema)))
}

/// What there is of `path`; `None` if there is nothing to go on with.
pub fn state(path: &Path) -> Result<Option<State>> {
    if path.is_dir() {
        return shards(path);
    }
    let Some(Part { schema, codings, root, end }) = read_part(&part_path(path))? else {
        return Ok(None);
    };
    let totals = codings.iter().map(Totals::of).collect();
    Ok(Some(State { schema, finished: Vec::new(), totals, part: Some((root, end)) }))
}

fn shards(folder: &Path) -> Result<Option<State>> {
    let Some(last) = next_shard(folder)?.checked_sub(1) else { return Ok(None) };
    let path = |number| folder.join(shard_name(number));
    let part = read_part(&part_path(&path(last)))?;
    let (schema, mut totals, part): (_, Vec<_>, _) = match part {
        Some(Part { schema, codings, root, end }) => {
            let totals = codings.iter().map(Totals::of).collect();
            (schema, totals, Some((root, end)))
        }
        None => {
            let reader = Reader::open(&path(last))?;
            let totals = reader.codings().iter().map(Totals::of).collect();
            (reader.schema().clone(), totals, None)
        }
    };
    let Some(begun) = schema.shards else { return Ok(None) };
    let mut finished = Vec::new();
    let end = if part.is_some() { last } else { last + 1 };
    for path in (begun.first..end).map(path) {
        let reader = Reader::open(&path)?;
        for (sum, field) in totals.iter_mut().zip(0..) {
            Totals::add(sum, reader.totals(field));
        }
        let (samples, bytes) = (reader.samples(), reader.size());
        finished.push(ShardSummary { path, samples, bytes });
    }
    Ok(Some(State { schema, finished, totals, part }))
}

/// An unfinished file: its whole groups, and where they end.
struct Part {
    schema: Schema,
    codings: Vec<Coding>,
    root: Root,
    end: u64,
}

/// What there is of a part; `None` without one or in one without groups.
fn read_part(part: &Path) -> Result<Option<Part>> {
    let file = match File::open(part) {
        Ok(file) => file,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
        Err(error) => return Err(error.into()),
    };
    let size = file.size()?;
    if size < (HEADER_LEN + HEAD_LEN) as u64 {
        return Ok(None);
    }
    let mut header = [0; HEADER_LEN];
    file.read_at(0, &mut header)?;
    frame::check_header(&header)?;
    let mut records = Records { file: &file, size, offset: HEADER_LEN as u64 };
    let Some((_, record)) = records.next()? else { return Ok(None) };
    let (schema, codings) = parse_schema(frame::payload_of(&record, Tag::new(Kind::Schema, 0))?)?;
    let mut end = records.offset;
    let mut root = Root { groups: Vec::new(), totals: codings.iter().map(Totals::of).collect() };
    while let Some((entry, record)) = records.next()? {
        let tag = Tag::new(Kind::Page, root.groups.len() as u32);
        let Ok(payload) = frame::payload_of(&record, tag) else { continue };
        let page = Page::parse(payload, &schema.fields, &codings, end, entry.offset)?;
        let ragged = page.fields.iter().filter(|field| field.starts.is_some());
        let items: Vec<u64> = ragged.map(|field| field.items as u64).collect();
        root.push(entry, page.samples, &items);
        for (totals, field) in root.totals.iter_mut().zip(&page.fields) {
            totals.items += field.items as u64;
            totals.bytes += field.blocks.iter().map(|block| u64::from(block.len)).sum::<u64>();
            totals.bytes += field.segments.iter().map(|s| u64::from(s.entry.len)).sum::<u64>();
            totals.counts.iter_mut().zip(&field.counts).for_each(|(sum, n)| *sum += n);
        }
        end = entry.end();
    }
    Ok((!root.groups.is_empty()).then_some(Part { schema, codings, root, end }))
}

/// The records of a file, up to the first one that is not whole.
struct Records<'a> {
    file: &'a File,
    size: u64,
    offset: u64,
}

impl Records<'_> {
    fn next(&mut self) -> Result<Option<(Entry, Vec<u8>)>> {
        let Some(head) = self.head()? else { return Ok(None) };
        let len = HEAD_LEN as u64 + u64::from(head.len);
        let record = match read_bytes(self.file, self.size, self.offset, len) {
            Ok(record) => record,
            Err(Error::Truncated { .. }) => return Ok(None),
            Err(error) => return Err(error),
        };
        if frame::check_record(&record).is_err() {
            return Ok(None);
        }
        if head.tag.is_none() && head.critical {
            return Err(Error::corrupt("file", "it has a record that this huffq does not know"));
        }
        let entry = Entry { offset: self.offset, len: len as u32 };
        self.offset += len;
        Ok(Some((entry, record)))
    }

    fn head(&self) -> Result<Option<Head>> {
        match read_bytes(self.file, self.size, self.offset, HEAD_LEN as u64) {
            Ok(bytes) => Ok(Head::parse(bytes[..].try_into().expect("a whole head"))),
            Err(Error::Truncated { .. }) => Ok(None),
            Err(error) => Err(error),
        }
    }
}

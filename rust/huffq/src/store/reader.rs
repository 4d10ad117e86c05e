//! A finished file in: its index, page by page.

use std::fs::File;
use std::ops::Range;
use std::path::Path;
use std::sync::Arc;

use super::cache::{Cache, PerProcess};
use super::frame::{self, HEADER_LEN, Kind, TRAILER_LEN, Tag};
use super::page::Page;
use super::root::{Root, Totals};
use super::schema::{Coding, Schema};
use super::source::{ReadAt, read_bytes};
use crate::error::{Error, Result};

/// Bytes of index pages that a reader keeps, as stored.
const PAGE_CACHE: usize = 1 << 22;

/// Bytes of decoded blocks that a reader keeps by default.
pub const BLOCK_CACHE: usize = 1 << 24;

/// Reads a `.huffq` file at random; any number of threads, and of forks, may share one.
///
/// Bytes are read by position into private buffers and checked there: a file that changes
/// underneath gives an error, never wrong data.
pub struct Reader {
    pub(super) source: Box<dyn ReadAt>,
    pub(super) size: u64,
    schema: Schema,
    pub(super) codings: Vec<Coding>,
    pub(super) root: Root,
    pub(super) caches: PerProcess<Caches>,
}

/// A block's field, group and number.
pub(super) type BlockKey = (usize, usize, usize);

/// What is kept.
pub(super) struct Caches {
    pages: Cache<usize, Page>,
    pub blocks: Cache<BlockKey, Vec<u8>>,
}

impl Caches {
    fn new(block_bytes: usize) -> Self {
        Self { pages: Cache::new(PAGE_CACHE), blocks: Cache::new(block_bytes) }
    }
}

impl Reader {
    /// Opens the file `path`: reads its trailer and root, no page and no block.
    ///
    /// # Errors
    /// As [`Reader::new`].
    pub fn open(path: &Path) -> Result<Self> {
        Self::new(Box::new(File::open(path)?), BLOCK_CACHE)
    }

    /// Opens a file, wherever it lies, and keeps up to `cache_bytes` of decoded blocks.
    ///
    /// # Errors
    /// [`Error::Io`], [`Error::Corrupt`], [`Error::Truncated`], [`Error::Unfinished`],
    /// [`Error::UnsupportedVersion`] or [`Error::UnsupportedFeatures`].
    pub fn new(source: Box<dyn ReadAt>, cache_bytes: usize) -> Result<Self> {
        let size = source.size()?;
        let tail_len = size.min(source.tail_bytes() as u64);
        let tail = read_bytes(&*source, size, size - tail_len, tail_len)?;
        let entry = match tail.last_chunk().map(|trailer| frame::check_trailer(trailer, size)) {
            None | Some(Err(Error::Unfinished)) => return Err(without_trailer(&*source, size)),
            Some(entry) => entry?,
        };
        let record = match entry.offset.checked_sub(size - tail_len) {
            Some(start) => tail[start as usize..tail.len() - TRAILER_LEN].to_vec(),
            None => read_bytes(&*source, size, entry.offset, entry.len.into())?,
        };
        let payload = frame::payload_of(&record, Tag::new(Kind::Root, 0))
            .map_err(|error| named(error, "index"))?;
        let (schema, codings, root) = Root::parse(payload, entry.offset)?;
        let caches = PerProcess::new(Caches::new, cache_bytes);
        Ok(Self { source, size, schema, codings, root, caches })
    }

    /// What the fields are.
    pub fn schema(&self) -> &Schema {
        &self.schema
    }

    /// How each field is stored.
    pub fn codings(&self) -> &[Coding] {
        &self.codings
    }

    /// Bytes of the file.
    pub fn size(&self) -> u64 {
        self.size
    }

    /// Whether reading it mostly waits.
    pub fn is_remote(&self) -> bool {
        self.source.is_remote()
    }

    /// Number of samples.
    pub fn samples(&self) -> u64 {
        self.root.groups.last().map_or(0, |group| group.samples)
    }

    /// Number of groups.
    pub fn groups(&self) -> usize {
        self.root.groups.len()
    }

    /// What the file holds of a field.
    pub fn totals(&self, field: usize) -> &Totals {
        &self.root.totals[field]
    }

    /// Items of a field: samples, or first indices of ragged ones.
    pub fn items(&self, field: usize) -> u64 {
        self.end(field, self.groups())
    }

    /// Items of a field in the groups before `group`.
    pub(super) fn end(&self, field: usize, group: usize) -> u64 {
        let Some(group) = group.checked_sub(1).map(|last| &self.root.groups[last]) else {
            return 0;
        };
        match self.ragged_number(field) {
            Some(number) => group.items[number],
            None => group.samples,
        }
    }

    /// The group that an item lies in.
    pub(super) fn group_of(&self, field: usize, item: u64) -> usize {
        let ragged = self.ragged_number(field);
        let groups = &self.root.groups;
        groups.partition_point(|group| ragged.map_or(group.samples, |n| group.items[n]) <= item)
    }

    /// Which of the ragged fields it is, if it is one.
    fn ragged_number(&self, field: usize) -> Option<usize> {
        let fields = &self.schema.fields;
        fields[field].ragged().then(|| fields[..field].iter().filter(|f| f.ragged()).count())
    }

    /// The items of each of some samples of a field.
    ///
    /// # Errors
    /// [`Error::InvalidArgument`] if there is no such sample; as [`read`](Self::read) otherwise.
    pub fn sample_items(&self, field: usize, samples: &[u64]) -> Result<Vec<Range<u64>>> {
        let total = self.samples();
        let ragged = self.schema.fields[field].ragged();
        let mut current: Option<(usize, Arc<Page>)> = None;
        let items = |&sample: &u64| {
            if sample >= total {
                return Err(Error::argument("sample", sample, format!("be below {total}")));
            }
            if !ragged {
                return Ok(sample..sample + 1);
            }
            let group = self.root.groups.partition_point(|group| group.samples <= sample);
            if current.as_ref().is_none_or(|(number, _)| *number != group) {
                current = Some((group, self.page(group)?));
            }
            let (_, page) = current.as_ref().expect("it was just read");
            let starts = page.fields[field].starts.as_ref().expect("a ragged field");
            let (place, base) = ((sample - page.first_sample) as usize, self.end(field, group));
            Ok(base + starts[place]..base + starts[place + 1])
        };
        samples.iter().map(items).collect()
    }

    /// The index page of a group.
    pub(super) fn page(&self, group: usize) -> Result<Arc<Page>> {
        let caches = self.caches.get();
        if let Some(page) = caches.pages.get(&group) {
            return Ok(page);
        }
        let entry = self.root.groups[group].page;
        let page = Arc::new(
            self.read_page(group).map_err(|error| named(error, &format!("index page {group}")))?,
        );
        caches.pages.put(group, page.clone(), entry.len as usize);
        Ok(page)
    }

    fn read_page(&self, group: usize) -> Result<Page> {
        let before = group.checked_sub(1).map(|last| &self.root.groups[last]);
        let least = before.map_or(HEADER_LEN as u64, |group| group.page.end());
        let first_sample = before.map_or(0, |group| group.samples);
        let here = &self.root.groups[group];
        let record = read_bytes(&*self.source, self.size, here.page.offset, here.page.len.into())?;
        let payload = frame::payload_of(&record, Tag::new(Kind::Page, group as u32))?;
        let fields = &self.schema.fields;
        let page = Page::parse(payload, fields, &self.codings, least, here.page.offset)?;
        let items = |field: usize| self.end(field, group + 1) - self.end(field, group);
        let as_counted = page.fields.iter().zip(0..).all(|(f, n)| f.items as u64 == items(n));
        let counted = (first_sample, here.samples - first_sample);
        if (page.first_sample, page.samples) != counted || !as_counted {
            return Err(Error::corrupt("index page", "the root counts other samples"));
        }
        Ok(page)
    }
}

/// Tells a foreign file from one that was cut off.
fn without_trailer(source: &dyn ReadAt, size: u64) -> Error {
    let needed = (HEADER_LEN + TRAILER_LEN) as u64;
    if size < needed {
        return Error::Truncated { what: "file", needed, available: size };
    }
    check_front(source, size).err().unwrap_or(Error::Unfinished)
}

/// Checks the file header.
pub(super) fn check_front(source: &dyn ReadAt, size: u64) -> Result<()> {
    let header = read_bytes(source, size, 0, HEADER_LEN as u64)?;
    frame::check_header(header.first_chunk().expect("a whole header"))
}

/// Says which part of a file an error lies in.
pub(super) fn named(error: Error, name: &str) -> Error {
    match error {
        Error::Corrupt { why, .. } => Error::corrupt(name, why),
        other => other,
    }
}

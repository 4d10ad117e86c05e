//! A damaged file: what is left of its groups.

use std::collections::BTreeMap;
use std::fs::File;
use std::ops::Range;
use std::path::{Path, PathBuf};

use super::batch::Batch;
use super::frame::{self, Entry, Kind, Tag};
use super::page::{FieldPage, Page};
use super::read::{decode_body, zeros};
use super::recover::Watch;
use super::root::parse_schema;
use super::scan::{Found, scan};
use super::schema::{Coding, FieldSchema, Schema};
use super::segment_head::SegmentHead;
use super::source::{ReadAt, read_bytes};
use crate::Backend;
use crate::block::Coder;
use crate::cursor::Cursor;
use crate::error::{Error, Result};
use crate::parallel::{self, Threads};

/// A damaged file: its whole records by group.
pub struct Wreck {
    path: PathBuf,
    size: u64,
    pub schema: Schema,
    pub codings: Vec<Coding>,
    groups: BTreeMap<u32, Remains>,
    /// Bytes that belong to no whole record.
    pub lost_bytes: u64,
}

/// What is left of a group.
#[derive(Default)]
struct Remains {
    page: Option<Entry>,
    segments: BTreeMap<(u16, u32), Entry>,
    blocks: BTreeMap<(u16, u32), Entry>,
}

/// A group's samples as far as they are left.
pub struct Salvage {
    pub first_sample: u64,
    pub samples: u64,
    fields: Vec<FieldPage>,
    codes: Vec<Vec<u8>>,
    /// Ranges of samples all of whose blocks are there, counted from the group's first.
    pub kept: Vec<Range<usize>>,
    pub lost_blocks: u64,
}

impl Wreck {
    /// Finds all whole records of a file.
    ///
    /// # Errors
    /// [`Error::Corrupt`] if its fields are not known any more; [`Error::Io`]; what `watch` returns.
    pub fn open(path: &Path, watch: Watch) -> Result<Self> {
        let file = File::open(path)?;
        let size = file.size()?;
        let (found, lost_bytes) = scan(&file, watch)?;
        let (schema, codings) = schema_of(&file, size, &found).ok_or_else(|| {
            Error::corrupt("file", "neither copy of its schema is whole, so its fields are unknown")
        })?;
        let mut groups: BTreeMap<u32, Remains> = BTreeMap::new();
        for Found { tag, entry } in found {
            let group = groups.entry(tag.group).or_default();
            let key = (tag.field, tag.place);
            match tag.kind {
                Kind::Page => drop(group.page.get_or_insert(entry)),
                Kind::Segment => drop(group.segments.entry(key).or_insert(entry)),
                Kind::Block => drop(group.blocks.entry(key).or_insert(entry)),
                Kind::Schema | Kind::Root => {}
            }
        }
        groups.retain(|_, group| !group.blocks.is_empty());
        Ok(Self { path: path.to_owned(), size, schema, codings, groups, lost_bytes })
    }

    /// Salvages group after group and hands each to `take`.
    ///
    /// # Errors
    /// [`Error::Io`]; what `take` and `watch` return.
    pub fn salvage(
        &self,
        threads: Threads,
        watch: Watch,
        mut take: impl FnMut(Salvage) -> Result<()>,
    ) -> Result<()> {
        let file = File::open(&self.path)?;
        for (&number, remains) in &self.groups {
            if let Some(group) = self.salvage_group(&file, number, remains, threads)? {
                take(group)?;
            }
            watch(remains.blocks.values().map(|entry| u64::from(entry.len)).sum())?;
        }
        Ok(())
    }

    /// What is left of a group; `None` if it is not known which samples it has.
    fn salvage_group(
        &self,
        file: &File,
        number: u32,
        remains: &Remains,
        threads: Threads,
    ) -> Result<Option<Salvage>> {
        let Some((first_sample, samples, fields)) = self.heads(file, number, remains) else {
            return Ok(None);
        };
        let mut codes = Vec::with_capacity(fields.len());
        let mut whole = vec![true; samples as usize];
        let mut lost_blocks = 0;
        for (number_of_field, field) in fields.iter().enumerate() {
            let key = (number, number_of_field);
            let (decoded, lost) = self.decode_field(file, key, remains, field, threads)?;
            lost_blocks += lost.len() as u64;
            let cut = self.codings[number_of_field].cut();
            for block in lost {
                let symbols = cut.symbols(block, field.items);
                mark(&mut whole, field, cut.item_len(), symbols);
            }
            codes.push(decoded);
        }
        let kept = runs(&whole);
        Ok(Some(Salvage { first_sample, samples, fields, codes, kept, lost_blocks }))
    }

    /// First sample and number of samples of a group, and what is known of its fields.
    fn heads(
        &self,
        file: &File,
        number: u32,
        remains: &Remains,
    ) -> Option<(u64, u64, Vec<FieldPage>)> {
        let fields = &self.schema.fields;
        let page = remains.page.and_then(|entry| {
            let payload = self.payload(file, Tag::new(Kind::Page, number), entry).ok()?;
            Some(Page::parse_anywhere(&payload, fields, &self.codings).ok()?.0)
        });
        if let Some(page) = page {
            return Some((page.first_sample, page.samples, page.fields));
        }
        let mut heads: Vec<BTreeMap<usize, Vec<u8>>> = vec![BTreeMap::new(); fields.len()];
        let mut group = None;
        for (&(field, place), &entry) in &remains.segments {
            let tag = Tag { kind: Kind::Segment, field, group: number, place };
            let Some(ragged) = fields.get(usize::from(field)).map(FieldSchema::ragged) else {
                continue;
            };
            let Ok(payload) = self.payload(file, tag, entry) else { continue };
            let Ok(head) = SegmentHead::parse(&payload, ragged) else { continue };
            group.get_or_insert((head.first_sample, head.samples));
            heads[usize::from(field)].insert(place as usize, payload);
        }
        let (first_sample, samples) = group?;
        // A group without most of its blocks is not worth the memory.
        let most = 64 * (remains.blocks.len() + 1);
        let salvaged =
            fields.iter().zip(&self.codings).zip(&heads).map(|((field, coding), heads)| {
                FieldPage::salvaged(coding, samples, field.ragged(), heads, most)
            });
        Some((first_sample, samples, salvaged.collect::<Option<_>>()?))
    }

    /// The codes of a group's field, and the blocks that are lost.
    fn decode_field(
        &self,
        file: &File,
        (group, field): (u32, usize),
        remains: &Remains,
        page: &FieldPage,
        threads: Threads,
    ) -> Result<(Vec<u8>, Vec<usize>)> {
        let (coding, backend) = (&self.codings[field], Backend::current()?);
        let cut = coding.cut();
        let len = page.items.checked_mul(cut.item_len());
        let mut codes = zeros(len.unwrap_or(usize::MAX))?;
        let mut rest = &mut codes[..];
        let work = (0..cut.blocks(page.items)).map(|block| {
            let len = cut.symbols(block, page.items).len();
            let (out, others) = std::mem::take(&mut rest).split_at_mut(len);
            rest = others;
            (block, out)
        });
        let decode = |(): &mut (), (block, out): (usize, &mut [u8])| {
            let Some(&entry) = remains.blocks.get(&(field as u16, block as u32)) else {
                return Ok(Some(block));
            };
            let tag = Tag { kind: Kind::Block, field: field as u16, group, place: block as u32 };
            let decoded = self.payload(file, tag, entry).and_then(|body| {
                Coder::with(backend, |coder| decode_body(coder, coding, page, block, &body, out))
            });
            match decoded {
                Ok(()) => Ok(None),
                Err(Error::Io(error)) => Err(error.into()),
                Err(_) => Ok(Some(block)),
            }
        };
        let lost = parallel::map(threads, work.collect(), || (), decode)?;
        Ok((codes, lost.into_iter().flatten().collect()))
    }

    fn payload(&self, file: &File, tag: Tag, entry: Entry) -> Result<Vec<u8>> {
        let record = read_bytes(file, self.size, entry.offset, entry.len.into())?;
        Ok(frame::payload_of(&record, tag)?.to_vec())
    }
}

impl Salvage {
    /// Some samples of every field. `lengths` keeps those of ragged fields.
    pub fn batch<'a>(
        &'a self,
        samples: &Range<usize>,
        codings: &[Coding],
        lengths: &'a mut Vec<Option<Vec<u64>>>,
    ) -> Vec<Batch<'a>> {
        let lengths_of = |field: &FieldPage| {
            let starts = &field.starts.as_ref()?[samples.start..=samples.end];
            Some(starts.windows(2).map(|pair| pair[1] - pair[0]).collect())
        };
        *lengths = self.fields.iter().map(lengths_of).collect();
        let parts = self.fields.iter().zip(codings).zip(&self.codes).zip(lengths);
        let batch = parts.map(|(((field, coding), codes), lengths)| {
            let item = |sample: usize| match &field.starts {
                Some(starts) => starts[sample] as usize,
                None => sample,
            };
            let len = coding.cut().item_len();
            let codes = &codes[item(samples.start) * len..item(samples.end) * len];
            Batch { codes, lengths: lengths.as_deref() }
        });
        batch.collect()
    }
}

/// The first whole copy of the schema among a file's records.
fn schema_of(file: &File, size: u64, found: &[Found]) -> Option<(Schema, Vec<Coding>)> {
    found.iter().find_map(|&Found { tag, entry }| {
        if !matches!(tag.kind, Kind::Schema | Kind::Root) {
            return None;
        }
        let record = read_bytes(file, size, entry.offset, entry.len.into()).ok()?;
        let payload = frame::payload_of(&record, tag).ok()?;
        if tag.kind == Kind::Schema {
            return parse_schema(payload).ok();
        }
        let mut cursor = Cursor::new("index", payload);
        let len = cursor.u32().ok()? as usize;
        parse_schema(cursor.take(len).ok()?).ok()
    })
}

/// Marks the samples that have one of some symbols as lost.
fn mark(whole: &mut [bool], field: &FieldPage, item_len: usize, symbols: Range<usize>) {
    let items = symbols.start / item_len.max(1)..symbols.end.div_ceil(item_len.max(1));
    let samples = match &field.starts {
        None => items,
        Some(starts) => {
            // Empty samples beside a lost block are whole.
            let first = starts.partition_point(|&start| start <= items.start as u64) - 1;
            first..starts.partition_point(|&start| start < items.end as u64)
        }
    };
    let end = samples.end.min(whole.len());
    whole[samples.start.min(end)..end].fill(false);
}

/// The ranges of samples that are whole.
fn runs(whole: &[bool]) -> Vec<Range<usize>> {
    let mut kept = Vec::new();
    let mut sample = 0;
    for run in whole.chunk_by(|a, b| a == b) {
        if run[0] {
            kept.push(sample..sample + run.len());
        }
        sample += run.len();
    }
    kept
}

//! What is left of a damaged file, as a new one.

use std::collections::BTreeMap;
use std::fs::File;
use std::ops::Range;
use std::path::Path;

use serde_json::value::RawValue;
use serde_json::{Map, Value, json};

use super::frame::{self, Entry, Kind, Tag};
use super::page::{FieldPage, Page, SegmentHead};
use super::read::{decode_body, zeros};
use super::root::parse_schema;
use super::scan::{Found, scan};
use super::schema::{Coding, Schema};
use super::source::{ReadAt, read_bytes};
use super::writer::{Batch, Writer};
use crate::Backend;
use crate::block::Coder;
use crate::cursor::Cursor;
use crate::error::{Error, Result};
use crate::parallel::{self, Threads};

/// Under this name a recovered file's metadata say where its samples stood.
const KEY: &str = "huffq.recovered";

/// What [`recover`] found.
#[derive(Clone, Debug)]
pub struct Recovery {
    /// Samples that were salvaged, by their numbers in the damaged file.
    pub kept: Vec<Range<u64>>,
    /// Samples that the damaged file had, as far as that is known.
    pub samples: u64,
    /// Blocks that are damaged or missing, in groups of which something is left.
    pub lost_blocks: u64,
    /// Bytes that belong to no whole record.
    pub lost_bytes: u64,
}

/// A damaged file: its whole records by group.
struct Wreck {
    file: File,
    size: u64,
    schema: Schema,
    codings: Vec<Coding>,
    groups: BTreeMap<u32, Remains>,
}

/// What is left of a group.
#[derive(Default)]
struct Remains {
    page: Option<Entry>,
    segments: BTreeMap<(u16, u32), Entry>,
    blocks: BTreeMap<(u16, u32), Entry>,
}

/// A group's samples as far as they are left.
struct Salvage {
    first_sample: u64,
    fields: Vec<FieldPage>,
    codes: Vec<Vec<u8>>,
    /// Ranges of samples all of whose blocks are there, counted from the group's first.
    kept: Vec<Range<usize>>,
    samples: u64,
    lost_blocks: u64,
}

/// Writes every whole sample of the damaged or unfinished file `path` to a new file `out`. A sample
/// is whole if it is in all fields. The new file's metadata say which they are.
///
/// # Errors
/// [`Error::Corrupt`] if the file's fields are not known any more, or no sample is left;
/// [`Error::Io`].
pub fn recover(path: &Path, out: &Path, threads: Threads) -> Result<Recovery> {
    let (wreck, lost_bytes) = Wreck::open(path)?;
    let mut recovery = Recovery { kept: Vec::new(), samples: 0, lost_blocks: 0, lost_bytes };
    for &number in wreck.groups.keys() {
        let Some(group) = wreck.salvage(number, threads)? else { continue };
        recovery.samples = recovery.samples.max(group.first_sample + group.samples);
        recovery.lost_blocks += group.lost_blocks;
        for range in &group.kept {
            let first = group.first_sample;
            push(&mut recovery.kept, first + range.start as u64..first + range.end as u64);
        }
    }
    if recovery.kept.is_empty() {
        return Err(Error::corrupt("file", "no sample is left whole"));
    }
    let mut schema = wreck.schema.clone();
    schema.metadata = with_ranges(&schema.metadata, &recovery)?;
    schema.shards = None;
    let mut writer = Writer::create(out, &schema.to_json(), threads)?;
    for &number in wreck.groups.keys() {
        let Some(group) = wreck.salvage(number, threads)? else { continue };
        for range in &group.kept {
            group.write(range.clone(), &wreck.codings, &mut writer)?;
        }
    }
    writer.finish()?;
    Ok(recovery)
}

/// Adds a range behind others.
fn push(ranges: &mut Vec<Range<u64>>, range: Range<u64>) {
    match ranges.last_mut() {
        Some(last) if last.end == range.start => last.end = range.end,
        _ => ranges.push(range),
    }
}

fn with_ranges(metadata: &RawValue, recovery: &Recovery) -> Result<Box<RawValue>> {
    let mut known: Map<String, Value> = serde_json::from_str(metadata.get()).unwrap_or_default();
    let ranges: Vec<_> = recovery.kept.iter().map(|range| [range.start, range.end]).collect();
    known.insert(KEY.into(), json!({ "samples": recovery.samples, "ranges": ranges }));
    let raw = serde_json::value::to_raw_value(&known);
    raw.map_err(|error| Error::argument("metadata", error, "be JSON"))
}

impl Wreck {
    fn open(path: &Path) -> Result<(Self, u64)> {
        let file = File::open(path)?;
        let size = file.size()?;
        let (found, lost_bytes) = scan(&file)?;
        let read = |entry: Entry| read_bytes(&file, size, entry.offset, entry.len.into());
        let schema = found.iter().find_map(|found| {
            let record = read(found.entry).ok()?;
            let payload = frame::payload_of(&record, found.tag).ok()?;
            match found.tag.kind {
                Kind::Schema => parse_schema(payload).ok(),
                Kind::Root => {
                    let mut cursor = Cursor::new("index", payload);
                    let len = cursor.u32().ok()? as usize;
                    parse_schema(cursor.take(len).ok()?).ok()
                }
                _ => None,
            }
        });
        let (schema, codings) = schema.ok_or_else(|| {
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
        Ok((Self { file, size, schema, codings, groups }, lost_bytes))
    }

    fn payload(&self, tag: Tag, entry: Entry) -> Result<Vec<u8>> {
        let record = read_bytes(&self.file, self.size, entry.offset, entry.len.into())?;
        Ok(frame::payload_of(&record, tag)?.to_vec())
    }

    /// What is left of a group; `None` if it is not known which samples it has.
    fn salvage(&self, number: u32, threads: Threads) -> Result<Option<Salvage>> {
        let remains = &self.groups[&number];
        let Some((first_sample, samples, fields)) = self.heads(number, remains) else {
            return Ok(None);
        };
        let mut codes = Vec::with_capacity(fields.len());
        let mut whole = vec![true; samples as usize];
        let mut lost_blocks = 0;
        for (number_of_field, field) in fields.iter().enumerate() {
            let key = (number, number_of_field);
            let (decoded, lost) = self.decode_field(key, remains, field, threads)?;
            lost_blocks += lost.len() as u64;
            let cut = self.codings[number_of_field].cut();
            for block in lost {
                let symbols = cut.symbols(block, field.items);
                mark(&mut whole, field, cut.item_len(), symbols);
            }
            codes.push(decoded);
        }
        let mut kept = Vec::new();
        let mut sample = 0;
        for run in whole.chunk_by(|a, b| a == b) {
            if run[0] {
                kept.push(sample..sample + run.len());
            }
            sample += run.len();
        }
        Ok(Some(Salvage { first_sample, fields, codes, kept, samples, lost_blocks }))
    }

    /// First sample and number of samples of a group, and what is known of its fields.
    fn heads(&self, number: u32, remains: &Remains) -> Option<(u64, u64, Vec<FieldPage>)> {
        let fields = &self.schema.fields;
        let page = remains.page.and_then(|entry| {
            let payload = self.payload(Tag::new(Kind::Page, number), entry).ok()?;
            Some(Page::parse_anywhere(&payload, fields, &self.codings).ok()?.0)
        });
        if let Some(page) = page {
            return Some((page.first_sample, page.samples, page.fields));
        }
        let mut heads: Vec<BTreeMap<usize, Vec<u8>>> = vec![BTreeMap::new(); fields.len()];
        let mut group = None;
        for (&(field, place), &entry) in &remains.segments {
            let tag = Tag { kind: Kind::Segment, field, group: number, place };
            let ragged = fields.get(usize::from(field))?.ragged();
            let Ok(payload) = self.payload(tag, entry) else { continue };
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
        let lost = parallel::map(
            threads,
            work.collect(),
            || (),
            |(), (block, out)| {
                let Some(&entry) = remains.blocks.get(&(field as u16, block as u32)) else {
                    return Ok(Some(block));
                };
                let tag =
                    Tag { kind: Kind::Block, field: field as u16, group, place: block as u32 };
                let decoded = self.payload(tag, entry).and_then(|body| {
                    Coder::with(backend, |coder| {
                        decode_body(coder, coding, page, block, &body, out)
                    })
                });
                match decoded {
                    Ok(()) => Ok(None),
                    Err(Error::Io(error)) => Err(error.into()),
                    Err(_) => Ok(Some(block)),
                }
            },
        )?;
        Ok((codes, lost.into_iter().flatten().collect()))
    }
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

impl Salvage {
    fn write(&self, samples: Range<usize>, codings: &[Coding], writer: &mut Writer) -> Result<()> {
        let lengths: Vec<Option<Vec<u64>>> = self
            .fields
            .iter()
            .map(|field| {
                let starts = &field.starts.as_ref()?[samples.start..=samples.end];
                Some(starts.windows(2).map(|pair| pair[1] - pair[0]).collect())
            })
            .collect();
        let parts = self.fields.iter().zip(codings).zip(&self.codes).zip(&lengths);
        let batch: Vec<_> = parts
            .map(|(((field, coding), codes), lengths)| {
                let item = |sample: usize| match &field.starts {
                    Some(starts) => starts[sample] as usize,
                    None => sample,
                };
                let len = coding.cut().item_len();
                let codes = &codes[item(samples.start) * len..item(samples.end) * len];
                Batch { codes, lengths: lengths.as_deref() }
            })
            .collect();
        writer.write(samples.len(), &batch)
    }
}

//! The index page of a group: where its blocks lie, with copies of all that is needed to decode
//! them.

use std::collections::BTreeMap;
use std::ops::Range;
use std::sync::OnceLock;

use super::frame::{Entry, HEAD_LEN};
use super::schema::{Coding, FieldSchema};
use super::segment_head::SegmentHead;
use crate::Codebook;
use crate::cursor::{Cursor, put_varint};
use crate::error::{Error, Result};
use crate::histogram::Counts;

/// What a page is made of.
#[derive(Debug, Default)]
pub struct PageBuilder {
    /// First byte of the group.
    pub start: u64,
    pub fields: Vec<FieldBuilder>,
}

/// What a page is made of, for one field.
#[derive(Debug)]
pub struct FieldBuilder {
    /// Each segment's head.
    pub segments: Vec<SegmentHead>,
    /// Bytes of each block's record.
    pub blocks: Vec<u32>,
    pub counts: Counts,
}

impl PageBuilder {
    pub fn put(&self, codings: &[Coding], out: &mut Vec<u8>) {
        out.extend(self.start.to_le_bytes());
        let mut head = Vec::new();
        for (field, coding) in self.fields.iter().zip(codings) {
            put_varint(field.segments.len() as u64, out);
            for segment in &field.segments {
                head.clear();
                segment.put(&mut head);
                put_varint(head.len() as u64, out);
                out.extend(&head);
            }
            field.blocks.iter().for_each(|&len| put_varint(len.into(), out));
            field.counts[..coding.alphabet_size()].iter().for_each(|&n| put_varint(n, out));
        }
    }
}

/// A page that was read.
#[derive(Debug)]
pub struct Page {
    /// First byte of the group.
    pub start: u64,
    pub first_sample: u64,
    pub samples: u64,
    pub fields: Vec<FieldPage>,
}

/// A page's part for one field.
#[derive(Debug)]
pub struct FieldPage {
    pub items: usize,
    /// Where each sample's items begin, and where the last one's end, if samples are ragged.
    pub starts: Option<Vec<u64>>,
    pub segments: Vec<SegmentPage>,
    /// Records of the blocks.
    pub blocks: Vec<Entry>,
    /// Occurrences of each symbol.
    pub counts: Vec<u64>,
}

/// A page's part for one segment.
#[derive(Debug)]
pub struct SegmentPage {
    pub blocks: Range<usize>,
    /// The record that the head is a copy of.
    pub entry: Entry,
    pub head: Vec<u8>,
    /// Bytes of the codebook within the head.
    codebook: Range<usize>,
    parsed: OnceLock<Codebook>,
}

impl Page {
    /// Reads the page of a group whose records end at `end` and begin at `least` or later.
    pub fn parse(
        payload: &[u8],
        fields: &[FieldSchema],
        codings: &[Coding],
        least: u64,
        end: u64,
    ) -> Result<Self> {
        let (page, offset) = Self::parse_anywhere(payload, fields, codings)?;
        if page.start < least || offset != end {
            return Err(corrupt("its records do not lie before it"));
        }
        Ok(page)
    }

    /// Reads a page; also returns where the records that it lists end.
    ///
    /// Numbers of blocks are held against the payload's length before anything is allocated.
    pub fn parse_anywhere(
        payload: &[u8],
        fields: &[FieldSchema],
        codings: &[Coding],
    ) -> Result<(Self, u64)> {
        let mut cursor = Cursor::new("index page", payload);
        let start = cursor.u64()?;
        let mut offset = start;
        let mut group = None;
        let mut read = Vec::new();
        for (field, coding) in fields.iter().zip(codings) {
            let page = FieldPage::parse(&mut cursor, field, coding, &mut offset, &mut group)?;
            read.push(page);
        }
        if cursor.remaining() > 0 {
            return Err(corrupt("bytes follow the last field"));
        }
        let (first_sample, samples) = group.ok_or_else(|| corrupt("it has no segment"))?;
        Ok((Self { start, first_sample, samples, fields: read }, offset))
    }
}

/// A segment's head, and its bytes.
type HeadBytes = (SegmentHead, Vec<u8>);

impl FieldPage {
    fn parse(
        cursor: &mut Cursor,
        field: &FieldSchema,
        coding: &Coding,
        offset: &mut u64,
        group: &mut Option<(u64, u64)>,
    ) -> Result<Self> {
        let heads = Self::heads(cursor, field.ragged(), group)?;
        let (first, _) = &heads[0];
        let (items, starts) = (first.items()?, first.lengths.as_deref().map(prefix_sums));
        let ranges = Self::ranges(coding, items, cursor.remaining())?;
        if ranges.len() != heads.len() {
            return Err(corrupt("a field has another number of segments"));
        }
        let (segments, blocks) = Self::records(cursor, ranges, heads, offset)?;
        let size = coding.alphabet_size();
        let counts = (0..size).map(|_| cursor.varint()).collect::<Result<_>>()?;
        Ok(Self { items, starts, segments, blocks, counts })
    }

    /// The heads of a field's segments, at least one, all of the same group.
    fn heads(
        cursor: &mut Cursor,
        ragged: bool,
        group: &mut Option<(u64, u64)>,
    ) -> Result<Vec<HeadBytes>> {
        let count = cursor.varint()?;
        let mut heads: Vec<HeadBytes> = Vec::new();
        for _ in 0..count {
            let len = usize::try_from(cursor.varint()?).unwrap_or(usize::MAX);
            let bytes = cursor.take(len)?;
            let head = SegmentHead::parse(bytes, ragged)?;
            let place = (head.first_sample, head.samples);
            let lengths = heads.first().map_or(&head.lengths, |(first, _)| &first.lengths);
            if *group.get_or_insert(place) != place || *lengths != head.lengths {
                return Err(corrupt("its segments are of different groups"));
            }
            heads.push((head, bytes.to_vec()));
        }
        if heads.is_empty() {
            return Err(corrupt("a field has no segment"));
        }
        Ok(heads)
    }

    /// The blocks of each segment; each block takes a byte of the page at least.
    fn ranges(coding: &Coding, items: usize, bytes: usize) -> Result<Vec<Range<usize>>> {
        let cut = coding.cut();
        let bound = items.checked_mul(cut.blocks_per_item().max(1));
        if bound.map_or(usize::MAX, |_| cut.blocks(items)) > bytes {
            return Err(corrupt("it is too short for its blocks"));
        }
        Ok(segment_ranges(coding, items).collect())
    }

    /// Where segments and blocks lie, from `offset` on, one behind the other.
    fn records(
        cursor: &mut Cursor,
        ranges: Vec<Range<usize>>,
        heads: Vec<HeadBytes>,
        offset: &mut u64,
    ) -> Result<(Vec<SegmentPage>, Vec<Entry>)> {
        let mut take = |len: u64| -> Result<Entry> {
            let len = u32::try_from(len).map_err(|_| corrupt("a record is too long"))?;
            let entry = Entry { offset: *offset, len };
            *offset = offset.checked_add(len.into()).ok_or_else(|| corrupt("it is too long"))?;
            Ok(entry)
        };
        let mut blocks = Vec::with_capacity(ranges.last().map_or(0, |range| range.end));
        let mut segments = Vec::with_capacity(ranges.len());
        for (range, (head, bytes)) in ranges.into_iter().zip(heads) {
            let entry = take((HEAD_LEN + bytes.len()) as u64)?;
            for _ in range.clone() {
                blocks.push(take(cursor.varint()?)?);
            }
            let codebook = bytes.len() - head.codebook.len()..bytes.len();
            let parsed = OnceLock::new();
            segments.push(SegmentPage { blocks: range, entry, head: bytes, codebook, parsed });
        }
        Ok((segments, blocks))
    }

    /// What is known of a field's blocks, at most `most_blocks`, from the heads of those segments that
    /// are left, by first block. The others lack codebooks.
    pub fn salvaged(
        coding: &Coding,
        samples: u64,
        ragged: bool,
        heads: &BTreeMap<usize, Vec<u8>>,
        most_blocks: usize,
    ) -> Option<Self> {
        let parse = |bytes: &[u8]| SegmentHead::parse(bytes, ragged).ok();
        let lengths = heads.values().find_map(|bytes| parse(bytes)?.lengths);
        if ragged && lengths.is_none() {
            return None;
        }
        let whole = SegmentHead { first_sample: 0, samples, lengths, codebook: Vec::new() };
        let items = whole.items().ok()?;
        let bound = items.checked_mul(coding.cut().blocks_per_item())?;
        if bound > 0 && coding.cut().blocks(items) > most_blocks {
            return None;
        }
        let segment = |blocks: Range<usize>| {
            let head = heads.get(&blocks.start).cloned().unwrap_or_default();
            let codebook = parse(&head).map_or(0, |head| head.codebook.len());
            let (codebook, entry) = (head.len() - codebook..head.len(), Entry::default());
            SegmentPage { blocks, entry, head, codebook, parsed: OnceLock::new() }
        };
        let segments = segment_ranges(coding, items).map(segment).collect();
        let starts = whole.lengths.as_deref().map(prefix_sums);
        Some(Self { items, starts, segments, blocks: Vec::new(), counts: Vec::new() })
    }

    /// The codebook of a block, if its segment has one.
    pub fn codebook(&self, coding: &Coding, block: usize) -> Result<Option<&Codebook>> {
        let segment = self.segments.partition_point(|segment| segment.blocks.end <= block);
        let segment = &self.segments[segment];
        let bytes = &segment.head[segment.codebook.clone()];
        let Coding::Codes(form) = coding else { return Ok(None) };
        if bytes.is_empty() {
            return Ok(None);
        }
        if let Some(codebook) = segment.parsed.get() {
            return Ok(Some(codebook));
        }
        let codebook = Codebook::parse(form.level, bytes, form.cut.geometry(), form.alphabet)?;
        // Threads that come at once each parse it; one result stays.
        Ok(Some(segment.parsed.get_or_init(|| codebook)))
    }
}

/// The blocks of each segment of a group's field; a field without any block has one segment, too.
pub fn segment_ranges(coding: &Coding, items: usize) -> impl Iterator<Item = Range<usize>> {
    let none = coding.cut().blocks(items) == 0;
    coding.cut().segments(items).chain(none.then_some(0..0))
}

fn corrupt(why: &str) -> Error {
    Error::corrupt("index page", why)
}

fn prefix_sums(lengths: &[u64]) -> Vec<u64> {
    let mut sum = 0;
    let sums = lengths.iter().map(|&len| {
        sum += len;
        sum
    });
    std::iter::once(0).chain(sums).collect()
}

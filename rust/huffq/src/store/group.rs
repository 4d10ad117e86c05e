//! The group of samples that is not full yet.

use std::borrow::Cow;
use std::ops::Range;
use std::sync::Arc;

use super::batch::Batch;
use super::encoder::{Line, Queued};
use super::page::segment_ranges;
use super::schema::{Coding, GROUP_SYMBOLS, Schema};
use super::segment_head::SegmentHead;
use crate::cut::SEGMENT_SYMBOLS;
use crate::error::Result;
use crate::segment::Segment;

/// Takes samples until there are as many as a group has, and then hands them on as segments.
pub struct Group {
    schema: Arc<Schema>,
    codings: Arc<[Coding]>,
    fields: Vec<Pending>,
    samples: u64,
}

/// A field's part of it.
#[derive(Default)]
struct Pending {
    codes: Vec<u8>,
    /// Items of each sample, if they differ.
    lengths: Vec<u64>,
    items: u64,
}

impl Group {
    pub fn new(schema: Arc<Schema>, codings: Arc<[Coding]>) -> Self {
        let fields = codings.iter().map(|_| Pending::default()).collect();
        Self { schema, codings, fields, samples: 0 }
    }

    /// Takes as many of `samples` samples out of `rest` as fit, and hands the group on if it is
    /// full; returns how many it took.
    pub fn take(
        &mut self,
        rest: &mut [Batch],
        samples: usize,
        line: &mut Line<'_, 'static>,
    ) -> Result<usize> {
        let taken = self.fitting(rest, samples);
        if taken == 0 {
            self.close(line)?;
            return Ok(0);
        }
        let mut parts = Vec::with_capacity(rest.len());
        for ((field, coding), rest) in self.fields.iter_mut().zip(&*self.codings).zip(rest) {
            let part = rest.take(taken, coding.cut().item_len());
            field.lengths.extend(part.lengths.unwrap_or_default());
            field.items += part.lengths.map_or(taken as u64, |lengths| lengths.iter().sum());
            parts.push(part.codes);
        }
        self.samples += taken as u64;
        if self.samples == self.schema.group_samples {
            self.close_with(&parts, line)?;
        } else {
            self.put_aside(&parts, line);
        }
        Ok(taken)
    }

    /// How many of `samples` samples fit.
    fn fitting(&self, rest: &[Batch], samples: usize) -> usize {
        let most = (self.schema.group_samples - self.samples).min(samples as u64);
        if rest.iter().all(|field| field.lengths.is_none()) {
            return most as usize;
        }
        let len = |field: usize| self.codings[field].cut().item_len() as u64;
        let mut sums: Vec<u64> =
            self.fields.iter().enumerate().map(|(i, field)| field.items * len(i)).collect();
        for sample in 0..most as usize {
            let added = rest.iter().enumerate().map(|(i, field)| {
                field.lengths.map_or(1, |lengths| lengths[sample]).saturating_mul(len(i))
            });
            let mut fits = true;
            for ((sum, added), field) in sums.iter_mut().zip(added).zip(rest) {
                *sum = sum.saturating_add(added);
                fits &= field.lengths.is_none() || *sum <= SEGMENT_SYMBOLS as u64;
            }
            fits &= sums.iter().fold(0, |a: u64, &b| a.saturating_add(b)) <= GROUP_SYMBOLS;
            if !fits && self.samples + sample as u64 > 0 {
                return sample;
            }
        }
        most as usize
    }

    /// Keeps codes until the group is full.
    fn put_aside(&mut self, parts: &[&[u8]], line: &Line<'_, 'static>) {
        for (number, part) in parts.iter().enumerate() {
            let codes = &mut self.fields[number].codes;
            if codes.capacity() == 0 && !self.schema.fields[number].ragged() {
                let item_len = self.codings[number].cut().item_len() as u64;
                let len = self.schema.group_samples.saturating_mul(item_len);
                // A group may be larger than it ever gets.
                let len = len.min(SEGMENT_SYMBOLS as u64).max(part.len() as u64) as usize;
                *codes = line.memory(len);
            }
            codes.extend_from_slice(part);
        }
    }

    /// Hands on what there is, if there is anything.
    pub fn close(&mut self, line: &mut Line<'_, 'static>) -> Result<()> {
        match self.samples {
            0 => Ok(()),
            _ => self.close_with(&vec![&[][..]; self.fields.len()], line),
        }
    }

    /// Hands on what there is, and `last` behind it.
    fn close_with(&mut self, last: &[&[u8]], line: &mut Line<'_, 'static>) -> Result<()> {
        let samples = std::mem::take(&mut self.samples);
        let ragged = |i: &usize| self.schema.fields[*i].ragged();
        let items: Vec<u64> =
            (0..last.len()).filter(ragged).map(|i| self.fields[i].items).collect();
        let codings = self.codings.clone();
        for (number, (coding, last)) in codings.iter().zip(last).enumerate() {
            let Pending { mut codes, lengths, items: items_here } =
                std::mem::take(&mut self.fields[number]);
            let mut codes = match codes.is_empty() {
                true => Cow::Borrowed(*last),
                false => {
                    codes.extend_from_slice(last);
                    Cow::Owned(codes)
                }
            };
            let lengths = self.schema.fields[number].ragged().then_some(lengths);
            let head = SegmentHead { first_sample: 0, samples, lengths, codebook: Vec::new() };
            let end = (number == codings.len() - 1).then(|| items.clone());
            let queued = Queued { field: number, place: 0, head, end };
            hand_on(queued, coding, items_here as usize, line, |line, range| match &mut codes {
                Cow::Owned(codes) if range.len() == codes.len() => std::mem::take(codes).into(),
                codes => copied(line, &codes[range]),
            })?;
        }
        Ok(())
    }

    /// Samples that it has.
    pub fn samples(&self) -> u64 {
        self.samples
    }
}

/// Hands on a whole group of which `parts` has each field's codes; none of them is ragged.
pub fn hand_on_borrowed<'a>(
    codings: &[Coding],
    samples: u64,
    parts: &[Batch<'a>],
    line: &mut Line<'_, 'a>,
) -> Result<()> {
    for (field, (coding, part)) in codings.iter().zip(parts).enumerate() {
        let head = SegmentHead { first_sample: 0, samples, lengths: None, codebook: Vec::new() };
        let end = (field == codings.len() - 1).then(Vec::new);
        let queued = Queued { field, place: 0, head, end };
        hand_on(queued, coding, samples as usize, line, |line, range| {
            let codes = &part.codes[range];
            // Where symbols differ from codes they need memory of their own.
            if coding.symbols_are_codes() { Cow::Borrowed(codes) } else { copied(line, codes) }
        })?;
    }
    Ok(())
}

/// Gives a group's codes of a field to the encoder, segment by segment.
fn hand_on<'a>(
    whole: Queued,
    coding: &Coding,
    items: usize,
    line: &mut Line<'_, 'a>,
    mut codes: impl FnMut(&Line<'_, 'a>, Range<usize>) -> Cow<'a, [u8]>,
) -> Result<()> {
    let ranges: Vec<_> = segment_ranges(coding, items).collect();
    let last = ranges.len() - 1;
    for (number, blocks) in ranges.into_iter().enumerate() {
        line.make_room()?;
        let codes = codes(line, coding.cut().symbols_of(&blocks, items));
        let end = whole.end.clone().filter(|_| number == last);
        let queued = Queued { place: blocks.start, head: whole.head.clone(), end, ..whole };
        line.push(queued, Segment { blocks, items, codes });
    }
    Ok(())
}

/// Codes in memory that is used again.
fn copied<'a>(line: &Line<'_, 'a>, codes: &[u8]) -> Cow<'a, [u8]> {
    let mut memory = line.memory(codes.len());
    memory.extend_from_slice(codes);
    memory.into()
}

//! Samples in, finished files out.

use std::borrow::Cow;
use std::collections::VecDeque;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;
use std::{io, process};

use super::page::{SegmentHead, segment_ranges};
use super::pool::Pool;
use super::resume;
use super::root::Totals;
use super::schema::{Coding, GROUP_SYMBOLS, Schema};
use super::shard::ShardFile;
use crate::cut::SEGMENT_SYMBOLS;
use crate::error::{Error, Result};
use crate::parallel::Threads;
use crate::segment::{EncodedSegment, Segment};

/// Writes a `.huffq` file, or a folder of them, in one pass.
///
/// A file grows under the name `NAME.part` and takes its own name when it is whole and synced. A
/// writer that is dropped before leaves the part, if there is a whole group in it, to be resumed.
///
/// Memory holds the group that is not full yet and the few segments that are being encoded, on
/// threads of the writer's own. The bytes do not depend on how the samples are cut into batches, nor
/// on the number of threads.
pub struct Writer {
    path: PathBuf,
    schema: Schema,
    codings: Arc<[Coding]>,
    pool: Option<Pool>,
    /// What the pool is at work on.
    queue: VecDeque<Queued>,
    shard: Option<ShardFile>,
    finished: Vec<ShardSummary>,
    /// Numbers of shards are counted from the first one of this writer on.
    next_shard: u64,
    fields: Vec<FieldState>,
    /// Samples of the group that is not full yet, and those before.
    group_samples: u64,
    samples: u64,
    process: u32,
}

#[derive(Default)]
struct FieldState {
    /// Codes of the group that is not full yet.
    pending: Vec<u8>,
    /// Items of its samples, if they differ.
    lengths: Vec<u64>,
    items: u64,
    encode_time: Duration,
    /// Of finished shards.
    totals: Totals,
}

/// A segment in the pool.
struct Queued {
    field: usize,
    place: usize,
    head: SegmentHead,
    /// If its group ends with it, the group's items of each ragged field.
    end: Option<Vec<u64>>,
}

/// Some samples of one field.
#[derive(Clone, Copy, Debug)]
pub struct Batch<'a> {
    /// Codes, or bytes of a side field's elements, in C order.
    pub codes: &'a [u8],
    /// Items of each sample, if they differ.
    pub lengths: Option<&'a [u64]>,
}

/// What [`Writer::finish`] reports of one field.
#[derive(Clone, Debug)]
pub struct FieldSummary {
    /// What the files have of it.
    pub totals: Totals,
    /// Time spent in encoding, summed over threads.
    pub encode_time: Duration,
}

/// A finished file.
#[derive(Clone, Debug)]
pub struct ShardSummary {
    /// Where it is.
    pub path: PathBuf,
    /// Its samples.
    pub samples: u64,
    /// Its bytes.
    pub bytes: u64,
}

/// What [`Writer::finish`] reports.
#[derive(Clone, Debug)]
pub struct Summary {
    /// Samples written.
    pub samples: u64,
    /// Each file, in order.
    pub shards: Vec<ShardSummary>,
    /// Each field, in the schema's order.
    pub fields: Vec<FieldSummary>,
}

impl Writer {
    /// Begins the file that will be `path`, or files in the folder `path` if the schema has shards;
    /// encodes on `threads` threads.
    ///
    /// # Errors
    /// [`Error::InvalidArgument`] if the schema cannot be; [`Error::Io`] if the first file cannot be
    /// created; [`Error::InUse`] if another writer is at work on it.
    pub fn create(path: &Path, schema: &str, threads: Threads) -> Result<Self> {
        let mut writer = Self::new(path, schema, threads)?;
        writer.begin_shard()?;
        Ok(writer)
    }

    /// Goes on with what another writer left at `path`; begins anew if there is nothing.
    ///
    /// # Errors
    /// As [`create`](Self::create); [`Error::CannotResume`] if the schemas differ;
    /// [`Error::Corrupt`] if what is there is no part of a file.
    pub fn resume(path: &Path, schema: &str, threads: Threads) -> Result<Self> {
        let mut writer = Self::new(path, schema, threads)?;
        let Some(state) = resume::state(path)? else {
            writer.begin_shard()?;
            return Ok(writer);
        };
        writer.schema.shards = writer.schema.shards.map(|shards| match state.schema.shards {
            Some(begun) => super::Shards { first: begun.first, ..shards },
            None => shards,
        });
        let (found, expected) = (state.schema.to_json(), writer.schema.to_json());
        if found != expected {
            return Err(Error::CannotResume { found, expected });
        }
        for (sum, totals) in writer.fields.iter_mut().zip(&state.totals) {
            sum.totals.add(totals);
        }
        writer.samples = state.samples();
        writer.next_shard = writer.first_shard() + state.finished.len() as u64;
        writer.finished = state.finished;
        if let Some((root, end)) = state.part {
            writer.shard = Some(ShardFile::resume(&writer.shard_path(), root, end)?);
            writer.next_shard += 1;
        }
        Ok(writer)
    }

    fn new(path: &Path, schema: &str, threads: Threads) -> Result<Self> {
        let (schema, codings) = Schema::from_json(schema)?;
        let codings: Arc<[Coding]> = codings.into();
        let field =
            |coding: &Coding| FieldState { totals: Totals::of(coding), ..FieldState::default() };
        Ok(Self {
            path: path.to_owned(),
            pool: Some(Pool::new(codings.clone(), threads)?),
            queue: VecDeque::new(),
            shard: None,
            finished: Vec::new(),
            next_shard: schema.shards.map_or(0, |shards| shards.first),
            fields: codings.iter().map(field).collect(),
            group_samples: 0,
            samples: 0,
            process: process::id(),
            schema,
            codings,
        })
    }

    /// The schema, defaults filled in.
    pub fn schema(&self) -> &Schema {
        &self.schema
    }

    /// Samples that were given to it, those resumed from included.
    pub fn samples(&self) -> u64 {
        self.samples
    }

    /// Appends `samples` samples of every field, in the schema's order.
    ///
    /// # Errors
    /// [`Error::InvalidArgument`] if a field's codes are not `samples` samples;
    /// [`Error::InField`] names field and sample of a code outside its alphabet; nothing of the batch
    /// is then taken. [`Error::Io`] if the disk does not take it.
    pub fn write(&mut self, samples: usize, batch: &[Batch]) -> Result<()> {
        self.check(samples, batch)?;
        let mut done = 0;
        let mut starts = vec![0; batch.len()];
        while done < samples {
            let taken = self.fitting(done, samples, batch);
            if taken == 0 {
                self.close_group(&vec![&[][..]; batch.len()])?;
                continue;
            }
            let mut slices = Vec::with_capacity(batch.len());
            for (number, field) in batch.iter().enumerate() {
                let items = match field.lengths {
                    Some(lengths) => {
                        let lengths = &lengths[done..done + taken];
                        self.fields[number].lengths.extend(lengths);
                        lengths.iter().sum()
                    }
                    None => taken as u64,
                };
                self.fields[number].items += items;
                let len = items as usize * self.codings[number].cut().item_len();
                slices.push(&field.codes[starts[number]..starts[number] + len]);
                starts[number] += len;
            }
            done += taken;
            self.group_samples += taken as u64;
            self.samples += taken as u64;
            if self.group_samples == self.schema.group_samples {
                self.close_group(&slices)?;
            } else {
                self.put_aside(&slices);
            }
        }
        while let Some(segment) = self.pool().pop(false) {
            self.put(segment?)?;
        }
        Ok(())
    }

    /// Adds codes to those of the group that is not full yet.
    fn put_aside(&mut self, slices: &[&[u8]]) {
        for (number, slice) in slices.iter().enumerate() {
            if self.fields[number].pending.capacity() == 0 && !self.schema.fields[number].ragged() {
                let item_len = self.codings[number].cut().item_len() as u64;
                let len = self.schema.group_samples.saturating_mul(item_len);
                // A group may be larger than it ever gets.
                let len = len.min(SEGMENT_SYMBOLS as u64).max(slice.len() as u64) as usize;
                self.fields[number].pending = self.pool().memory(len);
            }
            self.fields[number].pending.extend_from_slice(slice);
        }
    }

    fn check(&self, samples: usize, batch: &[Batch]) -> Result<()> {
        if batch.len() != self.fields.len() {
            let expected = format!("be {}", self.fields.len());
            return Err(Error::argument("number of arrays", batch.len(), expected));
        }
        for ((field, coding), part) in self.schema.fields.iter().zip(&*self.codings).zip(batch) {
            let name = &field.name;
            let wrong = |what, value: usize, expected: String| {
                Error::argument(what, format!("{value} for field {name:?}"), expected)
            };
            let items = match (field.ragged(), part.lengths) {
                (true, Some(lengths)) if lengths.len() == samples => {
                    lengths.iter().try_fold(0usize, |sum, &n| sum.checked_add(n.try_into().ok()?))
                }
                (false, None) => Some(samples),
                (_, lengths) => {
                    let count = lengths.map_or(0, <[u64]>::len);
                    return Err(wrong("number of lengths", count, "be that of samples".into()));
                }
            };
            let len = items.and_then(|items| items.checked_mul(coding.cut().item_len()));
            if len != Some(part.codes.len()) {
                let expected = format!("be {samples} samples");
                return Err(wrong("number of elements", part.codes.len(), expected));
            }
            if let Coding::Codes(form) = coding {
                let locate = |error| locate(error, name, self.samples, form.cut.item_len(), part);
                form.alphabet.check(part.codes).map_err(locate)?;
            }
        }
        Ok(())
    }

    /// How many of the samples from `done` on go into the group that is not full yet.
    fn fitting(&self, done: usize, samples: usize, batch: &[Batch]) -> usize {
        let most = (self.schema.group_samples - self.group_samples).min((samples - done) as u64);
        if batch.iter().all(|field| field.lengths.is_none()) {
            return most as usize;
        }
        let len = |field: usize| self.codings[field].cut().item_len() as u64;
        let mut sums: Vec<u64> =
            self.fields.iter().enumerate().map(|(i, field)| field.items * len(i)).collect();
        for sample in 0..most as usize {
            let added = batch.iter().enumerate().map(|(i, field)| {
                field.lengths.map_or(1, |lengths| lengths[done + sample]).saturating_mul(len(i))
            });
            let mut fits = true;
            for ((sum, added), field) in sums.iter_mut().zip(added).zip(batch) {
                *sum = sum.saturating_add(added);
                fits &= field.lengths.is_none() || *sum <= SEGMENT_SYMBOLS as u64;
            }
            fits &= sums.iter().fold(0, |a: u64, &b| a.saturating_add(b)) <= GROUP_SYMBOLS;
            if !fits && self.group_samples + sample as u64 > 0 {
                return sample;
            }
        }
        most as usize
    }

    /// Gives the pending codes of every field, and `last` behind them, to the pool.
    fn close_group(&mut self, last: &[&[u8]]) -> Result<()> {
        let samples = std::mem::take(&mut self.group_samples);
        let ragged = |i: &usize| self.schema.fields[*i].ragged();
        let items: Vec<u64> =
            (0..last.len()).filter(ragged).map(|i| self.fields[i].items).collect();
        let codings = self.codings.clone();
        for (field, (coding, last)) in codings.iter().zip(last).enumerate() {
            let state = &mut self.fields[field];
            let items_here = std::mem::take(&mut state.items) as usize;
            let lengths = std::mem::take(&mut state.lengths);
            let lengths = self.schema.fields[field].ragged().then_some(lengths);
            let mut codes = std::mem::take(&mut state.pending);
            let mut codes = match codes.is_empty() {
                true => Cow::Borrowed(*last),
                false => {
                    codes.extend_from_slice(last);
                    Cow::Owned(codes)
                }
            };
            let head = SegmentHead { first_sample: 0, samples, lengths, codebook: Vec::new() };
            let ranges: Vec<_> = segment_ranges(coding, items_here).collect();
            let last_range = ranges.len() - 1;
            for (number, blocks) in ranges.into_iter().enumerate() {
                while self.pool().full() {
                    self.put_next()?;
                }
                let segment = match &mut codes {
                    Cow::Owned(codes) if last_range == 0 => std::mem::take(codes),
                    codes => {
                        let codes = &codes[coding.cut().symbols_of(&blocks, items_here)];
                        let mut memory = self.pool().memory(codes.len());
                        memory.extend_from_slice(codes);
                        memory
                    }
                };
                let end = number == last_range && field == codings.len() - 1;
                let end = end.then(|| items.clone());
                let place = blocks.start;
                self.queue.push_back(Queued { field, place, head: head.clone(), end });
                let codes = Cow::Owned(segment);
                self.pool().push(field, Segment { blocks, items: items_here, codes });
            }
        }
        Ok(())
    }

    fn pool(&self) -> &Pool {
        self.pool.as_ref().expect("a writer at work has threads")
    }

    /// Waits for the segment that is next, and writes it.
    fn put_next(&mut self) -> Result<()> {
        let segment = self.pool().pop(true).expect("the pool has what is queued");
        self.put(segment?)
    }

    fn put(&mut self, segment: EncodedSegment) -> Result<()> {
        let Queued { field, place, mut head, end } =
            self.queue.pop_front().expect("the queue has what the pool has");
        if self.shard.is_none() {
            self.begin_shard()?;
        }
        let shard = self.shard.as_mut().expect("a shard has begun");
        head.first_sample = shard.samples();
        let samples = head.samples;
        head.codebook = segment.codebook.clone().unwrap_or_default();
        shard.put_segment(field, place, head, &segment)?;
        let time = segment.blocks.iter().map(|block| block.time).sum::<Duration>();
        self.fields[field].encode_time += segment.training_time + time;
        if let Some(items) = end {
            shard.end_group(&self.codings, samples, &items)?;
            let bytes = shard.bytes();
            if self.schema.shards.is_some_and(|shards| bytes >= shards.bytes) {
                self.finish_shard()?;
            }
        }
        Ok(())
    }

    fn first_shard(&self) -> u64 {
        self.schema.shards.map_or(0, |shards| shards.first)
    }

    fn shard_path(&self) -> PathBuf {
        match self.schema.shards {
            Some(_) => self.path.join(resume::shard_name(self.next_shard)),
            None => self.path.clone(),
        }
    }

    fn begin_shard(&mut self) -> Result<()> {
        let path = self.shard_path();
        if self.schema.shards.is_some() && path.exists() {
            return Err(io::Error::from(io::ErrorKind::AlreadyExists).into());
        }
        self.shard = Some(ShardFile::create(&path, &self.schema, &self.codings)?);
        self.next_shard += 1;
        Ok(())
    }

    fn finish_shard(&mut self) -> Result<()> {
        let Some(shard) = self.shard.take() else { return Ok(()) };
        let (path, samples) = (shard.path().to_owned(), shard.samples());
        for (field, totals) in self.fields.iter_mut().zip(shard.totals()) {
            field.totals.add(totals);
        }
        let bytes = shard.finish(&self.schema)?;
        self.finished.push(ShardSummary { path, samples, bytes });
        Ok(())
    }

    /// Writes the last group and the index, syncs, and gives the file its name.
    ///
    /// # Errors
    /// As [`write`](Self::write).
    pub fn finish(mut self) -> Result<Summary> {
        if self.group_samples > 0 {
            self.close_group(&vec![&[][..]; self.fields.len()])?;
        }
        self.drain()?;
        self.finish_shard()?;
        let field =
            |f: &FieldState| FieldSummary { totals: f.totals.clone(), encode_time: f.encode_time };
        let fields = self.fields.iter().map(field).collect();
        let shards = std::mem::take(&mut self.finished);
        Ok(Summary { samples: self.samples, shards, fields })
    }

    /// Writes the whole groups that there are, and leaves the part to be resumed. Returns how many
    /// samples it has, those of finished shards included; without any it is removed.
    ///
    /// # Errors
    /// [`Error::Io`].
    pub fn suspend(mut self) -> Result<u64> {
        self.drain()?;
        let finished: u64 = self.finished.iter().map(|shard| shard.samples).sum();
        let Some(shard) = self.shard.take() else { return Ok(finished) };
        let samples = shard.samples();
        if samples > 0 {
            shard.suspend()?
        } else {
            shard.remove()?
        }
        Ok(finished + samples)
    }

    fn drain(&mut self) -> Result<()> {
        while !self.queue.is_empty() {
            self.put_next()?;
        }
        Ok(())
    }
}

impl Drop for Writer {
    fn drop(&mut self) {
        if self.process != process::id() {
            // A fork's copy: threads and file are the parent's.
            std::mem::forget(self.pool.take());
            std::mem::forget(self.shard.take());
            return;
        }
        if let Some(shard) = self.shard.take().filter(|shard| shard.samples() == 0) {
            // Nobody is left to hear of a failure, and the part harms nobody.
            let _ = shard.remove();
        }
    }
}

/// Says in which field and sample an error lies.
fn locate(error: Error, name: &str, first_sample: u64, item_len: usize, batch: &Batch) -> Error {
    let Error::CodeOutOfRange { value, index, alphabet } = error else { return error };
    let (sample, index) = match batch.lengths {
        None => (index / item_len, index % item_len),
        Some(lengths) => {
            let mut rest = index;
            let sample = lengths.iter().position(|&len| {
                let len = len as usize * item_len;
                let inside = rest < len;
                rest -= if inside { 0 } else { len };
                inside
            });
            (sample.unwrap_or(0), rest)
        }
    };
    let sample = first_sample + sample as u64;
    let source = Box::new(Error::CodeOutOfRange { value, index, alphabet });
    Error::InField { field: name.to_owned(), sample, source }
}

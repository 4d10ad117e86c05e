//! The files of a dataset that is being written, one after another.

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;
use std::{fs, io, process};

use super::resume::{self, State};
use super::root::Totals;
use super::schema::{Coding, Schema};
use super::segment_head::SegmentHead;
use super::shard::ShardFile;
use crate::error::Result;
use crate::segment::EncodedSegment;

/// What [`Writer::finish`](super::Writer::finish) reports of one field.
#[derive(Clone, Debug)]
pub struct FieldSummary {
    /// What the files have of it.
    pub totals: Totals,
    /// Symbols that this writer encoded: not those that it resumed from.
    pub encoded: u64,
    /// Time that it took, summed over threads.
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

/// The file that is being written, if one is, and those before.
pub struct Files {
    path: PathBuf,
    schema: Arc<Schema>,
    codings: Arc<[Coding]>,
    shard: Option<ShardFile>,
    finished: Vec<ShardSummary>,
    /// Number of the shard that is begun next.
    next: u64,
    /// Of finished shards.
    fields: Vec<FieldSummary>,
    /// What becomes of the files if they are not finished.
    unfinished: Unfinished,
    process: u32,
}

/// What becomes of files that are not finished.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Unfinished {
    /// Whole groups stay, to be resumed.
    Kept,
    /// No file stays.
    Removed,
}

impl Files {
    /// Begins the first file.
    pub fn create(
        path: &Path,
        schema: Arc<Schema>,
        codings: Arc<[Coding]>,
        unfinished: Unfinished,
    ) -> Result<Self> {
        let mut files = Self::new(path, schema, codings, unfinished);
        files.begin()?;
        Ok(files)
    }

    /// Goes on with what there is.
    pub fn resume(
        path: &Path,
        schema: Arc<Schema>,
        codings: Arc<[Coding]>,
        state: State,
    ) -> Result<Self> {
        let mut files = Self::new(path, schema, codings, Unfinished::Kept);
        for (field, totals) in files.fields.iter_mut().zip(&state.totals) {
            field.totals.add(totals);
        }
        files.next += state.finished.len() as u64;
        files.finished = state.finished;
        if let Some((root, end)) = state.part {
            files.shard = Some(ShardFile::resume(&files.next_path(), &files.schema, root, end)?);
            files.next += 1;
        }
        Ok(files)
    }

    fn new(
        path: &Path,
        schema: Arc<Schema>,
        codings: Arc<[Coding]>,
        unfinished: Unfinished,
    ) -> Self {
        let field = |coding| FieldSummary {
            totals: Totals::of(coding),
            encoded: 0,
            encode_time: Duration::ZERO,
        };
        Self {
            path: path.to_owned(),
            shard: None,
            finished: Vec::new(),
            next: schema.shards.map_or(0, |shards| shards.first),
            fields: codings.iter().map(field).collect(),
            unfinished,
            process: process::id(),
            schema,
            codings,
        }
    }

    fn next_path(&self) -> PathBuf {
        match self.schema.shards {
            Some(_) => self.path.join(resume::shard_name(self.next)),
            None => self.path.clone(),
        }
    }

    fn begin(&mut self) -> Result<()> {
        let path = self.next_path();
        if self.schema.shards.is_some() && path.exists() {
            return Err(io::Error::from(io::ErrorKind::AlreadyExists).into());
        }
        self.shard = Some(ShardFile::create(&path, &self.schema, &self.codings)?);
        self.next += 1;
        Ok(())
    }

    /// Writes a segment of the group that is at work; `place` is its first block's number.
    pub fn put_segment(
        &mut self,
        field: usize,
        place: usize,
        mut head: SegmentHead,
        segment: &EncodedSegment,
    ) -> Result<()> {
        if self.shard.is_none() {
            self.begin()?;
        }
        let shard = self.shard.as_mut().expect("a shard has begun");
        head.first_sample = shard.samples();
        head.codebook = segment.codebook.clone().unwrap_or_default();
        shard.put_segment(field, place, head, segment)?;
        let time = segment.blocks.iter().map(|block| block.time).sum::<Duration>();
        let symbols = segment.blocks.iter().flat_map(|block| &block.counts).sum::<u64>();
        self.fields[field].encoded += symbols;
        self.fields[field].encode_time += segment.training_time + time;
        Ok(())
    }

    /// Ends the group, and the file if it has its size. `items` are those of the ragged fields.
    pub fn end_group(&mut self, samples: u64, items: &[u64]) -> Result<()> {
        let shard = self.shard.as_mut().expect("a group's segments were written");
        shard.end_group(&self.codings, samples, items)?;
        let bytes = shard.bytes();
        match self.schema.shards {
            Some(shards) if bytes >= shards.bytes => self.finish_shard(),
            _ => Ok(()),
        }
    }

    fn finish_shard(&mut self) -> Result<()> {
        let Some(shard) = &mut self.shard else { return Ok(()) };
        let bytes = shard.finish()?;
        for (field, totals) in self.fields.iter_mut().zip(shard.totals()) {
            field.totals.add(totals);
        }
        let (path, samples) = (shard.path().to_owned(), shard.samples());
        self.finished.push(ShardSummary { path, samples, bytes });
        self.shard = None;
        Ok(())
    }

    /// Gives the last file its name.
    pub fn finish(mut self) -> Result<(Vec<ShardSummary>, Vec<FieldSummary>)> {
        self.finish_shard()?;
        Ok((std::mem::take(&mut self.finished), std::mem::take(&mut self.fields)))
    }

    /// Leaves the last file to be resumed, or removes it if it has no group; returns the samples of
    /// all files.
    pub fn suspend(mut self) -> Result<u64> {
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
}

impl Drop for Files {
    fn drop(&mut self) {
        if self.process != process::id() {
            // A fork's copy leaves its parent's files alone.
            return;
        }
        let all = self.unfinished == Unfinished::Removed;
        // Nobody is left to hear of a failure, and what stays harms nobody.
        if let Some(shard) = self.shard.take().filter(|shard| all || shard.samples() == 0) {
            let _ = shard.remove();
        }
        if all {
            self.finished.iter().for_each(|shard| drop(fs::remove_file(&shard.path)));
        }
    }
}

//! Segments in, coded on threads, and into files in the order in which they came.

use std::collections::VecDeque;
use std::sync::Arc;

use super::files::{FieldSummary, Files, ShardSummary};
use super::pool::Pool;
use super::schema::Coding;
use super::segment_head::SegmentHead;
use crate::error::Result;
use crate::parallel::Threads;
use crate::segment::{EncodedSegment, Segment};

/// Codes segments and writes them.
pub struct Encoder {
    pool: Pool,
    /// What the pool is at work on.
    queue: VecDeque<Queued>,
    files: Files,
}

/// A segment in the pool.
pub struct Queued {
    pub field: usize,
    /// Its first block's number.
    pub place: usize,
    pub head: SegmentHead,
    /// If its group ends with it, the group's items of each ragged field.
    pub end: Option<Vec<u64>>,
}

impl Encoder {
    pub fn new(codings: Arc<[Coding]>, threads: Threads, files: Files) -> Result<Self> {
        Ok(Self { pool: Pool::new(codings, threads)?, queue: VecDeque::new(), files })
    }

    /// Empty memory for `len` codes.
    pub fn memory(&self, len: usize) -> Vec<u8> {
        self.pool.memory(len)
    }

    /// Writes segments until there is room for one more.
    pub fn make_room(&mut self) -> Result<()> {
        while self.pool.full() {
            self.put_next()?;
        }
        Ok(())
    }

    /// Takes a segment, for which there is room.
    pub fn push(&mut self, queued: Queued, segment: Segment<'static>) {
        self.pool.push(queued.field, segment);
        self.queue.push_back(queued);
    }

    /// Writes the segments that are coded.
    pub fn put_ready(&mut self) -> Result<()> {
        while let Some(segment) = self.pool.pop(false) {
            self.put(&segment?)?;
        }
        Ok(())
    }

    /// Waits for the segment that is next, and writes it.
    fn put_next(&mut self) -> Result<()> {
        let segment = self.pool.pop(true).expect("the pool has what is queued");
        self.put(&segment?)
    }

    fn put(&mut self, segment: &EncodedSegment) -> Result<()> {
        let Queued { field, place, head, end } =
            self.queue.pop_front().expect("the queue has what the pool has");
        let samples = head.samples;
        self.files.put_segment(field, place, head, segment)?;
        end.map_or(Ok(()), |items| self.files.end_group(samples, &items))
    }

    fn drain(&mut self) -> Result<()> {
        while !self.queue.is_empty() {
            self.put_next()?;
        }
        Ok(())
    }

    /// Writes what is left, and gives the last file its name.
    pub fn finish(mut self) -> Result<(Vec<ShardSummary>, Vec<FieldSummary>)> {
        self.drain()?;
        self.files.finish()
    }

    /// Writes what is left, and leaves it to be resumed; returns the samples of all files.
    pub fn suspend(mut self) -> Result<u64> {
        self.drain()?;
        self.files.suspend()
    }
}

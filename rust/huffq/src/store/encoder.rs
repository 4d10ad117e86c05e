//! Segments in, coded on threads, and into files in the order in which they came.

use std::collections::VecDeque;
use std::sync::Arc;

use super::files::{FieldSummary, Files, ShardSummary};
use super::pool::{Pool, Queue, with_queue};
use super::schema::Coding;
use super::segment_head::SegmentHead;
use crate::error::Result;
use crate::parallel::Threads;
use crate::segment::{EncodedSegment, Segment};

/// Codes segments and writes them.
pub struct Encoder {
    codings: Arc<[Coding]>,
    threads: Threads,
    pool: Pool,
    /// What the pool is at work on.
    queued: VecDeque<Queued>,
    files: Files,
}

/// A segment in a queue.
pub struct Queued {
    pub field: usize,
    /// Its first block's number.
    pub place: usize,
    pub head: SegmentHead,
    /// If its group ends with it, the group's items of each ragged field.
    pub end: Option<Vec<u64>>,
}

/// The way of segments through a queue into files.
pub struct Line<'e, 'a> {
    queue: &'e Queue<'a>,
    queued: &'e mut VecDeque<Queued>,
    files: &'e mut Files,
}

impl Encoder {
    pub fn new(codings: Arc<[Coding]>, threads: Threads, files: Files) -> Result<Self> {
        let pool = Pool::new(codings.clone(), threads)?;
        Ok(Self { codings, threads, pool, queued: VecDeque::new(), files })
    }

    /// The line of segments that are coded while their source goes on.
    pub fn line(&mut self) -> Line<'_, 'static> {
        Line { queue: self.pool.queue(), queued: &mut self.queued, files: &mut self.files }
    }

    /// Lets `put` put segments in that are borrowed; they are written when it returns.
    pub fn borrowing<'a>(
        &mut self,
        put: impl FnOnce(&mut Line<'_, 'a>) -> Result<()>,
    ) -> Result<()> {
        self.line().drain()?;
        let Self { codings, threads, queued, files, .. } = self;
        with_queue(codings.clone(), *threads, |queue| {
            let mut line = Line { queue, queued, files };
            put(&mut line)?;
            line.drain()
        })
    }

    /// Writes what is left, and gives the last file its name.
    pub fn finish(mut self) -> Result<(Vec<ShardSummary>, Vec<FieldSummary>)> {
        self.line().drain()?;
        self.files.finish()
    }

    /// Writes what is left, and leaves it to be resumed; returns the samples of all files.
    pub fn suspend(mut self) -> Result<u64> {
        self.line().drain()?;
        self.files.suspend()
    }
}

impl<'a> Line<'_, 'a> {
    /// Empty memory for `len` codes.
    pub fn memory(&self, len: usize) -> Vec<u8> {
        self.queue.memory(len)
    }

    /// Writes segments until there is room for one more.
    pub fn make_room(&mut self) -> Result<()> {
        while self.queue.full() {
            self.put_next()?;
        }
        Ok(())
    }

    /// Takes a segment, for which there is room.
    pub fn push(&mut self, queued: Queued, segment: Segment<'a>) {
        self.queue.push(queued.field, segment);
        self.queued.push_back(queued);
    }

    /// Writes the segments that are coded.
    pub fn put_ready(&mut self) -> Result<()> {
        while let Some(segment) = self.queue.pop(false) {
            self.put(&segment?)?;
        }
        Ok(())
    }

    /// Waits for the segment that is next, and writes it.
    fn put_next(&mut self) -> Result<()> {
        let segment = self.queue.pop(true).expect("the queue has what was put in");
        self.put(&segment?)
    }

    fn put(&mut self, segment: &EncodedSegment) -> Result<()> {
        let Queued { field, place, head, end } =
            self.queued.pop_front().expect("it was put in together with its segment");
        let samples = head.samples;
        self.files.put_segment(field, place, head, segment)?;
        end.map_or(Ok(()), |items| self.files.end_group(samples, &items))
    }

    fn drain(&mut self) -> Result<()> {
        while !self.queued.is_empty() {
            self.put_next()?;
        }
        Ok(())
    }
}

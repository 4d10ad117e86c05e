//! Samples in order, decoded ahead of the one who takes them.

use std::collections::VecDeque;
use std::num::NonZero;
use std::ops::Range;
use std::process;
use std::sync::mpsc::{Receiver, Sender, SyncSender, channel, sync_channel};
use std::sync::{Arc, Mutex, PoisonError, Weak};
use std::thread;

use super::buffers::{Buffer, Spare};
use super::reader::Reader;
use crate::error::{Error, Result};
use crate::parallel::{self, Threads};

/// Some samples of some fields: for each its codes, and the samples' lengths if it is ragged.
pub type Chunk = Vec<(Buffer, Option<Vec<u64>>)>;

/// Bytes that are decoded at a time, about: threads decode whole chunks each as long as these do
/// not exceed it, and share larger ones.
const AHEAD_BYTES: u64 = 1 << 26;

/// Chunks of consecutive samples; threads decode the next ones while the last is in use.
///
/// The threads live as long as it does. What it gave and the taker has dropped is used again.
pub struct Batches {
    queue: Mutex<Option<Queue>>,
    process: u32,
}

/// What is left to be taken.
struct Queue {
    jobs: Sender<Job>,
    /// Chunks that the threads were asked for.
    asked: VecDeque<Receiver<Result<Chunk>>>,
    /// Samples that they were not asked for yet.
    rest: Range<u64>,
    step: u64,
    /// Threads stop when it is gone.
    _spare: Arc<Spare>,
}

struct Job {
    samples: Range<u64>,
    reply: SyncSender<Result<Chunk>>,
}

/// What a thread needs to decode chunks.
#[derive(Clone)]
struct Decoder {
    reader: Arc<Reader>,
    fields: Arc<[usize]>,
    jobs: Arc<Mutex<Receiver<Job>>>,
    spare: Weak<Spare>,
    /// For one chunk.
    threads: Threads,
}

impl Batches {
    /// Begins to decode `samples` of some fields, `step` at a time, on up to `threads` threads.
    ///
    /// # Errors
    /// [`Error::InvalidArgument`] if the samples are not the reader's or `step` is 0; [`Error::Io`]
    /// without a thread.
    pub fn new(
        reader: Arc<Reader>,
        fields: Vec<usize>,
        samples: Range<u64>,
        step: u64,
        threads: Threads,
    ) -> Result<Self> {
        if step == 0 {
            return Err(Error::argument("step", step, "be at least 1"));
        }
        if samples.end > reader.samples() {
            let expected = format!("be at most {}", reader.samples());
            return Err(Error::argument("samples", samples.end, expected));
        }
        let threads = parallel::count(threads);
        let chunks = samples.end.saturating_sub(samples.start).div_ceil(step);
        let at_once = (AHEAD_BYTES / mean_bytes(&reader, &fields, step).max(1)).min(chunks);
        let workers = threads.min(usize::try_from(at_once).unwrap_or(usize::MAX)).max(1);
        let (sender, jobs) = channel();
        let spare = Arc::new(Spare::new(fields.len() * (workers + 2)));
        let decoder = Decoder {
            reader,
            fields: fields.into(),
            jobs: Arc::new(Mutex::new(jobs)),
            spare: Arc::downgrade(&spare),
            threads: NonZero::new(threads.div_ceil(workers)),
        };
        for worker in 0..workers {
            let decoder = decoder.clone();
            match thread::Builder::new().spawn(move || decoder.work()) {
                Ok(_) => {}
                Err(error) if worker == 0 => return Err(error.into()),
                // Where the system gives no more threads, those that there are do the work.
                Err(_) => break,
            }
        }
        let asked = VecDeque::new();
        let mut queue = Queue { jobs: sender, asked, rest: samples, step, _spare: spare };
        (0..=workers).for_each(|_| queue.ask());
        Ok(Self { queue: Mutex::new(Some(queue)), process: process::id() })
    }

    /// The next chunk; `None` behind the last, and behind an error.
    ///
    /// # Errors
    /// As [`Reader::read`]; [`Error::InvalidArgument`] in a fork, which has no thread that decodes.
    pub fn next(&self) -> Option<Result<Chunk>> {
        if self.process != process::id() {
            let expected = "be one that began in this process";
            return Some(Err(Error::argument("iterator", "from before a fork", expected)));
        }
        let mut queue = self.queue.lock().unwrap_or_else(PoisonError::into_inner);
        let chunk = queue.as_mut()?.next();
        if !matches!(chunk, Some(Ok(_))) {
            *queue = None;
        }
        chunk
    }
}

impl Drop for Batches {
    fn drop(&mut self) {
        if self.process != process::id() {
            // A fork's copy: threads that it does not have may have held the channels' locks.
            let queue = self.queue.get_mut().unwrap_or_else(PoisonError::into_inner);
            std::mem::forget(queue.take());
        }
    }
}

impl Queue {
    fn next(&mut self) -> Option<Result<Chunk>> {
        let chunk = self.asked.pop_front()?.recv().expect("a thread that decodes has panicked");
        self.ask();
        Some(chunk)
    }

    /// Asks the threads for one chunk more, if there is one.
    fn ask(&mut self) {
        let samples = self.rest.start..self.rest.end.min(self.rest.start.saturating_add(self.step));
        if samples.is_empty() {
            return;
        }
        self.rest.start = samples.end;
        let (reply, chunk) = sync_channel(1);
        // Without a thread to hear it, `next` finds the reply's sender gone.
        let _ = self.jobs.send(Job { samples, reply });
        self.asked.push_back(chunk);
    }
}

impl Decoder {
    fn work(self) {
        let next = || self.jobs.lock().unwrap_or_else(PoisonError::into_inner).recv();
        while let Ok(Job { samples, reply }) = next() {
            let Some(spare) = self.spare.upgrade() else { return };
            let decode = |&field: &usize| self.decode(field, samples.clone(), &spare);
            // Nobody may listen any more.
            let _ = reply.send(self.fields.iter().map(decode).collect());
        }
    }

    fn decode(
        &self,
        field: usize,
        samples: Range<u64>,
        spare: &Arc<Spare>,
    ) -> Result<(Buffer, Option<Vec<u64>>)> {
        let reader = &self.reader;
        let (items, lengths) = if reader.schema().fields[field].ragged() {
            let numbers: Vec<u64> = samples.collect();
            let items = reader.sample_items(field, &numbers)?;
            let lengths = items.iter().map(|items| items.end - items.start).collect();
            let whole = items.first().map_or(0, |r| r.start)..items.last().map_or(0, |r| r.end);
            (whole, Some(lengths))
        } else {
            (samples, None)
        };
        let item_len = reader.codings()[field].cut().item_len();
        let len = usize::try_from(items.end - items.start).ok();
        let len = len.and_then(|n| n.checked_mul(item_len)).unwrap_or(usize::MAX);
        let mut codes = Spare::take(spare, len)?;
        reader.read(field, std::slice::from_ref(&items), codes.as_mut(), self.threads)?;
        Ok((codes, lengths))
    }
}

/// Bytes of `samples` samples, ragged ones as long as on average.
fn mean_bytes(reader: &Reader, fields: &[usize], samples: u64) -> u64 {
    let bytes = |&field: &usize| {
        let item_len = reader.codings()[field].cut().item_len() as u64;
        let items = reader.items(field).div_ceil(reader.samples().max(1));
        items.saturating_mul(item_len).saturating_mul(samples)
    };
    fields.iter().map(bytes).fold(0, u64::saturating_add)
}

//! Samples in order, decoded ahead of the one who takes them.

use std::num::NonZero;
use std::ops::Range;
use std::sync::{Arc, Mutex, PoisonError};
use std::{mem, process, thread};

use super::buffers::{Buffer, Spare};
use super::reader::Reader;
use super::window::Window;
use crate::error::{Error, Result};
use crate::parallel::{self, Threads};

/// Some samples of some fields: for each its codes, and the samples' lengths if it is ragged.
pub type Chunk = Vec<(Buffer, Option<Vec<u64>>)>;

/// Bytes that are being decoded at a time, about: threads decode whole chunks each as long as these
/// do not exceed it, and share larger ones.
const AHEAD_BYTES: u64 = 1 << 26;

/// Chunks of consecutive samples; threads decode the next ones while the last is in use.
///
/// The threads live as long as it does. What it gave and the taker has dropped is used again.
pub struct Batches {
    open: Mutex<Option<Open>>,
    process: u32,
}

/// Ends the threads when it is dropped.
struct Open {
    decoder: Decoder,
    /// Whether the one who takes chunks decodes some, too.
    helps: bool,
}

/// What a thread needs to decode chunks.
#[derive(Clone)]
struct Decoder {
    reader: Arc<Reader>,
    fields: Arc<[usize]>,
    samples: Range<u64>,
    step: u64,
    chunks: Arc<Window<Result<Chunk>>>,
    spare: Arc<Spare>,
    /// For one chunk.
    threads: Threads,
}

impl Batches {
    /// Begins to decode `samples` of some fields, `step` at a time, on up to `threads` threads.
    ///
    /// # Errors
    /// [`Error::InvalidArgument`] if the samples are not the reader's or `step` is 0; [`Error::Io`]
    /// if a thread is needed and the system gives none.
    pub fn new(
        reader: Arc<Reader>,
        fields: Vec<usize>,
        samples: Range<u64>,
        step: u64,
        threads: Threads,
    ) -> Result<Self> {
        check(&reader, &samples, step)?;
        let threads = parallel::count(threads);
        let chunks = samples.end.saturating_sub(samples.start).div_ceil(step);
        let at_once = (AHEAD_BYTES / mean_bytes(&reader, &fields, step).max(1)).min(chunks);
        let at_once = usize::try_from(at_once).unwrap_or(usize::MAX);
        let workers = threads.min(at_once).max(1);
        // The taker is one of several threads that decode: asleep, it would have to be woken for
        // almost every chunk. It is none where reading waits, nor where it would be the only one,
        // so that nothing would be decoded while a chunk is in use.
        let helps = workers > 1 && !reader.is_remote();
        // There is room for what is done while the taker naps, unless chunks are large.
        let width = (workers + 3).min(at_once).max(workers + 1);
        let decoder = Decoder {
            reader,
            // A field's buffers: those in the window, and that of the chunk that was taken.
            spare: Arc::new(Spare::new(fields.len() * (width + 1))),
            fields: fields.into(),
            samples,
            step,
            chunks: Arc::new(Window::new(chunks, width)),
            threads: NonZero::new(threads.div_ceil(workers)),
        };
        let open = Open { decoder, helps };
        open.start_threads(workers - usize::from(helps))?;
        Ok(Self { open: Mutex::new(Some(open)), process: process::id() })
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
        let mut open = self.open.lock().unwrap_or_else(PoisonError::into_inner);
        // An error ends it, and so does a panic.
        let current = open.take()?;
        let decoder = &current.decoder;
        let chunk = decoder.chunks.take(current.helps, |number| decoder.decode(number));
        if matches!(chunk, Some(Ok(_))) {
            *open = Some(current);
        }
        chunk
    }
}

impl Drop for Batches {
    fn drop(&mut self) {
        if self.process != process::id() {
            // A fork's copy: threads that it does not have may have held the window's lock.
            let open = self.open.get_mut().unwrap_or_else(PoisonError::into_inner);
            mem::forget(open.take());
        }
    }
}

impl Open {
    /// Starts `count` threads.
    fn start_threads(&self, count: usize) -> Result<()> {
        for started in 0..count {
            let decoder = self.decoder.clone();
            match thread::Builder::new().spawn(move || decoder.work()) {
                Ok(_) => {}
                // Where the system gives no more threads, those that there are do the work.
                Err(_) if self.helps || started > 0 => break,
                Err(error) => return Err(error.into()),
            }
        }
        Ok(())
    }
}

impl Drop for Open {
    fn drop(&mut self) {
        self.decoder.chunks.close();
    }
}

impl Decoder {
    fn work(self) {
        self.chunks.work(|number| self.decode(number));
    }

    fn decode(&self, number: u64) -> Result<Chunk> {
        let start = self.samples.start + number * self.step;
        let stop = self.samples.end.min(start.saturating_add(self.step));
        self.fields.iter().map(|&field| self.decode_field(field, start..stop)).collect()
    }

    fn decode_field(
        &self,
        field: usize,
        samples: Range<u64>,
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
        let mut codes = Spare::take(&self.spare, len)?;
        reader.read(field, std::slice::from_ref(&items), codes.as_mut(), self.threads)?;
        Ok((codes, lengths))
    }
}

fn check(reader: &Reader, samples: &Range<u64>, step: u64) -> Result<()> {
    if step == 0 {
        return Err(Error::argument("step", step, "be at least 1"));
    }
    if samples.end > reader.samples() {
        let expected = format!("be at most {}", reader.samples());
        return Err(Error::argument("samples", samples.end, expected));
    }
    Ok(())
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

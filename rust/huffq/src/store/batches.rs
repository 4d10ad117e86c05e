//! Samples in order, decoded ahead of the one who takes them.

use std::ops::Range;
use std::process;
use std::sync::mpsc::{Receiver, sync_channel};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread;

use super::read::zeros;
use super::reader::Reader;
use crate::error::{Error, Result};
use crate::parallel::Threads;

/// Some samples of some fields: for each its codes, and the samples' lengths if it is ragged.
pub type Chunk = Vec<(Vec<u8>, Option<Vec<u64>>)>;

/// Chunks of consecutive samples; a thread decodes the next one while the last is in use.
pub struct Batches {
    chunks: Mutex<Receiver<Result<Chunk>>>,
    process: u32,
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
        let (sender, receiver) = sync_channel(1);
        let decode_all = move || {
            let mut start = samples.start;
            while start < samples.end {
                let stop = samples.end.min(start.saturating_add(step));
                let chunk =
                    fields.iter().map(|&field| decode(&reader, field, start..stop, threads));
                let chunk = chunk.collect::<Result<Chunk>>();
                let failed = chunk.is_err();
                // Nobody listens any more, or has heard why there is no more.
                if sender.send(chunk).is_err() || failed {
                    return;
                }
                start = stop;
            }
        };
        thread::Builder::new().spawn(decode_all)?;
        Ok(Self { chunks: Mutex::new(receiver), process: process::id() })
    }

    /// The next chunk; `None` behind the last.
    ///
    /// # Errors
    /// As [`Reader::read`]; [`Error::InvalidArgument`] in a fork, which has no thread that decodes.
    pub fn next(&self) -> Option<Result<Chunk>> {
        if self.process != process::id() {
            let expected = "be one that began in this process";
            return Some(Err(Error::argument("iterator", "from before a fork", expected)));
        }
        self.chunks.lock().unwrap_or_else(PoisonError::into_inner).recv().ok()
    }
}

fn decode(
    reader: &Reader,
    field: usize,
    samples: Range<u64>,
    threads: Threads,
) -> Result<(Vec<u8>, Option<Vec<u64>>)> {
    let ragged = reader.schema().fields[field].ragged();
    let (items, lengths) = if ragged {
        let numbers: Vec<u64> = samples.collect();
        let items = reader.sample_items(field, &numbers)?;
        let lengths = items.iter().map(|items| items.end - items.start).collect();
        let whole = items.first().map_or(0, |r| r.start)..items.last().map_or(0, |r| r.end);
        (whole, Some(lengths))
    } else {
        (samples, None)
    };
    let item_len = reader.codings()[field].cut().item_len();
    let len = usize::try_from(items.end - items.start).ok().and_then(|n| n.checked_mul(item_len));
    let mut codes = zeros(len.unwrap_or(usize::MAX))?;
    reader.read(field, std::slice::from_ref(&items), &mut codes, threads)?;
    Ok((codes, lengths))
}

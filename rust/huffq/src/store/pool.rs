//! Threads that encode segments while their source computes the next ones.

use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::thread::{self, JoinHandle};
use std::{mem, process};

use super::schema::Coding;
use super::slots::{Slots, Task};
use crate::Backend;
use crate::block::Coder;
use crate::error::Result;
use crate::parallel::{self, Threads};
use crate::segment::{EncodedBlock, EncodedSegment, Form, Prepared, Segment};

/// Encodes segments; they come out in the order in which they went in.
///
/// Dropping it in a process that was forked from its own leaves the threads alone: they are not
/// there.
pub struct Pool {
    shared: Arc<Shared>,
    workers: Vec<JoinHandle<()>>,
    /// Segments that it takes before one must be taken out.
    capacity: usize,
    process: u32,
}

struct Shared {
    codings: Arc<[Coding]>,
    state: Mutex<State>,
    changed: Condvar,
}

#[derive(Default)]
struct State {
    slots: Slots,
    closed: bool,
    /// A worker panicked.
    broken: bool,
}

impl Pool {
    /// Starts `threads` threads for segments of fields of these codings.
    pub fn new(codings: Arc<[Coding]>, threads: Threads) -> Result<Self> {
        let threads = parallel::count(threads);
        let backend = Backend::current()?;
        let state = Mutex::default();
        let shared = Arc::new(Shared { codings, state, changed: Condvar::new() });
        let worker = |_| {
            let shared = shared.clone();
            thread::Builder::new().spawn(move || shared.work(backend)).ok()
        };
        let workers: Vec<_> = (0..threads).map_while(worker).collect();
        if workers.is_empty() {
            return Err(std::io::Error::from(std::io::ErrorKind::WouldBlock).into());
        }
        // Training is one thread's work: several segments at a time keep the others busy.
        let capacity = 2 + threads.div_ceil(4);
        Ok(Self { shared, workers, capacity, process: process::id() })
    }

    /// Whether a segment must be taken out before the next one goes in.
    pub fn full(&self) -> bool {
        self.shared.lock().slots.len() >= self.capacity
    }

    /// Empty memory for `len` codes: that of a segment that is done, if there is one.
    pub fn memory(&self, len: usize) -> Vec<u8> {
        self.shared.lock().slots.memory(len)
    }

    /// Puts a segment of a field in.
    pub fn push(&self, field: usize, segment: Segment<'static>) {
        match &self.shared.codings[field] {
            Coding::Codes(_) => self.shared.lock().slots.push(field, segment),
            Coding::Raw(cut) => {
                let start = cut.symbols_of(&segment.blocks, segment.items).start;
                let block = |block| {
                    let bytes = cut.symbols(block, segment.items);
                    EncodedBlock::raw(&segment.codes[bytes.start - start..bytes.end - start])
                };
                let blocks = segment.blocks.clone().map(block).collect();
                self.shared.lock().slots.push_done(EncodedSegment::raw(blocks));
            }
        }
        self.shared.changed.notify_all();
    }

    /// Takes the first segment out: waits for it if `wait`; `None` if there is none that is ready.
    pub fn pop(&self, wait: bool) -> Option<Result<EncodedSegment>> {
        let mut state = self.shared.lock();
        loop {
            assert!(!state.broken, "a thread that encodes has panicked");
            let first = state.slots.pop();
            if first.is_some() || !wait || state.slots.is_empty() {
                return first;
            }
            state = self.shared.wait(state);
        }
    }
}

impl Drop for Pool {
    fn drop(&mut self) {
        if self.process != process::id() {
            mem::forget(mem::take(&mut self.workers));
            return;
        }
        {
            let mut state = self.shared.lock();
            state.closed = true;
            state.slots.clear();
        }
        self.shared.changed.notify_all();
        for worker in self.workers.drain(..) {
            // One that panicked has told so already.
            let _ = worker.join();
        }
    }
}

impl Shared {
    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn wait<'a>(&self, state: MutexGuard<'a, State>) -> MutexGuard<'a, State> {
        self.changed.wait(state).unwrap_or_else(PoisonError::into_inner)
    }

    fn form(&self, field: usize) -> &Form {
        match &self.codings[field] {
            Coding::Codes(form) => form,
            Coding::Raw(_) => unreachable!("side fields are not coded"),
        }
    }

    fn work(&self, backend: Backend) {
        let alarm = Alarm(self);
        let mut coder = Coder::new(backend);
        let mut state = self.lock();
        loop {
            let Some(task) = state.slots.claim() else {
                if state.closed {
                    break;
                }
                state = self.wait(state);
                continue;
            };
            drop(state);
            match task {
                Task::Prepare { slot, field, segment } => {
                    let prepared = Prepared::new(backend, self.form(field), segment);
                    state = self.lock();
                    state.slots.prepared(slot, field, prepared);
                }
                Task::Encode { slot, field, prepared, block, alone } => {
                    let form = self.form(field);
                    let encoded = prepared.encode_block(form, &mut coder, block, alone);
                    drop(prepared);
                    state = self.lock();
                    state.slots.encoded(slot, block, encoded);
                }
            }
            self.changed.notify_all();
        }
        mem::forget(alarm);
    }
}

/// Wakes those who wait for a worker that panics.
struct Alarm<'a>(&'a Shared);

impl Drop for Alarm<'_> {
    fn drop(&mut self) {
        self.0.lock().broken = true;
        self.0.changed.notify_all();
    }
}

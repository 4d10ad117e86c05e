//! Threads that encode segments while their source computes the next ones.

use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::thread::{self, JoinHandle};
use std::{io, mem, process};

use super::schema::Coding;
use super::slots::{Slots, Task};
use crate::Backend;
use crate::block::Coder;
use crate::error::Result;
use crate::parallel::{self, Threads};
use crate::segment::{EncodedBlock, EncodedSegment, Form, Prepared, Segment};

/// Segments that threads encode; they come out in the order in which they went in.
pub struct Queue<'a> {
    codings: Arc<[Coding]>,
    /// Segments that it takes before one must be taken out.
    capacity: usize,
    state: Mutex<State<'a>>,
    changed: Condvar,
}

#[derive(Default)]
struct State<'a> {
    slots: Slots<'a>,
    closed: bool,
    /// A worker panicked.
    broken: bool,
}

/// A queue, and threads that live as long as it does.
///
/// Dropping it in a process that was forked from its own leaves the threads alone: they are not
/// there.
pub struct Pool {
    queue: Arc<Queue<'static>>,
    workers: Vec<JoinHandle<()>>,
    process: u32,
}

impl Pool {
    /// Starts `threads` threads for segments of fields of these codings.
    pub fn new(codings: Arc<[Coding]>, threads: Threads) -> Result<Self> {
        let threads = parallel::count(threads);
        let backend = Backend::current()?;
        let queue = Arc::new(Queue::new(codings, threads));
        let worker = |_| {
            let queue = queue.clone();
            thread::Builder::new().spawn(move || queue.work(backend)).ok()
        };
        let workers: Vec<_> = (0..threads).map_while(worker).collect();
        demand_one(workers.len())?;
        Ok(Self { queue, workers, process: process::id() })
    }

    pub fn queue(&self) -> &Queue<'static> {
        &self.queue
    }
}

impl Drop for Pool {
    fn drop(&mut self) {
        if self.process != process::id() {
            mem::forget(mem::take(&mut self.workers));
            return;
        }
        self.queue.close();
        for worker in self.workers.drain(..) {
            // One that panicked has told so already.
            let _ = worker.join();
        }
    }
}

/// Works with a queue whose threads live for this call only, so that its segments can be borrowed.
pub fn with_queue<'a, T>(
    codings: Arc<[Coding]>,
    threads: Threads,
    work: impl FnOnce(&Queue<'a>) -> Result<T>,
) -> Result<T> {
    let threads = parallel::count(threads);
    let backend = Backend::current()?;
    let queue = Queue::new(codings, threads);
    thread::scope(|scope| {
        // Whatever becomes of the work, the threads come to their end.
        let closing = Closing(&queue);
        let worker = |_| thread::Builder::new().spawn_scoped(scope, || queue.work(backend)).ok();
        demand_one((0..threads).map_while(worker).count())?;
        let result = work(closing.0);
        drop(closing);
        result
    })
}

fn demand_one(workers: usize) -> io::Result<()> {
    if workers > 0 { Ok(()) } else { Err(io::ErrorKind::WouldBlock.into()) }
}

impl<'a> Queue<'a> {
    fn new(codings: Arc<[Coding]>, threads: usize) -> Self {
        // Training is one thread's work: several segments at a time keep the others busy.
        let capacity = 2 + threads.div_ceil(4);
        Self { codings, capacity, state: Mutex::default(), changed: Condvar::new() }
    }

    /// Whether a segment must be taken out before the next one goes in.
    pub fn full(&self) -> bool {
        self.lock().slots.len() >= self.capacity
    }

    /// Empty memory for `len` codes: that of a segment that is done, if there is one.
    pub fn memory(&self, len: usize) -> Vec<u8> {
        self.lock().slots.memory(len)
    }

    /// Puts a segment of a field in.
    pub fn push(&self, field: usize, segment: Segment<'a>) {
        match &self.codings[field] {
            Coding::Codes(_) => self.lock().slots.push(field, segment),
            Coding::Raw(cut) => {
                let start = cut.symbols_of(&segment.blocks, segment.items).start;
                let block = |block| {
                    let bytes = cut.symbols(block, segment.items);
                    EncodedBlock::raw(&segment.codes[bytes.start - start..bytes.end - start])
                };
                let blocks = segment.blocks.clone().map(block).collect();
                self.lock().slots.push_done(EncodedSegment::raw(blocks));
            }
        }
        self.changed.notify_all();
    }

    /// Takes the first segment out: waits for it if `wait`; `None` if there is none that is ready.
    pub fn pop(&self, wait: bool) -> Option<Result<EncodedSegment>> {
        let mut state = self.lock();
        loop {
            assert!(!state.broken, "a thread that encodes has panicked");
            let first = state.slots.pop();
            if first.is_some() || !wait || state.slots.is_empty() {
                return first;
            }
            state = self.wait(state);
        }
    }

    /// Throws away what is in it, and lets its threads end.
    fn close(&self) {
        let mut state = self.lock();
        state.closed = true;
        state.slots.clear();
        drop(state);
        self.changed.notify_all();
    }

    fn lock(&self) -> MutexGuard<'_, State<'a>> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn wait<'g>(&self, state: MutexGuard<'g, State<'a>>) -> MutexGuard<'g, State<'a>> {
        self.changed.wait(state).unwrap_or_else(PoisonError::into_inner)
    }

    fn form(&self, field: usize) -> &Form {
        match &self.codings[field] {
            Coding::Codes(form) => form,
            Coding::Raw(_) => unreachable!("side fields are not coded"),
        }
    }

    /// What a thread does until the queue is closed.
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

/// Closes a queue.
struct Closing<'q, 'a>(&'q Queue<'a>);

impl Drop for Closing<'_, '_> {
    fn drop(&mut self) {
        self.0.close();
    }
}

/// Wakes those who wait for a worker that panics.
struct Alarm<'q, 'a>(&'q Queue<'a>);

impl Drop for Alarm<'_, '_> {
    fn drop(&mut self) {
        self.0.lock().broken = true;
        self.0.changed.notify_all();
    }
}

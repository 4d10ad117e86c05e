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
    /// There is something to be done, or nothing ever again.
    task: Condvar,
    /// The first segment is done, or never will be.
    done: Condvar,
}

#[derive(Default)]
struct State<'a> {
    slots: Slots<'a>,
    /// Workers that sleep until there is something to be done.
    idle: usize,
    /// Somebody sleeps until the first segment is done.
    awaited: bool,
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
        let (task, done) = (Condvar::new(), Condvar::new());
        Self { codings, capacity, state: Mutex::default(), task, done }
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
        let mut state;
        match &self.codings[field] {
            Coding::Codes(_) => {
                state = self.lock();
                state.slots.push(field, segment);
            }
            Coding::Raw(cut) => {
                let start = cut.symbols_of(&segment.blocks, segment.items).start;
                let block = |block| {
                    let bytes = cut.symbols(block, segment.items);
                    EncodedBlock::raw(&segment.codes[bytes.start - start..bytes.end - start])
                };
                let blocks = segment.blocks.clone().map(block).collect();
                state = self.lock();
                state.slots.push_done(EncodedSegment::raw(blocks));
            }
        }
        self.wake_worker(state);
    }

    /// Takes the first segment out: waits for it if `wait`; `None` if there is none that is ready.
    /// One at a time may call it.
    pub fn pop(&self, wait: bool) -> Option<Result<EncodedSegment>> {
        let mut state = self.lock();
        loop {
            assert!(!state.broken, "a thread that encodes has panicked");
            let first = state.slots.pop();
            if first.is_some() || !wait || state.slots.is_empty() {
                return first;
            }
            state.awaited = true;
            state = self.done.wait(state).unwrap_or_else(PoisonError::into_inner);
            state.awaited = false;
        }
    }

    /// Throws away what is in it, and lets its threads end.
    fn close(&self) {
        let mut state = self.lock();
        state.closed = true;
        state.slots.clear();
        drop(state);
        self.task.notify_all();
    }

    /// Wakes a worker if there is something to be done, which wakes the next one: more than are
    /// needed would cost tens of microseconds each.
    fn wake_worker(&self, state: MutexGuard<'_, State<'a>>) {
        let wakes = state.idle > 0 && state.slots.has_task();
        drop(state);
        if wakes {
            self.task.notify_one();
        }
    }

    fn lock(&self) -> MutexGuard<'_, State<'a>> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
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
        while let Some(task) = self.next_task() {
            let mut state;
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
            let wakes = state.awaited && state.slots.first_is_done();
            drop(state);
            if wakes {
                self.done.notify_one();
            }
        }
        mem::forget(alarm);
    }

    /// What a thread does next; waits for it. `None` if the queue is closed.
    fn next_task(&self) -> Option<Task<'a>> {
        let mut state = self.lock();
        loop {
            if let Some(task) = state.slots.claim() {
                self.wake_worker(state);
                return Some(task);
            }
            if state.closed {
                return None;
            }
            state.idle += 1;
            state = self.task.wait(state).unwrap_or_else(PoisonError::into_inner);
            state.idle -= 1;
        }
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
        self.0.done.notify_all();
    }
}

//! Threads that encode segments while their source computes the next ones.

use std::collections::VecDeque;
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::thread::{self, JoinHandle};
use std::{mem, process};

use super::schema::Coding;
use crate::Backend;
use crate::block::Coder;
use crate::error::Result;
use crate::parallel::{self, Threads};
use crate::segment::{EncodedBlock, EncodedSegment, Form, Prepared, Segment};

/// Segments whose memory is kept: the source takes it again at once.
const MOST_SPARE: usize = 3;

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
    slots: VecDeque<Slot>,
    /// Number of the slot in front.
    front: u64,
    /// Memory of coded segments that are done.
    spare: VecDeque<Vec<u8>>,
    closed: bool,
    /// A worker panicked.
    broken: bool,
}

enum Slot {
    Waiting(usize, Segment<'static>),
    Preparing,
    Coding(Work),
    Done(Result<EncodedSegment>),
}

struct Work {
    field: usize,
    prepared: Arc<Prepared<'static>>,
    /// The next block to be begun.
    next: usize,
    blocks: Vec<Option<EncodedBlock>>,
    left: usize,
    alone: bool,
}

/// What a worker has to do.
enum Task {
    Prepare(u64, usize, Segment<'static>),
    Encode { slot: u64, field: usize, prepared: Arc<Prepared<'static>>, block: usize, alone: bool },
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

    /// Empty memory for `len` codes: that of a segment that is done, if there is one of about that
    /// size. The system's fresh pages cost a good part of what encoding does.
    pub fn memory(&self, len: usize) -> Vec<u8> {
        let spare = &mut self.shared.lock().spare;
        let fits = |memory: &Vec<u8>| (len..=2 * len).contains(&memory.capacity());
        let place = spare.iter().position(fits);
        place.and_then(|place| spare.remove(place)).unwrap_or_else(|| Vec::with_capacity(len))
    }

    /// Puts a segment of a field in.
    pub fn push(&self, field: usize, segment: Segment<'static>) {
        let slot = match &self.shared.codings[field] {
            Coding::Codes(_) => Slot::Waiting(field, segment),
            Coding::Raw(cut) => {
                let start = cut.symbols_of(&segment.blocks, segment.items).start;
                let block = |block| {
                    let bytes = cut.symbols(block, segment.items);
                    EncodedBlock::raw(&segment.codes[bytes.start - start..bytes.end - start])
                };
                let blocks = segment.blocks.clone().map(block).collect();
                Slot::Done(Ok(EncodedSegment::raw(blocks)))
            }
        };
        self.shared.lock().slots.push_back(slot);
        self.shared.changed.notify_all();
    }

    /// Takes the first segment out: waits for it if `wait`; `None` if there is none that is ready.
    pub fn pop(&self, wait: bool) -> Option<Result<EncodedSegment>> {
        let mut state = self.shared.lock();
        loop {
            assert!(!state.broken, "a thread that encodes has panicked");
            match state.slots.front()? {
                Slot::Done(_) => break,
                _ if !wait => return None,
                _ => state = self.shared.wait(state),
            }
        }
        state.front += 1;
        match state.slots.pop_front()? {
            Slot::Done(result) => Some(result),
            _ => unreachable!("the front is done"),
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
            let Some(task) = state.claim() else {
                if state.closed {
                    break;
                }
                state = self.wait(state);
                continue;
            };
            drop(state);
            match task {
                Task::Prepare(slot, field, segment) => {
                    let prepared = Prepared::new(backend, self.form(field), segment);
                    state = self.lock();
                    state.prepared(slot, field, prepared);
                }
                Task::Encode { slot, field, prepared, block, alone } => {
                    let form = self.form(field);
                    let encoded = prepared.encode_block(form, &mut coder, block, alone);
                    drop(prepared);
                    state = self.lock();
                    state.encoded(slot, block, encoded);
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

impl State {
    /// What is to be done first.
    fn claim(&mut self) -> Option<Task> {
        for (slot, number) in self.slots.iter_mut().zip(self.front..) {
            match slot {
                Slot::Waiting(..) => {
                    let Slot::Waiting(field, segment) = mem::replace(slot, Slot::Preparing) else {
                        unreachable!("it waits");
                    };
                    return Some(Task::Prepare(number, field, segment));
                }
                Slot::Coding(work) if work.next < work.blocks.len() => {
                    let (field, alone, block) = (work.field, work.alone, work.next);
                    work.next += 1;
                    let prepared = work.prepared.clone();
                    return Some(Task::Encode { slot: number, field, prepared, block, alone });
                }
                _ => {}
            }
        }
        None
    }

    /// The slot of that number, unless it was thrown away.
    fn slot(&mut self, number: u64) -> Option<&mut Slot> {
        self.slots.get_mut(usize::try_from(number.checked_sub(self.front)?).ok()?)
    }

    fn prepared(&mut self, number: u64, field: usize, prepared: Result<Prepared<'static>>) {
        let Some(slot) = self.slot(number) else { return };
        *slot = match prepared {
            Err(error) => Slot::Done(Err(error)),
            Ok(prepared) => Slot::begin(field, Arc::new(prepared), false),
        };
    }

    fn encoded(&mut self, number: u64, block: usize, encoded: Result<EncodedBlock>) {
        let Some(slot) = self.slot(number) else { return };
        let Slot::Coding(work) = slot else { return };
        match encoded {
            Err(error) => *slot = Slot::Done(Err(error)),
            Ok(encoded) => {
                work.blocks[block] = Some(encoded);
                work.left -= 1;
                if work.left == 0 {
                    let next = slot.finish();
                    let done = mem::replace(slot, next);
                    self.keep_memory(done);
                }
            }
        }
    }

    /// Keeps the memory of a slot's codes, unless another slot goes on with them.
    fn keep_memory(&mut self, slot: Slot) {
        let Slot::Coding(work) = slot else { return };
        let Some(prepared) = Arc::into_inner(work.prepared) else { return };
        let mut memory = prepared.into_memory();
        memory.clear();
        self.spare.push_back(memory);
        if self.spare.len() > MOST_SPARE {
            self.spare.pop_front();
        }
    }
}

impl Slot {
    fn begin(field: usize, prepared: Arc<Prepared<'static>>, alone: bool) -> Self {
        let left = prepared.blocks();
        let blocks = (0..left).map(|_| None).collect();
        let mut slot = Self::Coding(Work { field, prepared, next: 0, blocks, left, alone });
        if left == 0 { slot.finish() } else { slot }
    }

    /// What becomes of a segment all of whose blocks are encoded.
    fn finish(&mut self) -> Self {
        let Self::Coding(work) = self else { unreachable!("it is coded") };
        let blocks = work.blocks.drain(..).flatten().collect();
        match work.prepared.finish(blocks, work.alone) {
            Err(error) => Self::Done(Err(error)),
            Ok(Some(segment)) => Self::Done(Ok(segment)),
            Ok(None) => Self::begin(work.field, work.prepared.clone(), true),
        }
    }
}

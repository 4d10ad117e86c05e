//! Segments at work in the order in which they came, and what is to be done with each.

use std::collections::VecDeque;
use std::mem;
use std::sync::Arc;

use crate::error::Result;
use crate::segment::{EncodedBlock, EncodedSegment, Prepared, Segment};

/// Segments whose memory is kept: the source takes it again at once.
const MOST_SPARE: usize = 3;

/// A queue of segments; those in front leave when they are encoded.
#[derive(Default)]
pub struct Slots<'a> {
    slots: VecDeque<Slot<'a>>,
    /// Number of the slot in front.
    front: u64,
    /// Memory of coded segments that are done.
    spare: VecDeque<Vec<u8>>,
}

enum Slot<'a> {
    Waiting(usize, Segment<'a>),
    Preparing,
    Coding(Work<'a>),
    Done(Result<EncodedSegment>),
}

struct Work<'a> {
    field: usize,
    prepared: Arc<Prepared<'a>>,
    /// The next block to be begun.
    next: usize,
    blocks: Vec<Option<EncodedBlock>>,
    left: usize,
    alone: bool,
}

/// What a worker has to do, for the slot of a number.
pub enum Task<'a> {
    Prepare { slot: u64, field: usize, segment: Segment<'a> },
    Encode { slot: u64, field: usize, prepared: Arc<Prepared<'a>>, block: usize, alone: bool },
}

impl<'a> Slots<'a> {
    pub fn len(&self) -> usize {
        self.slots.len()
    }

    pub fn is_empty(&self) -> bool {
        self.slots.is_empty()
    }

    /// Throws all segments away.
    pub fn clear(&mut self) {
        self.front += self.slots.len() as u64;
        self.slots.clear();
    }

    /// Empty memory for `len` codes: that of a segment that is done, if there is one of about that
    /// size. The system's fresh pages cost a good part of what encoding does.
    pub fn memory(&mut self, len: usize) -> Vec<u8> {
        let fits = |memory: &Vec<u8>| (len..=2 * len).contains(&memory.capacity());
        let place = self.spare.iter().position(fits);
        place.and_then(|place| self.spare.remove(place)).unwrap_or_else(|| Vec::with_capacity(len))
    }

    /// Puts a segment of a field in.
    pub fn push(&mut self, field: usize, segment: Segment<'a>) {
        self.slots.push_back(Slot::Waiting(field, segment));
    }

    /// Puts in what is encoded already.
    pub fn push_done(&mut self, segment: EncodedSegment) {
        self.slots.push_back(Slot::Done(Ok(segment)));
    }

    /// Takes the segment in front out, if it is encoded.
    pub fn pop(&mut self) -> Option<Result<EncodedSegment>> {
        match self.slots.pop_front()? {
            Slot::Done(result) => {
                self.front += 1;
                Some(result)
            }
            other => {
                self.slots.push_front(other);
                None
            }
        }
    }

    /// Whether the segment in front is encoded.
    pub fn first_is_done(&self) -> bool {
        matches!(self.slots.front(), Some(Slot::Done(_)))
    }

    /// Whether anything is to be done.
    pub fn has_task(&self) -> bool {
        self.slots.iter().any(Slot::has_task)
    }

    /// What is to be done first.
    pub fn claim(&mut self) -> Option<Task<'a>> {
        for (slot, number) in self.slots.iter_mut().zip(self.front..) {
            match slot {
                Slot::Waiting(..) => {
                    let Slot::Waiting(field, segment) = mem::replace(slot, Slot::Preparing) else {
                        unreachable!("it waits");
                    };
                    return Some(Task::Prepare { slot: number, field, segment });
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
    fn slot(&mut self, number: u64) -> Option<&mut Slot<'a>> {
        self.slots.get_mut(usize::try_from(number.checked_sub(self.front)?).ok()?)
    }

    /// Takes what came of preparing a segment.
    pub fn prepared(&mut self, number: u64, field: usize, prepared: Result<Prepared<'a>>) {
        let Some(slot) = self.slot(number) else { return };
        *slot = match prepared {
            Err(error) => Slot::Done(Err(error)),
            Ok(prepared) => Slot::begin(field, Arc::new(prepared), false),
        };
    }

    /// Takes what came of encoding a block.
    pub fn encoded(&mut self, number: u64, block: usize, encoded: Result<EncodedBlock>) {
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

    /// Keeps the memory of a slot's codes if it is its own, unless another slot goes on with them.
    fn keep_memory(&mut self, slot: Slot) {
        let Slot::Coding(work) = slot else { return };
        let prepared = Arc::into_inner(work.prepared);
        let Some(mut memory) = prepared.and_then(Prepared::into_memory) else { return };
        memory.clear();
        self.spare.push_back(memory);
        if self.spare.len() > MOST_SPARE {
            self.spare.pop_front();
        }
    }
}

impl<'a> Slot<'a> {
    fn begin(field: usize, prepared: Arc<Prepared<'a>>, alone: bool) -> Self {
        let left = prepared.blocks();
        let blocks = (0..left).map(|_| None).collect();
        let mut slot = Self::Coding(Work { field, prepared, next: 0, blocks, left, alone });
        if left == 0 { slot.finish() } else { slot }
    }

    fn has_task(&self) -> bool {
        match self {
            Self::Waiting(..) => true,
            Self::Coding(work) => work.next < work.blocks.len(),
            Self::Preparing | Self::Done(_) => false,
        }
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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::error::Error;
    use crate::segment::Form;
    use crate::{Alphabet, Axes, Backend, Cut, Level};

    const ITEMS: usize = 100_000;

    fn form() -> Form {
        let cut = Cut::samples(&[], Axes::default(), 1 << 16).unwrap();
        Form { level: Level::Fast, alphabet: Alphabet::new(4, false).unwrap(), cut }
    }

    /// A segment of two blocks.
    fn segment() -> Segment<'static> {
        Segment { blocks: 0..2, items: ITEMS, codes: vec![3; ITEMS].into() }
    }

    fn block() -> EncodedBlock {
        EncodedBlock::raw(&[7])
    }

    /// The number of a slot whose segment was put in and prepared.
    fn prepared(slots: &mut Slots) -> u64 {
        slots.push(0, segment());
        let tasks = std::iter::from_fn(|| slots.claim());
        let waits = |task| match task {
            Task::Prepare { slot, field, segment } => Some((slot, field, segment)),
            Task::Encode { .. } => None,
        };
        let (slot, field, segment) = tasks.filter_map(waits).next().unwrap();
        let backend = Backend::current().unwrap();
        slots.prepared(slot, field, Prepared::new(backend, &form(), segment));
        slot
    }

    #[test]
    fn segments_leave_in_order_and_their_memory_is_used_again() {
        let mut slots = Slots::default();
        let (first, second) = (prepared(&mut slots), prepared(&mut slots));
        for slot in [second, first] {
            assert!(slots.pop().is_none(), "the first one is not encoded");
            slots.encoded(slot, 1, Ok(block()));
            slots.encoded(slot, 0, Ok(block()));
        }
        assert_eq!(slots.pop().unwrap().unwrap().blocks.len(), 2);
        assert_eq!(slots.pop().unwrap().unwrap().blocks.len(), 2);
        assert!(slots.pop().is_none() && slots.is_empty());
        assert_eq!(slots.spare.len(), 2);
        assert!(slots.memory(ITEMS).capacity() >= ITEMS && slots.spare.len() == 1);
        assert!(slots.memory(ITEMS / 4).capacity() < ITEMS && slots.spare.len() == 1);
    }

    #[test]
    fn it_says_what_there_is_to_be_done_and_to_be_taken() {
        let mut slots = Slots::default();
        assert!(!slots.has_task() && !slots.first_is_done());
        let slot = prepared(&mut slots);
        for _ in 0..2 {
            assert!(slots.has_task() && slots.claim().is_some());
        }
        assert!(!slots.has_task() && slots.claim().is_none());
        slots.push(0, segment());
        assert!(slots.has_task());
        slots.encoded(slot, 0, Ok(block()));
        assert!(!slots.first_is_done());
        slots.encoded(slot, 1, Ok(block()));
        assert!(slots.first_is_done() && slots.has_task());
    }

    #[test]
    fn an_error_is_what_becomes_of_a_segment() {
        let mut slots = Slots::default();
        let slot = prepared(&mut slots);
        slots.encoded(slot, 0, Err(Error::corrupt("block", "it is a test")));
        slots.encoded(slot, 1, Ok(block()));
        assert!(slots.pop().unwrap().is_err());
    }

    #[test]
    fn what_comes_for_segments_thrown_away_is_thrown_away() {
        let mut slots = Slots::default();
        let old = prepared(&mut slots);
        slots.clear();
        let new = prepared(&mut slots);
        slots.encoded(old, 0, Ok(block()));
        slots.encoded(old, 1, Ok(block()));
        assert!(slots.pop().is_none());
        slots.encoded(new, 0, Ok(block()));
        slots.encoded(new, 1, Ok(block()));
        assert!(slots.pop().is_some());
    }
}

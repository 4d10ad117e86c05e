//! Bit streams of mask bytes that go on from node to node.

use super::mask_code::MaskCode;
use crate::Backend;
use crate::cursor::{Cursor, put_varint};
use crate::error::{Error, Result};
use crate::kernels::{Lane, MAX_LANES};

/// Sequences of at least this many symbols have [`MAX_LANES`] streams, shorter ones a single one.
const MANY_FROM: usize = 1 << 12;

/// Streams of a block of `n` symbols: a decoder works on all of them at a time.
fn lane_count(n: usize) -> usize {
    if n < MANY_FROM { 1 } else { MAX_LANES }
}

/// Writes mask bytes to lanes.
#[derive(Debug, Default)]
pub(crate) struct LaneWriter {
    lanes: [Lane; MAX_LANES],
    count: usize,
}

impl LaneWriter {
    /// Empty lanes for a block of `n` symbols.
    pub(crate) fn start(&mut self, n: usize) {
        self.count = lane_count(n);
        self.lanes.iter_mut().for_each(Lane::clear);
    }

    /// Codes a mask, unless it would not get smaller; returns whether it did.
    pub(crate) fn put(&mut self, backend: Backend, code: &MaskCode, mask: &[u8]) -> bool {
        let lanes = &mut self.lanes[..self.count];
        let bits = |lanes: &[Lane]| lanes.iter().map(Lane::bits).sum::<usize>();
        let before: [_; MAX_LANES] = std::array::from_fn(|i| lanes.get(i).map(Lane::state));
        let start = bits(lanes);
        backend.encode_lanes(code.codewords(), mask, lanes);
        if bits(lanes) - start < 8 * mask.len() {
            return true;
        }
        lanes.iter_mut().zip(before.into_iter().flatten()).for_each(|(l, state)| l.reset(state));
        false
    }

    /// Appends the lanes' sizes, then the lanes.
    pub(crate) fn finish(&self, out: &mut Vec<u8>) {
        let lanes = &self.lanes[..self.count];
        lanes.iter().for_each(|lane| put_varint(lane.bytes().len() as u64, out));
        lanes.iter().for_each(|lane| out.extend_from_slice(lane.bytes()));
    }
}

/// Reads mask bytes from lanes.
pub(crate) struct LaneReader<'a> {
    lanes: &'a [u8],
    /// Where each lane is, and where it ends, in bits.
    positions: [usize; MAX_LANES],
    ends: [usize; MAX_LANES],
    count: usize,
}

impl<'a> LaneReader<'a> {
    /// Takes the lanes of a block of `n` symbols.
    ///
    /// # Errors
    /// [`Error::Truncated`] or [`Error::Corrupt`] if the sizes promise more than there is.
    pub(crate) fn new(n: usize, cursor: &mut Cursor<'a>) -> Result<Self> {
        let count = lane_count(n);
        let (mut positions, mut ends) = ([0; MAX_LANES], [0; MAX_LANES]);
        let mut total = 0usize;
        for (position, end) in positions[..count].iter_mut().zip(&mut ends) {
            let size = usize::try_from(cursor.varint()?).ok();
            let next =
                size.and_then(|size| total.checked_add(size)).filter(|&t| t <= usize::MAX / 8);
            let next = next.ok_or_else(|| Error::corrupt("lanes", "their sizes overflow"))?;
            (*position, *end) = (8 * total, 8 * next);
            total = next;
        }
        Ok(Self { lanes: cursor.take(total)?, positions, ends, count })
    }

    /// Decodes a mask. Whether its codewords were the lanes' own, [`finish`](Self::finish) says.
    pub(crate) fn take(&mut self, backend: Backend, code: &MaskCode, mask: &mut [u8]) {
        backend.decode_lanes(self.lanes, &mut self.positions[..self.count], code.table(), mask);
    }

    /// Checks that every lane was read to its end, and that its padding is zero.
    pub(crate) fn finish(self) -> Result<()> {
        for (lane, (&position, &end)) in self.positions.iter().zip(&self.ends).enumerate() {
            if position.next_multiple_of(8) != end {
                let why = format!("lane {lane} ends at bit {end}, its last codeword at {position}");
                return Err(Error::corrupt("lanes", why));
            }
            let padding = end - position;
            if padding > 0 && self.lanes[end / 8 - 1] & ((1 << padding) - 1) != 0 {
                return Err(Error::corrupt(
                    "lanes",
                    format!("the padding of lane {lane} is not zero"),
                ));
            }
        }
        Ok(())
    }
}

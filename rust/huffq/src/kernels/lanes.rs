//! The bit streams that mask bytes are coded in, most significant bit first.

use std::ops::Range;

/// Bits that a [`LaneTable`] is indexed with: no codeword is longer.
pub(crate) const LANE_INDEX_BITS: u32 = 11;

/// For every string of [`LANE_INDEX_BITS`] bits the byte whose codeword it begins with, times 256,
/// plus the codeword's length.
pub(crate) type LaneTable = [u16; 1 << LANE_INDEX_BITS];

/// Most lanes that one call works on.
pub(crate) const MAX_LANES: usize = 8;

/// Lookups between two refills: a refill gives 57 bits at least, and they take 55 at most.
pub(super) const LOOKUPS: usize = 5;

/// The codewords of all bytes, of at most [`LANE_INDEX_BITS`] bits.
#[derive(Debug)]
pub(crate) struct Codewords {
    /// Each codeword in the highest bits, and its length in the lowest.
    wide: [u64; 256],
    /// The low eight bits of each codeword.
    pub(super) low: [u8; 256],
    /// Its three high bits, and above them its length.
    pub(super) high: [u8; 256],
}

impl Codewords {
    /// From each byte's codeword and length, within 1 and [`LANE_INDEX_BITS`].
    pub(crate) fn new(of: impl Fn(usize) -> (u16, u8)) -> Self {
        let wide = |byte| {
            let (codeword, length) = of(byte);
            u64::from(codeword) << (u64::BITS - u32::from(length)) | u64::from(length)
        };
        Self {
            wide: std::array::from_fn(wide),
            low: std::array::from_fn(|byte| of(byte).0 as u8),
            high: std::array::from_fn(|byte| (of(byte).0 >> 8) as u8 | of(byte).1 << 3),
        }
    }

    /// A byte's codeword in the highest bits, and its length in the lowest.
    pub(crate) fn wide(&self, byte: u8) -> u64 {
        self.wide[usize::from(byte)]
    }
}

/// Codewords between two stores.
const PUTS: usize = 4;

/// Lanes that are written side by side.
const TOGETHER: usize = 4;

/// One bit stream being written.
#[derive(Debug, Default)]
pub(crate) struct Lane {
    pub(super) bytes: Vec<u8>,
    pub(super) state: LaneState,
}

/// How far a [`Lane`] is.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct LaneState {
    /// The byte that the next bit goes to; the bytes from there on are arbitrary.
    position: usize,
    /// The decided bits of that byte, left-aligned; zeros follow.
    accumulator: u64,
    /// Their number, 0 to 7.
    pending: u32,
}

impl Lane {
    /// Forgets everything written.
    pub(crate) fn clear(&mut self) {
        self.state = LaneState::default();
    }

    /// Bits written.
    pub(crate) fn bits(&self) -> usize {
        8 * self.state.position + self.state.pending as usize
    }

    /// What [`reset`](Self::reset) comes back to.
    pub(crate) fn state(&self) -> LaneState {
        self.state
    }

    /// Forgets what was written since.
    pub(crate) fn reset(&mut self, state: LaneState) {
        self.state = state;
        if state.pending > 0 {
            // What was written since has filled up the byte.
            self.bytes[state.position] = (state.accumulator >> 56) as u8;
        }
    }

    /// What was written, the last byte padded with zeros.
    pub(crate) fn bytes(&self) -> &[u8] {
        &self.bytes[..self.bits().div_ceil(8)]
    }

    /// Makes room for the codewords of `n` more symbols.
    pub(super) fn reserve(&mut self, n: usize) {
        // Every step stores eight bytes, however few are new.
        let room = self.state.position + 2 * n + 16;
        if self.bytes.len() < room {
            self.bytes.resize(room.next_power_of_two(), 0);
        }
    }
}

impl LaneState {
    /// Appends a word's highest bits, at most 57; zeros follow them in the word.
    #[inline(always)]
    pub(super) fn append(&mut self, bytes: &mut [u8], word: u64, bits: u32) {
        let accumulator = self.accumulator | word >> self.pending;
        bytes[self.position..self.position + 8].copy_from_slice(&accumulator.to_be_bytes());
        let pending = self.pending + bits;
        self.position += (pending / 8) as usize;
        self.accumulator = accumulator << (pending & 0x38);
        self.pending = pending % 8;
    }
}

/// Appends the codewords of at most [`PUTS`] symbols.
#[inline(always)]
fn put(state: &mut LaneState, bytes: &mut [u8], codewords: &Codewords, symbols: &[u8]) {
    let mut end = u64::from(state.pending);
    let mut accumulator = state.accumulator;
    for &symbol in symbols {
        let entry = codewords.wide(symbol);
        accumulator |= entry >> (end & 63);
        // Only the low six bits count, and 7 + 4 * 11 does not overflow them.
        end = end.wrapping_add(entry);
    }
    // Lengths have come along with the codewords, but no higher than this.
    accumulator &= !0xfff;
    let position = state.position;
    bytes[position..position + 8].copy_from_slice(&accumulator.to_be_bytes());
    let pending = (end & 63) as u32;
    state.position += (pending / 8) as usize;
    state.accumulator = accumulator << (pending & !7);
    state.pending = pending % 8;
}

/// The symbols of one of `lanes` equal shares of `n`: the first `n % lanes` have one more.
#[inline(always)]
pub(super) fn share(n: usize, lanes: usize, lane: usize) -> Range<usize> {
    let start = |lane: usize| lane * (n / lanes) + lane.min(n % lanes);
    start(lane)..start(lane + 1)
}

/// Appends each lane's share of `symbols` to it, several lanes side by side, since a lane's steps
/// wait for one another.
#[inline(always)]
pub(super) fn encode(codewords: &Codewords, symbols: &[u8], lanes: &mut [Lane]) {
    let (count, n) = (lanes.len(), symbols.len());
    lanes.iter_mut().for_each(|lane| lane.reserve(n / count + 1));
    let mut start = 0;
    let (groups, rest) = lanes.as_chunks_mut::<TOGETHER>();
    for group in groups {
        let shares = std::array::from_fn(|i| &symbols[share(n, count, start + i)]);
        encode_together(codewords, shares, group);
        start += TOGETHER;
    }
    for (lane, i) in rest.iter_mut().zip(start..) {
        let symbols = [&symbols[share(n, count, i)]];
        encode_together(codewords, symbols, std::array::from_mut(lane));
    }
}

#[inline(always)]
fn encode_together<const N: usize>(
    codewords: &Codewords,
    symbols: [&[u8]; N],
    lanes: &mut [Lane; N],
) {
    let mut states = lanes.each_ref().map(|lane| lane.state);
    let outs = lanes.each_mut().map(|lane| &mut lane.bytes[..]);
    let groups = symbols.map(|share| share.as_chunks::<PUTS>().0);
    let common = groups.map(<[_]>::len).into_iter().min().unwrap_or(0);
    let mut groups = groups.map(|groups| groups[..common].iter());
    for _ in 0..common {
        for i in 0..N {
            let group = groups[i].next().expect("so many are in each");
            put(&mut states[i], outs[i], codewords, group);
        }
    }
    // Shares differ by one symbol.
    for i in 0..N {
        for group in symbols[i][PUTS * common..].chunks(PUTS) {
            put(&mut states[i], outs[i], codewords, group);
        }
    }
    lanes.iter_mut().zip(states).for_each(|(lane, state)| lane.state = state);
}

/// At least 57 bits from bit `position` on, then zeros but for a one in the lowest bit, which shows
/// how far a word was shifted; bits past the end are zeros.
#[inline(always)]
fn refill(data: &[u8], position: usize) -> u64 {
    let start = position / 8;
    let word = if start < data.len().saturating_sub(7) {
        // SAFETY: eight bytes or more lie from `start` on. Slicing them compares five times.
        u64::from_be(unsafe { data.as_ptr().add(start).cast::<u64>().read_unaligned() })
    } else {
        short_word(data, start)
    };
    word << (position % 8) | 1
}

/// Eight bytes, of which the last ones lie past the end.
#[cold]
fn short_word(data: &[u8], start: usize) -> u64 {
    let mut eight = [0; 8];
    let rest = data.get(start..).unwrap_or_default();
    eight[..rest.len()].copy_from_slice(rest);
    u64::from_be_bytes(eight)
}

/// The byte that a word's first codeword stands for; the word moves on to the next one.
#[inline(always)]
fn look_up(table: &LaneTable, word: &mut u64) -> u8 {
    let entry = table[(*word >> (64 - LANE_INDEX_BITS)) as usize];
    // Lengths are at most 11; a shift looks at six bits.
    *word <<= entry & 63;
    (entry >> 8) as u8
}

/// Decodes all of `out` from L lanes, which are at bit `positions` of `data`.
///
/// All lanes go side by side, since each waits for its own last lookup most of the time: one lane
/// after another is 40 % slower, and so are iterator adaptors in place of the plain loops.
#[allow(clippy::needless_range_loop, reason = "40 % faster than iterator adaptors")]
#[inline(always)]
pub(super) fn decode<const L: usize>(
    data: &[u8],
    positions: &mut [usize; L],
    table: &LaneTable,
    out: &mut [u8],
) {
    let n = out.len();
    let (each, extra) = (n / L, n % L);
    let mut starts = [out.as_mut_ptr(); L];
    for lane in 0..L {
        // SAFETY: shares lie within the `n` bytes of `out`.
        starts[lane] = unsafe { starts[lane].add(share(n, L, lane).start) };
    }
    let whole = each / LOOKUPS * LOOKUPS;
    for at in (0..whole).step_by(LOOKUPS) {
        // SAFETY: every lane's share has at least `each` bytes, and `at + LOOKUPS` is at most that.
        unsafe { step(data, positions, table, &starts, at..at + LOOKUPS, 0) };
    }
    // SAFETY: as above, and the first `extra` shares have `each + 1` bytes.
    unsafe { step(data, positions, table, &starts, whole..each, extra) };
}

/// Decodes bytes `range`, at most [`LOOKUPS`], of every lane's share, which begins at `starts`, and
/// byte `range.end` of the first `extra` shares.
///
/// # Safety
/// The shares must have these bytes, and nothing else may refer to them.
#[allow(clippy::needless_range_loop, reason = "40 % faster than iterator adaptors")]
#[inline(always)]
unsafe fn step<const L: usize>(
    data: &[u8],
    positions: &mut [usize; L],
    table: &LaneTable,
    starts: &[*mut u8; L],
    range: Range<usize>,
    extra: usize,
) {
    let mut words = [0; L];
    for lane in 0..L {
        words[lane] = refill(data, positions[lane]);
    }
    for at in range.clone() {
        for lane in 0..L {
            // SAFETY: as the caller promises.
            unsafe { *starts[lane].add(at) = look_up(table, &mut words[lane]) };
        }
    }
    for lane in 0..L {
        if lane < extra {
            // SAFETY: as the caller promises.
            unsafe { *starts[lane].add(range.end) = look_up(table, &mut words[lane]) };
        }
        // The marker has moved up by as many bits as were used.
        positions[lane] += words[lane].trailing_zeros() as usize;
    }
}

/// [`decode`] for one lane or [`MAX_LANES`].
#[inline(always)]
pub(super) fn decode_any(data: &[u8], positions: &mut [usize], table: &LaneTable, out: &mut [u8]) {
    match positions {
        [position] => decode(data, std::array::from_mut(position), table, out),
        _ => {
            let positions = positions.first_chunk_mut::<MAX_LANES>().expect("there are all lanes");
            decode(data, positions, table, out);
        }
    }
}

//! The serial layout: codewords joined, and several symbols a look-up from several streams at once.
//!
//! Decoding is shift, load, shift: in one lane each look-up waits some ten cycles for the one before. The lanes
//! do not depend on each other, so the look-ups of one hide the latency of the others'.

#[cfg(target_arch = "x86_64")]
use super::avx512;
use super::{Backend, Kind};

/// Symbols whose codewords [`Backend::join_codewords`] joins at once.
pub(crate) const JOINED: usize = 64;

/// The codewords of symbols below 16, each in the low bits, and their lengths.
pub(crate) struct ShortAlphabet {
    pub codewords: [u16; 32],
    pub lengths: [u16; 32],
}

/// The codewords of eight symbols each, one after another in the low bits, and their lengths; what
/// exceeds 64 bits is lost.
#[derive(Default)]
pub(crate) struct Joined {
    pub bits: [u64; JOINED / 8],
    pub lengths: [u64; JOINED / 8],
}

/// Index bits of [`Entries`]: 16 KiB, which leaves half of a small first-level cache free.
pub(crate) const INDEX_BITS: u32 = 11;
/// Look-ups that one 64-bit window serves: 5 × 11 bits out of at least 56 valid ones.
const LOOKUPS: usize = 5;
/// Bytes by which a lane's output may grow in one round.
const MAX_GROWTH: usize = 7 * LOOKUPS;
/// Bytes by which a lane's input may move in one round.
const MAX_ADVANCE: usize = 8;
/// Bytes that one access takes.
const WORD: usize = 8;

/// Symbols by the next [`INDEX_BITS`] bits of the stream: the whole codewords that these begin with.
///
/// ```text
/// bit  63 … 61        55 … 8              5 … 0
///      their number   up to six symbols   bits they take
/// ```
///
/// The first symbol lies lowest. No symbol at all: the first codeword is longer than the index, or
/// there is none.
pub(crate) type Entries = [u64; 1 << INDEX_BITS];

/// Where a stream goes on.
pub(crate) struct Lane<'a> {
    /// Bits of the input before its next codeword.
    pub position: usize,
    /// Room for exactly the symbols that are still to come.
    pub out: &'a mut [u8],
}

impl Backend {
    /// Joins the codewords of symbols, which must be below 16, where the machine has vector
    /// instructions for it.
    #[inline]
    pub(crate) fn join_codewords(
        self,
        code: &ShortAlphabet,
        symbols: &[u8; JOINED],
    ) -> Option<Joined> {
        match self.0 {
            // SAFETY: a `Backend` of this kind exists only where the machine has AVX-512.
            #[cfg(target_arch = "x86_64")]
            Kind::Avx512 => Some(unsafe { avx512::join_codewords(code, symbols) }),
            _ => None,
        }
    }

    /// Decodes all `lanes` of the serial layout until one of them comes near the end of its input or
    /// output, or meets a codeword that no entry holds. Nothing behind a lane's output is touched,
    /// whatever the entries are.
    pub(crate) fn decode_serial<const N: usize>(
        self,
        bytes: &[u8],
        entries: &Entries,
        lanes: &mut [Lane<'_>; N],
    ) {
        match self.0 {
            Kind::Portable => decode(bytes, entries, lanes),
            // SAFETY: a `Backend` of these kinds exists only where the machine has BMI1 and BMI2.
            #[cfg(target_arch = "x86_64")]
            Kind::Avx2 | Kind::Avx512 => unsafe { decode_bmi2(bytes, entries, lanes) },
        }
    }
}

/// The lanes while they run.
struct Cursors<const N: usize> {
    input: [*const u8; N],
    /// Bits of the byte at `input` that are used up.
    skip: [u32; N],
    out: [*mut u8; N],
}

#[inline(always)]
fn decode<const N: usize>(bytes: &[u8], entries: &Entries, lanes: &mut [Lane<'_>; N]) {
    if lanes.iter().any(|lane| lane.position > 8 * bytes.len()) {
        return;
    }
    let input_end = bytes.as_ptr_range().end;
    let ends = lanes.each_mut().map(|lane| lane.out.as_mut_ptr_range());
    let mut cursors = Cursors {
        input: lanes.each_ref().map(|lane| bytes[lane.position / 8..].as_ptr()),
        skip: lanes.each_ref().map(|lane| lane.position as u32 % 8),
        out: ends.each_ref().map(|range| range.start),
    };
    let mut all_move = true;
    while all_move {
        let rounds = (0..N).map(|i| {
            let readable = input_end as usize - cursors.input[i] as usize;
            let writable = ends[i].end as usize - cursors.out[i] as usize;
            let by_input = readable.saturating_sub(WORD) / MAX_ADVANCE;
            by_input.min(writable.saturating_sub(WORD) / MAX_GROWTH)
        });
        let Some(rounds @ 1..) = rounds.min() else { break };
        for _ in 0..rounds {
            // SAFETY: each round moves `input` and `out` by no more than was divided by above, so
            // in each one more word lies behind both.
            all_move = unsafe { round(entries, &mut cursors) };
            if !all_move {
                break;
            }
        }
    }
    for (i, lane) in lanes.iter_mut().enumerate() {
        lane.position = 8 * (cursors.input[i] as usize - bytes.as_ptr() as usize);
        lane.position += cursors.skip[i] as usize;
        let written = cursors.out[i] as usize - ends[i].start as usize;
        lane.out = &mut std::mem::take(&mut lane.out)[written..];
    }
}

/// Decodes one window of every lane. False: a lane may have met a codeword that no entry holds.
///
/// # Safety
/// Every `input` must have `MAX_ADVANCE + WORD` readable bytes, every `out` `MAX_GROWTH + WORD`
/// writable ones.
#[inline(always)]
unsafe fn round<const N: usize>(entries: &Entries, cursors: &mut Cursors<N>) -> bool {
    let Cursors { input, skip, out } = cursors;
    let mut windows = [0; N];
    for i in 0..N {
        // SAFETY: the caller vouches for a word.
        let word = unsafe { input[i].cast::<[u8; 8]>().read_unaligned() };
        // The place of the marker tells in the end how many bits were used.
        windows[i] = (u64::from_be_bytes(word) | 1) << skip[i];
    }
    // All lanes' first look-up, then all lanes' second: neighbours in time are independent.
    for _ in 0..LOOKUPS {
        for i in 0..N {
            let entry = entries[(windows[i] >> (u64::BITS - INDEX_BITS)) as usize];
            // SAFETY: three bits of count move `out` by at most 7 a look-up; a word follows.
            unsafe {
                out[i].cast::<[u8; 8]>().write_unaligned((entry >> 8).to_le_bytes());
                out[i] = out[i].add((entry >> 61) as usize);
            }
            windows[i] <<= entry & 63;
        }
    }
    let mut least = u32::MAX;
    for i in 0..N {
        let used = windows[i].trailing_zeros();
        // SAFETY: that are at most 64 bits.
        input[i] = unsafe { input[i].add(used as usize / 8) };
        skip[i] = used % 8;
        least = least.min(used);
    }
    // So few bits in five look-ups: the last ones found nothing.
    least >= 8
}

/// [`decode`] with shifts by a register that leave the flags alone.
#[cfg(target_arch = "x86_64")]
#[target_feature(enable = "bmi1,bmi2")]
fn decode_bmi2<const N: usize>(bytes: &[u8], entries: &Entries, lanes: &mut [Lane<'_>; N]) {
    decode(bytes, entries, lanes);
}

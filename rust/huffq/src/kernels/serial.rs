//! A bitstream of the serial layout: codewords joined, and several symbols a look-up.

#[cfg(target_arch = "x86_64")]
use super::avx512;
use super::{Backend, Kind};
use crate::bits::BitWriter;

/// Symbols whose codewords [`Backend::put_codewords`] puts at once.
pub(crate) const PUT_TOGETHER: usize = 64;

/// The codewords of symbols below 16, each in the low bits, and their lengths.
pub(crate) struct ShortAlphabet {
    pub codewords: [u16; 32],
    pub lengths: [u16; 32],
}

/// Index bits of [`Entries`]: 16 KiB, which leaves half of a small first-level cache free.
pub(crate) const INDEX_BITS: u32 = 11;
/// Look-ups that one 64-bit window serves: 5 × 11 bits out of at least 56 valid ones.
const LOOKUPS: usize = 5;
/// Bytes by which the output may grow in one round.
const MAX_GROWTH: usize = 7 * LOOKUPS;
/// Bytes by which the input may move in one round.
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
pub(crate) struct Cursor<'a> {
    /// Bits of the input before its next codeword.
    pub position: usize,
    /// Room for exactly the symbols that are still to come.
    pub out: &'a mut [u8],
}

impl Backend {
    /// Puts the codewords of symbols, which must be below 16. False: nothing was put, as the
    /// backend has no vector instructions for it, or eight codewords exceed
    /// [`BitWriter::MAX_PUT`].
    #[inline]
    pub(crate) fn put_codewords(
        self,
        code: &ShortAlphabet,
        symbols: &[u8; PUT_TOGETHER],
        writer: &mut BitWriter,
    ) -> bool {
        match self.0 {
            // SAFETY: a `Backend` of this kind exists only where the machine has AVX-512 and BMI2.
            #[cfg(target_arch = "x86_64")]
            Kind::Avx512 => unsafe { avx512::put_codewords(code, symbols, writer) },
            _ => false,
        }
    }

    /// Decodes the serial layout until the end of the input or of the output is near, or there is
    /// a codeword that no entry holds. Nothing behind the output is touched, whatever the entries
    /// are.
    pub(crate) fn decode_serial(self, bytes: &[u8], entries: &Entries, cursor: &mut Cursor<'_>) {
        match self.0 {
            Kind::Portable => decode(bytes, entries, cursor),
            // SAFETY: a `Backend` of these kinds exists only where the machine has BMI1 and BMI2.
            #[cfg(target_arch = "x86_64")]
            Kind::Avx2 | Kind::Avx512 => unsafe { decode_bmi2(bytes, entries, cursor) },
        }
    }
}

/// A stream while it runs.
struct Running {
    input: *const u8,
    /// Bits of the byte at `input` that are used up.
    skip: u32,
    out: *mut u8,
}

#[inline(always)]
fn decode(bytes: &[u8], entries: &Entries, cursor: &mut Cursor<'_>) {
    if cursor.position > 8 * bytes.len() {
        return;
    }
    let input_end = bytes.as_ptr_range().end;
    let out_range = cursor.out.as_mut_ptr_range();
    let mut running = Running {
        input: bytes[cursor.position / 8..].as_ptr(),
        skip: cursor.position as u32 % 8,
        out: out_range.start,
    };
    let mut moves = true;
    while moves {
        let readable = input_end as usize - running.input as usize;
        let writable = out_range.end as usize - running.out as usize;
        let by_input = readable.saturating_sub(WORD) / MAX_ADVANCE;
        let rounds = by_input.min(writable.saturating_sub(WORD) / MAX_GROWTH);
        if rounds == 0 {
            break;
        }
        for _ in 0..rounds {
            // SAFETY: each round moves `input` and `out` by no more than was divided by above, so
            // in each one more word lies behind both.
            moves = unsafe { round(entries, &mut running) };
            if !moves {
                break;
            }
        }
    }
    let position = 8 * (running.input as usize - bytes.as_ptr() as usize);
    cursor.position = position + running.skip as usize;
    let written = running.out as usize - out_range.start as usize;
    cursor.out = &mut std::mem::take(&mut cursor.out)[written..];
}

/// Decodes one window. False: there may be a codeword that no entry holds.
///
/// # Safety
/// `input` must have `MAX_ADVANCE + WORD` readable bytes, `out` `MAX_GROWTH + WORD` writable ones.
#[inline(always)]
unsafe fn round(entries: &Entries, running: &mut Running) -> bool {
    // SAFETY: the caller vouches for a word.
    let word = unsafe { running.input.cast::<[u8; 8]>().read_unaligned() };
    // The place of the marker tells in the end how many bits were used.
    let mut window = (u64::from_be_bytes(word) | 1) << running.skip;
    for _ in 0..LOOKUPS {
        let entry = entries[(window >> (u64::BITS - INDEX_BITS)) as usize];
        // SAFETY: three bits of count move `out` by at most 7 a look-up; a word follows.
        unsafe {
            running.out.cast::<[u8; 8]>().write_unaligned((entry >> 8).to_le_bytes());
            running.out = running.out.add((entry >> 61) as usize);
        }
        window <<= entry & 63;
    }
    let used = window.trailing_zeros();
    // SAFETY: that are at most 64 bits.
    running.input = unsafe { running.input.add(used as usize / 8) };
    running.skip = used % 8;
    // So few bits in five look-ups: the last ones found nothing.
    used >= 8
}

/// [`decode`] with shifts by a register that leave the flags alone.
#[cfg(target_arch = "x86_64")]
#[target_feature(enable = "bmi1,bmi2")]
fn decode_bmi2(bytes: &[u8], entries: &Entries, cursor: &mut Cursor<'_>) {
    decode(bytes, entries, cursor);
}

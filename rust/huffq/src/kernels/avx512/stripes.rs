//! Streams side by side, each in a lane of 16 bits.

use std::arch::x86_64::*;

use super::{load, store};
use crate::kernels::stripes::{
    GROUPS, GroupReader, GroupWriter, LANES, ROUND, ShortTable, StripeCode, Word,
};

/// Numbers of 16 bits, of which only the lowest eight bits may be set.
#[inline]
#[target_feature(enable = "avx512f,avx512bw")]
fn load_bytes(bytes: &[u8; LANES]) -> __m512i {
    // SAFETY: the array has the 32 bytes that are read.
    _mm512_cvtepu8_epi16(unsafe { _mm256_loadu_si256(bytes.as_ptr().cast()) })
}

/// The lowest eight bits of numbers of 16.
#[inline]
#[target_feature(enable = "avx512f,avx512bw")]
fn store_bytes(numbers: __m512i, bytes: &mut [u8; LANES]) {
    // SAFETY: the array has the 32 bytes that are written.
    unsafe { _mm256_storeu_si256(bytes.as_mut_ptr().cast(), _mm512_cvtepi16_epi8(numbers)) }
}

#[inline]
#[target_feature(enable = "avx512f,avx512bw")]
fn load_numbers(numbers: &[u16; LANES]) -> __m512i {
    // SAFETY: the array has the 64 bytes that are read.
    unsafe { _mm512_loadu_epi16(numbers.as_ptr().cast()) }
}

#[inline]
#[target_feature(enable = "avx512f,avx512bw")]
fn store_numbers(vector: __m512i) -> [u16; LANES] {
    let mut numbers = [0; LANES];
    // SAFETY: the array has the 64 bytes that are written.
    unsafe { _mm512_storeu_epi16(numbers.as_mut_ptr().cast(), vector) };
    numbers
}

/// The halves of numbers of 32 bits: low, and high.
#[inline]
#[target_feature(enable = "avx512f,avx512bw")]
fn split(numbers: &[u32; LANES]) -> [__m512i; 2] {
    [0, 16].map(|shift| load_numbers(&numbers.map(|number| (number >> shift) as u16)))
}

/// The inverse of [`split`].
#[inline]
#[target_feature(enable = "avx512f,avx512bw")]
fn unite(low: __m512i, high: __m512i) -> [u32; LANES] {
    let (low, high) = (store_numbers(low), store_numbers(high));
    std::array::from_fn(|i| u32::from(high[i]) << 16 | u32::from(low[i]))
}

/// The symbols of a round, those of each group.
#[inline]
#[target_feature(enable = "avx512f,avx512bw")]
fn load_round(round: &[u8; ROUND]) -> [__m512i; GROUPS] {
    let symbols = load(round);
    [_mm512_and_si512(symbols, _mm512_set1_epi16(0xff)), _mm512_srli_epi16::<8>(symbols)]
}

#[target_feature(enable = "avx512f,avx512bw")]
pub(in crate::kernels) fn sum_lengths(
    code: &StripeCode,
    rounds: &[[u8; ROUND]],
    bits: &mut [[u8; LANES]; GROUPS],
) {
    let lengths = load_numbers(code.lengths.first_chunk().expect("there are 256"));
    let mut sums = bits.each_ref().map(|bits| load_bytes(bits));
    for round in rounds {
        for (sum, symbols) in sums.iter_mut().zip(load_round(round)) {
            *sum = _mm512_add_epi16(*sum, _mm512_permutexvar_epi16(symbols, lengths));
        }
    }
    bits.iter_mut().zip(sums).for_each(|(bits, sum)| store_bytes(sum, bits));
}

/// A group's streams being written; the last one lies in the lowest lane.
#[derive(Clone, Copy)]
struct WriterLanes {
    /// The last 16 bits held.
    low: __m512i,
    /// Those before them, as many as `spare` says.
    high: __m512i,
    spare: __m512i,
}

#[target_feature(enable = "avx512f,avx512bw,avx512vbmi2,popcnt")]
pub(in crate::kernels) fn put_rounds(
    code: &StripeCode,
    rounds: &[[u8; ROUND]],
    writers: &mut [GroupWriter; GROUPS],
) {
    let codewords = load_numbers(code.codewords.first_chunk().expect("there are 256"));
    let lengths = load_numbers(code.lengths.first_chunk().expect("there are 256"));
    // Words are written in the opposite order, so lanes are as well.
    let backwards = load_numbers(&std::array::from_fn(|i| (LANES - 1 - i) as u16));
    let turn = |vector| _mm512_permutexvar_epi16(backwards, vector);
    let mut lanes = writers.each_ref().map(|writer| {
        let [low, high] = split(&writer.values).map(turn);
        WriterLanes { low, high, spare: turn(load_bytes(&writer.spare)) }
    });
    for round in rounds.iter().rev() {
        let symbols = load_round(round).map(turn);
        for group in 0..GROUPS {
            let codeword = _mm512_permutexvar_epi16(symbols[group], codewords);
            let length = _mm512_permutexvar_epi16(symbols[group], lengths);
            let (full, word) = prepend(&mut lanes[group], codeword, length);
            let GroupWriter { words, written, .. } = &mut writers[group];
            let out: &mut [Word; LANES] =
                words[*written..].first_chunk_mut().expect("there is room");
            // SAFETY: the array has the 64 bytes that are written.
            unsafe {
                let words = _mm512_mask_compress_epi16(word, full, word);
                _mm512_storeu_epi16(out.as_mut_ptr().cast(), words);
            }
            *written += full.count_ones() as usize;
        }
    }
    for (writer, WriterLanes { low, high, spare }) in writers.iter_mut().zip(lanes) {
        writer.values = unite(turn(low), turn(high));
        store_bytes(turn(spare), &mut writer.spare);
    }
}

/// Puts a codeword before what each stream holds; returns which of them first gave a word back, and
/// all their last 16 bits.
#[inline]
#[target_feature(enable = "avx512f,avx512bw,avx512vbmi2")]
fn prepend(lanes: &mut WriterLanes, codeword: __m512i, length: __m512i) -> (u32, __m512i) {
    let WriterLanes { low, high, spare } = *lanes;
    let sixteen = _mm512_set1_epi16(16);
    let sum = _mm512_add_epi16(spare, length);
    let full = _mm512_test_epi16_mask(sum, sixteen);
    let joined = _mm512_or_si512(high, _mm512_sllv_epi16(codeword, spare));
    let beyond = _mm512_srlv_epi16(codeword, _mm512_sub_epi16(sixteen, spare));
    *lanes = WriterLanes {
        low: _mm512_mask_mov_epi16(low, full, joined),
        high: _mm512_mask_mov_epi16(joined, full, beyond),
        spare: _mm512_and_si512(sum, _mm512_set1_epi16(15)),
    };
    (full, low)
}

/// A group's streams being read.
#[derive(Clone, Copy)]
struct ReaderLanes {
    /// The next 16 bits.
    window: __m512i,
    /// What is held beyond them, left-aligned.
    next: __m512i,
    /// How many bits those are.
    spare: __m512i,
}

/// Decodes whole rounds while there are words for any codewords; returns the number of symbols.
#[target_feature(enable = "avx512f,avx512bw,avx512vbmi,avx512vbmi2,popcnt")]
pub(in crate::kernels) fn take_rounds(
    table: &ShortTable,
    readers: &mut [GroupReader; GROUPS],
    out: &mut [u8],
) -> usize {
    match table.long_len {
        0 => take_rounds_with::<0>(table, readers, out),
        1..=128 => take_rounds_with::<7>(table, readers, out),
        _ => take_rounds_with::<8>(table, readers, out),
    }
}

#[inline]
#[target_feature(enable = "avx512f,avx512bw,avx512vbmi,avx512vbmi2,popcnt")]
fn take_rounds_with<const LONG_BITS: usize>(
    table: &ShortTable,
    readers: &mut [GroupReader; GROUPS],
    out: &mut [u8],
) -> usize {
    let look_ups = LookUps::new(table);
    let mut words = readers.each_ref().map(|reader| reader.words);
    let mut lanes = readers.each_ref().map(|reader| {
        let [next, window] = split(&reader.windows);
        ReaderLanes { window, next, spare: load_bytes(&reader.spare) }
    });
    let mut done = 0;
    for round in out.as_chunks_mut::<ROUND>().0 {
        let [Some(first), Some(second)] = words.map(|words| words.first_chunk()) else { break };
        let entries = lanes.each_ref().map(|lanes| look_ups.find::<LONG_BITS>(lanes.window));
        store(symbols_of(entries), round);
        let [even, odd] = entries.map(|entry| _mm512_and_si512(entry, _mm512_set1_epi16(15)));
        words[0] = &words[0][advance(&mut lanes[0], even, first)..];
        words[1] = &words[1][advance(&mut lanes[1], odd, second)..];
        done += ROUND;
    }
    for ((reader, words), lanes) in readers.iter_mut().zip(words).zip(lanes) {
        let ReaderLanes { window, next, spare } = lanes;
        *reader = GroupReader { windows: unite(next, window), spare: [0; LANES], words };
        store_bytes(spare, &mut reader.spare);
    }
    done
}

/// The symbols of a round's entries: the first group's go to even places, the second's to odd ones.
#[inline]
#[target_feature(enable = "avx512f,avx512bw")]
fn symbols_of([even, odd]: [__m512i; GROUPS]) -> __m512i {
    let (even, odd) = (_mm512_srli_epi16::<4>(even), _mm512_slli_epi16::<4>(odd));
    let both = _mm512_mask_mov_epi8(even, 0xaaaa_aaaa_aaaa_aaaa, odd);
    _mm512_and_si512(both, _mm512_set1_epi8(15))
}

/// Moves each stream on by a length; those that then hold less than 16 bits take one of the next
/// words each. Returns how many did.
#[inline]
#[target_feature(enable = "avx512f,avx512bw,avx512vbmi2,popcnt")]
fn advance(lanes: &mut ReaderLanes, length: __m512i, words: &[Word; LANES]) -> usize {
    let ReaderLanes { window, next, spare } = *lanes;
    let window = _mm512_shldv_epi16(window, next, length);
    let next = _mm512_sllv_epi16(next, length);
    let lacks = _mm512_cmplt_epu16_mask(spare, length);
    let left = _mm512_sub_epi16(spare, length);
    // SAFETY: the array has the 64 bytes that are read.
    let words = unsafe { _mm512_loadu_epi16(words.as_ptr().cast()) };
    let words = _mm512_maskz_expand_epi16(lacks, words);
    let spare = _mm512_and_si512(left, _mm512_set1_epi16(15));
    // Modulo 16: where a stream lacks nothing there is no word either.
    let zero = _mm512_setzero_si512();
    let lacking = _mm512_sub_epi16(zero, spare);
    // Where a stream lacks bits, the word's first ones fill up the window, and no others are next.
    *lanes = ReaderLanes {
        window: _mm512_or_si512(window, _mm512_srlv_epi16(words, spare)),
        next: _mm512_or_si512(next, _mm512_shldv_epi16(words, zero, lacking)),
        spare,
    };
    lacks.count_ones() as usize
}

/// A [`ShortTable`] in registers.
struct LookUps {
    first: [__m512i; 2],
    limit: __m512i,
    long: [__m512i; 4],
}

impl LookUps {
    #[inline]
    #[target_feature(enable = "avx512f,avx512bw")]
    fn new(table: &ShortTable) -> Self {
        let part = |bytes: &[u8], i: usize| {
            let part: &[u8; 64] = bytes[64 * i..].first_chunk().expect("tables are whole vectors");
            load(part)
        };
        Self {
            first: std::array::from_fn(|i| part(&table.first, i)),
            limit: _mm512_set1_epi16(table.limit as i16),
            long: std::array::from_fn(|i| part(&table.long, i)),
        }
    }

    /// The entries of windows, in the low halves of their lanes; the high ones are arbitrary.
    #[inline]
    #[target_feature(enable = "avx512f,avx512bw,avx512vbmi")]
    fn find<const LONG_BITS: usize>(&self, window: __m512i) -> __m512i {
        let [a, b] = self.first;
        let entry = _mm512_permutex2var_epi8(a, _mm512_srli_epi16::<9>(window), b);
        if LONG_BITS == 0 {
            return entry;
        }
        let is_long = _mm512_cmpge_epu16_mask(window, self.limit);
        let index = _mm512_srli_epi16::<4>(_mm512_sub_epi16(window, self.limit));
        let [a, b, c, d] = self.long;
        let mut long = _mm512_permutex2var_epi8(a, index, b);
        if LONG_BITS == 8 {
            let high = _mm512_permutex2var_epi8(c, index, d);
            long = _mm512_mask_blend_epi8(_mm512_movepi8_mask(index), long, high);
        }
        _mm512_mask_mov_epi16(entry, is_long, long)
    }
}

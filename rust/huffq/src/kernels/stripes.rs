//! Two groups of 32 bit streams side by side: of each *round* of 64 symbols, the even ones belong to
//! the streams of the first group and the odd ones to those of the second. A group's words lie in
//! the order in which a decoder needs them.
//!
//! So a vector decodes a symbol of each of a group's streams at a time, and two of them make a whole
//! line of symbols, the second one's in the upper bytes of the first one's lanes. A single one would
//! wait for itself most of the time; so would two that took their words from one place.
//!
//! A decoder holds 16 to 31 bits of each stream; it takes a stream's next word as soon as it holds
//! fewer. An encoder goes from the last symbol to the first: a stream that holds b bits and gets l
//! more was one that had just taken a word, exactly if b + l is 32 or more. It gives that word back,
//! so words come out in the opposite order.

#[cfg(target_arch = "x86_64")]
use super::avx512;
use super::{Backend, Kind};
use crate::CodeTable;
use crate::lengths::MAX_LENGTH;

/// Streams of a group: lanes of a vector.
pub(crate) const LANES: usize = 32;

/// Groups.
pub(crate) const GROUPS: usize = 2;

/// Symbols of a round, one of each stream.
pub(crate) const ROUND: usize = GROUPS * LANES;

/// The longest codeword that vectors decode.
const MAX_VECTOR_LENGTH: u8 = 12;

/// Bits that [`ShortTable::first`] is indexed with.
const FIRST_BITS: u32 = 7;

/// Sixteen bits of a stream, as a little-endian number; the first bit is the highest.
pub(crate) type Word = [u8; 2];

/// What every stream is written with.
pub(crate) struct StripeCode {
    pub(super) codewords: [u16; 256],
    /// Zero for a symbol without a codeword.
    pub(super) lengths: [u16; 256],
    /// Symbols below 16 alone have codewords.
    is_short: bool,
}

impl StripeCode {
    pub(crate) fn new(table: &CodeTable) -> Self {
        let mut code = Self { codewords: [0; 256], lengths: [0; 256], is_short: is_short(table) };
        code.codewords
            .iter_mut()
            .zip(table.codewords())
            .for_each(|(own, &codeword)| *own = codeword);
        code.lengths.iter_mut().zip(table.lengths()).for_each(|(own, &l)| *own = l.into());
        code
    }
}

fn is_short(table: &CodeTable) -> bool {
    table.lengths().iter().skip(16).all(|&length| length == 0)
}

/// What every stream is read with.
pub(crate) struct StripeTable {
    /// For every string of `index_bits` bits the symbol whose codeword it begins with, times 256,
    /// plus the codeword's length; zero if there is none.
    entries: Vec<u16>,
    index_bits: u32,
    short: Option<Box<ShortTable>>,
}

/// Symbols below 16 in the high halves of bytes, the lengths of their codewords in the low ones.
pub(super) struct ShortTable {
    /// By a window's first [`FIRST_BITS`] bits, where a codeword is not longer than those.
    pub(super) first: [u8; 1 << FIRST_BITS],
    /// The smallest window of 16 bits that begins with a longer one.
    pub(super) limit: u16,
    /// By (window - limit) / 16: at most 15 symbols have at most 2^8 windows each.
    pub(super) long: [u8; 256],
    /// How many of those there are.
    pub(super) long_len: usize,
}

impl StripeTable {
    pub(crate) fn new(table: &CodeTable) -> Self {
        let index_bits = u32::from(table.max_length().max(1));
        let mut entries = vec![0; 1 << index_bits];
        for (symbol, (&codeword, &length)) in
            table.codewords().iter().zip(table.lengths()).enumerate()
        {
            if length > 0 {
                let unused = index_bits - u32::from(length);
                let entry = (symbol << 8) as u16 | u16::from(length);
                entries[usize::from(codeword) << unused..][..1 << unused].fill(entry);
            }
        }
        let mut own = Self { entries, index_bits, short: None };
        if is_short(table) && table.max_length() <= MAX_VECTOR_LENGTH {
            own.short = Some(Box::new(own.shorten(table)));
        }
        own
    }

    fn shorten(&self, table: &CodeTable) -> ShortTable {
        let byte = |window: u32| {
            let entry = self.entry(window << 16);
            (entry >> 8 << 4 | entry & 15) as u8
        };
        let windows = |length: &u8| 1u32 << (16 - length);
        let (short, long): (Vec<u8>, Vec<u8>) =
            table.lengths().iter().filter(|&&l| l > 0).partition(|&&l| u32::from(l) <= FIRST_BITS);
        let limit: u32 = short.iter().map(windows).sum();
        let long_len = long.iter().map(windows).sum::<u32>() as usize / 16;
        let mut own = ShortTable {
            first: std::array::from_fn(|i| byte((i as u32) << (16 - FIRST_BITS))),
            limit: limit.min(u16::MAX.into()) as u16,
            long: [0; 256],
            long_len,
        };
        own.long[..long_len].iter_mut().zip(0..).for_each(|(own, i)| *own = byte(limit + 16 * i));
        own
    }

    fn entry(&self, window: u32) -> u16 {
        self.entries[(window >> (u32::BITS - self.index_bits)) as usize]
    }
}

/// A group's streams being read.
#[derive(Clone, Copy)]
pub(crate) struct GroupReader<'a> {
    /// The bits held of each stream, left-aligned; zeros follow.
    pub(super) windows: [u32; LANES],
    /// How many more than 16 those are, 0 to 15.
    pub(super) spare: [u8; LANES],
    /// The words that nobody has taken yet.
    pub(super) words: &'a [Word],
}

impl<'a> GroupReader<'a> {
    /// At the start, where each stream holds its first word; `None` if there are not so many.
    pub(crate) fn new(words: &'a [Word]) -> Option<Self> {
        let (first, words) = words.split_first_chunk::<LANES>()?;
        let windows = first.map(|word| u32::from(u16::from_le_bytes(word)) << 16);
        Some(Self { windows, spare: [0; LANES], words })
    }

    /// Whether everything was read that was ever written.
    pub(crate) fn is_at_end(&self) -> bool {
        self.words.is_empty() && self.windows.iter().all(|&window| window == 0)
    }

    /// Decodes every other symbol of at most a round. False: there are too few words.
    ///
    /// Whether a stream takes a word is as good as random, so nothing branches on it.
    #[inline(always)]
    fn take_round(&mut self, table: &StripeTable, round: &mut [u8]) -> bool {
        let Self { windows, spare, words } = self;
        let streams = windows.iter_mut().zip(spare);
        let mut taken = 0;
        for (symbol, (window, spare)) in round.iter_mut().step_by(GROUPS).zip(streams) {
            let entry = table.entry(*window);
            let left = spare.wrapping_sub(entry as u8);
            let lacks = usize::from(left >> 7);
            let word = match words.get(taken) {
                Some(&word) => u32::from(u16::from_le_bytes(word)),
                None if lacks == 0 => 0,
                None => return false,
            };
            let new = word << (left.wrapping_neg() % 16) & 0u32.wrapping_sub(lacks as u32);
            *window = *window << (entry & 15) | new;
            *spare = left % 16;
            *symbol = (entry >> 8) as u8;
            taken += lacks;
        }
        *words = &words[taken..];
        true
    }
}

/// A group's streams being written, from their ends on.
pub(super) struct GroupWriter<'a> {
    /// The bits held of each stream, right-aligned: they follow all that is still to come.
    pub(super) values: [u32; LANES],
    /// How many more than 16 those are, 0 to 15.
    pub(super) spare: [u8; LANES],
    /// Words written, the last of a decoder's first.
    pub(super) words: &'a mut [Word],
    /// How many.
    pub(super) written: usize,
}

impl GroupWriter<'_> {
    fn push(&mut self, word: u32) {
        self.words[self.written] = (word as u16).to_le_bytes();
        self.written += 1;
    }

    /// Puts every other symbol of at most a round before what the streams hold.
    ///
    /// A word is written whether or not it is given back, as whether it is is as good as random.
    #[inline(always)]
    fn put_round(&mut self, code: &StripeCode, round: &[u8]) {
        let Self { values, spare, words, written } = self;
        let mut at = *written;
        for stream in (0..round.len().div_ceil(GROUPS).min(LANES)).rev() {
            let (symbol, value, spare) =
                (round[GROUPS * stream], &mut values[stream], &mut spare[stream]);
            let codeword = u32::from(code.codewords[usize::from(symbol)]);
            let bits = *spare + code.lengths[usize::from(symbol)] as u8;
            let back = bits / 16;
            words[at] = (*value as u16).to_le_bytes();
            at += usize::from(back);
            *value = *value >> (16 * back) | codeword << (16 + *spare - 16 * back);
            *spare = bits % 16;
        }
        *written = at;
    }

    /// Writes what is held, which are whole words; returns the number of all words.
    fn finish(mut self) -> usize {
        self.values.into_iter().rev().for_each(|value| self.push(value));
        self.written
    }
}

/// Puts at most a round's symbols.
fn put_round(code: &StripeCode, writers: &mut [GroupWriter; GROUPS], round: &[u8]) {
    for (group, writer) in writers.iter_mut().enumerate() {
        writer.put_round(code, round.get(group..).unwrap_or_default());
    }
}

/// Adds at most a round's bits to the streams', modulo 256.
fn add_lengths(code: &StripeCode, round: &[u8], bits: &mut [[u8; LANES]; GROUPS]) {
    for (i, &symbol) in round.iter().enumerate() {
        let bits = &mut bits[i % GROUPS][i / GROUPS];
        *bits = bits.wrapping_add(code.lengths[usize::from(symbol)] as u8);
    }
}

impl Backend {
    /// Writes each group's streams of `symbols`, all of which have codewords, to the front of its
    /// `words`, in the opposite of a decoder's order; returns how many words they take.
    ///
    /// # Panics
    /// If a group's `words` are fewer than these and [`LANES`] more.
    pub(crate) fn encode_stripes(
        self,
        code: &StripeCode,
        symbols: &[u8],
        words: [&mut [Word]; GROUPS],
    ) -> [usize; GROUPS] {
        let (rounds, rest) = symbols.as_chunks();
        // Zeros behind a stream make all of it whole words, and its first one the last to be held.
        let mut bits = [[0; LANES]; GROUPS];
        add_lengths(code, rest, &mut bits);
        self.sum_lengths(code, rounds, &mut bits);
        let mut groups = words.into_iter().zip(bits);
        let mut writers = std::array::from_fn(|_| {
            let (words, bits) = groups.next().expect("so many groups");
            let spare = bits.map(|bits| bits.wrapping_neg() % 16);
            GroupWriter { values: [0; LANES], spare, words, written: 0 }
        });
        put_round(code, &mut writers, rest);
        self.put_rounds(code, rounds, &mut writers);
        writers.map(GroupWriter::finish)
    }

    /// Adds up each stream's bits, modulo 256.
    fn sum_lengths(
        self,
        code: &StripeCode,
        rounds: &[[u8; ROUND]],
        bits: &mut [[u8; LANES]; GROUPS],
    ) {
        match self.0 {
            // SAFETY: a `Backend` of this kind exists only where the machine has its features.
            #[cfg(target_arch = "x86_64")]
            Kind::Avx512 if code.is_short => unsafe { avx512::sum_lengths(code, rounds, bits) },
            _ => rounds.iter().for_each(|round| add_lengths(code, round, bits)),
        }
    }

    fn put_rounds(
        self,
        code: &StripeCode,
        rounds: &[[u8; ROUND]],
        writers: &mut [GroupWriter; GROUPS],
    ) {
        match self.0 {
            // SAFETY: a `Backend` of this kind exists only where the machine has its features.
            #[cfg(target_arch = "x86_64")]
            Kind::Avx512 if code.is_short => unsafe { avx512::put_rounds(code, rounds, writers) },
            _ => rounds.iter().rev().for_each(|round| put_round(code, writers, round)),
        }
    }

    /// Decodes all of `out`, of which the first symbol belongs to the first group's first stream.
    /// False: there are too few words.
    pub(crate) fn decode_stripes(
        self,
        table: &StripeTable,
        readers: &mut [GroupReader; GROUPS],
        out: &mut [u8],
    ) -> bool {
        let done = match (self.0, &table.short) {
            // SAFETY: a `Backend` of this kind exists only where the machine has its features.
            #[cfg(target_arch = "x86_64")]
            (Kind::Avx512, Some(short)) => unsafe { avx512::take_rounds(short, readers, out) },
            _ => 0,
        };
        out[done..].chunks_mut(ROUND).all(|round| {
            readers.iter_mut().enumerate().all(|(group, reader)| {
                reader.take_round(table, round.get_mut(group..).unwrap_or_default())
            })
        })
    }
}

const _: () = assert!(MAX_LENGTH < 16, "a word is enough after any codeword");

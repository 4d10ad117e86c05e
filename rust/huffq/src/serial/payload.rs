//! What a block holds of the serial layout: one bitstream, or many side by side.
//!
//! ```text
//! 1  number of streams: 1, or 64
//!    one:
//! …  the bitstream
//!    64:
//! 4  words of the first group of 32 streams
//! …  words of 16 bits, of the first group and of the second
//! ```
//!
//! Numbers and words are little-endian. Of 64 symbols, the even ones belong to the first group's
//! streams in order, the odd ones to the second group's. Each stream is a bitstream of its own,
//! followed by zeros: up to a whole word, and one word more. A decoder holds at least 16 bits of
//! each: a group's words come in the order in which it needs them, first one for each stream.

use super::decode::{Scratch, decode_with};
use super::encode::{Codewords, check_codewords};
use crate::bits::BitWriter;
use crate::cursor::Cursor;
use crate::error::{Error, Result};
use crate::histogram::Counts;
use crate::kernels::stripes::{GROUPS, GroupReader, LANES, StripeCode, StripeTable, Word};
use crate::{Backend, CodeTable};

const WHAT: &str = "serial payload";

/// Streams, if there are several.
const STREAMS: usize = GROUPS * LANES;

/// Bytes of the first group's number of words.
const COUNT_LEN: usize = 4;

/// Symbols from which on 64 streams are worth their 190 bytes of padding: one per cent or two.
const LEAST_FOR_STREAMS: usize = 1 << 14;

/// Bytes of a word.
const WORD_LEN: usize = 2;

/// Appends the payload of symbols that were counted already.
///
/// # Errors
/// [`Error::NoCodeword`] names the first symbol that `table` has no codeword for; `out` is then
/// as it was.
///
/// # Panics
/// If `counts` are not those of `symbols`, or these take 2^32 words in a group of streams.
pub fn encode_payload(
    backend: Backend,
    symbols: &[u8],
    counts: &Counts,
    table: &CodeTable,
    out: &mut Vec<u8>,
) -> Result<()> {
    check_codewords(symbols, counts, table)?;
    let bits = table.cost(counts);
    if symbols.len() < LEAST_FOR_STREAMS {
        out.push(1);
        let codewords = Codewords::new(backend, table, symbols.len());
        BitWriter::append(out, bits, |writer| codewords.put(symbols, writer));
        return Ok(());
    }
    out.push(STREAMS as u8);
    put_streams(backend, symbols, &StripeCode::new(table), bits, out);
    Ok(())
}

fn put_streams(backend: Backend, symbols: &[u8], code: &StripeCode, bits: u64, out: &mut Vec<u8>) {
    let start = out.len() + COUNT_LEN;
    // Either group may have nearly all bits; and vectors of words are stored, however few are new.
    let room = most_words(bits) + LANES;
    out.resize(start + GROUPS * WORD_LEN * room, 0);
    let words: &mut [Word] = out[start..].as_chunks_mut().0;
    let (first, second) = words.split_at_mut(room);
    let counts = backend.encode_stripes(code, symbols, [first, second]);
    first[..counts[0]].reverse();
    second[..counts[1]].reverse();
    words.copy_within(room..room + counts[1], counts[0]);
    out.truncate(start + WORD_LEN * (counts[0] + counts[1]));
    let count = u32::try_from(counts[0]).expect("a block has fewer words");
    out[start - COUNT_LEN..start].copy_from_slice(&count.to_le_bytes());
}

/// Bytes that [`encode_payload`] appends at most for so many symbols and bits; exactly so many for
/// less than 2^14 symbols.
pub fn max_payload_len(symbols: usize, bits: u64) -> usize {
    match symbols {
        0..LEAST_FOR_STREAMS => 1 + bits.div_ceil(8) as usize,
        _ => 1 + COUNT_LEN + WORD_LEN * most_words(bits),
    }
}

/// Most words of [`STREAMS`] streams that have so many bits together.
fn most_words(bits: u64) -> usize {
    (bits / 16) as usize + 15 * STREAMS / 16 + STREAMS
}

/// Decodes exactly `out.len()` symbols from a payload, which must hold nothing else.
///
/// # Errors
/// [`Error::Truncated`] or [`Error::Corrupt`] if `payload` is not that of codewords of `table`.
/// `out` then holds unspecified symbols.
pub fn decode_payload(
    backend: Backend,
    payload: &[u8],
    table: &CodeTable,
    scratch: &mut Scratch,
    out: &mut [u8],
) -> Result<()> {
    let mut cursor = Cursor::new(WHAT, payload);
    match usize::from(cursor.u8()?) {
        1 => decode_with(backend, cursor.take(cursor.remaining())?, table, scratch, out),
        STREAMS => take_streams(backend, cursor, table, out),
        other => Err(Error::corrupt(WHAT, format!("{other} streams are neither 1 nor {STREAMS}"))),
    }
}

fn take_streams(
    backend: Backend,
    mut cursor: Cursor,
    table: &CodeTable,
    out: &mut [u8],
) -> Result<()> {
    let first = cursor.u32()? as usize;
    let first = cursor.take(first.saturating_mul(WORD_LEN))?;
    let (second, odd) = cursor.take(cursor.remaining())?.as_chunks();
    let available = (first.len() + WORD_LEN * second.len()) as u64;
    let truncated =
        || Error::Truncated { what: WHAT, needed: available + WORD_LEN as u64, available };
    let [Some(first), Some(second)] = [first.as_chunks().0, second].map(GroupReader::new) else {
        return Err(truncated());
    };
    let mut readers = [first, second];
    // Else zeros would pass for codewords of no bits.
    if table.max_length() == 0 && !out.is_empty() {
        return Err(Error::corrupt(WHAT, "its code has no codewords"));
    }
    if !backend.decode_stripes(&StripeTable::new(table), &mut readers, out) {
        return Err(truncated());
    }
    if !readers.iter().all(GroupReader::is_at_end) || !odd.is_empty() {
        return Err(Error::corrupt(WHAT, "bits follow the last codeword"));
    }
    Ok(())
}

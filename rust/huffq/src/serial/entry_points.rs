//! Where in a bitstream decoding may begin, so that several stretches decode at once.
//!
//! ```text
//! 1  number of streams, 1 or more
//! 4  symbols of each stream but the last
//! 4  bits of each stream but the last, each after its number of symbols
//! ```
//!
//! The streams are stretches of one bitstream: nothing is padded between them, and a decoder that
//! wants a single stream skips the entry points.

use crate::cursor::Cursor;
use crate::error::{Error, Result};
use crate::kernels::serial::Lane;

/// A stream's length.
pub(super) struct Stretch {
    pub symbols: u32,
    pub bits: u32,
}

/// Appends the lengths of all streams but the last.
pub(super) fn write(stretches: &[Stretch], out: &mut Vec<u8>) {
    out.push(stretches.len() as u8 + 1);
    for stretch in stretches {
        out.extend(stretch.symbols.to_le_bytes());
        out.extend(stretch.bits.to_le_bytes());
    }
}

/// Bytes that [`write`] appends for so many streams.
pub(super) fn len(streams: usize) -> usize {
    1 + 8 * (streams - 1)
}

/// A lane for each stream, with its part of `out`, and the bitstream.
pub(super) fn read<'a, 'b>(
    payload: &'a [u8],
    mut out: &'b mut [u8],
) -> Result<(Vec<Lane<'b>>, &'a [u8])> {
    const WHAT: &str = "serial payload";
    let mut cursor = Cursor::new(WHAT, payload);
    let streams = cursor.u8()?;
    if streams == 0 {
        return Err(Error::corrupt(WHAT, "it has no stream"));
    }
    let mut lanes = Vec::with_capacity(streams.into());
    let mut position = 0;
    for _ in 1..streams {
        let (symbols, bits) = (cursor.u32()? as usize, cursor.u32()? as usize);
        let own = out.split_off_mut(..symbols);
        let own = own.ok_or(Error::corrupt(WHAT, "its streams have too many symbols"))?;
        lanes.push(Lane { position, out: own });
        position = position.saturating_add(bits);
    }
    lanes.push(Lane { position, out });
    let bytes = cursor.take(cursor.remaining())?;
    if position.div_ceil(8) > bytes.len() {
        let (needed, available) = (position.div_ceil(8) as u64, bytes.len() as u64);
        return Err(Error::Truncated { what: WHAT, needed, available });
    }
    Ok((lanes, bytes))
}

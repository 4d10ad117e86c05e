//! Codewords to symbols, several a look-up.

use super::table::{CanonicalCodes, DecodeTable};
use crate::bits::peek;
use crate::error::{Error, Result};
use crate::kernels::serial::Cursor;
use crate::{Backend, CodeTable};

/// Symbols below which a table costs more than it saves.
const LEAST_FOR_TABLE: usize = 1024;

/// Memory for the table of a code, for one block after another.
#[derive(Default)]
pub struct Scratch(Option<DecodeTable>);

/// Decodes exactly `out.len()` symbols from `bytes`, which must hold nothing else.
///
/// # Errors
/// [`Error::Truncated`] or [`Error::Corrupt`] if the bits are not codewords of `table`, run out, or
/// go on, or if the padding is not zero. `out` then holds unspecified symbols.
pub fn decode(bytes: &[u8], table: &CodeTable, out: &mut [u8]) -> Result<()> {
    decode_with(Backend::current()?, bytes, table, &mut Scratch::default(), out)
}

/// [`decode`] with a backend's kernels, in memory at hand.
pub(super) fn decode_with(
    backend: Backend,
    bytes: &[u8],
    table: &CodeTable,
    scratch: &mut Scratch,
    out: &mut [u8],
) -> Result<()> {
    let codes = CanonicalCodes::new(table);
    let mut cursor = Cursor { position: 0, out };
    if cursor.out.len() >= LEAST_FOR_TABLE {
        let table = scratch.0.get_or_insert_default();
        table.fill(&codes);
        decode_by_table(backend, bytes, table, &codes, &mut cursor);
        decode_by_entry(bytes, table, &mut cursor);
    }
    decode_by_symbol(bytes, &codes, &mut cursor)?;
    check_end(bytes, cursor.position)
}

/// Decodes until the end is near, or bits begin no codeword.
fn decode_by_table(
    backend: Backend,
    bytes: &[u8],
    table: &DecodeTable,
    codes: &CanonicalCodes,
    cursor: &mut Cursor<'_>,
) {
    loop {
        backend.decode_serial(bytes, table.entries(), cursor);
        // Only a codeword that is too long for the table is worth another turn.
        let window = peek(bytes, cursor.position);
        if table.entry(window) != 0 {
            return;
        }
        let Some((symbol, length)) = codes.find(window) else { return };
        let Some(first) = cursor.out.split_off_first_mut() else { return };
        *first = symbol;
        cursor.position += length as usize;
    }
}

/// Decodes while a whole entry is sure to fit the output.
fn decode_by_entry(bytes: &[u8], table: &DecodeTable, cursor: &mut Cursor<'_>) {
    while let Some(room) = cursor.out.first_chunk_mut() {
        let entry = table.entry(peek(bytes, cursor.position));
        *room = (entry >> 8).to_le_bytes();
        if entry == 0 {
            break;
        }
        cursor.position += (entry & 63) as usize;
        cursor.out = &mut std::mem::take(&mut cursor.out)[(entry >> 61) as usize..];
    }
}

fn decode_by_symbol(bytes: &[u8], codes: &CanonicalCodes, cursor: &mut Cursor<'_>) -> Result<()> {
    for symbol in std::mem::take(&mut cursor.out) {
        let Some((found, length)) = codes.find(peek(bytes, cursor.position)) else {
            let why = format!("no codeword begins at bit {}", cursor.position);
            return Err(Error::corrupt("serial payload", why));
        };
        *symbol = found;
        cursor.position += length as usize;
    }
    // Zeros were read past the end.
    if cursor.position > 8 * bytes.len() {
        return Err(Error::Truncated {
            what: "serial payload",
            needed: cursor.position.div_ceil(8) as u64,
            available: bytes.len() as u64,
        });
    }
    Ok(())
}

/// Refuses bytes or set bits behind `end`, a position in `bytes` or its last byte's padding.
pub(crate) fn check_end(bytes: &[u8], end: usize) -> Result<()> {
    if end.div_ceil(8) < bytes.len() || (!end.is_multiple_of(8) && peek(bytes, end) != 0) {
        return Err(Error::corrupt("serial payload", "bits follow the last codeword"));
    }
    Ok(())
}

//! Codewords to symbols, several a look-up and several streams at once.

use std::array;

use super::entry_points;
use super::table::{CanonicalCodes, DecodeTable};
use crate::bits::peek;
use crate::error::{Error, Result};
use crate::kernels::serial::Lane;
use crate::{Backend, CodeTable};

/// Streams that are decoded at a time: more do not fit the registers, fewer leave gaps between
/// look-ups.
pub(super) const LANES: usize = 5;
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
    let mut scratch = Scratch::default();
    let decoder = Decoder::new(Backend::current()?, bytes, table, out.len(), &mut scratch);
    let mut lane = Lane { position: 0, out };
    decoder.run(array::from_mut(&mut lane))?;
    check_end(bytes, lane.position)
}

/// [`decode`] for what [`encode_indexed`](super::encode_indexed) wrote.
///
/// # Errors
/// As there, and if a stream does not end where the next one begins.
pub fn decode_indexed(
    backend: Backend,
    payload: &[u8],
    table: &CodeTable,
    scratch: &mut Scratch,
    out: &mut [u8],
) -> Result<()> {
    let symbols = out.len();
    let (mut lanes, bytes) = entry_points::read(payload, out)?;
    let starts: Vec<usize> = lanes.iter().map(|lane| lane.position).collect();
    let decoder = Decoder::new(backend, bytes, table, symbols, scratch);
    let (groups, rest) = lanes.as_chunks_mut::<LANES>();
    groups.iter_mut().try_for_each(|group| decoder.run(group))?;
    rest.iter_mut().try_for_each(|lane| decoder.run(array::from_mut(lane)))?;
    if lanes.iter().zip(&starts[1..]).any(|(lane, &start)| lane.position != start) {
        return Err(Error::corrupt("serial payload", "an entry point is not where codewords meet"));
    }
    check_end(bytes, lanes.last().map_or(0, |lane| lane.position))
}

/// Refuses bytes or set bits behind `end`, a position in `bytes` or its last byte's padding.
pub(crate) fn check_end(bytes: &[u8], end: usize) -> Result<()> {
    if end.div_ceil(8) < bytes.len() || (!end.is_multiple_of(8) && peek(bytes, end) != 0) {
        return Err(Error::corrupt("serial payload", "bits follow the last codeword"));
    }
    Ok(())
}

struct Decoder<'a> {
    backend: Backend,
    bytes: &'a [u8],
    codes: CanonicalCodes,
    table: Option<&'a DecodeTable>,
}

impl<'a> Decoder<'a> {
    fn new(
        backend: Backend,
        bytes: &'a [u8],
        table: &CodeTable,
        symbols: usize,
        scratch: &'a mut Scratch,
    ) -> Self {
        let codes = CanonicalCodes::new(table);
        let table = (symbols >= LEAST_FOR_TABLE).then(|| {
            let table = scratch.0.get_or_insert_default();
            table.fill(&codes);
            &*table
        });
        Self { backend, bytes, codes, table }
    }

    /// Fills the lanes' outputs, and leaves their positions behind their last codewords.
    fn run<const N: usize>(&self, lanes: &mut [Lane<'_>; N]) -> Result<()> {
        if let Some(table) = self.table {
            self.decode_together(table, lanes);
            for lane in &mut *lanes {
                // The first lane at its end stopped all of them.
                self.decode_together(table, array::from_mut(lane));
                self.decode_by_entry(table, lane);
            }
        }
        lanes.iter_mut().try_for_each(|lane| self.decode_by_symbol(lane))
    }

    /// Decodes until a lane nears its end or meets bits that begin no codeword.
    fn decode_together<const N: usize>(&self, table: &DecodeTable, lanes: &mut [Lane<'_>; N]) {
        let mut all_move = true;
        while all_move {
            self.backend.decode_serial(self.bytes, table.entries(), lanes);
            // Only a codeword that is too long for the table is worth another turn.
            all_move = false;
            for lane in &mut *lanes {
                let window = peek(self.bytes, lane.position);
                if table.entry(window) != 0 {
                    continue;
                }
                let Some((symbol, length)) = self.codes.find(window) else { return };
                let Some(first) = lane.out.split_off_first_mut() else { continue };
                *first = symbol;
                lane.position += length as usize;
                all_move = true;
            }
        }
    }

    /// Decodes while a whole entry is sure to fit the output.
    fn decode_by_entry(&self, table: &DecodeTable, lane: &mut Lane<'_>) {
        while let Some(room) = lane.out.first_chunk_mut() {
            let window = peek(self.bytes, lane.position);
            let entry = table.entry(window);
            *room = (entry >> 8).to_le_bytes();
            if entry == 0 {
                break;
            }
            lane.position += (entry & 63) as usize;
            lane.out = &mut std::mem::take(&mut lane.out)[(entry >> 61) as usize..];
        }
    }

    fn decode_by_symbol(&self, lane: &mut Lane<'_>) -> Result<()> {
        for symbol in std::mem::take(&mut lane.out) {
            let Some((found, length)) = self.codes.find(peek(self.bytes, lane.position)) else {
                let why = format!("no codeword begins at bit {}", lane.position);
                return Err(Error::corrupt("serial payload", why));
            };
            *symbol = found;
            lane.position += length as usize;
        }
        // Zeros were read past the end.
        if lane.position > 8 * self.bytes.len() {
            return Err(Error::Truncated {
                what: "serial payload",
                needed: lane.position.div_ceil(8) as u64,
                available: self.bytes.len() as u64,
            });
        }
        Ok(())
    }
}

//! One block: a run of symbols, to bytes and back, in the cheapest of five forms.
//!
//! ```text
//! byte 0   method
//! rest     constant   the symbol, one byte
//!          packed     every symbol in the alphabet's bits, most significant bit first
//!          serial     code lengths, 4 bits for each symbol of the alphabet (the even symbol's
//!                     high), then the payload of the serial layout
//!          pivot      code lengths likewise, then the payload of the pivot layout
//!          nested     whole samples under the segment's codebook, see `dense`, `max`
//! ```
//!
//! Number of symbols and alphabet are known from outside. The form is a pure function of both and
//! of the symbols. Checksums belong to the containers.

use std::cell::Cell;

use crate::error::{Error, Result};
use crate::kernels::Ahead;
use crate::lengths::DEFAULT_MAX_LENGTH;
use crate::{Alphabet, Backend, CodeTable, Codebook, bits, codebook, histogram, pivot, serial};

/// Most symbols of a block at levels fast and dense.
pub const BLOCK_SYMBOLS: usize = 1 << 16;

/// Bytes of the shortest block.
pub(crate) const MIN_BLOCK_LEN: usize = 1;

pub(crate) const CONSTANT: u8 = 0;
pub(crate) const PACKED: u8 = 1;
const SERIAL: u8 = 2;
const PIVOT: u8 = 3;
const NESTED: u8 = 4;
/// Of arrays under a codebook alone, see [`array::shared`](crate::array).
pub(crate) const DIRECT: u8 = 5;

/// The pivot layout decodes many times faster than the serial one, which is a little smaller
/// because it keeps no node counts: it may cost up to this fraction more.
const PIVOT_ALLOWANCE: usize = 128;

/// A codebook's blocks decode more slowly than pivot ones: they must be smaller by at least this
/// fraction of those.
const NESTED_GAIN: usize = 128;

/// Encodes and decodes blocks, one after another, in buffers of its own.
pub struct Coder {
    backend: Backend,
    scratch: pivot::Scratch,
    serial: serial::Scratch,
    codebook: codebook::Scratch,
    /// What comes after the next block to be decoded.
    ahead: Ahead,
}

/// How a block would be coded without a codebook.
pub struct Plan {
    /// Occurrences of each symbol.
    pub counts: histogram::Counts,
    alphabet: Alphabet,
    method: Method,
    /// Bytes behind the method's.
    body_len: usize,
}

enum Method {
    Constant(Option<u8>),
    Packed,
    Serial(CodeTable),
    Pivot(CodeTable, Box<pivot::Tree>),
}

impl Plan {
    /// Bytes of the block.
    pub fn encoded_len(&self) -> usize {
        1 + self.body_len
    }
}

impl Coder {
    /// A coder whose inner loops are those of `backend`; the bytes are the same for all.
    pub fn new(backend: Backend) -> Self {
        let (scratch, codebook) = (pivot::Scratch::default(), codebook::Scratch::new(backend));
        let (serial, ahead) = (serial::Scratch::default(), Ahead::default());
        Self { backend, scratch, serial, codebook, ahead }
    }

    /// Works with a coder that this thread keeps: making one, and filling its buffers for the first
    /// time, takes longer than many a block.
    pub(crate) fn with<T>(backend: Backend, work: impl FnOnce(&mut Self) -> T) -> T {
        thread_local! {
            static KEPT: Cell<Option<Box<Coder>>> = const { Cell::new(None) };
        }
        // Taken out and not borrowed: a source of bytes may call back into this crate.
        let kept = KEPT.take().filter(|coder| coder.backend == backend);
        let mut coder = kept.unwrap_or_else(|| Self::new(backend).into());
        let result = work(&mut coder);
        KEPT.set(Some(coder));
        result
    }

    /// Counts `symbols`, each of `alphabet`, and chooses how to code them.
    ///
    /// # Errors
    /// None that symbols of the alphabet can cause.
    pub fn plan(&mut self, symbols: &[u8], alphabet: Alphabet) -> Result<Plan> {
        let counts = histogram::count(self.backend, symbols);
        let (method, body_len) =
            self.choose(&counts[..alphabet.size()], symbols.len(), alphabet)?;
        Ok(Plan { counts, alphabet, method, body_len })
    }

    fn choose(&mut self, used: &[u64], n: usize, alphabet: Alphabet) -> Result<(Method, usize)> {
        if let Some(symbol) = used.iter().position(|&c| c == n as u64) {
            let symbol = (n > 0).then_some(symbol as u8);
            return Ok((Method::Constant(symbol), usize::from(n > 0)));
        }
        let table = CodeTable::from_counts(used, DEFAULT_MAX_LENGTH)?;
        let tree = pivot::Tree::new(table.lengths())?;
        let serial_len = serial::max_payload_len(n, table.cost(used));
        let pivot_len = self.scratch.payload_len(&tree, used);
        let as_pivot = pivot_len <= serial_len + serial_len / PIVOT_ALLOWANCE;
        let coded_len = alphabet.size() / 2 + if as_pivot { pivot_len } else { serial_len };
        let packed_len = bits::packed_len(n, alphabet.bits());
        Ok(match as_pivot {
            _ if coded_len >= packed_len => (Method::Packed, packed_len),
            true => (Method::Pivot(table, Box::new(tree)), coded_len),
            false => (Method::Serial(table), coded_len),
        })
    }

    /// Appends the block of `symbols` to `out`: as planned, or under `codebook` where that is
    /// smaller.
    ///
    /// # Errors
    /// [`Error::InvalidArgument`] if the symbols are not those of the plan, or not whole samples of
    /// the codebook's shape.
    pub fn encode(
        &mut self,
        symbols: &[u8],
        plan: &Plan,
        codebook: Option<&Codebook>,
        out: &mut Vec<u8>,
    ) -> Result<()> {
        if let Some(codebook) = codebook.filter(|_| plan.body_len > 1) {
            let start = out.len();
            out.push(NESTED);
            let samples = symbols.len() / codebook.geometry().sample_len();
            codebook.encode_block(symbols, samples, &mut self.codebook, out)?;
            if out.len() - start < plan.encoded_len() - plan.encoded_len() / NESTED_GAIN {
                return Ok(());
            }
            out.truncate(start);
        }
        match &plan.method {
            Method::Constant(symbol) => {
                out.push(CONSTANT);
                out.extend(symbol);
            }
            Method::Packed => {
                out.push(PACKED);
                bits::pack(symbols, plan.alphabet.bits(), out);
            }
            Method::Serial(table) => {
                out.push(SERIAL);
                bits::pack(table.lengths(), 4, out);
                serial::encode_payload(self.backend, symbols, &plan.counts, table, out)?;
            }
            Method::Pivot(table, tree) => {
                out.push(PIVOT);
                bits::pack(table.lengths(), 4, out);
                pivot::encode(self.backend, tree, symbols, &plan.counts, &mut self.scratch, out)?;
            }
        }
        Ok(())
    }

    /// Says which bytes are needed once the next block is decoded: that fetches them on its way.
    pub(crate) fn announce(&mut self, bytes: &[u8]) {
        self.ahead = Ahead::new(bytes);
    }

    /// Decodes a block of exactly `out.len()` codes; `block` must hold nothing else. `codebook` is
    /// that of the block's segment, if it has one.
    ///
    /// # Errors
    /// [`Error::Truncated`] or [`Error::Corrupt`] if `block` is not such a block.
    pub fn decode(
        &mut self,
        block: &[u8],
        alphabet: Alphabet,
        codebook: Option<&Codebook>,
        out: &mut [u8],
    ) -> Result<()> {
        let (&method, body) = block.split_first().ok_or(truncated(1, 0))?;
        let ahead = std::mem::take(&mut self.ahead).after(out);
        match method {
            CONSTANT => decode_constant(body, alphabet, out)?,
            PACKED => decode_packed(body, alphabet, out)?,
            SERIAL => {
                let (lengths, payload) = read_lengths(body, alphabet)?;
                let table =
                    CodeTable::from_lengths(&lengths[..alphabet.size()]).map_err(as_corrupt)?;
                serial::decode_payload(self.backend, payload, &table, &mut self.serial, out)?;
            }
            PIVOT => {
                let (lengths, payload) = read_lengths(body, alphabet)?;
                let tree = pivot::Tree::new(&lengths[..alphabet.size()]).map_err(as_corrupt)?;
                self.scratch.ahead = ahead;
                pivot::decode(self.backend, &tree, payload, &mut self.scratch, out)?;
            }
            NESTED => {
                let codebook = codebook.filter(|_| !out.is_empty());
                let codebook =
                    codebook.ok_or_else(|| Error::corrupt("block", "it lacks a codebook"))?;
                let samples = out.len() / codebook.geometry().sample_len();
                self.codebook.set_ahead(ahead);
                codebook.decode_block(body, samples, &mut self.codebook, out)?;
            }
            other => return Err(Error::corrupt("block", format!("method {other} is unknown"))),
        }
        alphabet.symbols_to_codes(out);
        Ok(())
    }
}

fn decode_constant(body: &[u8], alphabet: Alphabet, out: &mut [u8]) -> Result<()> {
    match *body {
        [] if out.is_empty() => {}
        [symbol] if usize::from(symbol) < alphabet.size() => out.fill(symbol),
        _ => return Err(Error::corrupt("block", "its constant is not one symbol")),
    }
    Ok(())
}

fn decode_packed(body: &[u8], alphabet: Alphabet, out: &mut [u8]) -> Result<()> {
    let needed = bits::packed_len(out.len(), alphabet.bits());
    if body.len() < needed {
        return Err(truncated(needed, body.len()));
    }
    if body.len() > needed {
        return Err(Error::corrupt("block", "bytes follow the last symbol"));
    }
    bits::unpack(body, alphabet.bits(), out);
    Ok(())
}

/// The code lengths at the front of `body`, as many as the alphabet has symbols, and what follows.
fn read_lengths(body: &[u8], alphabet: Alphabet) -> Result<([u8; 256], &[u8])> {
    let lengths_len = alphabet.size() / 2;
    let (packed, payload) =
        body.split_at_checked(lengths_len).ok_or(truncated(lengths_len, body.len()))?;
    let mut lengths = [0; 256];
    bits::unpack(packed, 4, &mut lengths[..alphabet.size()]);
    Ok((lengths, payload))
}

/// What would be a wrong argument, had it not come from a block.
fn as_corrupt(error: Error) -> Error {
    Error::corrupt("block", error.to_string())
}

fn truncated(needed: usize, available: usize) -> Error {
    Error::Truncated { what: "block", needed: needed as u64, available: available as u64 }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    /// The block, which every backend must give and take.
    fn encoded(codes: &[u8], alphabet: Alphabet) -> Vec<u8> {
        let mut blocks = Backend::available().map(|backend| {
            let mut coder = Coder::new(backend);
            let (mut block, mut back) = (Vec::new(), vec![0x55; codes.len()]);
            let symbols = alphabet.symbols(codes).unwrap();
            let plan = coder.plan(&symbols, alphabet).unwrap();
            coder.encode(&symbols, &plan, None, &mut block).unwrap();
            assert_eq!(block.len(), plan.encoded_len());
            coder.decode(&block, alphabet, None, &mut back).unwrap();
            assert_eq!(back, codes, "{backend:?}");
            block
        });
        let first = blocks.next().unwrap();
        blocks.for_each(|block| assert_eq!(block, first));
        first
    }

    #[test]
    fn the_cheapest_method_is_taken() {
        let alphabet = Alphabet::new(4, false).unwrap();
        let uniform: Vec<u8> = (0..160).map(|i| i % 16).collect();
        let sparse: Vec<u8> = (0..160).map(|i| if i % 10 == 0 { 3 + i / 16 } else { 0 }).collect();
        let long: Vec<u8> = sparse.iter().copied().cycle().take(BLOCK_SYMBOLS).collect();
        assert_eq!(encoded(&[], alphabet), [CONSTANT]);
        assert_eq!(encoded(&[7; 1000], alphabet), [CONSTANT, 7]);
        assert_eq!(encoded(&uniform, alphabet)[0], PACKED);
        assert_eq!(encoded(&sparse, alphabet)[0], SERIAL);
        assert_eq!(encoded(&long, alphabet)[0], PIVOT);
    }

    #[test]
    fn every_bit_flip_and_truncation_is_an_error_or_valid_symbols() {
        for (bits, signed) in [(1, false), (4, false), (4, true), (8, true)] {
            let alphabet = Alphabet::new(bits, signed).unwrap();
            let (low, high) = alphabet.range();
            let codes: Vec<u8> = (0..2000i32)
                .map(|i| (i % 7 * i % 5 / 3).clamp(low.into(), high.into()) as u8)
                .collect();
            let block = encoded(&codes, alphabet);
            let mut out = vec![0; codes.len()];
            let mut coder = Coder::new(Backend::current().unwrap());
            for bit in 0..8 * block.len() {
                let mut flipped = block.clone();
                flipped[bit / 8] ^= 1 << (bit % 8);
                if coder.decode(&flipped, alphabet, None, &mut out).is_ok() {
                    alphabet.symbols(&out).expect("codes within the alphabet");
                }
            }
            for len in 0..block.len() {
                coder
                    .decode(&block[..len], alphabet, None, &mut out)
                    .expect_err("a truncated block");
            }
        }
    }

    proptest! {
        #[test]
        fn round_trips_and_never_exceeds_packed(
            bits in 1u8..=8,
            signed: bool,
            mask: u8,
            bytes in prop::collection::vec(any::<u8>(), 0..3000),
        ) {
            let alphabet = Alphabet::new(bits, signed).unwrap();
            let mut codes: Vec<u8> =
                bytes.iter().map(|b| b & mask & (alphabet.size() - 1) as u8).collect();
            alphabet.symbols_to_codes(&mut codes);
            let block = encoded(&codes, alphabet);
            prop_assert!(block.len() <= 2.max(1 + bits::packed_len(codes.len(), bits)));
        }
    }
}

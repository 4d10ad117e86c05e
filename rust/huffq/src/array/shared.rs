//! An array under a [`SharedCodebook`], with as few bytes beside its codewords as can be.
//!
//! ```text
//! 2  magic "HQ"
//! 1  format version plus 128
//! 2  the low half of the codebook's number
//! v  number of samples plus 1; 0 for one sample that is the whole array
//! v  bytes of each block but the last
//! …  the blocks
//! 4  CRC-32C of all of the above, exclusive or the codebook's number
//! ```

use super::{CRC_LEN, MAGIC, SharedCodebook, VERSION, check_version};
use crate::block::{CONSTANT, Coder, DIRECT, PACKED};
use crate::cursor::{Cursor, put_varint};
use crate::error::{Error, Result};
use crate::parallel::{self, Threads};
use crate::segment::shift_index;
use crate::{Backend, bits, checksum};

/// In the byte of the version; a self-contained array has the last letter of its magic there.
const SHARED: u8 = 0x80;
const WHAT: &str = "encoded array";

/// Bytes of the shortest block, and of its length.
const MIN_BLOCK_LEN: usize = 1;

/// Symbols below which a block has no room for nested masks.
const LEAST_NESTED: usize = 1 << 10;

/// Direct codewords decode more slowly than anything else: they must be smaller by at least this
/// fraction, where there is a choice.
const DIRECT_GAIN: usize = 128;

/// An array under a codebook, whose bytes were found right.
#[derive(Debug)]
pub struct SharedBlob<'a> {
    codebook: &'a SharedCodebook,
    /// `None` is one sample, without an axis of samples.
    samples: Option<usize>,
    blocks: Vec<&'a [u8]>,
}

impl SharedCodebook {
    /// Encodes `codes`: that many `samples` in C order; or one that is the whole array.
    ///
    /// # Errors
    /// [`Error::InvalidArgument`] if they are not so many; [`Error::CodeOutOfRange`] names the
    /// first code outside the alphabet.
    pub fn encode(
        &self,
        codes: &[u8],
        samples: Option<usize>,
        threads: Threads,
    ) -> Result<Vec<u8>> {
        let items = samples.unwrap_or(1);
        self.cut.geometry().check_len(codes.len(), items)?;
        let backend = Backend::current()?;
        let blocks = parallel::map(
            threads,
            (0..self.cut.blocks(items)).collect(),
            || (),
            |(), block| {
                let place = self.cut.symbols(block, items);
                let encoded = self.encode_block(&codes[place.clone()], backend);
                encoded.map_err(|error| shift_index(error, place.start))
            },
        )?;
        let mut blob = Vec::with_capacity(64 + blocks.iter().map(|b| 3 + b.len()).sum::<usize>());
        blob.extend([MAGIC[0], MAGIC[1], SHARED | VERSION]);
        blob.extend(self.short_number().to_le_bytes());
        put_varint(samples.map_or(0, |n| n as u64 + 1), &mut blob);
        let all_but_last = blocks.iter().rev().skip(1).rev();
        all_but_last.for_each(|block| put_varint(block.len() as u64, &mut blob));
        blocks.iter().for_each(|block| blob.extend(block));
        blob.extend(self.checksum(&blob).to_le_bytes());
        Ok(blob)
    }

    /// Whole samples as a block: constant, direct or packed; a large one in any other form as well.
    fn encode_block(&self, codes: &[u8], backend: Backend) -> Result<Vec<u8>> {
        let symbols = &*self.alphabet.symbols(codes)?;
        if symbols.iter().all(|&symbol| symbol == symbols[0]) {
            return Ok(vec![CONSTANT, symbols[0]]);
        }
        let mut block = vec![DIRECT];
        self.direct.encode(symbols, &mut block);
        if symbols.len() >= LEAST_NESTED {
            let mut other = Vec::new();
            Coder::with(backend, |coder| {
                let plan = coder.plan(symbols, self.alphabet)?;
                coder.encode(symbols, &plan, Some(&self.codebook), &mut other)
            })?;
            if other.len() <= block.len() + block.len() / DIRECT_GAIN {
                return Ok(other);
            }
        } else if block.len() > 1 + bits::packed_len(symbols.len(), self.alphabet.bits()) {
            block.clear();
            block.push(PACKED);
            bits::pack(symbols, self.alphabet.bits(), &mut block);
        }
        Ok(block)
    }

    /// Reads all of `bytes` but the blocks' symbols. Nothing that they claim is allocated unless
    /// they are long enough for it.
    ///
    /// # Errors
    /// [`Error::Corrupt`], [`Error::Truncated`] or [`Error::UnsupportedVersion`];
    /// [`Error::WrongCodebook`] if the array was encoded under another codebook, or none.
    pub fn open<'a>(&'a self, bytes: &'a [u8]) -> Result<SharedBlob<'a>> {
        let mut cursor = Cursor::new(WHAT, bytes);
        let given = Some(self.short_number());
        let encoded = match read_magic(&mut cursor)? {
            Magic::Shared(number) => number,
            Magic::Alone => return Err(Error::WrongCodebook { encoded: None, given }),
        };
        if encoded != self.short_number() && !cfg!(fuzzing) {
            return Err(Error::WrongCodebook { encoded: Some(encoded), given });
        }
        let body_len = cursor.remaining().saturating_sub(CRC_LEN);
        let mut body = Cursor::new(WHAT, cursor.take(body_len)?);
        let crc = self.checksum(&bytes[..cursor.position()]);
        if !checksum::matches(cursor.u32()?, crc) {
            return Err(Error::corrupt(WHAT, "its checksum differs: it is damaged or cut off"));
        }
        let samples = body.varint()?.checked_sub(1);
        let samples = samples.map(|n| usize::try_from(n).unwrap_or(usize::MAX));
        let len = samples.unwrap_or(1).checked_mul(self.cut.item_len());
        if len.is_none_or(|len| len > isize::MAX as usize) {
            return Err(Error::corrupt(WHAT, "it has too many elements"));
        }
        let blocks = self.read_blocks(&mut body, samples.unwrap_or(1))?;
        Ok(SharedBlob { codebook: self, samples, blocks })
    }

    fn read_blocks<'a>(&self, body: &mut Cursor<'a>, samples: usize) -> Result<Vec<&'a [u8]>> {
        let count = self.cut.blocks(samples);
        let least = count.saturating_mul(2 * MIN_BLOCK_LEN).saturating_sub(1);
        if least > body.remaining() {
            let (needed, available) = (least as u64, body.remaining() as u64);
            return Err(Error::Truncated { what: WHAT, needed, available });
        }
        let size = |_| Ok(usize::try_from(body.varint()?).unwrap_or(usize::MAX));
        let sizes = (1..count).map(size).collect::<Result<Vec<_>>>()?;
        let blocks = sizes.into_iter().map(|size| body.take(size));
        let mut blocks = blocks.collect::<Result<Vec<_>>>()?;
        match (count, body.remaining()) {
            (0, 0) => {}
            (0, _) => return Err(Error::corrupt(WHAT, "bytes follow an array without samples")),
            (_, rest) => blocks.push(body.take(rest)?),
        }
        Ok(blocks)
    }

    fn short_number(&self) -> u16 {
        self.number as u16
    }

    /// Under another codebook, the same bytes have another one.
    fn checksum(&self, bytes: &[u8]) -> u32 {
        checksum::of(bytes) ^ self.number
    }

    fn decode_block(&self, block: &[u8], backend: Backend, out: &mut [u8]) -> Result<()> {
        match block {
            [DIRECT, payload @ ..] => {
                self.direct.decode(payload, out)?;
                self.alphabet.symbols_to_codes(out);
                Ok(())
            }
            _ => Coder::with(backend, |coder| {
                coder.decode(block, self.alphabet, Some(&self.codebook), out)
            }),
        }
    }
}

/// Which kind of array begins with some magic.
pub(super) enum Magic {
    Alone,
    /// Under the codebook of this short number.
    Shared(u16),
}

/// Reads magic and version, and the short number of the codebook if there is one.
pub(super) fn read_magic(cursor: &mut Cursor) -> Result<Magic> {
    let magic = cursor.take(MAGIC.len())?;
    if magic == MAGIC {
        check_version(cursor.u8()?)?;
        return Ok(Magic::Alone);
    }
    if magic[..2] == MAGIC[..2] && magic[2] & SHARED != 0 {
        check_version(magic[2] & !SHARED)?;
        return Ok(Magic::Shared(cursor.u16()?));
    }
    Err(Error::corrupt(WHAT, "it does not begin with \"HQA\", as encoded arrays do"))
}

impl SharedBlob<'_> {
    /// The array's shape.
    pub fn shape(&self) -> Vec<usize> {
        self.samples.iter().chain(self.codebook.sample_shape()).copied().collect()
    }

    /// Decodes into `out`, in C order, on up to `threads` threads.
    ///
    /// # Errors
    /// [`Error::InvalidArgument`] if `out` has another number of elements; [`Error::Corrupt`] or
    /// [`Error::Truncated`] if a block is not one.
    pub fn decode(&self, out: &mut [u8], threads: Threads) -> Result<()> {
        let items = self.samples.unwrap_or(1);
        let book = self.codebook;
        book.cut.geometry().check_len(out.len(), items)?;
        let backend = Backend::current()?;
        let mut rest = out;
        let work = self.blocks.iter().enumerate().map(|(i, &block)| {
            let own = rest.split_off_mut(..book.cut.symbols(i, items).len());
            (block, own.expect("blocks are the array without gaps"))
        });
        parallel::map(
            threads,
            work.collect(),
            || (),
            |(), (block, out)| book.decode_block(block, backend, out),
        )?;
        Ok(())
    }
}

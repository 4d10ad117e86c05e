//! Bytes to arrays.

use super::shared::{Magic, read_magic};
use super::{CRC_LEN, MAX_AXES, axes_from_bytes, form_of, read_kind, read_shape};
use crate::block::{Coder, MIN_BLOCK_LEN};
use crate::cursor::Cursor;
use crate::error::{Error, Result};
use crate::parallel::{self, Threads};
use crate::segment::{Form, for_slab};
use crate::{Alphabet, Axes, Backend, Codebook, Level, checksum};

const WHAT: &str = "encoded array";

/// Bytes of an array that caches do not keep until it is used. Its blocks are decoded in a cache
/// and then copied past it, so that memory need not be read before it is overwritten.
pub(super) const BEYOND_CACHES: usize = 1 << 24;

/// A self-contained blob whose header was read and found right.
#[derive(Debug)]
pub struct Blob<'a> {
    shape: Vec<usize>,
    form: Form,
    items: usize,
    segments: Vec<Parts<'a>>,
}

/// A segment's bytes, each part behind its checksum.
#[derive(Debug)]
struct Parts<'a> {
    codebook: Option<&'a [u8]>,
    blocks: Vec<&'a [u8]>,
}

/// A block to be decoded.
struct Task<'a> {
    index: usize,
    block: &'a [u8],
    codebook: Option<&'a Codebook>,
    /// The block that its thread probably takes after it; empty if there is none.
    next: &'a [u8],
    out: &'a mut [u8],
}

impl<'a> Blob<'a> {
    /// Reads the header of `bytes`. Nothing that the header claims is allocated unless `bytes` is
    /// long enough for it.
    ///
    /// # Errors
    /// [`Error::Corrupt`], [`Error::Truncated`] or [`Error::UnsupportedVersion`].
    pub fn parse(bytes: &'a [u8]) -> Result<Self> {
        let mut cursor = Cursor::new(WHAT, bytes);
        if let Magic::Shared(number) = read_magic(&mut cursor)? {
            return Err(Error::WrongCodebook { encoded: Some(number), given: None });
        }
        let (alphabet, level) = read_kind(WHAT, cursor.u8()?)?;
        let shape = read_shape(WHAT, &mut cursor, MAX_AXES)?;
        let axes = match level {
            Level::Fast => Axes::default(),
            _ => axes_from_bytes(cursor.array()?),
        };
        let (form, items) = form_of(&shape, alphabet, level, axes).map_err(as_corrupt)?;
        let sizes = read_sizes(&mut cursor, &form, items)?;
        let header = &bytes[..cursor.position()];
        if !checksum::matches(cursor.u32()?, checksum::of(header)) {
            return Err(Error::corrupt(WHAT, "the header's checksum differs"));
        }
        let mut part = |size: usize| cursor.take(size.saturating_add(CRC_LEN));
        let read = |(codebook, blocks): (usize, Vec<usize>)| {
            let codebook = (codebook > 0).then(|| part(codebook)).transpose()?;
            Ok(Parts {
                codebook,
                blocks: blocks.into_iter().map(&mut part).collect::<Result<_>>()?,
            })
        };
        let segments = sizes.into_iter().map(read).collect::<Result<_>>()?;
        if cursor.remaining() > 0 {
            return Err(Error::corrupt(WHAT, "bytes follow the last block"));
        }
        Ok(Self { shape, form, items, segments })
    }

    /// The integers that the array may hold.
    pub fn alphabet(&self) -> Alphabet {
        self.form.alphabet
    }

    /// The array's shape.
    pub fn shape(&self) -> &[usize] {
        &self.shape
    }

    /// Decodes into `out`, in C order, on up to `threads` threads.
    ///
    /// # Errors
    /// [`Error::InvalidArgument`] if `out` has another number of elements; [`Error::Corrupt`] or
    /// [`Error::Truncated`] name the first part that is damaged.
    pub fn decode(&self, out: &mut [u8], threads: Threads) -> Result<()> {
        let cut = &self.form.cut;
        let len = self.items * cut.item_len();
        if out.len() != len {
            let expected = format!("be {len}, as the array has");
            return Err(Error::argument("number of elements of out", out.len(), expected));
        }
        let backend = Backend::current()?;
        let codebooks = self.codebooks(threads)?;
        let blocks = self.segments.iter().zip(&codebooks).flat_map(|(segment, codebook)| {
            segment.blocks.iter().map(move |&block| (block, codebook.as_ref()))
        });
        let blocks: Vec<_> = blocks.collect();
        let threads = parallel::count_for(threads, blocks.len());
        let mut rest = out;
        let tasks = blocks.iter().enumerate().map(|(index, &(block, codebook))| {
            let len = cut.symbols(index, self.items).len();
            let (out, others) = std::mem::take(&mut rest).split_at_mut(len);
            rest = others;
            // Equally fast threads come to their next blocks all at once.
            let next = blocks.get(index + threads.get()).map_or(&[][..], |&(block, _)| block);
            Task { index, block, codebook, next, out }
        });
        let decode = |staging: &mut Vec<u8>, task: Task| {
            if len < BEYOND_CACHES {
                return self.decode_block(backend, task);
            }
            let Task { out, .. } = task;
            staging.resize(out.len(), 0);
            self.decode_block(backend, Task { out: staging, ..task })?;
            backend.copy_to_memory(staging, out);
            Ok(())
        };
        parallel::map(Some(threads), tasks.collect(), Vec::new, decode)?;
        Ok(())
    }

    /// The codebook of each segment that has one.
    fn codebooks(&self, threads: Threads) -> Result<Vec<Option<Codebook>>> {
        let Form { level, alphabet, ref cut } = self.form;
        let parse = |_: &mut (), (i, segment): (usize, &Parts)| {
            let parse = |part| {
                let bytes = check(part, || format!("the codebook of segment {i}"))?;
                Codebook::parse(level, bytes, cut.geometry(), alphabet)
            };
            segment.codebook.map(parse).transpose()
        };
        parallel::map(threads, self.segments.iter().enumerate().collect(), || (), parse)
    }

    fn decode_block(&self, backend: Backend, task: Task) -> Result<()> {
        let Task { index, block, codebook, next, out } = task;
        let body = check(block, || format!("block {index}"))?;
        let codebook = codebook.map(|book| for_slab(book, &self.form.cut.slab(index, self.items)));
        let (alphabet, codebook) = (self.form.alphabet, codebook.as_deref());
        Coder::with(backend, |coder| {
            coder.announce(next);
            coder.decode(body, alphabet, codebook, out)
        })
    }
}

/// What follows a part's checksum, if that is right.
fn check(part: &[u8], name: impl Fn() -> String) -> Result<&[u8]> {
    let (crc, bytes) = part.split_first_chunk().expect("a part holds its checksum");
    if !checksum::matches(u32::from_le_bytes(*crc), checksum::of(bytes)) {
        return Err(Error::corrupt(name(), "its checksum differs"));
    }
    Ok(bytes)
}

fn as_corrupt(error: Error) -> Error {
    Error::corrupt(WHAT, error.to_string())
}

/// For each segment, bytes of the codebook and of each block.
fn read_sizes(cursor: &mut Cursor, form: &Form, items: usize) -> Result<Vec<(usize, Vec<usize>)>> {
    let least = form.cut.blocks(items).saturating_mul(1 + CRC_LEN + MIN_BLOCK_LEN);
    if least > cursor.remaining() {
        let (needed, available) = (least as u64, cursor.remaining() as u64);
        return Err(Error::Truncated { what: WHAT, needed, available });
    }
    let mut size = || Ok(usize::try_from(cursor.varint()?).unwrap_or(usize::MAX));
    form.cut
        .segments(items)
        .map(|blocks| {
            let codebook = if form.level.has_codebooks() { size()? } else { 0 };
            Ok((codebook, blocks.map(|_| size()).collect::<Result<_>>()?))
        })
        .collect()
}

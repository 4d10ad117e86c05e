//! A finished file in, samples out.

use std::fs::File;
use std::io;
use std::ops::Range;
use std::os::unix::fs::FileExt;
use std::path::Path;

use super::frame::{self, HEADER_LEN, Kind, RECORD_HEAD_LEN, TRAILER_LEN};
use super::index::{Entry, Index};
use super::schema::{FieldSchema, Schema};
use crate::Backend;
use crate::block::Coder;
use crate::cursor::Cursor;
use crate::error::{Error, Result};
use crate::parallel::{self, Threads};

/// Reads a `.huffq` file at random; any number of threads may share one.
///
/// Bytes are read by position into private buffers and checked there: a file that changes
/// underneath gives an error, never wrong data.
#[derive(Debug)]
pub struct Reader {
    file: File,
    schema: Schema,
    index: Index,
}

impl Reader {
    /// Opens `path`; reads header, schema and index, no block.
    ///
    /// # Errors
    /// [`Error::Io`], [`Error::Corrupt`], [`Error::Truncated`] or [`Error::UnsupportedVersion`].
    pub fn open(path: &Path) -> Result<Self> {
        let file = File::open(path)?;
        let len = file.metadata()?.len();
        let mut header = [0; HEADER_LEN];
        let available = len.min(HEADER_LEN as u64) as usize;
        file.read_exact_at(&mut header[..available], 0)?;
        if available < HEADER_LEN {
            // Too short to tell what it is, unless the magic is there already.
            let needed = (HEADER_LEN + TRAILER_LEN) as u64;
            return Err(Error::Truncated { what: "file", needed, available: len });
        }
        frame::check_header(&header)?;
        let index_offset = find_index(&file, len)?;
        let end = len - TRAILER_LEN as u64;
        let schema = read_schema(&file, index_offset)?;
        let index_len = (end - index_offset) as usize;
        let record = read_bytes(&file, "index", index_offset, index_len)?;
        let payload = frame::check_record(&record, Kind::Index)?;
        let index = Index::parse(payload, &schema, index_offset)?;
        Ok(Self { file, schema, index })
    }

    /// What the fields are.
    pub fn schema(&self) -> &Schema {
        &self.schema
    }

    /// Number of samples.
    pub fn samples(&self) -> u64 {
        self.index.samples
    }

    /// Number of blocks of a field.
    pub fn blocks(&self, field: usize) -> usize {
        self.index.blocks[field].len()
    }

    /// Bytes of all block records of a field.
    pub fn encoded_bytes(&self, field: usize) -> u64 {
        self.index.blocks[field].iter().map(|e| u64::from(e.len)).sum()
    }

    /// Decodes samples `range` of field `field` into `out`, on up to `threads` threads.
    ///
    /// # Errors
    /// [`Error::InvalidArgument`] if the range is not inside the field or `out` has another length;
    /// [`Error::Corrupt`] or [`Error::Truncated`] name the first damaged block; [`Error::Io`].
    pub fn read_range(
        &self,
        field: usize,
        range: Range<u64>,
        out: &mut [u8],
        threads: Threads,
    ) -> Result<()> {
        let spec = &self.schema.fields[field];
        self.check_samples(
            range.end.max(range.start),
            range.end.saturating_sub(range.start),
            spec,
            out,
        )?;
        let coder = coders()?;
        let mut jobs = Vec::new();
        let mut rest = out;
        let mut sample = range.start;
        while sample < range.end {
            let block = sample / spec.block_samples;
            let stop = ((block + 1) * spec.block_samples).min(range.end);
            let (part, others) = rest.split_at_mut((stop - sample) as usize * spec.sample_len());
            jobs.push((block, sample - block * spec.block_samples, part));
            rest = others;
            sample = stop;
        }
        parallel::map(threads, jobs, coder, |coder, (block, first, part)| {
            if part.len() == self.block_len(field, block) {
                return self.decode_block(coder, field, block, part);
            }
            let mut codes = vec![0; self.block_len(field, block)];
            self.decode_block(coder, field, block, &mut codes)?;
            part.copy_from_slice(&codes[first as usize * spec.sample_len()..][..part.len()]);
            Ok(())
        })?;
        Ok(())
    }

    /// Decodes the given samples of field `field` into `out`, in the order of `samples`, on up to
    /// `threads` threads. Each block is read and decoded once, however often it is hit.
    ///
    /// # Errors
    /// As [`read_range`](Self::read_range).
    pub fn read_samples(
        &self,
        field: usize,
        samples: &[u64],
        out: &mut [u8],
        threads: Threads,
    ) -> Result<()> {
        let spec = &self.schema.fields[field];
        let end = samples.iter().max().map_or(0, |&s| s.saturating_add(1));
        self.check_samples(end, samples.len() as u64, spec, out)?;
        let sample_len = spec.sample_len();
        if out.is_empty() {
            return Ok(());
        }
        let coder = coders()?;
        let mut wanted: Vec<_> = samples.iter().zip(out.chunks_exact_mut(sample_len)).collect();
        wanted.sort_unstable_by_key(|&(sample, _)| sample);
        let same_block =
            |a: &(&u64, _), b: &(&u64, _)| a.0 / spec.block_samples == b.0 / spec.block_samples;
        let jobs = wanted.chunk_by_mut(same_block).collect();
        parallel::map(threads, jobs, coder, |coder, hits: &mut [(&u64, &mut [u8])]| {
            let block = hits[0].0 / spec.block_samples;
            let mut codes = vec![0; self.block_len(field, block)];
            self.decode_block(coder, field, block, &mut codes)?;
            for (sample, out) in hits {
                let start = (**sample - block * spec.block_samples) as usize * sample_len;
                out.copy_from_slice(&codes[start..start + sample_len]);
            }
            Ok(())
        })?;
        Ok(())
    }

    /// Reads and decodes blocks `blocks` of field `field`, on up to `threads` threads.
    ///
    /// # Errors
    /// As [`read_range`](Self::read_range).
    pub fn verify(&self, field: usize, blocks: Range<u64>, threads: Threads) -> Result<()> {
        let available = self.index.blocks[field].len() as u64;
        if blocks.end > available {
            return Err(Error::argument("block", blocks.end, format!("be at most {available}")));
        }
        let coder = coders()?;
        parallel::map(threads, blocks.collect(), coder, |coder, block| {
            self.decode_block(coder, field, block, &mut vec![0; self.block_len(field, block)])
        })?;
        Ok(())
    }

    fn check_samples(&self, end: u64, count: u64, spec: &FieldSchema, out: &[u8]) -> Result<()> {
        if end > self.index.samples {
            let expected = format!("be below {}", self.index.samples);
            return Err(Error::argument("sample", end - 1, expected));
        }
        let symbols = usize::try_from(count).ok().and_then(|n| n.checked_mul(spec.sample_len()));
        if symbols != Some(out.len()) {
            let expected = format!("be that of {count} samples of {}", spec.sample_len());
            return Err(Error::argument("number of elements of out", out.len(), expected));
        }
        Ok(())
    }

    /// Symbols in a block.
    fn block_len(&self, field: usize, block: u64) -> usize {
        let spec = &self.schema.fields[field];
        spec.samples_in_block(block, self.index.samples) as usize * spec.sample_len()
    }

    fn decode_block(
        &self,
        coder: &mut Coder,
        field: usize,
        block: u64,
        out: &mut [u8],
    ) -> Result<()> {
        let spec = &self.schema.fields[field];
        let name = || format!("block {block} of field {:?}", spec.name);
        let Entry { offset, len } = self.index.blocks[field][block as usize];
        let record = read_bytes(&self.file, "block", offset, len as usize)?;
        let in_block = |error| match error {
            Error::Corrupt { why, .. } => Error::corrupt(name(), why),
            other => other,
        };
        let payload = frame::check_record(&record, Kind::Block).map_err(in_block)?;
        let mut cursor = Cursor::new("block", payload);
        if (u64::from(cursor.u32()?), cursor.u64()?) != (field as u64, block) {
            return Err(Error::corrupt(name(), "the index points to another block"));
        }
        let body = cursor.take(cursor.remaining())?;
        coder.decode(body, spec.alphabet(), out).map_err(in_block)
    }
}

/// Makes a thread's coder.
fn coders() -> Result<impl Fn() -> Coder> {
    let backend = Backend::current()?;
    Ok(move || Coder::new(backend))
}

/// Where the index record begins.
fn find_index(file: &File, len: u64) -> Result<u64> {
    let cut_off = Error::Truncated {
        what: "file",
        needed: (HEADER_LEN + TRAILER_LEN) as u64,
        available: len,
    };
    let Some(start) = len.checked_sub(TRAILER_LEN as u64).filter(|&s| s >= HEADER_LEN as u64)
    else {
        return Err(cut_off);
    };
    let mut trailer = [0; TRAILER_LEN];
    file.read_exact_at(&mut trailer, start)?;
    let offset = frame::check_trailer(&trailer)?;
    if offset < HEADER_LEN as u64 || offset > start {
        return Err(Error::corrupt("trailer", "the index lies outside the file"));
    }
    Ok(offset)
}

fn read_schema(file: &File, end: u64) -> Result<Schema> {
    let start = HEADER_LEN as u64;
    let head = read_bytes(file, "schema", start, RECORD_HEAD_LEN)?;
    let (_, len) = frame::record_head(head[..].try_into().expect("a whole head"));
    if len > end.saturating_sub(start + RECORD_HEAD_LEN as u64) {
        return Err(Error::corrupt("schema", "it is longer than the file"));
    }
    let record = read_bytes(file, "schema", start, RECORD_HEAD_LEN + len as usize)?;
    let payload = frame::check_record(&record, Kind::Schema)?;
    let json = std::str::from_utf8(payload).map_err(|e| Error::corrupt("schema", e.to_string()))?;
    Schema::from_json(json).map_err(|e| Error::corrupt("schema", e.to_string()))
}

/// `len` bytes from `offset`; the caller has held both against the file's size.
fn read_bytes(file: &File, what: &'static str, offset: u64, len: usize) -> Result<Vec<u8>> {
    let mut bytes = vec![0; len];
    file.read_exact_at(&mut bytes, offset).map_err(|error| match error.kind() {
        io::ErrorKind::UnexpectedEof => {
            let available = file.metadata().map_or(0, |m| m.len().saturating_sub(offset));
            Error::Truncated { what, needed: len as u64, available }
        }
        _ => error.into(),
    })?;
    Ok(bytes)
}

//! A finished file in, samples out.

use std::fs::File;
use std::io;
use std::ops::Range;
use std::os::unix::fs::FileExt;
use std::path::Path;
use std::sync::OnceLock;

use super::frame::{self, HEADER_LEN, Kind, RECORD_HEAD_LEN, TRAILER_LEN};
use super::index::{Entry, FieldIndex, Index};
use super::schema::{FieldSchema, Schema};
use crate::block::Coder;
use crate::cursor::Cursor;
use crate::error::{Error, Result};
use crate::parallel::{self, Threads};
use crate::segment::{Form, SEGMENT_BLOCKS};
use crate::{Backend, Codebook, Level};

/// Reads a `.huffq` file at random; any number of threads may share one.
///
/// Bytes are read by position into private buffers and checked there: a file that changes
/// underneath gives an error, never wrong data.
#[derive(Debug)]
pub struct Reader {
    file: File,
    schema: Schema,
    forms: Vec<Form>,
    pub(super) index: Index,
    /// For each field, the codebooks of its segments, parsed when first used.
    codebooks: Vec<Vec<OnceLock<Codebook>>>,
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
        let unread = |field: &FieldIndex| field.codebooks.iter().map(|_| OnceLock::new()).collect();
        let codebooks = index.fields.iter().map(unread).collect();
        Ok(Self { file, forms: schema.forms(), schema, index, codebooks })
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
        self.index.fields[field].blocks.len()
    }

    /// Bytes of all records of a field's blocks and codebooks.
    pub fn encoded_bytes(&self, field: usize) -> u64 {
        let FieldIndex { codebooks, blocks } = &self.index.fields[field];
        codebooks.iter().chain(blocks).map(|e| u64::from(e.len)).sum()
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
            let codes = self.decode_whole(coder, field, block)?;
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
            let codes = self.decode_whole(coder, field, block)?;
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
        let available = self.index.fields[field].blocks.len() as u64;
        if blocks.end > available {
            return Err(Error::argument("block", blocks.end, format!("be at most {available}")));
        }
        let coder = coders()?;
        parallel::map(threads, blocks.collect(), coder, |coder, block| {
            self.decode_whole(coder, field, block).map(drop)
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

    /// A block's codes in memory of their own, which a damaged file may claim too much of.
    fn decode_whole(&self, coder: &mut Coder, field: usize, block: u64) -> Result<Vec<u8>> {
        let len = self.block_len(field, block);
        let mut codes = Vec::new();
        codes.try_reserve_exact(len).map_err(|_| io::Error::from(io::ErrorKind::OutOfMemory))?;
        codes.resize(len, 0);
        self.decode_block(coder, field, block, &mut codes)?;
        Ok(codes)
    }

    fn decode_block(
        &self,
        coder: &mut Coder,
        field: usize,
        block: u64,
        out: &mut [u8],
    ) -> Result<()> {
        let entry = self.index.fields[field].blocks[block as usize];
        let name = || format!("block {block} of field {:?}", self.schema.fields[field].name);
        let body = self.read_part(Kind::Block, entry, (field, block)).map_err(name_part(&name))?;
        let codebook = self.codebook(field, block / SEGMENT_BLOCKS as u64)?;
        let alphabet = self.forms[field].alphabet;
        coder.decode(&body, alphabet, codebook, out).map_err(name_part(&name))
    }

    /// The codebook of a segment, if it has one.
    fn codebook(&self, field: usize, segment: u64) -> Result<Option<&Codebook>> {
        let entry = self.index.fields[field].codebooks[segment as usize];
        if entry.len == 0 {
            return Ok(None);
        }
        if self.forms[field].level == Level::Fast {
            return Err(Error::corrupt("index", "a file of level fast has a codebook"));
        }
        let slot = &self.codebooks[field][segment as usize];
        if let Some(codebook) = slot.get() {
            return Ok(Some(codebook));
        }
        let name = || format!("codebook {segment} of field {:?}", self.schema.fields[field].name);
        let Form { level, alphabet, geometry, .. } = &self.forms[field];
        let codebook = self
            .read_part(Kind::Codebook, entry, (field, segment))
            .and_then(|bytes| Codebook::parse(*level, &bytes, geometry, *alphabet))
            .map_err(name_part(&name))?;
        // Threads that come at once each parse it; one result stays.
        Ok(Some(slot.get_or_init(|| codebook)))
    }

    /// What stands behind a part's field and number, which must be these.
    fn read_part(&self, kind: Kind, entry: Entry, part: (usize, u64)) -> Result<Vec<u8>> {
        let mut record = read_bytes(&self.file, "block", entry.offset, entry.len as usize)?;
        let mut cursor = Cursor::new("record", frame::check_record(&record, kind)?);
        if (cursor.u32()? as usize, cursor.u64()?) != part {
            return Err(Error::corrupt("record", "the index points to another one"));
        }
        record.drain(..RECORD_HEAD_LEN + cursor.position());
        Ok(record)
    }
}

/// Names the part of the file that an error lies in.
fn name_part(name: &impl Fn() -> String) -> impl Fn(Error) -> Error {
    move |error| match error {
        Error::Corrupt { why, .. } => Error::corrupt(name(), why),
        other => other,
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

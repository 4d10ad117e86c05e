//! Samples in, a finished file out.

use std::borrow::Cow;
use std::fs::{self, File};
use std::io::{BufWriter, Write};
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use super::frame::{self, Kind};
use super::index::{Entry, Index};
use super::schema::{FieldSchema, Schema};
use crate::block::Coder;
use crate::error::{Error, Result};
use crate::parallel::{self, Threads};
use crate::{Backend, histogram};

/// Writes a `.huffq` file in one pass.
///
/// The file grows under the name `NAME.part` and takes its own name when [`finish`](Self::finish)
/// has synced it; a writer that is dropped before removes the part. Memory holds one unfinished
/// block per field and what one [`write`](Self::write) encodes. The bytes do not depend on how the
/// samples are cut into batches, nor on the number of threads.
pub struct Writer {
    out: BufWriter<File>,
    offset: u64,
    part: Option<PathBuf>,
    path: PathBuf,
    schema: Schema,
    fields: Vec<FieldState>,
    samples: u64,
    threads: Threads,
}

struct FieldState {
    /// Codes of the block that is not full yet.
    pending: Vec<u8>,
    blocks: Vec<Entry>,
    summary: FieldSummary,
}

/// What [`Writer::finish`] reports of one field.
#[derive(Clone, Debug)]
pub struct FieldSummary {
    /// Occurrences of each symbol; index = code in the low bits of its width.
    pub counts: histogram::Counts,
    /// Bytes of all block records.
    pub bytes: u64,
    /// Time spent in encoding, summed over threads.
    pub encode_time: Duration,
}

/// What [`Writer::finish`] reports.
#[derive(Clone, Debug)]
pub struct Summary {
    /// Samples written.
    pub samples: u64,
    /// Bytes of the file.
    pub bytes: u64,
    /// Each field, in the schema's order.
    pub fields: Vec<FieldSummary>,
}

/// One full block that is to be encoded.
struct Job<'a> {
    field: usize,
    block: u64,
    /// Samples of the stream up to the block's end: the order of blocks in the file.
    end_sample: u64,
    codes: Cow<'a, [u8]>,
}

struct Encoded {
    field: usize,
    record: Vec<u8>,
    counts: histogram::Counts,
    time: Duration,
}

impl Writer {
    /// Begins the file that will be `path`, on up to `threads` threads.
    ///
    /// # Errors
    /// [`Error::Io`] if `NAME.part` cannot be created.
    pub fn create(path: &Path, schema: Schema, threads: Threads) -> Result<Self> {
        let mut name = path.as_os_str().to_owned();
        name.push(".part");
        let part = PathBuf::from(name);
        let mut writer = Self {
            out: BufWriter::with_capacity(1 << 20, File::create(&part)?),
            offset: 0,
            part: Some(part),
            path: path.to_owned(),
            fields: schema.fields.iter().map(|_| FieldState::new()).collect(),
            samples: 0,
            threads,
            schema,
        };
        writer.append(&frame::header())?;
        let mut record = Vec::new();
        let json = writer.schema.to_json();
        frame::put_record(Kind::Schema, &mut record, |out| {
            out.extend(json.as_bytes());
            Ok(())
        })?;
        writer.append(&record)?;
        Ok(writer)
    }

    /// Appends `samples` samples: for each field in the schema's order, their codes in C order.
    ///
    /// # Errors
    /// [`Error::InvalidArgument`] if a field's codes are not `samples` samples;
    /// [`Error::InField`] names field and sample of a code outside its alphabet; [`Error::Io`].
    /// The writer is then good for nothing but dropping.
    pub fn write(&mut self, samples: usize, batch: &[&[u8]]) -> Result<()> {
        if batch.len() != self.fields.len() {
            let expected = format!("be {}", self.fields.len());
            return Err(Error::argument("number of arrays", batch.len(), expected));
        }
        for (field, codes) in self.schema.fields.iter().zip(batch) {
            if field.sample_len().checked_mul(samples) != Some(codes.len()) {
                let value = format!("{} for field {:?}", codes.len(), field.name);
                let expected = format!("be {samples} × {}", field.sample_len());
                return Err(Error::argument("number of codes", value, expected));
            }
        }
        let mut jobs = Vec::new();
        for (number, codes) in batch.iter().enumerate() {
            self.cut_blocks(number, codes, samples as u64, &mut jobs);
        }
        self.samples += samples as u64;
        jobs.sort_by_key(|job| (job.end_sample, job.field));
        self.encode(jobs)
    }

    /// Turns the pending codes of field `number` and `codes` into jobs; what fills no block is left
    /// pending.
    fn cut_blocks<'a>(
        &mut self,
        number: usize,
        mut codes: &'a [u8],
        samples: u64,
        jobs: &mut Vec<Job<'a>>,
    ) {
        let (spec, state) = (&self.schema.fields[number], &mut self.fields[number]);
        let block_len = spec.block_samples as usize * spec.sample_len();
        let full_before = self.samples / spec.block_samples;
        let full_after = (self.samples + samples) / spec.block_samples;
        for block in full_before..full_after {
            let (head, rest) = codes.split_at(block_len - state.pending.len());
            codes = rest;
            let block_codes = if state.pending.is_empty() {
                Cow::Borrowed(head)
            } else {
                state.pending.extend_from_slice(head);
                Cow::Owned(std::mem::take(&mut state.pending))
            };
            let end_sample = (block + 1) * spec.block_samples;
            jobs.push(Job { field: number, block, end_sample, codes: block_codes });
        }
        state.pending.extend_from_slice(codes);
    }

    fn encode(&mut self, jobs: Vec<Job>) -> Result<()> {
        let fields = &self.schema.fields;
        let backend = Backend::current()?;
        let encoded = parallel::map(
            self.threads,
            jobs,
            || Coder::new(backend),
            |coder, job| encode_block(coder, &fields[job.field], job),
        )?;
        for block in encoded {
            let entry = Entry { offset: self.offset, len: block.record.len() as u32 };
            self.fields[block.field].add(entry, &block);
            self.append(&block.record)?;
        }
        Ok(())
    }

    /// Writes the last blocks and the index, syncs, and gives the file its name.
    ///
    /// # Errors
    /// As [`write`](Self::write).
    pub fn finish(mut self) -> Result<Summary> {
        let mut jobs = Vec::new();
        for (field, (spec, state)) in self.schema.fields.iter().zip(&mut self.fields).enumerate() {
            if !self.samples.is_multiple_of(spec.block_samples) {
                let block = self.samples / spec.block_samples;
                let codes = Cow::Owned(std::mem::take(&mut state.pending));
                jobs.push(Job { field, block, end_sample: self.samples, codes });
            }
        }
        self.encode(jobs)?;
        let blocks = self.fields.iter_mut().map(|f| std::mem::take(&mut f.blocks)).collect();
        let index = Index { samples: self.samples, blocks };
        let index_offset = self.offset;
        let mut record = Vec::new();
        frame::put_record(Kind::Index, &mut record, |out| {
            index.put(out);
            Ok(())
        })?;
        self.append(&record)?;
        self.append(&frame::trailer(index_offset))?;
        self.publish()?;
        let fields = self.fields.iter().map(|f| f.summary.clone()).collect();
        Ok(Summary { samples: self.samples, bytes: self.offset, fields })
    }

    fn publish(&mut self) -> Result<()> {
        self.out.flush()?;
        self.out.get_ref().sync_all()?;
        let part = self.part.as_ref().expect("a writer publishes once");
        fs::rename(part, &self.path)?;
        self.part = None;
        // The rename lasts only when the folder is synced too.
        let folder = self.path.parent().filter(|p| !p.as_os_str().is_empty());
        File::open(folder.unwrap_or(Path::new(".")))?.sync_all()?;
        Ok(())
    }

    fn append(&mut self, bytes: &[u8]) -> Result<()> {
        self.out.write_all(bytes)?;
        self.offset += bytes.len() as u64;
        Ok(())
    }
}

impl Drop for Writer {
    fn drop(&mut self) {
        if let Some(part) = &self.part {
            // Nobody is left to hear of a failure, and the part harms nobody.
            let _ = fs::remove_file(part);
        }
    }
}

impl FieldState {
    fn new() -> Self {
        let summary = FieldSummary { counts: [0; 256], bytes: 0, encode_time: Duration::ZERO };
        Self { pending: Vec::new(), blocks: Vec::new(), summary }
    }

    fn add(&mut self, entry: Entry, encoded: &Encoded) {
        self.blocks.push(entry);
        self.summary.bytes += u64::from(entry.len);
        self.summary.encode_time += encoded.time;
        for (sum, count) in self.summary.counts.iter_mut().zip(&encoded.counts) {
            *sum += count;
        }
    }
}

fn encode_block(coder: &mut Coder, spec: &FieldSchema, job: Job) -> Result<Encoded> {
    let begin = Instant::now();
    let mut record = Vec::new();
    let mut counts = [0; 256];
    frame::put_record(Kind::Block, &mut record, |out| {
        out.extend((job.field as u32).to_le_bytes());
        out.extend(job.block.to_le_bytes());
        counts = coder
            .encode(&job.codes, spec.alphabet(), out)
            .map_err(|error| locate(error, spec, &job))?;
        Ok(())
    })?;
    Ok(Encoded { field: job.field, record, counts, time: begin.elapsed() })
}

/// Says in which field and sample an error lies.
fn locate(error: Error, spec: &FieldSchema, job: &Job) -> Error {
    let Error::CodeOutOfRange { value, index, alphabet } = error else { return error };
    let sample = job.block * spec.block_samples + (index / spec.sample_len()) as u64;
    let index = index % spec.sample_len();
    let source = Box::new(Error::CodeOutOfRange { value, index, alphabet });
    Error::InField { field: spec.name.clone(), sample, source }
}

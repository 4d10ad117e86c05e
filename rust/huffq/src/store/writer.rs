//! Samples in, a finished file out.

use std::borrow::Cow;
use std::fs::{self, File, TryLockError};
use std::io::{self, BufWriter, Write};
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};
use std::time::Duration;

use super::frame::{self, Kind};
use super::index::{Entry, FieldIndex, Index};
use super::schema::{FieldSchema, Schema};
use crate::error::{Error, Result};
use crate::histogram;
use crate::parallel::Threads;
use crate::segment::{self, EncodedSegment, Form, SEGMENT_BLOCKS, Segment};

/// Writes a `.huffq` file in one pass.
///
/// The file grows under the name `NAME.part` and takes its own name when [`finish`](Self::finish)
/// has synced it; a writer that is dropped before removes the part. Memory holds one unfinished
/// segment per field and what one [`write`](Self::write) encodes. The bytes do not depend on how the
/// samples are cut into batches, nor on the number of threads.
pub struct Writer {
    out: BufWriter<File>,
    offset: u64,
    part: Option<PathBuf>,
    path: PathBuf,
    schema: Schema,
    forms: Vec<Form>,
    fields: Vec<FieldState>,
    samples: u64,
    threads: Threads,
}

struct FieldState {
    /// Codes of the segment that is not full yet.
    pending: Vec<u8>,
    index: FieldIndex,
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

/// One segment that is to be encoded.
struct Job<'a> {
    field: usize,
    first_sample: u64,
    samples: usize,
    codes: Cow<'a, [u8]>,
}

impl Writer {
    /// Begins the file that will be `path`, on up to `threads` threads.
    ///
    /// # Errors
    /// [`Error::Io`] if `NAME.part` cannot be created or `path` is a folder; [`Error::InUse`] if
    /// another writer is at work on `path`.
    pub fn create(path: &Path, schema: Schema, threads: Threads) -> Result<Self> {
        if path.is_dir() {
            return Err(io::Error::from(io::ErrorKind::IsADirectory).into());
        }
        let mut name = path.as_os_str().to_owned();
        name.push(".part");
        let part = PathBuf::from(name);
        let mut writer = Self {
            out: BufWriter::with_capacity(1 << 20, open_part(&part)?),
            offset: 0,
            part: Some(part),
            path: path.to_owned(),
            fields: schema.fields.iter().map(|_| FieldState::new()).collect(),
            forms: schema.forms(),
            samples: 0,
            threads,
            schema,
        };
        writer.append(&frame::header())?;
        let mut record = Vec::new();
        let json = writer.schema.to_json();
        frame::put_record(Kind::Schema, &mut record, |out| out.extend(json.as_bytes()));
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
            self.cut_segments(number, codes, samples as u64, &mut jobs);
        }
        self.samples += samples as u64;
        // In the order in which the segments became full, whatever the batches.
        jobs.sort_by_key(|job| (job.first_sample + job.samples as u64, job.field));
        self.encode(&jobs)
    }

    /// Turns the pending codes of field `number` and `codes` into jobs; what fills no segment is
    /// left pending.
    fn cut_segments<'a>(
        &mut self,
        number: usize,
        mut codes: &'a [u8],
        samples: u64,
        jobs: &mut Vec<Job<'a>>,
    ) {
        let (form, state) = (&self.forms[number], &mut self.fields[number]);
        let per_segment = form.segment_samples() as u64;
        let full_before = self.samples / per_segment;
        let full_after = (self.samples + samples) / per_segment;
        for segment in full_before..full_after {
            let missing = form.segment_samples() * form.geometry.sample_len() - state.pending.len();
            let (head, rest) = codes.split_at(missing);
            codes = rest;
            let codes = if state.pending.is_empty() {
                Cow::Borrowed(head)
            } else {
                state.pending.extend_from_slice(head);
                Cow::Owned(std::mem::take(&mut state.pending))
            };
            let first_sample = segment * per_segment;
            jobs.push(Job { field: number, first_sample, samples: form.segment_samples(), codes });
        }
        state.pending.extend_from_slice(codes);
    }

    fn encode(&mut self, jobs: &[Job]) -> Result<()> {
        let segments: Vec<_> = jobs
            .iter()
            .map(|job| {
                let (form, codes) = (&self.forms[job.field], &*job.codes);
                Segment { form, samples: job.samples, codes }
            })
            .collect();
        let locate = |number: usize, error| {
            let job: &Job = &jobs[number];
            locate(error, &self.schema.fields[job.field], job.first_sample)
        };
        let encoded = segment::encode(&segments, self.threads, locate)?;
        for (job, segment) in jobs.iter().zip(encoded) {
            self.put_segment(job, segment)?;
        }
        Ok(())
    }

    /// Writes a segment's records.
    fn put_segment(&mut self, job: &Job, segment: EncodedSegment) -> Result<()> {
        let form = &self.forms[job.field];
        let first_block = job.first_sample / form.block_samples as u64;
        let number = first_block / SEGMENT_BLOCKS as u64;
        let codebook = match segment.codebook {
            Some(bytes) => self.put_part(Kind::Codebook, job.field, number, &bytes)?,
            None => Entry::default(),
        };
        self.fields[job.field].index.codebooks.push(codebook);
        self.fields[job.field].summary.encode_time += segment.training_time;
        for (block, number) in segment.blocks.into_iter().zip(first_block..) {
            let entry = self.put_part(Kind::Block, job.field, number, &block.bytes)?;
            let state = &mut self.fields[job.field];
            state.index.blocks.push(entry);
            state.summary.encode_time += block.time;
            for (sum, count) in state.summary.counts.iter_mut().zip(&block.counts) {
                *sum += count;
            }
        }
        Ok(())
    }

    /// Writes the record of a field's block or codebook.
    fn put_part(&mut self, kind: Kind, field: usize, number: u64, bytes: &[u8]) -> Result<Entry> {
        let mut record = Vec::with_capacity(bytes.len() + 64);
        frame::put_record(kind, &mut record, |out| {
            out.extend((field as u32).to_le_bytes());
            out.extend(number.to_le_bytes());
            out.extend(bytes);
        });
        let entry = Entry { offset: self.offset, len: record.len() as u32 };
        self.fields[field].summary.bytes += u64::from(entry.len);
        self.append(&record)?;
        Ok(entry)
    }

    /// Writes the last blocks and the index, syncs, and gives the file its name.
    ///
    /// # Errors
    /// As [`write`](Self::write).
    pub fn finish(mut self) -> Result<Summary> {
        let mut jobs = Vec::new();
        for (field, (form, state)) in self.forms.iter().zip(&mut self.fields).enumerate() {
            let samples = (self.samples % form.segment_samples() as u64) as usize;
            if samples > 0 {
                let codes = Cow::Owned(std::mem::take(&mut state.pending));
                let first_sample = self.samples - samples as u64;
                jobs.push(Job { field, first_sample, samples, codes });
            }
        }
        self.encode(&jobs)?;
        let fields = self.fields.iter_mut().map(|f| std::mem::take(&mut f.index)).collect();
        let index = Index { samples: self.samples, fields };
        let index_offset = self.offset;
        let mut record = Vec::new();
        frame::put_record(Kind::Index, &mut record, |out| index.put(out));
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

/// Opens and empties the part, unless another writer holds it.
fn open_part(part: &Path) -> Result<File> {
    let file = File::options().create(true).truncate(false).write(true).open(part)?;
    match file.try_lock() {
        Ok(()) => {}
        Err(TryLockError::WouldBlock) => return Err(Error::InUse),
        Err(TryLockError::Error(error)) => return Err(error.into()),
    }
    // Between opening and locking, the other writer may have finished: the lock would then be on
    // its published file.
    let (ours, named) = (file.metadata()?, fs::metadata(part).ok());
    if named.is_none_or(|named| (named.dev(), named.ino()) != (ours.dev(), ours.ino())) {
        return Err(Error::InUse);
    }
    file.set_len(0)?;
    Ok(file)
}

impl FieldState {
    fn new() -> Self {
        let summary = FieldSummary { counts: [0; 256], bytes: 0, encode_time: Duration::ZERO };
        Self { pending: Vec::new(), index: FieldIndex::default(), summary }
    }
}

/// Says in which field and sample an error lies.
fn locate(error: Error, spec: &FieldSchema, first_sample: u64) -> Error {
    let Error::CodeOutOfRange { value, index, alphabet } = error else { return error };
    let sample = first_sample + (index / spec.sample_len()) as u64;
    let index = index % spec.sample_len();
    let source = Box::new(Error::CodeOutOfRange { value, index, alphabet });
    Error::InField { field: spec.name.clone(), sample, source }
}

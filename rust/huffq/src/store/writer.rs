//! Samples in, finished files out.

use std::path::Path;
use std::process;
use std::sync::Arc;

use super::batch::{self, Batch};
use super::encoder::Encoder;
use super::files::{FieldSummary, Files, ShardSummary, Unfinished};
use super::group::{self, Group};
use super::schema::{Coding, FieldSchema, GROUP_SYMBOLS, Schema};
use super::{Shards, resume};
use crate::error::{Error, Result};
use crate::parallel::Threads;

/// Writes a `.huffq` file, or a folder of them, in one pass.
///
/// A file grows under the name `NAME.part` and takes its own name when it is whole and synced. A
/// writer that is dropped before leaves the part, if there is a whole group in it, to be resumed.
/// So does one that the disk fails: it takes no more samples, and gives nothing a name.
///
/// Memory holds the group that is not full yet and the few segments that are being encoded, on
/// threads of the writer's own. The bytes do not depend on how the samples are cut into batches, nor
/// on the number of threads.
pub struct Writer {
    schema: Arc<Schema>,
    codings: Arc<[Coding]>,
    group: Group,
    samples: u64,
    /// None once a write has failed: half a record may be there, and what belongs behind it is lost.
    encoder: Option<Encoder>,
    process: u32,
}

/// What [`Writer::finish`] reports.
#[derive(Clone, Debug)]
pub struct Summary {
    /// Samples written.
    pub samples: u64,
    /// Each file, in order.
    pub shards: Vec<ShardSummary>,
    /// Each field, in the schema's order.
    pub fields: Vec<FieldSummary>,
}

impl Writer {
    /// Begins the file that will be `path`, or files in the folder `path` if the schema has shards;
    /// encodes on `threads` threads.
    ///
    /// # Errors
    /// [`Error::InvalidArgument`] if the schema cannot be; [`Error::Io`] if the first file cannot be
    /// created; [`Error::InUse`] if another writer is at work on it.
    pub fn create(path: &Path, schema: &str, threads: Threads) -> Result<Self> {
        Self::create_or(Unfinished::Kept, path, schema, threads)
    }

    /// As [`create`](Self::create), and says what becomes of the files if they are not finished.
    pub(super) fn create_or(
        unfinished: Unfinished,
        path: &Path,
        schema: &str,
        threads: Threads,
    ) -> Result<Self> {
        let (schema, codings) = Schema::from_json(schema)?;
        Self::begin(schema, codings, threads, 0, |schema, codings| {
            Files::create(path, schema, codings, unfinished)
        })
    }

    /// Goes on with what another writer left at `path`; begins anew if there is nothing.
    ///
    /// # Errors
    /// As [`create`](Self::create); [`Error::CannotResume`] if the schemas differ;
    /// [`Error::Corrupt`] if what is there is no part of a file.
    pub fn resume(path: &Path, schema: &str, threads: Threads) -> Result<Self> {
        let Some(state) = resume::state(path)? else { return Self::create(path, schema, threads) };
        let (mut schema, codings) = Schema::from_json(schema)?;
        schema.shards = schema.shards.map(|shards| match state.schema.shards {
            Some(begun) => Shards { first: begun.first, ..shards },
            None => shards,
        });
        let (found, expected) = (state.schema.to_json(), schema.to_json());
        if found != expected {
            return Err(cannot_resume(&found, &expected));
        }
        Self::begin(schema, codings, threads, state.samples(), |schema, codings| {
            Files::resume(path, schema, codings, state)
        })
    }

    fn begin(
        schema: Schema,
        codings: Vec<Coding>,
        threads: Threads,
        samples: u64,
        files: impl FnOnce(Arc<Schema>, Arc<[Coding]>) -> Result<Files>,
    ) -> Result<Self> {
        let (schema, codings): (_, Arc<[_]>) = (Arc::new(schema), codings.into());
        let files = files(schema.clone(), codings.clone())?;
        let encoder = Some(Encoder::new(codings.clone(), threads, files)?);
        let group = Group::new(schema.clone(), codings.clone());
        Ok(Self { schema, codings, group, samples, encoder, process: process::id() })
    }

    /// The schema, defaults filled in.
    pub fn schema(&self) -> &Schema {
        &self.schema
    }

    /// Samples that were given to it, those resumed from included.
    pub fn samples(&self) -> u64 {
        self.samples
    }

    /// Appends `samples` samples of every field, in the schema's order.
    ///
    /// # Errors
    /// [`Error::InvalidArgument`] if a field's codes are not `samples` samples;
    /// [`Error::InField`] names field and sample of a code outside its alphabet; nothing of the batch
    /// is then taken. [`Error::Io`] or [`Error::InUse`] if the disk does not take it; the writer is
    /// given up then, and every further call returns [`Error::GivenUp`].
    pub fn write(&mut self, samples: usize, batch: &[Batch]) -> Result<()> {
        let (fields, codings) = (&self.schema.fields, &*self.codings);
        batch::check_lens(batch, samples, fields, codings)?;
        batch::check_codes(batch, self.samples, fields, codings)?;
        let mut encoder = self.take_encoder()?;
        let (mut rest, mut left) = (batch.to_vec(), samples);
        let mut line = encoder.line();
        while left > 0 {
            left -= self.group.take(&mut rest, left, &mut line)?;
        }
        line.put_ready()?;
        self.samples += samples as u64;
        self.encoder = Some(encoder);
        Ok(())
    }

    /// Appends the first of `samples` samples, and returns how many: whole groups, coded where they
    /// lie and written when it returns, or fewer as [`write`](Self::write) takes them. For a source
    /// that has no more to compute: that spares it the copy.
    ///
    /// # Errors
    /// As [`write`](Self::write), but the writer is also given up if a code is outside its alphabet.
    pub fn write_borrowed(&mut self, samples: usize, batch: &[Batch]) -> Result<usize> {
        let (schema, codings) = (self.schema.clone(), self.codings.clone());
        let (fields, codings) = (&schema.fields, &*codings);
        batch::check_lens(batch, samples, fields, codings)?;
        let mut rest = batch.to_vec();
        let groups = self.borrowed_groups(samples);
        if groups == 0 {
            let taken = self.to_whole_group(samples);
            self.write(taken, &batch::take(&mut rest, taken, codings))?;
            return Ok(taken);
        }
        let group = self.schema.group_samples as usize;
        let mut encoder = self.take_encoder()?;
        let written = encoder.borrowing(|line| {
            (0..groups).try_for_each(|_| {
                let parts = batch::take(&mut rest, group, codings);
                group::hand_on_borrowed(codings, group as u64, &parts, line)
            })
        });
        let taken = groups * group;
        if let Err(error) = written {
            // Threads know a code's place in its segment only.
            let batch = batch::take(&mut batch.to_vec(), taken, codings);
            batch::check_codes(&batch, self.samples, fields, codings)?;
            return Err(error);
        }
        self.samples += taken as u64;
        self.encoder = Some(encoder);
        Ok(taken)
    }

    /// The encoder, for work after which it is to be put back.
    fn take_encoder(&mut self) -> Result<Encoder> {
        if self.process != process::id() {
            // Its threads are not here, and its files are another's.
            let expected = "be one that began in this process";
            return Err(Error::argument("writer", "from before a fork", expected));
        }
        self.encoder.take().ok_or(Error::GivenUp)
    }

    /// Groups of `samples` samples that are coded where they lie.
    fn borrowed_groups(&self, samples: usize) -> usize {
        let Schema { fields, group_samples, .. } = &*self.schema;
        if self.group.samples() > 0 || fields.iter().any(FieldSchema::ragged) {
            return 0;
        }
        let sample_len = self.codings.iter().map(|coding| coding.cut().item_len() as u64).sum();
        let most = GROUP_SYMBOLS / group_samples.saturating_mul(sample_len).max(1);
        (samples as u64 / group_samples).min(most.max(1)) as usize
    }

    /// How many of `samples` samples it takes to end the group at hand.
    fn to_whole_group(&self, samples: usize) -> usize {
        let left = self.schema.group_samples - self.group.samples();
        if self.group.samples() > 0 { left.min(samples as u64) as usize } else { samples }
    }

    /// Writes the last group and the index, syncs, and gives the file its name.
    ///
    /// # Errors
    /// As [`write`](Self::write).
    pub fn finish(mut self) -> Result<Summary> {
        let mut encoder = self.take_encoder()?;
        self.group.close(&mut encoder.line())?;
        let (shards, fields) = encoder.finish()?;
        Ok(Summary { samples: self.samples, shards, fields })
    }

    /// Writes the whole groups that there are, and leaves the part to be resumed. Returns how many
    /// samples it has, those of finished shards included; without any it is removed.
    ///
    /// # Errors
    /// [`Error::Io`]; [`Error::GivenUp`] after a write that failed, which has left them already.
    pub fn suspend(mut self) -> Result<u64> {
        self.take_encoder()?.suspend()
    }
}

/// Quotes two schemas from a little before they differ.
fn cannot_resume(found: &str, expected: &str) -> Error {
    const BEFORE: usize = 40;
    const QUOTED: usize = 120;
    let same = found.chars().zip(expected.chars()).take_while(|(a, b)| a == b).count();
    let quote = |json: &str| {
        let first = same.saturating_sub(BEFORE);
        let part: String = json.chars().skip(first).take(QUOTED).collect();
        let behind = if json.chars().nth(first + QUOTED).is_some() { "…" } else { "" };
        format!("{}{part}{behind}", if first > 0 { "…" } else { "" })
    };
    Error::CannotResume { found: quote(found), expected: quote(expected) }
}

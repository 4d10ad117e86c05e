//! What is left of damaged files, as new ones.

use std::collections::BTreeMap;
use std::fs;
use std::io::ErrorKind;
use std::ops::Range;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};

use serde_json::value::{RawValue, to_raw_value};
use serde_json::{Value, json};

use super::Shards;
use super::files::Unfinished;
use super::schema::{FieldSchema, Schema};
use super::shard::part_path;
use super::wreck::Wreck;
use super::writer::Writer;
use crate::error::{Error, Result};
use crate::parallel::Threads;

/// Under this name a recovered file's metadata say where its samples stood.
const KEY: &str = "huffq.recovered";

/// Called again and again with the bytes that were gone through since the last call, three times
/// those of the files in the end; an error ends the work.
pub type Watch<'a> = &'a mut dyn FnMut(u64) -> Result<()>;

/// What [`recover`] found.
#[derive(Clone, Debug, Default)]
pub struct Recovery {
    /// Samples that were salvaged, by their numbers in the damaged dataset.
    pub kept: Vec<Range<u64>>,
    /// Samples that the damaged dataset had, as far as that is known.
    pub samples: u64,
    /// Each damaged file.
    pub files: Vec<Salvaged>,
}

/// What [`recover`] found in one file.
#[derive(Clone, Debug, Default)]
pub struct Salvaged {
    /// Samples that were salvaged.
    pub kept: u64,
    /// Samples that it had, as far as that is known.
    pub samples: u64,
    /// Blocks that are damaged or missing, in groups of which something is left.
    pub lost_blocks: u64,
    /// Bytes that belong to no whole record.
    pub lost_bytes: u64,
    /// Why nothing is left, if the file could not be looked at.
    pub lost: Option<String>,
}

/// Writes every whole sample of a damaged or unfinished dataset to a new one, `out`: a file, or if
/// `shard_bytes` are given files of that size in the folder `out`. A sample is whole if it is in all
/// fields. The new dataset's metadata say which samples they are.
///
/// `sources` are the dataset's files in order, each with its number of samples if that is known.
/// They stay as they are. After an error, nothing of `out` is there.
///
/// # Errors
/// [`Error::Corrupt`] if fields are not known any more, or differ, or no sample is left;
/// [`Error::InvalidArgument`] if `out` would take a source's place; [`Error::Io`]; what `watch`
/// returns.
pub fn recover(
    sources: &[(PathBuf, Option<u64>)],
    out: &Path,
    shard_bytes: Option<u64>,
    threads: Threads,
    watch: Watch,
) -> Result<Recovery> {
    let mut recovery = Recovery::default();
    let mut wrecks = Vec::new();
    for (path, samples) in sources {
        check_place(path, out)?;
        let alone = sources.len() == 1;
        let found = salvaged(path, alone, watch).map_err(|error| in_file(path, error))?;
        let wreck = match found {
            Ok(wreck) => wreck,
            Err(lost) => {
                let samples = samples.unwrap_or(0);
                recovery.samples += samples;
                recovery.files.push(Salvaged { samples, lost, ..Salvaged::default() });
                continue;
            }
        };
        check_fields(&wreck, wrecks.first()).map_err(|error| in_file(path, error))?;
        let added = recovery.add(&wreck, *samples, threads, watch);
        added.map_err(|error| in_file(path, error))?;
        wrecks.push(wreck);
    }
    let Some(first) = wrecks.first().filter(|_| !recovery.kept.is_empty()) else {
        let error = Error::corrupt("dataset", "no sample is left whole");
        return Err(in_file(&sources[0].0, error));
    };
    let schema = schema(&first.schema, &recovery, shard_bytes)?;
    let writer = Writer::create_or(Unfinished::Removed, out, &schema, threads);
    let written = writer.and_then(|mut writer| {
        copy(&wrecks, &mut writer, threads, watch)?;
        writer.finish()
    });
    written.map_err(|error| in_file(out, error))?;
    Ok(recovery)
}

/// The records of a file; of one of several, why there are none is no error.
fn salvaged(
    path: &Path,
    alone: bool,
    watch: Watch,
) -> Result<std::result::Result<Wreck, Option<String>>> {
    match Wreck::open(path, watch) {
        Ok(wreck) => Ok(Ok(wreck)),
        Err(error @ Error::Corrupt { .. }) if !alone => Ok(Err(Some(error.to_string()))),
        Err(Error::Io(error)) if !alone && error.kind() == ErrorKind::NotFound => {
            Ok(Err(Some("it is missing".into())))
        }
        Err(error) => Err(error),
    }
}

impl Recovery {
    /// Looks at what is left of a file that had `samples` samples, if that is known.
    fn add(
        &mut self,
        wreck: &Wreck,
        samples: Option<u64>,
        threads: Threads,
        watch: Watch,
    ) -> Result<()> {
        let base = self.samples;
        let mut file = Salvaged { lost_bytes: wreck.lost_bytes, ..Salvaged::default() };
        file.samples = samples.unwrap_or(0);
        wreck.salvage(threads, watch, |group| {
            file.samples = file.samples.max(group.first_sample + group.samples);
            file.lost_blocks += group.lost_blocks;
            for range in &group.kept {
                let first = base + group.first_sample;
                push(&mut self.kept, first + range.start as u64..first + range.end as u64);
                file.kept += range.len() as u64;
            }
            Ok(())
        })?;
        self.samples += file.samples;
        self.files.push(file);
        Ok(())
    }
}

/// Adds a range behind others.
fn push(ranges: &mut Vec<Range<u64>>, range: Range<u64>) {
    match ranges.last_mut() {
        Some(last) if last.end == range.start => last.end = range.end,
        _ => ranges.push(range),
    }
}

/// Demands that writing `out` does not touch a source.
fn check_place(source: &Path, out: &Path) -> Result<()> {
    let file = |path: &Path| fs::metadata(path).ok().map(|file| (file.dev(), file.ino()));
    let same = |path: &Path| file(path).is_some_and(|place| Some(place) == file(source));
    let value = match (same(out), same(&part_path(out))) {
        (true, _) => "the damaged file itself".to_owned(),
        (_, true) => {
            format!("to grow as {}, which is the damaged file", part_path(out).display())
        }
        _ => return Ok(()),
    };
    Err(in_file(out, Error::argument("the new file", value, "have another name")))
}

/// Demands that a file has the fields of the first one.
fn check_fields(wreck: &Wreck, first: Option<&Wreck>) -> Result<()> {
    let forms = |wreck: &Wreck| wreck.schema.fields.iter().map(form).collect::<Vec<_>>();
    if first.is_some_and(|first| forms(first) != forms(wreck)) {
        return Err(Error::corrupt("dataset", "the file has other fields than the first one"));
    }
    Ok(())
}

/// What a field has in common in all files of a dataset.
fn form(field: &FieldSchema) -> impl PartialEq + use<> {
    // What is nested too deeply to be looked into is compared as text.
    let value =
        |raw: &RawValue| serde_json::from_str(raw.get()).unwrap_or_else(|_| Value::from(raw.get()));
    let free = (field.dtype.as_deref().map(value), value(&field.attributes));
    let coding = (field.bits, field.signed, field.item_bytes);
    (field.name.clone(), coding, field.sample_shape.clone(), free)
}

/// The new dataset's schema.
fn schema(old: &Schema, recovery: &Recovery, shard_bytes: Option<u64>) -> Result<String> {
    // Values are kept as text: numbers of any length, and whatever is nested however deeply.
    let mut known: BTreeMap<String, Box<RawValue>> =
        serde_json::from_str(old.metadata.get()).unwrap_or_default();
    let ranges: Vec<_> = recovery.kept.iter().map(|range| [range.start, range.end]).collect();
    let raw = |error| Error::argument("metadata", error, "be JSON");
    let places = json!({ "samples": recovery.samples, "ranges": ranges });
    known.insert(KEY.into(), to_raw_value(&places).map_err(raw)?);
    let metadata = to_raw_value(&known).map_err(raw)?;
    let shards = shard_bytes.map(|bytes| Shards { bytes, first: 0 });
    Ok(Schema { metadata, shards, ..old.clone() }.to_json())
}

/// Writes what is whole.
fn copy(wrecks: &[Wreck], writer: &mut Writer, threads: Threads, watch: Watch) -> Result<()> {
    for wreck in wrecks {
        wreck.salvage(threads, watch, |group| {
            let mut lengths = Vec::new();
            group.kept.iter().try_for_each(|range| {
                let batch = group.batch(range, &wreck.codings, &mut lengths);
                writer.write(range.len(), &batch)
            })
        })?;
    }
    Ok(())
}

fn in_file(path: &Path, error: Error) -> Error {
    match error {
        Error::InFile { .. } => error,
        error => Error::InFile { path: path.to_owned(), source: Box::new(error) },
    }
}

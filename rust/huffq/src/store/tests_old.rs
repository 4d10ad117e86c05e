use std::fs;
use std::num::NonZero;
use std::path::{Path, PathBuf};

use tempfile::TempDir;

use super::*;
use crate::Error;

const SCHEMA: &str = r#"{"fields": [
    {"name": "conv", "bits": 4, "signed": false, "sample_shape": [3, 5, 7]},
    {"name": "input", "bits": 6, "signed": true, "sample_shape": [200], "attributes": {"scale": 0.1}},
    {"name": "scalar", "bits": 8, "signed": false, "sample_shape": []},
    {"name": "wide", "bits": 2, "signed": false, "sample_shape": [70000]},
    {"name": "void", "bits": 2, "signed": false, "sample_shape": [0, 4]}
], "metadata": {"note": 1.10}}"#;

const SAMPLE_LENS: [usize; 5] = [105, 200, 1, 70_000, 0];

/// The codes of `samples` samples of every field.
fn codes(samples: usize) -> Vec<Vec<u8>> {
    let value = |field: usize, i: usize| match field {
        0 => (i * i / 3 % 16 * (i % 2)) as u8,
        1 => ((i * 31 % 64) as i8 - 32) as u8,
        2 => i as u8,
        _ => (i / 1000 % 4) as u8,
    };
    SAMPLE_LENS
        .iter()
        .enumerate()
        .map(|(field, len)| (0..samples * len).map(|i| value(field, i)).collect())
        .collect()
}

fn write(path: &Path, samples: usize, batch: usize, threads: usize) -> Summary {
    let all = codes(samples);
    let schema = Schema::from_json(SCHEMA).unwrap();
    let mut writer = Writer::create(path, schema, NonZero::new(threads)).unwrap();
    for start in (0..samples).step_by(batch) {
        let n = batch.min(samples - start);
        let slices: Vec<&[u8]> = all
            .iter()
            .zip(SAMPLE_LENS)
            .map(|(c, len)| &c[start * len..(start + n) * len])
            .collect();
        writer.write(n, &slices).unwrap();
    }
    writer.finish().unwrap()
}

fn written(samples: usize) -> (TempDir, PathBuf) {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("acts.huffq");
    write(&path, samples, samples.max(1), 2);
    (folder, path)
}

#[test]
fn bytes_depend_neither_on_batches_nor_on_threads() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("a.huffq");
    write(&path, 1000, 1000, 1);
    let reference = fs::read(&path).unwrap();
    for (batch, threads) in [(1, 1), (7, 2), (999, 3)] {
        write(&path, 1000, batch, threads);
        assert!(fs::read(&path).unwrap() == reference, "batches of {batch}, {threads} threads");
    }
    assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 1, "no part is left");
}

#[test]
fn any_range_and_any_samples_come_back() {
    let (_folder, path) = written(700);
    let reader = Reader::open(&path).unwrap();
    assert_eq!(reader.samples(), 700);
    for (field, (all, len)) in codes(700).iter().zip(SAMPLE_LENS).enumerate() {
        for (start, stop) in
            [(0, 700), (0, 0), (3, 4), (311, 313), (623, 625), (699, 700), (700, 700)]
        {
            let mut out = vec![9; (stop - start) * len];
            reader.read_range(field, start as u64..stop as u64, &mut out, NonZero::new(2)).unwrap();
            assert!(out == all[start * len..stop * len], "field {field}, {start}..{stop}");
        }
        let picks = [699u64, 0, 0, 312, 311, 624, 5];
        let mut out = vec![9; picks.len() * len];
        reader.read_samples(field, &picks, &mut out, NonZero::new(3)).unwrap();
        let expected: Vec<u8> =
            picks.iter().flat_map(|&s| all[s as usize * len..][..len].to_vec()).collect();
        assert!(out == expected, "field {field}");
    }
}

#[test]
fn the_schema_comes_back_with_its_free_form_parts_verbatim() {
    let (_folder, path) = written(1);
    let schema = Reader::open(&path).unwrap().schema().clone();
    assert_eq!(schema.metadata.get(), r#"{"note": 1.10}"#);
    assert_eq!(schema.fields[1].attributes.get(), r#"{"scale": 0.1}"#);
    assert_eq!(schema.fields[0].block_samples, 65536 / 105);
    assert_eq!(schema.fields[3].block_samples, 1, "a sample above the cap is a block of its own");
}

#[test]
fn the_summary_counts_what_was_written() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("a.huffq");
    let summary = write(&path, 50, 8, 2);
    assert_eq!((summary.samples, summary.bytes), (50, fs::metadata(&path).unwrap().len()));
    let negatives = summary.fields[1].counts[32..64].iter().sum::<u64>();
    let expected = codes(50)[1].iter().filter(|&&c| (c as i8) < 0).count();
    assert_eq!(negatives, expected as u64);
    assert_eq!(summary.fields[3].counts.iter().sum::<u64>(), 50 * 70_000);
    assert_eq!(summary.fields[0].bytes, Reader::open(&path).unwrap().encoded_bytes(0));
}

#[test]
fn a_file_without_samples_is_whole() {
    let (_folder, path) = written(0);
    let reader = Reader::open(&path).unwrap();
    assert_eq!(reader.samples(), 0);
    reader.read_range(0, 0..0, &mut [], NonZero::new(1)).unwrap();
    assert!(reader.read_range(0, 0..1, &mut [0; 105], NonZero::new(1)).is_err());
    assert!(reader.read_samples(0, &[u64::MAX], &mut [0; 105], NonZero::new(1)).is_err());
}

#[test]
fn a_code_out_of_range_names_field_and_sample_and_leaves_no_file() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("a.huffq");
    fs::write(&path, "an older file").unwrap();
    let schema = Schema::from_json(SCHEMA).unwrap();
    let mut writer = Writer::create(&path, schema, NonZero::new(2)).unwrap();
    let mut all = codes(800);
    all[0][700 * 105 + 8] = 16;
    let slices: Vec<&[u8]> = all.iter().map(Vec::as_slice).collect();
    writer.write(800, &slices).unwrap();
    let error = writer.finish().unwrap_err();
    assert_eq!(
        error.to_string(),
        "field \"conv\", sample 700: value 16 at index 8 does not fit 4 bits unsigned (0 to 15)"
    );
    assert_eq!(fs::read_to_string(&path).unwrap(), "an older file");
    assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 1);
}

#[test]
fn batches_of_the_wrong_form_are_refused() {
    let folder = tempfile::tempdir().unwrap();
    let schema = Schema::from_json(SCHEMA).unwrap();
    let mut writer = Writer::create(&folder.path().join("a"), schema, None).unwrap();
    assert!(writer.write(1, &[&[0; 105]]).is_err());
    assert!(writer.write(2, &[&[0; 105], &[0; 200], &[0], &[0; 70_000], &[]]).is_err());
}

#[test]
fn wrong_schemas_are_refused() {
    for json in [
        "",
        "{}",
        r#"{"fields": []}"#,
        r#"{"fields": [{"name": "a", "bits": 9, "signed": false, "sample_shape": []}]}"#,
        r#"{"fields": [{"name": "a", "bits": 4, "signed": false, "sample_shape": [65536, 65536]}]}"#,
        r#"{"fields": [{"name": "a", "bits": 4, "signed": false, "sample_shape": [-1]}]}"#,
        r#"{"fields": [{"name": "a", "bits": 4, "signed": false, "sample_shape": [2]},
                       {"name": "a", "bits": 4, "signed": false, "sample_shape": [2]}]}"#,
        r#"{"fields": [{"name": "a", "bits": 4, "signed": false, "sample_shape": [4],
                        "block_samples": 18446744073709551615}]}"#,
    ] {
        let error = Schema::from_json(json).unwrap_err();
        assert!(matches!(error, Error::InvalidArgument { .. }), "{json}");
    }
}

/// Opens `path` and reads everything that the file says it holds.
fn read_all(path: &Path) -> crate::Result<Vec<Vec<u8>>> {
    let reader = Reader::open(path)?;
    (0..reader.schema().fields.len())
        .map(|field| {
            let len = reader.schema().fields[field].sample_len();
            let mut out = vec![0; reader.samples() as usize * len];
            reader.read_range(field, 0..reader.samples(), &mut out, NonZero::new(1))?;
            Ok(out)
        })
        .collect()
}

const SMALL: &str = r#"{"fields": [
    {"name": "a", "bits": 4, "signed": false, "sample_shape": [9], "block_samples": 4},
    {"name": "b", "bits": 3, "signed": true, "sample_shape": [2], "block_samples": 7}]}"#;

fn small_file(path: &Path) -> Vec<u8> {
    let mut writer =
        Writer::create(path, Schema::from_json(SMALL).unwrap(), NonZero::new(1)).unwrap();
    let a: Vec<u8> = (0..90).map(|i| i % 9 * (i % 4) / 2).collect();
    let b: Vec<u8> = (0..20).map(|i| (i % 8 - 4i8) as u8).collect();
    writer.write(10, &[&a, &b]).unwrap();
    writer.finish().unwrap();
    fs::read(path).unwrap()
}

/// Codes of 1,500 samples of the small schema's fields: several segments, worth codebooks.
fn skewed() -> [Vec<u8>; 2] {
    let a =
        (0..1500 * 9u32).map(|i| [0, 0, 1, 0, 3, 7][(i * i / 5 % 6) as usize] * (i % 9 / 4) as u8);
    let b = (0..1500 * 2u32).map(|i| (i % 7 / 3) as u8);
    [a.collect(), b.collect()]
}

#[test]
fn segments_with_codebooks_do_not_depend_on_batches_and_come_back() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("a.huffq");
    let [a, b] = skewed();
    let mut files = Vec::new();
    for (batch, threads) in [(1500, 1), (1, 2), (511, 3)] {
        let schema = Schema::from_json(SMALL).unwrap();
        let mut writer = Writer::create(&path, schema, NonZero::new(threads)).unwrap();
        for (a, b) in a.chunks(9 * batch).zip(b.chunks(2 * batch)) {
            writer.write(b.len() / 2, &[a, b]).unwrap();
        }
        writer.finish().unwrap();
        files.push(fs::read(&path).unwrap());
        let reader = Reader::open(&path).unwrap();
        let codebooks = &reader.index.fields[0].codebooks;
        assert_eq!(codebooks.len(), 3);
        assert!(codebooks.iter().all(|entry| entry.len > 0), "{codebooks:?}");
        assert_eq!(read_all(&path).unwrap(), [a.clone(), b.clone()]);
    }
    assert!(files.iter().all(|file| *file == files[0]));
}

#[test]
fn a_damaged_codebook_is_named() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("a.huffq");
    let [a, b] = skewed();
    let mut writer = Writer::create(&path, Schema::from_json(SMALL).unwrap(), None).unwrap();
    writer.write(1500, &[&a, &b]).unwrap();
    writer.finish().unwrap();
    let entry = Reader::open(&path).unwrap().index.fields[0].codebooks[1];
    let mut bytes = fs::read(&path).unwrap();
    bytes[entry.offset as usize + 30] ^= 1;
    fs::write(&path, bytes).unwrap();
    let error = read_all(&path).unwrap_err();
    assert_eq!(error.to_string(), "codebook 1 of field \"a\" is corrupt: its checksum differs");
}

#[test]
fn every_bit_flip_is_an_error() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("a.huffq");
    let bytes = small_file(&path);
    for bit in 0..8 * bytes.len() {
        let mut flipped = bytes.clone();
        flipped[bit / 8] ^= 1 << (bit % 8);
        fs::write(&path, &flipped).unwrap();
        let error = read_all(&path).expect_err("a flipped bit");
        assert!(!matches!(error, Error::Io(_)), "bit {bit}: {error}");
    }
}

#[test]
fn every_truncation_is_an_error() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("a.huffq");
    let bytes = small_file(&path);
    for len in 0..bytes.len() {
        fs::write(&path, &bytes[..len]).unwrap();
        let error = Reader::open(&path).unwrap_err();
        let truncated = matches!(error, Error::Truncated { .. } | Error::Unfinished);
        assert!(truncated, "{len} bytes: {error}");
    }
}

#[test]
fn a_file_cut_while_it_is_open_is_an_error() {
    let (_folder, path) = written(100);
    let reader = Reader::open(&path).unwrap();
    fs::OpenOptions::new().write(true).open(&path).unwrap().set_len(2000).unwrap();
    let error = reader.read_range(3, 0..100, &mut vec![0; 7_000_000], NonZero::new(2)).unwrap_err();
    assert!(matches!(error, Error::Truncated { .. }), "{error}");
}

use std::fs;
use std::num::NonZero;
use std::path::Path;
use std::sync::Arc;

use super::*;
use crate::Error;

const SCHEMA: &str = r#"{"fields": [
    {"name": "conv", "bits": 4, "sample_shape": [3, 5, 7]},
    {"name": "input", "bits": 6, "signed": true, "sample_shape": [200], "attributes": {"scale": 0.1}},
    {"name": "wide", "bits": 2, "sample_shape": [70000]},
    {"name": "void", "bits": 2, "sample_shape": [0, 4]},
    {"name": "tokens", "bits": 3, "sample_shape": [null, 9]},
    {"name": "label", "item_bytes": 4, "dtype": "<i4", "sample_shape": []}
], "group_samples": 60, "metadata": {"note": 1.10}}"#;

const ITEM_LENS: [usize; 6] = [105, 200, 70_000, 0, 9, 4];
const RAGGED: usize = 4;

fn lengths(samples: usize) -> Vec<u64> {
    (0..samples as u64).map(|i| i * i % 7).collect()
}

/// Items of a field before a sample.
fn items(field: usize, sample: usize) -> usize {
    if field == RAGGED { lengths(sample).iter().sum::<u64>() as usize } else { sample }
}

/// The codes of `samples` samples of every field.
fn codes(samples: usize) -> Vec<Vec<u8>> {
    let value = |field: usize, i: usize| match field {
        0 => (i * i / 3 % 16 * (i % 2)) as u8,
        1 => ((i * 31 % 64) as i8 - 32) as u8,
        4 => (i % 8) as u8,
        5 => i as u8,
        _ => (i / 1000 % 4) as u8,
    };
    let len = |field: usize| items(field, samples) * ITEM_LENS[field];
    (0..6).map(|field| (0..len(field)).map(|i| value(field, i)).collect()).collect()
}

fn write(path: &Path, samples: usize, batch: usize, threads: usize) -> Summary {
    let (all, lengths) = (codes(samples), lengths(samples));
    let mut writer = Writer::create(path, SCHEMA, NonZero::new(threads)).unwrap();
    for start in (0..samples).step_by(batch) {
        let stop = samples.min(start + batch);
        let parts: Vec<_> = (0..6)
            .map(|field| {
                let place = |sample| items(field, sample) * ITEM_LENS[field];
                let lengths = (field == RAGGED).then(|| &lengths[start..stop]);
                Batch { codes: &all[field][place(start)..place(stop)], lengths }
            })
            .collect();
        writer.write(stop - start, &parts).unwrap();
    }
    writer.finish().unwrap()
}

fn read_all(reader: &Reader, field: usize) -> Vec<u8> {
    let items = reader.items(field);
    let mut out = vec![9; items as usize * ITEM_LENS[field]];
    reader.read(field, std::slice::from_ref(&(0..items)), &mut out, NonZero::new(2)).unwrap();
    out
}

#[test]
fn bytes_depend_neither_on_batches_nor_on_threads() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("a.huffq");
    let summary = write(&path, 200, 200, 1);
    assert_eq!(
        (summary.samples, summary.shards[0].bytes),
        (200, fs::metadata(&path).unwrap().len())
    );
    let reference = fs::read(&path).unwrap();
    for (batch, threads) in [(1, 1), (7, 2), (199, 3)] {
        write(&path, 200, batch, threads);
        assert!(fs::read(&path).unwrap() == reference, "batches of {batch}, {threads} threads");
    }
    assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 1, "no part is left");
}

#[test]
fn any_ranges_come_back_in_any_order() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("a.huffq");
    write(&path, 200, 200, 2);
    let reader = Reader::open(&path).unwrap();
    assert_eq!((reader.samples(), reader.groups()), (200, 4));
    for (field, all) in codes(200).iter().enumerate() {
        assert!(read_all(&reader, field) == *all);
        let samples = [199, 0, 0, 59, 60, 61, 120];
        let ranges = reader.sample_items(field, &samples).unwrap();
        let len = ITEM_LENS[field];
        let expected: Vec<u8> = samples
            .iter()
            .flat_map(|&s| &all[items(field, s as usize) * len..items(field, s as usize + 1) * len])
            .copied()
            .collect();
        for _ in 0..2 {
            let mut out = vec![9; expected.len()];
            reader.read(field, &ranges, &mut out, NonZero::new(3)).unwrap();
            assert!(out == expected, "field {field}");
        }
    }
    assert!(reader.sample_items(0, &[200]).is_err());
    assert!(
        reader.read(0, std::slice::from_ref(&(0..201)), &mut vec![0; 201 * 105], None).is_err()
    );
}

#[test]
fn batches_are_decoded_ahead_in_order() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("a.huffq");
    write(&path, 200, 200, 2);
    let reader = Arc::new(Reader::open(&path).unwrap());
    let batches = Batches::new(reader.clone(), vec![0, RAGGED], 10..200, 33, None).unwrap();
    let (mut conv, mut tokens, mut sizes) = (Vec::new(), Vec::new(), Vec::new());
    while let Some(chunk) = batches.next() {
        let [(codes, None), (items, Some(lengths))] = &chunk.unwrap()[..] else {
            panic!("two fields, the second one ragged");
        };
        conv.extend_from_slice(codes.as_ref());
        tokens.extend_from_slice(items.as_ref());
        sizes.extend_from_slice(lengths);
    }
    let all = codes(200);
    assert!(conv == all[0][10 * 105..]);
    assert!(tokens == all[RAGGED][items(RAGGED, 10) * 9..]);
    assert_eq!(sizes, lengths(200)[10..]);
    assert!(Batches::new(reader, vec![0], 0..201, 1, None).is_err());
}

#[test]
fn batches_end_with_the_first_damage() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("a.huffq");
    write(&path, 200, 50, 2);
    let mut bytes = fs::read(&path).unwrap();
    let middle = bytes.len() / 2;
    bytes[middle..][..1000].iter_mut().step_by(50).for_each(|byte| *byte ^= 1);
    fs::write(&path, bytes).unwrap();
    let reader = Arc::new(Reader::open(&path).unwrap());
    for threads in [1, 3] {
        let fields = (0..reader.schema().fields.len()).collect();
        let threads = NonZero::new(threads);
        let batches = Batches::new(reader.clone(), fields, 0..200, 5, threads).unwrap();
        let whole = std::iter::from_fn(|| batches.next()).take_while(Result::is_ok).count();
        assert!((1..40).contains(&whole), "{whole}");
        assert!(batches.next().is_none());
    }
}

#[test]
fn a_suspended_writer_goes_on_with_the_same_bytes() {
    let folder = tempfile::tempdir().unwrap();
    let (path, whole) = (folder.path().join("a.huffq"), folder.path().join("whole.huffq"));
    let field = r#"{"name": "x", "bits": 4, "sample_shape": [300]}"#;
    let schema = format!(r#"{{"fields": [{field}], "group_samples": 50}}"#);
    let codes: Vec<u8> = (0..300 * 180u64).map(|i| (i * i / 7 % 11) as u8).collect();
    let write = |writer: &mut Writer, samples: std::ops::Range<usize>| {
        let codes = &codes[300 * samples.start..300 * samples.end];
        writer.write(samples.len(), &[Batch { codes, lengths: None }]).unwrap();
    };
    let mut writer = Writer::create(&whole, &schema, None).unwrap();
    write(&mut writer, 0..180);
    writer.finish().unwrap();
    for stop in [0, 49, 50, 120, 150] {
        let mut writer = Writer::create(&path, &schema, NonZero::new(1)).unwrap();
        write(&mut writer, 0..stop);
        let kept = stop / 50 * 50;
        assert_eq!(writer.suspend().unwrap(), kept as u64);
        let point = resume_point(&path).unwrap();
        assert_eq!(point.map_or(0, |(samples, _)| samples), kept as u64);
        let mut writer = Writer::resume(&path, &schema, NonZero::new(2)).unwrap();
        write(&mut writer, kept..180);
        writer.finish().unwrap();
        assert!(fs::read(&path).unwrap() == fs::read(&whole).unwrap());
    }
    let other = schema.replace("50}", "51}");
    let mut writer = Writer::create(&path, &schema, None).unwrap();
    write(&mut writer, 0..60);
    writer.suspend().unwrap();
    assert!(matches!(Writer::resume(&path, &other, None), Err(Error::CannotResume { .. })));
}

#[test]
fn a_writer_whose_write_failed_takes_and_publishes_nothing_more() {
    let folder = tempfile::tempdir().unwrap();
    let field = r#"{"name": "x", "bits": 4, "sample_shape": [300]}"#;
    let shards = r#""shards": {"bytes": 1, "first": 0}"#;
    let schema = format!(r#"{{"fields": [{field}], "group_samples": 50, {shards}}}"#);
    let codes = vec![3; 300 * 120];
    let batch = [Batch { codes: &codes, lengths: None }];
    let second = folder.path().join("shard-00001.huffq");
    let failed = || {
        let mut writer = Writer::create(folder.path(), &schema, NonZero::new(1)).unwrap();
        fs::write(&second, "somebody else's").unwrap();
        let error = (0..99).find_map(|_| writer.write(120, &batch).err());
        assert!(matches!(error, Some(Error::Io(_))), "{error:?}");
        writer
    };
    let mut writer = failed();
    assert!(matches!(writer.write(120, &batch), Err(Error::GivenUp)));
    assert!(matches!(writer.finish(), Err(Error::GivenUp)));
    assert_eq!(fs::read(&second).unwrap(), b"somebody else's");
    assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 2, "the first shard, and that file");
    fs::remove_file(folder.path().join("shard-00000.huffq")).unwrap();
    assert!(matches!(failed().suspend(), Err(Error::GivenUp)));
}

#[test]
fn a_recovery_that_is_stopped_leaves_nothing() {
    let folder = tempfile::tempdir().unwrap();
    let (path, out) = (folder.path().join("a.huffq"), folder.path().join("b.huffq"));
    write(&path, 200, 200, 1);
    let sources = [(path.clone(), None)];
    let calls = |stop: usize| {
        let mut calls = 0;
        let mut watch = |_| {
            calls += 1;
            if calls == stop { Err(Error::InUse) } else { Ok(()) }
        };
        let found = recover(&sources, &out, None, None, &mut watch);
        (calls, found.is_ok())
    };
    let (all, _) = calls(0);
    fs::remove_file(&out).unwrap();
    for stop in 1..=all {
        assert_eq!(calls(stop), (stop, false));
        assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 1, "after {stop} of {all}");
    }
}

#[test]
fn two_writers_do_not_meet() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("a.huffq");
    let writer = Writer::create(&path, SCHEMA, None).unwrap();
    assert!(matches!(Writer::create(&path, SCHEMA, None), Err(Error::InUse)));
    drop(writer);
    assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 0, "nothing to resume is left");
}

#[test]
fn schemas_that_cannot_be_are_refused() {
    for field in [
        r#""bits": 9, "sample_shape": []"#,
        r#""sample_shape": []"#,
        r#""bits": 4, "item_bytes": 4, "sample_shape": []"#,
        r#""item_bytes": 0, "sample_shape": []"#,
        r#""bits": 4, "sample_shape": [3, null]"#,
        r#""bits": 4, "sample_shape": [8, 8], "block_items": 1025"#,
        r#""bits": 4, "sample_shape": [4294967296, 4294967296]"#,
        r#""bits": 4, "sample_shape": [2], "axes": {"channel": 1, "neighbours": [null, null]}"#,
        r#""bits": 4, "sample_shape": [null], "axes": {"channel": 0, "neighbours": [null, null]}"#,
    ] {
        let json = format!(r#"{{"fields": [{{"name": "f", {field}}}]}}"#);
        assert!(Schema::from_json(&json).is_err(), "{field}");
    }
    let twice = r#"{"fields": [{"name": "f", "bits": 4, "sample_shape": []},
                               {"name": "f", "bits": 4, "sample_shape": []}]}"#;
    assert!(Schema::from_json(twice).is_err());
    assert!(Schema::from_json(r#"{"fields": []}"#).is_err());
}

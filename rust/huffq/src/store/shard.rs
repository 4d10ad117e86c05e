//! One file that is being written: records, pages, root and trailer.

use std::fs::{self, File, TryLockError};
use std::io::{self, Seek, SeekFrom, Write};
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};

use super::frame::{self, Entry, Kind, Tag};
use super::page::{FieldBuilder, PageBuilder};
use super::root::{GroupEntry, Root, Totals};
use super::schema::{Coding, Schema};
use super::segment_head::SegmentHead;
use crate::error::{Error, Result};
use crate::segment::EncodedSegment;

/// A file under the name `NAME.part`, whole groups of it on disk.
pub struct ShardFile {
    file: File,
    path: PathBuf,
    offset: u64,
    page: PageBuilder,
    root: Root,
    buffer: Vec<u8>,
    /// What the root begins with.
    schema: String,
}

/// The name of a file that is being written.
pub fn part_path(path: &Path) -> PathBuf {
    let mut name = path.as_os_str().to_owned();
    name.push(".part");
    PathBuf::from(name)
}

impl ShardFile {
    /// Begins the file that will be `path`.
    ///
    /// # Errors
    /// [`Error::Io`]; [`Error::InUse`] if another writer is at work on it.
    pub fn create(path: &Path, schema: &Schema, codings: &[Coding]) -> Result<Self> {
        if path.is_dir() {
            return Err(io::Error::from(io::ErrorKind::IsADirectory).into());
        }
        let schema = schema.to_json();
        let mut buffer = frame::header().to_vec();
        let tag = Tag::new(Kind::Schema, 0);
        frame::put_record(tag, &mut buffer, |out| out.extend(schema.as_bytes()))?;
        let file = open_part(&part_path(path))?;
        let root = Root { groups: Vec::new(), totals: codings.iter().map(Totals::of).collect() };
        let (path, page) = (path.to_owned(), PageBuilder::default());
        let mut shard = Self { file, path, offset: 0, page, root, buffer, schema };
        let begun = shard.file.set_len(0).map_err(Error::from).and_then(|()| shard.flush());
        if let Err(error) = begun {
            // The first error is the one to tell.
            let _ = shard.remove();
            return Err(error);
        }
        Ok(shard)
    }

    /// Goes on with the part of `path`, of which `root` lists the groups and `end` is the end.
    pub fn resume(path: &Path, schema: &Schema, root: Root, end: u64) -> Result<Self> {
        let mut file = open_part(&part_path(path))?;
        file.set_len(end)?;
        file.seek(SeekFrom::Start(end))?;
        let (path, page) = (path.to_owned(), PageBuilder::default());
        let (buffer, schema) = (Vec::new(), schema.to_json());
        Ok(Self { file, path, offset: end, page, root, buffer, schema })
    }

    /// The name that it will have.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// Bytes written.
    pub fn bytes(&self) -> u64 {
        self.offset
    }

    /// Samples of whole groups.
    pub fn samples(&self) -> u64 {
        self.root.groups.last().map_or(0, |group| group.samples)
    }

    /// What the fields have in whole groups.
    pub fn totals(&self) -> &[Totals] {
        &self.root.totals
    }

    /// Writes a segment of the group that is at work; `place` is its first block's number.
    pub fn put_segment(
        &mut self,
        field: usize,
        place: usize,
        head: SegmentHead,
        segment: &EncodedSegment,
    ) -> Result<()> {
        if self.page.fields.is_empty() {
            self.page.start = self.offset;
        }
        if place == 0 {
            let (segments, blocks) = (Vec::new(), Vec::new());
            self.page.fields.push(FieldBuilder { segments, blocks, counts: [0; 256] });
        }
        let group = self.root.groups.len() as u32;
        let tag =
            |kind, place: usize| Tag { kind, field: field as u16, group, place: place as u32 };
        frame::put_record(tag(Kind::Segment, place), &mut self.buffer, |out| head.put(out))?;
        let builder = self.page.fields.last_mut().expect("a field has begun");
        builder.segments.push(head);
        for (block, place) in segment.blocks.iter().zip(place..) {
            let start = self.buffer.len();
            let tag = tag(Kind::Block, place);
            frame::put_record(tag, &mut self.buffer, |out| out.extend(&block.bytes))?;
            builder.blocks.push((self.buffer.len() - start) as u32);
            builder.counts.iter_mut().zip(&block.counts).for_each(|(sum, n)| *sum += n);
        }
        let totals = &mut self.root.totals[field];
        totals.bytes += self.buffer.len() as u64;
        self.flush()
    }

    /// Ends the group: writes its page. `items` are those of the ragged fields.
    ///
    /// # Errors
    /// [`Error::Io`]; [`Error::InvalidArgument`] if the root would grow too long: the groups before
    /// can still be finished.
    pub fn end_group(&mut self, codings: &[Coding], samples: u64, items: &[u64]) -> Result<()> {
        frame::check_len(Kind::Root, self.root.payload_len(&self.schema, items.len(), 1))?;
        let page = std::mem::take(&mut self.page);
        let offset = self.offset;
        let tag = Tag::new(Kind::Page, self.root.groups.len() as u32);
        frame::put_record(tag, &mut self.buffer, |out| page.put(codings, out))?;
        let len = self.buffer.len() as u32;
        self.flush()?;
        for (totals, field) in self.root.totals.iter_mut().zip(&page.fields) {
            totals.items += field.segments[0].items()? as u64;
            totals.counts.iter_mut().zip(&field.counts).for_each(|(sum, n)| *sum += n);
        }
        self.root.push(Entry { offset, len }, samples, items);
        Ok(())
    }

    /// Writes root and trailer, syncs, and gives the file its name; returns its bytes.
    pub fn finish(&mut self) -> Result<u64> {
        let offset = self.offset;
        let tag = Tag::new(Kind::Root, 0);
        frame::put_record(tag, &mut self.buffer, |out| self.root.put(&self.schema, out))?;
        let len = self.buffer.len() as u32;
        self.buffer.extend(frame::trailer(Entry { offset, len }));
        self.flush()?;
        self.file.sync_all()?;
        // The rename lasts only when the folder is synced too.
        let folder = self.path.parent().filter(|p| !p.as_os_str().is_empty());
        let folder = File::open(folder.unwrap_or(Path::new(".")))?;
        fs::rename(part_path(&self.path), &self.path)?;
        folder.sync_all()?;
        Ok(self.offset)
    }

    /// Makes what was written last, and leaves it under the name `NAME.part`.
    pub fn suspend(self) -> Result<()> {
        Ok(self.file.sync_all()?)
    }

    /// Removes what was written.
    pub fn remove(self) -> Result<()> {
        Ok(fs::remove_file(part_path(&self.path))?)
    }

    /// What a killed process wrote must be on its way: there is no buffer of ours but within a call.
    fn flush(&mut self) -> Result<()> {
        self.file.write_all(&self.buffer)?;
        self.offset += self.buffer.len() as u64;
        self.buffer.clear();
        Ok(())
    }
}

impl Root {
    /// Adds a group.
    pub fn push(&mut self, page: Entry, samples: u64, items: &[u64]) {
        let none = GroupEntry { items: vec![0; items.len()], ..GroupEntry::default() };
        let before = self.groups.last().unwrap_or(&none);
        let samples = before.samples + samples;
        let items = before.items.iter().zip(items).map(|(sum, n)| sum + n).collect();
        self.groups.push(GroupEntry { page, samples, items });
    }
}

/// Opens the part, unless another writer holds it.
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
    Ok(file)
}

#[cfg(test)]
mod tests {
    use std::num::NonZero;
    use std::time::{Duration, Instant};

    use super::*;
    use crate::segment;
    use crate::store::Reader;

    const SAMPLES: usize = 1 << 16;
    const SAMPLE: usize = 128;

    /// Codes of one group, skewed enough to be coded under a codebook.
    fn codes() -> Vec<u8> {
        (0..(SAMPLES * SAMPLE) as u32)
            .map(|i| (i.wrapping_mul(0x9e37_79b9) >> 16).trailing_zeros().min(15) as u8)
            .collect()
    }

    /// A sparse file: pages of all groups, records of every ten thousandth.
    fn write(path: &Path, groups: usize) -> u64 {
        let json = r#"{"fields": [{"name": "x", "bits": 4, "sample_shape": [128]}]}"#;
        let (schema, codings) = Schema::from_json(json).unwrap();
        let Coding::Codes(form) = &codings[0] else { panic!("a coded field") };
        let segment = segment::encode(form, SAMPLES, &codes(), NonZero::new(2)).unwrap().remove(0);
        let mut shard = ShardFile::create(path, &schema, &codings).unwrap();
        for group in 0..groups {
            let head = SegmentHead {
                first_sample: (group * SAMPLES) as u64,
                samples: SAMPLES as u64,
                lengths: None,
                codebook: segment.codebook.clone().unwrap_or_default(),
            };
            if group.is_multiple_of(10_000) {
                shard.put_segment(0, 0, head, &segment).unwrap();
            } else {
                let len = |bytes: usize| (frame::HEAD_LEN + bytes) as u32;
                let blocks: Vec<_> = segment.blocks.iter().map(|b| len(b.bytes.len())).collect();
                let mut bytes = Vec::new();
                head.put(&mut bytes);
                let end = shard.offset
                    + u64::from(len(bytes.len()))
                    + blocks.iter().map(|&n| u64::from(n)).sum::<u64>();
                let field = FieldBuilder { segments: vec![head], blocks, counts: [0; 256] };
                shard.page = PageBuilder { start: shard.offset, fields: vec![field] };
                shard.offset = shard.file.seek(SeekFrom::Start(end)).unwrap();
            }
            shard.end_group(&codings, SAMPLES as u64, &[]).unwrap();
        }
        let pages: u64 = shard.root.groups.iter().map(|g| u64::from(g.page.len)).sum();
        let codebooks = segment.codebook.map_or(0, |book| book.len()) * groups;
        let before = shard.offset;
        let bytes = shard.finish().unwrap();
        pages - codebooks as u64 + (bytes - before)
    }

    #[test]
    fn a_file_of_a_hundred_gigabytes_opens_and_reads_at_once() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("huge.huffq");
        let groups = 90_000;
        let index = write(&path, groups);
        let size = fs::metadata(&path).unwrap().len();
        assert!(size > 100_000_000_000, "{size}");
        assert!(index <= 24 * 128 * groups as u64, "{index} bytes of index");
        // The fastest of some: the bound is on huffq, not on the machine's other work.
        let fastest = |run: &mut dyn FnMut()| {
            let time = |_| {
                let begin = Instant::now();
                run();
                begin.elapsed()
            };
            (0..5).map(time).min().unwrap()
        };
        let opening = fastest(&mut || drop(Reader::open(&path).unwrap()));
        assert!(opening < Duration::from_millis(50), "{opening:?}");
        let codes = codes();
        let reader = Reader::open(&path).unwrap();
        let mut group = 0;
        let reading = fastest(&mut || {
            let sample = (group * 10_000 * SAMPLES + 777) as u64;
            let mut out = [0; SAMPLE];
            let range = sample..sample + 1;
            reader.read(0, std::slice::from_ref(&range), &mut out, NonZero::new(1)).unwrap();
            assert_eq!(out, codes[777 * SAMPLE..778 * SAMPLE]);
            group += 1;
        });
        assert!(reading < Duration::from_millis(1), "{reading:?}");
    }
}

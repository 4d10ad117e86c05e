//! A look at every byte of a file.

use super::frame::{self, HEADER_LEN, Kind, Tag};
use super::read::zeros;
use super::reader::{Reader, check_front, named};
use super::source::read_bytes;
use crate::Backend;
use crate::block::Coder;
use crate::error::{Error, Result};
use crate::parallel::{self, Threads};

impl Reader {
    /// Checks what opening does not look at: header and schema at the front of the file.
    ///
    /// # Errors
    /// [`Error::Corrupt`], [`Error::Truncated`] or [`Error::Io`].
    pub fn verify_front(&self) -> Result<()> {
        check_front(&*self.source, self.size)?;
        let start = HEADER_LEN as u64;
        let end = match self.groups() {
            0 => self.size,
            _ => self.page(0)?.start,
        };
        let json = self.schema().to_json();
        let mut record = Vec::new();
        frame::put_record(Tag::new(Kind::Schema, 0), &mut record, |out| out.extend(json.bytes()))?;
        let there = read_bytes(&*self.source, self.size, start, record.len() as u64)?;
        if there != record || (self.groups() > 0 && start + record.len() as u64 != end) {
            return Err(Error::corrupt("schema", "the file's front and its index differ"));
        }
        Ok(())
    }

    /// Reads and checks a group: its page, each segment, and a share `fraction` of its blocks, which
    /// are decoded on up to `threads` threads.
    ///
    /// # Errors
    /// As [`read`](Self::read).
    pub fn verify_group(&self, group: usize, fraction: f64, threads: Threads) -> Result<()> {
        if group >= self.groups() {
            return Err(Error::argument("group", group, format!("be below {}", self.groups())));
        }
        let page = self.page(group)?;
        for (number, field) in page.fields.iter().enumerate() {
            for segment in &field.segments {
                let record = read_bytes(
                    &*self.source,
                    self.size,
                    segment.entry.offset,
                    segment.entry.len.into(),
                )?;
                let place = segment.blocks.start as u32;
                let tag =
                    Tag { kind: Kind::Segment, field: number as u16, group: group as u32, place };
                let name = || format!("segment of field {number} in group {group}");
                let head =
                    frame::payload_of(&record, tag).map_err(|error| named(error, &name()))?;
                if head != segment.head {
                    return Err(Error::corrupt(name(), "its copy in the index page differs"));
                }
            }
        }
        let blocks = |field: usize| {
            let picked = (0..page.fields[field].blocks.len()).filter(move |&b| picks(b, fraction));
            picked.map(move |block| (field, block))
        };
        let work = (0..page.fields.len()).flat_map(blocks).collect();
        let backend = Backend::current()?;
        parallel::map(
            threads,
            work,
            || (),
            |(), (field, block)| {
                let entry = page.fields[field].blocks[block];
                let record = read_bytes(&*self.source, self.size, entry.offset, entry.len.into())?;
                let symbols = self.codings[field].cut().symbols(block, page.fields[field].items);
                let mut out = zeros(symbols.len())?;
                Coder::with(backend, |coder| {
                    self.decode_block(coder, &page, (field, group, block), &record, &mut out)
                })
            },
        )?;
        Ok(())
    }
}

/// Whether a block is one of a share of all: those are spread evenly.
fn picks(block: usize, fraction: f64) -> bool {
    let golden = block as f64 * 0.618_033_988_749_894_9;
    golden.fract() < fraction
}

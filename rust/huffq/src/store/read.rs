//! Samples out: blocks are fetched in runs, checked and decoded on many threads.

use std::io;
use std::ops::Range;
use std::sync::Arc;

use super::frame::{self, Entry, Kind, Tag};
use super::page::{FieldPage, Page};
use super::reader::{Reader, named};
use super::schema::Coding;
use super::source::with_bytes;
use crate::Backend;
use crate::block::Coder;
use crate::error::{Error, Result};
use crate::parallel::{self, Threads};
use crate::segment::for_slab;

/// A part of a block, and where it goes.
struct Piece<'a> {
    group: usize,
    block: usize,
    /// First symbol within the block.
    from: usize,
    out: &'a mut [u8],
}

/// Blocks of one group that lie one behind the other.
struct Run<'a, 'b> {
    page: Arc<Page>,
    pieces: &'b mut [Piece<'a>],
}

impl Reader {
    /// Decodes ranges of a field's items into `out`, one behind the other, on up to `threads`
    /// threads. Each block is read and decoded once, however many ranges hit it.
    ///
    /// # Errors
    /// [`Error::InvalidArgument`] if a range is not inside the field or `out` has another length;
    /// [`Error::Corrupt`] or [`Error::Truncated`] name the first damaged part; [`Error::Io`].
    pub fn read(
        &self,
        field: usize,
        ranges: &[Range<u64>],
        out: &mut [u8],
        threads: Threads,
    ) -> Result<()> {
        let item_len = self.codings[field].cut().item_len();
        self.check_ranges(field, ranges, item_len, out.len())?;
        if out.is_empty() {
            return Ok(());
        }
        let mut pieces = Vec::new();
        let mut rest = out;
        for range in ranges {
            let len = (range.end - range.start) as usize * item_len;
            let (out, others) = std::mem::take(&mut rest).split_at_mut(len);
            rest = others;
            self.cut_into_pieces(field, range.start, out, &mut pieces)?;
        }
        pieces.sort_by_key(|piece| (piece.group, piece.block));
        self.take_from_cache(field, &mut pieces);
        let runs = self.runs(field, &mut pieces)?;
        let backend = Backend::current()?;
        parallel::map(
            threads,
            runs,
            || (),
            |(), run| Coder::with(backend, |coder| self.decode_run(field, run, coder)),
        )?;
        Ok(())
    }

    fn check_ranges(
        &self,
        field: usize,
        ranges: &[Range<u64>],
        item_len: usize,
        out_len: usize,
    ) -> Result<()> {
        let items = self.items(field);
        let mut sum = 0u64;
        for range in ranges {
            if range.start > range.end || range.end > items {
                let expected = format!("lie within the field's {items}");
                return Err(Error::argument("range", format!("{range:?}"), expected));
            }
            sum = sum.saturating_add(range.end - range.start);
        }
        let len = usize::try_from(sum).ok().and_then(|sum| sum.checked_mul(item_len));
        if len != Some(out_len) {
            let expected = format!("be that of {sum} times {item_len}");
            return Err(Error::argument("number of elements of out", out_len, expected));
        }
        Ok(())
    }

    /// Cuts the items from `item` on at the borders of groups and blocks.
    fn cut_into_pieces<'a>(
        &self,
        field: usize,
        mut item: u64,
        mut out: &'a mut [u8],
        pieces: &mut Vec<Piece<'a>>,
    ) -> Result<()> {
        let cut = self.codings[field].cut();
        while !out.is_empty() {
            let group = self.group_of(field, item);
            let (first, end) = (self.end(field, group), self.end(field, group + 1));
            let items = (end - first) as usize;
            let mut symbol = (item - first) as usize * cut.item_len();
            let stop = (items * cut.item_len()).min(symbol.saturating_add(out.len()));
            while symbol < stop {
                let block = cut.block_of(symbol);
                let symbols = cut.symbols(block, items);
                let len = symbols.end.min(stop) - symbol;
                let (part, rest) = out.split_at_mut(len);
                out = rest;
                pieces.push(Piece { group, block, from: symbol - symbols.start, out: part });
                symbol += len;
            }
            item = end;
        }
        Ok(())
    }

    /// Serves what the cache has, and leaves the others.
    fn take_from_cache(&self, field: usize, pieces: &mut Vec<Piece>) {
        let cache = &self.caches.get().blocks;
        if !cache.enabled() {
            return;
        }
        pieces.retain_mut(|piece| {
            let Some(codes) = cache.get(&(field, piece.group, piece.block)) else { return true };
            piece.out.copy_from_slice(&codes[piece.from..][..piece.out.len()]);
            false
        });
    }

    /// Puts neighbouring blocks together, up to some bytes.
    fn runs<'a, 'b>(
        &self,
        field: usize,
        mut pieces: &'b mut [Piece<'a>],
    ) -> Result<Vec<Run<'a, 'b>>> {
        let most = self.source.run_bytes() as u64;
        let mut runs = Vec::new();
        while let Some(first) = pieces.first() {
            let (group, start) = (first.group, first.block);
            let page = self.page(group)?;
            let blocks = &page.fields[field].blocks;
            let offset = blocks[start].offset;
            let mut last = start;
            let fits = |piece: &Piece| {
                let next = piece.group == group
                    && piece.block <= last + 1
                    && (piece.block == last || blocks[piece.block].end() - offset <= most);
                last = if next { piece.block } else { last };
                next
            };
            let count = pieces.iter().position({
                let mut fits = fits;
                move |piece| !fits(piece)
            });
            let count = count.unwrap_or(pieces.len());
            let (run, rest) = std::mem::take(&mut pieces).split_at_mut(count);
            pieces = rest;
            runs.push(Run { page, pieces: run });
        }
        Ok(runs)
    }

    fn decode_run(&self, field: usize, run: Run, coder: &mut Coder) -> Result<()> {
        let blocks = &run.page.fields[field].blocks;
        let (first, last) = (run.pieces[0].block, run.pieces[run.pieces.len() - 1].block);
        let start = blocks[first].offset;
        with_bytes(&*self.source, self.size, start, blocks[last].end() - start, |bytes| {
            self.decode_pieces(field, run, bytes, coder)
        })
    }

    /// Decodes a run of blocks, of which these are the bytes.
    fn decode_pieces(&self, field: usize, run: Run, bytes: &[u8], coder: &mut Coder) -> Result<()> {
        let Run { page, pieces } = run;
        let blocks = &page.fields[field].blocks;
        let start = blocks[pieces[0].block].offset;
        let cache = &self.caches.get().blocks;
        for pieces in pieces.chunk_by_mut(|a, b| a.block == b.block) {
            let (group, block) = (pieces[0].group, pieces[0].block);
            let Entry { offset, len } = blocks[block];
            let record = &bytes[(offset - start) as usize..][..len as usize];
            let symbols = self.codings[field].cut().symbols(block, page.fields[field].items).len();
            if let [Piece { out, .. }] = &mut *pieces
                && out.len() == symbols
            {
                self.decode_block(coder, &page, (field, group, block), record, out)?;
                continue;
            }
            let mut codes = zeros(symbols)?;
            self.decode_block(coder, &page, (field, group, block), record, &mut codes)?;
            for Piece { from, out, .. } in pieces {
                out.copy_from_slice(&codes[*from..][..out.len()]);
            }
            if cache.enabled() {
                cache.put((field, group, block), Arc::new(codes), symbols);
            }
        }
        Ok(())
    }

    /// Checks and decodes the record of a block.
    pub(super) fn decode_block(
        &self,
        coder: &mut Coder,
        page: &Page,
        (field, group, block): (usize, usize, usize),
        record: &[u8],
        out: &mut [u8],
    ) -> Result<()> {
        let name = || {
            let field = &self.schema().fields[field].name;
            format!("block {block} of field {field:?} in group {group}")
        };
        let tag = Tag {
            kind: Kind::Block,
            field: field as u16,
            group: group as u32,
            place: block as u32,
        };
        let mut decode = || {
            let body = frame::payload_of(record, tag)?;
            decode_body(coder, &self.codings[field], &page.fields[field], block, body, out)
        };
        decode().map_err(|error| named(error, &name()))
    }
}

/// Decodes a block's payload.
pub(super) fn decode_body(
    coder: &mut Coder,
    coding: &Coding,
    page: &FieldPage,
    block: usize,
    body: &[u8],
    out: &mut [u8],
) -> Result<()> {
    let Coding::Codes(form) = coding else {
        if body.len() != out.len() {
            return Err(Error::corrupt("block", "it has another number of bytes"));
        }
        out.copy_from_slice(body);
        return Ok(());
    };
    let codebook = page.codebook(coding, block)?;
    let slab = form.cut.slab(block, page.items);
    let codebook = codebook.map(|codebook| for_slab(codebook, &slab));
    coder.decode(body, form.alphabet, codebook.as_deref(), out)
}

/// Memory that a damaged file may claim too much of.
pub(super) fn zeros(len: usize) -> Result<Vec<u8>> {
    let mut bytes = Vec::new();
    bytes.try_reserve_exact(len).map_err(|_| io::Error::from(io::ErrorKind::OutOfMemory))?;
    bytes.resize(len, 0);
    Ok(bytes)
}

//! Lanes and raw streams to sequences of classes.

use super::lanes::LaneReader;
use super::shape::has_mask;
use super::{ClassCode, Coding};
use crate::Backend;
use crate::cursor::Cursor;
use crate::error::{Error, Result};
use crate::kernels::{Ahead, SLACK, packed_len};
use crate::pivot::{LINE, Node, Streams, aligned, decode_streams};

/// The buffers of a [`Decoder`].
#[derive(Debug, Default)]
pub(crate) struct Scratch {
    ping: Vec<u8>,
    pong: Vec<u8>,
    /// Decoded masks of a class.
    masks: Vec<u8>,
    counts: Vec<usize>,
    spans: Vec<Span>,
    /// What decoding fetches on its way.
    pub(crate) ahead: Ahead,
}

/// Where a node's stream stands.
#[derive(Clone, Copy, Debug, Default)]
struct Span {
    /// Among the decoded masks, not in the block's raw section.
    decoded: bool,
    start: usize,
    len: usize,
}

/// Decodes the classes of a block one after another.
pub(crate) struct Decoder<'a> {
    backend: Backend,
    scratch: &'a mut Scratch,
    /// One bit per coded node of all classes: its mask stands in the raw section.
    flags: &'a [u8],
    next_flag: usize,
    lanes: Option<LaneReader<'a>>,
    raw: &'a [u8],
    raw_position: usize,
}

impl<'a> Decoder<'a> {
    /// Reads the head of a block of `n` symbols whose classes have `coded` coded nodes together.
    ///
    /// # Errors
    /// [`Error::Truncated`] or [`Error::Corrupt`] if the head is not one.
    pub(crate) fn new(
        backend: Backend,
        scratch: &'a mut Scratch,
        coded: usize,
        n: usize,
        block: &'a [u8],
    ) -> Result<Self> {
        let mut cursor = Cursor::new("block", block);
        let flags = cursor.take(coded.div_ceil(8))?;
        if !coded.is_multiple_of(8) && flags[coded / 8] >> (coded % 8) != 0 {
            return Err(Error::corrupt("block", "the padding of its flags is not zero"));
        }
        let lanes = if coded > 0 { Some(LaneReader::new(n, &mut cursor)?) } else { None };
        let raw = cursor.take(cursor.remaining())?;
        Ok(Self { backend, scratch, flags, next_flag: 0, lanes, raw, raw_position: 0 })
    }

    /// Decodes the next class into all of `out`.
    ///
    /// # Errors
    /// [`Error::Truncated`] if the raw section ends too early; [`Error::Corrupt`] if a mask changed
    /// under the decoder. What lanes hold is not checked before [`finish`](Self::finish).
    pub(crate) fn take(&mut self, code: &ClassCode, out: &mut [u8]) -> Result<()> {
        self.locate(code, out.len())?;
        let Scratch { ping, pong, masks, counts, spans, ahead } = &mut *self.scratch;
        // As for splitting; a kernel driven by a changed mask stays within this too.
        let len = 2 * out.len() + code.tree.nodes().len() / 2 * LINE + LINE + SLACK;
        let (ping, pong) = (aligned(ping, len), aligned(pong, len));
        let streams = ClassStreams { counts, spans, masks, raw: self.raw };
        decode_streams(self.backend, &code.tree, &streams, ping, pong, ahead, out)
    }

    /// Finds every node's stream and count, from the root down; masks are decoded on the way.
    fn locate(&mut self, code: &ClassCode, n: usize) -> Result<()> {
        let nodes = code.tree.nodes();
        self.scratch.counts.clear();
        self.scratch.counts.resize(nodes.len(), n);
        self.scratch.spans.clear();
        self.scratch.spans.resize(nodes.len(), Span::default());
        let mut decoded = 0;
        for (index, &node) in nodes.iter().enumerate().rev() {
            let count = self.scratch.counts[index];
            let span = match node {
                Node::Flat { depth: 0, .. } => continue,
                _ => self.stream(&code.codings[index], node, count, &mut decoded)?,
            };
            self.scratch.spans[index] = span;
            if let Node::Merge { left, .. } = node {
                let right = self.backend.count_ones(self.bytes(span), count);
                self.scratch.counts[usize::from(left)] = count - right;
                self.scratch.counts[index - 1] = right;
            }
        }
        Ok(())
    }

    /// The stream of a node with `count` symbols; a coded mask is put behind the `decoded` bytes.
    fn stream(
        &mut self,
        coding: &Coding,
        node: Node,
        count: usize,
        decoded: &mut usize,
    ) -> Result<Span> {
        let depth = match node {
            Node::Flat { depth, .. } => u32::from(depth),
            Node::Merge { .. } => 1,
        };
        let len = packed_len(count, depth);
        debug_assert!(has_mask(node) || coding.code().is_none());
        if let (Some(code), Some(lanes)) = (coding.code(), &mut self.lanes) {
            let flag = self.next_flag;
            self.next_flag += 1;
            if self.flags[flag / 8] >> (flag % 8) & 1 == 0 {
                let start = *decoded;
                *decoded += len;
                if self.scratch.masks.len() < *decoded {
                    self.scratch.masks.resize(decoded.next_power_of_two(), 0);
                }
                let mask = &mut self.scratch.masks[start..*decoded];
                lanes.take(self.backend, code, mask);
                return Ok(Span { decoded: true, start, len });
            }
        }
        let start = self.raw_position;
        if self.raw.len() - start < len {
            let (needed, available) = ((start + len) as u64, self.raw.len() as u64);
            return Err(Error::Truncated { what: "raw streams", needed, available });
        }
        self.raw_position += len;
        Ok(Span { decoded: false, start, len })
    }

    fn bytes(&self, span: Span) -> &[u8] {
        let section = if span.decoded { &self.scratch.masks } else { self.raw };
        &section[span.start..][..span.len]
    }

    /// Checks that the block was read to its end.
    ///
    /// # Errors
    /// [`Error::Corrupt`] if it was not, or if a lane was read beyond its end.
    pub(crate) fn finish(self) -> Result<()> {
        if self.raw_position != self.raw.len() {
            let (used, len) = (self.raw_position, self.raw.len());
            return Err(Error::corrupt("raw streams", format!("{len} bytes, {used} are needed")));
        }
        self.lanes.map_or(Ok(()), LaneReader::finish)
    }
}

/// The streams of a class, all of them found.
struct ClassStreams<'a> {
    counts: &'a [usize],
    spans: &'a [Span],
    masks: &'a [u8],
    raw: &'a [u8],
}

impl Streams for ClassStreams<'_> {
    fn count(&self, node: usize) -> usize {
        self.counts[node]
    }

    fn stream(&self, node: usize) -> &[u8] {
        let span = self.spans[node];
        let section = if span.decoded { self.masks } else { self.raw };
        &section[span.start..][..span.len]
    }
}

//! Where each node's stream lies in a payload.

use std::ops::Range;

use super::bits::{BitReader, BitWriter};
use super::tree::{Node, Tree};
use crate::error::{Error, Result};

/// One node's share of a block.
#[derive(Clone, Copy, Debug, Default)]
struct Span {
    /// Symbols that pass through the node.
    count: usize,
    /// Where its stream begins, counted from the first stream.
    start: usize,
}

/// For every node of a tree its count and its stream's place.
#[derive(Debug, Default)]
pub(super) struct Layout {
    spans: Vec<Span>,
    len: usize,
}

impl Layout {
    /// The layout of a block with these symbol counts, one per symbol.
    pub(super) fn count(&mut self, tree: &Tree, counts: &[u64]) {
        let count = |&symbol: &u8| counts.get(usize::from(symbol)).map_or(0, |&c| c as usize);
        self.spans.clear();
        for (index, node) in tree.nodes().iter().enumerate() {
            let count = match *node {
                Node::Flat { depth, first } => {
                    tree.symbols()[usize::from(first)..][..1 << depth].iter().map(count).sum()
                }
                Node::Merge { left, .. } => {
                    self.spans[usize::from(left)].count + self.spans[index - 1].count
                }
            };
            self.spans.push(Span { count, start: 0 });
        }
        self.place(tree);
    }

    /// Reads the node counts of a block of `n` symbols off the front of `payload`; returns the
    /// streams that follow.
    ///
    /// # Errors
    /// [`Error::Truncated`] or [`Error::Corrupt`] unless the payload has exactly the bytes that
    /// the counts promise.
    pub(super) fn read<'a>(
        &mut self,
        tree: &Tree,
        n: usize,
        payload: &'a [u8],
    ) -> Result<&'a [u8]> {
        let mut reader = BitReader::new(payload);
        self.spans.clear();
        self.spans.resize(tree.nodes().len(), Span { count: n, start: 0 });
        for (index, node) in tree.nodes().iter().enumerate().rev() {
            let Node::Merge { left, .. } = *node else {
                continue;
            };
            let count = self.spans[index].count;
            let right = reader.read(count_bits(count))?;
            let Some(rest) = count.checked_sub(right) else {
                let why = format!("{right} of a node's {count} symbols go right");
                return Err(Error::corrupt("node counts", why));
            };
            self.spans[usize::from(left)].count = rest;
            self.spans[index - 1].count = right;
        }
        self.place(tree);
        self.check(&payload[reader.position()..])
    }

    fn check<'a>(&self, streams: &'a [u8]) -> Result<&'a [u8]> {
        let (needed, available) = (self.len as u64, streams.len() as u64);
        if needed > available {
            return Err(Error::Truncated { what: "node streams", needed, available });
        }
        if needed < available {
            let why = format!("{available} bytes are there, {needed} are needed");
            return Err(Error::corrupt("node streams", why));
        }
        Ok(streams)
    }

    /// Writes the node counts.
    pub(super) fn write(&self, tree: &Tree, out: &mut Vec<u8>) {
        let mut writer = BitWriter::new(out);
        for (index, node) in tree.nodes().iter().enumerate().rev() {
            if let Node::Merge { .. } = node {
                writer.write(self.spans[index - 1].count, count_bits(self.spans[index].count));
            }
        }
        writer.finish();
    }

    /// Places the streams one after another.
    fn place(&mut self, tree: &Tree) {
        self.len = 0;
        for (span, node) in self.spans.iter_mut().zip(tree.nodes()) {
            span.start = self.len;
            self.len += stream_len(node, span.count);
        }
    }

    /// Symbols that pass through a node.
    pub(super) fn node_count(&self, index: usize) -> usize {
        self.spans[index].count
    }

    /// Where a node's stream lies among the streams.
    pub(super) fn stream(&self, index: usize) -> Range<usize> {
        let end = self.spans.get(index + 1).map_or(self.len, |next| next.start);
        self.spans[index].start..end
    }

    /// Bytes of node counts and streams.
    pub(super) fn payload_len(&self, tree: &Tree) -> usize {
        let merges = tree.nodes().iter().zip(&self.spans);
        let bits: u32 = merges
            .filter(|(node, _)| matches!(node, Node::Merge { .. }))
            .map(|(_, span)| count_bits(span.count))
            .sum();
        bits.div_ceil(8) as usize + self.len
    }

    /// Bytes of all streams.
    pub(super) fn streams_len(&self) -> usize {
        self.len
    }
}

/// Bits that hold any number from 0 to `count`.
fn count_bits(count: usize) -> u32 {
    usize::BITS - count.leading_zeros()
}

/// Bytes of a node's stream. A slice's length times 8 bits cannot overflow: no allocation exceeds
/// half the address space, and eight bits per symbol are as many bytes as symbols.
fn stream_len(node: &Node, count: usize) -> usize {
    match *node {
        Node::Flat { depth, .. } => {
            let depth = usize::from(depth);
            count / 8 * depth + (count % 8 * depth).div_ceil(8)
        }
        Node::Merge { .. } => count.div_ceil(8),
    }
}

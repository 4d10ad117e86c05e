//! Sequences of classes to lanes and raw streams.

use std::ops::Range;

use super::ClassCode;
use super::lanes::LaneWriter;
use crate::Backend;
use crate::kernels::SLACK;
use crate::pivot::{LINE, Node, Tree, aligned};

/// Encodes the classes of a block one after another, in buffers of its own.
#[derive(Debug, Default)]
pub(crate) struct Encoder {
    masks: MaskStreams,
    lanes: LaneWriter,
    /// One bit per coded node: its mask stands among the raw ones.
    flags: Vec<bool>,
    raw: Vec<u8>,
}

/// The streams of a tree's nodes, in the order in which they are stored.
#[derive(Debug, Default)]
pub(super) struct MaskStreams {
    /// Two halves of a ping-pong: what goes left stays, what goes right moves.
    ping: Vec<u8>,
    pong: Vec<u8>,
    streams: Vec<u8>,
    spans: Vec<(usize, Range<usize>)>,
}

impl Encoder {
    /// Starts a block of `n` symbols.
    pub(crate) fn start(&mut self, n: usize) {
        self.lanes.start(n);
        self.flags.clear();
        self.raw.clear();
    }

    /// Encodes the next class.
    pub(crate) fn put(&mut self, backend: Backend, code: &ClassCode, symbols: &[u8]) {
        for (node, stream) in self.masks.split(backend, &code.tree, symbols) {
            let coded = code.codings[node].code().map(|code| self.lanes.put(backend, code, stream));
            self.flags.extend(coded.map(|coded| !coded));
            if coded != Some(true) {
                self.raw.extend_from_slice(stream);
            }
        }
    }

    /// Appends the block.
    pub(crate) fn finish(&mut self, out: &mut Vec<u8>) {
        let byte =
            |flags: &[bool]| flags.iter().rev().fold(0, |byte, &flag| byte << 1 | u8::from(flag));
        out.extend(self.flags.chunks(8).map(byte));
        if !self.flags.is_empty() {
            self.lanes.finish(out);
        }
        out.extend_from_slice(&self.raw);
    }
}

impl MaskStreams {
    /// The streams of all nodes that are not leaves: node, right subtree, left subtree.
    pub(super) fn split(
        &mut self,
        backend: Backend,
        tree: &Tree,
        symbols: &[u8],
    ) -> impl Iterator<Item = (usize, &[u8])> {
        let n = symbols.len();
        // A sequence of m symbols begins at most n - m bytes into its buffer, plus a line for each
        // level of the tree.
        let len = 2 * n + tree.nodes().len() / 2 * LINE + LINE + SLACK;
        let ping = aligned(&mut self.ping, len);
        let pong = aligned(&mut self.pong, len);
        self.streams.clear();
        self.spans.clear();
        backend.translate(tree.ranks(), symbols, &mut ping[..n]);
        let (streams, spans) = (&mut self.streams, &mut self.spans);
        Splitter { backend, tree, streams, spans }.subtree(tree.nodes().len() - 1, n, ping, pong);
        self.spans.iter().map(|(node, span)| (*node, &self.streams[span.clone()]))
    }
}

struct Splitter<'a> {
    backend: Backend,
    tree: &'a Tree,
    streams: &'a mut Vec<u8>,
    spans: &'a mut Vec<(usize, Range<usize>)>,
}

impl Splitter<'_> {
    /// Appends the streams of a subtree whose `n` symbols' ranks stand at the front of `ranks`.
    ///
    /// As in the pivot layout's encoder: right first, with the place that it left to work in.
    fn subtree(&mut self, index: usize, n: usize, ranks: &mut [u8], spare: &mut [u8]) {
        let (left, split) = match self.tree.nodes()[index] {
            Node::Flat { depth: 0, .. } => return,
            Node::Flat { depth, first } => return self.flat(index, depth, first, &ranks[..n]),
            Node::Merge { left, split } => (usize::from(left), split),
        };
        let leaf = self.tree.leaf(left).is_some();
        let backend = self.backend;
        let stream = self.append(index, n.div_ceil(8));
        let moved = if leaf {
            backend.take_right(split, ranks, n, stream, spare)
        } else {
            backend.partition(split, ranks, n, stream, spare)
        };
        if leaf {
            return self.subtree(index - 1, moved, spare, ranks);
        }
        let behind = (n - moved).next_multiple_of(LINE);
        self.subtree(index - 1, moved, spare, &mut ranks[behind..]);
        self.subtree(left, n - moved, ranks, spare);
    }

    fn flat(&mut self, index: usize, depth: u8, first: u8, ranks: &[u8]) {
        let backend = self.backend;
        let n = ranks.len();
        let depth_bits = usize::from(depth);
        let stream = self.append(index, n / 8 * depth_bits + (n % 8 * depth_bits).div_ceil(8));
        match depth {
            8 => stream.copy_from_slice(ranks),
            _ => backend.pack(depth, first, ranks, stream),
        }
    }

    fn append(&mut self, node: usize, len: usize) -> &mut [u8] {
        let start = self.streams.len();
        self.streams.resize(start + len, 0);
        self.spans.push((node, start..start + len));
        &mut self.streams[start..]
    }
}

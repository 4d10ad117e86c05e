//! Payload to symbols.

use super::tree::{Node, Tree};
use super::{LINE, Layout, Scratch};
use crate::error::{Error, Result};
use crate::kernels::{Ahead, Backend};

/// Decodes a payload into `out`, one symbol for every byte of it.
///
/// # Errors
/// [`Error::Truncated`] or [`Error::Corrupt`] if the payload has not exactly the length that its
/// node counts promise, or if a mask's population differs from the count. `out` then holds
/// arbitrary symbols.
pub fn decode(
    backend: Backend,
    tree: &Tree,
    payload: &[u8],
    scratch: &mut Scratch,
    out: &mut [u8],
) -> Result<()> {
    let mut ahead = scratch.ahead;
    let (layout, ping, pong) = scratch.split(out.len());
    let streams = layout.read(tree, out.len(), payload)?;
    decode_streams(backend, tree, &Payload { layout, streams }, ping, pong, &mut ahead, out)
}

/// Where the nodes' counts and streams are to be found.
pub(crate) trait Streams {
    /// Symbols that pass through a node.
    fn count(&self, node: usize) -> usize;
    /// A node's mask, or its packed numbers, of as many bytes as that count takes.
    fn stream(&self, node: usize) -> &[u8];
}

/// A payload whose node counts were read.
struct Payload<'a> {
    layout: &'a Layout,
    streams: &'a [u8],
}

impl Streams for Payload<'_> {
    fn count(&self, node: usize) -> usize {
        self.layout.node_count(node)
    }

    fn stream(&self, node: usize) -> &[u8] {
        &self.streams[self.layout.stream(node)]
    }
}

/// Decodes all of `out`, as many symbols as the root's count. `ping` and `pong` need twice that,
/// a line for each level of the tree, and the kernels' slack. What lies `ahead` is fetched on the
/// way.
pub(crate) fn decode_streams(
    backend: Backend,
    tree: &Tree,
    streams: &impl Streams,
    ping: &mut [u8],
    pong: &mut [u8],
    ahead: &mut Ahead,
    out: &mut [u8],
) -> Result<()> {
    let mut decoder = Decoder { backend, tree, streams, ahead };
    let root = tree.nodes().len() - 1;
    decoder.children(root, ping, pong)?;
    decoder.node(root, ping, out)
}

struct Decoder<'a, S> {
    backend: Backend,
    tree: &'a Tree,
    streams: &'a S,
    ahead: &'a mut Ahead,
}

impl<S: Streams> Decoder<'_, S> {
    /// Decodes a subtree into the front of `out`; `spare` is working space.
    fn subtree(&mut self, index: usize, out: &mut [u8], spare: &mut [u8]) -> Result<()> {
        self.children(index, spare, out)?;
        self.node(index, spare, &mut out[..self.streams.count(index)])
    }

    /// Decodes a node's children, the left one into the front of `out`, the right one behind it.
    ///
    /// A child's own children go to `spare`, which holds nothing else yet, and theirs behind what
    /// `out` holds: two buffers serve any tree.
    fn children(&mut self, index: usize, out: &mut [u8], spare: &mut [u8]) -> Result<()> {
        let Node::Merge { left, .. } = self.tree.nodes()[index] else { return Ok(()) };
        if self.tree.leaf(left.into()).is_none() {
            self.subtree(left.into(), out, spare)?;
        }
        self.subtree(index - 1, &mut out[self.right_start(left.into())..], spare)
    }

    /// Where a right child begins behind its left sibling, of which a leaf takes no place.
    fn right_start(&self, left: usize) -> usize {
        match self.tree.leaf(left) {
            Some(_) => 0,
            None => self.streams.count(left).next_multiple_of(LINE),
        }
    }

    /// Decodes one node, whose children stand in `children`, into all of `out`.
    fn node(&mut self, index: usize, children: &[u8], out: &mut [u8]) -> Result<()> {
        let stream = self.streams.stream(index);
        let left = match self.tree.nodes()[index] {
            // 256 leaves of one length are all symbols, and their numbers whole bytes.
            Node::Flat { depth: 8, .. } => {
                self.backend.translate(self.tree.symbols(), stream, out);
                return Ok(());
            }
            Node::Flat { depth, first } => {
                let symbols = &self.tree.symbols()[usize::from(first)..][..1 << depth];
                self.backend.unpack(stream, symbols, self.ahead, out);
                return Ok(());
            }
            Node::Merge { left, .. } => usize::from(left),
        };
        let merged = match self.tree.leaf(left) {
            Some(symbol) => self.backend.merge_constant(stream, symbol, children, self.ahead, out),
            None => {
                let right = &children[self.right_start(left)..];
                self.backend.merge(stream, children, right, self.ahead, out)
            }
        };
        // A kernel stays within its slices whatever the mask; whether it took the right symbols
        // shows only in how many it took.
        let expected = self.streams.count(index - 1);
        if merged == expected {
            return Ok(());
        }
        let why = format!("{merged} bits are set, the node counts say {expected}");
        Err(Error::corrupt("node mask", why))
    }
}

//! Symbols to payload.

use super::tree::{Node, Tree};
use super::{LINE, Layout, Scratch};
use crate::error::{Error, Result};
use crate::kernels::Backend;

/// Appends the payload of `symbols` to `out`.
///
/// `counts` says how often each symbol occurs in `symbols`; whoever made the code has counted.
///
/// # Errors
/// [`Error::NoCodeword`] names the first symbol that the tree does not hold;
/// [`Error::InvalidArgument`] if `counts` are not those of `symbols`. `out` is then as before.
pub fn encode(
    backend: Backend,
    tree: &Tree,
    symbols: &[u8],
    counts: &[u64],
    scratch: &mut Scratch,
    out: &mut Vec<u8>,
) -> Result<()> {
    let (layout, ping, pong) = scratch.split(symbols.len());
    layout.count(tree, counts);
    let root = tree.nodes().len() - 1;
    if layout.node_count(root) != symbols.len() {
        return Err(missing(tree, symbols));
    }
    let before = out.len();
    layout.write(tree, out);
    let streams = out.len();
    out.resize(streams + layout.streams_len(), 0);
    backend.translate(tree.ranks(), symbols, &mut ping[..symbols.len()]);
    let streams = &mut out[streams..];
    let result = Encoder { backend, tree, layout, streams }.subtree(root, ping, pong);
    if result.is_err() {
        out.truncate(before);
    }
    result
}

/// Why the counted symbols of the tree are not all of `symbols`.
fn missing(tree: &Tree, symbols: &[u8]) -> Error {
    match symbols.iter().position(|&symbol| !tree.contains(symbol)) {
        Some(index) => Error::NoCodeword { symbol: symbols[index], index },
        None => miscounted(),
    }
}

fn miscounted() -> Error {
    Error::argument("counts", "of other symbols", "count the symbols to encode")
}

/// The streams being written.
struct Encoder<'a> {
    backend: Backend,
    tree: &'a Tree,
    layout: &'a Layout,
    streams: &'a mut [u8],
}

impl Encoder<'_> {
    /// Writes the streams of a subtree whose symbols' ranks stand at the front of `ranks`; `spare`
    /// is working space.
    ///
    /// Ranks that go left stay, those that go right move to `spare`. The right subtree is written
    /// first, with the place that its ranks left as its working space.
    fn subtree(&mut self, index: usize, ranks: &mut [u8], spare: &mut [u8]) -> Result<()> {
        let count = self.layout.node_count(index);
        let stream = &mut self.streams[self.layout.stream(index)];
        let (left, split) = match self.tree.nodes()[index] {
            Node::Flat { depth: 8, .. } => {
                stream.copy_from_slice(&ranks[..count]);
                return Ok(());
            }
            Node::Flat { depth, first } => {
                self.backend.pack(depth, first, &ranks[..count], stream);
                return Ok(());
            }
            Node::Merge { left, split } => (usize::from(left), split),
        };
        let leaf = self.tree.leaf(left).is_some();
        let moved = if leaf {
            self.backend.take_right(split, ranks, count, stream, spare)
        } else {
            self.backend.partition(split, ranks, count, stream, spare)
        };
        if moved != self.layout.node_count(index - 1) {
            return Err(miscounted());
        }
        if leaf {
            return self.subtree(index - 1, spare, ranks);
        }
        let behind = (count - moved).next_multiple_of(LINE);
        self.subtree(index - 1, spare, &mut ranks[behind..])?;
        self.subtree(left, ranks, spare)
    }
}

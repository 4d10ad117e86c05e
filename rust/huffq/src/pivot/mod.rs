//! Layout 2, pivot: a Huffman code's bits transposed by tree node.
//!
//! Codewords one after another (the serial layout) can only be decoded one after another: where a
//! codeword begins is known once the one before it was read. Here each node of the code's tree
//! keeps the bits that *it* decides, for all symbols that pass through it, as one bit mask (a
//! wavelet tree in Huffman's shape; Żukowski 2026, arXiv 2606.05765). Decoding merges sequences
//! from the leaves up, encoding partitions them from the root down, 64 symbols a step.
//!
//! ```text
//! lengths  a:1  b:3  c:3  d:3  e:4  f:4          symbols  a d a a f b a e
//!
//!            merge                               stream of the root    0 1 0 0 1 1 0 1
//!           /     \                                 left: a a a a          (nothing stored)
//!          a     merge                              right: d f b e
//!               /     \                          stream of `merge`     1 1 0 1
//!          flat 1     merge                         left: b                right: d f e
//!          /    \     /    \                     stream of `flat 1`    0
//!         b      c   d    flat 1                 stream of `merge`     0 1 1
//!                         /    \                 stream of `flat 1`    1 0
//!                        e      f
//! ```
//!
//! The tree is not the canonical code's but follows from the lengths alone (see [`Tree`]): leaves
//! of one length gather in the largest *flat* subtrees, whose `D`-bit paths are stored packed and
//! looked up, not merged. A leaf is a flat subtree of depth 0 and stores nothing, so the zeros of
//! a sparse activation cost one bit each and almost no time.
//!
//! # Payload
//!
//! ```text
//! ┌─────────────┬──────────────┬─────┬──────────────┐
//! │ node counts │ first stream │  …  │ root stream  │
//! └─────────────┴──────────────┴─────┴──────────────┘
//! ```
//!
//! - *Node counts*: for every merge node from the root on, right subtrees before left ones, how
//!   many of its `n` symbols go right, in as many bits as `n` takes; padded to a byte. All
//!   offsets follow from them, without a look at the streams.
//! - *Streams*, in the reverse of that order (left subtree, right subtree, node), each padded to a
//!   byte: a merge node's mask, one bit per symbol, 1 for right; a flat subtree's paths, `D` bits
//!   per symbol.
//!
//! Bits fill bytes from the least significant one. Padding is zero when written and ignored when
//! read.

mod bits;
mod decode;
mod encode;
mod layout;
mod ordered;
mod tree;

pub use decode::decode;
pub(crate) use decode::{Streams, decode_streams};
pub use encode::encode;
pub(crate) use ordered::{Branch, grow_ordered};
pub(crate) use tree::Node;
pub use tree::Tree;

use crate::kernels::{Ahead, SLACK};
use crate::lengths::MAX_LENGTH;
use layout::Layout;

/// Buffers that [`encode()`] and [`decode()`] work in, reused from block to block.
///
/// They grow to somewhat more than twice the largest block each.
#[derive(Debug, Default)]
pub struct Scratch {
    layout: Layout,
    /// Two halves of a ping-pong: a node's sequence in one, its children's in the other.
    ping: Vec<u8>,
    pong: Vec<u8>,
    /// What decoding fetches on its way.
    pub(crate) ahead: Ahead,
}

/// Sequences begin at cache lines where they can: steps of a whole line then touch one, not two.
/// Worth 4 to 5 % of decoding with AVX-512.
pub(crate) const LINE: usize = 64;

impl Scratch {
    /// Bytes of the payload that [`encode()`] would append.
    pub fn payload_len(&mut self, tree: &Tree, counts: &[u64]) -> usize {
        self.layout.count(tree, counts);
        self.layout.payload_len(tree)
    }

    /// The buffers for a block of `n` symbols.
    ///
    /// A sequence of `m` symbols begins at most `n - m` bytes into its buffer, plus a line for
    /// each level of the tree; and a kernel driven by a corrupt mask reads `n + SLACK` bytes from
    /// there.
    fn split(&mut self, n: usize) -> (&mut Layout, &mut [u8], &mut [u8]) {
        let len = 2 * n + usize::from(MAX_LENGTH) * LINE + SLACK;
        (&mut self.layout, aligned(&mut self.ping, len), aligned(&mut self.pong, len))
    }
}

/// At least `len` bytes of a buffer that begin at a cache line.
pub(crate) fn aligned(buffer: &mut Vec<u8>, len: usize) -> &mut [u8] {
    if buffer.len() < len + LINE {
        buffer.resize(len + LINE, 0);
    }
    let start = buffer.as_ptr().align_offset(LINE).min(LINE);
    &mut buffer[start..]
}

//! Pivot layout with nested masks: the masks of a tree's nodes are bytes, and those that Huffman
//! coding shrinks are coded again.
//!
//! A skewed node's mask is far from random: one bit is more frequent, and neighbouring symbols go
//! the same way. Eight bits at a time, under a Huffman code of 256 symbols, it shrinks below one
//! bit a symbol, which no prefix code of the symbols themselves reaches.
//!
//! # Masks and numbers
//!
//! Node by node as in [`pivot`](crate::pivot): a merge node's mask has one bit per symbol, 1 for
//! right; a flat subtree of depth D stores D bits per symbol, its place among the 2^D leaves. Bits
//! fill bytes from the least significant one; padding is zero when written and ignored when read.
//! Merge nodes and flat subtrees of depth 1 *have a mask*, which may be coded.
//!
//! # A class's code
//!
//! Bit fields, most significant bit first. The alphabet's A = 2^bits symbols are numbered in the
//! order of the integers that they stand for: number = symbol, xor 2^(bits - 1) if signed. Every
//! symbol has a place in the tree.
//!
//! - *Shape*: a bit.
//!   - 0: A code lengths of 4 bits, by number, of a complete code; the tree is that of
//!     [`pivot::Tree::new`](crate::pivot::Tree::new).
//!   - 1: an ordered tree, in preorder, left before right, from the range 0..A on. A range of one
//!     number is a leaf, one of two a flat subtree, and neither stores anything. For others: if
//!     their length w is a power of two, a bit, 1 for a flat subtree. If there is none or it is
//!     0, the range splits before its number `start + 1 + x`, x < w - 1 in as many bits as w - 2
//!     takes. Where the right part is a single number and the left is not, the two change sides
//!     in the tree: 1 bits then lead to the left part.
//! - *Codings*: for every node that has a mask, in the order root, right subtree, left subtree:
//!   - `0`: raw;
//!   - `10` and a density i of 6 bits, 1 to 63: the static code of masks whose bits are set with
//!     probability i / 64;
//!   - `11` and a code of its own: eleven lengths of 3 bits, those of a complete canonical code of
//!     the symbols 0 to 10; then under it 256 symbols, each a mask byte's code length less one.
//!
//! Codes of mask bytes are canonical (shorter first, then by byte), complete, and have no codeword
//! above 11 bits. A static code is package-merge's (limit 11) for the weights
//! i^k (64 - i)^(8 - k), k the set bits of the byte: see [`crate::lengths::package_merge`] for how
//! it breaks ties.

mod bits;
mod decode;
mod encode;
mod lanes;
mod mask_code;
mod shape;
mod train;

pub(crate) use bits::BitReader;
pub(crate) use decode::{Decoder, Scratch};
pub(crate) use encode::Encoder;
pub(crate) use train::{MaskCounter, Terms};

use crate::bits::BitWriter;
use crate::error::Result;
use crate::pivot::Tree;
use mask_code::{DENSITIES, MaskCode};
use shape::{Shape, has_mask};

/// A class's tree, and how each of its nodes stores its mask.
#[derive(Debug)]
pub(crate) struct ClassCode {
    shape: Shape,
    tree: Tree,
    /// One for every node of the tree; [`Coding::Raw`] where there is no mask.
    codings: Vec<Coding>,
}

/// How a mask is stored.
#[derive(Debug)]
enum Coding {
    Raw,
    /// Under the code for this density, in 1/64.
    Static(u8, &'static MaskCode),
    /// Under a code of its own.
    Own(Box<MaskCode>),
}

impl Coding {
    fn code(&self) -> Option<&MaskCode> {
        match self {
            Self::Raw => None,
            Self::Static(_, code) => Some(code),
            Self::Own(code) => Some(code),
        }
    }
}

/// Bits of a tag of a static code: its two bits and the density.
const STATIC_BITS: u32 = 8;
/// Bits of a tag of a code of its own.
const OWN_BITS: u32 = 2;

impl ClassCode {
    /// The tree without any coding of masks. Its symbols are `flip` to `size` - 1 + `flip`, xored.
    fn raw(shape: Shape, size: usize, flip: u8) -> Result<Self> {
        let tree = shape.tree(size)?.relabelled(flip);
        let codings = tree.nodes().iter().map(|_| Coding::Raw).collect();
        Ok(Self { shape, tree, codings })
    }

    /// Nodes whose masks are coded.
    pub(crate) fn coded_nodes(&self) -> usize {
        self.codings.iter().filter(|coding| coding.code().is_some()).count()
    }

    /// Indices of the nodes that have a mask, in the order in which masks are stored.
    fn masks(&self) -> impl Iterator<Item = usize> {
        (0..self.codings.len()).rev().filter(|&node| has_mask(self.tree.nodes()[node]))
    }

    /// Most bits that [`write`](Self::write) takes.
    pub(crate) fn max_stored_bits(&self) -> u64 {
        // 1 + 256 * 4 bits of a shape by lengths; 9 + 1 of a node's branch and tag; 2 + 33 + 256 * 7
        // of a mask code of its own.
        1025 + 10 * self.codings.len() as u64 + 1827 * self.coded_nodes() as u64
    }

    /// Writes shape and codings.
    pub(crate) fn write(&self, writer: &mut BitWriter) -> Result<()> {
        self.shape.write(self.tree.used(), writer);
        for node in self.masks() {
            match &self.codings[node] {
                Coding::Raw => writer.put(0b0, 1),
                Coding::Static(density, _) => {
                    writer.put(0b10 << 6 | u64::from(*density), STATIC_BITS);
                }
                Coding::Own(code) => {
                    writer.put(0b11, OWN_BITS);
                    code.write(writer)?;
                }
            }
        }
        Ok(())
    }

    /// Reads what [`write`](Self::write) wrote.
    pub(crate) fn read(size: usize, flip: u8, reader: &mut BitReader) -> Result<Self> {
        let mut code = Self::raw(Shape::read(size, reader)?, size, flip)?;
        let masks: Vec<usize> = code.masks().collect();
        for node in masks {
            if reader.read(1)? == 0 {
                continue;
            }
            code.codings[node] = match reader.read(1)? {
                0 => static_coding(reader.read(STATIC_BITS - OWN_BITS)? as u8)?,
                _ => Coding::Own(Box::new(MaskCode::read(reader)?)),
            };
        }
        Ok(code)
    }
}

fn static_coding(density: u8) -> Result<Coding> {
    debug_assert!(u64::from(density) < DENSITIES);
    if density == 0 {
        return Err(crate::Error::corrupt("codebook", "a static code has density 0"));
    }
    Ok(Coding::Static(density, MaskCode::of_density(density)?))
}

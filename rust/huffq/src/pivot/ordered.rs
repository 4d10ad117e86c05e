//! Trees whose leaves stand in symbol order.

use std::ops::Range;

use super::tree::{Node, Tree};
use crate::error::Result;

/// What becomes of a range of more than two symbols.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Branch {
    /// One flat subtree; the range must have 2^D symbols.
    Flat,
    /// A node; the symbols from this one on, which must lie inside the range, go right.
    Split(usize),
}

/// Grows the tree of symbols 0 to `size` - 1, 2 to 256 of them, in the shape that `choose` gives:
/// it is asked in preorder, left before right, for every range of more than two symbols. Two
/// symbols are a flat subtree.
///
/// Leaves become left children where only one child is a leaf, so that every kernel has just one
/// side that is constant: ranks follow the tree, symbols the ranges.
pub(crate) fn grow_ordered(
    size: usize,
    choose: &mut impl FnMut(Range<usize>) -> Result<Branch>,
) -> Result<Tree> {
    let mut grower = Grower { nodes: Vec::new(), symbols: [0; 256], rank: 0 };
    grower.grow(0..size, choose)?;
    Ok(Tree::from_nodes(grower.nodes, grower.symbols, size))
}

struct Grower {
    nodes: Vec<Node>,
    symbols: [u8; 256],
    rank: usize,
}

impl Grower {
    /// Appends the subtree of a range. Ranges shrink by at least one symbol a level: at most 255
    /// levels.
    fn grow(
        &mut self,
        range: Range<usize>,
        choose: &mut impl FnMut(Range<usize>) -> Result<Branch>,
    ) -> Result<()> {
        let branch = if range.len() <= 2 { Branch::Flat } else { choose(range.clone())? };
        let Branch::Split(at) = branch else {
            self.grow_flat(range);
            return Ok(());
        };
        let (mut first, mut second) = (range.start..at, at..range.end);
        if second.len() == 1 {
            (first, second) = (second, first);
        }
        self.grow(first, choose)?;
        let left = (self.nodes.len() - 1) as u16;
        let split = self.rank as u8;
        self.grow(second, choose)?;
        self.nodes.push(Node::Merge { left, split });
        Ok(())
    }

    fn grow_flat(&mut self, range: Range<usize>) {
        let depth = range.len().trailing_zeros() as u8;
        self.nodes.push(Node::Flat { depth, first: self.rank as u8 });
        for symbol in range {
            self.symbols[self.rank] = symbol as u8;
            self.rank += 1;
        }
    }
}

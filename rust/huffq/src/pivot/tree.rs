//! Code lengths to the tree of the pivot layout.

use crate::error::{Error, Result};
use crate::lengths::MAX_LENGTH;

/// The Kraft sum of a complete code, in units of 2^-[`MAX_LENGTH`].
const COMPLETE: u64 = 1 << MAX_LENGTH;

/// One node of a [`Tree`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Node {
    /// A subtree whose 2^`depth` leaves all lie at one depth: the ranks from `first` on. A single
    /// leaf has depth 0.
    Flat { depth: u8, first: u8 },
    /// A node whose ranks below `split` go left. Its right child is the node stored just before
    /// it, and never a leaf.
    Merge { left: u16, split: u8 },
}

/// The shape that code lengths give the pivot layout.
///
/// It is not the canonical code's tree, but has the same number of leaves at every depth. Of the
/// `m` leaves at depth `l`, each bit set in `m`, of value 2^D, makes one flat subtree with its
/// root at depth `l - D`; the largest takes the lowest symbols. The roots are then the leaves of a
/// canonical tree: shallow ones leftmost, and at one depth small D before large.
///
/// Hence no two leaves are siblings (they would be a flat subtree) and a leaf is always a left
/// child: at one depth all flat subtrees stand left of all merge nodes, the only leaf among them
/// first, and siblings come in pairs from the left.
///
/// A symbol's *rank* is its position among the leaves from left to right, so that every node
/// covers a range of ranks.
#[derive(Clone, Debug)]
pub struct Tree {
    /// Left subtree, right subtree, node: children before their parents, the root last.
    nodes: Vec<Node>,
    symbols: [u8; 256],
    ranks: [u8; 256],
    alphabet: usize,
    used: usize,
}

impl Tree {
    /// The tree for one code length per symbol, 0 for unused symbols.
    ///
    /// # Errors
    /// [`Error::InvalidArgument`] if there are more than 256 lengths or one exceeds
    /// [`MAX_LENGTH`]; [`Error::NotComplete`] if the Kraft sum is not exactly 1, which includes
    /// codes of fewer than two symbols.
    pub fn new(lengths: &[u8]) -> Result<Self> {
        let leaves = count_lengths(lengths)?;
        let mut builder = Builder::new(lengths, &leaves);
        builder.grow(0);
        let Builder { nodes, symbols, ranks, rank, .. } = builder;
        Ok(Self { nodes, symbols, ranks, alphabet: lengths.len(), used: rank })
    }

    /// A tree of these nodes, in the order of [`Tree::nodes`]; `symbols` are all of an alphabet, by
    /// rank.
    pub(super) fn from_nodes(nodes: Vec<Node>, symbols: [u8; 256], used: usize) -> Self {
        let mut ranks = [0; 256];
        for (rank, &symbol) in symbols[..used].iter().enumerate() {
            ranks[usize::from(symbol)] = rank as u8;
        }
        Self { nodes, symbols, ranks, alphabet: used, used }
    }

    /// The same tree with every symbol `s` replaced by `s ^ flip`, which must be one of the
    /// alphabet.
    pub(crate) fn relabelled(mut self, flip: u8) -> Self {
        self.symbols[..self.used].iter_mut().for_each(|symbol| *symbol ^= flip);
        let ranks = self.ranks;
        for (symbol, rank) in self.ranks[..self.alphabet].iter_mut().enumerate() {
            *rank = ranks[symbol ^ usize::from(flip)];
        }
        self
    }

    /// Number of used symbols, 2 to 256.
    pub fn used(&self) -> usize {
        self.used
    }

    pub(crate) fn nodes(&self) -> &[Node] {
        &self.nodes
    }

    /// The node's symbol, if the node is a leaf.
    pub(crate) fn leaf(&self, index: usize) -> Option<u8> {
        match self.nodes[index] {
            Node::Flat { depth: 0, first } => Some(self.symbols[usize::from(first)]),
            _ => None,
        }
    }

    /// Whether a symbol has a codeword.
    pub(super) fn contains(&self, symbol: u8) -> bool {
        // Symbols that are not used have rank 0, which belongs to another.
        self.symbols[usize::from(self.ranks[usize::from(symbol)])] == symbol
    }

    /// The symbol of every rank below [`used`](Self::used).
    pub(crate) fn symbols(&self) -> &[u8; 256] {
        &self.symbols
    }

    /// The rank of every symbol of the alphabet; 0 for unused ones.
    pub(crate) fn ranks(&self) -> &[u8] {
        &self.ranks[..self.alphabet]
    }
}

/// How many symbols have each length.
fn count_lengths(lengths: &[u8]) -> Result<[usize; MAX_LENGTH as usize + 1]> {
    if lengths.len() > 256 {
        return Err(Error::argument("number of code lengths", lengths.len(), "be at most 256"));
    }
    let mut leaves = [0; MAX_LENGTH as usize + 1];
    for &length in lengths {
        match leaves.get_mut(usize::from(length)) {
            Some(count) => *count += 1,
            None => return Err(Error::argument("code length", length, "be at most 15")),
        }
    }
    let sum = leaves.iter().zip(0..).skip(1).map(|(&m, l)| (m as u64) << (MAX_LENGTH - l)).sum();
    if sum == COMPLETE { Ok(leaves) } else { Err(Error::NotComplete { sum }) }
}

/// The nodes and ranks grown so far, from left to right.
struct Builder {
    /// For every depth of a root, the flat subtrees' own depths D, as a set of bits.
    flats: [u16; MAX_LENGTH as usize + 1],
    /// Used symbols by length, then by symbol, and the next one of every length.
    sorted: [u8; 256],
    next: [usize; MAX_LENGTH as usize + 1],
    nodes: Vec<Node>,
    symbols: [u8; 256],
    ranks: [u8; 256],
    rank: usize,
}

impl Builder {
    fn new(lengths: &[u8], leaves: &[usize; MAX_LENGTH as usize + 1]) -> Self {
        let mut flats = [0u16; MAX_LENGTH as usize + 1];
        let mut next = [0; MAX_LENGTH as usize + 1];
        let mut used = 0;
        for length in 1..leaves.len() {
            next[length] = used;
            used += leaves[length];
            (0..=length.min(8)).filter(|d| leaves[length] >> d & 1 == 1).for_each(|d| {
                flats[length - d] |= 1 << d;
            });
        }
        let mut sorted = [0; 256];
        let mut end = next;
        for (symbol, &length) in lengths.iter().enumerate().filter(|&(_, &length)| length > 0) {
            let end = &mut end[usize::from(length)];
            sorted[*end] = symbol as u8;
            *end += 1;
        }
        let roots: u32 = flats.iter().map(|set| set.count_ones()).sum();
        let nodes = Vec::with_capacity(2 * roots as usize - 1);
        Self { flats, sorted, next, nodes, symbols: [0; 256], ranks: [0; 256], rank: 0 }
    }

    /// Appends the next subtree whose root lies at `depth`.
    ///
    /// The Kraft sum bounds the recursion: below the deepest flat subtree nothing is missing.
    fn grow(&mut self, depth: usize) {
        if self.flats[depth] != 0 {
            let d = self.flats[depth].trailing_zeros() as usize;
            self.flats[depth] &= self.flats[depth] - 1;
            self.grow_flat(depth + d, d);
        } else {
            self.grow(depth + 1);
            let left = (self.nodes.len() - 1) as u16;
            let split = self.rank as u8;
            self.grow(depth + 1);
            self.nodes.push(Node::Merge { left, split });
        }
    }

    /// Appends the next 2^`d` symbols of `length`. Within a length the larger flat subtrees, whose
    /// roots are shallower, come first.
    fn grow_flat(&mut self, length: usize, d: usize) {
        self.nodes.push(Node::Flat { depth: d as u8, first: self.rank as u8 });
        for &symbol in &self.sorted[self.next[length]..][..1 << d] {
            self.symbols[self.rank] = symbol;
            self.ranks[usize::from(symbol)] = self.rank as u8;
            self.rank += 1;
        }
        self.next[length] += 1 << d;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn leaves_of_one_length_gather_in_flat_subtrees() {
        let tree = Tree::new(&[1, 3, 3, 3, 4, 4]).unwrap();
        let flat = |depth, first| Node::Flat { depth, first };
        let merge = |left, split| Node::Merge { left, split };
        let right = [flat(1, 1), flat(0, 3), flat(1, 4), merge(2, 4), merge(1, 3)];
        let expected = [&[flat(0, 0)], &right[..], &[merge(0, 1)]].concat();
        assert_eq!(tree.nodes(), expected);
        assert_eq!(tree.symbols()[..6], [0, 1, 2, 3, 4, 5]);
    }

    #[test]
    fn the_largest_flat_subtree_takes_the_lowest_symbols() {
        // Five leaves of length 3: symbols 0 to 3 below depth 1, symbol 4 alone at depth 3.
        let tree = Tree::new(&[3, 3, 3, 3, 3, 3, 2]).unwrap();
        assert_eq!(tree.symbols()[..7], [0, 1, 2, 3, 6, 4, 5]);
        assert_eq!(tree.ranks()[..7], [0, 1, 2, 3, 5, 6, 4]);
    }

    #[test]
    fn a_uniform_code_is_one_flat_subtree() {
        for depth in 1..=8 {
            let tree = Tree::new(&vec![depth; 1 << depth]).unwrap();
            assert_eq!(tree.nodes(), [Node::Flat { depth, first: 0 }]);
        }
    }

    #[test]
    fn lengths_of_no_complete_code_are_refused() {
        let none: &[&[u8]] = &[&[], &[0, 0], &[1], &[1, 1, 1], &[1, 2], &[2, 2, 2]];
        for lengths in none {
            assert!(matches!(Tree::new(lengths), Err(Error::NotComplete { .. })), "{lengths:?}");
        }
        assert!(matches!(Tree::new(&[1, 16]), Err(Error::InvalidArgument { .. })));
        assert!(matches!(Tree::new(&[0; 257]), Err(Error::InvalidArgument { .. })));
    }
}

//! The shape of a class's tree: chosen from counts, written, read.

use std::ops::Range;

use super::bits::BitReader;
use crate::bits::BitWriter;
use crate::channels::as_corrupt;
use crate::error::{Error, Result};
use crate::lengths::{MAX_LENGTH, optimal};
use crate::pivot::{Branch, Node, Tree, grow_ordered};
use crate::{Backend, CodeTable};

/// How the symbols of a class stand in its tree.
///
/// In an *ordered* tree neighbouring symbols go the same way, so that on smooth data masks have
/// runs, which coding them again turns into bytes saved. Huffman's tree is better where symbol
/// order says little.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Shape {
    /// The choices of [`grow_ordered`], in the order in which it asks.
    Ordered(Vec<Branch>),
    /// Code lengths of [`Tree::new`].
    Huffman(Vec<u8>),
}

/// Sums of counts above this are scaled down: costs, of up to nine bits a count, then fit 32 bits.
const MAX_TOTAL: u64 = 1 << 26;

impl Shape {
    /// The cheapest ordered shape, unless Huffman's is more than 1/64 cheaper; every node costs
    /// `penalty` bits. All symbols get a place, whatever their count.
    pub(super) fn train(backend: Backend, counts: &[u64], penalty: u32) -> Result<Self> {
        let total: u64 = counts.iter().sum();
        let shift = (u64::BITS - (total / MAX_TOTAL).leading_zeros()).min(63);
        let raised: Vec<u64> = counts.iter().map(|&n| (n >> shift) + 1).collect();
        let table = Search::new(backend, &raised, penalty);
        let lengths = optimal(&raised, MAX_LENGTH)?;
        let huffman: u64 = raised.iter().zip(&lengths).map(|(&n, &l)| n * u64::from(l)).sum();
        let nodes = counts.len() as u64 - 1;
        let huffman = huffman + nodes * u64::from(penalty);
        if u64::from(table.cost()) * 64 > huffman * 65 {
            return Ok(Self::Huffman(lengths));
        }
        let mut branches = Vec::new();
        grow_ordered(counts.len(), &mut |range| {
            branches.push(table.choose(range));
            Ok(branches[branches.len() - 1])
        })?;
        Ok(Self::Ordered(branches))
    }

    /// The tree over symbols 0 to `size` - 1.
    pub(super) fn tree(&self, size: usize) -> Result<Tree> {
        match self {
            Self::Huffman(lengths) => Tree::new(lengths),
            Self::Ordered(branches) => {
                let mut next = branches.iter();
                grow_ordered(size, &mut |_| {
                    let missing = || Error::corrupt("codebook", "a tree lacks branches");
                    next.next().copied().ok_or_else(missing)
                })
            }
        }
    }

    pub(super) fn write(&self, size: usize, writer: &mut BitWriter) {
        match self {
            Self::Huffman(lengths) => {
                writer.put(0, 1);
                lengths.iter().for_each(|&length| writer.put(length.into(), 4));
            }
            Self::Ordered(branches) => {
                writer.put(1, 1);
                let mut next = branches.iter();
                let write = &mut |range: Range<usize>| {
                    let &branch = next.next().expect("the shape has all branches of its tree");
                    write_branch(&range, branch, writer);
                    Ok(branch)
                };
                grow_ordered(size, write).expect("writing does not fail");
            }
        }
    }

    pub(super) fn read(size: usize, reader: &mut BitReader) -> Result<Self> {
        if reader.read(1)? == 0 {
            let lengths: Vec<u8> =
                (0..size).map(|_| Ok(reader.read(4)? as u8)).collect::<Result<_>>()?;
            if lengths.contains(&0) {
                return Err(Error::corrupt("codebook", "a symbol has no codeword"));
            }
            return Ok(Self::Huffman(lengths));
        }
        let mut branches = Vec::new();
        grow_ordered(size, &mut |range| {
            let branch = read_branch(&range, reader)?;
            branches.push(branch);
            Ok(branch)
        })?;
        Ok(Self::Ordered(branches))
    }
}

/// Bits of a split's place in a range of `len` symbols: `len` - 1 places.
fn split_bits(len: usize) -> u32 {
    usize::BITS - (len - 2).leading_zeros()
}

fn write_branch(range: &Range<usize>, branch: Branch, writer: &mut BitWriter) {
    if range.len().is_power_of_two() {
        writer.put((branch == Branch::Flat).into(), 1);
    }
    if let Branch::Split(at) = branch {
        writer.put((at - range.start - 1) as u64, split_bits(range.len()));
    }
}

fn read_branch(range: &Range<usize>, reader: &mut BitReader) -> Result<Branch> {
    if range.len().is_power_of_two() && reader.read(1)? == 1 {
        return Ok(Branch::Flat);
    }
    let at = range.start + 1 + reader.read(split_bits(range.len()))? as usize;
    if at < range.end {
        Ok(Branch::Split(at))
    } else {
        Err(Error::corrupt("codebook", format!("a tree splits {range:?} at {at}")))
    }
}

/// The costs of the cheapest subtrees of all ranges of symbols, by dynamic programming.
///
/// All splits are tried, n^3 / 6 sums for n symbols: Knuth's bounds do not hold with flat subtrees.
struct Search {
    size: usize,
    penalty: u32,
    /// Counts of the symbols before each.
    before: Vec<u32>,
    /// Cost of range `a..b` at `a * (size + 1) + b`, and again at `b * (size + 1) + a`: costs of
    /// all left parts of a range are neighbours, and of all right parts too.
    costs: Vec<u32>,
}

impl Search {
    fn new(backend: Backend, counts: &[u64], penalty: u32) -> Self {
        let size = counts.len();
        let mut before = vec![0; size + 1];
        for (symbol, &count) in counts.iter().enumerate() {
            before[symbol + 1] = before[symbol] + count as u32;
        }
        let costs = vec![0; (size + 1) * (size + 1)];
        let mut search = Self { size, penalty, before, costs };
        for width in 2..=size {
            for start in 0..=size - width {
                let range = start..start + width;
                let (left, right) = search.parts(&range);
                let split = search.node_cost(&range) + backend.min_sum(left, right);
                let cost = split.min(search.flat_cost(&range).unwrap_or(u32::MAX));
                search.costs[range.start * (size + 1) + range.end] = cost;
                search.costs[range.end * (size + 1) + range.start] = cost;
            }
        }
        search
    }

    /// Costs of the left and right parts for all splits of a range.
    fn parts(&self, range: &Range<usize>) -> (&[u32], &[u32]) {
        let inner = range.start + 1..range.end;
        let row = |at: usize| &self.costs[at * (self.size + 1)..][inner.clone()];
        (row(range.start), row(range.end))
    }

    /// Cost of a mask over a range.
    fn node_cost(&self, range: &Range<usize>) -> u32 {
        self.before[range.end] - self.before[range.start] + self.penalty
    }

    /// Cost of a flat subtree, if the range can be one.
    fn flat_cost(&self, range: &Range<usize>) -> Option<u32> {
        let count = self.before[range.end] - self.before[range.start];
        let width = range.len();
        width.is_power_of_two().then(|| width.trailing_zeros() * count + self.penalty)
    }

    fn cost(&self) -> u32 {
        self.costs[self.size]
    }

    /// The cheapest branch; the first of equal splits, and flat rather than split.
    fn choose(&self, range: Range<usize>) -> Branch {
        let (left, right) = self.parts(&range);
        let cost = self.costs[range.start * (self.size + 1) + range.end];
        if self.flat_cost(&range) == Some(cost) {
            return Branch::Flat;
        }
        let sums = left.iter().zip(right).map(|(left, right)| left + right);
        let cheapest = sums.enumerate().min_by_key(|&(_, sum)| sum);
        Branch::Split(range.start + 1 + cheapest.map_or(0, |(place, _)| place))
    }
}

/// Whether a node's stream is a mask that may be coded.
pub(super) fn has_mask(node: Node) -> bool {
    matches!(node, Node::Merge { .. } | Node::Flat { depth: 1, .. })
}

/// The lengths of a stored code, which must be complete.
pub(super) fn complete(lengths: &[u8]) -> Result<CodeTable> {
    CodeTable::from_lengths(lengths).map_err(as_corrupt)
}

/// [`complete`] where no table is needed.
pub(super) fn check_complete(lengths: &[u8]) -> Result<()> {
    CodeTable::check_lengths(lengths).map_err(as_corrupt)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The cheapest ordered tree by trying all of them.
    fn cheapest(counts: &[u64], penalty: u64) -> u64 {
        let n = counts.len();
        let total: u64 = counts.iter().sum();
        let splits = (1..n).map(|at| {
            let (left, right) = counts.split_at(at);
            total + penalty + cheapest(left, penalty) + cheapest(right, penalty)
        });
        let flat = n.is_power_of_two().then(|| u64::from(n.trailing_zeros()) * total + penalty);
        if n == 1 { 0 } else { splits.chain(flat).min().unwrap_or(0) }
    }

    #[test]
    fn the_search_finds_the_cheapest_ordered_tree() {
        let mut seed = 9u64;
        for size in 2..=9 {
            for penalty in [0, 5, 100] {
                let mut next = || {
                    seed = seed.wrapping_mul(6364136223846793005).wrapping_add(1442695040888963407);
                    (seed >> 33) % 100 * (seed >> 60)
                };
                let counts: Vec<u64> = (0..size).map(|_| next()).collect();
                for backend in Backend::available() {
                    let search = Search::new(backend, &counts, penalty);
                    assert_eq!(u64::from(search.cost()), cheapest(&counts, penalty.into()));
                }
            }
        }
    }

    #[test]
    fn shapes_come_back() {
        let backend = Backend::current().unwrap();
        let smooth: Vec<u64> = (0..256u64).map(|i| 1 + i * (255 - i)).collect();
        let spiky: Vec<u64> = (0..256u64).map(|i| 1 + 100_000 * u64::from(i % 16 == 0)).collect();
        for counts in [&smooth[..], &spiky, &smooth[..16], &[5, 1], &[0; 16]] {
            let shape = Shape::train(backend, counts, 32).unwrap();
            let mut bytes = Vec::new();
            BitWriter::append(&mut bytes, 4096, |writer| shape.write(counts.len(), writer));
            let mut reader = BitReader::new(&bytes);
            assert_eq!(Shape::read(counts.len(), &mut reader).unwrap(), shape);
            reader.finish().unwrap();
            assert_eq!(shape.tree(counts.len()).unwrap().used(), counts.len());
        }
        let huffman = Shape::train(backend, &spiky, 0).unwrap();
        assert!(matches!(huffman, Shape::Huffman(_)));
    }

    #[test]
    fn a_lone_right_part_becomes_the_left_child() {
        let shape = Shape::Ordered(vec![Branch::Split(3), Branch::Split(1)]);
        let tree = shape.tree(4).unwrap();
        assert_eq!(tree.ranks(), [1, 2, 3, 0]);
        assert_eq!(tree.nodes().len(), 5);
    }
}

//! Which class each symbol of a block belongs to.

use std::ops::Range;
use std::sync::{Arc, OnceLock};

use super::matrix::Matrix;
use crate::channels::{flip, groups, sort};
use crate::kernels::SLACK;
use crate::kernels::contexts::{ClassTable, MAX_CLASSES, MAX_LEVELS, Positions, Run};
use crate::{Alphabet, Backend, Geometry, histogram};

/// Kinds of channels, levels of neighbours, and the class of every combination.
#[derive(Debug)]
pub(crate) struct Contexts {
    /// The kind of every group of channels.
    pub kinds: Vec<u8>,
    /// The level of every number, ascending from 0.
    pub levels: Vec<u8>,
    /// For each kind, level of the first and level of the second neighbour its class.
    pub classes: Vec<u8>,
    /// Number of classes.
    pub count: usize,
}

/// Which class each symbol of a block belongs to.
#[derive(Clone, Debug)]
pub(super) struct Partition {
    pub geometry: Geometry,
    pub alphabet: Alphabet,
    pub contexts: Arc<Contexts>,
    /// Channels of the whole array.
    channels: usize,
    /// The channel of the array that the block's first one is.
    first_channel: usize,
    /// Made with the first block: a few hostile bytes can claim more channels than any block has.
    sorted: OnceLock<Arc<Sorted>>,
}

/// The block's channels, those of kind 0 first, and what concerns each kind.
#[derive(Debug)]
struct Sorted {
    order: Vec<usize>,
    kinds: Vec<Kind>,
}

/// The channels of one kind, neighbours in the order.
#[derive(Clone, Debug)]
struct Kind {
    channels: usize,
    /// The classes of its symbols.
    table: ClassTable,
    /// One bit for each of these classes.
    used: u32,
}

impl Partition {
    /// For blocks whose first channel is number `first_channel` of `channels`.
    ///
    /// Levels are below [`MAX_LEVELS`]; classes are below their count, at most [`MAX_CLASSES`], and
    /// as many as there are kinds times levels squared.
    pub(super) fn new(
        geometry: &Geometry,
        (channels, first_channel): (usize, usize),
        alphabet: Alphabet,
        contexts: Arc<Contexts>,
    ) -> Self {
        let (geometry, sorted) = (geometry.clone(), OnceLock::new());
        Self { geometry, alphabet, contexts, channels, first_channel, sorted }
    }

    fn sorted(&self) -> &Sorted {
        self.sorted.get_or_init(|| {
            let Contexts { kinds, levels, classes, .. } = &*self.contexts;
            let pairs = level_count(levels).pow(2);
            debug_assert!(level_count(levels) <= MAX_LEVELS && classes.len().is_multiple_of(pairs));
            let place = (self.channels, self.first_channel);
            let (order, sizes) =
                sort(self.geometry.channels(), place, kinds, classes.len() / pairs);
            let kind = |(channels, classes): (usize, &[u8])| Kind {
                channels,
                table: ClassTable::new(self.alphabet, levels, classes),
                used: classes.iter().fold(0, |used, class| used | 1 << class),
            };
            let kinds = sizes.into_iter().zip(classes.chunks_exact(pairs)).map(kind).collect();
            Arc::new(Sorted { order, kinds })
        })
    }

    /// The same for blocks of another geometry.
    pub(super) fn for_slab(&self, geometry: &Geometry, first_channel: usize) -> Self {
        if geometry.channels() == self.geometry.channels() {
            // Sorted before it is cloned: once for all blocks.
            self.sorted();
            return Self { geometry: geometry.clone(), ..self.clone() };
        }
        let channels = (self.channels, first_channel);
        Self::new(geometry, channels, self.alphabet, self.contexts.clone())
    }

    /// Everything in one class.
    pub(super) fn whole(geometry: &Geometry, alphabet: Alphabet) -> Self {
        let kinds = vec![0; groups(geometry.channels())];
        let contexts =
            Contexts { kinds, levels: vec![0; alphabet.size()], classes: vec![0], count: 1 };
        Self::new(geometry, (geometry.channels(), 0), alphabet, contexts.into())
    }

    pub(super) fn matrix(&self, backend: Backend, samples: usize) -> Matrix<'_> {
        Matrix::new(backend, &self.geometry, &self.sorted().order, samples)
    }

    /// The rows of the two neighbours of a row; where there is only one of them it serves as both,
    /// and where there is none, none.
    pub(super) fn neighbours(&self, row: usize) -> Option<[usize; 2]> {
        let [columns, rows] = self.geometry.neighbours().map(|axis| axis.map(|axis| axis.extent));
        let before = match columns {
            Some(extent) => row % extent,
            None => 0,
        };
        let first = (before > 0).then(|| row - 1);
        let second = match (columns, rows) {
            (Some(width), Some(height)) => {
                (!(row / width).is_multiple_of(height)).then(|| row - width)
            }
            _ => (before > 1).then(|| row - 2),
        };
        Some([first.or(second)?, second.or(first)?])
    }

    /// The columns of each kind, and the classes that they may have.
    pub(super) fn runs(&self, samples: usize) -> Vec<Run> {
        self.sorted()
            .kinds
            .iter()
            .map(|kind| Run { len: kind.channels * samples, used: kind.used })
            .collect()
    }

    /// Looks up the classes of a row, as long as `runs` together.
    pub(super) fn classify(
        &self,
        backend: Backend,
        runs: &[Run],
        neighbours: [&[u8]; 2],
        classes: &mut [u8],
    ) {
        let mut start = 0;
        for (kind, run) in self.sorted().kinds.iter().zip(runs) {
            let range = start..start + run.len;
            start = range.end;
            let [first, second] = neighbours.map(|row| &row[range.clone()]);
            backend.classify(&kind.table, first, second, &mut classes[range]);
        }
    }

    /// Splits a block that was brought into `matrix` (with [`SLACK`] bytes more) by classes.
    /// Returns where in `buffers.streams` each class's symbols stand.
    pub(super) fn split(
        &self,
        backend: Backend,
        samples: usize,
        matrix: &[u8],
        buffers: &mut Buffers,
    ) -> Vec<Range<usize>> {
        let width = self.geometry.channels() * samples;
        let n = matrix.len() - SLACK;
        let runs = self.runs(samples);
        let Buffers { classes, zeros, streams } = buffers;
        grow(classes, n);
        grow(zeros, width);
        let row_of = |row: usize| &matrix[row * width..][..width];
        for (row, classes) in classes[..n].chunks_exact_mut(width.max(1)).enumerate() {
            let neighbours = match self.neighbours(row) {
                Some(neighbours) => neighbours.map(row_of),
                None => [&zeros[..width]; 2],
            };
            self.classify(backend, &runs, neighbours, classes);
        }
        let counts = histogram::count(backend, &classes[..n]);
        let (mut positions, mut end): (Positions, usize) = ([0; MAX_CLASSES], 0);
        for (position, &count) in positions.iter_mut().zip(&counts).take(self.contexts.count) {
            *position = end;
            // What a kernel writes behind a class must not reach the next one.
            end += count as usize + SLACK;
        }
        let starts = positions;
        grow(streams, end + width + SLACK);
        for (row, classes) in classes[..n].chunks_exact(width.max(1)).enumerate() {
            backend.distribute(&runs, classes, row_of(row), streams, &mut positions);
        }
        starts
            .iter()
            .zip(positions)
            .take(self.contexts.count)
            .map(|(&start, end)| start..end)
            .collect()
    }
}

/// What [`Partition::split`] works in.
#[derive(Debug, Default)]
pub(super) struct Buffers {
    pub classes: Vec<u8>,
    pub zeros: Vec<u8>,
    pub streams: Vec<u8>,
}

/// Makes `buffer` at least `len` bytes long.
pub(super) fn grow(buffer: &mut Vec<u8>, len: usize) {
    if buffer.len() < len {
        buffer.resize(len, 0);
    }
}

/// How many levels there are.
pub(crate) fn level_count(levels: &[u8]) -> usize {
    levels.last().map_or(1, |&level| usize::from(level) + 1)
}

impl ClassTable {
    /// A table for these levels of numbers, and classes of pairs of levels.
    pub(super) fn new(alphabet: Alphabet, levels: &[u8], classes: &[u8]) -> Self {
        let level_count = level_count(levels) as u8;
        let mut table = Self {
            first: [0; 256],
            second: [0; 256],
            classes: [0; 128],
            alphabet: alphabet.size(),
        };
        for (number, &level) in levels.iter().enumerate() {
            let symbol = number ^ usize::from(flip(alphabet));
            table.first[symbol] = level * level_count;
            table.second[symbol] = level;
        }
        table.classes[..classes.len()].copy_from_slice(classes);
        table
    }
}

//! The order in which a block's symbols are coded: channel after channel, neighbours together.
//!
//! A block holds whole samples in C order, `[samples, *sample_shape]`. Its *sequence* is the same
//! symbols with the axes in the order channel, samples, other axes of the sample, second neighbour
//! axis, first neighbour axis. What the two neighbour axes span is a *plane*; planes of at least
//! 2 by 4 are read in tiles of two rows and four columns, tiles row by row, so that eight symbols
//! in a row are neighbours in both directions:
//!
//! ```text
//!  0  1  2  3 |  8  9
//!  4  5  6  7 | 10 11        a plane of 3 rows and 6 columns;
//! ------------+------        at the edges tiles are smaller
//! 12 13 14 15 | 16 17
//! ```

use crate::error::{Error, Result};

/// Rows and columns of a tile.
pub(crate) const TILE: (usize, usize) = (2, 4);

/// The axes of a sample that coding looks at.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Axes {
    /// Symbols at one index of this axis share their statistics.
    pub channel: Option<usize>,
    /// Along these, symbols are like their neighbours: first the axis of the rows, then, for
    /// planes, that of the columns.
    pub neighbours: [Option<usize>; 2],
}

impl Axes {
    /// The usual axes of a shape: none for scalars; `[D]`: channel D; `[T, D]`: channel D,
    /// neighbour T; `[…, C, H, W]`: channel C, neighbours W and H.
    pub fn of_shape(shape: &[usize]) -> Self {
        match shape.len() {
            0 => Self::default(),
            1 => Self { channel: Some(0), neighbours: [None; 2] },
            2 => Self { channel: Some(1), neighbours: [Some(0), None] },
            n => Self { channel: Some(n - 3), neighbours: [Some(n - 1), Some(n - 2)] },
        }
    }
}

/// Extent and stride, in symbols, of one axis.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Axis {
    pub extent: usize,
    pub stride: usize,
}

/// Where the symbols of a block's sequence stand.
#[derive(Clone, Debug)]
pub struct Geometry {
    sample_len: usize,
    channel: Axis,
    /// The other axes of the sample, in the sequence's order.
    rest: Vec<Axis>,
    /// Rows and columns of a plane that is read in tiles.
    plane: Option<(usize, usize)>,
    /// The first and the second neighbour axis.
    neighbours: [Option<Axis>; 2],
}

impl Geometry {
    /// The geometry of samples of a shape.
    ///
    /// # Errors
    /// [`Error::InvalidArgument`] if an axis is not one of the shape's or is named twice, if the
    /// second neighbour axis comes without the first, or if a sample has more than `isize::MAX`
    /// symbols.
    pub fn new(shape: &[usize], axes: Axes) -> Result<Self> {
        check_axes(shape, axes)?;
        let mut stride = Some(1usize);
        let mut all = vec![Axis { extent: 1, stride: 1 }; shape.len()];
        for (axis, &extent) in all.iter_mut().zip(shape).rev() {
            *axis = Axis { extent, stride: stride.unwrap_or(0) };
            stride = stride.and_then(|s| s.checked_mul(extent));
        }
        let Some(sample_len) = stride.filter(|&len| isize::try_from(len).is_ok()) else {
            return Err(Error::argument("sample shape", format!("{shape:?}"), "fit into memory"));
        };
        let [first, second] = axes.neighbours;
        let moved = [axes.channel, second, first];
        let others = (0..shape.len()).filter(|&axis| !moved.contains(&Some(axis)));
        let rest = others.chain(second).chain(first).map(|axis| all[axis]).collect();
        let channel = axes.channel.map_or(Axis { extent: 1, stride: 0 }, |axis| all[axis]);
        let plane = second.zip(first).map(|(rows, columns)| (shape[rows], shape[columns]));
        let plane = plane.filter(|&(rows, columns)| rows >= TILE.0 && columns >= TILE.1);
        let neighbours = axes.neighbours.map(|axis| axis.map(|axis| all[axis]));
        Ok(Self { sample_len, channel, rest, plane, neighbours })
    }

    /// Symbols of a sample.
    pub fn sample_len(&self) -> usize {
        self.sample_len
    }

    /// Number of channels; 1 where there is no channel axis.
    pub fn channels(&self) -> usize {
        self.channel.extent
    }

    /// Checks that `len` symbols are `samples` samples.
    pub(crate) fn check_len(&self, len: usize, samples: usize) -> Result<()> {
        if samples.checked_mul(self.sample_len) == Some(len) {
            return Ok(());
        }
        let expected = format!("be {samples} samples of {} symbols", self.sample_len);
        Err(Error::argument("number of symbols", len, expected))
    }

    pub(crate) fn channel_stride(&self) -> usize {
        self.channel.stride
    }

    pub(crate) fn plane(&self) -> Option<(usize, usize)> {
        self.plane
    }

    /// The first and the second neighbour axis.
    pub(crate) fn neighbours(&self) -> [Option<Axis>; 2] {
        self.neighbours
    }

    /// The channel of a sample's symbol number `position` in C order.
    pub(crate) fn channel_of(&self, position: usize) -> usize {
        position.checked_div(self.channel.stride).map_or(0, |index| index % self.channel.extent)
    }

    /// Symbols that one channel has in a block of `samples`.
    pub(crate) fn run_len(&self, samples: usize) -> usize {
        samples * self.sample_len / self.channel.extent.max(1)
    }

    /// The axes of one channel of a block of `samples`, outermost first. Axes that go on where the
    /// next one ends are joined with it, those of extent 1 left out.
    pub(crate) fn channel_axes(&self, samples: usize) -> Vec<Axis> {
        let mut joined: Vec<Axis> = Vec::with_capacity(1 + self.rest.len());
        let samples = Axis { extent: samples, stride: self.sample_len };
        for &axis in [samples].iter().chain(&self.rest).filter(|axis| axis.extent != 1) {
            match joined.last_mut() {
                Some(last) if last.stride == axis.stride * axis.extent => {
                    *last = Axis { extent: last.extent * axis.extent, stride: axis.stride };
                }
                _ => joined.push(axis),
            }
        }
        joined
    }
}

fn check_axes(shape: &[usize], axes: Axes) -> Result<()> {
    let [first, second] = axes.neighbours;
    let named: Vec<usize> = [axes.channel, first, second].into_iter().flatten().collect();
    let twice = (1..named.len()).any(|i| named[..i].contains(&named[i]));
    if twice || (second.is_some() && first.is_none()) {
        let expected = "name each axis once, the first neighbour axis before the second";
        return Err(Error::argument("axes", format!("{axes:?}"), expected));
    }
    match named.iter().find(|&&axis| axis >= shape.len()) {
        Some(axis) => Err(Error::argument("axis", axis, format!("be below {}", shape.len()))),
        None => Ok(()),
    }
}

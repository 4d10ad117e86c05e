//! How an array is cut into blocks and segments.
//!
//! An array of *items*, `[items, …]`, is cut at its first axis one index of which, everything behind
//! it included, fits a block: a block is as many consecutive indices of that axis as fit. Mostly that
//! axis is the items, and a block holds whole ones. If one item is too large, it is cut along an axis
//! of its own, and the axes before that one have a single index in a block. Every block is one
//! stretch of the array in C order.
//!
//! Items are samples; or, in a *flat* array, indices of the samples' own first axis (tokens, say),
//! whose number differs from sample to sample.

use std::borrow::Cow;
use std::ops::Range;

use crate::error::{Error, Result};
use crate::{Axes, Geometry};

/// Symbols of a segment: what a writer holds of a field at least.
pub const SEGMENT_SYMBOLS: usize = 1 << 23;

/// Most blocks of a segment.
pub const MAX_SEGMENT_BLOCKS: usize = 1 << 10;

/// Most symbols of one item.
const MAX_ITEM_SYMBOLS: usize = 1 << 40;

/// The blocks of an array of any number of items.
#[derive(Clone, Debug)]
pub struct Cut {
    axes: Axes,
    flat: bool,
    /// The axes of an item.
    item_shape: Vec<usize>,
    /// One sample; a single item of a flat array.
    whole: Geometry,
    channels: usize,
    /// The axis that is cut: 0 for the items, from 1 on those of an item.
    axis: usize,
    /// Indices of that axis in a block, all but the last.
    rows: usize,
    /// Symbols of one index of that axis.
    inner: usize,
}

/// What a block holds: samples of some geometry, of channels from a first one on.
#[derive(Clone, Debug)]
pub struct Slab<'a> {
    /// Shape and axes of each of its samples.
    pub geometry: Cow<'a, Geometry>,
    /// Number of its samples.
    pub samples: usize,
    /// The channel of the array that its first one is.
    pub first_channel: usize,
}

impl Cut {
    /// Cuts samples of `shape` into blocks of at most `cap` symbols.
    ///
    /// # Errors
    /// As [`Geometry::new`].
    pub fn samples(shape: &[usize], axes: Axes, cap: usize) -> Result<Self> {
        Self::new(shape, shape, axes, false, cap)
    }

    /// Cuts the first axes of samples `[…, *item_shape]`, laid end to end, into blocks of at most
    /// `cap` symbols. `axes` count that axis, which has no channels.
    ///
    /// # Errors
    /// As [`Geometry::new`]; also if the first axis is the channels'.
    pub fn flat(item_shape: &[usize], axes: Axes, cap: usize) -> Result<Self> {
        if axes.channel == Some(0) {
            let expected = "not be the first axis of samples that differ in its length";
            return Err(Error::argument("channel axis", 0, expected));
        }
        Self::new(item_shape, &[&[1], item_shape].concat(), axes, true, cap)
    }

    fn new(
        item_shape: &[usize],
        sample_shape: &[usize],
        axes: Axes,
        flat: bool,
        cap: usize,
    ) -> Result<Self> {
        let whole = Geometry::new(sample_shape, axes)?;
        if whole.sample_len() > MAX_ITEM_SYMBOLS {
            let expected = "have at most 2^40 elements";
            return Err(Error::argument("sample shape", format!("{sample_shape:?}"), expected));
        }
        let inner = |axis: usize| product_of(&item_shape[axis..]);
        let axis = (0..=item_shape.len()).find(|&axis| inner(axis) <= cap);
        let axis = axis.expect("behind the last axis is one symbol");
        let inner = inner(axis);
        let rows = (cap / inner.max(1)).max(1);
        let channels = axes.channel.map_or(1, |axis| sample_shape[axis]);
        Ok(Self { axes, flat, item_shape: item_shape.to_vec(), whole, channels, axis, rows, inner })
    }

    /// The same cut with blocks of only `items` items.
    ///
    /// # Errors
    /// [`Error::InvalidArgument`] if a block would then exceed its cap.
    pub fn with_block_items(mut self, items: usize) -> Result<Self> {
        if self.axis == 0 && (1..=self.rows).contains(&items) {
            self.rows = items;
        } else if items != 1 {
            let most = self.block_items();
            return Err(Error::argument("samples in a block", items, format!("be at most {most}")));
        }
        Ok(self)
    }

    /// Items in a block, all but the last; 1 also where an item takes several blocks.
    pub fn block_items(&self) -> usize {
        if self.axis == 0 { self.rows } else { 1 }
    }

    /// Symbols of an item.
    pub fn item_len(&self) -> usize {
        self.whole.sample_len()
    }

    /// Channels of the whole array, 1 without a channel axis.
    pub fn channels(&self) -> usize {
        self.channels
    }

    /// The geometry of a sample, or of a single item of a flat array.
    pub fn geometry(&self) -> &Geometry {
        &self.whole
    }

    /// Whether a block holds some of the channels only.
    pub fn splits_channels(&self) -> bool {
        self.channel_axis().is_some_and(|axis| 0 < axis && axis <= self.axis)
    }

    /// Blocks of an item that takes several, else 1.
    pub fn blocks_per_item(&self) -> usize {
        if self.axis == 0 { 1 } else { self.outer() * self.pieces() }
    }

    /// Blocks of `items` items.
    pub fn blocks(&self, items: usize) -> usize {
        if self.axis == 0 { items.div_ceil(self.rows) } else { items * self.blocks_per_item() }
    }

    /// Blocks in a segment, all but the last: whole items, if more than one fits.
    pub fn segment_blocks(&self) -> usize {
        let most = (SEGMENT_SYMBOLS / (self.rows * self.inner).max(1)).clamp(1, MAX_SEGMENT_BLOCKS);
        let item = self.blocks_per_item();
        if item <= most { most - most % item } else { most }
    }

    /// The blocks of each segment of `items` items.
    pub fn segments(&self, items: usize) -> impl Iterator<Item = Range<usize>> + use<> {
        let (blocks, step) = (self.blocks(items), self.segment_blocks());
        (0..blocks).step_by(step).map(move |first| first..blocks.min(first + step))
    }

    /// The symbols of block `block` of an array of `items` items.
    pub fn symbols(&self, block: usize, items: usize) -> Range<usize> {
        let (start, rows) = self.place(block, items);
        start..start + rows * self.inner
    }

    /// The symbols of several blocks.
    pub fn symbols_of(&self, blocks: &Range<usize>, items: usize) -> Range<usize> {
        if blocks.is_empty() {
            return 0..0;
        }
        self.symbols(blocks.start, items).start..self.symbols(blocks.end - 1, items).end
    }

    /// The block that a symbol lies in.
    pub fn block_of(&self, symbol: usize) -> usize {
        let block_len = self.rows * self.inner.max(1);
        if self.axis == 0 {
            return symbol / block_len;
        }
        let cut_len = self.extent() * self.inner;
        symbol / cut_len * self.pieces() + symbol % cut_len / block_len
    }

    /// What block `block` of an array of `items` items holds.
    pub fn slab(&self, block: usize, items: usize) -> Slab<'_> {
        let (start, rows) = self.place(block, items);
        if self.axis == 0 && !self.flat {
            let geometry = Cow::Borrowed(&self.whole);
            return Slab { geometry, samples: rows, first_channel: 0 };
        }
        let lead = if self.flat { vec![if self.axis == 0 { rows } else { 1 }] } else { vec![] };
        let mut shape = [&lead[..], &self.item_shape].concat();
        if self.axis > 0 {
            let cut = self.axis - 1 + lead.len();
            shape[lead.len()..cut].fill(1);
            shape[cut] = rows;
        }
        let geometry = Geometry::new(&shape, self.axes).expect("part of a geometry");
        let first_channel = match self.channel_axis() {
            Some(axis) if axis > 0 => {
                let inner = product_of(&self.item_shape[axis..]);
                if axis > self.axis { 0 } else { start / inner.max(1) % self.channels.max(1) }
            }
            _ => 0,
        };
        Slab { geometry: Cow::Owned(geometry), samples: 1, first_channel }
    }

    /// The channel axis as [`axis`](Self::axis) counts.
    fn channel_axis(&self) -> Option<usize> {
        self.axes.channel.map(|axis| axis + usize::from(!self.flat))
    }

    /// Indices of the axis that is cut, if it is not the items.
    fn extent(&self) -> usize {
        self.item_shape[self.axis - 1]
    }

    /// Blocks along that axis.
    fn pieces(&self) -> usize {
        self.extent().div_ceil(self.rows)
    }

    /// Indices of an item's axes before the one that is cut.
    fn outer(&self) -> usize {
        self.item_shape[..self.axis - 1].iter().product()
    }

    /// A block's first symbol, and its indices of the axis that is cut.
    fn place(&self, block: usize, items: usize) -> (usize, usize) {
        let (before, piece, extent) = match self.axis {
            0 => (0, block, items),
            _ => (block / self.pieces() * self.extent(), block % self.pieces(), self.extent()),
        };
        let first = piece * self.rows;
        ((before + first) * self.inner, self.rows.min(extent - first))
    }
}

/// Symbols that the last axes of an item span. [`Geometry::new`] has multiplied them in this order,
/// too: before a zero the product may be anything.
fn product_of(extents: &[usize]) -> usize {
    extents.iter().rev().product()
}

#[cfg(test)]
mod tests {
    use super::*;

    const CAP: usize = 1 << 16;

    fn cuts() -> Vec<(Cut, usize)> {
        let shapes: [&[usize]; 9] = [
            &[],
            &[3],
            &[0, 4],
            &[8, 32, 32],
            &[2048, 4096],
            &[256, 56, 56],
            &[3, 512, 512],
            &[2, 100_000],
            &[2, 3, 70_000, 2],
        ];
        let mut cuts = Vec::new();
        for shape in shapes {
            let axes = Axes::of_shape(shape);
            cuts.push((Cut::samples(shape, axes, CAP).unwrap(), 3));
            let axes = Axes::of_shape(&[&[1], shape].concat());
            if axes.channel != Some(0) {
                cuts.push((Cut::flat(shape, axes, CAP).unwrap(), 40));
            }
        }
        cuts
    }

    #[test]
    fn blocks_are_the_array_without_gaps_and_none_is_too_large() {
        for (cut, items) in cuts() {
            let mut end = 0;
            for block in 0..cut.blocks(items) {
                let symbols = cut.symbols(block, items);
                let slab = cut.slab(block, items);
                assert_eq!(symbols.start, end, "{cut:?}");
                assert!(symbols.len() <= CAP, "{cut:?}");
                assert_eq!(slab.samples * slab.geometry.sample_len(), symbols.len());
                assert!(slab.first_channel + slab.geometry.channels() <= cut.channels());
                if !symbols.is_empty() {
                    assert_eq!(cut.block_of(symbols.start), block);
                    assert_eq!(cut.block_of(symbols.end - 1), block);
                }
                end = symbols.end;
            }
            assert_eq!(end, items * cut.item_len(), "{cut:?}");
            let segments: Vec<_> = cut.segments(items).collect();
            assert_eq!(segments.last().unwrap().end, cut.blocks(items));
            assert!(segments.iter().all(|s| cut.symbols_of(s, items).len() <= SEGMENT_SYMBOLS));
        }
    }

    #[test]
    fn samples_without_symbols_may_have_axes_of_any_length() {
        let shape = [11, 1 << 40, 1 << 20, 0];
        let cut = Cut::samples(&shape, Axes::of_shape(&shape), CAP).unwrap();
        assert_eq!((cut.item_len(), cut.symbols(0, 3).len()), (0, 0));
    }

    #[test]
    fn large_samples_are_cut_by_channel_groups_or_along_their_first_axis() {
        let images = Cut::samples(&[256, 56, 56], Axes::of_shape(&[0; 3]), CAP).unwrap();
        assert_eq!((images.blocks_per_item(), images.segment_blocks()), (13, 130));
        let slab = images.slab(14, 2);
        assert_eq!((slab.first_channel, slab.geometry.channels()), (20, 20));
        let tokens = Cut::samples(&[2048, 4096], Axes::of_shape(&[0; 2]), CAP).unwrap();
        assert_eq!((tokens.blocks_per_item(), tokens.segment_blocks()), (128, 128));
        assert_eq!((tokens.splits_channels(), tokens.slab(3, 1).first_channel), (false, 0));
        assert_eq!(tokens.slab(3, 1).geometry.channels(), 4096);
    }
}

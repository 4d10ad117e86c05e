//! The class of every symbol of a sample, in C order.

use crate::channels::{flip, group};
use crate::geometry::Axis;
use crate::max::{Contexts, level_count};
use crate::{Alphabet, Geometry};

/// Which class each symbol of a sample belongs to, given those before it.
#[derive(Debug)]
pub(super) struct Places {
    places: Vec<Place>,
    /// The level of every symbol.
    levels: Vec<u8>,
    level_count: usize,
    /// For each kind, level of the first and level of the second neighbour its class.
    classes: Vec<u8>,
}

/// One symbol of a sample.
#[derive(Clone, Copy, Debug)]
pub(super) struct Place {
    /// Where the classes of its channel's kind begin.
    classes: u16,
    /// How far before it the two neighbours stand; 0 if it has none.
    neighbours: [u32; 2],
}

impl Places {
    /// For samples of `geometry`, which have at most 2^32 symbols.
    pub fn new(contexts: &Contexts, geometry: &Geometry, alphabet: Alphabet) -> Self {
        let level_count = level_count(&contexts.levels);
        let symbols = 0..alphabet.size();
        let levels = symbols.map(|s| contexts.levels[s ^ usize::from(flip(alphabet))]).collect();
        let place = |position| {
            let kind = contexts.kinds[group(geometry.channel_of(position), geometry.channels())];
            let neighbours = match level_count {
                1 => [0; 2],
                _ => neighbours(position, geometry.neighbours()),
            };
            Place { classes: u16::from(kind) * (level_count * level_count) as u16, neighbours }
        };
        let places = (0..geometry.sample_len()).map(place).collect();
        Self { places, levels, level_count, classes: contexts.classes.clone() }
    }

    /// Calls `each(place, index)` for `n` symbols, whole samples, in C order.
    #[inline(always)]
    pub fn for_each(&self, n: usize, mut each: impl FnMut(Place, usize)) {
        for first in (0..n).step_by(self.places.len()) {
            (first..).zip(&self.places).for_each(|(i, &place)| each(place, i));
        }
    }

    /// The class of the symbol at `place`, number `index` of `symbols`, which hold all before it.
    #[inline(always)]
    pub fn class(&self, place: Place, symbols: &[u8], index: usize) -> usize {
        let first_class = usize::from(place.classes);
        if self.level_count == 1 {
            return self.classes[first_class].into();
        }
        let level = |back: u32| match back {
            0 => usize::from(self.levels[0]),
            back => self.levels[usize::from(symbols[index - back as usize])].into(),
        };
        let [first, second] = place.neighbours.map(level);
        self.classes[first_class + first * self.level_count + second].into()
    }
}

/// How far before a symbol its neighbours stand; where there is only one it serves as both.
fn neighbours(position: usize, [first, second]: [Option<Axis>; 2]) -> [u32; 2] {
    let index = |axis: Axis| position / axis.stride % axis.extent;
    let back = |axis: Axis, steps: usize| (index(axis) >= steps).then_some(steps * axis.stride);
    let near = first.and_then(|axis| back(axis, 1));
    let other = match second {
        Some(axis) => back(axis, 1),
        None => first.and_then(|axis| back(axis, 2)),
    };
    [near.or(other), other.or(near)].map(|back| back.unwrap_or(0) as u32)
}

//! How hard to compress.

use crate::block::BLOCK_SYMBOLS;
use crate::error::{Error, Result};

/// How hard to compress.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Level {
    /// Every block by itself: the size of the optimal Huffman code, decoded at memory speed.
    Fast,
    /// Channel classes and nested masks under codebooks.
    #[default]
    Dense,
    /// Classes of channels and neighbours, and nested masks, under codebooks.
    Max,
}

impl Level {
    /// All levels by name.
    pub const ALL: [(&str, Self); 3] =
        [("fast", Self::Fast), ("dense", Self::Dense), ("max", Self::Max)];

    /// The level of that name.
    ///
    /// # Errors
    /// [`Error::InvalidArgument`] if there is none.
    pub fn by_name(name: &str) -> Result<Self> {
        let found = Self::ALL.iter().find(|(known, _)| *known == name);
        found.map(|&(_, level)| level).ok_or_else(|| {
            let names: Vec<_> = Self::ALL.iter().map(|(name, _)| *name).collect();
            Error::argument("level", name, format!("be one of {}", names.join(", ")))
        })
    }

    /// Symbols that a block has at most, unless a single sample has more.
    pub fn block_symbols(self) -> usize {
        match self {
            Self::Fast | Self::Dense => BLOCK_SYMBOLS,
            // A block's class sequences are long, and its rows, one for each position, are wide.
            Self::Max => 8 * BLOCK_SYMBOLS,
        }
    }

    /// Whether segments may have codebooks, and samples axes.
    pub fn has_codebooks(self) -> bool {
        self != Self::Fast
    }
}

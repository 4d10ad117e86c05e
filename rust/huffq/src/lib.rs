//! Huffman coding of the integers of low-bit quantised neural networks.
//!
//! The layers, each importing only those above it:
//!
//! - [`kernels`]: the inner loops, once per instruction set; the only unsafe code;
//! - [`alphabet`], [`histogram`], [`bits`]: codes and symbols, their counts, bit strings;
//! - [`lengths`], [`canonical`]: counts to optimal length-limited codes;
//! - [`serial`]: codewords one after another, most significant bit first;
//! - [`pivot`]: the same bits transposed by tree node, which vector units decode at memory speed;
//! - [`geometry`], [`classes`], [`nested`], [`dense`], [`max`], [`codebook`]: channels that are
//!   alike share codes, neighbours are coded together;
//! - [`direct`]: small blocks under a codebook, codeword after codeword;
//! - [`cut`]: where blocks and segments begin and end;
//! - [`block`]: one run of symbols to bytes and back, in the cheapest of several forms;
//! - [`segment`]: consecutive blocks and the codebook that they share;
//! - [`array`](mod@array): one whole array as a self-contained byte string;
//! - [`store`]: the `.huffq` file, many arrays streamed sample by sample.
//!
//! Bytes that come from outside never panic: every reader returns [`Error`].

#![deny(unsafe_code)]
#![warn(missing_docs)]

pub mod alphabet;
pub mod array;
pub mod bits;
pub mod block;
pub mod canonical;
mod channels;
mod checksum;
pub mod classes;
pub mod codebook;
mod cursor;
pub mod cut;
pub mod dense;
pub mod direct;
pub mod error;
pub mod geometry;
pub mod histogram;
pub mod kernels;
pub mod lengths;
mod level;
pub mod max;
pub mod nested;
pub mod parallel;
pub mod pivot;
mod planes;
pub mod segment;
pub mod serial;
pub mod store;

pub use alphabet::Alphabet;
pub use canonical::CodeTable;
pub use codebook::Codebook;
pub use cut::Cut;
pub use error::{Error, Result};
pub use geometry::{Axes, Geometry};
pub use kernels::Backend;
pub use level::Level;
pub use parallel::Threads;

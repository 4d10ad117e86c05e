//! Huffman coding of the integers of low-bit quantised neural networks.
//!
//! The layers, each importing only those above it:
//!
//! - [`kernels`]: the inner loops, once per instruction set; the only unsafe code;
//! - [`alphabet`], [`histogram`], [`bits`]: codes and symbols, their counts, bit strings;
//! - [`lengths`], [`canonical`]: counts to optimal length-limited codes;
//! - [`serial`]: codewords one after another, most significant bit first;
//! - [`pivot`]: the same bits transposed by tree node, which vector units decode at memory speed;
//! - [`block`]: one run of symbols to bytes and back, in the cheapest of several forms;
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
mod checksum;
mod cursor;
pub mod error;
pub mod histogram;
pub mod kernels;
pub mod lengths;
pub mod parallel;
pub mod pivot;
pub mod serial;
pub mod store;

pub use alphabet::Alphabet;
pub use canonical::CodeTable;
pub use error::{Error, Result};
pub use kernels::Backend;
pub use parallel::Threads;

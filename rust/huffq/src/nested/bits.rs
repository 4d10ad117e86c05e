//! Bit fields of a codebook, most significant bit first.

use crate::bits::peek;
use crate::error::{Error, Result};

/// Takes bit fields off bytes that nobody vouches for.
pub(crate) struct BitReader<'a> {
    bytes: &'a [u8],
    position: usize,
}

impl<'a> BitReader<'a> {
    pub(crate) fn new(bytes: &'a [u8]) -> Self {
        Self { bytes, position: 0 }
    }

    /// The next `count` bits, 1 to 16.
    pub(crate) fn read(&mut self, count: u32) -> Result<u64> {
        let value = self.peek(count);
        self.skip(count)?;
        Ok(value)
    }

    /// The next `count` bits, 1 to 16, zeros past the end.
    pub(crate) fn peek(&self, count: u32) -> u64 {
        peek(self.bytes, self.position) >> (64 - count)
    }

    /// Steps over `count` bits.
    pub(crate) fn skip(&mut self, count: u32) -> Result<()> {
        self.position += count as usize;
        let (needed, available) = (self.position.div_ceil(8) as u64, self.bytes.len() as u64);
        if needed > available {
            return Err(Error::Truncated { what: "codebook", needed, available });
        }
        Ok(())
    }

    /// Ends; what is left may only be padding of the last byte, zeros.
    pub(crate) fn finish(self) -> Result<()> {
        let end = self.position.div_ceil(8);
        let padding = (8 * end - self.position) as u32;
        if end != self.bytes.len() {
            let why = format!("{} bytes are there, {end} are needed", self.bytes.len());
            return Err(Error::corrupt("codebook", why));
        }
        if padding > 0 && self.peek(padding) != 0 {
            return Err(Error::corrupt("codebook", "its padding is not zero"));
        }
        Ok(())
    }
}

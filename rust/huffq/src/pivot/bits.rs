//! Numbers of a few bits each, least significant bit first.

use crate::error::{Error, Result};

/// Appends numbers to a byte vector.
pub(super) struct BitWriter<'a> {
    out: &'a mut Vec<u8>,
    pending: u128,
    pending_bits: u32,
}

impl<'a> BitWriter<'a> {
    pub(super) fn new(out: &'a mut Vec<u8>) -> Self {
        Self { out, pending: 0, pending_bits: 0 }
    }

    /// Writes the low `bits` bits of `value`, which has no others.
    pub(super) fn write(&mut self, value: usize, bits: u32) {
        self.pending |= (value as u128) << self.pending_bits;
        self.pending_bits += bits;
        while self.pending_bits >= 8 {
            self.out.push(self.pending as u8);
            self.pending >>= 8;
            self.pending_bits -= 8;
        }
    }

    /// Pads to a byte with zeros.
    pub(super) fn finish(self) {
        if self.pending_bits > 0 {
            self.out.push(self.pending as u8);
        }
    }
}

/// Takes numbers off a byte slice.
pub(super) struct BitReader<'a> {
    bytes: &'a [u8],
    read: usize,
    pending: u128,
    pending_bits: u32,
}

impl<'a> BitReader<'a> {
    pub(super) fn new(bytes: &'a [u8]) -> Self {
        Self { bytes, read: 0, pending: 0, pending_bits: 0 }
    }

    pub(super) fn read(&mut self, bits: u32) -> Result<usize> {
        while self.pending_bits < bits {
            let Some(&byte) = self.bytes.get(self.read) else {
                let needed = self.read as u64 + 1;
                let available = self.bytes.len() as u64;
                return Err(Error::Truncated { what: "node counts", needed, available });
            };
            self.pending |= u128::from(byte) << self.pending_bits;
            self.pending_bits += 8;
            self.read += 1;
        }
        let value = self.pending & ((1 << bits) - 1);
        self.pending >>= bits;
        self.pending_bits -= bits;
        Ok(value as usize)
    }

    /// Bytes read so far, the last one perhaps in part.
    pub(super) fn position(&self) -> usize {
        self.read
    }
}

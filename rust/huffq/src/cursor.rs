//! Little-endian integers and variable-length numbers, read from bytes that nobody vouches for.

use crate::error::{Error, Result};

/// A position in a byte string; `what` names it in errors.
pub(crate) struct Cursor<'a> {
    what: &'static str,
    bytes: &'a [u8],
    position: usize,
}

impl<'a> Cursor<'a> {
    pub fn new(what: &'static str, bytes: &'a [u8]) -> Self {
        Self { what, bytes, position: 0 }
    }

    /// Bytes read so far.
    pub fn position(&self) -> usize {
        self.position
    }

    /// Bytes not read yet.
    pub fn remaining(&self) -> usize {
        self.bytes.len() - self.position
    }

    /// The next `len` bytes.
    pub fn take(&mut self, len: usize) -> Result<&'a [u8]> {
        let rest = &self.bytes[self.position..];
        let taken = rest.get(..len).ok_or(Error::Truncated {
            what: self.what,
            needed: len as u64,
            available: rest.len() as u64,
        })?;
        self.position += len;
        Ok(taken)
    }

    /// The next `N` bytes.
    pub fn array<const N: usize>(&mut self) -> Result<[u8; N]> {
        Ok(self.take(N)?.try_into().expect("N bytes were taken"))
    }

    pub fn u8(&mut self) -> Result<u8> {
        Ok(self.array::<1>()?[0])
    }

    pub fn u16(&mut self) -> Result<u16> {
        self.array().map(u16::from_le_bytes)
    }

    pub fn u32(&mut self) -> Result<u32> {
        self.array().map(u32::from_le_bytes)
    }

    pub fn u64(&mut self) -> Result<u64> {
        self.array().map(u64::from_le_bytes)
    }

    /// A number as [`put_varint`] writes it.
    pub fn varint(&mut self) -> Result<u64> {
        let mut value = 0u64;
        for shift in (0..64).step_by(7) {
            let byte = self.u8()?;
            let low = u64::from(byte & 0x7f);
            if low << shift >> shift != low {
                break;
            }
            value |= low << shift;
            if byte & 0x80 == 0 {
                return Ok(value);
            }
        }
        Err(Error::corrupt(self.what, "a number has more than 64 bits"))
    }
}

/// Appends `value`, 7 bits a byte, lowest first; the highest bit says that another byte follows.
pub(crate) fn put_varint(mut value: u64, out: &mut Vec<u8>) {
    while value >= 0x80 {
        out.push(value as u8 | 0x80);
        value >>= 7;
    }
    out.push(value as u8);
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn varints_round_trip_and_overlong_ones_are_refused() {
        for value in (0..64).flat_map(|b| [(1u64 << b) - 1, 1 << b]).chain([u64::MAX]) {
            let mut bytes = Vec::new();
            put_varint(value, &mut bytes);
            let mut cursor = Cursor::new("number", &bytes);
            assert_eq!(cursor.varint().unwrap(), value);
            assert_eq!(cursor.remaining(), 0);
        }
        assert!(Cursor::new("number", &[0xff; 11]).varint().is_err());
        assert!(Cursor::new("number", &[0x80; 3]).varint().is_err());
    }
}

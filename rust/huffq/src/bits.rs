//! Bit strings, most significant bit first: the first bit written is the highest of its byte.

/// Appends bit strings to a byte vector.
pub(crate) struct BitWriter<'a> {
    out: &'a mut Vec<u8>,
    /// The last `pending` bits, right-aligned; higher bits are stale.
    accumulator: u64,
    /// Bits not yet written out, below 32 between calls.
    pending: u32,
}

impl<'a> BitWriter<'a> {
    pub fn new(out: &'a mut Vec<u8>) -> Self {
        Self { out, accumulator: 0, pending: 0 }
    }

    /// Appends the low `count` bits of `value`, at most 32; the bits above them must be 0.
    #[inline(always)]
    pub fn put(&mut self, value: u32, count: u32) {
        debug_assert!(count <= 32 && u64::from(value) >> count == 0);
        self.accumulator = self.accumulator << count | u64::from(value);
        self.pending += count;
        if self.pending >= 32 {
            self.pending -= 32;
            let word = (self.accumulator >> self.pending) as u32;
            self.out.extend_from_slice(&word.to_be_bytes());
        }
    }

    /// Writes what is pending, the last byte padded with zeros.
    pub fn finish(self) {
        let word = (self.accumulator << (32 - self.pending)) as u32;
        self.out.extend_from_slice(&word.to_be_bytes()[..self.pending.div_ceil(8) as usize]);
    }
}

/// The 64 bits that begin at bit `position`, zeros past the end; at least 57 of them are valid.
#[inline(always)]
pub(crate) fn peek(bytes: &[u8], position: usize) -> u64 {
    let start = position / 8;
    let word = match bytes.get(start..start + 8) {
        Some(eight) => u64::from_be_bytes(eight.try_into().expect("eight bytes")),
        None => {
            let mut padded = [0; 8];
            let rest = bytes.get(start..).unwrap_or_default();
            padded[..rest.len()].copy_from_slice(rest);
            u64::from_be_bytes(padded)
        }
    };
    word << (position % 8)
}

/// Appends `symbols` as `width` bits each (1 to 8).
pub(crate) fn pack(symbols: &[u8], width: u8, out: &mut Vec<u8>) {
    out.reserve(packed_len(symbols.len(), width));
    let mut writer = BitWriter::new(out);
    let width = u32::from(width);
    let mut fours = symbols.chunks_exact(4);
    for four in &mut fours {
        let joined = four.iter().fold(0, |acc, &s| acc << width | u32::from(s));
        writer.put(joined, 4 * width);
    }
    for &s in fours.remainder() {
        writer.put(u32::from(s), width);
    }
    writer.finish();
}

/// The inverse of [`pack`]; `packed` must hold [`packed_len`] bytes.
pub(crate) fn unpack(packed: &[u8], width: u8, symbols: &mut [u8]) {
    let width = usize::from(width);
    // Eight symbols take exactly `width` bytes, so every group starts on a byte.
    for (i, group) in symbols.chunks_mut(8).enumerate() {
        let mut window = peek(packed, i * 8 * width);
        for symbol in group {
            *symbol = (window >> (64 - width)) as u8;
            window <<= width;
        }
    }
}

/// Bytes that `count` symbols of `width` bits take.
pub(crate) fn packed_len(count: usize, width: u8) -> usize {
    // Split so that the product cannot overflow.
    count / 8 * usize::from(width) + (count % 8 * usize::from(width)).div_ceil(8)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_first_bit_is_the_highest_of_its_byte() {
        let mut out = Vec::new();
        let mut writer = BitWriter::new(&mut out);
        writer.put(0b1, 1);
        writer.put(0b01, 2);
        writer.put(0b1_0000_0001, 9);
        writer.finish();
        assert_eq!(out, [0b1011_0000, 0b0001_0000]);
    }

    #[test]
    fn pack_and_unpack_are_inverse_at_every_width_and_length() {
        for width in 1..=8u8 {
            let all: Vec<u8> = (0..300u32).map(|i| (i * 37 / 4) as u8 >> (8 - width)).collect();
            for n in 0..=all.len() {
                let mut packed = Vec::new();
                pack(&all[..n], width, &mut packed);
                assert_eq!(packed.len(), packed_len(n, width));
                let mut back = vec![0; n];
                unpack(&packed, width, &mut back);
                assert_eq!(back, all[..n]);
            }
        }
    }

    #[test]
    fn peeking_past_the_end_gives_zeros() {
        assert_eq!(peek(&[0xff], 4), 0xf << 60);
        assert_eq!(peek(&[0xff], 80), 0);
    }
}

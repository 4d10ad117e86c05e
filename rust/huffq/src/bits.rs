//! Bit strings, most significant bit first: the first bit written is the highest of its byte.

/// Appends bit strings, of a total length that is known beforehand, to a byte vector.
pub(crate) struct BitWriter<'a> {
    out: &'a mut Vec<u8>,
    /// The byte that the next bit goes to.
    position: usize,
    /// The first bits of that byte that are decided, left-aligned; zeros follow.
    accumulator: u64,
    /// Their number, 0 to 7.
    pending: u32,
}

impl<'a> BitWriter<'a> {
    /// Most bits of one [`put`](Self::put): up to 7 may be pending.
    pub const MAX_PUT: u32 = 57;

    /// A writer of at most `bits` bits.
    pub fn new(out: &'a mut Vec<u8>, bits: u64) -> Self {
        let position = out.len();
        // Every put stores eight bytes, however few are new.
        out.resize(position + bits.div_ceil(8) as usize + 8, 0);
        Self { out, position, accumulator: 0, pending: 0 }
    }

    /// Appends the low `count` bits of `value`, 1 to [`MAX_PUT`](Self::MAX_PUT); the bits above
    /// must be 0.
    #[inline(always)]
    pub fn put(&mut self, value: u64, count: u32) {
        debug_assert!((1..=Self::MAX_PUT).contains(&count) && value >> count == 0);
        self.pending += count;
        self.accumulator |= value << (64 - self.pending);
        self.out[self.position..self.position + 8].copy_from_slice(&self.accumulator.to_be_bytes());
        self.position += (self.pending / 8) as usize;
        // Two shifts, since all 64 bits may be whole bytes.
        self.accumulator = self.accumulator << (self.pending / 8 * 4) << (self.pending / 8 * 4);
        self.pending %= 8;
    }

    /// Ends with the last byte, padded with zeros.
    pub fn finish(self) {
        self.out.truncate(self.position + usize::from(self.pending > 0));
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
    let width = u32::from(width);
    let mut writer = BitWriter::new(out, symbols.len() as u64 * u64::from(width));
    for group in symbols.chunks((BitWriter::MAX_PUT / width).min(8) as usize) {
        let joined = group.iter().fold(0, |acc, &s| (acc << width) | u64::from(s));
        writer.put(joined, group.len() as u32 * width);
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
        let mut writer = BitWriter::new(&mut out, 12);
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

//! Bit strings, most significant bit first: the first bit written is the highest of its byte.

/// Writes bit strings one after another.
pub(crate) struct BitWriter<'a> {
    /// A slice, since the header of a vector would be read anew after each store.
    out: &'a mut [u8],
    /// The byte that the next bit goes to.
    position: usize,
    /// The last bits put, right-aligned; what is above the pending ones is stale.
    accumulator: u64,
    /// Bits of that byte that are decided, 0 to 7.
    pending: u32,
}

impl BitWriter<'_> {
    /// Most bits of one [`put`](Self::put): up to 7 may be pending.
    pub const MAX_PUT: u32 = 57;

    /// Appends the bits that `write` puts, at most `bits`, to `out`; pads the last byte with zeros.
    pub fn append<T>(out: &mut Vec<u8>, bits: u64, write: impl FnOnce(&mut BitWriter) -> T) -> T {
        let begin = out.len();
        // Every put stores eight bytes, however few are new.
        out.resize(begin + bits.div_ceil(8) as usize + 8, 0);
        let mut writer =
            BitWriter { out: &mut out[begin..], position: 0, accumulator: 0, pending: 0 };
        let result = write(&mut writer);
        let len = writer.bits().div_ceil(8) as usize;
        out.truncate(begin + len);
        result
    }

    /// Appends the low `count` bits of `value`, 1 to [`MAX_PUT`](Self::MAX_PUT); the bits above
    /// must be 0.
    #[inline(always)]
    pub fn put(&mut self, value: u64, count: u32) {
        debug_assert!((1..=Self::MAX_PUT).contains(&count) && value >> count == 0);
        // Nothing here waits for the store, and the accumulator not even for `pending`.
        self.accumulator = self.accumulator << count | value;
        self.pending += count;
        let aligned = self.accumulator << (64 - self.pending);
        self.out[self.position..self.position + 8].copy_from_slice(&aligned.to_be_bytes());
        self.position += (self.pending / 8) as usize;
        self.pending %= 8;
    }

    /// Bits put so far.
    pub fn bits(&self) -> u64 {
        8 * self.position as u64 + u64::from(self.pending)
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
    BitWriter::append(out, symbols.len() as u64 * u64::from(width), |writer| {
        for group in symbols.chunks((BitWriter::MAX_PUT / width).min(8) as usize) {
            let joined = group.iter().fold(0, |acc, &s| (acc << width) | u64::from(s));
            writer.put(joined, group.len() as u32 * width);
        }
    });
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
        BitWriter::append(&mut out, 12, |writer| {
            writer.put(0b1, 1);
            writer.put(0b01, 2);
            writer.put(0b1_0000_0001, 9);
        });
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

//! CRC-32C of stored bytes.

use crc_fast::crc32_iscsi;

/// The checksum of `bytes`.
pub(crate) fn of(bytes: &[u8]) -> u32 {
    crc32_iscsi(bytes)
}

/// Whether a stored checksum is the one of the bytes that were read.
///
/// Fuzzing takes any: hardly a mutation would get past checksums otherwise.
pub(crate) fn matches(stored: u32, computed: u32) -> bool {
    stored == computed || cfg!(fuzzing)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn it_is_crc_32c() {
        // The check value of RFC 3720's CRC.
        assert_eq!(of(b"123456789"), 0xe306_9283);
    }

    #[test]
    fn every_length_is_as_a_bit_after_a_bit() {
        let bytes: Vec<u8> = (0..3000u32).map(|i| (i * i / 7) as u8).collect();
        let mut crc = u32::MAX;
        for (n, &byte) in bytes.iter().enumerate() {
            assert_eq!(of(&bytes[..n]), !crc, "{n} bytes");
            crc ^= u32::from(byte);
            (0..8).for_each(|_| crc = crc >> 1 ^ if crc & 1 == 1 { 0x82f6_3b78 } else { 0 });
        }
    }
}

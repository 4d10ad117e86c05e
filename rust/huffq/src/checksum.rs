//! CRC-32C of stored bytes.

use crc_fast::{CrcAlgorithm, Digest, crc32_iscsi};

/// The checksum of `bytes`.
pub(crate) fn of(bytes: &[u8]) -> u32 {
    crc32_iscsi(bytes)
}

/// The checksum of `head` and `tail` one after another.
pub(crate) fn of_both(head: &[u8], tail: &[u8]) -> u32 {
    let mut digest = Digest::new(CrcAlgorithm::Crc32Iscsi);
    digest.update(head);
    digest.update(tail);
    digest.finalize() as u32
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
    fn it_is_crc_32c_whole_and_in_two() {
        // The check value of RFC 3720's CRC.
        assert_eq!(of(b"123456789"), 0xe306_9283);
        let bytes: Vec<u8> = (0..3000u32).map(|i| (i * i / 7) as u8).collect();
        for at in (0..=bytes.len()).step_by(37) {
            let (head, tail) = bytes.split_at(at);
            assert_eq!(of_both(head, tail), of(&bytes));
        }
    }
}

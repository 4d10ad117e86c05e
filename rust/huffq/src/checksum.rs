//! CRC-32C of stored bytes.

use crc32c::crc32c;

/// The checksum of `bytes`.
pub(crate) fn of(bytes: &[u8]) -> u32 {
    crc32c(bytes)
}

/// Whether a stored checksum is the one of the bytes that were read.
///
/// Fuzzing takes any: hardly a mutation would get past checksums otherwise.
pub(crate) fn matches(stored: u32, computed: u32) -> bool {
    stored == computed || cfg!(fuzzing)
}

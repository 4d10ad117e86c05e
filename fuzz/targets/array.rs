//! Any bytes as an encoded array; checksums are not looked at.
#![no_main]

use huffq::array::Blob;
use libfuzzer_sys::fuzz_target;

/// Larger claims are legitimate (constant blocks) but slow.
const MAX_SYMBOLS: usize = 1 << 20;

fuzz_target!(|data: &[u8]| {
    let Ok(blob) = Blob::parse(data) else { return };
    let len = blob.shape().iter().product();
    if len <= MAX_SYMBOLS {
        let _ = blob.decode(&mut vec![0; len], None);
    }
});

//! Any bytes as a shared codebook, and any bytes as an array under it; checksums are not looked at.
#![no_main]

use huffq::array::SharedCodebook;
use libfuzzer_sys::fuzz_target;

/// Larger claims are legitimate (constant blocks) but slow.
const MAX_SYMBOLS: usize = 1 << 20;

fuzz_target!(|data: &[u8]| {
    let [low, high, rest @ ..] = data else { return };
    let len = usize::from(u16::from_le_bytes([*low, *high]));
    let (codebook, blob) = rest.split_at(rest.len().min(len));
    let Ok(codebook) = SharedCodebook::parse(codebook) else { return };
    let Ok(blob) = codebook.open(blob) else { return };
    let len = blob.shape().iter().product();
    if len <= MAX_SYMBOLS {
        let mut out = vec![0; len];
        if blob.decode(&mut out, None).is_ok() {
            codebook.alphabet().check(&out).expect("codes of the alphabet");
        }
    }
});

//! Any bytes as a block: every backend agrees on the symbols or refuses, and what decodes is codes
//! of the alphabet.
#![no_main]

use huffq::block::Coder;
use huffq::{Alphabet, Backend};
use libfuzzer_sys::fuzz_target;

fuzz_target!(|data: &[u8]| {
    let [kind, low, high, block @ ..] = data else { return };
    let Ok(alphabet) = Alphabet::new(kind & 15, kind & 16 != 0) else { return };
    let n = usize::from(u16::from_le_bytes([*low, *high]));
    let decoded: Vec<_> = Backend::available()
        .map(|backend| {
            let mut out = vec![0; n];
            let result = Coder::new(backend).decode(block, alphabet, None, &mut out);
            result.ok().map(|()| out)
        })
        .collect();
    assert!(decoded.windows(2).all(|pair| pair[0] == pair[1]), "backends disagree");
    if let Some(codes) = &decoded[0] {
        alphabet.symbols(codes).expect("codes of the alphabet");
    }
});

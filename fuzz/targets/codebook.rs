//! Any bytes as a codebook, and any bytes as a block under it: all backends agree.
#![no_main]

use huffq::codebook::Scratch;
use huffq::{Alphabet, Axes, Backend, Codebook, Geometry, Level};
use libfuzzer_sys::fuzz_target;

const SHAPES: [&[usize]; 6] = [&[], &[5], &[7, 3], &[2, 4, 8], &[3, 5, 6], &[2, 1, 3, 9]];

fuzz_target!(|data: &[u8]| {
    let [kind, shape, samples, low, high, rest @ ..] = data else { return };
    let Ok(alphabet) = Alphabet::new(kind & 15, kind & 16 != 0) else { return };
    let shape = SHAPES[usize::from(*shape) % SHAPES.len()];
    let geometry = Geometry::new(shape, Axes::of_shape(shape)).unwrap();
    let codebook_len = usize::from(u16::from_le_bytes([*low, *high]));
    let (codebook, block) = rest.split_at(rest.len().min(codebook_len));
    let level = if kind & 32 != 0 { Level::Max } else { Level::Dense };
    let Ok(codebook) = Codebook::parse(level, codebook, &geometry, alphabet) else { return };
    let samples = usize::from(*samples);
    let decoded: Vec<_> = Backend::available()
        .map(|backend| {
            let mut out = vec![0; samples * geometry.sample_len()];
            let scratch = &mut Scratch::new(backend);
            codebook.decode_block(block, samples, scratch, &mut out).ok().map(|()| out)
        })
        .collect();
    assert!(decoded.windows(2).all(|pair| pair[0] == pair[1]), "backends disagree");
});

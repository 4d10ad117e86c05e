//! Decoding and encoding stay inside the caller's slices: each against an unmapped page.

mod common;
#[path = "common/guard.rs"]
mod guard;

use common::Random;
use guard::Guarded;
use huffq::lengths::package_merge;
use huffq::pivot::{Scratch, Tree, decode, encode};
use huffq::{Backend, histogram};

#[test]
fn every_backend_and_length() {
    let mut random = Random(5);
    let [mut input, mut packed, mut output] = [(); 3].map(|()| Guarded::new(4096));
    for alphabet in [2, 5, 16, 40, 256] {
        let weights: Vec<u64> = (0..alphabet).map(|s| 1 + 1000 / (s * s + 1)).collect();
        let tree = Tree::new(&package_merge(&weights, 12).unwrap()).unwrap();
        for n in 0..=300 {
            let symbols: Vec<u8> =
                (0..n).map(|_| random.below(alphabet).min(random.below(alphabet)) as u8).collect();
            for backend in Backend::available() {
                let input = input.copy(&symbols);
                let counts = histogram::count(backend, input);
                let mut payload = Vec::new();
                let mut scratch = Scratch::default();
                encode(backend, &tree, input, &counts, &mut scratch, &mut payload).unwrap();
                let packed = packed.copy(&payload);
                decode(backend, &tree, packed, &mut scratch, output.last(n)).unwrap();
                assert!(output.last(n) == symbols, "{backend:?}, {n} symbols");
                decode(backend, &tree, packed, &mut scratch, output.first(n)).unwrap();
                assert!(output.first(n) == symbols, "{backend:?}, {n} symbols");
            }
        }
    }
}

//! Every kernel of every backend against plain loops, its slices against unmapped pages.

#[path = "../../../tests/common/guard.rs"]
mod guard;
#[path = "../../../tests/common/mod.rs"]
mod random;

mod classes;
mod masks;
mod planes;
mod streams;

use guard::Guarded;
use random::Random;

use super::*;

const LENGTHS: std::ops::RangeInclusive<usize> = 0..=300;

fn bytes(n: usize, random: &mut Random) -> Vec<u8> {
    (0..n).map(|_| random.next() as u8).collect()
}

fn bit(mask: &[u8], i: usize) -> bool {
    mask[i / 8] >> (i % 8) & 1 == 1
}

#[test]
fn backends_go_by_name() {
    for backend in Backend::available() {
        assert_eq!(Backend::by_name(backend.name()).unwrap(), backend);
    }
    let message = Backend::by_name("sse9").unwrap_err().to_string();
    assert!(message.starts_with("backend is sse9; it must be one of portable"), "{message}");
}

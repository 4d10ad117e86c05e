//! Damaged payloads give an error or some symbols, never a panic, and never touch what is not
//! theirs: input and output lie against unmapped pages.

mod common;
#[path = "common/guard.rs"]
mod guard;

use common::Random;
use guard::Guarded;
use huffq::lengths::package_merge;
use huffq::pivot::{Scratch, Tree, decode, encode};
use huffq::{Backend, Error, histogram};

struct Case {
    tree: Tree,
    symbols: Vec<u8>,
    payload: Vec<u8>,
}

fn cases() -> Vec<Case> {
    let mut random = Random(6);
    let mut cases = Vec::new();
    for (alphabet, n) in [(2, 9), (3, 70), (16, 1), (16, 65), (16, 300), (40, 200), (256, 300)] {
        let symbols: Vec<u8> =
            (0..n).map(|_| random.below(alphabet).min(random.below(alphabet)) as u8).collect();
        let weights: Vec<u64> = (0..alphabet).map(|s| 1 + 1000 / (s * s + 1)).collect();
        let tree = Tree::new(&package_merge(&weights, 15).unwrap()).unwrap();
        let backend = Backend::by_name("portable").unwrap();
        let counts = histogram::count(backend, &symbols);
        let mut payload = Vec::new();
        encode(backend, &tree, &symbols, &counts, &mut Scratch::default(), &mut payload).unwrap();
        cases.push(Case { tree, symbols, payload });
    }
    cases
}

/// Decodes with every backend and returns what they agree on.
fn decode_all(case: &Case, payload: &[u8], n: usize) -> Result<Vec<u8>, Error> {
    let (mut input, mut output) = (Guarded::new(4096), Guarded::new(4096));
    let input = input.copy(payload);
    let mut first = None;
    for backend in Backend::available() {
        let out = output.last(n);
        let result = decode(backend, &case.tree, input, &mut Scratch::default(), out);
        let result = result.map(|()| out.to_vec());
        if let (Ok(out), Some(Ok(first))) = (&result, &first) {
            assert!(out == first, "{backend:?} decodes to other symbols");
        }
        assert!(first.as_ref().is_none_or(|f: &Result<_, _>| f.is_ok() == result.is_ok()));
        first.get_or_insert(result);
    }
    first.expect("the portable backend is always available")
}

#[test]
fn every_truncation_is_reported() {
    for case in cases() {
        for len in 0..case.payload.len() {
            assert!(decode_all(&case, &case.payload[..len], case.symbols.len()).is_err());
        }
    }
}

#[test]
fn bytes_too_many_are_reported() {
    for case in cases() {
        let longer = [&case.payload[..], &[0]].concat();
        assert!(decode_all(&case, &longer, case.symbols.len()).is_err());
    }
}

#[test]
fn every_bit_flip_gives_symbols_or_an_error() {
    for case in cases() {
        for bit in 0..8 * case.payload.len() {
            let mut payload = case.payload.clone();
            payload[bit / 8] ^= 1 << (bit % 8);
            // Padding is ignored, so a flip there may go unseen.
            let _ = decode_all(&case, &payload, case.symbols.len());
        }
    }
}

#[test]
fn any_bytes_for_any_number_of_symbols() {
    let mut random = Random(7);
    for case in cases() {
        for _ in 0..300 {
            let mut payload = case.payload.clone();
            for _ in 0..1 + random.below(8) {
                let at = random.below(payload.len() as u64) as usize;
                payload[at] = random.next() as u8;
            }
            let _ = decode_all(&case, &payload, case.symbols.len());
            let _ = decode_all(&case, &payload, random.below(400) as usize);
        }
    }
}

#[test]
fn masks_that_contradict_the_counts_are_reported() {
    let case = Case {
        tree: Tree::new(&[1, 2, 3, 3]).unwrap(),
        symbols: vec![0; 8],
        // None of eight goes right; yet the root's mask has one bit set.
        payload: vec![0b0000, 0b0001_0000],
    };
    let error = decode_all(&case, &case.payload, case.symbols.len()).unwrap_err();
    let why = "node mask is corrupt: 1 bits are set, the node counts say 0";
    assert_eq!(error.to_string(), why);
}

#[test]
fn counts_above_the_node_are_reported() {
    let case = Case {
        tree: Tree::new(&[1, 2, 2]).unwrap(),
        symbols: vec![0; 8],
        payload: vec![0b1001, 0, 0, 0],
    };
    let error = decode_all(&case, &case.payload, case.symbols.len()).unwrap_err();
    assert_eq!(error.to_string(), "node counts is corrupt: 9 of a node's 8 symbols go right");
}

//! What goes in comes out, from every backend in the same bytes.

mod common;

use common::Random;
use huffq::lengths::package_merge;
use huffq::pivot::{Scratch, Tree, decode, encode};
use huffq::{Backend, Error, histogram};

/// Symbols drawn with weights that fall by `ratio` from one to the next.
fn geometric(n: usize, alphabet: usize, ratio: f64, random: &mut Random) -> Vec<u8> {
    let weights: Vec<f64> = (0..alphabet).map(|s| ratio.powi(s as i32)).collect();
    let total: f64 = weights.iter().sum();
    let draw = |random: &mut Random| {
        let mut at = random.below(1 << 53) as f64 / (1u64 << 53) as f64 * total;
        let symbol = weights.iter().position(|w| {
            at -= w;
            at < 0.0
        });
        // Spread over the alphabet, so that ranks and symbols differ.
        (symbol.unwrap_or(0) * 7 % alphabet) as u8
    };
    (0..n).map(|_| draw(random)).collect()
}

/// A complete code over all of the alphabet, fitted to the symbols.
fn tree_for(symbols: &[u8], alphabet: usize) -> Tree {
    let counts = histogram::count(Backend::by_name("portable").unwrap(), symbols);
    let counts: Vec<u64> = counts[..alphabet].iter().map(|c| c + 1).collect();
    Tree::new(&package_merge(&counts, 15).unwrap()).unwrap()
}

fn check(tree: &Tree, symbols: &[u8]) -> Vec<u8> {
    let mut expected = None;
    for backend in Backend::available() {
        let mut scratch = Scratch::default();
        let counts = histogram::count(backend, symbols);
        let mut payload = vec![0xa5; 3];
        encode(backend, tree, symbols, &counts, &mut scratch, &mut payload).unwrap();
        let payload = payload.split_off(3);
        assert_eq!(*expected.get_or_insert_with(|| payload.clone()), payload, "{backend:?}");
        let mut out = vec![0xa5; symbols.len()];
        decode(backend, tree, &payload, &mut scratch, &mut out).unwrap();
        assert!(out == symbols, "{backend:?}, {} symbols", symbols.len());
    }
    expected.unwrap()
}

#[test]
fn every_alphabet_and_distribution() {
    let mut random = Random(1);
    for alphabet in (2..=40).chain([63, 64, 65, 100, 127, 128, 129, 200, 255, 256]) {
        for ratio in [1.0, 0.99, 0.9, 0.6, 0.1, 0.0] {
            let n = 1000 + random.below(100) as usize;
            let symbols = geometric(n, alphabet, ratio, &mut random);
            check(&tree_for(&symbols, alphabet), &symbols);
        }
    }
}

#[test]
fn every_length() {
    let mut random = Random(2);
    for (alphabet, ratio) in [(2, 0.5), (16, 0.7), (16, 1.0), (37, 0.9), (256, 0.98)] {
        let symbols = geometric(70_000, alphabet, ratio, &mut random);
        let tree = tree_for(&symbols, alphabet);
        for n in (0..=300).chain(4090..4100).chain(65_530..65_540) {
            check(&tree, &symbols[..n]);
        }
    }
}

#[test]
fn one_rare_symbol_at_any_place() {
    for alphabet in [2, 3, 16, 256] {
        let rare = (alphabet - 1) as u8;
        let tree = tree_for(&[0; 1000], alphabet);
        for at in (0..200).chain(990..1000) {
            let mut symbols = [0; 1000];
            symbols[at] = rare;
            check(&tree, &symbols);
        }
    }
}

#[test]
fn deep_and_flat_codes() {
    let mut random = Random(3);
    let chain: Vec<u8> = (1..=15).chain([15]).collect();
    let halves: Vec<u8> = [vec![1], vec![8; 128]].concat();
    let uniform = (1..=8).map(|depth| vec![depth; 1 << depth]);
    for lengths in uniform.chain([chain, halves, vec![2, 3, 3, 3, 3, 3, 3]]) {
        let tree = Tree::new(&lengths).unwrap();
        assert_eq!(tree.used(), lengths.len());
        for n in [0, 1, 63, 64, 65, 5000] {
            let symbols: Vec<u8> =
                (0..n).map(|_| random.below(lengths.len() as u64) as u8).collect();
            let payload = check(&tree, &symbols);
            let bits: usize = symbols.iter().map(|&s| usize::from(lengths[usize::from(s)])).sum();
            let nodes = tree.used();
            assert!(payload.len() <= bits / 8 + nodes + 2 * nodes, "{} bytes", payload.len());
        }
    }
}

#[test]
fn the_payload_of_the_documented_example() {
    let tree = Tree::new(&[1, 3, 3, 3, 4, 4]).unwrap();
    // Counts: 4 of 8 go right (4 bits), 3 of 4 (3 bits), 2 of 3 (2 bits).
    let counts = [0b0011_0100, 0b1];
    let streams = [0b0, 0b01, 0b110, 0b1011, 0b1011_0010];
    assert_eq!(check(&tree, &[0, 3, 0, 0, 5, 1, 0, 4]), [&counts[..], &streams].concat());
}

#[test]
fn symbols_without_a_codeword_are_named() {
    let tree = Tree::new(&[1, 0, 1]).unwrap();
    for backend in Backend::available() {
        for (symbols, symbol) in [(&[0, 2, 1, 2], 1), (&[0, 2, 9, 1], 9)] {
            let counts = histogram::count(backend, symbols);
            let mut out = vec![7];
            let result =
                encode(backend, &tree, symbols, &counts, &mut Scratch::default(), &mut out);
            match result {
                Err(Error::NoCodeword { symbol: s, index: 2 }) => assert_eq!(s, symbol),
                other => panic!("{other:?}"),
            }
            assert_eq!(out, [7]);
        }
    }
}

#[test]
fn counts_of_other_symbols_are_refused() {
    let tree = Tree::new(&[1, 2, 2]).unwrap();
    for backend in Backend::available() {
        let mut out = Vec::new();
        let mut scratch = Scratch::default();
        for counts in [[2, 1, 1], [1, 1, 3], [0, 2, 2]] {
            let result = encode(backend, &tree, &[0, 1, 1, 0, 2], &counts, &mut scratch, &mut out);
            assert!(matches!(result, Err(Error::InvalidArgument { .. })), "{counts:?}");
            assert!(out.is_empty());
        }
    }
}

#[test]
fn histograms_agree_with_a_plain_loop() {
    let mut random = Random(4);
    for alphabet in [1, 2, 16, 17, 256] {
        let symbols = geometric(70_000, alphabet, 0.9, &mut random);
        for n in (0..=300).chain([3839, 3840, 3841, 70_000]) {
            let mut plain = [0; 256];
            symbols[..n].iter().for_each(|&s| plain[usize::from(s)] += 1);
            for backend in Backend::available() {
                assert_eq!(histogram::count(backend, &symbols[..n]), plain, "{backend:?}, {n}");
            }
        }
    }
}

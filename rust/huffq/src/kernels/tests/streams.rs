//! Bit streams.

use super::*;

/// A code with codewords of 1 to 11 bits: byte b has a length of about its logarithm.
fn skewed_code() -> (Codewords, Box<LaneTable>) {
    let counts: Vec<u64> = (0..256).map(|b| 1 + (1 << 20 >> (b / 2).min(20))).collect();
    let table = crate::CodeTable::from_counts(&counts, 11).unwrap();
    let codewords = Codewords::new(|byte| (table.codewords()[byte], table.lengths()[byte]));
    let mut lookups = Box::new([0; 1 << LANE_INDEX_BITS]);
    for byte in 0..256 {
        let (length, codeword) = (table.lengths()[byte], table.codewords()[byte]);
        let first = usize::from(codeword) << (11 - length);
        lookups[first..][..1 << (11 - length)].fill((byte << 8) as u16 | u16::from(length));
    }
    (codewords, lookups)
}

#[test]
fn lanes_come_back_and_stay_in_bounds() {
    let mut random = Random(8);
    let (codewords, table) = skewed_code();
    let [mut symbols, mut streams, mut outs] = [(); 3].map(|()| Guarded::new(8192));
    for n in LENGTHS {
        // Every other time mostly the longest codewords.
        let most = [12, 256][n % 2];
        let input: Vec<u8> =
            (0..n).map(|_| random.below(256).min(random.below(most)) as u8).collect();
        let input = symbols.copy(&input);
        for lanes in [1, MAX_LANES] {
            let mut first: Option<Vec<u8>> = None;
            for backend in Backend::available() {
                let mut written: [Lane; MAX_LANES] = Default::default();
                // Twice: lanes go on from sequence to sequence.
                (0..2).for_each(|_| backend.encode_lanes(&codewords, input, &mut written[..lanes]));
                let (mut positions, mut bytes) = ([0; MAX_LANES], Vec::new());
                for (position, lane) in positions.iter_mut().zip(&written[..lanes]) {
                    *position = 8 * bytes.len();
                    bytes.extend_from_slice(lane.bytes());
                }
                assert_eq!(*first.get_or_insert_with(|| bytes.clone()), bytes, "{backend:?}");
                let bytes = streams.copy(&bytes);
                for _ in 0..2 {
                    let out = outs.last(n);
                    backend.decode_lanes(bytes, &mut positions[..lanes], &table, out);
                    assert_eq!(out, input, "{backend:?}, {n} in {lanes} lanes");
                }
                // Anywhere, also past the end.
                let mut positions = positions.map(|_| random.below(10_000) as usize);
                backend.decode_lanes(bytes, &mut positions[..lanes], &table, outs.last(n));
            }
        }
    }
}

#[test]
fn lanes_forget_what_was_written_after_a_state() {
    let (codewords, _) = skewed_code();
    let mut lanes: [Lane; 1] = Default::default();
    let backend = Backend(Kind::Portable);
    backend.encode_lanes(&codewords, &[9, 1, 30], &mut lanes);
    let (state, before) = (lanes[0].state(), lanes[0].bytes().to_vec());
    backend.encode_lanes(&codewords, &[200; 50], &mut lanes);
    lanes[0].reset(state);
    assert_eq!(lanes[0].bytes(), before);
}

#[test]
fn serial_decoding_stays_in_bounds_whatever_bits_and_entries() {
    let mut random = Random(9);
    let [mut inputs, mut outs] = [(); 2].map(|()| Guarded::new(4096));
    // Half of the entries empty, so that it gets stuck; the others with any count and length.
    let mut entry = || if random.below(2) == 0 { 0 } else { random.next() };
    let wild: Vec<u64> = (0..1 << serial::INDEX_BITS).map(|_| entry()).collect();
    let longest = vec![7 << 61 | 11; 1 << serial::INDEX_BITS];
    for n in LENGTHS {
        let input = inputs.copy(&bytes(n, &mut random));
        for (backend, entries) in Backend::available().flat_map(|b| [(b, &wild), (b, &longest)]) {
            let entries = entries.as_slice().try_into().unwrap();
            for out in [n, LENGTHS.end() - n] {
                let position = random.below(8 * n as u64 + 1) as usize;
                let mut cursor = serial::Cursor { position, out: outs.last(out) };
                backend.decode_serial(input, entries, &mut cursor);
                assert!(cursor.position <= 8 * n);
            }
        }
    }
}

/// Codes without codewords beyond the first table, with few windows of such, with many of them, with
/// too long ones, and of a larger alphabet.
fn stripe_codes() -> impl Iterator<Item = crate::CodeTable> {
    let deep = |most: u8| (1..most).chain([most; 2]).collect::<Vec<u8>>();
    let many: Vec<u8> = [1, 2, 3, 4, 6, 7].into_iter().chain([8; 10]).collect();
    let wide: Vec<u8> = [1, 2].into_iter().chain([8; 64]).collect();
    let codes = [vec![1, 2, 3, 3], vec![4; 16], deep(12), many, deep(15), wide];
    codes.into_iter().map(|lengths| crate::CodeTable::from_lengths(&lengths).unwrap())
}

/// Whether there are words enough, and nothing else than what was decoded.
fn decode_stripes(
    backend: Backend,
    table: &crate::CodeTable,
    words: &[Vec<stripes::Word>; 2],
    places: &mut [Guarded; 2],
    out: &mut [u8],
) -> (bool, bool) {
    let mut places = places.iter_mut().zip(words);
    let mut readers = std::array::from_fn(|_| {
        let (place, words) = places.next().unwrap();
        stripes::GroupReader::new(place.copy(words.as_flattened()).as_chunks().0).unwrap()
    });
    let decoded = backend.decode_stripes(&stripes::StripeTable::new(table), &mut readers, out);
    (decoded, readers.iter().all(stripes::GroupReader::is_at_end))
}

#[test]
fn stripes_come_back_and_stay_in_bounds() {
    let mut random = Random(11);
    let [mut inputs, mut outs] = [(); 2].map(|()| Guarded::new(1 << 16));
    let mut places = [(); 2].map(|()| Guarded::new(1 << 16));
    for table in stripe_codes() {
        for n in LENGTHS.chain([2048, 6000]) {
            let used = 1 + random.below(table.lengths().len() as u64);
            let symbols: Vec<u8> = (0..n).map(|_| random.below(used) as u8).collect();
            let symbols = inputs.copy(&symbols);
            let code = stripes::StripeCode::new(&table);
            let mut first: Option<[Vec<stripes::Word>; 2]> = None;
            for backend in Backend::available() {
                let mut words = [(); 2].map(|()| vec![[0; 2]; n + 4 * stripes::LANES]);
                let [evens, odds] = &mut words;
                let counts = backend.encode_stripes(&code, symbols, [evens, odds]);
                for (words, count) in words.iter_mut().zip(counts) {
                    words.truncate(count);
                    words.reverse();
                }
                assert_eq!(*first.get_or_insert_with(|| words.clone()), words, "{backend:?}, {n}");
                let out = outs.last(n);
                let found = decode_stripes(backend, &table, &words, &mut places, out);
                assert_eq!(found, (true, true), "{backend:?}, {n}");
                assert_eq!(out, symbols, "{backend:?}, {n}");
            }
        }
    }
}

#[test]
fn any_words_of_stripes_are_the_same_to_all_backends() {
    let mut random = Random(12);
    let mut outs = Guarded::new(1 << 16);
    let mut places = [(); 2].map(|()| Guarded::new(1 << 16));
    // A set bit begins no codeword of this one.
    let lone = crate::CodeTable::from_lengths(&[0, 1]).unwrap();
    let (mut whole, mut short) = (0, 0);
    for table in stripe_codes().chain([lone]) {
        for (n, apart) in LENGTHS.chain([2048, 6000]).flat_map(|n| [(n, 1), (n, 64)]) {
            // All words have bits set, or one of 64; there are too few in many cases.
            let counts = [(); 2].map(|()| stripes::LANES + random.below(n as u64 / 3 + 1) as usize);
            let mut word = || if random.below(apart) == 0 { random.next() as u16 } else { 0 };
            let words = counts.map(|count| (0..count).map(|_| word().to_le_bytes()).collect());
            let found: Vec<_> = Backend::available()
                .map(|backend| {
                    let out = outs.last(n);
                    let (decoded, at_end) =
                        decode_stripes(backend, &table, &words, &mut places, out);
                    decoded.then(|| (out.to_vec(), at_end))
                })
                .collect();
            assert!(found.iter().all(|other| *other == found[0]), "{:?}, {n}", table.lengths());
            *(if found[0].is_some() { &mut whole } else { &mut short }) += 1;
        }
    }
    assert!(whole > 100 && short > 100, "{whole} were whole, {short} too short");
}

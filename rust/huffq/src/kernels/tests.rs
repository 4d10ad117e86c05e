//! Every kernel of every backend against plain loops, its slices against unmapped pages.

#[path = "../../tests/common/guard.rs"]
mod guard;
#[path = "../../tests/common/mod.rs"]
mod random;

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
fn merges_stay_in_bounds_under_any_mask() {
    let mut random = Random(1);
    let [mut masks, mut lefts, mut rights, mut outs] = [(); 4].map(|()| Guarded::new(4096));
    for n in LENGTHS {
        let noise = bytes(n.div_ceil(8), &mut random);
        for mask in [noise.clone(), vec![0; noise.len()], vec![255; noise.len()]] {
            let mask = masks.copy(&mask);
            let left = lefts.copy(&bytes(n + SLACK, &mut random));
            let right = rights.copy(&bytes(n + SLACK, &mut random));
            let (mut l, mut r) = (left.iter(), right.iter());
            let expected: Vec<u8> = (0..n)
                .filter_map(|i| if bit(mask, i) { r.next() } else { l.next() }.copied())
                .collect();
            let constant: Vec<u8> =
                (0..n).map(|i| if bit(mask, i) { expected[i] } else { 7 }).collect();
            let taken = (0..n).filter(|&i| bit(mask, i)).count();
            for backend in Backend::available() {
                let out = outs.last(n);
                let ahead = &mut Ahead::new(left);
                assert_eq!(backend.merge(mask, left, right, ahead, out), taken, "{backend:?}, {n}");
                assert_eq!(out, expected, "{backend:?}, {n}");
                let got = backend.merge_constant(mask, 7, right, ahead, out);
                assert_eq!(got, taken, "{backend:?}, {n}");
                assert_eq!(out, constant, "{backend:?}, {n}");
            }
        }
    }
}

#[test]
fn packing_and_unpacking_are_inverse() {
    let mut random = Random(2);
    let [mut keys, mut packs, mut tables, mut outs] = [(); 4].map(|()| Guarded::new(4096));
    for depth in 1..=7 {
        for n in LENGTHS {
            let first = random.below(256 - (1 << depth)) as u8;
            let numbers: Vec<u8> = (0..n).map(|_| random.below(1 << depth) as u8).collect();
            let keys = keys.copy(&numbers.iter().map(|number| number + first).collect::<Vec<_>>());
            let symbols = tables.copy(&bytes(1 << depth, &mut random));
            let expected: Vec<u8> = numbers.iter().map(|&i| symbols[usize::from(i)]).collect();
            let len = packed_len(n, u32::from(depth));
            let mut portable = vec![0; len];
            Backend(Kind::Portable).pack(depth, first, keys, &mut portable);
            for backend in Backend::available() {
                let packed = packs.last(len);
                backend.pack(depth, first, keys, packed);
                assert_eq!(packed, portable, "{backend:?}, {n} of {depth} bits");
                let out = outs.last(n);
                backend.unpack(packed, symbols, &mut Ahead::default(), out);
                assert_eq!(out, expected, "{backend:?}, {n} of {depth} bits");
            }
        }
    }
}

#[test]
fn partitions_keep_order() {
    let mut random = Random(3);
    let [mut all, mut masks, mut rights] = [(); 3].map(|()| Guarded::new(4096));
    for n in LENGTHS {
        let keys = bytes(n + SLACK, &mut random);
        for split in [0, 1, 100, 128, 200, 255] {
            let (right, left): (Vec<u8>, Vec<u8>) = keys[..n].iter().partition(|&&k| k >= split);
            for backend in Backend::available() {
                let (all, right_out) = (all.copy(&keys), rights.last(n + SLACK));
                let mask = masks.last(n.div_ceil(8));
                let moved = backend.take_right(split, all, n, mask, right_out);
                assert_eq!(right_out[..moved], right, "{backend:?}, {n} at {split}");
                assert!((0..n).all(|i| bit(mask, i) == (keys[i] >= split)));
                let before = mask.to_vec();
                let moved = backend.partition(split, all, n, mask, right_out);
                assert_eq!(right_out[..moved], right, "{backend:?}, {n} at {split}");
                assert_eq!(all[..n - moved], left, "{backend:?}, {n} at {split}");
                assert_eq!(mask, before);
            }
        }
    }
}

#[test]
fn maps_and_counts() {
    let mut random = Random(4);
    let [mut inputs, mut outs] = [(); 2].map(|()| Guarded::new(4096));
    let map: [u8; 256] = std::array::from_fn(|i| (i * 77 + 5) as u8);
    for n in LENGTHS {
        let input = inputs.copy(&bytes(n, &mut random));
        for size in [256, 128, 64, 33, 16, 5] {
            input.iter_mut().for_each(|b| *b = (usize::from(*b) % size) as u8);
            let expected: Vec<u8> = input.iter().map(|&b| map[usize::from(b)]).collect();
            for backend in Backend::available() {
                let out = outs.last(n);
                backend.translate(&map[..size], input, out);
                assert_eq!(out, expected, "{backend:?}, {n}");
            }
        }
        input.copy_from_slice(&bytes(n, &mut random));
        input.iter_mut().for_each(|b| *b &= 15);
        let count = |symbol| input.iter().filter(|&&b| usize::from(b) == symbol).count() as u64;
        let expected = std::array::from_fn(count);
        for backend in Backend::available() {
            assert_eq!(backend.count_nibbles(input), Some(expected), "{backend:?}, {n}");
        }
        if let Some(last) = input.last_mut() {
            *last = 16;
            for backend in Backend::available() {
                assert_eq!(backend.count_nibbles(input), None, "{backend:?}, {n}");
            }
        }
    }
}

#[test]
fn copies_fill_exactly_their_place() {
    let mut random = Random(10);
    let [mut inputs, mut outs] = [(); 2].map(|()| Guarded::new(4096));
    for n in LENGTHS {
        let input = inputs.copy(&bytes(n, &mut random));
        for behind in [0, 1, 37] {
            for backend in Backend::available() {
                // Any distance from a cache line, at both ends.
                let out = outs.last(n + behind);
                out.fill(0x55);
                backend.copy_to_memory(input, &mut out[..n]);
                assert_eq!(out[..n], *input, "{backend:?}, {n}");
                assert!(out[n..].iter().all(|&b| b == 0x55), "{backend:?}, {n}");
            }
        }
    }
}

#[test]
fn backends_go_by_name() {
    for backend in Backend::available() {
        assert_eq!(Backend::by_name(backend.name()).unwrap(), backend);
    }
    let message = Backend::by_name("sse9").unwrap_err().to_string();
    assert!(message.starts_with("backend is sse9; it must be one of portable"), "{message}");
}

#[test]
fn set_bits_and_smallest_sums() {
    let mut random = Random(5);
    let [mut masks, mut lefts, mut rights] = [(); 3].map(|()| Guarded::new(4096));
    for n in LENGTHS {
        let mask = masks.copy(&bytes(n.div_ceil(8), &mut random));
        let expected = (0..n).filter(|&i| bit(mask, i)).count();
        let numbers = |guarded: &mut Guarded, random: &mut Random| -> *mut u32 {
            let place = guarded.last(4 * n).as_mut_ptr().cast::<u32>();
            // SAFETY: there are `n` numbers' bytes, which end, and so begin, at a multiple of four.
            (0..n).for_each(|i| unsafe { place.add(i).write(random.next() as u32 >> 1) });
            place
        };
        let (left, right) = (numbers(&mut lefts, &mut random), numbers(&mut rights, &mut random));
        // SAFETY: `n` numbers were written at both places.
        let (a, b) =
            unsafe { (std::slice::from_raw_parts(left, n), std::slice::from_raw_parts(right, n)) };
        let smallest = a.iter().zip(b).map(|(a, b)| a + b).min().unwrap_or(u32::MAX);
        for backend in Backend::available() {
            assert_eq!(backend.count_ones(mask, n), expected, "{backend:?}, {n}");
            assert_eq!(backend.min_sum(a, b), smallest, "{backend:?}, {n}");
        }
    }
}

#[test]
fn rows_change_places_within_bounds() {
    let mut random = Random(6);
    let [mut inputs, mut outs, mut backs] = [(); 3].map(|()| Guarded::new(4096));
    for n in LENGTHS {
        for row_len in [8, 16, 24, 32, 40, 64] {
            let len = n / (2 * row_len) * 2 * row_len;
            // Runs with gaps between them on one side and none on the other.
            let (count, stride) = (1 + n % 3, len + n % 7);
            let runs = Runs { count, len, from_stride: stride, to_stride: len };
            let input = inputs.copy(&bytes((count - 1) * stride + len, &mut random));
            let mut expected = vec![0; count * len];
            for (i, expected) in expected.iter_mut().enumerate() {
                let (run, i) = (i / len, i % len);
                let (pair, place) = (i / (2 * row_len), i % (2 * row_len));
                let (row, x) = (place / 4 % 2, place / 8 * 4 + place % 4);
                *expected = input[run * stride + (2 * pair + row) * row_len + x];
            }
            for backend in Backend::available() {
                let (out, back) = (outs.last(count * len), backs.last(input.len()));
                backend.interleave(row_len, false, runs, input, out);
                assert_eq!(out, expected, "{backend:?}, {len} in rows of {row_len}");
                back.copy_from_slice(input);
                runs.reversed().for_each(out, back, |_, run| run.fill(0));
                backend.interleave(row_len, true, runs.reversed(), out, back);
                assert_eq!(back, input, "{backend:?}, {len} in rows of {row_len}");
            }
        }
    }
}

#[test]
fn squares_are_transposed() {
    let mut random = Random(7);
    let [mut inputs, mut outs] = [(); 2].map(|()| Guarded::new(8192));
    for n in (16..300).step_by(7) {
        let input = inputs.copy(&bytes(15 * n + 16, &mut random));
        let rows: [usize; 16] = std::array::from_fn(|i| n * (i * 7 % 16));
        let columns: [usize; 16] = std::array::from_fn(|i| 16 * (i * 5 % 16));
        for backend in Backend::available() {
            let out = outs.last(256);
            backend.transpose(input, &rows, out, &columns);
            for (i, row) in rows.iter().enumerate() {
                for (j, column) in columns.iter().enumerate() {
                    assert_eq!(out[column + i], input[row + j], "{backend:?}, rows of {n}");
                }
            }
        }
    }
}

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

#[test]
fn classes_and_their_streams() {
    let mut random = Random(7);
    let [mut firsts, mut seconds, mut places, mut outs, mut inputs] =
        [(); 5].map(|()| Guarded::new(1 << 15));
    for n in LENGTHS {
        for (alphabet, class_count) in [(2, 1), (16, 7), (64, 24), (256, 32)] {
            let mut table = contexts::ClassTable {
                first: std::array::from_fn(|_| 11 * random.below(11) as u8),
                second: std::array::from_fn(|_| random.below(11) as u8),
                classes: std::array::from_fn(|_| random.below(class_count) as u8),
                alphabet,
            };
            table.classes[121..].fill(0);
            let mut symbols = || (0..n).map(|_| random.below(alphabet as u64) as u8).collect();
            let [first, second, symbols]: [Vec<u8>; 3] = [(); 3].map(|()| symbols());
            let expected: Vec<u8> = (0..n)
                .map(|i| {
                    let pair =
                        table.first[usize::from(first[i])] + table.second[usize::from(second[i])];
                    table.classes[usize::from(pair)]
                })
                .collect();
            let used = ((1u64 << class_count) - 1) as u32;
            let runs = [n / 3, n - n / 3].map(|len| contexts::Run { len, used });
            let stream_len = 2 * n + SLACK;
            for backend in Backend::available() {
                let (first, second) = (firsts.copy(&first), seconds.copy(&second));
                let classes = places.last(n);
                backend.classify(&table, first, second, classes);
                assert_eq!(classes, expected, "{backend:?}, {n} of {alphabet}");
                // Streams that begin so late that the last one ends at the page.
                let starts: contexts::Positions = std::array::from_fn(|class| {
                    expected.iter().filter(|&&c| usize::from(c) < class).count()
                });
                let mut streams = vec![0; 2 * n + 33 * SLACK];
                let apart = |starts: contexts::Positions| {
                    std::array::from_fn::<_, 32, _>(|class| starts[class] + class * SLACK)
                };
                let mut positions = apart(starts);
                let all = inputs.copy(&symbols);
                backend.distribute(&runs, classes, all, &mut streams, &mut positions);
                let begins = apart(starts);
                let together: Vec<u8> = (0..class_count as usize)
                    .flat_map(|class| streams[begins[class]..positions[class]].to_vec())
                    .collect();
                assert_eq!(together.len(), n, "{backend:?}, {n}");
                let mut padded = together;
                padded.resize(stream_len, 0xee);
                let padded = inputs.copy(&padded);
                let mut positions = starts;
                let out = outs.last(n);
                backend.collect(&runs, classes, padded, &mut positions, out);
                assert_eq!(out, symbols, "{backend:?}, {n} of {alphabet}");
                let taken: usize = (0..32).map(|class| positions[class] - starts[class]).sum();
                assert_eq!(taken, n);
            }
        }
    }
}

#[test]
fn lines_and_rows() {
    let mut random = Random(8);
    let [mut inputs, mut outs] = [(); 2].map(|()| Guarded::new(1 << 15));
    for stride in [16, 17, 64, 100] {
        let len = 63 * stride + 16;
        let mut lines: [usize; 16] = std::array::from_fn(|i| 70 * i);
        lines.rotate_left(5);
        let input = bytes(15 * 70 + 64, &mut random);
        for backend in Backend::available() {
            let from = inputs.copy(&input);
            let to = outs.last(len);
            backend.lines_to_rows(from, &lines, to, 0, stride);
            for (i, line) in lines.iter().enumerate() {
                for row in 0..64 {
                    assert_eq!(to[row * stride + i], input[line + row], "{backend:?}, {stride}");
                }
            }
            let rows = to.to_vec();
            let from = inputs.copy(&rows);
            let to = outs.last(input.len());
            to.fill(0);
            backend.rows_to_lines(from, 0, stride, to, &lines);
            for line in lines {
                assert_eq!(to[line..line + 64], input[line..line + 64], "{backend:?}, {stride}");
            }
        }
    }
}

#[test]
fn the_cheapest_code_is_the_first_of_equals() {
    let mut random = Random(9);
    for symbols in [2, 16, 256] {
        for groups in 1..=6 {
            let counts: Vec<i16> = (0..symbols).map(|_| random.below(100) as i16).collect();
            let lengths: Vec<i16> =
                (0..16 * groups * symbols).map(|_| random.below(3) as i16).collect();
            let cost = |code: usize| -> i32 {
                let length = |i: usize| lengths[code / 16 * 16 * symbols + i * 16 + code % 16];
                (0..symbols).map(|i| i32::from(counts[i]) * i32::from(length(i))).sum()
            };
            let expected = (0..16 * groups).min_by_key(|&code| cost(code)).unwrap();
            for backend in Backend::available() {
                assert_eq!(backend.cheapest(&counts, &lengths), expected, "{backend:?}");
            }
        }
    }
}

//! Classes of symbols by their neighbours.

use super::*;

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

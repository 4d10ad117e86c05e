//! Masks, packed numbers, and what is looked up and counted.

use super::*;

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
fn set_bits_and_smallest_sums() {
    let mut random = Random(5);
    let [mut masks, mut lefts, mut rights] = [(); 3].map(|()| Guarded::new(4096));
    // Vectors count 512 bits at a time.
    for n in LENGTHS.chain([511, 512, 513, 1000, 1024]) {
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

//! Rearranging and transposing.

use super::*;

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

//! Transposition and tiles, in 64-bit words.

use crate::kernels::Runs;

pub(in crate::kernels) fn transpose(
    from: &[u8],
    rows: &[usize; 16],
    to: &mut [u8],
    columns: &[usize; 16],
) {
    for (half, rows) in rows.as_chunks::<8>().0.iter().enumerate() {
        for (side, columns) in columns.as_chunks::<8>().0.iter().enumerate() {
            let words = transpose_eight(rows.map(|row| word(&from[row + 8 * side..])));
            for (&column, word) in columns.iter().zip(words) {
                to[column + 8 * half..][..8].copy_from_slice(&word.to_le_bytes());
            }
        }
    }
}

fn word(bytes: &[u8]) -> u64 {
    u64::from_le_bytes(bytes[..8].try_into().expect("eight bytes"))
}

/// Transposes eight by eight bytes: single bytes change places across the diagonal, then pairs,
/// then quadruples.
#[inline(always)]
fn transpose_eight(rows: [u64; 8]) -> [u64; 8] {
    let [a, b, c, d, e, f, g, h] = rows;
    let ([a, b], [c, d]) = (exchange::<8>(a, b), exchange::<8>(c, d));
    let ([e, f], [g, h]) = (exchange::<8>(e, f), exchange::<8>(g, h));
    let ([a, c], [b, d]) = (exchange::<16>(a, c), exchange::<16>(b, d));
    let ([e, g], [f, h]) = (exchange::<16>(e, g), exchange::<16>(f, h));
    let ([a, e], [b, f]) = (exchange::<32>(a, e), exchange::<32>(b, f));
    let ([c, g], [d, h]) = (exchange::<32>(c, g), exchange::<32>(d, h));
    [a, b, c, d, e, f, g, h]
}

/// Exchanges the odd groups of `BITS` bits of `a` with the even ones of `b`.
#[inline(always)]
fn exchange<const BITS: u32>(a: u64, b: u64) -> [u64; 2] {
    let low = u64::MAX / ((1 << BITS) + 1);
    [a & low | (b & low) << BITS, a >> BITS & low | b & !low]
}

pub(in crate::kernels) fn interleave(
    row_len: usize,
    back: bool,
    runs: Runs,
    from: &[u8],
    to: &mut [u8],
) {
    runs.for_each(from, to, |from, to| interleave_pairs(row_len, back, from, to));
}

/// [`interleave`] of one run.
#[inline(always)]
pub(in crate::kernels) fn interleave_pairs(row_len: usize, back: bool, from: &[u8], to: &mut [u8]) {
    let pairs = from.chunks_exact(2 * row_len).zip(to.chunks_exact_mut(2 * row_len));
    for (from, to) in pairs {
        // Eight bytes of each row belong to sixteen bytes of tiles.
        for at in (0..row_len).step_by(8) {
            let (rows, tiles) = ((at, row_len + at), (2 * at, 2 * at + 8));
            let (source, target) = if back { (tiles, rows) } else { (rows, tiles) };
            let [a, b] = exchange::<32>(word(&from[source.0..]), word(&from[source.1..]));
            to[target.0..target.0 + 8].copy_from_slice(&a.to_le_bytes());
            to[target.1..target.1 + 8].copy_from_slice(&b.to_le_bytes());
        }
    }
}

/// Calls `transpose` for each square of 16 lines of 64 bytes, with its lines and its rows.
#[inline(always)]
pub(in crate::kernels) fn for_each_square(
    lines: &[usize; 16],
    first: usize,
    stride: usize,
    mut transpose: impl FnMut(&[usize; 16], &[usize; 16]),
) {
    for square in (0..64).step_by(16) {
        let row = |i| first + (square + i) * stride;
        transpose(&lines.map(|line| line + square), &std::array::from_fn(row));
    }
}

pub(in crate::kernels) fn lines_to_rows(
    from: &[u8],
    lines: &[usize; 16],
    to: &mut [u8],
    first: usize,
    stride: usize,
) {
    for_each_square(lines, first, stride, |lines, rows| transpose(from, lines, to, rows));
}

pub(in crate::kernels) fn rows_to_lines(
    from: &[u8],
    first: usize,
    stride: usize,
    to: &mut [u8],
    lines: &[usize; 16],
) {
    for_each_square(lines, first, stride, |lines, rows| transpose(from, rows, to, lines));
}

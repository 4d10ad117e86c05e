//! Loops that compilers turn into good vector code by themselves.

/// Set bits among the first `n`.
#[inline(always)]
pub(super) fn count_ones(mask: &[u8], n: usize) -> usize {
    let (words, last) = mask[..n / 8].as_chunks::<8>();
    let whole: usize =
        words.iter().map(|&word| u64::from_le_bytes(word).count_ones() as usize).sum();
    let bytes: usize = last.iter().map(|byte| byte.count_ones() as usize).sum();
    let part = mask.get(n / 8).map_or(0, |byte| (byte & ((1 << (n % 8)) - 1)).count_ones());
    whole + bytes + part as usize
}

/// Codes that are weighed side by side.
pub(crate) const CODES: usize = 16;

/// The first of the codes in which symbols with these counts are cheapest: `lengths` has for every
/// [`CODES`] of them, symbol after symbol, the length in each.
#[inline(always)]
pub(super) fn cheapest(counts: &[i16], lengths: &[i16]) -> usize {
    let mut best = (i32::MAX, 0);
    for (group, lengths) in lengths.chunks_exact(CODES * counts.len()).enumerate() {
        let mut costs = [0i32; CODES];
        for (&count, lengths) in counts.iter().zip(lengths.as_chunks::<CODES>().0) {
            for (cost, &length) in costs.iter_mut().zip(lengths) {
                *cost += i32::from(count) * i32::from(length);
            }
        }
        let cost = costs.iter().fold(i32::MAX, |least, &cost| least.min(cost));
        if cost < best.0 {
            let place = costs.iter().position(|&c| c == cost).unwrap_or(0);
            best = (cost, group * CODES + place);
        }
    }
    best.1
}

/// The smallest sum of two numbers at one place.
#[inline(always)]
pub(super) fn min_sum(a: &[u32], b: &[u32]) -> u32 {
    a.iter().zip(b).map(|(&a, &b)| a.wrapping_add(b)).min().unwrap_or(u32::MAX)
}

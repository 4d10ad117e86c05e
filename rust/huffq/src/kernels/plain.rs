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

/// The smallest sum of two numbers at one place.
#[inline(always)]
pub(super) fn min_sum(a: &[u32], b: &[u32]) -> u32 {
    a.iter().zip(b).map(|(&a, &b)| a.wrapping_add(b)).min().unwrap_or(u32::MAX)
}

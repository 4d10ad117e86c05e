//! Symbol counts.

/// Counts of all 256 byte values.
pub type Counts = [u64; 256];

/// Tables counted side by side: equal neighbours then do not wait for each other's store.
const LANES: usize = 4;

/// How often each byte value occurs in `symbols`.
pub fn count(symbols: &[u8]) -> Counts {
    let mut total = [0u64; 256];
    // A chunk's counts fit u32, half the cache footprint of u64.
    for chunk in symbols.chunks(1 << 30) {
        let mut lanes = [[0u32; 256]; LANES];
        let mut groups = chunk.chunks_exact(2 * LANES);
        for group in &mut groups {
            for (i, &s) in group.iter().enumerate() {
                lanes[i % LANES][usize::from(s)] += 1;
            }
        }
        for &s in groups.remainder() {
            lanes[0][usize::from(s)] += 1;
        }
        for (symbol, sum) in total.iter_mut().enumerate() {
            *sum += lanes.iter().map(|lane| u64::from(lane[symbol])).sum::<u64>();
        }
    }
    total
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn counts_match_a_plain_loop_at_every_length() {
        let symbols: Vec<u8> = (0..300u32).map(|i| (i * i % 251) as u8).collect();
        for n in 0..=symbols.len() {
            let mut plain = [0u64; 256];
            symbols[..n].iter().for_each(|&s| plain[usize::from(s)] += 1);
            assert_eq!(count(&symbols[..n]), plain);
        }
    }
}

//! Symbol counts.

use crate::kernels::Backend;

/// Counts of all 256 byte values.
pub type Counts = [u64; 256];

/// Tables counted side by side: equal neighbours then do not wait for each other's store.
const LANES: usize = 4;

/// How often each byte value occurs in `symbols`.
///
/// Alphabets of up to 16 symbols are counted in vector registers; one symbol beyond them and the
/// whole is counted in tables.
pub fn count(backend: Backend, symbols: &[u8]) -> Counts {
    let mut total = [0; 256];
    match backend.count_nibbles(symbols) {
        Some(counts) => total[..16].copy_from_slice(&counts),
        None => count_bytes(symbols, &mut total),
    }
    total
}

fn count_bytes(symbols: &[u8], total: &mut Counts) {
    // A chunk's counts fit u32, half the cache footprint of u64.
    for chunk in symbols.chunks(1 << 30) {
        let mut lanes = [[0u32; 256]; LANES];
        let (groups, rest) = chunk.as_chunks::<{ 2 * LANES }>();
        for group in groups {
            // One load and shifts, not eight loads: the load ports are the limit.
            let word = u64::from_le_bytes(*group);
            for i in 0..2 * LANES {
                lanes[i % LANES][(word >> (8 * i)) as usize & 255] += 1;
            }
        }
        for &symbol in rest {
            lanes[0][usize::from(symbol)] += 1;
        }
        for (symbol, sum) in total.iter_mut().enumerate() {
            *sum += lanes.iter().map(|lane| u64::from(lane[symbol])).sum::<u64>();
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn counts_match_a_plain_loop_at_every_length() {
        for alphabet in [16, 251] {
            let symbols: Vec<u8> = (0..300u32).map(|i| (i * i % alphabet) as u8).collect();
            for backend in Backend::available() {
                for n in 0..=symbols.len() {
                    let mut plain = [0u64; 256];
                    symbols[..n].iter().for_each(|&s| plain[usize::from(s)] += 1);
                    assert_eq!(count(backend, &symbols[..n]), plain);
                }
            }
        }
    }
}

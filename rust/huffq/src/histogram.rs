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
    for chunk in symbols.chunks(Tables::MOST) {
        let mut tables = Tables::default();
        tables.add(chunk);
        total.iter_mut().zip(tables.sums()).for_each(|(sum, count)| *sum += u64::from(count));
    }
}

/// Counts of byte values, of no more than [`MOST`](Self::MOST) bytes together.
#[derive(Clone, Debug)]
pub(crate) struct Tables([[u32; 256]; LANES]);

impl Default for Tables {
    fn default() -> Self {
        Self([[0; 256]; LANES])
    }
}

impl Tables {
    /// Their counts fit u32, half the cache footprint of u64.
    const MOST: usize = 1 << 30;

    pub(crate) fn add(&mut self, bytes: &[u8]) {
        let Self(lanes) = self;
        let (groups, rest) = bytes.as_chunks::<{ 2 * LANES }>();
        for group in groups {
            // One load and shifts, not eight loads: the load ports are the limit.
            let word = u64::from_le_bytes(*group);
            for i in 0..2 * LANES {
                lanes[i % LANES][(word >> (8 * i)) as usize & 255] += 1;
            }
        }
        for &byte in rest {
            lanes[0][usize::from(byte)] += 1;
        }
    }

    pub(crate) fn sums(&self) -> [u32; 256] {
        std::array::from_fn(|value| self.0.iter().map(|lane| lane[value]).sum())
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

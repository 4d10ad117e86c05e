//! Kernels for any machine: 64-bit words, no unsafe code, and what the others must agree with.

mod contexts;
mod planes;

pub(super) use contexts::{classify, collect, distribute};
pub(super) use planes::{
    for_each_square, interleave, interleave_pairs, lines_to_rows, rows_to_lines, transpose,
};

pub(super) use super::lanes::{decode_any as decode_lanes, encode as encode_lanes};
pub(super) use super::plain::{cheapest, count_ones, min_sum};

use super::tables::{COMPRESS, MERGE};
use super::{Ahead, for_depth};

/// Merges eight bytes a step; `left` and `right` give the next eight bytes of each side.
#[inline(always)]
fn merge_with(
    mask: &[u8],
    out: &mut [u8],
    left: impl Fn(usize) -> [u8; 8],
    right: impl Fn(usize) -> [u8; 8],
) -> usize {
    let mut taken = 0;
    let mut step = |mask: u8, at: usize, out: &mut [u8]| {
        let mut both = [0; 16];
        both[..8].copy_from_slice(&left(at - taken));
        both[8..].copy_from_slice(&right(taken));
        shuffle(&both, &MERGE[usize::from(mask)], out);
        taken += mask.count_ones() as usize;
    };
    let (groups, rest) = out.as_chunks_mut::<8>();
    for (i, (out, &mask)) in groups.iter_mut().zip(mask).enumerate() {
        step(mask, 8 * i, out);
    }
    if let (Some(&mask), 1..) = (mask.get(groups.len()), rest.len()) {
        step(mask & bits_of(rest.len()), 8 * groups.len(), rest);
    }
    taken
}

/// `out[i] = bytes[table[i]]`, straight to memory: eight bytes put together elsewhere and then
/// copied as one word would wait for the eight stores to be done.
#[inline(always)]
fn shuffle<const N: usize>(bytes: &[u8; N], table: &[u8; 8], out: &mut [u8]) {
    for (out, &from) in out.iter_mut().zip(table) {
        *out = bytes[usize::from(from) % N];
    }
}

fn eight(bytes: &[u8], at: usize) -> [u8; 8] {
    bytes[at..at + 8].try_into().expect("the slice has eight bytes")
}

/// The lowest `n` bits.
fn bits_of(n: usize) -> u8 {
    if n < 8 { (1 << n) - 1 } else { u8::MAX }
}

pub(super) fn merge(
    mask: &[u8],
    left: &[u8],
    right: &[u8],
    _: &mut Ahead,
    out: &mut [u8],
) -> usize {
    merge_with(mask, out, |at| eight(left, at), |at| eight(right, at))
}

pub(super) fn merge_constant(
    mask: &[u8],
    left: u8,
    right: &[u8],
    _: &mut Ahead,
    out: &mut [u8],
) -> usize {
    merge_with(mask, out, |_| [left; 8], |at| eight(right, at))
}

pub(super) fn unpack(depth: u32, packed: &[u8], symbols: &[u8], _: &mut Ahead, out: &mut [u8]) {
    let mut table = [0; 256];
    table[..symbols.len()].copy_from_slice(symbols);
    for_depth!(depth, unpack_depth(packed, &table, out));
}

fn unpack_depth<const D: usize>(packed: &[u8], table: &[u8; 256], out: &mut [u8]) {
    let look_up = |packed: &[u8]| {
        let mut word = [0; 8];
        word[..packed.len()].copy_from_slice(packed);
        spread::<D>(u64::from_le_bytes(word)).to_le_bytes().map(|number| table[usize::from(number)])
    };
    let (groups, rest) = out.as_chunks_mut::<8>();
    let (full, last) = packed.split_at(D * groups.len());
    for (out, packed) in groups.iter_mut().zip(full.chunks_exact(D)) {
        *out = look_up(packed);
    }
    rest.copy_from_slice(&look_up(last)[..rest.len()]);
}

pub(super) fn pack(depth: u32, first: u8, keys: &[u8], packed: &mut [u8]) {
    for_depth!(depth, pack_depth(first, keys, packed));
}

fn pack_depth<const D: usize>(first: u8, keys: &[u8], packed: &mut [u8]) {
    let word = |keys: [u8; 8]| {
        gather::<D>(u64::from_le_bytes(keys.map(|key| key.wrapping_sub(first)))).to_le_bytes()
    };
    let (groups, rest) = keys.as_chunks::<8>();
    let (full, last) = packed.split_at_mut(D * groups.len());
    for (&keys, packed) in groups.iter().zip(full.chunks_exact_mut(D)) {
        packed.copy_from_slice(&word(keys)[..D]);
    }
    let mut keys = [first; 8];
    keys[..rest.len()].copy_from_slice(rest);
    last.copy_from_slice(&word(keys)[..last.len()]);
}

/// The low `bits` bits of every lane of `lane` bits.
pub(super) const fn lanes(bits: usize, lane: usize) -> u64 {
    let mut mask = 0;
    let mut at = 0;
    while at < 64 {
        mask |= ((1u128 << bits) as u64).wrapping_sub(1) << at;
        at += lane;
    }
    mask
}

/// Eight numbers of D bits to one per byte: halves move apart, then quarters, then eighths.
fn spread<const D: usize>(x: u64) -> u64 {
    let apart = |x, bits, lane| {
        let low = lanes(bits, 2 * lane);
        x & low | x << (lane - bits) & low << lane
    };
    apart(apart(apart(x, 4 * D, 32), 2 * D, 16), D, 8)
}

/// The inverse of [`spread`].
fn gather<const D: usize>(x: u64) -> u64 {
    let together = |x, bits, lane| {
        let low = lanes(bits, 2 * lane);
        x & low | x >> (lane - bits) & low << bits
    };
    together(together(together(x, D, 8), 2 * D, 16), 4 * D, 32)
}

pub(super) fn copy_to_memory(from: &[u8], to: &mut [u8]) {
    to.copy_from_slice(from);
}

pub(super) fn translate(map: &[u8], symbols: &[u8], out: &mut [u8]) {
    let mut table = [0; 256];
    table[..map.len()].copy_from_slice(map);
    for (out, &symbol) in out.iter_mut().zip(symbols) {
        *out = table[usize::from(symbol)];
    }
}

/// Which of eight keys are at least `split`.
fn at_least(keys: [u8; 8], split: u8) -> u8 {
    const HIGH: u64 = lanes(1, 8) << 7;
    let keys = u64::from_le_bytes(keys);
    let split = u64::from_le_bytes([split; 8]);
    // The highest bits decide, or where they are equal the difference of the others.
    let low_at_least = (keys | HIGH) - (split & !HIGH);
    let at_least = (keys & !split | !(keys ^ split) & low_at_least) & HIGH;
    // Gathers the highest bits of all bytes in the highest byte.
    ((at_least >> 7).wrapping_mul(0x0102_0408_1020_4080) >> 56) as u8
}

pub(super) fn partition(
    split: u8,
    keys: &mut [u8],
    n: usize,
    mask: &mut [u8],
    right: &mut [u8],
) -> usize {
    let (mut kept, mut moved) = (0, 0);
    for (at, mask) in (0..n).step_by(8).zip(mask) {
        let group = eight(keys, at);
        let bits = bits_of(n - at);
        *mask = at_least(group, split) & bits;
        let stays = !*mask & bits;
        shuffle(&group, &COMPRESS[usize::from(stays)], &mut keys[kept..kept + 8]);
        shuffle(&group, &COMPRESS[usize::from(*mask)], &mut right[moved..moved + 8]);
        kept += stays.count_ones() as usize;
        moved += mask.count_ones() as usize;
    }
    moved
}

pub(super) fn take_right(
    split: u8,
    keys: &[u8],
    n: usize,
    mask: &mut [u8],
    right: &mut [u8],
) -> usize {
    let mut moved = 0;
    for (at, mask) in (0..n).step_by(8).zip(mask) {
        let group = eight(keys, at);
        *mask = at_least(group, split) & bits_of(n - at);
        shuffle(&group, &COMPRESS[usize::from(*mask)], &mut right[moved..moved + 8]);
        moved += mask.count_ones() as usize;
    }
    moved
}

pub(super) fn count_nibbles(symbols: &[u8]) -> Option<[u64; 16]> {
    // Equal neighbours in different tables do not wait for each other's store.
    let mut tables = [[0u64; 16]; 4];
    let (groups, rest) = symbols.as_chunks::<4>();
    for group in groups {
        for (table, &symbol) in tables.iter_mut().zip(group) {
            *table.get_mut(usize::from(symbol))? += 1;
        }
    }
    for &symbol in rest {
        *tables[0].get_mut(usize::from(symbol))? += 1;
    }
    Some(std::array::from_fn(|symbol| tables.iter().map(|table| table[symbol]).sum()))
}

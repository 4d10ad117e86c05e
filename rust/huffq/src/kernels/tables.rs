//! Byte shuffles for all masks of eight bits.

/// `COMPRESS[mask]` moves the bytes whose bit is set to the front, in order.
pub(super) static COMPRESS: [[u8; 8]; 256] = compress();

/// `MERGE[mask]` takes, for every bit from the lowest on, the next of bytes 8 to 15 where it is
/// set and the next of bytes 0 to 7 where not.
pub(super) static MERGE: [[u8; 8]; 256] = merge();

/// `EXPAND[mask]` counts, for every bit from the lowest on, the set bits below it; 0x80, which a
/// byte shuffle turns into a zero, is added where the bit itself is clear.
pub(super) static EXPAND: [[u8; 8]; 256] = expand();

const fn compress() -> [[u8; 8]; 256] {
    let mut table = [[0; 8]; 256];
    let mut mask = 0;
    while mask < 256 {
        let (mut bit, mut end) = (0, 0);
        while bit < 8 {
            if mask >> bit & 1 == 1 {
                table[mask][end] = bit as u8;
                end += 1;
            }
            bit += 1;
        }
        mask += 1;
    }
    table
}

const fn merge() -> [[u8; 8]; 256] {
    let mut table = [[0; 8]; 256];
    let mut mask = 0;
    while mask < 256 {
        let (mut bit, mut next) = (0, [0, 8]);
        while bit < 8 {
            let side = mask >> bit & 1;
            table[mask][bit] = next[side];
            next[side] += 1;
            bit += 1;
        }
        mask += 1;
    }
    table
}

const fn expand() -> [[u8; 8]; 256] {
    let mut table = [[0; 8]; 256];
    let mut mask = 0;
    while mask < 256 {
        let mut bit = 0;
        while bit < 8 {
            let below = mask & ((1usize << bit) - 1);
            table[mask][bit] =
                below.count_ones() as u8 | if mask >> bit & 1 == 0 { 0x80 } else { 0 };
            bit += 1;
        }
        mask += 1;
    }
    table
}

/// Counting symbols below 16 in four bits each: looked up by symbol, table `i` gives 1 for symbol
/// `2 * i`, 16 for symbol `2 * i + 1` and 0 for the others.
pub(super) const NIBBLE_INCREMENTS: [[u8; 16]; 8] = nibble_increments();

/// Steps until such a counter may overflow.
pub(super) const NIBBLE_LIMIT: usize = 15;

const fn nibble_increments() -> [[u8; 16]; 8] {
    let mut tables = [[0; 16]; 8];
    let mut i = 0;
    while i < 8 {
        tables[i][2 * i] = 1;
        tables[i][2 * i + 1] = 16;
        i += 1;
    }
    tables
}

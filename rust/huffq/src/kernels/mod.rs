//! The inner loops, once per instruction set, and the choice between them.
//!
//! This is the only module with unsafe code. Its rules:
//!
//! - Every kernel checks its slices' lengths on entry and then stays inside them *whatever bytes
//!   they hold*, also if a mask changes while it is read. It reads each input byte once.
//! - Kernels write exactly what they say. Inputs that are walked at the pace of a mask need
//!   64 readable bytes more (`SLACK`), so that the last step can load whole vectors.
//! - Features are checked once, when a [`Backend`] is made; a call is one branch and one jump, and
//!   everything below it inlines.

#![allow(unsafe_code)]

mod ahead;
#[cfg(target_arch = "x86_64")]
mod avx2;
#[cfg(target_arch = "x86_64")]
mod avx512;
mod lanes;
mod plain;
mod portable;
pub(crate) mod serial;
pub(crate) mod stripes;
mod tables;
#[cfg(test)]
mod tests;
#[cfg(target_arch = "x86_64")]
mod x86;

use std::env;
use std::sync::OnceLock;

use crate::error::{Error, Result};
pub(crate) use ahead::Ahead;
pub(crate) use lanes::{Codewords, LANE_INDEX_BITS, Lane, LaneTable, MAX_LANES};
pub(crate) use plain::CODES;

/// Readable bytes that a kernel needs behind a sequence walked at the pace of a mask.
pub(crate) const SLACK: usize = 64;

/// The environment variable that names the backend to use.
pub const BACKEND_VARIABLE: &str = "HUFFQ_BACKEND";

/// An instruction set that this machine has, and the kernels written for it.
///
/// All backends give the same bytes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Backend(Kind);

/// A `Backend` holds `Avx2` or `Avx512` only where [`Kind::is_available`] said yes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Kind {
    Portable,
    #[cfg(target_arch = "x86_64")]
    Avx2,
    #[cfg(target_arch = "x86_64")]
    Avx512,
}

impl Kind {
    #[cfg(target_arch = "x86_64")]
    const ALL: &[Self] = &[Self::Portable, Self::Avx2, Self::Avx512];
    #[cfg(not(target_arch = "x86_64"))]
    const ALL: &[Self] = &[Self::Portable];

    fn name(self) -> &'static str {
        match self {
            Self::Portable => "portable",
            #[cfg(target_arch = "x86_64")]
            Self::Avx2 => "avx2",
            #[cfg(target_arch = "x86_64")]
            Self::Avx512 => "avx512",
        }
    }

    /// The features are those that the module's functions are compiled for.
    fn is_available(self) -> bool {
        match self {
            Self::Portable => true,
            #[cfg(target_arch = "x86_64")]
            Self::Avx2 => {
                is_x86_feature_detected!("avx2")
                    && is_x86_feature_detected!("bmi1")
                    && is_x86_feature_detected!("bmi2")
                    && is_x86_feature_detected!("popcnt")
            }
            #[cfg(target_arch = "x86_64")]
            Self::Avx512 => {
                is_x86_feature_detected!("avx512f")
                    && is_x86_feature_detected!("avx512bw")
                    && is_x86_feature_detected!("avx512vbmi")
                    && is_x86_feature_detected!("avx512vbmi2")
                    && is_x86_feature_detected!("avx512vpopcntdq")
                    && is_x86_feature_detected!("bmi1")
                    && is_x86_feature_detected!("bmi2")
                    && is_x86_feature_detected!("popcnt")
            }
        }
    }
}

impl Backend {
    /// All backends of this machine, the fastest last.
    pub fn available() -> impl DoubleEndedIterator<Item = Self> {
        Kind::ALL.iter().copied().filter(|kind| kind.is_available()).map(Self)
    }

    /// The backend of that name.
    ///
    /// # Errors
    /// [`Error::InvalidArgument`] if this machine has none of that name.
    pub fn by_name(name: &str) -> Result<Self> {
        Self::available().find(|backend| backend.name() == name).ok_or_else(|| {
            let names: Vec<_> = Self::available().map(Self::name).collect();
            Error::argument("backend", name, format!("be one of {}", names.join(", ")))
        })
    }

    /// The backend that [`BACKEND_VARIABLE`] names, or else the fastest one; read once per process.
    ///
    /// # Errors
    /// [`Error::InvalidArgument`] if the variable names a backend that this machine does not have.
    pub fn current() -> Result<Self> {
        static CURRENT: OnceLock<Backend> = OnceLock::new();
        if let Some(&backend) = CURRENT.get() {
            return Ok(backend);
        }
        let backend = match env::var(BACKEND_VARIABLE) {
            Ok(name) => Self::by_name(&name)?,
            Err(_) => Self::available().next_back().unwrap_or(Self(Kind::Portable)),
        };
        Ok(*CURRENT.get_or_init(|| backend))
    }

    /// `"portable"`, `"avx2"` or `"avx512"`.
    pub fn name(self) -> &'static str {
        self.0.name()
    }
}

/// Calls the backend's kernel of that name.
macro_rules! dispatch {
    ($backend:expr, $kernel:ident($($argument:expr),*)) => {
        match $backend.0 {
            Kind::Portable => portable::$kernel($($argument),*),
            // SAFETY: the kernels ask for nothing but their target features, and a `Backend` of
            // this kind exists only where the machine has them.
            #[cfg(target_arch = "x86_64")]
            Kind::Avx2 => unsafe { avx2::$kernel($($argument),*) },
            // SAFETY: as above.
            #[cfg(target_arch = "x86_64")]
            Kind::Avx512 => unsafe { avx512::$kernel($($argument),*) },
        }
    };
}

impl Backend {
    /// Merges two sequences under a mask: bit `i` of `mask` (from each byte's least significant
    /// bit on) says whether `out[i]` is the next byte of `right` or of `left`. Returns how many
    /// came from `right`. Vector kernels fetch a line of what lies `ahead` at every step.
    ///
    /// # Panics
    /// If `mask` has not one bit per byte of `out`, or `left` or `right` not [`SLACK`] bytes more
    /// than `out`.
    pub(crate) fn merge(
        self,
        mask: &[u8],
        left: &[u8],
        right: &[u8],
        ahead: &mut Ahead,
        out: &mut [u8],
    ) -> usize {
        assert_eq!(mask.len(), out.len().div_ceil(8));
        assert!(left.len() >= out.len() + SLACK && right.len() >= out.len() + SLACK);
        dispatch!(self, merge(mask, left, right, ahead, out))
    }

    /// [`merge`](Self::merge) where everything on the left is one symbol.
    pub(crate) fn merge_constant(
        self,
        mask: &[u8],
        left: u8,
        right: &[u8],
        ahead: &mut Ahead,
        out: &mut [u8],
    ) -> usize {
        assert_eq!(mask.len(), out.len().div_ceil(8));
        assert!(right.len() >= out.len() + SLACK);
        dispatch!(self, merge_constant(mask, left, right, ahead, out))
    }

    /// Looks up packed numbers: `out[i]` is `symbols[d]`, `d` the `i`-th number of D bits in
    /// `packed`, least significant bit first. `symbols` has 2^D entries, D from 1 to 7. Vector
    /// kernels fetch a line of what lies `ahead` at every step.
    ///
    /// # Panics
    /// If a slice has another length.
    pub(crate) fn unpack(self, packed: &[u8], symbols: &[u8], ahead: &mut Ahead, out: &mut [u8]) {
        let depth = symbols.len().trailing_zeros();
        assert!((1..=7).contains(&depth) && symbols.len() == 1 << depth);
        assert_eq!(packed.len(), packed_len(out.len(), depth));
        dispatch!(self, unpack(depth, packed, symbols, ahead, out))
    }

    /// Replaces every symbol by `map[symbol]`; symbols beyond the map get arbitrary bytes.
    ///
    /// # Panics
    /// If `map` has more than 256 entries, or `out` is not as long as `symbols`.
    pub(crate) fn translate(self, map: &[u8], symbols: &[u8], out: &mut [u8]) {
        assert!(map.len() <= 256);
        assert_eq!(symbols.len(), out.len());
        dispatch!(self, translate(map, symbols, out))
    }

    /// Splits the first `n` of `keys`: those of at least `split` move to `right`, the others to the
    /// front of `keys`, both in order. Bit `i` of `mask` says whether `keys[i]` went right. Returns
    /// how many did. What follows the two sequences, within the first `n + SLACK` bytes of each
    /// slice, is overwritten arbitrarily.
    ///
    /// # Panics
    /// If `mask` has not `n` bits, or `keys` or `right` not `n + SLACK` bytes.
    pub(crate) fn partition(
        self,
        split: u8,
        keys: &mut [u8],
        n: usize,
        mask: &mut [u8],
        right: &mut [u8],
    ) -> usize {
        assert_eq!(mask.len(), n.div_ceil(8));
        assert!(keys.len() >= n + SLACK && right.len() >= n + SLACK);
        dispatch!(self, partition(split, keys, n, mask, right))
    }

    /// [`partition`](Self::partition) that leaves `keys` as they are.
    pub(crate) fn take_right(
        self,
        split: u8,
        keys: &[u8],
        n: usize,
        mask: &mut [u8],
        right: &mut [u8],
    ) -> usize {
        assert_eq!(mask.len(), n.div_ceil(8));
        assert!(keys.len() >= n + SLACK && right.len() >= n + SLACK);
        dispatch!(self, take_right(split, keys, n, mask, right))
    }

    /// Packs `keys[i] - first`, numbers below 2^`depth`, into `depth` bits each.
    ///
    /// # Panics
    /// If `packed` is not as long as that takes, or `depth` not within 1 to 7.
    pub(crate) fn pack(self, depth: u8, first: u8, keys: &[u8], packed: &mut [u8]) {
        let depth = u32::from(depth);
        assert!((1..=7).contains(&depth));
        assert_eq!(packed.len(), packed_len(keys.len(), depth));
        dispatch!(self, pack(depth, first, keys, packed))
    }

    /// Copies to where nobody will look soon: past the caches, on machines that can. Memory then
    /// need not be read before it is overwritten.
    ///
    /// # Panics
    /// If `from` and `to` differ in length.
    pub(crate) fn copy_to_memory(self, from: &[u8], to: &mut [u8]) {
        assert_eq!(from.len(), to.len());
        dispatch!(self, copy_to_memory(from, to))
    }

    /// Counts symbols below 16; `None` if there is another one.
    pub(crate) fn count_nibbles(self, symbols: &[u8]) -> Option<[u64; 16]> {
        dispatch!(self, count_nibbles(symbols))
    }
}

pub(crate) mod contexts;
mod dense;

pub(crate) use dense::Runs;

/// Bytes of `n` numbers of `depth` bits.
pub(crate) fn packed_len(n: usize, depth: u32) -> usize {
    let depth = depth as usize;
    n / 8 * depth + (n % 8 * depth).div_ceil(8)
}

/// Calls a kernel that is generic over the depth of a flat subtree.
macro_rules! for_depth {
    ($depth:expr, $kernel:ident($($argument:expr),*)) => {
        match $depth {
            1 => $kernel::<1>($($argument),*),
            2 => $kernel::<2>($($argument),*),
            3 => $kernel::<3>($($argument),*),
            4 => $kernel::<4>($($argument),*),
            5 => $kernel::<5>($($argument),*),
            6 => $kernel::<6>($($argument),*),
            _ => $kernel::<7>($($argument),*),
        }
    };
}
use for_depth;

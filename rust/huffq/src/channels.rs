//! What codebooks of all kinds have in common: groups of channels, numbers, what is trained on.

use std::borrow::Cow;
use std::ops::Range;

use crate::error::{Error, Result};
use crate::{Alphabet, Geometry};

/// Most groups of channels that are told apart; beyond that neighbouring channels share one.
pub const MAX_GROUPS: usize = 1024;

/// Symbols that are trained on, about, of however many there are.
pub(crate) const TRAINED: usize = 1 << 19;

/// Neighbouring samples are taken together until they have this many symbols.
const STRETCH: usize = 1 << 12;

/// Groups of this many channels.
pub(crate) fn groups(channels: usize) -> usize {
    channels.min(MAX_GROUPS)
}

/// The group of a channel.
pub(crate) fn group(channel: usize, channels: usize) -> usize {
    match channels {
        0..=MAX_GROUPS => channel,
        _ => (channel as u128 * MAX_GROUPS as u128 / channels as u128) as usize,
    }
}

/// The channels `here` of `channels`, counted from the first of them, those whose group has kind 0
/// first; and the number of channels of each kind.
///
/// Channels of one kind stay in order.
pub(crate) fn sort(
    here: Range<usize>,
    channels: usize,
    kinds: &[u8],
    count: usize,
) -> (Vec<usize>, Vec<usize>) {
    let kind = |channel: &usize| kinds[group(here.start + channel, channels)];
    let mut order: Vec<usize> = (0..here.len()).collect();
    order.sort_by_key(kind);
    let mut sizes = vec![0; count];
    order.iter().for_each(|channel| sizes[usize::from(kind(channel))] += 1);
    (order, sizes)
}

/// Bits of one number of `count`.
pub(crate) fn number_bits(count: usize) -> u32 {
    usize::BITS - (count - 1).leading_zeros()
}

/// What turns symbols into numbers of the same order, and back, by exclusive or: the symbols of
/// negative numbers lie above those of positive ones.
pub(crate) fn flip(alphabet: Alphabet) -> u8 {
    if alphabet.signed() { 1 << (alphabet.bits() - 1) } else { 0 }
}

/// Checks that `symbols` are `samples` samples of the alphabet's symbols.
pub(crate) fn check(
    symbols: &[u8],
    samples: usize,
    geometry: &Geometry,
    alphabet: Alphabet,
) -> Result<()> {
    geometry.check_len(symbols.len(), samples)?;
    // Symbols are numbers from 0 on, whatever codes they stand for.
    Alphabet::new(alphabet.bits(), false)?.symbols(symbols).map(drop)
}

/// Evenly spaced stretches of samples to train on, and how many samples they are.
pub(crate) fn pick(symbols: &[u8], samples: usize, sample_len: usize) -> (Cow<'_, [u8]>, usize) {
    let step = symbols.len() / TRAINED;
    if step < 2 {
        return (Cow::Borrowed(symbols), samples);
    }
    let stretch = STRETCH.div_ceil(sample_len) * sample_len;
    let mut picked = Vec::with_capacity(2 * TRAINED);
    symbols.chunks(stretch).step_by(step).for_each(|stretch| picked.extend_from_slice(stretch));
    let samples = picked.len() / sample_len;
    (Cow::Owned(picked), samples)
}

/// What would be a wrong argument, had it not come from a codebook.
pub(crate) fn as_corrupt(error: Error) -> Error {
    match error {
        Error::NotComplete { .. } | Error::InvalidArgument { .. } => {
            Error::corrupt("codebook", error.to_string())
        }
        other => other,
    }
}

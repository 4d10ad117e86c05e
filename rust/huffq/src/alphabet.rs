//! Which integers an array may hold, and the symbols that stand for them.

use std::borrow::Cow;
use std::fmt;

use crate::error::{Error, Result};

/// The integers of one bit width, unsigned or two's complement.
///
/// A *code* is the byte that a uint8 or int8 array holds; its *symbol* is the low `bits` bits of it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Alphabet {
    bits: u8,
    signed: bool,
}

impl Alphabet {
    /// The alphabet of `bits` bits (1 to 8).
    pub fn new(bits: u8, signed: bool) -> Result<Self> {
        if !(1..=8).contains(&bits) {
            return Err(Error::argument("bits", bits, "lie between 1 and 8"));
        }
        Ok(Self { bits, signed })
    }

    /// The narrowest alphabet that holds all of `codes`.
    pub fn infer(codes: &[u8], signed: bool) -> Self {
        let bits = if signed {
            // x ^ (x >> 7) maps x and -x - 1 to the same magnitude; one more bit holds the sign.
            let magnitudes = codes.iter().fold(0, |acc, &c| acc | (c as i8 ^ (c as i8 >> 7)) as u8);
            9 - magnitudes.leading_zeros() as u8
        } else {
            let union = codes.iter().fold(0, |acc, &c| acc | c);
            (8 - union.leading_zeros() as u8).max(1)
        };
        Self { bits, signed }
    }

    /// Bits of one symbol, 1 to 8.
    pub fn bits(self) -> u8 {
        self.bits
    }

    /// Whether the codes are two's complement.
    pub fn signed(self) -> bool {
        self.signed
    }

    /// Number of symbols, 2 to 256.
    pub fn size(self) -> usize {
        1 << self.bits
    }

    /// The smallest and the largest value.
    pub fn range(self) -> (i16, i16) {
        let size = self.size() as i16;
        if self.signed { (-size / 2, size / 2 - 1) } else { (0, size - 1) }
    }

    /// The symbols of `codes`, borrowed where the two are the same bytes.
    ///
    /// # Errors
    /// [`Error::CodeOutOfRange`] names the first code outside the alphabet.
    pub fn symbols(self, codes: &[u8]) -> Result<Cow<'_, [u8]>> {
        self.symbols_of(Cow::Borrowed(codes))
    }

    /// As [`symbols`](Self::symbols), in place where `codes` are owned.
    ///
    /// # Errors
    /// As [`symbols`](Self::symbols).
    pub fn symbols_of(self, mut codes: Cow<'_, [u8]>) -> Result<Cow<'_, [u8]>> {
        self.check(&codes)?;
        if !self.symbols_are_codes() {
            let mask = (self.size() - 1) as u8;
            codes.to_mut().iter_mut().for_each(|c| *c &= mask);
        }
        Ok(codes)
    }

    /// Checks that all of `codes` are the alphabet's.
    ///
    /// # Errors
    /// [`Error::CodeOutOfRange`] names the first one that is not.
    pub fn check(self, codes: &[u8]) -> Result<()> {
        if Self::infer(codes, self.signed).bits <= self.bits {
            return Ok(());
        }
        let (low, high) = self.range();
        let value = |c: u8| if self.signed { i16::from(c as i8) } else { i16::from(c) };
        let outside = |&(_, &c): &(usize, &u8)| !(low..=high).contains(&value(c));
        match codes.iter().enumerate().find(outside) {
            Some((index, &c)) => {
                Err(Error::CodeOutOfRange { value: value(c), index, alphabet: self })
            }
            None => Ok(()),
        }
    }

    /// Turns symbols, each below [`size`](Self::size), into codes in place.
    pub fn symbols_to_codes(self, symbols: &mut [u8]) {
        if self.symbols_are_codes() {
            return;
        }
        let shift = 8 - self.bits;
        for s in symbols {
            *s = ((*s << shift) as i8 >> shift) as u8;
        }
    }

    /// Whether each code is its own symbol.
    pub(crate) fn symbols_are_codes(self) -> bool {
        !self.signed || self.bits == 8
    }
}

impl fmt::Display for Alphabet {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let kind = if self.signed { "signed" } else { "unsigned" };
        let (low, high) = self.range();
        write!(f, "{} bits {kind} ({low} to {high})", self.bits)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn inference_takes_the_narrowest_width_of_every_value() {
        for value in 0..=255u8 {
            let unsigned = Alphabet::infer(&[value], false);
            let signed = Alphabet::infer(&[value], true);
            let fits = |a: Alphabet, v: i16| a.range().0 <= v && v <= a.range().1;
            let narrower = |a: Alphabet| Alphabet::new(a.bits() - 1, a.signed()).ok();
            for (a, v) in [(unsigned, i16::from(value)), (signed, i16::from(value as i8))] {
                assert!(fits(a, v), "{v} in {a}");
                assert!(narrower(a).is_none_or(|n| !fits(n, v)), "{v} in less than {a}");
            }
        }
        assert_eq!(Alphabet::infer(&[], true).bits(), 1);
    }

    #[test]
    fn symbols_and_codes_are_inverse_for_every_alphabet() {
        for bits in 1..=8 {
            for signed in [false, true] {
                let alphabet = Alphabet::new(bits, signed).unwrap();
                let (low, high) = alphabet.range();
                let codes: Vec<u8> = (low..=high).map(|v| v as u8).collect();
                let mut back = alphabet.symbols(&codes).unwrap().into_owned();
                assert!(back.iter().all(|&s| usize::from(s) < alphabet.size()));
                alphabet.symbols_to_codes(&mut back);
                assert_eq!(back, codes);
            }
        }
    }

    #[test]
    fn the_first_code_out_of_range_is_named() {
        let error = Alphabet::new(4, true).unwrap().symbols(&[7, 0xf8, 8, 99]).unwrap_err();
        assert_eq!(error.to_string(), "value 8 at index 2 does not fit 4 bits signed (-8 to 7)");
    }
}

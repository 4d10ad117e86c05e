//! Samples as a writer is given them.

use super::schema::{Coding, FieldSchema};
use crate::error::{Error, Result};

/// Some samples of one field.
#[derive(Clone, Copy, Debug)]
pub struct Batch<'a> {
    /// Codes, or bytes of a side field's elements, in C order.
    pub codes: &'a [u8],
    /// Items of each sample, if they differ.
    pub lengths: Option<&'a [u64]>,
}

impl Batch<'_> {
    /// Takes the first samples out; an item has `item_len` codes.
    pub(super) fn take(&mut self, samples: usize, item_len: usize) -> Self {
        let (items, first, others) = match self.lengths {
            None => (samples, None, None),
            Some(lengths) => {
                let (first, others) = lengths.split_at(samples);
                (first.iter().sum::<u64>() as usize, Some(first), Some(others))
            }
        };
        let (codes, rest) = self.codes.split_at(items * item_len);
        *self = Self { codes: rest, lengths: others };
        Self { codes, lengths: first }
    }

    /// Demands that it is as long as `samples` samples of a field.
    fn check_len(&self, samples: usize, field: &FieldSchema, coding: &Coding) -> Result<()> {
        let wrong = |what, value: usize, expected: String| {
            Error::argument(what, format!("{value} for field {:?}", field.name), expected)
        };
        let items = match (field.ragged(), self.lengths) {
            (true, Some(lengths)) if lengths.len() == samples => {
                lengths.iter().try_fold(0usize, |sum, &n| sum.checked_add(n.try_into().ok()?))
            }
            (false, None) => Some(samples),
            (_, lengths) => {
                let count = lengths.map_or(0, <[u64]>::len);
                return Err(wrong("number of lengths", count, "be that of samples".into()));
            }
        };
        let len = items.and_then(|items| items.checked_mul(coding.cut().item_len()));
        if len != Some(self.codes.len()) {
            let expected = format!("be {samples} samples");
            return Err(wrong("number of elements", self.codes.len(), expected));
        }
        Ok(())
    }

    /// Demands that the codes of a field's samples, from number `first_sample` on, fit.
    fn check_codes(&self, first_sample: u64, field: &FieldSchema, coding: &Coding) -> Result<()> {
        let Coding::Codes(form) = coding else { return Ok(()) };
        let checked = form.alphabet.check(self.codes);
        checked.map_err(|error| self.locate(error, &field.name, first_sample, form.cut.item_len()))
    }

    /// Says in which field and sample an error lies.
    fn locate(&self, error: Error, name: &str, first_sample: u64, item_len: usize) -> Error {
        let Error::CodeOutOfRange { value, index, alphabet } = error else { return error };
        let (sample, index) = match self.lengths {
            None => (index / item_len, index % item_len),
            Some(lengths) => {
                let mut rest = index;
                let sample = lengths.iter().position(|&len| {
                    let len = len as usize * item_len;
                    let inside = rest < len;
                    rest -= if inside { 0 } else { len };
                    inside
                });
                (sample.unwrap_or(0), rest)
            }
        };
        let sample = first_sample + sample as u64;
        let source = Box::new(Error::CodeOutOfRange { value, index, alphabet });
        Error::InField { field: name.to_owned(), sample, source }
    }
}

/// Takes the first samples out of every field.
pub(super) fn take<'a>(
    batch: &mut [Batch<'a>],
    samples: usize,
    codings: &[Coding],
) -> Vec<Batch<'a>> {
    let parts = batch.iter_mut().zip(codings);
    parts.map(|(part, coding)| part.take(samples, coding.cut().item_len())).collect()
}

/// Demands that `batch` is as long as `samples` samples of each field.
pub(super) fn check_lens(
    batch: &[Batch],
    samples: usize,
    fields: &[FieldSchema],
    codings: &[Coding],
) -> Result<()> {
    if batch.len() != fields.len() {
        let expected = format!("be {}", fields.len());
        return Err(Error::argument("number of arrays", batch.len(), expected));
    }
    let mut parts = batch.iter().zip(fields).zip(codings);
    parts.try_for_each(|((part, field), coding)| part.check_len(samples, field, coding))
}

/// Demands that the codes of all fields fit; the samples are those from number `first_sample` on.
pub(super) fn check_codes(
    batch: &[Batch],
    first_sample: u64,
    fields: &[FieldSchema],
    codings: &[Coding],
) -> Result<()> {
    let mut parts = batch.iter().zip(fields).zip(codings);
    parts.try_for_each(|((part, field), coding)| part.check_codes(first_sample, field, coding))
}

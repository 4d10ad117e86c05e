//! The root of the index: the schema, and where each group's page lies.

use super::frame::{Entry, HEADER_LEN};
use super::schema::{Coding, MAX_GROUP_SAMPLES, Schema};
use crate::cursor::Cursor;
use crate::error::{Error, Result};

/// Where a group's page lies, and what the file has up to its end.
#[derive(Clone, Debug, Default)]
pub struct GroupEntry {
    pub page: Entry,
    /// Samples of this group and those before.
    pub samples: u64,
    /// Items likewise, of each ragged field.
    pub items: Vec<u64>,
}

/// What a file holds of a field.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Totals {
    /// Items: samples, or first indices of ragged ones.
    pub items: u64,
    /// Bytes of the records of its segments and blocks.
    pub bytes: u64,
    /// Occurrences of each symbol; none for a side field.
    pub counts: Vec<u64>,
}

impl Totals {
    /// Nothing of a field yet.
    pub fn of(coding: &Coding) -> Self {
        Self { items: 0, bytes: 0, counts: vec![0; coding.alphabet_size()] }
    }

    /// Adds what another part of the field has.
    pub fn add(&mut self, other: &Self) {
        self.items += other.items;
        self.bytes += other.bytes;
        self.counts.iter_mut().zip(&other.counts).for_each(|(sum, n)| *sum += n);
    }
}

/// The root of a file.
#[derive(Debug)]
pub struct Root {
    pub groups: Vec<GroupEntry>,
    pub totals: Vec<Totals>,
}

impl Root {
    /// Bytes of the root record's payload when it has `more` groups than now.
    pub fn payload_len(&self, schema_json: &str, ragged: usize, more: usize) -> usize {
        let totals = self.totals.iter().map(|totals| 16 + 8 * totals.counts.len()).sum::<usize>();
        let groups = (self.groups.len() + more).saturating_mul(group_len(ragged));
        groups.saturating_add(4 + schema_json.len() + totals)
    }

    /// Appends the root record's payload.
    pub fn put(&self, schema_json: &str, out: &mut Vec<u8>) {
        out.extend((schema_json.len() as u32).to_le_bytes());
        out.extend(schema_json.as_bytes());
        for totals in &self.totals {
            out.extend(totals.items.to_le_bytes());
            out.extend(totals.bytes.to_le_bytes());
            totals.counts.iter().for_each(|n| out.extend(n.to_le_bytes()));
        }
        for group in &self.groups {
            out.extend(group.page.offset.to_le_bytes());
            out.extend(group.page.len.to_le_bytes());
            out.extend(group.samples.to_le_bytes());
            group.items.iter().for_each(|n| out.extend(n.to_le_bytes()));
        }
    }

    /// Reads the root of a file whose groups end at `end`.
    pub fn parse(payload: &[u8], end: u64) -> Result<(Schema, Vec<Coding>, Self)> {
        let corrupt = |why: &str| Error::corrupt("index", why);
        let mut cursor = Cursor::new("index", payload);
        let len = cursor.u32()? as usize;
        let (schema, codings) = parse_schema(cursor.take(len)?)?;
        let read_totals = |coding: &Coding| {
            let (items, bytes) = (cursor.u64()?, cursor.u64()?);
            let counts = (0..coding.alphabet_size()).map(|_| cursor.u64());
            Ok(Totals { items, bytes, counts: counts.collect::<Result<_>>()? })
        };
        let totals: Vec<Totals> = codings.iter().map(read_totals).collect::<Result<_>>()?;
        let ragged = schema.fields.iter().filter(|field| field.ragged()).count();
        if !cursor.remaining().is_multiple_of(group_len(ragged)) {
            return Err(corrupt("its length does not fit its fields"));
        }
        let mut groups: Vec<GroupEntry> =
            Vec::with_capacity(cursor.remaining() / group_len(ragged));
        // What there is before the first group.
        let none = GroupEntry { items: vec![0; ragged], ..GroupEntry::default() };
        while cursor.remaining() > 0 {
            let page = Entry { offset: cursor.u64()?, len: cursor.u32()? };
            let samples = cursor.u64()?;
            let items = (0..ragged).map(|_| cursor.u64()).collect::<Result<Vec<_>>>()?;
            let before = groups.last().unwrap_or(&none);
            let least = before.page.end().max(HEADER_LEN as u64);
            let stop = page.offset.checked_add(page.len.into());
            if page.offset < least || stop.is_none_or(|stop| stop > end) {
                return Err(corrupt("a page lies outside the file or within another group"));
            }
            let added = samples.checked_sub(before.samples);
            if !added.is_some_and(|n| (1..=MAX_GROUP_SAMPLES).contains(&n)) {
                return Err(corrupt("a group has an impossible number of samples"));
            }
            let added_items =
                items.iter().zip(&before.items).map(|(n, before)| n.checked_sub(*before));
            let Some(added_items) = added_items.collect::<Option<Vec<_>>>() else {
                return Err(corrupt("a group has fewer than no tokens"));
            };
            let counts = item_counts(&schema, samples - before.samples, &added_items);
            if !counts.zip(&codings).all(|(items, coding)| can_list(page.len, items, coding)) {
                return Err(corrupt("a group has more blocks than its page can list"));
            }
            groups.push(GroupEntry { page, samples, items });
        }
        let last = groups.last().unwrap_or(&none);
        if !item_counts(&schema, last.samples, &last.items).eq(totals.iter().map(|t| t.items)) {
            return Err(corrupt("its fields have not as many items as its groups"));
        }
        Ok((schema, codings, Self { groups, totals }))
    }
}

/// The items of each field where there are so many samples, and so many items of the ragged fields.
fn item_counts(schema: &Schema, samples: u64, ragged: &[u64]) -> impl Iterator<Item = u64> {
    let mut ragged = ragged.iter();
    schema.fields.iter().map(move |field| match field.ragged() {
        true => *ragged.next().expect("there is a number for each"),
        false => samples,
    })
}

/// Whether a page of `len` bytes can list the blocks of so many items, each of which takes a byte of
/// it or more. If so, their symbols can be numbered too.
fn can_list(len: u32, items: u64, coding: &Coding) -> bool {
    let cut = coding.cut();
    let items = usize::try_from(items).ok();
    let numbered = items.filter(|n| n.checked_mul(cut.item_len().max(1)).is_some());
    numbered.is_some_and(|items| cut.blocks(items) <= len as usize)
}

/// Bytes of a group's entry in a file of so many ragged fields.
fn group_len(ragged: usize) -> usize {
    20 + 8 * ragged
}

/// The schema that a file holds as JSON.
pub fn parse_schema(json: &[u8]) -> Result<(Schema, Vec<Coding>)> {
    let json = std::str::from_utf8(json).map_err(|e| Error::corrupt("schema", e.to_string()))?;
    Schema::from_json(json).map_err(|e| Error::corrupt("schema", e.to_string()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_length_of_a_root_is_known_before_it_is_written() {
        let totals = |symbols| Totals { counts: vec![3; symbols], ..Totals::default() };
        let mut root = Root { groups: Vec::new(), totals: vec![totals(16), totals(0)] };
        for groups in 0..3 {
            let mut payload = Vec::new();
            root.put("{}", &mut payload);
            assert_eq!(root.payload_len("{}", 2, 0), payload.len(), "{groups} groups");
            let expected = root.payload_len("{}", 2, 1);
            root.groups.push(GroupEntry { items: vec![7; 2], ..GroupEntry::default() });
            assert_eq!(root.payload_len("{}", 2, 0), expected);
        }
    }
}

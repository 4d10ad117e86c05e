//! Any bytes as a file; checksums are not looked at. What is read is right or an error, and what is
//! recovered is a file.
#![no_main]

use huffq::store::{ReadAt, Reader};
use huffq::{Error, Result};
use libfuzzer_sys::fuzz_target;

/// Larger claims are legitimate (constant blocks) but slow.
const MAX_BYTES: usize = 1 << 20;

struct Bytes(Vec<u8>);

impl ReadAt for Bytes {
    fn size(&self) -> Result<u64> {
        Ok(self.0.len() as u64)
    }

    fn read_at(&self, offset: u64, out: &mut [u8]) -> Result<()> {
        let start = usize::try_from(offset).unwrap_or(usize::MAX).min(self.0.len());
        let (needed, available) = (out.len() as u64, (self.0.len() - start) as u64);
        let bytes = self.0[start..].get(..out.len());
        out.copy_from_slice(bytes.ok_or(Error::Truncated { what: "file", needed, available })?);
        Ok(())
    }
}

fuzz_target!(|data: &[u8]| {
    let Ok(reader) = Reader::new(Box::new(Bytes(data.to_vec())), 1 << 12) else { return };
    let _ = reader.verify_front();
    for field in 0..reader.schema().fields.len() {
        let items = reader.items(field);
        let item_len = reader.codings()[field].cut().item_len();
        let len = |items: u64| item_len.checked_mul(items as usize).filter(|&len| len <= MAX_BYTES);
        for items in [items, items.min(1)] {
            if let Some(len) = len(items) {
                let range = 0..items;
                let _ = reader.read(field, std::slice::from_ref(&range), &mut vec![0; len], None);
            }
        }
        let samples: Vec<u64> = (0..reader.samples().min(100)).collect();
        let _ = reader.sample_items(field, &samples);
    }
});

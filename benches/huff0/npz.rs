//! The arrays of an npz file, as numpy writes it.

use std::fs::File;
use std::io::Read;

/// The name and the bytes of every uint8 and int8 array in C order, in the file's order.
pub fn read(path: &str) -> Vec<(String, Vec<u8>)> {
    let file = File::open(path).unwrap_or_else(|e| panic!("{path}: {e}"));
    let mut archive = zip::ZipArchive::new(file).expect("an npz file is a zip archive");
    let mut arrays = Vec::new();
    for i in 0..archive.len() {
        let mut member = archive.by_index(i).expect("a member");
        let mut npy = Vec::new();
        member.read_to_end(&mut npy).expect("a whole member");
        // Magic and version take eight bytes, the header's length two, then comes the header.
        let data = 10 + usize::from(u16::from_le_bytes([npy[8], npy[9]]));
        let header = String::from_utf8_lossy(&npy[10..data]);
        let of_bytes = header.contains("'|u1'") || header.contains("'|i1'");
        if of_bytes && header.contains("'fortran_order': False") {
            let name = member.name().expect("a name in UTF-8").trim_end_matches(".npy").into();
            arrays.push((name, npy.split_off(data)));
        }
    }
    arrays
}

//! Huff0 by its own C functions, which lie inside the C library of the zstd crates.

use std::ffi::{c_int, c_uint, c_void};

// Links the library.
use zstd_sys as _;

/// The most that Huff0 takes at once.
pub const CHUNK: usize = 128 << 10;

/// Words of its work spaces, tables and their headers, at their largest.
const WORKSPACE: usize = 2048;
const ENCODE_TABLE: usize = 258;
const DECODE_TABLE: usize = 1 + (1 << 12);
/// Huff0's default limit of code lengths.
const TABLE_LOG: c_uint = 11;
/// The processor has BMI2; the assembly loops may run.
const BMI2: c_int = 1;

type ReadTable =
    unsafe extern "C" fn(*mut u32, *const u8, usize, *mut c_void, usize, c_int) -> usize;

unsafe extern "C" {
    fn HUF_isError(code: usize) -> c_uint;
    fn HUF_compress4X_repeat(
        dst: *mut u8,
        dst_size: usize,
        src: *const u8,
        src_size: usize,
        max_symbol: c_uint,
        table_log: c_uint,
        workspace: *mut c_void,
        workspace_size: usize,
        table: *mut usize,
        repeat: *mut c_int,
        flags: c_int,
    ) -> usize;
    fn HUF_readDTableX1_wksp(
        table: *mut u32,
        src: *const u8,
        src_size: usize,
        workspace: *mut c_void,
        workspace_size: usize,
        flags: c_int,
    ) -> usize;
    fn HUF_readDTableX2_wksp(
        table: *mut u32,
        src: *const u8,
        src_size: usize,
        workspace: *mut c_void,
        workspace_size: usize,
        flags: c_int,
    ) -> usize;
    fn HUF_decompress4X_usingDTable(
        dst: *mut u8,
        dst_size: usize,
        src: *const u8,
        src_size: usize,
        table: *const u32,
        flags: c_int,
    ) -> usize;
}

/// One symbol a look-up, or two.
#[derive(Clone, Copy)]
pub enum Decoder {
    X1,
    X2,
}

/// Huff0's work space and tables, made once.
pub struct Huff0 {
    workspace: Vec<u64>,
    encode_table: Vec<usize>,
    decode_table: Vec<u32>,
    flags: c_int,
}

impl Huff0 {
    pub fn new() -> Self {
        let bmi2 = std::arch::is_x86_feature_detected!("bmi2");
        Self {
            workspace: vec![0; WORKSPACE],
            encode_table: vec![0; ENCODE_TABLE],
            decode_table: vec![0; DECODE_TABLE],
            flags: if bmi2 { BMI2 } else { 0 },
        }
    }

    /// Compresses chunk after chunk to `out` from its start; `sizes` gets their lengths.
    pub fn encode(&mut self, symbols: &[u8], out: &mut [u8], sizes: &mut Vec<usize>) {
        sizes.clear();
        let mut end = 0;
        for chunk in symbols.chunks(CHUNK) {
            let (room, mut repeat) = (&mut out[end..], 0);
            let workspace = self.workspace.as_mut_ptr().cast();
            // SAFETY: every pointer goes with the length of its own buffer; the table has room for
            // the 256 symbols that a maximum of 255 allows.
            let size = unsafe {
                HUF_compress4X_repeat(
                    room.as_mut_ptr(),
                    room.len(),
                    chunk.as_ptr(),
                    chunk.len(),
                    255,
                    TABLE_LOG,
                    workspace,
                    8 * WORKSPACE,
                    self.encode_table.as_mut_ptr(),
                    &mut repeat,
                    self.flags,
                )
            };
            assert!(size > 1 && !is_error(size), "Huff0 found the chunk incompressible");
            sizes.push(size);
            end += size;
        }
    }

    /// The inverse of [`encode`](Self::encode).
    pub fn decode(&mut self, decoder: Decoder, bytes: &[u8], sizes: &[usize], out: &mut [u8]) {
        let (read_table, table_log): (ReadTable, u32) = match decoder {
            Decoder::X1 => (HUF_readDTableX1_wksp, 11),
            Decoder::X2 => (HUF_readDTableX2_wksp, 12),
        };
        let mut rest = bytes;
        for (out, &size) in out.chunks_mut(CHUNK).zip(sizes) {
            let (chunk, behind) = rest.split_at(size);
            rest = behind;
            // The first word describes the table's capacity.
            self.decode_table[0] = table_log * 0x0100_0001;
            let table = self.decode_table.as_mut_ptr();
            let workspace = self.workspace.as_mut_ptr().cast();
            // SAFETY: every pointer goes with the length of its own buffer; the table has room for
            // 2^12 entries and its header.
            let written = unsafe {
                let head =
                    read_table(table, chunk.as_ptr(), size, workspace, 8 * WORKSPACE, self.flags);
                assert!(!is_error(head));
                let streams = &chunk[head..];
                HUF_decompress4X_usingDTable(
                    out.as_mut_ptr(),
                    out.len(),
                    streams.as_ptr(),
                    streams.len(),
                    table,
                    self.flags,
                )
            };
            assert_eq!(written, out.len());
        }
    }
}

fn is_error(code: usize) -> bool {
    // SAFETY: no preconditions.
    unsafe { HUF_isError(code) != 0 }
}

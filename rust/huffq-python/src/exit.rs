//! Reads by functions of Python's end before the interpreter does.
//!
//! A thread that asks for an interpreter that is exiting is ended by it, in the middle of Rust's
//! frames, which ends the whole process with an error.

use std::cell::Cell;
use std::sync::atomic::Ordering::SeqCst;
use std::sync::atomic::{AtomicBool, AtomicU64};
use std::{io, process};

use pyo3::prelude::*;

/// The process that reads are under way in, above 32 bits of their number: a fork has none.
static UNDER_WAY: AtomicU64 = AtomicU64::new(0);

/// No other thread begins a read than that which exits.
static EXITING: AtomicBool = AtomicBool::new(false);

thread_local! {
    static EXITS: Cell<bool> = const { Cell::new(false) };
}

/// A read that is under way.
pub struct Read(());

impl Read {
    /// # Errors
    /// The interpreter is exiting.
    pub fn begin() -> io::Result<Self> {
        add(1);
        let read = Self(());
        if EXITING.load(SeqCst) && !EXITS.get() {
            return Err(io::Error::other("the interpreter is exiting"));
        }
        Ok(read)
    }
}

impl Drop for Read {
    fn drop(&mut self) {
        add(-1);
    }
}

/// Lets no other thread begin a read any more; returns how many are under way.
#[pyfunction]
pub fn stop_reads() -> u32 {
    EXITS.set(true);
    EXITING.store(true, SeqCst);
    number(UNDER_WAY.load(SeqCst))
}

fn add(one: i32) {
    let change = |reads| {
        let number = number(reads).saturating_add_signed(one);
        Some(u64::from(process::id()) << 32 | u64::from(number))
    };
    let _ = UNDER_WAY.fetch_update(SeqCst, SeqCst, change);
}

/// How many are under way in this process.
fn number(reads: u64) -> u32 {
    if reads >> 32 == u64::from(process::id()) { reads as u32 } else { 0 }
}

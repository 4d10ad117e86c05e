//! Memory that goes back and forth between those who decode and those who take what was decoded:
//! the system's fresh pages cost about half as much as decoding into them.

use std::sync::{Arc, Mutex, Weak};

use super::read::zeros;
use crate::error::Result;

/// Buffers that are not in use.
#[derive(Debug)]
pub struct Spare {
    buffers: Mutex<Vec<Vec<u8>>>,
    most: usize,
}

/// Bytes in memory that is used again once they are dropped.
#[derive(Debug)]
pub struct Buffer {
    bytes: Vec<u8>,
    home: Weak<Spare>,
}

impl Spare {
    /// Keeps up to `most` buffers.
    pub fn new(most: usize) -> Self {
        Self { buffers: Mutex::default(), most }
    }

    /// A buffer of `len` bytes, whatever they are.
    ///
    /// # Errors
    /// [`Error::Io`](crate::Error::Io) without memory.
    pub fn take(home: &Arc<Self>, len: usize) -> Result<Buffer> {
        // The smallest that is large enough: fields differ.
        let take = |buffers: &mut Vec<Vec<u8>>| {
            let large = buffers.iter().enumerate().filter(|(_, bytes)| bytes.capacity() >= len);
            let best = large.min_by_key(|(_, bytes)| bytes.capacity()).map(|(place, _)| place);
            best.map(|place| buffers.swap_remove(place))
        };
        let found = home.buffers.try_lock().ok().and_then(|mut buffers| take(&mut buffers));
        let bytes = match found {
            None => zeros(len)?,
            Some(mut bytes) => {
                bytes.resize(len, 0);
                bytes
            }
        };
        Ok(Buffer { bytes, home: Arc::downgrade(home) })
    }
}

impl AsRef<[u8]> for Buffer {
    fn as_ref(&self) -> &[u8] {
        &self.bytes
    }
}

impl AsMut<[u8]> for Buffer {
    fn as_mut(&mut self) -> &mut [u8] {
        &mut self.bytes
    }
}

impl Drop for Buffer {
    fn drop(&mut self) {
        let Some(home) = self.home.upgrade() else { return };
        // Nobody waits: in a fork the lock may be held by a thread that is not there.
        let Ok(mut buffers) = home.buffers.try_lock() else { return };
        if buffers.len() == home.most {
            buffers.swap_remove(0);
        }
        buffers.push(std::mem::take(&mut self.bytes));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_dropped_is_used_again_and_no_more_is_kept() {
        let spare = Arc::new(Spare::new(2));
        let take = |len| Spare::take(&spare, len).unwrap();
        let first = take(100);
        let place = first.as_ref().as_ptr();
        drop(first);
        let (mut second, third) = (take(60), take(100));
        assert_eq!((second.as_ref().as_ptr(), second.as_ref().len()), (place, 60));
        assert_ne!(third.as_ref().as_ptr(), place);
        second.as_mut().fill(7);
        drop((second, third, take(1), take(1)));
        assert_eq!(spare.buffers.lock().unwrap().len(), 2);
        assert_eq!(take(100).as_ref().len(), 100);
        let alone = take(1);
        drop(spare);
        assert_eq!(alone.as_ref().len(), 1);
    }
}

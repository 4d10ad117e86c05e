//! What a reader keeps of what it has read.

use std::hash::Hash;
use std::process;
use std::sync::{Arc, Mutex, OnceLock};

use lru::LruCache;

/// The least recently used entries go when all together exceed a size.
///
/// Nobody waits for the lock: whoever finds it taken does without the cache.
pub struct Cache<K: Hash + Eq, V> {
    entries: Mutex<Entries<K, V>>,
    capacity: usize,
}

struct Entries<K: Hash + Eq, V> {
    by_key: LruCache<K, (Arc<V>, usize)>,
    size: usize,
}

impl<K: Hash + Eq, V> Cache<K, V> {
    pub fn new(capacity: usize) -> Self {
        let entries = Mutex::new(Entries { by_key: LruCache::unbounded(), size: 0 });
        Self { entries, capacity }
    }

    /// Whether it keeps anything at all.
    pub fn enabled(&self) -> bool {
        self.capacity > 0
    }

    pub fn get(&self, key: &K) -> Option<Arc<V>> {
        let mut entries = self.entries.try_lock().ok()?;
        entries.by_key.get(key).map(|(value, _)| value.clone())
    }

    /// Keeps `value`, which takes `size`, unless it alone exceeds the cache.
    pub fn put(&self, key: K, value: Arc<V>, size: usize) {
        let Ok(mut entries) = self.entries.try_lock() else { return };
        if size > self.capacity {
            return;
        }
        if let Some((_, (_, size))) = entries.by_key.push(key, (value, size)) {
            entries.size -= size;
        }
        entries.size += size;
        while entries.size > self.capacity {
            let Some((_, (_, size))) = entries.by_key.pop_lru() else { break };
            entries.size -= size;
        }
    }
}

/// A value of each process, made anew after a fork: locks may have been held there by threads that
/// the new process does not have.
pub struct PerProcess<T> {
    first: Node<T>,
    make: fn(usize) -> T,
    argument: usize,
}

struct Node<T> {
    process: u32,
    value: T,
    next: OnceLock<Box<Node<T>>>,
}

impl<T> PerProcess<T> {
    pub fn new(make: fn(usize) -> T, argument: usize) -> Self {
        let first = Node { process: process::id(), value: make(argument), next: OnceLock::new() };
        Self { first, make, argument }
    }

    pub fn get(&self) -> &T {
        let process = process::id();
        let mut node = &self.first;
        while node.process != process {
            node = node.next.get_or_init(|| {
                let value = (self.make)(self.argument);
                Box::new(Node { process, value, next: OnceLock::new() })
            });
        }
        &node.value
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_least_recently_used_go_first_and_sizes_add_up() {
        let cache = Cache::new(10);
        for key in 0..4 {
            cache.put(key, Arc::new(key), 3);
            cache.get(&0);
        }
        let kept: Vec<_> = (0..4).filter(|key| cache.get(key).is_some()).collect();
        assert_eq!(kept, [0, 2, 3]);
        cache.put(9, Arc::new(9), 11);
        assert!(cache.get(&9).is_none());
        cache.put(0, Arc::new(5), 9);
        assert_eq!((*cache.get(&0).unwrap(), cache.get(&3)), (5, None));
    }
}

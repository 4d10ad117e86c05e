//! Bulk work on every core.
//!
//! Threads live for one call only: there is no pool that a fork could leave behind without its
//! threads.

use std::num::NonZero;
use std::sync::Mutex;
use std::thread;

use crate::error::Result;

/// An upper bound on threads; `None` is every core that the process may use.
pub type Threads = Option<NonZero<usize>>;

/// The number of threads.
pub(crate) fn count(threads: Threads) -> usize {
    let available = || thread::available_parallelism().map_or(1, NonZero::get);
    threads.map_or_else(available, NonZero::get)
}

/// The number of threads that so many items are worth: one at least, and no more than items.
pub(crate) fn count_for(threads: Threads, items: usize) -> NonZero<usize> {
    // Asking for the number of cores costs more than a small item.
    let count = if items <= 1 { 1 } else { count(threads).min(items) };
    NonZero::new(count).expect("one at least")
}

/// Applies `work` to every item on up to `threads` threads; the results keep the items' order.
///
/// Each thread begins with a state from `init`. After the first error no new item is begun; of
/// several errors the one of the first item counts.
pub(crate) fn map<S, T, R>(
    threads: Threads,
    items: Vec<T>,
    init: impl Fn() -> S + Sync,
    work: impl Fn(&mut S, T) -> Result<R> + Sync,
) -> Result<Vec<R>>
where
    T: Send,
    R: Send,
{
    let threads = count_for(threads, items.len()).get();
    if threads == 1 {
        let mut state = init();
        return items.into_iter().map(|item| work(&mut state, item)).collect();
    }
    let queue = Mutex::new(items.into_iter().enumerate());
    let lock = || queue.lock().expect("a worker does not panic while it holds the queue");
    let next = || lock().next();
    let run = || {
        let (mut state, mut done) = (init(), Vec::new());
        while let Some((index, item)) = next() {
            let result = work(&mut state, item);
            if result.is_err() {
                lock().by_ref().for_each(drop);
            }
            done.push((index, result));
        }
        done
    };
    let mut results = thread::scope(|scope| {
        // Where the system gives no more threads, those that there are do the work.
        let spawn = |_| thread::Builder::new().spawn_scoped(scope, run).ok();
        let workers: Vec<_> = (1..threads).map_while(spawn).collect();
        let mut results = run();
        for worker in workers {
            results.extend(worker.join().expect("a worker does not panic"));
        }
        results
    });
    results.sort_unstable_by_key(|&(index, _)| index);
    results.into_iter().map(|(_, result)| result).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Error;

    #[test]
    fn order_is_kept_for_any_number_of_threads() {
        for threads in [1, 2, 3, 64].map(NonZero::new) {
            let squares = map(threads, (0..1000u64).collect(), || 0, |_, i| Ok(i * i)).unwrap();
            assert!(squares.iter().enumerate().all(|(i, &s)| s == (i * i) as u64));
        }
    }

    #[test]
    fn an_error_ends_the_work() {
        for threads in [1, 4].map(NonZero::new) {
            let work = |(): &mut (), i: u64| {
                if i == 5 { Err(Error::corrupt("item", i.to_string())) } else { Ok(i) }
            };
            let error = map(threads, (0..10).collect(), || (), work).unwrap_err();
            assert_eq!(error.to_string(), "item is corrupt: 5");
        }
    }
}

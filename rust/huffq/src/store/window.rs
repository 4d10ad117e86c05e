//! Results in their order, from threads that work ahead of the one who takes them.

use std::any::Any;
use std::collections::VecDeque;
use std::panic::{self, AssertUnwindSafe};
use std::sync::{Condvar, Mutex, MutexGuard, PoisonError};
use std::thread;
use std::time::Duration;

/// How long a taker naps, and how often before it goes to sleep.
const NAP: Duration = Duration::from_micros(50);
const NAPS: usize = 10;

/// Jobs `0..count`, of which a number are done ahead of the result that is taken next.
///
/// Waking a thread costs the one who wakes it tens of microseconds. Hence a thread that has done a
/// job looks for the next one by itself. A taker whose result is not there yet does a job meanwhile
/// if it may, and otherwise naps by the clock before it sleeps.
pub struct Window<T> {
    count: u64,
    /// Jobs that are begun and not taken, at most.
    width: usize,
    state: Mutex<State<T>>,
    /// Another job can be begun, or none ever again.
    room: Condvar,
    /// The first result is there.
    ready: Condvar,
}

struct State<T> {
    /// Jobs whose results were taken.
    taken: u64,
    /// Those that were begun behind them, and what became of them.
    begun: VecDeque<Option<Done<T>>>,
    /// The taker sleeps until the first result is there.
    asleep: bool,
    closed: bool,
}

/// A result, or what its job panicked with.
type Done<T> = Result<T, Box<dyn Any + Send>>;

impl<T> Window<T> {
    pub fn new(count: u64, width: usize) -> Self {
        let state = State { taken: 0, begun: VecDeque::new(), asleep: false, closed: false };
        let (room, ready) = (Condvar::new(), Condvar::new());
        Self { count, width, state: Mutex::new(state), room, ready }
    }

    /// What a thread does until nothing is left to be done.
    pub fn work(&self, job: impl Fn(u64) -> T) {
        while let Some(number) = self.wait_for_room() {
            self.end(number, run(&job, number));
        }
    }

    /// Takes the next result; `None` behind the last. Until it is there, does jobs itself if it
    /// `helps`, and waits. One at a time may call it.
    ///
    /// # Panics
    /// If the job did.
    pub fn take(&self, helps: bool, job: impl Fn(u64) -> T) -> Option<T> {
        let mut state = self.lock();
        if state.taken == self.count {
            return None;
        }
        let mut naps = 0;
        while !matches!(state.begun.front(), Some(Some(_))) {
            let number = if helps { self.begin(&mut state) } else { None };
            if let Some(number) = number {
                drop(state);
                self.end(number, run(&job, number));
                state = self.lock();
            } else {
                state = self.rest(state, naps < NAPS);
                naps += 1;
            }
        }
        let done = state.begun.pop_front().flatten();
        state.taken += 1;
        drop(state);
        self.room.notify_one();
        done.map(|done| done.unwrap_or_else(|panic| panic::resume_unwind(panic)))
    }

    /// Lets no thread begin another job.
    pub fn close(&self) {
        self.lock().closed = true;
        self.room.notify_all();
    }

    /// The next job of a thread, as soon as it can be begun; `None` if none is left.
    fn wait_for_room(&self) -> Option<u64> {
        let mut state = self.lock();
        while !state.closed && state.next() < self.count {
            if let Some(number) = self.begin(&mut state) {
                return Some(number);
            }
            state = wait(&self.room, state);
        }
        drop(state);
        // Each that leaves lets the next one see that it can.
        self.room.notify_one();
        None
    }

    /// The next job, if it can be begun now.
    fn begin(&self, state: &mut State<T>) -> Option<u64> {
        let number = state.next();
        let can = number < self.count && state.begun.len() < self.width;
        can.then(|| {
            state.begun.push_back(None);
            number
        })
    }

    /// Lets the taker nap, or sleep until the first result is there.
    fn rest<'a>(
        &'a self,
        mut state: MutexGuard<'a, State<T>>,
        naps: bool,
    ) -> MutexGuard<'a, State<T>> {
        if naps {
            drop(state);
            thread::sleep(NAP);
            return self.lock();
        }
        state.asleep = true;
        state = wait(&self.ready, state);
        state.asleep = false;
        state
    }

    /// Keeps what became of a job.
    fn end(&self, number: u64, done: Done<T>) {
        let mut state = self.lock();
        let place = (number - state.taken) as usize;
        state.begun[place] = Some(done);
        let wakes = place == 0 && state.asleep;
        // Who is woken finds the lock free.
        drop(state);
        if wakes {
            self.ready.notify_one();
        }
    }

    fn lock(&self) -> MutexGuard<'_, State<T>> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl<T> State<T> {
    /// The first job that was not begun.
    fn next(&self) -> u64 {
        self.taken + self.begun.len() as u64
    }
}

fn run<T>(job: impl Fn(u64) -> T, number: u64) -> Done<T> {
    panic::catch_unwind(AssertUnwindSafe(|| job(number)))
}

fn wait<'a, S>(condition: &Condvar, state: MutexGuard<'a, S>) -> MutexGuard<'a, S> {
    condition.wait(state).unwrap_or_else(PoisonError::into_inner)
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::{AtomicU64, Ordering::SeqCst};
    use std::time::Instant;

    use super::*;

    const COUNT: u64 = 500;

    /// Ends the threads of a test that fails.
    struct Closing<'w, T>(&'w Window<T>);

    impl<T> Drop for Closing<'_, T> {
        fn drop(&mut self) {
            self.0.close();
        }
    }

    /// Works with a window and threads that do its jobs.
    fn with<T: Send>(
        threads: usize,
        window: &Window<T>,
        job: impl Fn(u64) -> T + Sync,
        work: impl FnOnce(),
    ) {
        thread::scope(|scope| {
            let _closing = Closing(window);
            (0..threads).for_each(|_| drop(scope.spawn(|| window.work(&job))));
            work();
        });
    }

    fn wait_for(condition: impl Fn() -> bool) {
        let start = Instant::now();
        while !condition() {
            assert!(start.elapsed() < Duration::from_secs(30), "it never comes");
            thread::sleep(NAP);
        }
    }

    #[test]
    fn results_come_in_order_and_no_more_than_the_width_is_begun() {
        let forms = [(1, false, 1), (3, false, 2), (0, true, 1), (2, true, 4), (9, true, 3)];
        for (threads, helps, width) in forms {
            let (window, taken) = (Window::new(COUNT, width), AtomicU64::new(0));
            let taker = thread::current().id();
            let job = |number: u64| {
                assert!(number < taken.load(SeqCst) + 1 + width as u64);
                assert!(helps || thread::current().id() != taker);
                number * number
            };
            with(threads, &window, job, || {
                for number in 0..COUNT {
                    assert_eq!(window.take(helps, job), Some(number * number));
                    taken.store(number + 1, SeqCst);
                }
                assert_eq!(window.take(helps, job), None);
            });
        }
    }

    #[test]
    fn jobs_are_begun_before_anything_is_taken() {
        let (window, begun) = (Window::new(COUNT, 5), AtomicU64::new(0));
        let job = |_| begun.fetch_add(1, SeqCst);
        with(2, &window, job, || {
            wait_for(|| begun.load(SeqCst) == 5);
            assert!(window.take(false, job).is_some());
            wait_for(|| begun.load(SeqCst) == 6);
            thread::sleep(20 * NAP);
            assert_eq!(begun.load(SeqCst), 6);
        });
    }

    #[test]
    fn threads_end_when_nothing_is_left_to_be_done() {
        for (count, width, threads) in [(0, 1, 3), (2, 1, 4), (7, 3, 20)] {
            let window = Window::new(count, width);
            thread::scope(|scope| {
                (0..threads).for_each(|_| drop(scope.spawn(|| window.work(|number| number))));
                assert!((0..count).all(|n| window.take(false, |n| n) == Some(n)));
            });
        }
    }

    #[test]
    fn panics_reach_the_one_who_takes_when_their_turn_comes() {
        for (threads, helps) in [(1, false), (0, true), (2, true)] {
            let window = Window::new(COUNT, 4);
            let job = |number: u64| assert!(number != 7, "it is number 7");
            with(threads, &window, job, || {
                (0..7).for_each(|_| assert_eq!(window.take(helps, job), Some(())));
                let panic = panic::catch_unwind(AssertUnwindSafe(|| window.take(helps, job)));
                assert_eq!(panic.unwrap_err().downcast_ref(), Some(&"it is number 7"));
            });
        }
    }

    #[test]
    fn one_who_sleeps_is_woken() {
        let window = Window::new(3, 2);
        let job = |number| {
            wait_for(|| number > 0 || window.lock().asleep);
            number
        };
        with(1, &window, job, || {
            assert!((0..3).all(|number| window.take(false, job) == Some(number)));
        });
    }
}

//! Threads for what may wait: names that are looked up, connections, keys that are derived.

use std::collections::VecDeque;
use std::sync::mpsc::{Receiver, sync_channel};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::thread;
use std::time::Duration;

use tracing::warn;

/// The most threads: as many may wait at once.
const MOST_THREADS: usize = 16;
/// A thread without work ends after this time.
const IDLE: Duration = Duration::from_secs(10);

type Job = Box<dyn FnOnce() + Send>;

/// Work for these threads, in the order in which it came.
#[derive(Clone, Default)]
pub(super) struct Pool(Arc<Shared>);

#[derive(Default)]
struct Shared {
    state: Mutex<State>,
    has_work: Condvar,
}

#[derive(Default)]
struct State {
    jobs: VecDeque<Job>,
    threads: usize,
    idle: usize,
}

impl Pool {
    /// Has this done; the result comes by the channel, which is closed without one if the work panics.
    pub(super) fn run<T: Send + 'static>(
        &self,
        work: impl FnOnce() -> T + Send + 'static,
    ) -> Receiver<T> {
        let (sender, result) = sync_channel(1);
        let job = Box::new(move || {
            // It may no longer be wanted.
            let _ = sender.send(work());
        });
        let mut state = self.0.lock();
        state.jobs.push_back(job);
        let needs_thread = state.jobs.len() > state.idle && state.threads < MOST_THREADS;
        if needs_thread {
            state.threads += 1;
        }
        drop(state);
        self.0.has_work.notify_one();
        if needs_thread {
            let shared = Arc::clone(&self.0);
            let thread = thread::Builder::new().name("waiting".to_owned());
            if let Err(error) = thread.spawn(move || shared.work()) {
                self.0.lock().threads -= 1;
                warn!(%error, "cannot start a thread");
            }
        }
        result
    }
}

impl Shared {
    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn work(&self) {
        let _counted = Counted(self);
        loop {
            let mut state = self.lock();
            let job = loop {
                if let Some(job) = state.jobs.pop_front() {
                    break job;
                }
                state.idle += 1;
                let waited = self.has_work.wait_timeout(state, IDLE);
                let (waited, timeout) = waited.unwrap_or_else(PoisonError::into_inner);
                state = waited;
                state.idle -= 1;
                if timeout.timed_out() && state.jobs.is_empty() {
                    return;
                }
            };
            drop(state);
            job();
        }
    }
}

/// A thread, as long as it works.
struct Counted<'a>(&'a Shared);

impl Drop for Counted<'_> {
    fn drop(&mut self) {
        self.0.lock().threads -= 1;
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Barrier;

    use super::*;

    const PATIENCE: Duration = Duration::from_secs(30);

    #[test]
    fn work_that_waits_keeps_no_other_from_being_done_as_long_as_there_are_threads() {
        let pool = Pool::default();
        let barrier = Arc::new(Barrier::new(MOST_THREADS));
        let results: Vec<_> = (0..MOST_THREADS)
            .map(|number| {
                let barrier = Arc::clone(&barrier);
                pool.run(move || {
                    barrier.wait();
                    number
                })
            })
            .collect();
        for (number, result) in results.iter().enumerate() {
            assert_eq!(result.recv_timeout(PATIENCE), Ok(number));
        }
        assert!(pool.0.lock().threads <= MOST_THREADS);
    }

    #[test]
    fn work_that_panics_leaves_no_result_and_takes_no_thread_from_others() {
        let pool = Pool::default();
        for _ in 0..2 * MOST_THREADS {
            let lost = pool.run(|| -> u8 { panic!("as asked") });
            assert!(lost.recv_timeout(PATIENCE).is_err());
        }
        assert_eq!(pool.run(|| 7).recv_timeout(PATIENCE), Ok(7));
    }
}

//! Handles on reflector threads.

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Condvar, Mutex, PoisonError};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use twinpath_net::Waker;
use twinpath_proto::reflector::{ListedSession, SessionReflector};

use super::worker::{Duties, Worker};
use super::{OneWayReport, Snapshot, Sockets};
use crate::error::{RunError, StartError, spawn};

/// How long threads are waited for that are asked what they did so far.
const ANSWER_WITHIN: Duration = Duration::from_millis(500);
/// Sessions that are listed: a few microseconds of a thread's time, and tens of kilobytes.
pub(super) const MOST_LISTED: usize = 256;

/// What only a thread itself can tell, as it takes longer than a look at counts.
#[derive(Debug, Default)]
pub(crate) struct SoFar {
    /// Sessions measured one way.
    pub(crate) one_way: OneWayReport,
    /// Sessions that it has, [`MOST_LISTED`] of them at most.
    pub(crate) sessions: Vec<ListedSession>,
}

/// What a thread and its handle share.
#[derive(Debug, Default)]
pub(super) struct Shared {
    pub(super) stop: AtomicBool,
    pub(super) snapshot: Mutex<Snapshot>,
    /// The handle wants `so_far`.
    asked: AtomicBool,
    so_far: Mutex<Option<SoFar>>,
    answered: Condvar,
    /// Its loop has gone round since its handle looked the last time.
    pub(super) turned: AtomicBool,
    /// Left at the thread's end.
    pub(super) one_way: Mutex<OneWayReport>,
}

impl Shared {
    /// The handle wants to know what the thread did so far.
    pub(super) fn is_asked(&self) -> bool {
        // A look costs less than a swap.
        self.asked.load(Ordering::Acquire) && self.asked.swap(false, Ordering::AcqRel)
    }

    /// Answers it.
    pub(super) fn answer(&self, so_far: SoFar) {
        *self.so_far.lock().unwrap_or_else(PoisonError::into_inner) = Some(so_far);
        self.answered.notify_all();
    }

    /// The answer, if it comes in time.
    fn answer_by(&self, deadline: Instant) -> Option<SoFar> {
        let left = deadline.saturating_duration_since(Instant::now());
        let so_far = self.so_far.lock().unwrap_or_else(PoisonError::into_inner);
        let answer = self
            .answered
            .wait_timeout_while(so_far, left, |so_far| so_far.is_none());
        answer.unwrap_or_else(PoisonError::into_inner).0.take()
    }
}

/// A handle on a reflector thread. Without it the thread ends.
#[derive(Debug)]
pub(crate) struct ReflectorThread {
    shared: Arc<Shared>,
    waker: Waker,
    handle: Mutex<Option<JoinHandle<Result<(), RunError>>>>,
}

impl ReflectorThread {
    /// Starts the thread number `index`. `raw_t3`: T3 is not advanced by the transmit latency.
    ///
    /// # Errors
    /// [`StartError`]: the system has no more threads.
    pub(crate) fn start<D>(
        index: usize,
        sockets: Sockets,
        engine: SessionReflector,
        raw_t3: bool,
        duties: D,
    ) -> Result<Self, StartError>
    where
        D: Duties + Send + 'static,
    {
        let shared = Arc::new(Shared::default());
        let waker = sockets.waker();
        let worker = Worker::new(sockets, engine, raw_t3, duties, Arc::clone(&shared));
        let handle = spawn(format!("reflector-{index}"), move || worker.run())?;
        Ok(Self {
            shared,
            waker,
            handle: Mutex::new(Some(handle)),
        })
    }

    /// Has the thread attend to its [`Duties`].
    pub(crate) fn wake(&self) {
        self.waker.wake();
    }

    /// Asks the thread to answer what has arrived and end.
    pub(crate) fn stop(&self) {
        self.shared.stop.store(true, Ordering::Release);
        self.wake();
    }

    /// It has ended.
    pub(crate) fn is_finished(&self) -> bool {
        let handle = self.handle.lock().unwrap_or_else(PoisonError::into_inner);
        handle.as_ref().is_none_or(JoinHandle::is_finished)
    }

    /// Whether the loop of each of these threads has gone round since this was true the last time. Wakes those that
    /// wait: a moment later it is true of them.
    pub(crate) fn have_turned<'a>(threads: impl IntoIterator<Item = &'a Self> + Clone) -> bool {
        let mut have_turned = true;
        for thread in threads.clone() {
            if !thread.shared.turned.load(Ordering::Relaxed) {
                have_turned = false;
                thread.wake();
            }
        }
        if have_turned {
            for thread in threads {
                thread.shared.turned.store(false, Ordering::Relaxed);
            }
        }
        have_turned
    }

    /// The counts of these threads, summed, at most about 100 ms old.
    pub(crate) fn sum<'a>(threads: impl IntoIterator<Item = &'a Self>) -> Snapshot {
        Snapshot::sum(threads.into_iter().map(|thread| &thread.shared.snapshot))
    }

    /// Sessions that these threads measured one way, once they have ended.
    pub(crate) fn one_way<'a>(threads: impl IntoIterator<Item = &'a Self>) -> OneWayReport {
        let mut all = OneWayReport::default();
        for thread in threads {
            let one_way = &thread.shared.one_way;
            all.merge(std::mem::take(
                &mut one_way.lock().unwrap_or_else(PoisonError::into_inner),
            ));
        }
        all
    }

    /// What these threads tell of themselves now; without that of a thread that does not answer soon. Of their
    /// sessions those heard last.
    pub(crate) fn so_far<'a>(threads: impl IntoIterator<Item = &'a Self> + Clone) -> SoFar {
        for Self { shared, waker, .. } in threads.clone() {
            // An answer that came too late.
            shared.answer_by(Instant::now());
            shared.asked.store(true, Ordering::Release);
            waker.wake();
        }
        let deadline = Instant::now() + ANSWER_WITHIN;
        let mut all = SoFar::default();
        for thread in threads {
            if let Some(mut one) = thread.shared.answer_by(deadline) {
                all.one_way.merge(one.one_way);
                all.sessions.append(&mut one.sessions);
            }
        }
        all.sessions = ListedSession::heard_last(all.sessions, MOST_LISTED);
        all
    }

    /// Stops these threads, and waits for their end.
    ///
    /// # Errors
    /// [`RunError`] of the first thread that failed.
    pub(crate) fn join<'a>(
        threads: impl IntoIterator<Item = &'a Self> + Clone,
    ) -> Result<(), RunError> {
        threads.clone().into_iter().for_each(Self::stop);
        let mut result = Ok(());
        for thread in threads {
            let mut handle = thread.handle.lock().unwrap_or_else(PoisonError::into_inner);
            if let Some(handle) = handle.take() {
                result = result.and(handle.join().unwrap_or(Err(RunError::Fault)));
            }
        }
        result
    }
}

impl Drop for ReflectorThread {
    fn drop(&mut self) {
        self.stop();
    }
}

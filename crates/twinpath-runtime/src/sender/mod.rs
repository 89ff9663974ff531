//! The Session-Sender's run: a socket, a thread and a handle on it.

mod departures;
mod open;
mod refusals;
mod worker;

use std::net::SocketAddr;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread::JoinHandle;

use twinpath_net::{Waiter, Waker};
use twinpath_wire::Sample;

pub(crate) use refusals::Refusals;

use crate::error::{RunError, StartError};
use crate::{Progress, SenderPlan, SessionReport};

/// Samples that wait for the caller at most; beyond that they are dropped and counted.
const RECORDS: usize = 16_384;

/// What the thread and its handle share.
#[derive(Debug, Default)]
struct Shared {
    stop: AtomicBool,
    progress: Mutex<Progress>,
}

/// A Session-Sender that runs.
#[derive(Debug)]
pub struct SenderRun {
    sender: SocketAddr,
    shared: Arc<Shared>,
    waker: Waker,
    records: Option<rtrb::Consumer<Sample>>,
    thread: Option<JoinHandle<Result<SessionReport, RunError>>>,
}

/// Opens the socket and begins to send.
///
/// # Errors
/// [`StartError`]: what could not be had, and the remedy.
pub fn start(plan: SenderPlan) -> Result<SenderRun, StartError> {
    open::check_path(&plan)?;
    let socket = open::socket(&plan)?;
    let sender = open::sender_address(&plan, &socket)?;
    let (producer, consumer) = if plan.records {
        Some(rtrb::RingBuffer::new(RECORDS))
    } else {
        None
    }
    .unzip();
    let (waiter, waker) = Waiter::new().map_err(|source| StartError::System {
        what: "a descriptor to wait by",
        source,
    })?;
    let shared = Arc::new(Shared::default());
    let body = worker::Body::new(plan, socket, sender, waiter, Arc::clone(&shared), producer);
    let thread = std::thread::Builder::new()
        .name("sender".to_owned())
        .spawn(move || body.run())
        .map_err(|source| StartError::System {
            what: "a thread",
            source,
        })?;
    Ok(SenderRun {
        sender,
        shared,
        waker,
        records: consumer,
        thread: Some(thread),
    })
}

impl SenderRun {
    /// The local address and port, as the far end sees them without NAT.
    pub fn sender(&self) -> SocketAddr {
        self.sender
    }

    /// The next packet whose fate is known; `None`: not yet, or the plan wanted no records.
    pub fn next_sample(&mut self) -> Option<Sample> {
        self.records.as_mut()?.pop().ok()
    }

    /// A glance at the run, at most about 50 ms old.
    pub fn progress(&self) -> Progress {
        *self
            .shared
            .progress
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
    }

    /// Ends the run now; the report still comes.
    pub fn stop(&self) {
        self.shared.stop.store(true, Ordering::Release);
        self.waker.wake();
    }

    /// The run is over: drain [`SenderRun::next_sample`] once more, then [`SenderRun::join`].
    pub fn is_finished(&self) -> bool {
        self.thread.as_ref().is_none_or(JoinHandle::is_finished)
    }

    /// Waits for the end and gives the report.
    ///
    /// # Errors
    /// [`RunError`]: nothing was measured, and why.
    pub fn join(mut self) -> Result<SessionReport, RunError> {
        match self.thread.take() {
            Some(thread) => thread.join().unwrap_or(Err(RunError::Fault)),
            None => Err(RunError::Fault),
        }
    }
}

impl Drop for SenderRun {
    fn drop(&mut self) {
        self.stop();
    }
}

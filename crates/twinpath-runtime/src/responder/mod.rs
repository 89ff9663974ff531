//! The Session-Reflector's run: sockets, a thread each, and a handle on them.

mod listen;
mod worker;

use std::net::SocketAddr;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};
use std::thread::JoinHandle;

use twinpath_net::{NoHardware, TestSocket, Waker, clock};
use twinpath_proto::reflector::ReflectorCounters;
use twinpath_wire::Mono;

use crate::ResponderPlan;
use crate::error::{RunError, StartError, join_all, spawn};
use crate::reflect::{ReflectorReport, Snapshot};

/// What a responder did.
pub type ResponderReport = ReflectorReport<ReflectorCounters>;

/// What a thread and its handle share.
#[derive(Debug, Default)]
struct Shared {
    stop: AtomicBool,
    snapshot: Mutex<Snapshot>,
}

/// A responder that runs.
#[derive(Debug)]
pub struct ResponderRun {
    listening: Vec<SocketAddr>,
    no_hardware: Vec<NoHardware>,
    started: Mono,
    workers: Vec<Worker>,
}

#[derive(Debug)]
struct Worker {
    shared: Arc<Shared>,
    waker: Waker,
    thread: Option<JoinHandle<Result<(), RunError>>>,
}

/// Opens the sockets and begins to reflect.
///
/// # Errors
/// [`StartError`]: which address could not be had.
pub fn start(plan: &ResponderPlan) -> Result<ResponderRun, StartError> {
    let groups = listen::open(plan)?;
    let listening = groups
        .first()
        .map(|sockets| sockets.iter().map(TestSocket::local).collect());
    let mut no_hardware: Vec<NoHardware> = Vec::new();
    for why in groups.iter().flatten().filter_map(TestSocket::no_hardware) {
        if !no_hardware.contains(&why) {
            no_hardware.push(why);
        }
    }
    let mut workers = Vec::with_capacity(groups.len());
    let threads = groups.len();
    for (index, sockets) in groups.into_iter().enumerate() {
        let shared = Arc::new(Shared::default());
        let (reflector_loop, waker) =
            worker::ReflectorLoop::new(plan, threads, sockets, Arc::clone(&shared))
                .map_err(StartError::system("a descriptor to wait by"))?;
        let thread = spawn(format!("reflector-{index}"), move || reflector_loop.run())?;
        workers.push(Worker {
            shared,
            waker,
            thread: Some(thread),
        });
    }
    Ok(ResponderRun {
        listening: listening.unwrap_or_default(),
        no_hardware,
        started: clock::mono(),
        workers,
    })
}

impl ResponderRun {
    /// Why there are no hardware timestamps, where they were asked for: a line for each reason.
    pub fn no_hardware(&self) -> &[NoHardware] {
        &self.no_hardware
    }

    /// Where it listens.
    pub fn listening(&self) -> &[SocketAddr] {
        &self.listening
    }

    /// Counts so far, summed over the threads, at most about 100 ms old.
    pub fn counters(&self) -> ReflectorCounters {
        self.snapshot().counters
    }

    /// Asks the threads to answer what has arrived and end.
    pub fn stop(&self) {
        for worker in &self.workers {
            worker.shared.stop.store(true, Ordering::Release);
            worker.waker.wake();
        }
    }

    /// A thread has ended: by [`ResponderRun::stop`] or by an error.
    pub fn is_finished(&self) -> bool {
        let finished = |worker: &Worker| worker.thread.as_ref().is_none_or(JoinHandle::is_finished);
        self.workers.iter().any(finished)
    }

    /// Stops, waits for the threads and tells what they did.
    ///
    /// # Errors
    /// [`RunError`] of the first thread that failed.
    pub fn join(mut self) -> Result<ResponderReport, RunError> {
        // One thread's failure ends all: half a group would leave its flows without answers.
        self.stop();
        let threads = self.workers.iter_mut();
        join_all(threads.filter_map(|worker| worker.thread.take()))?;
        let sum = self.snapshot();
        Ok(sum.report(&self.listening, self.started, sum.counters))
    }

    fn snapshot(&self) -> Snapshot {
        Snapshot::sum(self.workers.iter().map(|worker| &worker.shared.snapshot))
    }
}

impl Drop for ResponderRun {
    fn drop(&mut self) {
        self.stop();
    }
}

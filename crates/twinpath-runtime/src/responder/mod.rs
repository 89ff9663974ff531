//! The Session-Reflector's run: sockets, a thread each, and a handle on them.

mod addresses;
mod listen;

use std::net::SocketAddr;

use twinpath_net::{NoHardware, TestSocket, clock};
use twinpath_proto::reflector::{ReflectorCounters, SessionReflector};
use twinpath_wire::Mono;

use crate::ResponderPlan;
use crate::error::{RunError, StartError};
use crate::reflect::{ReflectorReport, ReflectorThread};

/// What a responder did.
pub type ResponderReport = ReflectorReport<ReflectorCounters>;

/// A responder that runs.
#[derive(Debug)]
pub struct ResponderRun {
    listening: Vec<SocketAddr>,
    no_hardware: Vec<NoHardware>,
    started: Mono,
    threads: Vec<ReflectorThread>,
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
    let count = groups.len();
    let start = |(index, group)| {
        let (sockets, addresses) =
            addresses::begin(plan, group).map_err(StartError::system("a descriptor to wait by"))?;
        let mut config = plan.reflector.clone();
        config.max_sessions = config.max_sessions.div_ceil(count);
        config.policy.tai_offset_s = clock::discipline().tai_offset_s;
        let engine = SessionReflector::new(config);
        ReflectorThread::start(index, sockets, engine, plan.raw_t3, addresses)
    };
    let threads = groups.into_iter().enumerate().map(start);
    let threads = threads.collect::<Result<_, _>>()?;
    Ok(ResponderRun {
        listening: listening.unwrap_or_default(),
        no_hardware,
        started: clock::mono(),
        threads,
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
        ReflectorThread::sum(&self.threads).counters
    }

    /// Asks the threads to answer what has arrived and end.
    pub fn stop(&self) {
        self.threads.iter().for_each(ReflectorThread::stop);
    }

    /// A thread has ended: by [`ResponderRun::stop`] or by an error.
    pub fn is_finished(&self) -> bool {
        self.threads.iter().any(ReflectorThread::is_finished)
    }

    /// Stops, waits for the threads and tells what they did.
    ///
    /// # Errors
    /// [`RunError`] of the first thread that failed.
    pub fn join(self) -> Result<ResponderReport, RunError> {
        // One thread's failure ends all: half a group would leave its flows without answers.
        ReflectorThread::join(&self.threads)?;
        let sum = ReflectorThread::sum(&self.threads);
        Ok(sum.report(&self.listening, self.started, sum.counters))
    }
}

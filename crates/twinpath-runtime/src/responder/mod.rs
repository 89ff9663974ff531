//! The Session-Reflector's run: sockets, a thread each, and a handle on them.

mod addresses;
mod common;
mod duties;
mod listen;
mod members;

use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::mpsc::{self, Sender};

use twinpath_net::activation::PassedSocket;
use twinpath_net::{NoHardware, TestSocket, clock};
use twinpath_proto::reflector::{ReflectorConfig, ReflectorCounters, SessionReflector};
use twinpath_proto::stamp::StampKeys;
use twinpath_wire::Mono;

use common::Common;
use duties::{Change, ResponderDuties};
use listen::Members;
use members::FollowMembers;

use crate::ResponderPlan;
use crate::error::{RunError, StartError};
use crate::reflect::{
    MemberLinks, OneWayReport, ReflectorReport, ReflectorStatus, ReflectorThread, SoFar,
};

/// What a responder did.
pub type ResponderReport = ReflectorReport<ReflectorCounters>;

/// A responder that runs.
#[derive(Debug)]
pub struct ResponderRun {
    listening: Vec<SocketAddr>,
    no_hardware: Vec<NoHardware>,
    started: Mono,
    threads: Vec<ReflectorThread>,
    /// Other keys and limits go to each thread.
    changes: Vec<Sender<Change>>,
    common: Common,
}

/// Opens the sockets and begins to reflect, authenticated STAMP with these keys.
///
/// # Errors
/// [`StartError`]: which address could not be had.
pub fn start(plan: &ResponderPlan, keys: StampKeys) -> Result<ResponderRun, StartError> {
    start_on(plan, Vec::new(), keys, || ())
}

/// The same by sockets that a service manager passes, if it does, instead of those on the plan's addresses. Each address
/// has one for each thread. `opened` is called when all sockets are open, before the first thread begins.
///
/// # Errors
/// [`StartError`]: which socket is of no use.
pub fn start_on(
    plan: &ResponderPlan,
    passed: Vec<PassedSocket>,
    keys: StampKeys,
    opened: impl FnOnce(),
) -> Result<ResponderRun, StartError> {
    let mut groups = if passed.is_empty() {
        listen::open(plan)?
    } else {
        listen::adopt(plan, passed)?
    };
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
    let mut members = Members::default();
    if let Some(first) = groups.first_mut() {
        members = listen::members(plan, first)?;
        first.append(&mut members.sockets);
    }
    opened();
    let with_ids = plan.members.iter().map(|(_, name)| name.clone()).collect();
    // The first thread has the sockets over members.
    let mut follow_members = FollowMembers::start(with_ids, members.names.clone())?;
    let (links, member_links) = (members.links, MemberLinks::new(members.names));
    let keys = Arc::new(keys);
    let mut common = Common::new(count, links);
    let (config, rates) = common.adapted(plan.reflector.clone());
    let mut start = |(index, group)| {
        let (sockets, addresses) = addresses::begin(plan, group, member_links.clone())
            .map_err(StartError::system("a descriptor to wait by"))?;
        let mut engine = SessionReflector::new(config.clone()).sharing_rates(rates.as_ref());
        engine.set_keys(Arc::clone(&keys));
        let (sender, changes) = mpsc::channel();
        let duties = ResponderDuties {
            changes,
            addresses,
            members: std::mem::take(&mut follow_members),
        };
        let thread = ReflectorThread::start(index, sockets, engine, plan.raw_t3, duties)?;
        Ok((thread, sender))
    };
    let threads = groups.into_iter().enumerate().map(&mut start);
    let (threads, changes) = threads.collect::<Result<_, StartError>>()?;
    Ok(ResponderRun {
        listening: listening.unwrap_or_default(),
        no_hardware,
        started: clock::mono(),
        threads,
        changes,
        common,
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

    /// What the threads did so far, at most about 100 ms old, without the sessions measured one way.
    pub fn counted(&self) -> ResponderReport {
        self.report(OneWayReport::default())
    }

    /// Puts other keys of STAMP in force, in place of all before. Sessions go on.
    pub fn replace_keys(&self, keys: StampKeys) {
        let keys = Arc::new(keys);
        self.tell(|| Change::Keys(Arc::clone(&keys)));
        self.common.granted.keep_keys(&keys);
    }

    /// Puts another configuration in force, in place of the one before. Sessions go on; of those beyond a smaller
    /// number the ones idle for longest are forgotten, once they were idle for 30 s. Further replies to earlier
    /// requests are not sent. What sockets are opened by stays as it was: whether TLVs are processed, members of
    /// links.
    pub fn replace_config(&mut self, config: ReflectorConfig) {
        let (config, rates) = self.common.adapted(config);
        self.tell(|| Change::Config(Box::new(config.clone()), rates.clone()));
    }

    fn tell(&self, change: impl Fn() -> Change) {
        for (thread, sender) in self.threads.iter().zip(&self.changes) {
            // One that has ended needs none.
            let _ = sender.send(change());
            thread.wake();
        }
    }

    /// Whether each thread has gone on since this was true the last time. Wakes those that wait: a moment later it is
    /// true of them.
    pub fn has_turned(&self) -> bool {
        ReflectorThread::have_turned(&self.threads)
    }

    /// Asks the threads to answer what has arrived and end.
    pub fn stop(&self) {
        self.threads.iter().for_each(ReflectorThread::stop);
    }

    /// A thread has ended: by [`ResponderRun::stop`] or by an error.
    pub fn is_finished(&self) -> bool {
        self.threads.iter().any(ReflectorThread::is_finished)
    }

    /// What the threads did so far, all of it. Waits half a second for them at most.
    pub fn so_far(&self) -> ResponderReport {
        self.status().report
    }

    /// What the threads did so far and their sessions. Waits half a second for them at most.
    pub fn status(&self) -> ReflectorStatus<ReflectorCounters> {
        let SoFar { one_way, sessions } = ReflectorThread::so_far(&self.threads);
        ReflectorStatus {
            report: self.report(one_way),
            sessions,
        }
    }

    fn report(&self, one_way: OneWayReport) -> ResponderReport {
        let sum = ReflectorThread::sum(&self.threads);
        ReflectorReport {
            one_way,
            ..sum.report(&self.listening, self.started, sum.counters)
        }
    }

    /// Stops, waits for the threads and tells what they did.
    ///
    /// # Errors
    /// [`RunError`] of the first thread that failed.
    pub fn join(self) -> Result<ResponderReport, RunError> {
        // One thread's failure ends all: half a group would leave its flows without answers.
        ReflectorThread::join(&self.threads)?;
        Ok(self.report(ReflectorThread::one_way(&self.threads)))
    }
}

//! What a Session-Reflector did, as plain data.

use std::net::SocketAddr;
use std::time::Duration;

use twinpath_metrics::RungCounts;
use twinpath_net::clock;
use twinpath_proto::reflector::ListedSession;
use twinpath_wire::Mono;

use super::{OneWayReport, Snapshot};

/// What a Session-Reflector did, with the counts of its kind.
#[derive(Clone, Debug)]
pub struct ReflectorReport<C> {
    /// Where it listened.
    pub listening: Vec<SocketAddr>,
    /// For how long.
    pub duration: Duration,
    /// Counts at the end, summed over threads.
    pub counters: C,
    /// Replies that the system refused to send.
    pub send_errors: u64,
    /// How often a socket was bound again to an interface that was made again, those of control
    /// connections among them.
    pub rebinds: u64,
    /// Test packets that the system dropped because they came faster than they were read.
    pub receive_drops: u64,
    /// Sessions measured one way.
    pub one_way: OneWayReport,
    /// T2 of all test packets, by rung.
    pub receive_rungs: RungCounts,
    /// By how many nanoseconds T3 was advanced last; `None`: it was not.
    pub t3_advance_ns: Option<u64>,
}

/// A Session-Reflector as it is now.
#[derive(Clone, Debug)]
pub struct ReflectorStatus<C> {
    /// What it did so far.
    pub report: ReflectorReport<C>,
    /// Its sessions, the 256 of them that were heard last.
    pub sessions: Vec<ListedSession>,
}

impl Snapshot {
    /// The report of a run that has ended now.
    pub(crate) fn report<C>(
        &self,
        listening: &[SocketAddr],
        started: Mono,
        counters: C,
    ) -> ReflectorReport<C> {
        ReflectorReport {
            listening: listening.to_vec(),
            duration: clock::mono().since(started),
            counters,
            send_errors: self.send_errors,
            rebinds: self.rebinds,
            receive_drops: self.receive_drops,
            one_way: OneWayReport::default(),
            receive_rungs: self.rungs,
            t3_advance_ns: self.t3_advance_ns,
        }
    }
}

//! What a responder did.

use std::net::SocketAddr;
use std::time::Duration;

use twinpath_proto::reflector::ReflectorTally;
use twinpath_wire::Rung;

/// What a responder did.
#[derive(Clone, Debug)]
pub struct ResponderReport {
    /// Where it listened.
    pub listening: Vec<SocketAddr>,
    /// For how long.
    pub duration: Duration,
    /// Counts, summed over threads.
    pub tally: ReflectorTally,
    /// Replies that the system refused to send.
    pub send_errors: u64,
    /// How often a socket was bound again to an interface that was made again.
    pub rebinds: u64,
    /// Requests that the system dropped because they came faster than they were read.
    pub receive_drops: u64,
    /// The best rung that T2 came from; `None` without a packet.
    pub receive_rung: Option<Rung>,
    /// T2 that fell to a lower rung.
    pub fallback_receive: u64,
    /// By how many nanoseconds T3 was advanced last; `None`: it was not.
    pub t3_advance_ns: Option<u64>,
}

//! What a Server did, as plain data.

use twinpath_proto::reflector::ReflectorCounters;

use super::ConnectionCounts;
use crate::reflect::ReflectorReport;

/// Counts of a Server so far.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct ServerCounters {
    /// Control connections that are open now, those that are being refused or closed among them.
    pub connections: u64,
    /// The same by what they do and by mode.
    pub connection_counts: ConnectionCounts,
    /// Control connections that were served.
    pub connections_served: u64,
    /// Control connections refused because their client had all that it may have.
    pub connections_over_client_limit: u64,
    /// Control connections refused because all were taken, by clients with sessions or with no more
    /// connections than the one refused.
    pub connections_when_full: u64,
    /// Control connections without sessions that were closed for another client, all being taken.
    pub connections_made_room: u64,
    /// Control connections from addresses that may not connect.
    pub connections_not_allowed: u64,
    /// Connections that the system could not give (descriptors), and other failures to accept.
    pub accept_errors: u64,
    /// Connections whose client did not prove a key: its Key-ID is unknown or its passphrase wrong.
    pub keys_refused: u64,
    /// Sessions agreed that are not over now.
    pub sessions: u64,
    /// Sessions agreed so far.
    pub sessions_made: u64,
    /// Sessions started so far.
    pub sessions_started: u64,
    /// Requests that were refused by a limit, for lack of a port, or by the system.
    pub sessions_refused: u64,
    /// Sessions that ended because no packets for REFWAIT.
    pub sessions_expired: u64,
    /// Test ports open now.
    pub ports: u64,
    /// Test packets, summed over threads.
    pub packets: ReflectorCounters,
}

impl ServerCounters {
    /// Control connections refused by a limit.
    pub fn connections_refused(&self) -> u64 {
        self.connections_over_client_limit + self.connections_when_full
    }
}

/// What a Server did.
pub type ServerReport = ReflectorReport<ServerCounters>;

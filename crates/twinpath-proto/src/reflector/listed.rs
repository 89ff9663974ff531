//! Sessions as an operator sees them: a look at those that a reflector has, which changes none.

use std::net::{IpAddr, Ipv6Addr, SocketAddr, SocketAddrV6};
use std::time::Duration;

use twinpath_wire::control::{SecurityMode, Sid};
use twinpath_wire::{Dscp, Mono};

use super::{SessionCounters, SessionReflector};

/// A session that a reflector has.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ListedSession {
    /// Where its packets come from.
    pub sender: SocketAddr,
    /// The UDP port that they are sent to.
    pub port: u16,
    /// The time since its last packet; of a negotiated one since it was started, before the first.
    pub idle: Duration,
    /// How it began.
    pub origin: SessionOrigin,
}

/// How a session began, and what is known of it therefore.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum SessionOrigin {
    /// By its first packet.
    Packet {
        /// STAMP Session Identifier (RFC 8972 section 3); 0: none.
        ssid: u16,
        /// Sender Micro-session ID (RFC 9534 section 2); 0: none.
        micro_session: u16,
        /// The Sequence Number of its next reply.
        next: u32,
    },
    /// By a control connection.
    Negotiated {
        /// Its identifier.
        sid: Sid,
        /// The security mode of its connection.
        mode: Option<SecurityMode>,
        /// DSCP of its replies.
        dscp: Dscp,
        /// Where it is in its life.
        stage: SessionStage,
        /// Its packets so far.
        counters: SessionCounters,
    },
}

/// Where a negotiated session is in its life.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum SessionStage {
    /// Accepted, not started: nothing is reflected.
    Accepted,
    /// Started.
    Running,
    /// Stopped, and reflected until its Timeout has passed (RFC 5357 section 3.8).
    Stopping,
}

impl SessionStage {
    /// The name in reports.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Accepted => "accepted",
            Self::Running => "running",
            Self::Stopping => "stopping",
        }
    }
}

impl SessionReflector {
    /// Sessions that there are, `most` of them at most: negotiated ones in any order, then those heard last,
    /// to within about a second. It takes a cache line for each.
    pub fn list(&self, now: Mono, most: usize) -> Vec<ListedSession> {
        let negotiated = self.negotiated.list(now);
        let others = self.unnegotiated.iter().flat_map(|it| it.list(now));
        negotiated.chain(others).take(most).collect()
    }
}

/// The address of which these are the [`halves`](super::table::halves); `scope`: the zone of a link-local one.
pub(super) fn address(halves: [u64; 2], port: u16, scope: u32) -> SocketAddr {
    let [upper, lower] = halves;
    let bits = u128::from(upper) << 64 | u128::from(lower);
    match Ipv6Addr::from_bits(bits).to_canonical() {
        IpAddr::V4(address) => (address, port).into(),
        IpAddr::V6(address) => SocketAddrV6::new(address, port, 0, scope).into(),
    }
}

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

impl ListedSession {
    /// The `most` of these that were heard last, in that order; those that were not started come last.
    pub fn heard_last(sessions: impl IntoIterator<Item = Self>, most: usize) -> Vec<Self> {
        let mut kept = Vec::new();
        for session in sessions {
            // Cut when there are twice as many, so that each costs little and memory is bounded.
            if kept.len() >= most.saturating_mul(2) {
                kept.sort_unstable_by_key(Self::order);
                kept.truncate(most);
            }
            kept.push(session);
        }
        kept.sort_by_key(Self::order);
        kept.truncate(most);
        kept
    }

    fn order(&self) -> (bool, Duration) {
        let is_unstarted = matches!(
            self.origin,
            SessionOrigin::Negotiated {
                stage: SessionStage::Accepted,
                ..
            }
        );
        (is_unstarted, self.idle)
    }
}

impl SessionReflector {
    /// Sessions that there are, the `most` that were heard last, to within about a second. It reads all
    /// negotiated ones and `most` of the others.
    pub fn list(&self, now: Mono, most: usize) -> Vec<ListedSession> {
        let negotiated = self.negotiated.list(now);
        let others = self.unnegotiated.iter().flat_map(|it| it.list(now));
        ListedSession::heard_last(negotiated.chain(others.take(most)), most)
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

#[cfg(test)]
mod tests {
    use super::*;

    fn negotiated(number: u16, stage: SessionStage, idle_s: u64) -> ListedSession {
        ListedSession {
            sender: SocketAddr::from(([192, 0, 2, 1], number)),
            port: 862,
            idle: Duration::from_secs(idle_s),
            origin: SessionOrigin::Negotiated {
                sid: Sid::default(),
                mode: None,
                dscp: Dscp::default(),
                stage,
                counters: SessionCounters::default(),
            },
        }
    }

    #[test]
    fn of_many_sessions_those_heard_last_are_listed_before_those_that_were_not_started() {
        let unstarted = (0..500).map(|it| negotiated(it, SessionStage::Accepted, 0));
        // Every number up to 1,000 once, in no order.
        let running =
            (0..1_000).map(|it| negotiated(it, SessionStage::Running, u64::from(it) * 377 % 1_000));
        let all: Vec<ListedSession> = unstarted.chain(running).collect();
        let idle = |most| -> Vec<u64> {
            let listed = ListedSession::heard_last(all.iter().copied(), most);
            listed.iter().map(|it| it.idle.as_secs()).collect()
        };
        assert_eq!(idle(256), (0..256).collect::<Vec<_>>());
        assert_eq!(idle(1_001)[999..], [999, 0]);
        assert_eq!(idle(2_000).len(), 1_500);
        assert_eq!(idle(0), [0; 0]);
    }
}

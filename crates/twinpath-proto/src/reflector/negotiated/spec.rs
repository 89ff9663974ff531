//! What is negotiated for a test session, its counts, and how it ends.

use std::net::{IpAddr, SocketAddr};
use std::time::Duration;

use twinpath_wire::control::{Modes, Sid};
use twinpath_wire::{Dscp, Mono};

use super::super::Ignored;
use crate::features::TestFeatures;

/// A test session as negotiated by Control-Client and Server (RFC 5357 section 3.5).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct SessionSpec {
    /// Its identifier, chosen by the Server.
    pub sid: Sid,
    /// The Session-Sender: only its packets are reflected.
    pub sender: SocketAddr,
    /// The modes chosen on its control connection.
    pub modes: Modes,
    /// Type-P: the DSCP of its replies (row TT-17). Their ECN is Not-ECT (row TT-44).
    pub dscp: Dscp,
    /// Padding Length as requested. Replies are sized by the packets that arrive (row TC-50).
    pub padding_length: u32,
    /// How long it is reflected after it is stopped; at most REFWAIT (row TC-46).
    pub timeout: Duration,
    /// It ends after this long without a packet (RFC 5357 section 4.2; row TT-23).
    pub refwait: Duration,
    /// Length of padding to reflect (RFC 6038 section 4.2).
    pub padding_to_reflect: u16,
    /// Server octets (RFC 6038 section 4.3): they distinguish sessions behind one NAT; 0: none.
    pub server_octets: u16,
    /// If the sender may be behind NAT: the control client's address as seen here. The first packet
    /// from there, by any port, binds the session; so does one from
    /// [`NegotiatedConfig::allow_sender`](super::super::NegotiatedConfig::allow_sender) (row TT-25).
    pub nat: Option<IpAddr>,
    /// The requested Start Time, if it lies ahead: REFWAIT counts from then, but no more than
    /// 24 hours after the start (row TC-48).
    pub begins: Option<Mono>,
}

impl SessionSpec {
    /// The features that show in its test packets.
    pub fn features(&self) -> TestFeatures {
        TestFeatures {
            modes: self.modes,
            padding_to_reflect: self.padding_to_reflect,
            server_octets: self.server_octets,
        }
    }
}

/// Another session has this sender and port, or this SID.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("this sender already has a session on this port")]
pub struct InUse;

/// How a session ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Ended {
    /// It was stopped, and its Timeout passed.
    Stopped,
    /// No packet arrived for REFWAIT.
    Refwait,
    /// It was removed, or stopped before it was started.
    Removed,
}

/// Counts of one session: `received` is the sum of `reflected`, `not_started` and `ignored`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct SessionCounters {
    /// Datagrams from its sender.
    pub received: u64,
    /// Replies made.
    pub reflected: u64,
    /// Datagrams that arrived before the session was started.
    pub not_started: u64,
    /// Datagrams without a reply for any other reason.
    pub ignored: u64,
    /// Of those ignored: over the rate allowed (row TT-28).
    pub rate_limited: u64,
    /// Of those reflected: requests too short for the negotiated features (row TT-41).
    pub too_short: u64,
    /// Of those ignored: requests whose HMAC is wrong (row TT-35).
    pub forged: u64,
    /// Of those reflected: requests whose number came before or, in the authenticated mode, is too
    /// old to check (row TT-35).
    pub replays: u64,
    /// Requests whose number is too old to check for a replay: ignored in the encrypted mode;
    /// reflected and included in `replays` in the authenticated mode (row TT-35).
    pub old: u64,
    /// Of those reflected: requests with an Error Estimate Multiplier of 0 (row TT-26).
    pub error_multiplier_zero: u64,
    /// Actual source of the packets of a session that allows for NAT.
    pub bound: Option<SocketAddr>,
}

impl SessionCounters {
    /// Counts a datagram by its outcome. One that arrives after the session's end does not count.
    pub(crate) fn count_outcome(&mut self, judged: Result<(), Ignored>) {
        let count = match judged {
            Ok(()) => &mut self.reflected,
            Err(Ignored::NoSession) => return,
            Err(Ignored::NotStarted) => &mut self.not_started,
            Err(kind) => {
                self.rate_limited += u64::from(kind == Ignored::RateLimited);
                self.forged += u64::from(kind == Ignored::Forged);
                &mut self.ignored
            }
        };
        *count += 1;
        self.received += 1;
    }
}

//! What is agreed of a test session, what it counts, and how it ends.

use std::net::{IpAddr, SocketAddr};
use std::time::Duration;

use ipnet::IpNet;
use twinpath_wire::control::{Modes, Sid};
use twinpath_wire::{Dscp, Mono};

use super::super::Ignored;
use crate::features::TestFeatures;

/// A test session as Control-Client and Server agreed on it (RFC 5357 section 3.5).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct SessionSpec {
    /// Its identifier, which the Server made.
    pub sid: Sid,
    /// The Session-Sender: only what comes from there is reflected.
    pub sender: SocketAddr,
    /// The modes chosen on its control connection.
    pub modes: Modes,
    /// Type-P: the DSCP of its replies (row TT-17). Their ECN is Not-ECT (row TT-44).
    pub dscp: Dscp,
    /// Padding Length as it was requested. Replies are sized by the packets that come (row TC-50).
    pub padding_length: u32,
    /// How long it is reflected after it was stopped; REFWAIT caps it (row TC-46).
    pub timeout: Duration,
    /// It ends when nothing came for so long (RFC 5357 section 4.2; row TT-23).
    pub refwait: Duration,
    /// Length of padding to reflect (RFC 6038 section 4.2).
    pub padding_to_reflect: u16,
    /// Server octets (RFC 6038 section 4.3): they tell sessions behind one NAT apart; 0: none.
    pub server_octets: u16,
    /// Where the sender may be behind an address translator: the address that the control client
    /// itself has here. The first packet from there, by any port, binds the session; so does one
    /// from [`NegotiatedConfig::allow_sender`] (row TT-25).
    pub nat: Option<IpAddr>,
    /// The requested Start Time, if it lies ahead: REFWAIT counts from then, but no more than
    /// 24 hours after the start (row TC-48).
    pub begins: Option<Mono>,
}

impl SessionSpec {
    /// What of it shows in its test packets.
    pub fn features(&self) -> TestFeatures {
        TestFeatures {
            modes: self.modes,
            padding_to_reflect: self.padding_to_reflect,
            server_octets: self.server_octets,
        }
    }
}

/// The operator's part, alike for all sessions.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NegotiatedConfig {
    /// Discards requests with an Error Estimate Multiplier of 0 (RFC 4656 section 4.1.2).
    pub strict: bool,
    /// TAI - UTC in seconds, for `PTPv2` timestamps (row TT-47).
    pub tai_offset_s: i32,
    /// Replies per second for each sender (IPv6: its /64), all its sessions together, in bursts of one
    /// second's worth at most; `None`: what was agreed on is let through (row TT-28).
    pub max_rate_pps: Option<u32>,
    /// Addresses other than the control client's that may bind a session behind NAT.
    pub allow_sender: Vec<IpNet>,
}

impl Default for NegotiatedConfig {
    fn default() -> Self {
        Self {
            strict: false,
            tai_offset_s: 37,
            max_rate_pps: None,
            allow_sender: Vec::new(),
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
    /// It was stopped, and its Timeout has passed.
    Stopped,
    /// Nothing came for REFWAIT.
    Refwait,
    /// It was taken away, or stopped before it was started.
    Removed,
}

/// What came in one session, and what became of it: `received` is the sum of `reflected`,
/// `not_started` and `ignored`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct SessionCounters {
    /// Datagrams from its sender.
    pub received: u64,
    /// Replies made.
    pub reflected: u64,
    /// Datagrams that came before the session was started.
    pub not_started: u64,
    /// Datagrams without a reply for any other reason.
    pub ignored: u64,
    /// Of those ignored: over the rate allowed (row TT-28).
    pub rate_limited: u64,
    /// Of those reflected: requests too short for the features agreed (row TT-41).
    pub too_short: u64,
    /// Of those ignored: requests whose HMAC is wrong (row TT-35).
    pub forged: u64,
    /// Of those reflected: requests whose number came before, or in the authenticated mode is too old
    /// to tell (row TT-35).
    pub replays: u64,
    /// Requests whose number is too old to tell whether it came before: in the encrypted mode ignored,
    /// in the authenticated mode reflected, among `replays` (row TT-35).
    pub old: u64,
    /// Of those reflected: requests with an Error Estimate Multiplier of 0 (row TT-26).
    pub error_multiplier_zero: u64,
    /// Where the packets of a session that allows for NAT really come from.
    pub bound: Option<SocketAddr>,
}

impl SessionCounters {
    /// Counts a datagram by what it got. One that came when all was over is not the session's.
    pub(super) fn judge(&mut self, judged: Result<(), Ignored>) {
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

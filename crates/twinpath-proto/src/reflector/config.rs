//! Configuration of a Session-Reflector.

use std::net::IpAddr;
use std::ops::RangeInclusive;
use std::time::Duration;

use ipnet::IpNet;
use twinpath_wire::{Dscp, TimeFormat};

use crate::extension::ExtensionPolicy;

/// The protocols that one port answers (RFC 8762 section 4.6).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum ReflectorProtocols {
    /// Both, classified packet by packet, without state.
    #[default]
    Auto,
    /// Every request is TWAMP Light.
    TwampLight,
    /// Every request is STAMP, even one shorter than the base packet.
    Stamp,
}

/// Configuration by the operator, for all sessions.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ReflectorPolicy {
    /// Discards requests with an Error Estimate Multiplier of 0 (RFC 4656 section 4.1.2).
    pub strict: bool,
    /// TAI - UTC in seconds, for `PTPv2` timestamps (row TT-47).
    pub tai_offset_s: i32,
    /// Senders that are answered; if empty, all.
    pub allow: Vec<IpNet>,
    /// Replies per second and sender (IPv6: its /64), over all its sessions, in bursts of at most
    /// one second's worth (row TT-28).
    pub max_rate_pps: Option<u32>,
    /// DSCP of all replies; `None`: the negotiated one, or else the request's.
    pub dscp: Option<Dscp>,
}

impl Default for ReflectorPolicy {
    fn default() -> Self {
        Self {
            strict: false,
            tai_offset_s: 37,
            allow: Vec::new(),
            max_rate_pps: None,
            dscp: None,
        }
    }
}

/// Configuration of a reflector that answers senders without a negotiated session.
#[derive(Clone, Debug)]
pub struct ReflectorConfig {
    /// What applies to negotiated sessions too.
    pub policy: ReflectorPolicy,
    /// Protocols answered.
    pub protocols: ReflectorProtocols,
    /// Answers authenticated STAMP alone.
    pub authenticated_only: bool,
    /// SSIDs of the sessions that are answered, 0 for packets without one; if empty, all (RFC 8972
    /// section 3; row ST-17).
    pub ssids: Vec<RangeInclusive<u16>>,
    /// Multicast groups of this host. What is sent to them is answered only where it asks for replies by Reflected
    /// Test Packet Control, is signed and was not followed before (RFC 10052 section 4.2; row SL-62); not where
    /// [`ControlPolicy::unauthenticated`](crate::extension::ControlPolicy::unauthenticated) is set.
    pub groups: Vec<IpAddr>,
    /// Numbers the replies of each session; otherwise replies copy the request's Sequence Number.
    pub stateful: bool,
    /// The most sessions remembered at once; senders beyond that are answered without state.
    pub max_sessions: usize,
    /// A session without a packet for this long is forgotten (REFWAIT, RFC 5357 section 4.2).
    pub idle: Duration,
    /// Replies get the size of a request with this many octets of padding; `None`: the size of the
    /// request. STAMP requests with TLVs keep their size (RFC 8762 section 4.3).
    pub padding: Option<usize>,
    /// Lets `padding` make a reply longer than its request, which allows amplification.
    pub allow_larger_replies: bool,
    /// What a sender may ask for with STAMP's TLVs.
    pub extensions: ExtensionPolicy,
    /// Format of T2 and T3. [`TimeFormat::Ptp`] takes effect with [`ReflectorProtocols::Stamp`] only: a packet
    /// that may be TWAMP Light is answered in NTP format (RFC 8762 section 4.6; row ST-55).
    pub format: TimeFormat,
}

impl Default for ReflectorConfig {
    fn default() -> Self {
        Self {
            policy: ReflectorPolicy::default(),
            protocols: ReflectorProtocols::Auto,
            authenticated_only: false,
            ssids: Vec::new(),
            groups: Vec::new(),
            stateful: true,
            max_sessions: 100_000,
            idle: Duration::from_mins(15),
            padding: None,
            allow_larger_replies: false,
            extensions: ExtensionPolicy::default(),
            format: TimeFormat::Ntp,
        }
    }
}

impl ReflectorConfig {
    /// Whether a request may ask for something with its TLVs.
    pub fn may_process_tlvs(&self) -> bool {
        self.protocols != ReflectorProtocols::TwampLight && !self.extensions.copies_only
    }
}

/// Configuration of a reflector that answers negotiated sessions only.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct NegotiatedConfig {
    /// What applies to other sessions too.
    pub policy: ReflectorPolicy,
    /// Addresses other than the control client's that may bind a session behind NAT.
    pub allow_sender: Vec<IpNet>,
}

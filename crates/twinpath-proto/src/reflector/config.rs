//! Configuration of a Session-Reflector.

use std::time::Duration;

use ipnet::IpNet;
use twinpath_wire::{Dscp, TimeFormat};

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

/// Configuration by the operator.
#[derive(Clone, Debug)]
pub struct ReflectorConfig {
    /// Protocols answered.
    pub protocols: ReflectorProtocols,
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
    /// Clients that are answered; if empty, all.
    pub allow: Vec<IpNet>,
    /// Replies per second and client address, in bursts of at most one second's worth.
    pub max_rate_pps: Option<u32>,
    /// DSCP of all replies; `None`: the request's.
    pub dscp: Option<Dscp>,
    /// Discards requests with an Error Estimate Multiplier of 0 (RFC 4656 section 4.1.2).
    pub strict: bool,
    /// Format of T2 and T3. [`TimeFormat::Ptp`] takes effect with [`ReflectorProtocols::Stamp`] only: a packet
    /// that may be TWAMP Light is answered in NTP format (RFC 8762 section 4.6; row ST-55).
    pub format: TimeFormat,
    /// TAI - UTC in seconds, for [`TimeFormat::Ptp`].
    pub tai_offset_s: i32,
}

impl Default for ReflectorConfig {
    fn default() -> Self {
        Self {
            protocols: ReflectorProtocols::Auto,
            stateful: true,
            max_sessions: 100_000,
            idle: Duration::from_mins(15),
            padding: None,
            allow_larger_replies: false,
            allow: Vec::new(),
            max_rate_pps: None,
            dscp: None,
            strict: false,
            format: TimeFormat::Ntp,
            tai_offset_s: 37,
        }
    }
}

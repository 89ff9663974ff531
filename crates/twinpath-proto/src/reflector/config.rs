//! What the operator decides about a Session-Reflector.

use std::time::Duration;

use ipnet::IpNet;
use twinpath_wire::{Dscp, TimeFormat};

/// The protocols that one port answers (RFC 8762 section 4.6).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Speaks {
    /// Told apart packet by packet, without memory of earlier ones.
    #[default]
    Auto,
    /// Every request is TWAMP Light.
    TwampLight,
    /// Every request is STAMP, one shorter than its base packet too.
    Stamp,
}

/// What the operator decides; the default is DESIGN's.
#[derive(Clone, Debug)]
pub struct ReflectorConfig {
    /// Protocols answered.
    pub speaks: Speaks,
    /// Sequence numbers of its own for each session; otherwise the request's are copied.
    pub stateful: bool,
    /// Sessions remembered at once; strangers beyond that are answered without state.
    pub max_sessions: usize,
    /// A session without a packet for this long is forgotten (REFWAIT, RFC 5357 section 4.2).
    pub idle: Duration,
    /// Replies get the size of a request with that many octets of padding; `None`: of the request.
    /// STAMP requests with TLVs keep their size (RFC 8762 section 4.3).
    pub padding: Option<usize>,
    /// Lets `padding` make a reply longer than its request. Such a reflector amplifies.
    pub allow_larger_replies: bool,
    /// Clients that are answered; empty: everyone.
    pub allow: Vec<IpNet>,
    /// Replies per second for each client address, in bursts of one second's worth at most.
    pub max_rate_pps: Option<u32>,
    /// DSCP of all replies; `None`: the request's.
    pub dscp: Option<Dscp>,
    /// Discards requests with an Error Estimate Multiplier of 0 (RFC 4656 section 4.1.2).
    pub strict: bool,
    /// Format of T2 and T3. [`TimeFormat::Ptp`] acts with [`Speaks::Stamp`] only: whatever may be
    /// TWAMP Light is answered in NTP format (RFC 8762 section 4.6; row ST-55).
    pub format: TimeFormat,
    /// TAI - UTC in seconds, for [`TimeFormat::Ptp`].
    pub tai_offset_s: i32,
}

impl Default for ReflectorConfig {
    fn default() -> Self {
        Self {
            speaks: Speaks::Auto,
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

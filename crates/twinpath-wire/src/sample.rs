//! The fate of one test packet: the interface between the engines and the metrics.

use crate::{Delta, Stamp, Tos, Wall};

/// The fate of a test packet (conformance rows M-1, M-6).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Fate {
    /// First valid reply, in time: T4 - T1 <= timeout.
    Received,
    /// No reply in time and none later.
    Lost,
    /// First reply came after the timeout: the packet is lost and counted as late too.
    Late,
    /// A further copy of a reply already received; an event, not a packet's fate.
    Duplicate,
    /// Sent so that no reply comes here, and none came (RFC 9503): neither received nor lost.
    Unawaited,
}

impl Fate {
    /// All of them.
    pub const ALL: [Self; 5] = [
        Self::Received,
        Self::Lost,
        Self::Late,
        Self::Duplicate,
        Self::Unawaited,
    ];

    /// The name in reports.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Received => "received",
            Self::Lost => "lost",
            Self::Late => "late",
            Self::Duplicate => "duplicate",
            Self::Unawaited => "unawaited",
        }
    }
}

/// Why a received packet's times are left out of the delays; the packet still counts as received.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Exclusion {
    /// The local clock stepped while the packet was in flight.
    ClockStep,
    /// T3 before T2, or a residence longer than T4 - T1: the remote clock is not credible.
    Implausible,
}

/// One packet's fate, or one further copy of a reply. Small and `Copy`, without addresses.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Sample {
    /// Session-Sender's Sequence Number, extended to 64 bits (it never wraps here).
    pub seq: u64,
    /// Its fate.
    pub fate: Fate,
    /// Departure from the sender, the best timestamp available, and how it was taken.
    pub t1: Stamp,
    /// Arrival at the reflector by its own clock; `None` without a reply.
    pub t2: Option<Wall>,
    /// Departure from the reflector by its own clock; `None` without a reply.
    pub t3: Option<Wall>,
    /// Arrival back at the sender, and how it was taken; `None` without a reply.
    pub t4: Option<Stamp>,
    /// The reflector's own Sequence Number as received; `None` without a reply.
    pub reflector_seq: Option<u32>,
    /// TTL or Hop Limit with which the packet reached the reflector; `None` if the reply does not
    /// say.
    pub ttl_forward: Option<u8>,
    /// TTL or Hop Limit with which the reply came back.
    pub ttl_backward: Option<u8>,
    /// ToS or Traffic Class octet with which the packet reached the reflector (RFC 7750); `None` if
    /// the reply does not say.
    pub tos_forward: Option<Tos>,
    /// ToS or Traffic Class octet of the reply as it came back.
    pub tos_backward: Option<Tos>,
    /// Actual departure minus scheduled: the sender's own lateness.
    pub departure: Delta,
    /// Why the times are left out of the delays, if they are.
    pub excluded: Option<Exclusion>,
}

impl Sample {
    /// Of a packet without a reply that departed on schedule.
    pub const fn lost(seq: u64, t1: Stamp) -> Self {
        Self {
            seq,
            fate: Fate::Lost,
            t1,
            t2: None,
            t3: None,
            t4: None,
            reflector_seq: None,
            ttl_forward: None,
            ttl_backward: None,
            tos_forward: None,
            tos_backward: None,
            departure: Delta::ZERO,
            excluded: None,
        }
    }

    /// (T4 - T1) - (T3 - T2), the path's own round trip (RFC 2681, RFC 5357 section 1; row M-8).
    pub fn round_trip(&self) -> Option<Delta> {
        Some((self.t4?.at - self.t1.at) - (self.t3? - self.t2?))
    }

    /// T2 - T1 across two clocks, signed (RFC 7679; row M-9).
    pub fn forward(&self) -> Option<Delta> {
        Some(self.t2? - self.t1.at)
    }

    /// T4 - T3 across two clocks, signed (RFC 7679; row M-9).
    pub fn backward(&self) -> Option<Delta> {
        Some(self.t4?.at - self.t3?)
    }

    /// T3 - T2, the reflector's own time (row M-10).
    pub fn residence(&self) -> Option<Delta> {
        Some(self.t3? - self.t2?)
    }
}

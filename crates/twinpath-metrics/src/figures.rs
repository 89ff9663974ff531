//! The figures of a session: plain numbers for the reports. Delays are in nanoseconds.

use serde::Serialize;
use twinpath_wire::Dscp;

use crate::{
    BinCounts, DelayFigures, FarTimes, FirstDepartures, ReplyStatus, RungCounts, SizeCounts,
    figures,
};

mod counts;

pub use counts::{
    AvailabilityFigures, DuplicationFigures, EcnCounts, LossPeriods, RemarkCounts,
    ReorderingFigures, SettledBlocks, TtlFigures,
};
pub(crate) use counts::{add, both};

/// All figures of a session. `None` is "not known" or "nothing to report", never 0.
#[derive(Clone, Debug, PartialEq)]
#[expect(
    clippy::struct_excessive_bools,
    reason = "facts that have nothing to do with each other"
)]
pub struct Figures {
    /// Packets with a first valid reply in time (RFC 2681 section 2.5).
    pub received: u64,
    /// Packets without one (RFC 6673 section 6.1), including late ones.
    pub lost: u64,
    /// Packets whose first reply came after the timeout; they are lost too.
    pub late: u64,
    /// Further copies of replies (RFC 5560).
    pub duplicates: u64,
    /// Packets sent so that no reply comes here, and without one (RFC 9503): their losses are unknown.
    pub unawaited: u64,
    /// Copies, the packets that have any, and where they were duplicated (RFC 5560).
    pub duplication: DuplicationFigures,
    /// Received packets that arrived after one with a greater number (RFC 4737 section 3.3).
    pub reordered: u64,
    /// Reordering of the round trip: the sender's numbers in the order of the replies' arrival (RFC
    /// 4737).
    pub reordering: ReorderingFigures,
    /// Outbound reordering: the sender's numbers in the order of the reflector's; `None` if the
    /// reflector keeps no counter.
    pub reordering_forward: Option<ReorderingFigures>,
    /// Inbound reordering: the reflector's numbers in the order of the replies' arrival; `None` if
    /// the reflector keeps no counter.
    pub reordering_backward: Option<ReorderingFigures>,
    /// Losses in a row and the packets between them (RFC 3357).
    pub loss_periods: LossPeriods,
    /// Blocks of time in which packets came through (row M-63); `None` without a packet.
    pub availability: Option<AvailabilityFigures>,
    /// Blocks of the availability in which packets were due and none was sent, then or later; over
    /// several runs, the sum, whatever their lengths.
    pub unmeasured_blocks: u64,
    /// Packets that the network refused: never sent, and neither received nor lost (row M-4).
    pub not_sent: u64,
    /// Packets by size, smallest first; empty if all have the same size or it is unknown.
    pub by_size: Vec<SizeCounts>,
    /// Lost outbound (RFC 5357 section 4.2.1); `None` if the reflector keeps no counter.
    pub lost_forward: Option<u64>,
    /// Lost inbound, of those that reached the reflector; `None` if the reflector keeps no counter.
    pub lost_backward: Option<u64>,
    /// Lost in an unknown direction. The three add up to `lost`.
    pub lost_unattributed: Option<u64>,
    /// Lost packets followed by an answered one: those whose direction a reflector's counter shows,
    /// if it keeps one.
    pub lost_before_a_reply: u64,
    /// Whether the far end answered at the end.
    pub reply_status: ReplyStatus,
    /// Whether the split by direction may be wrong: outbound copies were lost inbound, or the
    /// reflector's numbers contradict each other.
    pub direction_uncertain: bool,
    /// Received packets left out of the delays because the local clock stepped.
    pub excluded_clock_step: u64,
    /// Received packets left out of the delays because the far clock is not credible.
    pub excluded_implausible: u64,
    /// Received packets with T3 before T2, or with T3 - T2 longer than T4 - T1:
    /// `excluded_implausible` of them are left out of the delays.
    pub implausible: u64,
    /// Received packets left out of the delays because their reply has no T2 or no T3.
    pub excluded_unstamped: u64,
    /// What the packets show about T2 and T3. If those cannot be used, `round_trip` is T4 - T1,
    /// including the reflector's time, and one-way delays and residence are `None`.
    pub far_times: FarTimes,
    /// Whether some packet contradicts them, as after a step of the far clock.
    pub far_times_contradicted: bool,
    /// (T4 - T1) - (T3 - T2) (RFC 2681 section 2.4).
    pub round_trip: Option<DelayFigures>,
    /// T2 - T1 across two clocks, signed (RFC 7679 section 3.4).
    pub forward: Option<DelayFigures>,
    /// T4 - T3 across two clocks, signed (RFC 7679 section 3.4).
    pub backward: Option<DelayFigures>,
    /// T3 - T2, the reflector's own time (RFC 6673 section 4.4).
    pub residence: Option<DelayFigures>,
    /// Actual departure minus scheduled, of every packet sent: the sender's own lateness.
    pub departure: Option<DelayFigures>,
    /// The first of them, which may have waited for the neighbour's address; `None` for several runs.
    pub first_departures: Option<FirstDepartures>,
    /// The round trip's percentiles with lost packets as infinite delays (RFC 7679 section 5.1).
    pub round_trip_with_loss: Option<PercentilesWithLoss>,
    /// The same outbound; `None` unless every loss has a direction.
    pub forward_with_loss: Option<PercentilesWithLoss>,
    /// The same inbound.
    pub backward_with_loss: Option<PercentilesWithLoss>,
    /// Round trip, forward and backward in user-defined bins; `None` if there are none.
    pub bins: Option<BinFigures>,
    /// TTL with which packets reached the reflector (RFC 5357 section 4.2.1).
    pub ttl_forward: Option<TtlFigures>,
    /// TTL with which replies came back.
    pub ttl_backward: Option<TtlFigures>,
    /// Received packets by the DSCP with which they reached the reflector (RFC 7750), least first;
    /// empty if the reflector does not report it.
    pub dscp_forward: Vec<(Dscp, u64)>,
    /// Received packets by the DSCP of their reply as it came back (RFC 2474), least first.
    pub dscp_backward: Vec<(Dscp, u64)>,
    /// Packets that reached the reflector with Congestion Experienced (RFC 3168); `None` if the
    /// reflector does not report it.
    pub congestion_forward: Option<u64>,
    /// Replies that came back with Congestion Experienced (RFC 3168).
    pub congestion_backward: u64,
    /// Packets by the ECN field with which they reached the reflector (RFC 3168); `None` if the
    /// reflector does not report it.
    pub ecn_forward: Option<EcnCounts>,
    /// Replies by the ECN field with which they came back; `None` without a reply.
    pub ecn_backward: Option<EcnCounts>,
    /// Packets whose marking changed outbound (RFC 7750); `None` if either marking is unknown.
    pub remarked_forward: Option<RemarkCounts>,
    /// Replies whose marking differs from the expected one.
    pub remarked_backward: Option<RemarkCounts>,
    /// The coarsest possible rounding of T2 and T3, in nanoseconds: as `far_resolution_ns`, but
    /// possibly too coarse with few timestamps; 0 for a fine clock.
    pub far_rounding_ns: u64,
    /// The grid of all T2 and T3, in nanoseconds, if it is 1 us or more: the resolution of the far
    /// end's timestamps.
    pub far_resolution_ns: Option<u64>,
    /// Packets sent, by the rung of their T1.
    pub stamps_transmit: RungCounts,
    /// Packets received, by the rung of their T4.
    pub stamps_receive: RungCounts,
    /// Whether T3 = T2 in every reply: the peer does not measure its residence, and the round trip
    /// includes it.
    pub residence_never_measured: bool,
    /// Whether the reflector's number was the sender's in every reply: it is stateless, or
    /// indistinguishable from that.
    pub numbers_equal: bool,
    /// How often the reflector's counter restarted during the run (row M-29).
    pub reflector_restarts: u64,
}

impl Default for Figures {
    /// Without a packet.
    fn default() -> Self {
        crate::SessionMetrics::new().figures()
    }
}

impl Figures {
    /// Packets sent whose fate is known, or is not to be known here.
    pub fn sent(&self) -> u64 {
        let awaited = self.received.saturating_add(self.lost);
        awaited.saturating_add(self.unawaited)
    }

    /// Whether `round_trip` includes the reflector's own time: its T2 and T3 cannot be used, or it
    /// writes one time as both.
    pub fn round_trip_includes_residence(&self) -> bool {
        !self.far_times.are_usable() || self.residence_never_measured
    }
}

/// Percentiles in which lost packets count as infinite delays (RFC 7679 section 5.1). Nanoseconds;
/// `None` is infinite.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
pub struct PercentilesWithLoss {
    /// Packets with an infinite delay.
    pub undefined: u64,
    /// Middle value, or the mean of the two middle values.
    pub median_ns: Option<i64>,
    /// 90th percentile.
    pub p90_ns: Option<i64>,
    /// 95th percentile.
    pub p95_ns: Option<i64>,
    /// 99th percentile.
    pub p99_ns: Option<i64>,
    /// 99.9th percentile.
    pub p999_ns: Option<i64>,
}

figures! { PercentilesWithLoss:
    undefined, Packets, Sum, "RFC 7679 section 5.1", "packets with an infinite delay";
    median_ns, Nanoseconds, Distribution, "RFC 7679 section 5.2", "median, lost packets as infinite delays";
    p90_ns, Nanoseconds, Distribution, "RFC 7679 section 5.1", "90th percentile, lost packets as infinite delays";
    p95_ns, Nanoseconds, Distribution, "RFC 7679 section 5.1", "95th percentile, lost packets as infinite delays";
    p99_ns, Nanoseconds, Distribution, "RFC 7679 section 5.1", "99th percentile, lost packets as infinite delays";
    p999_ns, Nanoseconds, Distribution, "RFC 7679 section 5.1", "99.9th percentile, lost packets as infinite delays";
}

/// Delays in user-defined bins, counted exactly.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct BinFigures {
    /// (T4 - T1) - (T3 - T2).
    pub round_trip: BinCounts,
    /// T2 - T1.
    pub forward: BinCounts,
    /// T4 - T3.
    pub backward: BinCounts,
}

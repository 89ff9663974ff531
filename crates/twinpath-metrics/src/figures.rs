//! What a session comes to: plain numbers for the reports. Delays in nanoseconds.

use serde::Serialize;
use twinpath_wire::{Dscp, Wall};

use crate::{BinCounts, DelayFigures, FarTimes, RungCounts, SizeCounts, figures};

mod counts;

pub use counts::{
    AvailabilityFigures, DuplicationFigures, EcnCounts, LossPeriods, RemarkCounts,
    ReorderingFigures, TtlFigures,
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
    /// Packets without one (RFC 6673 section 6.1), the late ones among them.
    pub lost: u64,
    /// Packets whose first reply came after the timeout; they are lost too.
    pub late: u64,
    /// Further copies of replies (RFC 5560).
    pub duplicates: u64,
    /// Copies, the packets that have any, and where they were made (RFC 5560).
    pub duplication: DuplicationFigures,
    /// Received packets that arrived after one with a greater number (RFC 4737 section 3.3).
    pub reordered: u64,
    /// Reordering of the round trip: the sender's numbers as the replies came (RFC 4737).
    pub reordering: ReorderingFigures,
    /// Reordering on the way out: the sender's numbers in the order of the reflector's; `None` if
    /// it does not count.
    pub reordering_forward: Option<ReorderingFigures>,
    /// Reordering on the way back: the reflector's numbers as the replies came; `None` if it does
    /// not count.
    pub reordering_backward: Option<ReorderingFigures>,
    /// Losses in a row and the packets between them (RFC 3357).
    pub loss_periods: LossPeriods,
    /// Blocks of time in which packets came through (row M-63); `None` without a packet.
    pub availability: Option<AvailabilityFigures>,
    /// Blocks of the availability in which packets were due and none was sent; of several runs
    /// added up, those of all, whatever their lengths.
    pub unmeasured_blocks: u64,
    /// Packets that the network refused: never sent, and neither received nor lost (row M-4).
    pub not_sent: u64,
    /// Packets by their size, least first; empty where all have the same, or where it is not known.
    pub by_size: Vec<SizeCounts>,
    /// Lost on the way to the reflector (RFC 5357 section 4.2.1); `None` if it does not count.
    pub lost_forward: Option<u64>,
    /// Lost on the way back, of those that reached the reflector; `None` if it does not count.
    pub lost_backward: Option<u64>,
    /// Lost, and the direction is not known. The three add up to `lost`.
    pub lost_unattributed: Option<u64>,
    /// Lost packets with an answered one behind them: those that a reflector's counter tells the
    /// direction of, if it keeps one.
    pub lost_before_a_reply: u64,
    /// T1 of the last packet that was answered, in time or late; `None` without one.
    pub answered_until: Option<Wall>,
    /// Losses after that packet.
    pub lost_at_end: u64,
    /// The split by direction may be off: copies made on the way out were lost on the way back, or
    /// the reflector's numbers contradict each other.
    pub direction_uncertain: bool,
    /// Received packets left out of the delays because the local clock stepped.
    pub excluded_clock_step: u64,
    /// Received packets left out of the delays because the far clock cannot be believed.
    pub excluded_implausible: u64,
    /// Received packets whose T3 is before T2, or that claim to have stayed longer than they were
    /// away: `excluded_implausible` of them are left out of the delays.
    pub implausible: u64,
    /// Received packets left out of the delays because their reply has no T2 or no T3.
    pub excluded_unstamped: u64,
    /// What the packets tell of T2 and T3. Where those cannot be used, `round_trip` is T4 - T1, the
    /// reflector's time in it, and one-way delays and residence are `None`.
    pub far_times: FarTimes,
    /// Some packet contradicts them: a step of the far clock, or more than that.
    pub far_times_contradicted: bool,
    /// (T4 - T1) - (T3 - T2) (RFC 2681 section 2.4).
    pub round_trip: Option<DelayFigures>,
    /// T2 - T1 across two clocks, signed (RFC 7679 section 3.4).
    pub forward: Option<DelayFigures>,
    /// T4 - T3 across two clocks, signed (RFC 7679 section 3.4).
    pub backward: Option<DelayFigures>,
    /// T3 - T2, the reflector's own time (RFC 6673 section 4.4).
    pub residence: Option<DelayFigures>,
    /// Actual departure minus schedule, of every packet sent: what the sender itself added.
    pub departure: Option<DelayFigures>,
    /// The round trip's percentiles with lost packets as infinite delays (RFC 7679 section 5.1).
    pub round_trip_with_loss: Option<PercentilesWithLoss>,
    /// The same on the way out; `None` unless every loss has a direction.
    pub forward_with_loss: Option<PercentilesWithLoss>,
    /// The same on the way back.
    pub backward_with_loss: Option<PercentilesWithLoss>,
    /// Round trip, forward and backward in bins of the user's own; `None` if there are none.
    pub bins: Option<BinFigures>,
    /// TTL with which packets reached the reflector (RFC 5357 section 4.2.1).
    pub ttl_forward: Option<TtlFigures>,
    /// TTL with which replies came back.
    pub ttl_backward: Option<TtlFigures>,
    /// Received packets by the DSCP with which they reached the reflector (RFC 7750), least first;
    /// empty where it does not say.
    pub dscp_forward: Vec<(Dscp, u64)>,
    /// Received packets by the DSCP of their reply as it came back (RFC 2474), least first.
    pub dscp_backward: Vec<(Dscp, u64)>,
    /// Packets that reached the reflector with Congestion Experienced (RFC 3168); `None` where it
    /// does not say.
    pub congestion_forward: Option<u64>,
    /// Replies that came back with Congestion Experienced (RFC 3168).
    pub congestion_backward: u64,
    /// Packets by the ECN field with which they reached the reflector (RFC 3168); `None` where it
    /// does not say.
    pub ecn_forward: Option<EcnCounts>,
    /// Replies by the ECN field with which they came back; `None` where no reply came.
    pub ecn_backward: Option<EcnCounts>,
    /// Packets that did not reach the reflector as they were sent (RFC 7750); `None` where either
    /// marking is not known.
    pub remarked_forward: Option<RemarkCounts>,
    /// Replies that did not come back as they were to be sent.
    pub remarked_backward: Option<RemarkCounts>,
    /// What T2 and T3 may be rounded to at most, in nanoseconds: as `far_resolution_ns`, but while few
    /// stamps tell perhaps more than they are; 0 for a fine clock.
    pub far_rounding_ns: u64,
    /// The grid that all of T2 and T3 lie on, in nanoseconds, if it is 1 us or more: the far end
    /// tells its time no finer.
    pub far_resolution_ns: Option<u64>,
    /// Packets sent, by the rung of their T1.
    pub stamps_transmit: RungCounts,
    /// Packets received, by the rung of their T4.
    pub stamps_receive: RungCounts,
    /// T3 = T2 in every reply: the peer does not measure its residence, the round trip has it.
    pub residence_never_measured: bool,
    /// The reflector's number was the sender's in every reply: stateless, or it looks the same.
    pub numbers_equal: bool,
    /// Times that the reflector's counter started again during the run (row M-29).
    pub reflector_restarts: u64,
}

impl Default for Figures {
    /// Of no packet.
    fn default() -> Self {
        crate::SessionMetrics::new().figures()
    }
}

impl Figures {
    /// The reflector's own time is in `round_trip`: its T2 and T3 cannot be used, or it gives one time
    /// for both.
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

/// Delays in bins of the user's own, counted exactly.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct BinFigures {
    /// (T4 - T1) - (T3 - T2).
    pub round_trip: BinCounts,
    /// T2 - T1.
    pub forward: BinCounts,
    /// T4 - T3.
    pub backward: BinCounts,
}

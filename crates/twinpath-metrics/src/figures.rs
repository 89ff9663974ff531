//! What a session comes to: plain numbers for the reports. Delays in nanoseconds.

use twinpath_wire::Dscp;

use crate::RungCounts;

/// All figures of a session. `None` is "not known" or "nothing to report", never 0.
#[derive(Clone, Debug, PartialEq)]
pub struct Figures {
    /// Packets with a first valid reply in time (RFC 2681 section 2.5).
    pub received: u64,
    /// Packets without one (RFC 6673 section 6.1), the late ones among them.
    pub lost: u64,
    /// Packets whose first reply came after the timeout; they are lost too.
    pub late: u64,
    /// Further copies of replies (RFC 5560).
    pub duplicates: u64,
    /// Received packets that arrived after one with a greater number (RFC 4737 section 3.3).
    pub reordered: u64,
    /// Lost on the way to the reflector (RFC 5357 section 4.2.1); `None` if it does not count.
    pub lost_forward: Option<u64>,
    /// Lost on the way back, of those that reached the reflector; `None` if it does not count.
    pub lost_backward: Option<u64>,
    /// Lost, and the direction is not known. The three add up to `lost`.
    pub lost_unattributed: Option<u64>,
    /// The split by direction may be off: copies made on the way out were lost on the way back, or
    /// the reflector's numbers contradict each other.
    pub direction_uncertain: bool,
    /// Received packets left out of the delays because the local clock stepped.
    pub excluded_clock_step: u64,
    /// Received packets left out of the delays because the far clock cannot be believed.
    pub excluded_implausible: u64,
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
    /// Least and greatest TTL with which packets reached the reflector (RFC 5357 section 4.2.1).
    pub ttl_forward: Option<(u8, u8)>,
    /// Least and greatest TTL with which replies came back.
    pub ttl_backward: Option<(u8, u8)>,
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
    /// Packets sent, by the rung of their T1.
    pub stamps_transmit: RungCounts,
    /// Packets received, by the rung of their T4.
    pub stamps_receive: RungCounts,
    /// T3 = T2 in every reply: the peer does not measure its residence, the round trip has it.
    pub residence_never_measured: bool,
    /// The reflector's number was the sender's in every reply: stateless, or it looks the same.
    pub numbers_equal: bool,
    /// Times that the reflector's counter started anew in mid-run (row M-29).
    pub reflector_restarts: u64,
}

/// The figures of one kind of delay, over the packets received in time, first copies only, that no
/// clock step touched (RFC 8912 section 4.4.1). Nanoseconds.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct DelayFigures {
    /// Number of packets.
    pub count: u64,
    /// Least delay, exact.
    pub min_ns: i64,
    /// Greatest delay, exact.
    pub max_ns: i64,
    /// Arithmetic mean, exact, rounded half away from zero.
    pub mean_ns: i64,
    /// Middle value, or the mean of the two middle values (RFC 2330 section 11.3).
    pub median_ns: i64,
    /// Population standard deviation (RFC 8912 section 7.4.2.5).
    pub stddev_ns: u64,
    /// 90th percentile: nearest rank, never interpolated (RFC 2330 section 11.3).
    pub p90_ns: i64,
    /// 95th percentile.
    pub p95_ns: i64,
    /// 99th percentile.
    pub p99_ns: i64,
    /// 99.9th percentile.
    pub p999_ns: i64,
    /// Interarrival jitter after the last packet (RFC 3550 section 6.4.1); `None` without two
    /// packets to compare since the last clock step, reflector restart or long silence.
    pub jitter_ns: Option<u64>,
    /// 99th percentile of the delay variation against the minimum (RFC 5481 section 4.2).
    pub pdv_p99_ns: Option<u64>,
    /// Mean absolute difference of the delays of consecutive numbers (RFC 3393, RFC 5481 section
    /// 6.5); `None` without a pair.
    pub ipdv_mean_abs_ns: Option<u64>,
    /// The first delay, against which those of one-way delays were binned (row M-16); `None` where
    /// they were binned as they are.
    pub reference_ns: Option<i64>,
    /// Bins per octave of the histogram behind median and percentiles: each is within 1 / (2 x
    /// bins) of its distance from the reference. 512, less only if the values filled the memory.
    pub bins_per_octave: u32,
}

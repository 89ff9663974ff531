//! Figures that are counts and sums: those of several runs can be added. Ratios are methods, which
//! return `None` for a denominator of zero.

use serde::Serialize;
use twinpath_wire::add_counts;

use crate::{figures, round, serialized_figures};

serialized_figures! { LossPeriods:
    losses, Packets, Sum, "RFC 3357 section 6", "lost packets";
    periods, Events, Sum, "RFC 3357 section 6.2", "loss periods: losses in a row";
    longest = |it: &Self| (it.periods > 0).then_some(it.longest), Packets, Greatest, "RFC 3357 section 6.3",
        "packets in the longest loss period";
    mean_length = Self::mean_length, Packets, Derived, "RFC 3357 section 6.3", "mean length of a loss period";
    mean_inter_length = Self::mean_inter_length, Packets, Derived, "RFC 3357 section 6.4",
        "mean distance from the beginning of a loss period back to the end of the one before";
    delta, Packets, Greatest, "RFC 3357 section 6.1", "distance up to which a loss is noticeable";
    noticeable, Packets, Sum, "RFC 3357 section 6.1", "losses at most `delta` after the one before";
    noticeable_rate = Self::noticeable_rate, Ratio, Derived, "RFC 3357 section 6.1", "noticeable losses of all losses";
    lengths = Lengths::of;
    unplaced, Packets, Sum, "", "losses whose fate came after that of a later one: in no period";
}

serialized_figures! { DuplicationFigures:
    answered, Packets, Sum, "RFC 5560 section 5.1", "packets with a reply, in time or late";
    copies, Packets, Sum, "RFC 5560 section 5.1", "copies beyond the first";
    replicated, Packets, Sum, "RFC 5560 section 5.2", "packets with more than one copy";
    fraction = Self::fraction, Ratio, Derived, "RFC 5560 section 5.1", "copies beyond the first per answered packet";
    replicated_rate = Self::replicated_rate, Ratio, Derived, "RFC 5560 section 5.2",
        "packets with more than one copy per answered packet";
    copies_forward = |it: &Self| it.forward, Packets, Sum, "", "copies made on the way out";
    copies_backward = |it: &Self| it.backward, Packets, Sum, "", "copies made on the way back";
}

serialized_figures! { ReorderingFigures:
    packets, Packets, Sum, "RFC 4737 section 3", "packets of the stream: received in time, first copies";
    reordered, Packets, Sum, "RFC 4737 section 3.3", "packets that arrived after one with a greater number";
    ratio = Self::ratio, Ratio, Derived, "RFC 4737 section 4.1.3", "reordered packets of all";
    extent_max, Packets, Greatest, "RFC 4737 section 4.2.3", "maximum reordering extent, in arrivals; 1024 is that and more";
    extent_mean = Self::extent_mean, Packets, Derived, "RFC 4737 section 4.2.3", "mean reordering extent";
    extent_beyond_window, Packets, Sum, "", "reordered packets whose extent is 1024 or more";
    late_time_max_ns, Nanoseconds, Greatest, "RFC 4737 section 4.3.3", "maximum late time offset";
    late_time_mean_ns = Self::late_time_mean_ns, Nanoseconds, Derived, "RFC 4737 section 4.3.3", "mean late time offset";
    n_reordered = NReordered::of;
    n_largest, Packets, Greatest, "RFC 4737 section 5.3", "largest n for which a packet is n-reordered; 100 is that and more";
    free_runs, Events, Sum, "RFC 4737 section 4.6", "runs of in-order packets that a reordered one ended";
    in_order, Packets, Sum, "RFC 4737 section 4.6", "in-order packets";
    run_squares, Number, Sum, "RFC 4737 section 4.6", "sum of the squared lengths of the runs";
}

figures! { TtlFigures:
    min, Number, Least, "RFC 5357 section 4.2.1", "minimum TTL or Hop Limit on arrival";
    max, Number, Greatest, "RFC 5357 section 4.2.1", "maximum TTL or Hop Limit on arrival";
    changes, Events, Sum, "", "packets whose TTL differs from that of the received packet with the next lower number";
}

figures! { AvailabilityFigures:
    blocks, Blocks, Sum, "", "blocks of time in which packets were sent";
    bad_blocks, Blocks, Sum, "", "blocks with a loss ratio beyond the threshold";
    unavailable_blocks, Blocks, Sum, "", "blocks of times in which the path was unavailable";
    outages, Events, Sum, "", "times in which the path was unavailable";
    longest_outage_blocks, Blocks, Greatest, "", "blocks of the longest outage";
    unplaced, Packets, Sum, "", "packets whose fate came after their block was judged: in no block";
    unmeasured_blocks, Blocks, Sum, "", "blocks in which packets were due and none was sent";
}

figures! { EcnCounts:
    not_ect, Packets, Sum, "RFC 3168 section 5", "packets that arrived with Not-ECT";
    ect_0, Packets, Sum, "RFC 3168 section 5", "packets that arrived with ECT(0)";
    ect_1, Packets, Sum, "RFC 3168 section 5", "packets that arrived with ECT(1)";
    ce, Packets, Sum, "RFC 3168 section 5", "packets that arrived with Congestion Experienced";
}

/// Loss periods of `from` to `to` packets; `None`: unbounded.
#[derive(Serialize)]
struct Lengths {
    from: u64,
    to: Option<u64>,
    periods: u64,
}

impl Lengths {
    fn of(figures: &LossPeriods) -> Vec<Self> {
        let bins = figures.lengths().map(|(from, to, periods)| Self {
            from,
            to: (to < u64::MAX).then_some(to),
            periods,
        });
        bins.collect()
    }
}

/// Packets that are n-reordered.
#[derive(Serialize)]
struct NReordered {
    n: usize,
    packets: u64,
    ratio: Option<f64>,
}

impl NReordered {
    fn of(figures: &ReorderingFigures) -> [Self; 3] {
        let mut n = 0;
        figures.n_reordered.map(|packets| {
            n += 1;
            Self {
                n,
                packets,
                ratio: figures.n_ratio(n),
            }
        })
    }
}

/// Bins of the histogram of loss periods.
const LENGTH_BINS: usize = 33;

/// Loss periods and distances by number (RFC 3357), in packets.
///
/// Numbers that were never sent are skipped.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct LossPeriods {
    /// Lost packets.
    pub losses: u64,
    /// Loss periods (RFC 3357 section 6.2).
    pub periods: u64,
    /// Packets in the longest one; 0 without a loss.
    pub longest: u64,
    /// Sum of the inter-loss-period lengths, the first period's 0 left out (RFC 3357 section 6.4).
    pub inter_sum: u64,
    /// The distance up to which a loss is noticeable (RFC 3357 section 6.1).
    pub delta: u64,
    /// Losses at most `delta` after the one before.
    pub noticeable: u64,
    /// Periods by length: 1, 2, 3 to 4, 5 to 8 and so on; the last bin holds all from 2^31 + 1.
    pub lengths: [u64; LENGTH_BINS],
    /// Losses whose fate came after that of a later one: they are in no period.
    pub unplaced: u64,
}

impl Default for LossPeriods {
    fn default() -> Self {
        Self {
            losses: 0,
            periods: 0,
            longest: 0,
            inter_sum: 0,
            delta: 0,
            noticeable: 0,
            lengths: [0; LENGTH_BINS],
            unplaced: 0,
        }
    }
}

impl LossPeriods {
    /// The usual distance up to which a loss is noticeable, from the example in RFC 3357 section
    /// 6.1.
    pub const DELTA: u64 = 99;

    /// Mean length of a period; `None` without one.
    pub fn mean_length(&self) -> Option<f64> {
        round::ratio(self.losses.saturating_sub(self.unplaced), self.periods)
    }

    /// Mean length from the first loss of a period back to the last one of the period before;
    /// `None` with less than two periods.
    pub fn mean_inter_length(&self) -> Option<f64> {
        round::ratio(self.inter_sum, self.periods.saturating_sub(1))
    }

    /// Share of losses that are noticeable; `None` without a loss.
    pub fn noticeable_rate(&self) -> Option<f64> {
        round::ratio(self.noticeable, self.losses)
    }

    /// The bins of periods by length that are not empty: least and greatest length, and count.
    pub fn lengths(&self) -> impl Iterator<Item = (u64, u64, u64)> + '_ {
        let bins = (0..).zip(self.lengths).filter(|(_, count)| *count > 0);
        bins.map(|(bin, count)| match bin {
            0 => (1, 1, count),
            32 => ((1 << 31) + 1, u64::MAX, count),
            bin => ((1 << (bin - 1)) + 1, 1 << bin, count),
        })
    }

    /// Adds another run. No period or distance spans two runs.
    pub fn merge(&mut self, other: &Self) {
        add_counts!(self, other => losses, periods, inter_sum, noticeable, unplaced);
        self.longest = self.longest.max(other.longest);
        self.delta = self.delta.max(other.delta);
        for (count, more) in self.lengths.iter_mut().zip(other.lengths) {
            add(count, more);
        }
    }
}

/// Copies of replies (RFC 5560). Late packets can have copies too, so all figures refer to answered
/// packets.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct DuplicationFigures {
    /// Packets with a reply, in time or late.
    pub answered: u64,
    /// Copies beyond the first.
    pub copies: u64,
    /// Packets with more than one copy; a lower bound where copies come 65,536 numbers late.
    pub replicated: u64,
    /// Copies made outbound, or packets reflected twice; `None` if the reflector keeps no counter.
    pub forward: Option<u64>,
    /// Copies made inbound. Copies in neither count are from before the reflector's last restart.
    pub backward: Option<u64>,
}

impl DuplicationFigures {
    /// Copies beyond the first per answered packet (RFC 5560 section 5.1, with the "- 1" that is
    /// missing elsewhere in it); `None` without an answer.
    pub fn fraction(&self) -> Option<f64> {
        round::ratio(self.copies, self.answered)
    }

    /// Packets with more than one copy per answered packet (RFC 5560 section 5.2).
    pub fn replicated_rate(&self) -> Option<f64> {
        round::ratio(self.replicated, self.answered)
    }

    /// Adds another run.
    pub fn merge(&mut self, other: &Self) {
        add_counts!(self, other => answered, copies, replicated);
        self.forward = both(self.forward, other.forward);
        self.backward = both(self.backward, other.backward);
    }
}

/// Reordering of one stream of packets (RFC 4737). Extents in arrivals, times in nanoseconds.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct ReorderingFigures {
    /// Packets of the stream: received in time, first copies.
    pub packets: u64,
    /// Packets that arrived after one with a greater number (RFC 4737 section 3.3).
    pub reordered: u64,
    /// Greatest reordering extent (RFC 4737 section 4.2.3); 1024 means 1024 or more. `None` without
    /// a reordered packet.
    pub extent_max: Option<u64>,
    /// Sum of the extents.
    pub extent_sum: u128,
    /// Reordered packets whose extent is, or may be, 1024 or more: the sums of extents and late
    /// times are too small because of them.
    pub extent_beyond_window: u64,
    /// Reordered packets with a late time, because the arrivals' clock did not step in between.
    pub late_times: u64,
    /// Greatest late time offset (RFC 4737 section 4.3.3); `None` without one.
    pub late_time_max_ns: Option<u64>,
    /// Sum of the late time offsets.
    pub late_time_sum_ns: u128,
    /// Packets that are 1-, 2- and 3-reordered (RFC 4737 section 5.3): 3-reordered ones would make
    /// TCP retransmit.
    pub n_reordered: [u64; 3],
    /// The largest n for which a packet is n-reordered; 100 means 100 or more. `None` if no packet
    /// is.
    pub n_largest: Option<u64>,
    /// Runs of in-order packets that a reordered one ended (RFC 4737 section 4.6).
    pub free_runs: u64,
    /// In-order packets, including those after the last run: "a" of RFC 4737 section 4.6.
    pub in_order: u64,
    /// Sum of the squared lengths of the runs: "q" of RFC 4737 section 4.6.
    pub run_squares: u128,
}

impl ReorderingFigures {
    /// Share of packets that are reordered (RFC 4737 section 4.1.3); `None` without a packet.
    pub fn ratio(&self) -> Option<f64> {
        round::ratio(self.reordered, self.packets)
    }

    /// Mean extent of the reordered packets; `None` without one.
    pub fn extent_mean(&self) -> Option<f64> {
        let sum = u64::try_from(self.extent_sum).unwrap_or(u64::MAX);
        round::ratio(sum, self.reordered)
    }

    /// Mean late time offset, rounded; `None` without one.
    pub fn late_time_mean_ns(&self) -> Option<u64> {
        round::mean_unsigned(self.late_time_sum_ns, self.late_times)
    }

    /// Share of the packets that are n-reordered, n from 1 to 3 (RFC 4737 section 5.3).
    pub fn n_ratio(&self, n: usize) -> Option<f64> {
        round::ratio(*self.n_reordered.get(n.checked_sub(1)?)?, self.packets)
    }

    /// Adds another run.
    pub fn merge(&mut self, other: &Self) {
        add_counts!(self, other =>
            packets, reordered, extent_sum, extent_beyond_window, late_times, late_time_sum_ns,
            free_runs, in_order, run_squares,
        );
        self.extent_max = self.extent_max.max(other.extent_max);
        self.late_time_max_ns = self.late_time_max_ns.max(other.late_time_max_ns);
        for (count, more) in self.n_reordered.iter_mut().zip(other.n_reordered) {
            add(count, more);
        }
        self.n_largest = self.n_largest.max(other.n_largest);
    }
}

/// TTL or Hop Limit of received packets in one direction (row M-70).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
pub struct TtlFigures {
    /// Least.
    pub min: u8,
    /// Greatest.
    pub max: u8,
    /// Packets whose TTL differs from that of the received packet with the next lower number.
    pub changes: u64,
}

impl TtlFigures {
    /// Adds another run.
    pub fn merge(&mut self, other: &Self) {
        self.min = self.min.min(other.min);
        self.max = self.max.max(other.max);
        add(&mut self.changes, other.changes);
    }
}

/// Availability by blocks of send time (row M-63).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize)]
pub struct AvailabilityFigures {
    /// Length of a block in nanoseconds; documents give it with the rule.
    #[serde(skip)]
    pub block_ns: u64,
    /// Blocks in which packets were sent.
    pub blocks: u64,
    /// Blocks with a loss ratio beyond the threshold.
    pub bad_blocks: u64,
    /// Blocks in periods of unavailability.
    pub unavailable_blocks: u64,
    /// Periods of unavailability.
    pub outages: u64,
    /// Blocks of the longest of these periods; 0 without one.
    pub longest_outage_blocks: u64,
    /// Packets whose fate came after their block was judged: they are in no block.
    pub unplaced: u64,
    /// Blocks in which packets were due and none was sent: the path's state is unknown.
    pub unmeasured_blocks: u64,
}

/// Blocks whose state no later packet changes, so both counts only grow during a run.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct SettledBlocks {
    /// Blocks in which packets were sent.
    pub blocks: u64,
    /// Those in periods of unavailability. During a run without the good ones at the end, which may be the first
    /// after such a period.
    pub unavailable: u64,
}

impl AvailabilityFigures {
    /// Share of blocks that are available; `None` without a block, or if some were not measured.
    pub fn ratio(&self) -> Option<f64> {
        if self.unmeasured_blocks > 0 {
            return None;
        }
        let available = self.blocks.saturating_sub(self.unavailable_blocks);
        round::ratio(available, self.blocks)
    }

    /// Adds another run with blocks of the same length; if its length differs, adds nothing and
    /// returns false. An outage does not continue from one run into the next.
    pub fn merge(&mut self, other: &Self) -> bool {
        if self.block_ns != other.block_ns {
            return false;
        }
        add_counts!(self, other =>
            blocks, unmeasured_blocks, bad_blocks, unavailable_blocks, outages, unplaced,
        );
        self.longest_outage_blocks = self.longest_outage_blocks.max(other.longest_outage_blocks);
        true
    }
}

/// Packets by ECN field (RFC 3168 section 5).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize)]
pub struct EcnCounts {
    /// Not-ECT.
    pub not_ect: u64,
    /// ECT(0).
    pub ect_0: u64,
    /// ECT(1).
    pub ect_1: u64,
    /// Congestion Experienced.
    pub ce: u64,
}

impl EcnCounts {
    /// Adds another run.
    pub fn merge(&mut self, other: &Self) {
        add_counts!(self, other => not_ect, ect_0, ect_1, ce);
    }
}

/// Packets whose marking changed on the way (row M-71).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct RemarkCounts {
    /// Another DSCP.
    pub dscp: u64,
    /// Another ECN field, except for ECT changed to Congestion Experienced.
    pub ecn: u64,
}

impl RemarkCounts {
    /// Adds another run.
    pub fn merge(&mut self, other: &Self) {
        add_counts!(self, other => dscp, ecn);
    }
}

/// Adds counts; saturates, because counts read from a file can have any value.
pub(crate) fn add(sum: &mut u64, more: u64) {
    *sum = sum.saturating_add(more);
}

/// The sum, known if both are.
pub(crate) fn both(one: Option<u64>, other: Option<u64>) -> Option<u64> {
    Some(one?.saturating_add(other?))
}

//! Losses in a row, copies, order, marking and availability, for machines.

use serde::Serialize;
use twinpath_metrics::{
    AvailabilityFigures, DuplicationFigures, EcnCounts, Figures, PercentilesWithLoss, RemarkCounts,
    ReorderingFigures,
};
use twinpath_runtime::SessionReport;

/// RFC 3357. Packets.
#[derive(Serialize)]
pub(super) struct LossPeriods {
    losses: u64,
    periods: u64,
    longest: Option<u64>,
    mean_length: Option<f64>,
    mean_inter_length: Option<f64>,
    delta: u64,
    noticeable: u64,
    noticeable_rate: Option<f64>,
    lengths: Vec<Lengths>,
    unplaced: u64,
}

/// Periods of so many packets.
#[derive(Serialize)]
struct Lengths {
    from: u64,
    to: Option<u64>,
    periods: u64,
}

impl From<&twinpath_metrics::LossPeriods> for LossPeriods {
    fn from(figures: &twinpath_metrics::LossPeriods) -> Self {
        Self {
            losses: figures.losses,
            periods: figures.periods,
            longest: (figures.periods > 0).then_some(figures.longest),
            mean_length: figures.mean_length(),
            mean_inter_length: figures.mean_inter_length(),
            delta: figures.delta,
            noticeable: figures.noticeable,
            noticeable_rate: figures.noticeable_rate(),
            lengths: figures
                .lengths()
                .map(|(from, to, periods)| Lengths {
                    from,
                    to: (to < u64::MAX).then_some(to),
                    periods,
                })
                .collect(),
            unplaced: figures.unplaced,
        }
    }
}

/// RFC 5560.
#[derive(Serialize)]
pub(super) struct Duplication {
    answered: u64,
    copies: u64,
    replicated: u64,
    fraction: Option<f64>,
    replicated_rate: Option<f64>,
    copies_forward: Option<u64>,
    copies_backward: Option<u64>,
}

impl From<&DuplicationFigures> for Duplication {
    fn from(figures: &DuplicationFigures) -> Self {
        Self {
            answered: figures.answered,
            copies: figures.copies,
            replicated: figures.replicated,
            fraction: figures.fraction(),
            replicated_rate: figures.replicated_rate(),
            copies_forward: figures.forward,
            copies_backward: figures.backward,
        }
    }
}

/// RFC 4737, by direction.
#[derive(Serialize)]
pub(super) struct Reordering {
    round_trip: Stream,
    forward: Option<Stream>,
    backward: Option<Stream>,
}

impl From<&Figures> for Reordering {
    fn from(figures: &Figures) -> Self {
        Self {
            round_trip: Stream::from(&figures.reordering),
            forward: figures.reordering_forward.as_ref().map(Stream::from),
            backward: figures.reordering_backward.as_ref().map(Stream::from),
        }
    }
}

#[derive(Serialize)]
struct Stream {
    packets: u64,
    reordered: u64,
    ratio: Option<f64>,
    extent_max: Option<u64>,
    extent_mean: Option<f64>,
    extent_beyond_window: u64,
    late_time_max_ns: Option<u64>,
    late_time_mean_ns: Option<u64>,
    n_reordered: Vec<NReordered>,
    n_largest: Option<u64>,
    free_runs: u64,
    in_order: u64,
    run_squares: u128,
}

/// Packets that are n-reordered.
#[derive(Serialize)]
struct NReordered {
    n: usize,
    packets: u64,
    ratio: Option<f64>,
}

impl From<&ReorderingFigures> for Stream {
    fn from(figures: &ReorderingFigures) -> Self {
        let n_reordered = (1..).zip(figures.n_reordered);
        Self {
            packets: figures.packets,
            reordered: figures.reordered,
            ratio: figures.ratio(),
            extent_max: figures.extent_max,
            extent_mean: figures.extent_mean(),
            extent_beyond_window: figures.extent_beyond_window,
            late_time_max_ns: figures.late_time_max_ns,
            late_time_mean_ns: figures.late_time_mean_ns(),
            n_reordered: n_reordered
                .map(|(n, packets)| NReordered {
                    n,
                    packets,
                    ratio: figures.n_ratio(n),
                })
                .collect(),
            n_largest: figures.n_largest,
            free_runs: figures.free_runs,
            in_order: figures.in_order,
            run_squares: figures.run_squares,
        }
    }
}

/// How packets arrived, against how they left (RFC 2474, RFC 3168).
#[derive(Serialize)]
pub(super) struct Marking {
    forward: Option<Arrived>,
    backward: Option<Arrived>,
}

#[derive(Serialize)]
struct Arrived {
    expected_tos: Option<u8>,
    not_ect: u64,
    ect_0: u64,
    ect_1: u64,
    ce: u64,
    remarked_dscp: Option<u64>,
    remarked_ecn: Option<u64>,
}

impl From<&SessionReport> for Marking {
    fn from(report: &SessionReport) -> Self {
        let (config, figures) = (&report.config, &report.figures);
        let arrived = |tos: Option<twinpath_wire::Tos>,
                       ecn: Option<EcnCounts>,
                       remarked: Option<RemarkCounts>| {
            ecn.map(|ecn| Arrived {
                expected_tos: tos.map(|tos| tos.0),
                not_ect: ecn.not_ect,
                ect_0: ecn.ect_0,
                ect_1: ecn.ect_1,
                ce: ecn.ce,
                remarked_dscp: remarked.map(|remarked| remarked.dscp),
                remarked_ecn: remarked.map(|remarked| remarked.ecn),
            })
        };
        Self {
            forward: arrived(
                config.tos_forward,
                figures.ecn_forward,
                figures.remarked_forward,
            ),
            backward: arrived(
                config.tos_backward,
                figures.ecn_backward,
                figures.remarked_backward,
            ),
        }
    }
}

/// By blocks of send time, with the rule that judged them.
#[derive(Serialize)]
pub(super) struct Availability {
    ratio: Option<f64>,
    block_ns: u64,
    bad_above: f64,
    in_a_row: u32,
    blocks: u64,
    bad_blocks: u64,
    unavailable_blocks: u64,
    outages: u64,
    longest_outage_blocks: u64,
    unplaced: u64,
    unmeasured_blocks: u64,
}

impl Availability {
    pub(super) fn new(figures: &AvailabilityFigures, report: &SessionReport) -> Self {
        let rule = &report.config.availability;
        let known = report.coverage().is_complete();
        Self {
            ratio: figures.ratio().filter(|_| known),
            block_ns: figures.block_ns,
            bad_above: rule.bad_above,
            in_a_row: rule.in_a_row,
            blocks: figures.blocks,
            bad_blocks: figures.bad_blocks,
            unavailable_blocks: figures.unavailable_blocks,
            outages: figures.outages,
            longest_outage_blocks: figures.longest_outage_blocks,
            unplaced: figures.unplaced,
            unmeasured_blocks: figures.unmeasured_blocks,
        }
    }
}

/// Lost packets count as infinite delays (RFC 7679 section 5.1): here `null` is infinite.
#[derive(Serialize)]
pub(super) struct WithLoss {
    round_trip: Option<Percentiles>,
    forward: Option<Percentiles>,
    backward: Option<Percentiles>,
}

#[derive(Serialize)]
struct Percentiles {
    undefined: u64,
    median_ns: Option<i64>,
    p90_ns: Option<i64>,
    p95_ns: Option<i64>,
    p99_ns: Option<i64>,
    p999_ns: Option<i64>,
}

impl From<&SessionReport> for WithLoss {
    fn from(report: &SessionReport) -> Self {
        let figures = &report.figures;
        // Packets that were due and not sent would count as well.
        let known = report.coverage().is_complete();
        let percentiles = |figures: Option<PercentilesWithLoss>| {
            figures.filter(|_| known).map(|figures| Percentiles {
                undefined: figures.undefined,
                median_ns: figures.median_ns,
                p90_ns: figures.p90_ns,
                p95_ns: figures.p95_ns,
                p99_ns: figures.p99_ns,
                p999_ns: figures.p999_ns,
            })
        };
        Self {
            round_trip: percentiles(figures.round_trip_with_loss),
            forward: percentiles(figures.forward_with_loss),
            backward: percentiles(figures.backward_with_loss),
        }
    }
}

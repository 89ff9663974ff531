//! Losses in a row, copies, order, marking and availability, for machines.

use crate::SessionReport;
use serde::Serialize;
use twinpath_metrics::{
    AvailabilityFigures, AvailabilityRule, EcnCounts, Figures, PercentilesWithLoss, RemarkCounts,
    ReorderingFigures, figures,
};

/// RFC 4737, by direction.
#[derive(Serialize)]
pub(super) struct Reordering<'a> {
    pub(super) round_trip: &'a ReorderingFigures,
    pub(super) forward: Option<&'a ReorderingFigures>,
    pub(super) backward: Option<&'a ReorderingFigures>,
}

impl<'a> From<&'a Figures> for Reordering<'a> {
    fn from(figures: &'a Figures) -> Self {
        Self {
            round_trip: &figures.reordering,
            forward: figures.reordering_forward.as_ref(),
            backward: figures.reordering_backward.as_ref(),
        }
    }
}

/// The marking of packets on arrival, compared with that on departure (RFC 2474, RFC 3168).
#[derive(Serialize)]
pub(super) struct Marking {
    pub(super) forward: Option<Arrived>,
    pub(super) backward: Option<Arrived>,
}

#[derive(Serialize)]
pub(super) struct Arrived {
    pub(super) expected_tos: Option<u8>,
    #[serde(flatten)]
    pub(super) ecn: EcnCounts,
    pub(super) remarked_dscp: Option<u64>,
    pub(super) remarked_ecn: Option<u64>,
}

figures! { Arrived:
    remarked_dscp, Packets, Sum, "RFC 7750 section 2.2.1", "packets that arrived with another DSCP";
    remarked_ecn, Packets, Sum, "RFC 7750 section 2.2.1", "packets that arrived with another ECN field, congestion aside";
}

impl From<&SessionReport> for Marking {
    fn from(report: &SessionReport) -> Self {
        let (config, figures) = (&report.config, &report.figures);
        let arrived = |tos: Option<twinpath_wire::Tos>,
                       ecn: Option<EcnCounts>,
                       remarked: Option<RemarkCounts>| {
            ecn.map(|ecn| Arrived {
                expected_tos: tos.map(|tos| tos.0),
                ecn,
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
    pub(super) ratio: Option<f64>,
    #[serde(flatten)]
    pub(super) rule: AvailabilityRule,
    #[serde(flatten)]
    pub(super) figures: AvailabilityFigures,
}

figures! { Availability:
    ratio, Ratio, Derived, "", "blocks of time in which the path was available, of all";
}

impl Availability {
    /// `None` without a packet.
    pub(super) fn of(report: &SessionReport) -> Option<Self> {
        let figures = report.figures.availability?;
        let known = report.coverage().is_complete();
        Some(Self {
            ratio: figures.ratio().filter(|_| known),
            rule: AvailabilityRule {
                block_ns: figures.block_ns,
                ..report.config.availability
            },
            figures,
        })
    }
}

/// Lost packets count as infinite delays (RFC 7679 section 5.1): here `null` is infinite.
#[derive(Serialize)]
pub(super) struct WithLoss {
    pub(super) round_trip: Option<PercentilesWithLoss>,
    pub(super) forward: Option<PercentilesWithLoss>,
    pub(super) backward: Option<PercentilesWithLoss>,
}

impl From<&SessionReport> for WithLoss {
    fn from(report: &SessionReport) -> Self {
        let figures = &report.figures;
        // Packets that were due and not sent would also have to count.
        let known = report.coverage().is_complete();
        let percentiles = |figures: Option<PercentilesWithLoss>| figures.filter(|_| known);
        Self {
            round_trip: percentiles(figures.round_trip_with_loss),
            forward: percentiles(figures.forward_with_loss),
            backward: percentiles(figures.backward_with_loss),
        }
    }
}

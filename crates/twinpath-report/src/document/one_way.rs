//! One-way delays for machines: as they were measured and with the clocks taken out, each with what
//! it may be off by and what that rests on (row M-57).

use crate::SessionReport;
use serde::Serialize;
use twinpath_metrics::{Basis, ClockEstimate, DelayFigures, FarStep, Spread};

use crate::words::rfc3339;

#[derive(Serialize)]
pub(super) struct OneWay {
    basis: &'static str,
    claimed_error_ns: Option<u64>,
    least_offset_ns: Option<u64>,
    clocks: Option<Clocks>,
    forward: Option<Direction>,
    backward: Option<Direction>,
}

impl OneWay {
    /// `None` without a reply: nothing is known of one way then.
    pub(super) fn of(report: &SessionReport) -> Option<Self> {
        let (figures, clocks) = (&report.figures, report.clocks.as_ref());
        let basis = report.basis();
        let (name, claimed_error_ns, least_offset_ns) = match basis {
            Basis::Synchronized { error_ns } => ("synchronized", Some(error_ns), None),
            Basis::Disproved {
                claimed_ns,
                least_offset_ns,
            } => ("disproved", Some(claimed_ns), Some(least_offset_ns)),
            Basis::Unsynchronized => ("unsynchronized", None, None),
        };
        let direction = |raw: &Option<DelayFigures>, known: Option<twinpath_metrics::OneWay>| {
            let raw = raw.as_ref().map(|raw| Raw::new(raw, basis));
            (raw.is_some() || known.is_some()).then(|| Direction {
                raw,
                deskewed: known.map(|known| Deskewed {
                    spread: known.delay,
                    error_bound_ns: known.error_bound_ns,
                }),
                variation: known.map(|known| Variation {
                    spread: known.variation,
                    error_bound_ns: known.variation_bound_ns,
                    likely_error_ns: known.variation_error_ns,
                }),
            })
        };
        let forward = direction(&figures.forward, clocks.and_then(|clocks| clocks.forward));
        let backward = direction(&figures.backward, clocks.and_then(|clocks| clocks.backward));
        (forward.is_some() || backward.is_some()).then(|| Self {
            basis: name,
            claimed_error_ns,
            least_offset_ns,
            clocks: clocks.map(Clocks::from),
            forward,
            backward,
        })
    }
}

#[derive(Serialize)]
struct Direction {
    raw: Option<Raw>,
    deskewed: Option<Deskewed>,
    variation: Option<Variation>,
}

#[derive(Serialize)]
struct Raw {
    #[serde(flatten)]
    spread: Spread,
    error_bound_ns: Option<u64>,
}

impl Raw {
    fn new(raw: &DelayFigures, basis: Basis) -> Self {
        Self {
            spread: Spread {
                count: raw.count,
                min_ns: raw.min_ns,
                max_ns: raw.max_ns,
                mean_ns: raw.mean_ns,
                median_ns: raw.median_ns,
                p95_ns: raw.p95_ns,
                p99_ns: raw.p99_ns,
                p999_ns: raw.p999_ns,
            },
            error_bound_ns: match basis {
                Basis::Synchronized { error_ns } => Some(error_ns),
                Basis::Disproved { .. } | Basis::Unsynchronized => None,
            },
        }
    }
}

#[derive(Serialize)]
struct Deskewed {
    #[serde(flatten)]
    spread: Spread,
    error_bound_ns: u64,
}

#[derive(Serialize)]
struct Variation {
    #[serde(flatten)]
    spread: Spread,
    error_bound_ns: u64,
    likely_error_ns: u64,
}

/// The two clocks, as the packets tell.
#[derive(Serialize)]
struct Clocks {
    reference: String,
    offset_ns: i64,
    offset_error_bound_ns: u64,
    skew_ppm: Option<f64>,
    skew_error_bound_ppm: f64,
    contradicted: bool,
    path_change: bool,
    local_steps: u64,
    far_steps: Vec<Step>,
    far_steps_total: u64,
    rate_changes: u64,
    disregarded: u64,
    skew_known: bool,
}

impl From<&ClockEstimate> for Clocks {
    fn from(clocks: &ClockEstimate) -> Self {
        Self {
            reference: rfc3339(clocks.reference),
            offset_ns: clocks.offset_ns,
            offset_error_bound_ns: clocks.error_bound_ns,
            skew_ppm: clocks.skew_ppm,
            skew_error_bound_ppm: clocks.skew_bound_ppm,
            contradicted: clocks.contradicted,
            path_change: clocks.path_change,
            local_steps: clocks.local_steps,
            far_steps: clocks.far_steps.iter().map(Step::from).collect(),
            far_steps_total: clocks.far_steps_total,
            rate_changes: clocks.rate_changes,
            disregarded: clocks.disregarded,
            skew_known: clocks.known_skew_ppm().is_some(),
        }
    }
}

#[derive(Serialize)]
struct Step {
    at: String,
    size_ns: i64,
    error_bound_ns: u64,
}

impl From<&FarStep> for Step {
    fn from(step: &FarStep) -> Self {
        Self {
            at: rfc3339(step.at),
            size_ns: step.size_ns,
            error_bound_ns: step.bound_ns,
        }
    }
}

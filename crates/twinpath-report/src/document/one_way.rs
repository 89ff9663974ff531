//! One-way delays for machines: as measured and with the clocks removed, each with its error bound
//! and the basis of that (row M-57).

use crate::SessionReport;
use serde::Serialize;
use twinpath_metrics::figures;
use twinpath_metrics::{Basis, ClockEstimate, DelayFigures, FarStep, Spread};

use crate::words::rfc3339;

#[derive(Serialize)]
pub(super) struct OneWay {
    pub(super) basis: &'static str,
    pub(super) claimed_error_ns: Option<u64>,
    pub(super) least_offset_ns: Option<u64>,
    pub(super) clocks: Option<Clocks>,
    pub(super) forward: Option<Direction>,
    pub(super) backward: Option<Direction>,
}

figures! { OneWay:
    claimed_error_ns, Nanoseconds, Derived, "RFC 4656 section 4.1.2", "error that both clocks claim, added up";
    least_offset_ns, Nanoseconds, Never, "", "how far apart the clocks are at least, where that disproves the claim";
}

impl OneWay {
    /// `None` without a reply: then nothing is known about one-way delays.
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
pub(super) struct Direction {
    pub(super) raw: Option<Raw>,
    pub(super) deskewed: Option<Deskewed>,
    pub(super) variation: Option<Variation>,
}

#[derive(Serialize)]
pub(super) struct Raw {
    #[serde(flatten)]
    pub(super) spread: Spread,
    pub(super) error_bound_ns: Option<u64>,
}

figures! { Raw:
    count = |it: &Self| it.spread.count, Packets, Sum, "", "number of packets";
    min_ns = |it: &Self| it.spread.min_ns, Nanoseconds, Least, "", "minimum delay";
    max_ns = |it: &Self| it.spread.max_ns, Nanoseconds, Greatest, "", "maximum delay";
    mean_ns = |it: &Self| it.spread.mean_ns, Nanoseconds, Distribution, "", "arithmetic mean";
    median_ns = |it: &Self| it.spread.median_ns, Nanoseconds, Distribution, "RFC 2330 section 11.3", "median";
    p95_ns = |it: &Self| it.spread.p95_ns, Nanoseconds, Distribution, "RFC 2330 section 11.3", "95th percentile";
    p99_ns = |it: &Self| it.spread.p99_ns, Nanoseconds, Distribution, "RFC 2330 section 11.3", "99th percentile";
    p999_ns = |it: &Self| it.spread.p999_ns, Nanoseconds, Distribution, "RFC 2330 section 11.3", "99.9th percentile";
    error_bound_ns, Nanoseconds, Derived, "RFC 4656 section 4.1.2", "maximum error of raw one-way delays";
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
pub(super) struct Deskewed {
    #[serde(flatten)]
    pub(super) spread: Spread,
    pub(super) error_bound_ns: u64,
}

#[derive(Serialize)]
pub(super) struct Variation {
    #[serde(flatten)]
    pub(super) spread: Spread,
    pub(super) error_bound_ns: u64,
    pub(super) likely_error_ns: u64,
}

figures! { Deskewed:
    error_bound_ns, Nanoseconds, Never, "", "maximum error of de-skewed delays";
}

figures! { Variation:
    error_bound_ns, Nanoseconds, Never, "", "maximum error of delay variation";
    likely_error_ns, Nanoseconds, Never, "", "likely error of delay variation";
}

figures! { Clocks:
    offset_ns, Nanoseconds, Never, "RFC 5905 section 8", "reflector's clock minus sender's clock";
    offset_error_bound_ns, Nanoseconds, Never, "", "maximum error of the offset";
    skew_ppm, PartsPerMillion, Never, "", "relative rate of the two clocks, positive where the reflector's is fast";
    skew_error_bound_ppm, PartsPerMillion, Never, "", "maximum error of the skew";
    local_steps, Events, Never, "", "steps of the sender's clock";
    far_steps_total, Events, Never, "", "steps of the reflector's clock";
    rate_changes, Events, Never, "", "changes of the relative rate";
    disregarded, Packets, Never, "", "packets that the clock model left out";
}

/// The two clocks, estimated from the packets.
#[derive(Serialize)]
pub(super) struct Clocks {
    pub(super) reference: String,
    pub(super) offset_ns: i64,
    pub(super) offset_error_bound_ns: u64,
    pub(super) skew_ppm: Option<f64>,
    pub(super) skew_error_bound_ppm: f64,
    pub(super) contradicted: bool,
    pub(super) path_change: bool,
    pub(super) local_steps: u64,
    pub(super) far_steps: Vec<Step>,
    pub(super) far_steps_total: u64,
    pub(super) rate_changes: u64,
    pub(super) disregarded: u64,
    pub(super) skew_known: bool,
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
pub(super) struct Step {
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

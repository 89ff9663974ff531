//! Why a figure is not known in a run.

use twinpath_metrics::Basis;
use twinpath_report::SessionReport;

/// What of a one-way delay does not depend on the clocks' offset.
const WITHOUT_OFFSET: [&str; 8] = [
    "count",
    "stddev_ns",
    "jitter_ns",
    "pdv_p99_ns",
    "ipdv_mean_abs_ns",
    "mad_ns",
    "bins_per_octave",
    "error_bound_ns",
];

/// Why a figure means nothing, though the report has it: a one-way delay has the clocks' offset in it.
pub(super) fn untrusted(path: &str, report: &SessionReport) -> Option<&'static str> {
    let (of, key) = path.rsplit_once('.').unwrap_or(("", path));
    let is_raw = matches!(
        of,
        "forward" | "backward" | "one_way.forward.raw" | "one_way.backward.raw"
    );
    if !is_raw || WITHOUT_OFFSET.contains(&key) || report.counters.received == 0 {
        return None;
    }
    match report.basis() {
        Basis::Synchronized { .. } => None,
        Basis::Disproved { .. } => Some("clocks further apart than they claim"),
        Basis::Unsynchronized if !report.figures.far_times.are_usable() => Some(NO_TIMES),
        Basis::Unsynchronized => Some("clocks not synchronized"),
    }
}

const NO_TIMES: &str = "the reflector's times are unusable";

/// Why the report does not have a figure.
pub(super) fn why(path: &str, report: &SessionReport) -> &'static str {
    let figures = &report.figures;
    let begins = |with: &[&str]| with.iter().any(|with| path.starts_with(with));
    let is_directed = begins(&[
        "packets.lost_",
        "packets.loss_ratio_",
        "reordering.forward",
        "reordering.backward",
        "duplication.copies_",
        "percentiles_with_loss.forward",
        "percentiles_with_loss.backward",
        "voice.forward",
        "voice.backward",
    ]);
    let has_directions = figures.lost_unattributed == Some(0);
    let rests_on_times = begins(&["forward.", "backward.", "residence.", "one_way."]);
    if report.counters.sent == 0 {
        "no packet was sent"
    } else if report.counters.received == 0 {
        "no packet was answered"
    } else if !report.coverage().is_complete() {
        "packets could not be sent"
    } else if rests_on_times && !figures.far_times.are_usable() {
        NO_TIMES
    } else if path.ends_with(".jitter_ns") || path.ends_with(".ipdv_mean_abs_ns") {
        "too few replies"
    } else if is_directed && !has_directions && path.starts_with("voice.") {
        "use voice.round_trip"
    } else if is_directed && !has_directions {
        "losses have no direction"
    } else if has_directions && path.starts_with("voice.round_trip.") {
        "use voice.forward"
    } else if begins(&["ttl_forward", "congestion_forward", "marking.forward"]) {
        "not reported by the reflector"
    } else if begins(&["round_trip."]) {
        "no usable times"
    } else {
        "not known in this run"
    }
}

//! Words for the two clocks, shared by all outputs.

use twinpath_metrics::ClockEstimate;

use super::units;

/// Used if there is nothing to compare.
pub(crate) const ONE_HOST: &str = "both ends on one host: one clock";

/// The reflector's clock against the sender's: how far it is away, and its rate.
pub(crate) fn offset(clocks: &ClockEstimate) -> String {
    let offset = units::span(clocks.offset_ns.unsigned_abs());
    let side = if clocks.offset_ns < 0 {
        "behind"
    } else {
        "ahead"
    };
    let bound = units::span(clocks.error_bound_ns);
    let skew = match (clocks.skew_ppm, skew(clocks)) {
        (_, Some(skew)) => format!(", {skew}"),
        (Some(_), None) => ", skew unknown".to_owned(),
        (None, None) => String::new(),
    };
    let doubt = if clocks.contradicted {
        ", but no constant rate fits"
    } else {
        ""
    };
    format!("{offset} {side} within {bound}{skew}{doubt}")
}

/// How much faster the reflector's clock runs, where that is known.
pub(crate) fn skew(clocks: &ClockEstimate) -> Option<String> {
    let skew = clocks.known_skew_ppm()?;
    Some(format!("skew {skew:+.1} ppm within {}", skew_bound(clocks)))
}

/// The error bound of the skew in parts per million, rounded up.
fn skew_bound(clocks: &ClockEstimate) -> String {
    format!("{:.1}", (clocks.skew_bound_ppm * 10.0).ceil() / 10.0)
}

//! Words for the two clocks that every output shares.

use twinpath_metrics::ClockEstimate;

/// There is nothing to compare.
pub(crate) const ONE_HOST: &str = "both ends on one host: one clock";

/// How far the skew may be from the truth, in parts per million: rounded up, for it is a bound.
pub(crate) fn skew_bound(clocks: &ClockEstimate) -> String {
    format!("{:.1}", (clocks.skew_bound_ppm * 10.0).ceil() / 10.0)
}

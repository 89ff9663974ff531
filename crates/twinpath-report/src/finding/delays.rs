//! Impossible delays: decided from the figures alone, so that the findings also apply to files
//! whose end was not written.

use super::FarStamps;
use crate::{Origin, SessionReport};

/// Replies left out of the delays (row M-10).
pub fn implausible(report: &SessionReport) -> Option<FarStamps> {
    let count = report.figures.excluded_implausible;
    (count > 0).then_some(FarStamps::Implausible { count })
}

/// Round trips below zero.
pub fn negative(report: &SessionReport) -> Option<FarStamps> {
    let round_trip = report.figures.round_trip?;
    let is_of_capture = report.origin == Origin::Capture;
    if round_trip.min_ns >= 0 {
        None
    } else if round_trip.median_ns < 0 && !is_of_capture {
        Some(FarStamps::NegativeMedian {
            median_ns: round_trip.median_ns,
        })
    } else {
        Some(FarStamps::NegativeRoundTrip {
            least_ns: round_trip.min_ns,
            is_of_capture,
        })
    }
}

//! Remarks on delays that cannot be: by the figures alone, so that files whose end nobody wrote have
//! them too.

use super::{remark, warning};
use crate::{Note, SessionReport};

/// Replies that no delay is made of (row M-10).
pub(crate) fn implausible(report: &SessionReport) -> Option<Note> {
    let count = report.figures.excluded_implausible;
    (count > 0).then(|| {
        warning(
            "implausible",
            format!(
                "{} with times that cannot be (left before it arrived, or stayed longer than it was \
                 away): left out of the delays",
                super::replies(count)
            ),
        )
    })
}

/// Round trips below zero, of packets that the sender stamped itself.
pub(crate) fn negative(report: &SessionReport) -> Option<Note> {
    let round_trip = report.figures.round_trip?;
    if round_trip.min_ns >= 0 {
        return None;
    }
    // As the table rounds.
    let tenths = |ns: i64| (ns.unsigned_abs() + 50) / 100;
    let us = |ns: i64| format!("-{}.{}us", tenths(ns) / 10, tenths(ns) % 10);
    Some(if round_trip.median_ns < 0 {
        let line = format!(
            "the median round trip is {}: the far T3 is reckoned too late, and all delays of the way \
             back are too short; start the reflector with --raw-t3 if it is a twinpath",
            us(round_trip.median_ns)
        );
        warning("negative-median", line)
    } else {
        let line = format!(
            "round trips down to {}: that is the timestamps' error, mostly of the far T3, which is \
             read or reckoned before its packet leaves",
            us(round_trip.min_ns)
        );
        remark("negative-round-trip", line)
    })
}

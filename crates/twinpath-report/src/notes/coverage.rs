//! The warning of a measurement that leaves out packets or time: by the figures alone, so that files
//! whose end was not written, and sums of runs, have it too.

use std::time::Duration;

use super::{packets, warning};
use crate::words::{count, time};
use crate::{Note, Origin, SessionReport};

/// Its key.
pub(crate) const KEY: &str = "incompletely-measured";

/// What was not measured, and why where that is known; `None` of a complete run.
pub(super) fn incomplete(report: &SessionReport, reason: Option<&str>) -> Option<Note> {
    let coverage = report.coverage();
    if coverage.is_complete() {
        return None;
    }
    let unsent = (coverage.unsent > 0).then(|| {
        let reason = reason.map_or_else(String::new, |reason| format!(" ({reason})"));
        let what = match report.origin {
            Origin::Capture if coverage.unsent == 1 => "is not in the capture",
            Origin::Capture => "are not in the capture",
            Origin::Run | Origin::Records => "could not be sent",
        };
        format!(
            "{} of {} {what}{reason}",
            coverage.unsent,
            packets(coverage.due)
        )
    });
    let (blocks, word) = (coverage.unmeasured_blocks, report.sent_word());
    let empty = (blocks > 0).then(|| match coverage.block_ns {
        0 => format!(
            "nothing was {word} in {} of time",
            count(blocks, "block", "blocks")
        ),
        ns => format!(
            "nothing was {word} in {blocks} of {} of {}",
            count(
                blocks.saturating_add(coverage.measured_blocks),
                "block",
                "blocks"
            ),
            time(Duration::from_nanos(ns))
        ),
    });
    let what: Vec<String> = [unsent, empty].into_iter().flatten().collect();
    Some(warning(
        KEY,
        format!("{}: loss and availability are not known", what.join(", ")),
    ))
}

/// The warning by the figures as they are now. The reason is that of the warning it replaces.
pub(crate) fn renew(report: &mut SessionReport) {
    let known = report.notes.iter().find(|note| note.key == KEY);
    let reason = known.and_then(|note| {
        let (_, rest) = note.line.split_once(" could not be sent (")?;
        Some(
            rest.split_once("), ")
                .or(rest.split_once("): "))?
                .0
                .to_owned(),
        )
    });
    report.notes.retain(|note| note.key != KEY);
    let renewed = incomplete(report, reason.as_deref());
    report.notes.extend(renewed);
    report.notes.sort_by_key(|note| !note.warning);
}

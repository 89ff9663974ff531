//! Measurements that leave out packets or time: decided from the figures alone, so that files whose end was not
//! written, and sums of runs, have the finding too.

use twinpath_net::SendError;

use super::{Finding, Losses, sort};
use crate::{Origin, SessionReport};

/// Its key.
pub(crate) const KEY: &str = "incompletely-measured";

/// What was not measured, and why where that is known; `None` of a complete run.
pub(super) fn incomplete(report: &SessionReport, reason: Option<SendError>) -> Option<Losses> {
    let coverage = report.coverage();
    (!coverage.is_complete()).then_some(Losses::IncompletelyMeasured {
        unsent: coverage.unsent,
        due: coverage.due,
        reason,
        unmeasured_blocks: coverage.unmeasured_blocks,
        measured_blocks: coverage.measured_blocks,
        block_ns: coverage.block_ns,
        is_of_capture: report.origin == Origin::Capture,
    })
}

/// Decides again, by the figures as they are now. Only the run itself knew the reason.
pub(crate) fn renew(report: &mut SessionReport) {
    let mut known = None;
    report.findings.retain(|finding| {
        if let Finding::Losses(Losses::IncompletelyMeasured { reason, .. }) = finding {
            known = known.or(*reason);
        }
        finding.key() != KEY
    });
    let renewed = incomplete(report, known);
    report.findings.extend(renewed.map(Finding::from));
    sort(&mut report.findings);
}

//! Measurements that leave out packets or time: decided from the figures alone, so that the finding
//! also applies to files whose end was not written and to sums of runs.

use twinpath_net::SendError;

use super::{Finding, Losses, sort};
use crate::{Origin, SessionReport};

/// Its key.
pub(crate) const KEY: &str = "incompletely-measured";

/// What was not measured, and why, if known; `None` for a complete run.
pub(super) fn incomplete(report: &SessionReport, reason: Option<SendError>) -> Option<Losses> {
    let coverage = report.coverage();
    (!coverage.is_sent()).then_some(Losses::IncompletelyMeasured {
        unsent: coverage.unsent,
        due: coverage.due,
        reason,
        unmeasured_blocks: coverage.unmeasured_blocks,
        measured_blocks: coverage.measured_blocks,
        block_ns: coverage.block_ns,
        is_of_capture: report.origin == Origin::Capture,
    })
}

/// Decides again from the current figures. The reason is taken from the run.
pub(crate) fn renew(report: &mut SessionReport) {
    let mut known = None;
    report.findings.retain(|finding| {
        if let Finding::Losses(Losses::IncompletelyMeasured { reason, .. }) = finding {
            known = known.or(*reason);
        }
        if let Finding::Written(note) = finding
            && note.key == KEY
        {
            known = known.or_else(|| reason_in(&note.line));
        }
        finding.key() != KEY
    });
    let renewed = incomplete(report, known);
    report.findings.extend(renewed.map(Finding::from));
    sort(&mut report.findings);
}

/// The reason, in the words of a file written before findings were values.
fn reason_in(line: &str) -> Option<SendError> {
    let reasons = [
        SendError::NoBuffers,
        SendError::TooLarge,
        SendError::Unreachable,
        SendError::NoNeighbour,
        SendError::Filtered,
        SendError::Prohibited,
        SendError::BadSource,
    ];
    let named = |reason: &SendError| line.contains(&format!("({reason})"));
    reasons.into_iter().find(named)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Note;
    use crate::finding::tests::quiet;

    #[test]
    fn the_reason_in_the_words_of_an_old_file_is_kept() {
        let mut report = quiet();
        (report.counters.send_errors, report.counters.sent) = (7, 10);
        report.findings.push(Finding::Written(Note {
            key: KEY.into(),
            warning: true,
            line: "7 of 17 packets could not be sent (network unreachable): too few".to_owned(),
        }));
        renew(&mut report);
        let expected = incomplete(&report, Some(SendError::Unreachable));
        let expected: Vec<Finding> = expected.into_iter().map(Finding::from).collect();
        assert_eq!(expected.len(), 1);
        assert_eq!(report.findings, expected);
    }
}

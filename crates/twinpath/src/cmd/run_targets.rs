//! The targets of a run, and those of them that cannot be measured.

use std::collections::BTreeSet;
use std::time::Duration;

use twinpath_proto::sender::Limit;
use twinpath_report::FailedTarget;

use super::warn;
use crate::args::LogOptions;
use crate::failure::Failure;
use crate::output::units;
use crate::plan::PlannedSession;

/// The most targets printed one by one on stderr; the report has all.
const MOST_SAID: usize = 10;

/// How a target is that cannot be measured.
pub(super) const NOT_MEASURED: &str = "not measured";
/// How one is that is measured once its name has an address.
pub(super) const NOT_MEASURED_YET: &str = "not measured yet";

/// Facts about all targets of a run together.
#[derive(Debug)]
pub(super) struct Targets {
    count: usize,
    /// Failures that stderr has already.
    said: Vec<FailedTarget>,
    /// The longest of all sessions.
    pub(super) timeout: Duration,
    /// How long the longest session sends; `None`: until it is stopped.
    pub(super) length: Option<Duration>,
}

impl Targets {
    /// `failed`: those of which nothing is measured.
    pub(super) fn of<'a>(
        sessions: &'a [PlannedSession],
        failed: impl Iterator<Item = &'a FailedTarget>,
    ) -> Self {
        let measured = sessions.iter().map(|session| &*session.target.name);
        let names: BTreeSet<&str> = measured.chain(failed.map(|one| &*one.target)).collect();
        let lengths = sessions.iter().map(|session| match session.plan.limit {
            Limit::Count(count) => {
                let packets = u32::try_from(count).unwrap_or(u32::MAX);
                Some(
                    session
                        .plan
                        .schedule
                        .mean_interval()
                        .saturating_mul(packets),
                )
            }
            Limit::Duration(duration) => Some(duration),
            Limit::Endless => None,
        });
        let timeouts = sessions.iter().map(|session| session.plan.timeout);
        Self {
            count: names.len(),
            said: Vec::new(),
            timeout: timeouts.max().unwrap_or_default(),
            length: lengths
                .collect::<Option<Vec<_>>>()
                .and_then(|lengths| lengths.into_iter().max()),
        }
    }

    /// Says of these that they are not measured. The report has all, and the end of the run says the only one.
    pub(super) fn say(&mut self, log: &LogOptions, failed: &[FailedTarget], how: &str) {
        if log.quiet || self.count == 1 && how == NOT_MEASURED {
            return;
        }
        say_failed(log, failed, how);
        self.said.extend(failed.iter().take(MOST_SAID).cloned());
    }

    /// With what a run ends that could not measure all of them: each cause is said once.
    pub(super) fn failure(&self, failed: &[FailedTarget]) -> Option<Failure> {
        let first = failed.first()?;
        let names: BTreeSet<&str> = failed.iter().map(|one| &*one.target).collect();
        let unsaid = failed.iter().find(|one| !self.said.contains(one));
        let cause = unsaid.map(|one| format!("; {}: {}", one.target, one.error));
        Some(Failure::could_not(if self.count == 1 {
            first.error.clone()
        } else {
            format!(
                "{} of {} could not be measured{}",
                names.len(),
                units::count(self.count as u64, "target", "targets"),
                cause.unwrap_or_default(),
            )
        }))
    }
}

/// That one cannot be measured, while others are.
pub(super) fn not_measured(one: &FailedTarget) -> String {
    format!("{} {NOT_MEASURED}: {}", one.target, one.error)
}

/// Those that are not measured, while the others are.
fn say_failed(log: &LogOptions, failed: &[FailedTarget], how: &str) {
    for one in failed.iter().take(MOST_SAID) {
        let line = Failure::could_not(format!("{} {how}: {}", one.target, one.error));
        warn(log.quiet, Some(line.to_string()));
    }
    if let Some(more @ 1..) = failed.len().checked_sub(MOST_SAID) {
        let more = units::count(more as u64, "other target", "other targets");
        warn(log.quiet, Some(format!("{more} {how}")));
    }
}

#[cfg(test)]
mod tests {
    use std::borrow::Cow;

    use twinpath_report::{Finding, Note, Target};

    use super::*;
    use crate::cmd::measure::verdict;
    use crate::output::fixtures;
    use crate::output::names::Differing;

    fn failed(target: &str, error: &str) -> FailedTarget {
        FailedTarget {
            target: target.to_owned(),
            error: error.to_owned(),
            file: None,
            sessions: None,
        }
    }

    #[test]
    fn the_end_of_a_run_says_a_cause_that_was_not_said_before_and_no_other() {
        let all = [failed("a", "no address"), failed("b", "no route")];
        let targets = |count, said: &[FailedTarget]| Targets {
            count,
            said: said.to_vec(),
            timeout: Duration::ZERO,
            length: None,
        };
        let end = |count, said| targets(count, said).failure(&all).unwrap().line;
        assert_eq!(end(3, &all), "2 of 3 targets could not be measured");
        assert_eq!(
            end(3, &all[..1]),
            "2 of 3 targets could not be measured; b: no route"
        );
        assert_eq!(end(1, &all), "no address");
        assert!(targets(3, &[]).failure(&[]).is_none());
    }

    #[test]
    fn what_was_measured_incompletely_is_called_by_its_target() {
        let report = |target: &str| {
            let mut report = fixtures::quiet_path();
            report.identity.target = Some(Target {
                name: target.to_owned(),
                ..Target::default()
            });
            report.findings = vec![Finding::Written(Note {
                key: "incompletely-measured".into(),
                warning: true,
                line: "31 of 70 packets could not be sent".into(),
            })];
            report
        };
        let reports = [report("a"), report("b")];
        let differing = Differing::of_reports(reports.as_slice().into());
        let failure = verdict(reports.iter().map(Cow::Borrowed), differing).unwrap_err();
        assert_eq!(
            failure.line,
            "2 of 2 sessions were measured incompletely; a: 31 of 70 packets could not be sent"
        );
    }
}

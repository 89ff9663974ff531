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
            timeout: timeouts.max().unwrap_or_default(),
            length: lengths
                .collect::<Option<Vec<_>>>()
                .and_then(|lengths| lengths.into_iter().max()),
        }
    }

    /// With what a run ends that could not measure all of them.
    pub(super) fn failure(&self, failed: &[FailedTarget]) -> Option<Failure> {
        let first = failed.first()?;
        let names: BTreeSet<&str> = failed.iter().map(|one| &*one.target).collect();
        let (target, error) = (&first.target, &first.error);
        Some(Failure::could_not(if self.count == 1 {
            error.clone()
        } else {
            format!(
                "{} of {} could not be measured; {target}: {error}",
                names.len(),
                units::count(self.count as u64, "target", "targets"),
            )
        }))
    }
}

/// That one cannot be measured, while others are.
pub(super) fn not_measured(one: &FailedTarget) -> String {
    format!("{} {NOT_MEASURED}: {}", one.target, one.error)
}

/// Those that are not measured, while the others are.
pub(super) fn say_failed(log: &LogOptions, failed: &[FailedTarget], how: &str) {
    for one in failed.iter().take(MOST_SAID) {
        let line = Failure::could_not(format!("{} {how}: {}", one.target, one.error));
        warn(log.quiet, Some(line.to_string()));
    }
    if let Some(more @ 1..) = failed.len().checked_sub(MOST_SAID) {
        let more = units::count(more as u64, "other target", "other targets");
        warn(log.quiet, Some(format!("{more} {how}")));
    }
}

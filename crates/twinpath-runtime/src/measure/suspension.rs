//! Suspensions of this host: the monotonic clock stops, so that the system clock seems to step.

use std::time::Duration;

use twinpath_proto::sender::{ClockStep, SenderCounters};
use twinpath_wire::{Delta, nanoseconds};

/// What a suspension and the step that it looks like may differ by: readings of clocks that are
/// being slewed. What is shorter is none.
const ALIKE: Delta = Delta::from_ns(2_000_000);

/// How long this host was suspended in all, as its clocks tell, and what came of it in this run.
#[derive(Debug)]
pub(super) struct Suspensions {
    /// As it was last read; `None` where the system does not tell.
    total: Option<Duration>,
    count: u64,
    suspended: Duration,
    /// Steps that were nothing but suspensions.
    explained: u64,
}

impl Suspensions {
    pub(super) fn new(total: Option<Duration>) -> Self {
        Self {
            total,
            count: 0,
            suspended: Duration::ZERO,
            explained: 0,
        }
    }

    /// What of a step was a suspension, and what was a step of the clock; `total` as it is now.
    pub(super) fn split(
        &mut self,
        step: ClockStep,
        total: Option<Duration>,
    ) -> (Option<ClockStep>, Option<ClockStep>) {
        let before = std::mem::replace(&mut self.total, total);
        let suspended = total
            .zip(before)
            .map(|(now, before)| now.saturating_sub(before));
        let suspended = suspended.unwrap_or_default();
        let by = Delta::from_duration(suspended);
        if by <= ALIKE {
            return (None, Some(step));
        }
        self.count += 1;
        self.suspended += suspended;
        let rest = step.by - by;
        if rest.abs_ns() <= ALIKE.abs_ns() {
            self.explained += 1;
            return (Some(step), None);
        }
        let now = step.now - rest;
        (
            Some(ClockStep { now, by, ..step }),
            Some(ClockStep { by: rest, ..step }),
        )
    }

    /// The counters with suspensions in it, and without them in the clock's steps.
    pub(super) fn in_counters(&self, counters: &SenderCounters) -> SenderCounters {
        SenderCounters {
            clock_steps: counters.clock_steps.saturating_sub(self.explained),
            suspensions: self.count,
            suspended_ns: nanoseconds::of(self.suspended),
            ..*counters
        }
    }
}

#[cfg(test)]
mod tests {
    use twinpath_wire::Wall;

    use super::*;

    const HOUR_NS: i64 = 3_600_000_000_000;

    fn step(by: i64) -> ClockStep {
        ClockStep {
            now: Wall::from_unix_ns(2 * HOUR_NS + by),
            by: Delta::from_ns(by),
            first_seq: 7,
        }
    }

    /// The parts of a step when the host was suspended for so long meanwhile, and the counters of both.
    fn split(suspended_ns: i64, by: i64) -> ([Option<i64>; 2], [u64; 3]) {
        let total = |ns: i64| Some(Duration::from_nanos(ns.unsigned_abs()));
        let mut suspensions = Suspensions::new(total(HOUR_NS));
        let parts = suspensions.split(step(by), total(HOUR_NS + suspended_ns));
        if let (Some(one), Some(other)) = parts {
            assert_eq!((one.by + other.by, other.now), (step(by).by, step(by).now));
            assert_eq!(other.now - one.now, other.by);
        }
        let counters = suspensions.in_counters(&SenderCounters {
            clock_steps: 1,
            ..SenderCounters::default()
        });
        let told = [
            counters.clock_steps,
            counters.suspensions,
            counters.suspended_ns,
        ];
        ([parts.0, parts.1].map(|part| Some(part?.by.ns())), told)
    }

    #[test]
    fn a_suspension_is_no_step_and_a_step_is_no_suspension() {
        let apart = 1_400_000;
        assert_eq!(
            split(HOUR_NS, HOUR_NS + apart),
            ([Some(HOUR_NS + apart), None], [0, 1, 3_600_000_000_000])
        );
        assert_eq!(split(0, HOUR_NS), ([None, Some(HOUR_NS)], [1, 0, 0]));
        assert_eq!(
            split(900, -50_000_000),
            ([None, Some(-50_000_000)], [1, 0, 0])
        );
    }

    #[test]
    fn a_clock_that_is_set_after_a_suspension_has_stepped_too() {
        let parts = [Some(HOUR_NS), Some(-30_000_000)];
        assert_eq!(
            split(HOUR_NS, HOUR_NS - 30_000_000),
            (parts, [1, 1, 3_600_000_000_000])
        );
    }

    #[test]
    fn a_system_that_does_not_tell_has_steps_alone() {
        let mut suspensions = Suspensions::new(None);
        assert_eq!(suspensions.split(step(5), None), (None, Some(step(5))));
    }
}

//! How many threads sessions share.

use std::num::NonZero;
use std::thread;

use twinpath_runtime::SenderPlan;

/// Packets that one thread sends a second, with time left to be on time. It can send some more.
const PACKETS_PER_SECOND: f64 = 50_000.0;

/// The threads that these sessions share: as many as `asked` for, else as their packets need and there are
/// processors for. 0: each has its own.
pub(crate) fn shared<'a>(
    plans: impl Iterator<Item = &'a SenderPlan>,
    asked: Option<usize>,
) -> usize {
    let processors = thread::available_parallelism().map_or(1, NonZero::get);
    let intervals = plans
        .filter(|plan| !plan.exact)
        .map(|plan| plan.schedule.mean_interval().as_secs_f64());
    of(intervals, asked, processors)
}

/// That the number of threads that was asked for makes no difference to these sessions.
pub(crate) fn unused<'a>(
    plans: impl Iterator<Item = &'a SenderPlan>,
    asked: Option<usize>,
) -> Option<String> {
    asked?;
    let (mut any, mut all) = (false, true);
    for plan in plans {
        (any, all) = (true, all && plan.exact);
    }
    let said = "--threads has no effect: each session has a thread of its own, as up to 16 have";
    (any && all).then(|| said.to_owned())
}

fn of(intervals: impl Iterator<Item = f64>, asked: Option<usize>, processors: usize) -> usize {
    let (mut threads, mut left) = (0, 0.0);
    for interval_s in intervals {
        left -= 1.0 / interval_s;
        if left < 0.0 && threads < processors {
            threads += 1;
            left += PACKETS_PER_SECOND;
        }
    }
    if threads == 0 {
        0
    } else {
        asked.unwrap_or(threads)
    }
}

#[cfg(test)]
mod tests {
    use std::iter::repeat_n;

    use super::*;

    #[test]
    fn threads_are_as_many_as_packets_need_and_processors_are_there() {
        let threads =
            |sessions, interval_s, processors| of(repeat_n(interval_s, sessions), None, processors);
        assert_eq!(threads(0, 1.0, 8), 0);
        assert_eq!(threads(1, 60.0, 8), 1);
        assert_eq!(threads(10_000, 1.0, 8), 1);
        assert_eq!(threads(1_000, 0.01, 8), 2);
        assert_eq!(threads(10_000, 0.01, 8), 8);
        assert_eq!(threads(10_000, 0.01, 1), 1);
        assert_eq!(threads(17, 0.0, 4), 4);
    }

    #[test]
    fn a_number_that_makes_no_difference_is_said() {
        let plan = |exact| SenderPlan {
            exact,
            ..SenderPlan::to("192.0.2.1:862".parse().unwrap())
        };
        let is_said = |all: &[SenderPlan], asked| unused(all.iter(), asked).is_some();
        assert!(is_said(&[plan(true), plan(true)], Some(2)));
        assert!(!is_said(&[plan(true), plan(true)], None));
        assert!(!is_said(&[plan(true), plan(false)], Some(2)));
        assert!(!is_said(&[], Some(2)));
    }

    #[test]
    fn as_many_as_are_asked_for_where_any_are_shared() {
        assert_eq!(of([1.0].into_iter(), Some(5), 2), 5);
        assert_eq!(of([].into_iter(), Some(5), 2), 0);
    }
}

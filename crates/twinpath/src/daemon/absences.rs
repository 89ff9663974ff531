//! Sessions that cannot run. They make no intervals; for alerts, intervals of theirs go on in which packets were due and
//! none was sent.

use std::collections::HashMap;
use std::sync::Arc;
use std::time::{Duration, Instant};

use twinpath_metrics::{Figures, IntervalFigures, LossChange};
use twinpath_runtime::wall;
use twinpath_wire::{Tos, Wall};

use super::part::Parts;
use super::sessions::MeasuredSessions;

/// Since when there is no interval of which sessions.
#[derive(Debug, Default)]
pub(super) struct Absences(HashMap<Arc<str>, Instant>);

/// An interval in which a session did not run.
pub(super) struct AbsentInterval {
    pub(super) name: Arc<str>,
    /// Its classes and paths.
    pub(super) measures: Vec<(Tos, Option<u16>)>,
    pub(super) figures: IntervalFigures,
}

impl Absences {
    /// A session has an interval of its own.
    pub(super) fn end(&mut self, name: &str) {
        self.0.remove(name);
    }

    /// The intervals that have ended since the last call of sessions that failed and do not run.
    pub(super) fn take(&mut self, sessions: &Parts<MeasuredSessions>) -> Vec<AbsentInterval> {
        self.0.retain(|name, _| sessions.contains_key(name));
        let failed = sessions.values().filter(|part| part.failure().is_some());
        let ended = failed.filter_map(|part| {
            let length = part.spec().interval()?;
            let since = self.0.entry(Arc::clone(part.name()));
            is_over(since.or_insert_with(Instant::now), length).then(|| AbsentInterval {
                name: Arc::clone(part.name()),
                measures: part.spec().measures(),
                figures: without_packets(wall(), length),
            })
        });
        ended.collect()
    }
}

/// Whether an interval of this length is over that began at `since`, which then is the beginning of the next one.
fn is_over(since: &mut Instant, length: Duration) -> bool {
    let passed = since.elapsed();
    if passed < length {
        return false;
    }
    // A host that was asleep has missed the others.
    *since += if passed < 2 * length { length } else { passed };
    true
}

/// An interval that ends at this time.
fn without_packets(end: Wall, length: Duration) -> IntervalFigures {
    let length = i64::try_from(length.as_nanos()).unwrap_or(i64::MAX);
    IntervalFigures {
        index: 0,
        intervals: 1,
        start: Wall::from_unix_ns(end.unix_ns().saturating_sub(length)),
        end,
        is_cut: false,
        figures: Figures::default(),
        loss: LossChange::default(),
        // How many is not known.
        not_sent: 1,
        missed: 0,
        strays: 0,
        suspect: Vec::new(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn intervals_follow_each_other_and_a_long_pause_is_one() {
        let length = Duration::from_secs(100);
        let now = Instant::now();
        let mut since = now.checked_sub(Duration::from_secs(150)).unwrap();
        assert!(is_over(&mut since, length));
        assert!(!is_over(&mut since, length));
        let at = now.duration_since(since);
        assert!(at >= Duration::from_secs(50), "{at:?}");
        let mut since = now.checked_sub(Duration::from_secs(1_050)).unwrap();
        assert!(is_over(&mut since, length));
        assert!(!is_over(&mut since, length));
        let row = without_packets(Wall::from_unix_ns(100), Duration::from_nanos(60));
        assert_eq!((row.start.unix_ns(), row.figures.sent()), (40, 0));
    }
}

//! What counts a session's records.

use std::iter;
use std::time::Duration;

use twinpath_metrics::{ClosedInterval, Intervals, Record, Series};
use twinpath_wire::{Sample, Wall};

/// How long the records of a session wait to be counted together.
const TOGETHER: Duration = Duration::from_millis(200);
/// The most of them.
const MOST_TOGETHER: usize = 32;

/// The figures of a session, and the latest records.
///
/// The figures of a session among many are no longer in the processor's caches when its next packet comes:
/// to fetch them takes longer than to count. So the records of fast sessions wait for some others.
#[derive(Debug)]
pub(super) struct Recorder {
    series: Series,
    waiting: Vec<Record>,
}

impl Recorder {
    /// `interval`: that of the session's packets, where other sessions are measured by the same thread.
    pub(super) fn new(series: Series, interval: Option<Duration>) -> Self {
        let packets = interval.map_or(0, |interval| {
            TOGETHER.as_nanos() / interval.as_nanos().max(1)
        });
        let room =
            usize::try_from(packets).map_or(MOST_TOGETHER, |packets| packets.min(MOST_TOGETHER));
        Self {
            series,
            waiting: Vec::with_capacity(room),
        }
    }

    /// Counts the record, now or later.
    pub(super) fn record(&mut self, record: Record) {
        if self.waiting.capacity() < 2 {
            self.series.record(&record);
            return;
        }
        self.waiting.push(record);
        if self.waiting.len() == self.waiting.capacity() {
            self.count();
        }
    }

    /// Counts what waits.
    fn count(&mut self) {
        for record in self.waiting.drain(..) {
            self.series.record(&record);
        }
    }

    /// A packet is counted lost; its record comes later.
    pub(super) fn overdue(&mut self, lost: &Sample) {
        self.count();
        self.series.overdue(lost);
    }

    /// The intervals that have a row each.
    pub(super) fn rows(&mut self) -> Option<&mut Intervals> {
        self.count();
        self.series.rows()
    }

    /// When the last answered packet was sent, and how many after it are lost, of the records counted so far.
    pub(super) fn end(&self) -> (Option<Wall>, u64) {
        self.series.metrics().end()
    }

    /// The figures so far, of all records.
    pub(super) fn snapshot(&mut self) -> Series {
        self.count();
        self.series.without_rows()
    }

    /// The same, when the session is over, and the rows that are left.
    pub(super) fn finish(mut self) -> (Series, Vec<ClosedInterval>) {
        let rows = self
            .rows()
            .map(|rows| iter::from_fn(|| rows.close_last()).collect());
        let rows = rows.unwrap_or_default();
        (self.series.without_rows(), rows)
    }
}

#[cfg(test)]
mod tests {
    use twinpath_metrics::{MetricsConfig, SeriesConfig, Waits};
    use twinpath_wire::{Rung, Stamp, Wall};

    use super::*;

    fn recorder(interval: Option<Duration>) -> Recorder {
        let series = Series::new(SeriesConfig {
            metrics: MetricsConfig::default(),
            waits: Waits {
                fates: Duration::from_secs(1),
                records: Duration::from_secs(1),
                slack: Duration::ZERO,
                losses_at_once: false,
            },
            interval: None,
            columns: None,
        });
        Recorder::new(series, interval)
    }

    fn lost(seq: u64) -> Record {
        let t1 = Stamp {
            at: Wall::from_unix_ns(1_800_000_000_000_000_000),
            rung: Rung::Kernel,
        };
        Record::Sample(Sample::lost(seq, t1))
    }

    #[test]
    fn figures_are_of_all_records_whenever_they_are_asked_for() {
        for interval_ms in [None, Some(0), Some(1), Some(10), Some(150), Some(5_000)] {
            let interval = interval_ms.map(Duration::from_millis);
            let mut recorder = recorder(interval);
            for seq in 0..100 {
                recorder.record(lost(seq));
                if seq % 7 == 0 {
                    assert_eq!(recorder.snapshot().metrics().figures().lost, seq + 1);
                }
            }
            let (series, rows) = recorder.finish();
            assert_eq!(series.metrics().figures().lost, 100);
            assert!(rows.is_empty());
        }
    }

    #[test]
    fn only_the_records_of_fast_sessions_wait() {
        let room = |interval_ms| {
            let recorder = recorder(Some(Duration::from_millis(interval_ms)));
            recorder.waiting.capacity()
        };
        assert_eq!(recorder(None).waiting.capacity(), 0);
        assert_eq!(room(1_000), 0);
        assert_eq!(room(10), 20);
        assert_eq!(room(0), MOST_TOGETHER);
    }
}

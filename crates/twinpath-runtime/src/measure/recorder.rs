//! What counts a session's records.

use std::iter;
use std::time::Duration;

use twinpath_metrics::{ClosedInterval, Intervals, Record, ReplyStatus, Series, SeriesConfig};
use twinpath_wire::Sample;

/// How long the records of a session wait to be counted together.
const TOGETHER: Duration = Duration::from_millis(200);
/// The most of them.
const MOST_TOGETHER: usize = 32;
/// A slow session keeps its records until they take so many octets, and up to as many again: 400 to 800
/// packets, the figures of which take 50 to 70 KB.
const KEPT_OCTETS: u128 = 8_192;

/// The figures of a session, and the latest records.
///
/// The figures of a session among many are no longer in the processor's caches when its next packet comes:
/// to fetch them takes longer than to count. So the records of fast sessions wait for some others, and those of
/// slow ones are kept as long as they take less memory than figures.
#[derive(Debug)]
pub(super) struct Recorder {
    series: Series,
    waiting: Vec<Record>,
}

/// When a session sends whose thread measures others too.
#[derive(Clone, Copy, Debug)]
pub(super) struct AmongMany {
    pub(super) interval: Duration,
    /// From when on in an interval.
    pub(super) phase: Duration,
}

impl AmongMany {
    /// How many of its records wait for each other.
    fn together(self) -> usize {
        let packets = TOGETHER.as_nanos() / self.interval.as_nanos().max(1);
        usize::try_from(packets).map_or(MOST_TOGETHER, |packets| packets.min(MOST_TOGETHER))
    }

    /// Octets of the records that are kept. To count them takes some time, which sessions that began together
    /// are not to take all at once.
    fn kept_octets(self) -> usize {
        let share = self.phase.as_nanos() * KEPT_OCTETS / self.interval.as_nanos().max(1);
        let octets = KEPT_OCTETS + share.min(KEPT_OCTETS);
        usize::try_from(octets).unwrap_or(0)
    }
}

impl Recorder {
    /// `among`: where other sessions are measured by the same thread.
    pub(super) fn new(config: SeriesConfig, among: Option<AmongMany>) -> Self {
        let room = among.map_or(0, AmongMany::together);
        let kept = among.filter(|_| room < 2).map_or(0, AmongMany::kept_octets);
        Self {
            series: Series::keeping_records(config, kept),
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

    /// Whether the far end answers, by the records counted so far.
    pub(super) fn reply_status(&self) -> ReplyStatus {
        self.series.reply_status()
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
    use twinpath_metrics::{MetricsConfig, Waits};
    use twinpath_wire::{Rung, Stamp, Wall};

    use super::*;

    fn recorder(interval: Option<Duration>) -> Recorder {
        let config = SeriesConfig {
            metrics: MetricsConfig::default(),
            waits: Waits {
                fates: Duration::from_secs(1),
                records: Duration::from_secs(1),
                slack: Duration::ZERO,
                losses_at_once: false,
            },
            interval: None,
            columns: None,
        };
        let phase = Duration::ZERO;
        Recorder::new(
            config,
            interval.map(|interval| AmongMany { interval, phase }),
        )
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

    #[test]
    fn slow_sessions_keep_some_records_and_do_not_count_them_all_at_once() {
        let interval = Duration::from_secs(1);
        let kept = |phase| AmongMany { interval, phase }.kept_octets();
        // By what four packets take: 100 lots.
        let mut sessions = [0; 101];
        for ms in 0..1_000 {
            let octets = kept(Duration::from_millis(ms));
            sessions[(octets - 8_192) / 82] += 1;
        }
        assert!(sessions.iter().all(|count| *count <= 12), "{sessions:?}");
        assert_eq!(kept(5 * interval), 16_384);
    }
}

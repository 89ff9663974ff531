//! When packets are due, and what happens to those that are missed (rows M-65, M-67).
//!
//! Slots are absolute: a late one never shifts the next. Other patterns (Poisson, uniform, bursts;
//! rows M-64, M-66) replace [`Periodic`] behind the same four methods.

use std::time::Duration;

use twinpath_wire::Mono;

use super::config::Limit;

/// Slots at start + k * interval.
#[derive(Debug)]
struct Periodic {
    start: Mono,
    interval_ns: u64,
    slot: u64,
}

impl Periodic {
    /// When the next slot is due.
    fn due(&self) -> Mono {
        self.start + Duration::from_nanos(self.slot.saturating_mul(self.interval_ns))
    }

    /// How many slots, the next one first, are due at `now`.
    fn backlog(&self, now: Mono) -> u64 {
        let behind_ns = now.signed_since(self.due()).ns();
        u64::try_from(behind_ns).map_or(0, |ns| ns / self.interval_ns + 1)
    }

    fn skip(&mut self, slots: u64) {
        self.slot = self.slot.saturating_add(slots);
    }
}

/// A pattern of slots, how far it goes, and how it is caught up with.
#[derive(Debug)]
pub(super) struct Schedule {
    pattern: Periodic,
    /// Packets still to hand out.
    left: u64,
    /// Slots due at or after this do not exist.
    end: Option<Mono>,
    max_burst: u32,
    /// Packets handed out without a wait between them, and when the last one was.
    row: u32,
    handed_at: Option<Mono>,
    skipped: u64,
    largest_burst: u32,
}

impl Schedule {
    pub(super) fn new(start: Mono, interval: Duration, limit: Limit, max_burst: u32) -> Self {
        let interval_ns = u64::try_from(interval.as_nanos())
            .unwrap_or(u64::MAX)
            .max(1);
        let (left, end) = match limit {
            Limit::Count(count) => (count, None),
            Limit::Duration(duration) => (u64::MAX, Some(start + duration)),
        };
        Self {
            pattern: Periodic {
                start,
                interval_ns,
                slot: 0,
            },
            left,
            end,
            max_burst: max_burst.max(1),
            row: 0,
            handed_at: None,
            skipped: 0,
            largest_burst: 0,
        }
    }

    /// When the next packet is due; `None` when all were handed out.
    pub(super) fn next_due(&self) -> Option<Mono> {
        let due = self.pattern.due();
        (self.left > 0 && self.end.is_none_or(|end| due < end)).then_some(due)
    }

    /// Takes the next slot that is due at `now`. Of those that were missed at most `max_burst` are
    /// handed out in a row, the newest; the older ones are skipped. A count is reached all the
    /// same, later; a duration is not made longer.
    pub(super) fn take(&mut self, now: Mono) -> Option<Mono> {
        let due = self.next_due().filter(|due| *due <= now)?;
        let in_a_row = self.handed_at.is_some_and(|handed| due <= handed);
        let row = if in_a_row { self.row } else { 0 };
        let room = u64::from(self.max_burst.saturating_sub(row));
        let last = self
            .end
            .map_or(now, |end| now.min(end - Duration::from_nanos(1)));
        let backlog = self.pattern.backlog(last);
        if backlog.min(self.left) > room {
            let missed = backlog - room.min(backlog);
            self.pattern.skip(missed);
            self.skipped = self.skipped.saturating_add(missed);
            if room == 0 {
                return None;
            }
        }
        let due = self.pattern.due();
        self.pattern.skip(1);
        self.left -= 1;
        self.row = row.saturating_add(1);
        self.largest_burst = self.largest_burst.max(self.row);
        self.handed_at = Some(now);
        Some(due)
    }

    /// Nothing more is handed out.
    pub(super) fn stop(&mut self) {
        self.left = 0;
    }

    /// Slots that were missed and not caught up.
    pub(super) fn skipped(&self) -> u64 {
        self.skipped
    }

    /// The most packets handed out in a row.
    pub(super) fn largest_burst(&self) -> u32 {
        self.largest_burst
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const MS: u64 = 1_000_000;

    fn ms(at: u64) -> Mono {
        Mono::from_ns(at * MS)
    }

    fn schedule(limit: Limit, max_burst: u32) -> Schedule {
        Schedule::new(ms(1_000), Duration::from_millis(10), limit, max_burst)
    }

    #[test]
    fn slots_do_not_drift_with_late_departures() {
        let mut slots = schedule(Limit::Count(1_000), 10);
        for k in 0..1_000 {
            let due = slots.next_due().unwrap();
            assert_eq!(due, ms(1_000 + 10 * k));
            assert_eq!(slots.take(due - Duration::from_nanos(1)), None);
            assert_eq!(slots.take(due + Duration::from_millis(7)), Some(due));
        }
        assert_eq!(
            (slots.next_due(), slots.skipped(), slots.largest_burst()),
            (None, 0, 1)
        );
    }

    #[test]
    fn a_short_stall_is_caught_up_whole() {
        let mut slots = schedule(Limit::Count(100), 10);
        let now = ms(1_095);
        let burst: Vec<_> = std::iter::from_fn(|| slots.take(now)).collect();
        assert_eq!(
            burst,
            (0..10).map(|k| ms(1_000 + 10 * k)).collect::<Vec<_>>()
        );
        assert_eq!((slots.skipped(), slots.largest_burst()), (0, 10));
    }

    #[test]
    fn a_long_stall_is_caught_up_by_the_newest_and_a_count_is_still_reached() {
        let mut slots = schedule(Limit::Count(100), 10);
        let now = ms(1_245);
        let burst: Vec<_> = std::iter::from_fn(|| slots.take(now)).collect();
        assert_eq!(
            burst,
            (15..25).map(|k| ms(1_000 + 10 * k)).collect::<Vec<_>>()
        );
        assert_eq!((slots.skipped(), slots.largest_burst()), (15, 10));
        let rest = std::iter::from_fn(|| slots.next_due().and_then(|due| slots.take(due))).count();
        assert_eq!(rest, 90);
    }

    #[test]
    fn a_duration_is_not_made_longer_by_a_stall() {
        let mut slots = schedule(Limit::Duration(Duration::from_secs(1)), 10);
        assert_eq!(slots.take(ms(1_000)), Some(ms(1_000)));
        let late = ms(3_000);
        let burst: Vec<_> = std::iter::from_fn(|| slots.take(late)).collect();
        assert_eq!(
            burst,
            (90..100).map(|k| ms(1_000 + 10 * k)).collect::<Vec<_>>()
        );
        assert_eq!((slots.next_due(), slots.skipped()), (None, 89));
    }

    #[test]
    fn a_duration_has_the_slots_before_its_end() {
        for (duration_ms, expected) in [(0, 0), (1, 1), (10, 1), (11, 2), (100, 10)] {
            let mut slots = schedule(Limit::Duration(Duration::from_millis(duration_ms)), 10);
            let count =
                std::iter::from_fn(|| slots.next_due().and_then(|due| slots.take(due))).count();
            assert_eq!(count, expected, "{duration_ms} ms");
        }
    }

    #[test]
    fn the_last_packets_of_a_count_are_not_skipped_over() {
        let mut slots = schedule(Limit::Count(3), 10);
        assert_eq!(std::iter::from_fn(|| slots.take(ms(9_000))).count(), 3);
        assert_eq!(slots.skipped(), 0);
    }

    #[test]
    fn a_row_is_bounded_while_time_goes_on_between_its_packets() {
        // Sending takes as long as a slot: without a bound the row would never end.
        let mut slots = schedule(Limit::Count(10_000), 5);
        let mut now = ms(1_200);
        let mut handed = 0;
        for _ in 0..200 {
            handed += u64::from(slots.take(now).is_some());
            now += Duration::from_millis(3);
        }
        assert!(handed > 50);
        assert!(slots.largest_burst() <= 5);
    }

    #[test]
    fn an_interval_of_nothing_does_not_divide_by_it() {
        let mut slots = Schedule::new(ms(0), Duration::ZERO, Limit::Count(5), 10);
        assert_eq!(std::iter::from_fn(|| slots.take(ms(1))).count(), 5);
    }
}

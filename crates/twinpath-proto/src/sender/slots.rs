//! How far a schedule goes, and what happens to departures that are missed (row M-67).
//!
//! Slots are absolute: a late one never shifts the next.

use std::time::Duration;

use twinpath_wire::Mono;

use super::config::Limit;
use super::pattern::{MOST_WALKED, Pattern};
use super::schedule::Schedule;

/// A pattern of slots, where it ends, and how missed slots are caught up with.
#[derive(Debug)]
pub(super) struct Slots {
    pattern: Pattern,
    /// Packets still to hand out.
    left: u64,
    /// Slots due at or after this do not exist.
    end: Option<Mono>,
    /// When a packet beside the pattern is due.
    extra: Option<Mono>,
    max_burst: u32,
    /// Packets handed out without a wait between them, and when the last one was.
    row: u32,
    handed_at: Option<Mono>,
    skipped: u64,
    /// Slots skipped since they were last reported.
    missed: Option<Missed>,
    largest_burst: u32,
}

/// Slots that passed without a packet (row M-67).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Missed {
    /// How many.
    pub count: u64,
    /// When the first of them was due.
    pub since: Mono,
    /// When the last one was.
    pub until: Mono,
}

impl Slots {
    /// From `start` on; the same `seed` gives the same slots.
    pub(super) fn new(
        start: Mono,
        schedule: Schedule,
        seed: u64,
        limit: Limit,
        max_burst: u32,
    ) -> Self {
        let (left, end) = match limit {
            Limit::Count(count) => (count, None),
            Limit::Duration(duration) => (u64::MAX, Some(start + duration)),
            Limit::Endless => (u64::MAX, None),
        };
        Self {
            pattern: Pattern::new(schedule, start, seed),
            left,
            end,
            extra: None,
            max_burst: row(schedule, max_burst),
            row: 0,
            handed_at: None,
            skipped: 0,
            missed: None,
            largest_burst: 0,
        }
    }

    /// When the next packet is due; `None` when all were handed out.
    pub(super) fn next_due(&self) -> Option<Mono> {
        let due = self.pattern.due();
        let due = self.extra.map_or(due, |extra| extra.min(due));
        self.exists(due).then_some(due)
    }

    /// When the next slot of the pattern is due.
    fn next_slot(&self) -> Option<Mono> {
        let due = self.pattern.due();
        self.exists(due).then_some(due)
    }

    fn exists(&self, due: Mono) -> bool {
        self.left > 0 && self.end.is_none_or(|end| due < end)
    }

    /// A packet is due at `now` whatever the pattern, which goes on as before. One that is still due is not joined by
    /// another one.
    pub(super) fn add(&mut self, now: Mono) {
        self.extra.get_or_insert(now);
    }

    /// Takes the next slot that is due at `now`. Of missed slots, the newest `max_burst` are handed
    /// out in a row; older ones are skipped. A count is still reached, later; a duration is not
    /// extended.
    pub(super) fn take(&mut self, now: Mono) -> Option<Mono> {
        if let Some(extra) = self
            .extra
            .filter(|extra| *extra <= now && self.exists(*extra))
        {
            self.extra = None;
            self.left -= 1;
            return Some(extra);
        }
        let due = self.next_slot().filter(|due| *due <= now)?;
        let in_a_row = self.handed_at.is_some_and(|handed| due <= handed);
        let row = if in_a_row { self.row } else { 0 };
        let room = u64::from(self.max_burst.saturating_sub(row));
        let last = self
            .end
            .map_or(now, |end| now.min(end - Duration::from_nanos(1)));
        let backlog = self.pattern.backlog(last);
        if backlog.min(self.left) > room {
            self.skip(backlog - room.min(backlog));
            if room == 0 {
                return None;
            }
        }
        let due = self.next_slot().filter(|due| *due <= now)?;
        self.pattern.step();
        self.left -= 1;
        self.row = row.saturating_add(1);
        self.largest_burst = self.largest_burst.max(self.row);
        self.handed_at = Some(now);
        Some(due)
    }

    fn skip(&mut self, count: u64) {
        let Some(others) = count.checked_sub(1) else {
            return;
        };
        let earlier = self.missed.take();
        let first = self.pattern.due();
        self.pattern.skip(others);
        let until = self.pattern.due();
        self.pattern.skip(1);
        self.skipped = self.skipped.saturating_add(count);
        self.missed = Some(Missed {
            count: earlier
                .map_or(0, |earlier| earlier.count)
                .saturating_add(count),
            since: earlier.map_or(first, |earlier| earlier.since),
            until,
        });
    }

    /// Slots that were skipped since the last call.
    pub(super) fn take_missed(&mut self) -> Option<Missed> {
        self.missed.take()
    }

    /// Hands out nothing more.
    pub(super) fn stop(&mut self) {
        self.left = 0;
    }

    /// Slots that were missed and not caught up.
    pub(super) fn skipped(&self) -> u64 {
        self.skipped
    }

    /// Counts skipped slots and rows of packets from 0 again.
    pub(super) fn clear_counts(&mut self) {
        (self.skipped, self.largest_burst) = (0, 0);
    }

    /// The most packets handed out in a row.
    pub(super) fn largest_burst(&self) -> u32 {
        self.largest_burst
    }
}

/// How many packets may leave without a wait between them: whole bursts, at least one.
fn row(schedule: Schedule, max_burst: u32) -> u32 {
    let most = max_burst.max(1);
    match schedule {
        Schedule::Periodic { .. } => most,
        Schedule::Bursts { packets, .. } => {
            let packets = packets.max(1);
            (most / packets).max(1).saturating_mul(packets)
        }
        // A random pattern computes only this many missed slots.
        Schedule::Poisson { .. } | Schedule::Uniform { .. } => {
            most.min(u32::try_from(MOST_WALKED).unwrap_or(u32::MAX))
        }
    }
}

#[cfg(test)]
mod tests;

//! What a session is asked for as it goes on.

use std::iter;

use twinpath_metrics::Record;
use twinpath_wire::{Delta, Mono};

use super::{Pace, RefusalCounts, SeriesFacts, Session, WaitSum, pair, recorder};
use crate::measure::handle::Command;

impl Session {
    /// Does what was asked for.
    pub(super) fn take_commands(&mut self, now: Mono) {
        for command in self.shared.commands.take() {
            match command {
                Command::Clear => self.clear(now),
                Command::SendNow => self.engine.send_now(now),
            }
        }
    }

    /// Resets all figures.
    fn clear(&mut self, now: Mono) {
        self.engine.clear_counters();
        self.take_samples();
        self.hand_over_rows();
        self.started = pair();
        self.counted_below = self.engine.counted_below();
        self.recorder = recorder(&self.plan, self.plan.phase.unwrap_or_default());
        self.refusals = RefusalCounts::default();
        self.pace = Pace::default();
        self.waits = WaitSum::default();
        self.records_dropped = 0;
        self.last_round_trip_ns = None;
        self.row_due = None;
        self.progress_due = now;
        let at = self.started.wall;
        self.record(Record::Begun { at });
    }

    /// Hands over the rows of intervals that are over, without waiting for the last fates of their packets.
    fn hand_over_rows(&mut self) {
        let facts = SeriesFacts::of(&self.plan);
        let waits = facts.config(self.plan.rows, None, true).waits;
        let later = pair().wall + Delta::from_duration(waits.row());
        if let Some(rows) = self.recorder.rows() {
            self.shared.add_rows(iter::from_fn(|| rows.close(later)));
        }
    }
}

//! What the records alone show of a session whose end is not in the file.

use std::time::Duration;

use twinpath_metrics::Record;
use twinpath_proto::sender::SenderCounters;
use twinpath_report::SessionReport;
use twinpath_wire::{Fate, Wall};

/// Counts of a session as its records come.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Replay {
    counters: SenderCounters,
    begun: Option<Wall>,
    first_departure: Option<Wall>,
    last_departure: Option<Wall>,
    newest: Option<Wall>,
}

impl Replay {
    pub(super) fn record(&mut self, record: &Record) {
        let counters = &mut self.counters;
        let at = match record {
            Record::Begun { at } => {
                self.begun.get_or_insert(*at);
                *at
            }
            Record::Sample(sample) => {
                match sample.fate {
                    Fate::Received => counters.received += 1,
                    Fate::Lost => counters.lost += 1,
                    Fate::Late => {
                        counters.lost += 1;
                        counters.late += 1;
                    }
                    Fate::Duplicate => counters.duplicates += 1,
                    Fate::Unawaited => counters.unawaited += 1,
                }
                counters.sent = counters.received + counters.lost + counters.unawaited;
                let t1 = sample.t1.at;
                self.first_departure = Some(self.first_departure.map_or(t1, |first| first.min(t1)));
                self.last_departure = Some(self.last_departure.map_or(t1, |last| last.max(t1)));
                sample.t4.map_or(t1, |t4| t4.at)
            }
            Record::NotSent { at, .. } => {
                counters.send_errors += 1;
                *at
            }
            Record::SourceChange { at } => *at,
            Record::ClockStep {
                now, by, suspended, ..
            } => {
                if *suspended {
                    counters.suspensions += 1;
                    counters.suspended_ns = counters.suspended_ns.saturating_add(by.abs_ns());
                } else {
                    counters.clock_steps += 1;
                }
                *now
            }
            Record::Missed { count, now, .. } => {
                counters.slots_skipped = counters.slots_skipped.saturating_add(*count);
                *now
            }
        };
        self.newest = Some(self.newest.map_or(at, |newest| newest.max(at)));
    }

    /// The last moment that anything is known of.
    pub(super) fn newest(&self) -> Wall {
        self.newest.unwrap_or_default()
    }

    /// Nothing happened.
    pub(super) fn is_empty(&self) -> bool {
        self.newest.is_none()
    }

    /// Puts its counts, and what is known of its times, into the report.
    pub(super) fn complete(&self, report: &mut SessionReport, asked: Option<u64>) {
        let span = |from: Option<Wall>, to: Option<Wall>| {
            let span = from.zip(to).map_or(0, |(from, to)| (to - from).ns());
            Duration::from_nanos(u64::try_from(span).unwrap_or(0))
        };
        report.counters = self.counters;
        report.counters.asked = asked;
        if asked.is_none() {
            report.counters.slots_left_out = report.counters.slots_skipped;
        }
        report.started = self.begun.or(self.first_departure).unwrap_or_default();
        report.duration = span(self.first_departure.or(self.begun), self.newest);
        let seconds = span(self.first_departure, self.last_departure).as_secs_f64();
        #[expect(
            clippy::cast_precision_loss,
            reason = "a rate is shown with a few digits"
        )]
        let gaps = report.counters.sent.saturating_sub(1) as f64;
        report.achieved_pps = (seconds > 0.0 && gaps > 0.0).then(|| gaps / seconds);
    }
}

//! When a session is over: each figure has an end of observation of its own.
//!
//! A packet is lost once its own timeout has passed. A late reply and a further copy are looked for
//! until the timeout after the last departure, where there is reason to: a packet is still without a
//! reply, or copies were seen.

use std::time::Duration;

use twinpath_wire::Mono;

use super::config::{lingering, patience};
use super::engine::SessionSender;
use super::in_flight::Slot;

/// How much longer replies are looked for where there was none.
const NO_REPLY_WAIT: Duration = Duration::from_secs(1);
/// How long a copy of the last reply is looked for in a run without losses and without copies.
const COPY_WAIT: Duration = Duration::from_millis(100);

impl SessionSender {
    /// Sends nothing more. What was sent is waited for as at any other end.
    pub fn stop_sending(&mut self) {
        self.slots.stop();
        self.cut_short = true;
    }

    /// Ends the session at once: nothing more is sent or waited for. Packets younger than the timeout
    /// are neither sent nor lost but counted in flight (row M-4).
    pub fn stop(&mut self, now: Mono) {
        self.now = self.now.max(now);
        self.stop_sending();
        self.stopped = true;
        self.release_all();
        let youngest = self.now - self.config.timeout;
        for seq in self.in_flight.numbers() {
            match self.in_flight.get_mut(seq) {
                Some(Slot::Flying(flight)) if flight.overdue => {}
                Some(Slot::Flying(flight)) if flight.sent() < youngest => {
                    flight.overdue = true;
                    self.counters.lost += 1;
                }
                Some(slot @ Slot::Flying(_)) => {
                    *slot = Slot::Done;
                    self.counters.sent = self.counters.sent.saturating_sub(1);
                    self.counters.in_flight += 1;
                }
                Some(slot @ Slot::Prepared { .. }) => *slot = Slot::Done,
                Some(Slot::AwaitingStamp { .. } | Slot::Answered { .. } | Slot::Done) | None => {}
            }
        }
        self.in_flight.close_settled();
    }

    /// How long after its sending a packet without a reply is lost.
    pub(super) fn patience(&self) -> Duration {
        patience(self.config.timeout)
    }

    /// How long after its sending a lost packet may still become a late one, and a copy of a reply is
    /// counted as one.
    pub(super) fn lingering(&self) -> Duration {
        lingering(self.config.timeout)
    }

    /// Every packet that there will be was sent, and was answered or counted lost (samples that wait
    /// for stamps aside): until when late replies and copies are looked for. `None`: not so far yet.
    pub(super) fn observed_until(&self) -> Option<Mono> {
        if self.slots.next_due().is_some() || !self.in_flight.all_closed() {
            return None;
        }
        let Some(last) = self.last_departure.filter(|_| !self.stopped) else {
            return Some(self.now);
        };
        if self.linger.is_empty() && self.counters.duplicates == 0 {
            let last_reply = self.last_reply.unwrap_or(last);
            return Some(last_reply + COPY_WAIT.min(self.config.timeout));
        }
        let none = self.counters.received == 0 && !self.cut_short;
        let longer = if none { NO_REPLY_WAIT } else { Duration::ZERO };
        Some(last + self.patience().saturating_add(longer))
    }

    /// Nothing more is looked for.
    pub(super) fn is_observed(&self) -> bool {
        self.observed_until().is_some_and(|until| until <= self.now)
    }
}

//! When a session is over: each figure has its own end of observation.
//!
//! A packet is lost once its own timeout has passed. Late replies and further copies are awaited
//! until one timeout after the last departure, but only if a packet is still without a reply or
//! copies have arrived.

use std::time::Duration;

use twinpath_wire::Mono;

use super::config::{late_reply_wait, loss_wait};
use super::engine::SessionSender;
use super::in_flight::Slot;

/// How much longer replies are awaited if there was none.
const NO_REPLY_WAIT: Duration = Duration::from_secs(1);
/// How long a copy of the last reply is awaited in a run without losses and copies.
const COPY_WAIT: Duration = Duration::from_millis(100);

impl SessionSender {
    /// Stops sending. Replies to packets already sent are awaited as at any other end.
    pub fn stop_sending(&mut self) {
        self.slots.stop();
        if let Some(report) = self.report_timer() {
            report.end();
        }
        self.cut_short = true;
    }

    /// Ends the session at once: nothing more is sent or awaited. Packets sent less than the
    /// timeout ago are counted in flight, neither sent nor lost (row M-4).
    pub fn stop(&mut self, now: Mono) {
        self.now = self.now.max(now);
        self.stop_sending();
        self.stopped = true;
        self.decide_all_waiting();
        let youngest = self.now - self.config.timeout;
        for seq in self.in_flight.numbers() {
            match self.in_flight.get_mut(seq) {
                Some(Slot::Flying(flight)) if flight.overdue => {}
                Some(Slot::Flying(flight)) if self.awaits_none || flight.sent() < youngest => {
                    flight.overdue = true;
                    self.count_overdue(1);
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
        self.in_flight.skip_closed();
    }

    /// How long after its departure a packet without a reply is lost.
    pub(super) fn loss_wait(&self) -> Duration {
        if self.awaits_none && self.slots.next_due().is_none() {
            return COPY_WAIT.min(self.config.timeout);
        }
        loss_wait(self.config.timeout)
    }

    /// Packets got no reply in time.
    pub(super) fn count_overdue(&mut self, packets: u64) {
        if self.awaits_none {
            self.counters.unawaited += packets;
        } else {
            self.counters.lost += packets;
        }
    }

    /// One of them got one, or was not sent.
    pub(super) fn recall_overdue(&mut self) {
        let counters = &mut self.counters;
        let count = if self.awaits_none {
            &mut counters.unawaited
        } else {
            &mut counters.lost
        };
        *count = count.saturating_sub(1);
    }

    /// How long after its departure a lost packet may still become a late one, and a copy of a
    /// reply is counted as one.
    pub(super) fn late_reply_wait(&self) -> Duration {
        late_reply_wait(self.config.timeout)
    }

    /// Until when late replies and copies are awaited, once all packets are sent and answered or
    /// counted lost (ignoring samples that wait for timestamps). `None` before that.
    pub(super) fn observed_until(&self) -> Option<Mono> {
        if self.next_departure().is_some() || !self.in_flight.all_closed() {
            return None;
        }
        let Some(last) = self.last_departure.filter(|_| !self.stopped) else {
            return Some(self.now);
        };
        let last_reply = self.last_reply.unwrap_or(last);
        // Replies to the last request may be many, and follow each other slowly.
        let others = self
            .tlvs
            .as_ref()
            .map(|tlvs| tlvs.reader.bursts.remaining());
        let others = last_reply + others.unwrap_or_default();
        if self.linger.is_empty() && self.counters.duplicates == 0 {
            return Some(others + COPY_WAIT.min(self.config.timeout));
        }
        let none = self.counters.received == 0 && !self.cut_short;
        let longer = if none { NO_REPLY_WAIT } else { Duration::ZERO };
        Some(others.max(last + self.loss_wait().saturating_add(longer)))
    }

    /// Whether no more replies are awaited.
    pub(super) fn is_observed(&self) -> bool {
        self.observed_until().is_some_and(|until| until <= self.now)
    }
}

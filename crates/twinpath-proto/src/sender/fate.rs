//! Decides the fate of a first reply: when its T1 is final, whether it arrived in time and whether
//! its times are credible.

use std::time::Duration;

use twinpath_wire::{Delta, Exclusion, Fate, Mono, Rung, Sample, Stamp, WireTime};

use super::engine::SessionSender;
use super::in_flight::{Flight, Slot};
use super::outbox::{Facts, Wait};

/// How far T3 - T2 may exceed T4 - T1 before the far clock counts as not credible. Timestamps are a
/// few microseconds off, most of all T3, which is read before the packet leaves or advanced by an
/// estimate. On a short path, a round trip can then be slightly negative, and excluding it would
/// bias the delays upwards (row M-10).
pub const STAMP_ERROR: Delta = Delta::from_ns(100_000);
/// How long a reply waits for the kernel's timestamp of its T1.
const STAMP_WAIT: Duration = Duration::from_millis(100);
/// How long it waits for a better one after the first.
const BETTER_STAMP_WAIT: Duration = Duration::from_millis(10);

/// Why the times of a reply are left out of the delays: the clock stepped between them, or the time that
/// the packet stayed with the reflector is not credible (row M-10).
pub fn exclusion(sample: &Sample, stepped: bool) -> Option<Exclusion> {
    let way = sample.t4.map_or(Delta::ZERO, |t4| t4.at - sample.t1.at);
    let residence = sample.residence().unwrap_or_default();
    let is_credible = residence >= Delta::ZERO && residence <= way + STAMP_ERROR;
    if stepped {
        Some(Exclusion::ClockStep)
    } else {
        (!is_credible).then_some(Exclusion::Implausible)
    }
}

impl SessionSender {
    /// A first reply, complete except for its T1, which may still improve, and its fate.
    pub(super) fn admit(
        &mut self,
        sample: Sample,
        flight: &Flight,
        now: Mono,
        awaits_follow_up: bool,
    ) {
        let overdue = flight.overdue;
        let wire_t1 = flight.wire_t1();
        let facts = Facts {
            elapsed: now.since(flight.sent()),
            stepped: sample.seq < self.stepped_below,
            overdue,
        };
        let awaits_t1 = self.config.await_tx_stamps && !overdue && !self.is_final(sample.t1.rung);
        let follow_up_until = (awaits_follow_up && !overdue).then(|| self.follow_up_until(now));
        let stamp_wait = if sample.t1.rung == Rung::User {
            STAMP_WAIT
        } else {
            BETTER_STAMP_WAIT
        };
        let wait = Wait {
            until: now + stamp_wait,
            has_t1: !awaits_t1,
            follow_up_until,
            facts,
        };
        if !awaits_t1 {
            self.close(sample.seq, wire_t1);
        }
        if awaits_t1 || follow_up_until.is_some() {
            let position = self.outbox.push_waiting(sample, wait);
            let wire_t1 = wire_t1.bits();
            if awaits_t1 {
                self.in_flight
                    .set(sample.seq, Slot::AwaitingStamp { position, wire_t1 });
            }
            if let Some(number) = sample.reflector_seq.filter(|_| follow_up_until.is_some()) {
                self.await_follow_up(number, position);
            }
        } else {
            let sample = self.decide(sample, facts);
            self.outbox.push_ready(sample);
        }
        self.in_flight.skip_closed();
        if self.outbox.is_crowded()
            && let Some((position, _)) = self.outbox.first_waiting()
        {
            self.decide_waiting(position);
        }
    }

    /// A packet was answered: from now on only copies are expected, which echo this T1.
    fn close(&mut self, seq: u64, wire_t1: WireTime) {
        match self.in_flight.get_mut(seq) {
            Some(slot) => {
                *slot = Slot::Answered {
                    wire_t1: wire_t1.bits(),
                };
            }
            None => self.answered.mark(seq, wire_t1),
        }
    }

    /// Whether no timestamp better than `rung` is expected, judging by earlier ones.
    fn is_final(&self, rung: Rung) -> bool {
        rung == Rung::Hardware || rung != Rung::User && self.best_rung.is_some_and(|b| rung <= b)
    }

    pub(super) fn improve_waiting(&mut self, position: u64, sent: Stamp) {
        let soon = self.now + BETTER_STAMP_WAIT;
        let settled = self.is_final(sent.rung);
        let Some(pending) = self.outbox.get_mut(position) else {
            return;
        };
        let sample = &mut pending.item;
        if sent.rung < sample.t1.rung {
            if let Some(wait) = &mut pending.wait {
                wait.until = wait.until.min(soon);
                if !wait.facts.stepped {
                    sample.departure = sample.departure + (sent.at - sample.t1.at);
                }
            }
            sample.t1 = sent;
            if settled {
                self.settle_t1(position);
            }
        }
    }

    /// T1 of a waiting sample is final.
    fn settle_t1(&mut self, position: u64) {
        let Some(pending) = self.outbox.get_mut(position) else {
            return;
        };
        let seq = pending.item.seq;
        let Some(wait) = &mut pending.wait else {
            return;
        };
        wait.has_t1 = true;
        if wait.follow_up_until.is_none() {
            self.decide_waiting(position);
        } else if let Some(&Slot::AwaitingStamp { wire_t1, .. }) = self.in_flight.get(seq) {
            self.close(seq, WireTime::from_bits(wire_t1));
            self.in_flight.skip_closed();
        }
    }

    pub(super) fn decide_all_waiting(&mut self) {
        while let Some((position, _)) = self.outbox.first_waiting() {
            self.decide_waiting(position);
        }
    }

    pub(super) fn decide_waiting(&mut self, position: u64) {
        let Some(pending) = self.outbox.get_mut(position) else {
            return;
        };
        let Some(wait) = pending.wait else { return };
        let sample = pending.item;
        if let Some(&Slot::AwaitingStamp { wire_t1, .. }) = self.in_flight.get(sample.seq) {
            self.close(sample.seq, WireTime::from_bits(wire_t1));
        }
        let sample = self.decide(sample, wait.facts);
        self.outbox.ready(position, sample);
    }

    /// Decides, once T1 is final, whether the reply is in time and credible, and counts it.
    fn decide(&mut self, mut sample: Sample, facts: Facts) -> Sample {
        if sample.t1.rung != Rung::User {
            let best = self.best_rung.unwrap_or(sample.t1.rung);
            self.best_rung = Some(best.min(sample.t1.rung));
        }
        let way = sample.t4.map_or(Delta::ZERO, |t4| t4.at - sample.t1.at);
        let in_time = if facts.stepped {
            facts.elapsed <= self.config.timeout
        } else {
            way <= Delta::from_duration(self.config.timeout)
        };
        sample.excluded = exclusion(&sample, facts.stepped);
        let is_too_long = sample.excluded == Some(Exclusion::Implausible)
            && sample.residence().unwrap_or_default() >= Delta::ZERO;
        self.counters.anomalies.residence_too_long += u64::from(is_too_long);
        sample.fate = if in_time { Fate::Received } else { Fate::Late };
        if sample.seq >= self.counted_below {
            self.count(in_time, facts.overdue);
        }
        sample
    }

    /// A packet was answered.
    fn count(&mut self, in_time: bool, overdue: bool) {
        if overdue {
            self.recall_overdue();
        }
        let counters = &mut self.counters;
        if in_time {
            counters.received += 1;
        } else {
            counters.late += 1;
            counters.lost += 1;
        }
    }
}

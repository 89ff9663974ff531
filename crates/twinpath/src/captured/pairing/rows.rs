//! Rows in the order in which a sender would have known them: one of a reply whose departure may yet be told
//! (RFC 8972 section 4.7) holds back those after it.

use twinpath_metrics::Record;
use twinpath_proto::extension::{FollowUp, ReplyReader};
use twinpath_proto::sender::exclusion;
use twinpath_wire::{Delta, Fate, Sample, Wall};

use super::samples::{lost, number};
use super::seen::Sighting;
use super::tlvs::Taught;
use super::{Flight, Pairing};
use crate::captured::layout::Reply;
use crate::saved::Row;

/// Rows that are held back at most, over all sessions; beyond that the oldest waits no longer.
const HELD: usize = 1 << 16;

/// What a row waits for: a later reply that says when its own left.
#[derive(Clone, Copy, Debug)]
pub(super) struct Awaited {
    /// By the capture's clock before its steps.
    until: Wall,
    /// The clock stepped between request and reply.
    stepped: bool,
}

impl Pairing<'_> {
    /// The row of an answered packet. `stepped`: the clock did between request and reply.
    pub(super) fn push_answered(
        &mut self,
        place: usize,
        sample: Sample,
        taught: Taught,
        stepped: bool,
    ) {
        let row = Row {
            session: number(place),
            record: Record::Sample(sample),
            tlvs: taught.tlvs,
        };
        let tells = taught.observation.tells_departures && sample.fate == Fate::Received;
        let known = self.known.get(place);
        let Some(session) = self.sessions.get_mut(place) else {
            return;
        };
        let reader = session.reader.as_mut().filter(|_| tells);
        let (Some(reader), Some(own)) = (reader, sample.reflector_seq) else {
            self.outbox.push_ready(row);
            return;
        };
        let run = known.map_or(&session.run, |known| &known.run);
        let wait = Delta::from_duration(ReplyReader::follow_up_wait(run.interval()));
        let until = self.now + wait;
        let position = self.outbox.push_waiting(row, Awaited { until, stepped });
        let over = reader.await_departure(own, position);
        if let Some(position) = over {
            self.decide(position);
        }
        while self.outbox.len() > HELD
            && let Some((position, _)) = self.outbox.first_waiting()
        {
            self.decide(position);
        }
    }

    /// A reply tells when an earlier one left.
    pub(super) fn follow_up(&mut self, place: usize, told: FollowUp, reply: &Reply, at: Wall) {
        let session = self.sessions.get_mut(place);
        let Some(reader) = session.and_then(|session| session.reader.as_mut()) else {
            return;
        };
        let Some(position) = reader.departed(told) else {
            return;
        };
        if let Some(pending) = self.outbox.get_mut(position)
            && let Record::Sample(sample) = &mut pending.item.record
        {
            let (format, offset_s) = (reply.error.format(), reply.tai_offset_s(at));
            let later = reader.correct(sample, told, format, offset_s);
            if let (Some(later), Some(tlvs)) = (later, &mut pending.item.tlvs) {
                tlvs.correction = Some(later);
            }
        }
        self.decide(position);
    }

    /// Rows that do not wait any longer at this moment.
    pub(super) fn decide_due(&mut self, now: Wall) {
        while let Some((position, awaited)) = self.outbox.first_waiting()
            && awaited.until <= now
        {
            self.decide(position);
        }
    }

    /// No reply comes any more.
    pub(super) fn decide_all(&mut self) {
        while let Some((position, _)) = self.outbox.first_waiting() {
            self.decide(position);
        }
    }

    /// A row waits no longer.
    fn decide(&mut self, position: u64) {
        let Some(pending) = self.outbox.get_mut(position) else {
            return;
        };
        let Some(Awaited { stepped, .. }) = pending.wait else {
            return;
        };
        if let Record::Sample(sample) = &mut pending.item.record {
            sample.excluded = exclusion(sample, stepped);
        }
        self.outbox.settle(position);
    }

    /// The clock may have stepped before this packet; the next request has the number `first_seq`.
    pub(super) fn step(&mut self, place: usize, sighting: &Sighting, first_seq: u64) {
        let Some(session) = self.sessions.get_mut(place) else {
            return;
        };
        if sighting.shift.steps > session.shift.steps {
            let by = sighting.captured() - sighting.at - session.shift.by;
            session.shift = sighting.shift;
            self.outbox.push_ready(Row {
                session: number(place),
                record: Record::ClockStep {
                    now: sighting.captured(),
                    by,
                    first_seq,
                    suspended: false,
                },
                tlvs: None,
            });
        }
    }

    /// A packet without an answer.
    pub(super) fn record_lost(&mut self, place: usize, seq: u64, flight: &Flight) {
        if let Some(session) = self.sessions.get_mut(place)
            && !flight.asks.awaits_none
        {
            session.by_size.lost(flight.sighting.octets);
        }
        self.outbox.push_ready(lost(place, seq, flight));
    }

    /// The fate of this packet is decided: what was not captured of the numbers before it is missing.
    pub(super) fn pass(&mut self, place: usize, seq: u64, sighting: &Sighting) {
        let at = sighting.at;
        let Some(session) = self.sessions.get_mut(place) else {
            return;
        };
        let (next, before) = session.next.unwrap_or((seq, at));
        if seq < next {
            return;
        }
        session.next = Some((seq + 1, before.max(at)));
        let there = session.flights.range(next..seq).count() as u64;
        let count = (seq - next).saturating_sub(there);
        if count > 0 {
            session.counts.missing_requests += count;
            // They were due between the packets around them.
            let apart = (at - before).ns() / i64::try_from(seq - next + 1).unwrap_or(i64::MAX);
            self.outbox.push_ready(Row {
                session: number(place),
                record: Record::Missed {
                    count,
                    since: before + Delta::from_ns(apart) + sighting.shift.by,
                    now: sighting.captured(),
                },
                tlvs: None,
            });
        }
    }
}

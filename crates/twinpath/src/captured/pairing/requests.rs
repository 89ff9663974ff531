//! Requests: another packet of a session, the first of the next, or a copy.

use std::cmp::Ordering;
use std::collections::BTreeMap;

use super::super::evidence::{MAX_GAP, is_near};
use super::super::session::Run;
use super::samples::number;
use super::seen::{AsRequest, Seen, Sighting};
use super::sizes::BySize;
use super::traffic::Sent;
use super::{COPY_WITHIN, Flight, Pairing, REPLIES, SESSIONS, Session};
use crate::output::captures::SessionCounts;
use crate::saved::Row;
use twinpath_metrics::Record;
use twinpath_proto::sender::ReplyAnomalies;

/// Runs of a flow whose replies may still come, at most.
const RUNS: usize = 64;

/// Packets that wait for others of their session, at most.
const HELD: usize = 1_024;

impl Pairing<'_> {
    /// A packet that can be a request. One that is far from all others waits: for one that its number
    /// goes on to, or a reply. Alone, it is of no session.
    pub(super) fn admit(&mut self, seen: &Seen, request: &AsRequest) {
        let is_timed = is_near(request.name.t1, seen.sighting.at);
        let goes_on = |held: &Seen| {
            let at = held.sighting.at;
            held.request.is_some_and(|held| {
                let ahead = request.name.seq.wrapping_sub(held.name.seq);
                (held.flow, held.layout) == (request.flow, request.layout)
                    && (1..=MAX_GAP).contains(&ahead)
                    && is_near(held.name.t1, at) == is_timed
            })
        };
        match self.held.iter().rev().find(|held| goes_on(held)) {
            Some(held) => {
                if let Some(held) = held.request {
                    self.release(&held);
                }
            }
            None if !self.is_likely(&seen.sighting, request) => {
                if self.held.len() >= HELD {
                    self.held.pop_front();
                    self.counts.foreign += 1;
                }
                self.held.push_back(seen.clone());
                return;
            }
            None => {}
        }
        self.join(seen, request);
    }

    /// A packet that waited, and its copies, are of a session.
    pub(super) fn release(&mut self, named: &AsRequest) {
        let is = |held: &Seen| {
            held.request.is_some_and(|held| {
                (held.flow, held.layout) == (named.flow, named.layout) && held.name.is(&named.name)
            })
        };
        while let Some(place) = self.held.iter().position(is) {
            let held = self.held.remove(place);
            if let Some((seen, request)) = held.and_then(|seen| {
                let request = seen.request?;
                Some((seen, request))
            }) {
                self.join(&seen, &request);
            }
        }
    }

    /// Whether it is a packet of a session by itself: one that is near the others, or the first of a run.
    fn is_likely(&self, sighting: &Sighting, request: &AsRequest) -> bool {
        let Some(flow) = self.flows.get(request.flow) else {
            return false;
        };
        let (name, at) = (&request.name, sighting.at);
        let mut runs = flow.sessions.iter().filter_map(|place| {
            let run = &self.sessions.get(*place)?.run;
            run.is_of(request.layout, request.kind).then_some(run)
        });
        let begins = name.seq <= 1 || flow.sessions.is_empty();
        begins && is_near(name.t1, at)
            || runs.any(|run| run.is_near(run.extended(name.seq), name.t1, at))
    }

    fn join(&mut self, seen: &Seen, request: &AsRequest) {
        if self.request(&seen.sighting, request) {
            self.counts.used += 1;
            self.counts.cut_used += u64::from(seen.is_cut);
        } else {
            self.counts.beyond += 1;
        }
    }

    /// A request: another packet of a session, the first of the next, or a copy. False where there is
    /// no room for another session.
    fn request(&mut self, sighting: &Sighting, request: &AsRequest) -> bool {
        if self.is_copy(sighting, request) {
            return true;
        }
        if let Some(place) = self.fitting(sighting, request) {
            self.depart(place, sighting, request);
        } else if !self.begin(sighting, request) {
            return false;
        }
        self.answer_early(request);
        true
    }

    /// Whether this very packet is in flight: it was captured more than once.
    fn is_copy(&mut self, sighting: &Sighting, request: &AsRequest) -> bool {
        let Some(flow) = self.flows.get(request.flow) else {
            return false;
        };
        for place in flow.sessions.iter().rev() {
            let Some(session) = self.sessions.get_mut(*place) else {
                continue;
            };
            if !session.run.is_of(request.layout, request.kind) {
                continue;
            }
            let seq = session.run.extended(request.name.seq);
            let Some(flight) = session.flights.get_mut(&seq) else {
                continue;
            };
            if !flight.name.is(&request.name) || !flight.sighting.is_alike(sighting) {
                continue;
            }
            let soon = sighting.at - flight.sighting.at <= COPY_WITHIN;
            let here = sighting.interface == flight.sighting.interface;
            // A sender whose clock has stopped writes the same octets again in its next run.
            if here && !soon && session.run.is_without_clock() {
                continue;
            }
            let again = here && soon;
            session.run.copied(again);
            session
                .run
                .request_at(sighting.interface, sighting.ttl, false);
            session.counts.captured_again += 1;
            self.counts.copies += 1;
            let place = self.known.get(*place).and_then(|known| known.run.place());
            if place == Some(sighting.interface) && !flight.in_place {
                flight.sighting = *sighting;
                flight.in_place = true;
            }
            return true;
        }
        false
    }

    /// The session that it goes on with.
    fn fitting(&self, sighting: &Sighting, request: &AsRequest) -> Option<usize> {
        let flow = self.flows.get(request.flow)?;
        let mut best = None;
        for (age, place) in flow.sessions.iter().rev().enumerate() {
            let session = self.sessions.get(*place)?;
            let run = &session.run;
            let is_over = age > 0 && run.is_over(sighting.at, self.timeout);
            if is_over || !run.is_of(request.layout, request.kind) {
                continue;
            }
            let seq = run.extended(request.name.seq);
            if session.flights.contains_key(&seq) {
                continue;
            }
            let fit = run.fit(
                seq,
                request.name.t1,
                request.kind,
                sighting.at,
                self.timeout,
            );
            if let Some(fit) = fit
                && best.is_none_or(|(known, _)| fit < known)
            {
                best = Some((fit, *place));
            }
        }
        best.map(|(_, place)| place)
    }

    fn begin(&mut self, sighting: &Sighting, request: &AsRequest) -> bool {
        if self.sessions.len() >= SESSIONS {
            return false;
        }
        let Some(flow) = self.flows.get_mut(request.flow) else {
            return false;
        };
        let place = self.sessions.len();
        if flow.sessions.len() >= RUNS {
            flow.sessions.pop_front();
        }
        flow.sessions.push_back(place);
        let known = self.known.get(place);
        let hmacs = known.and_then(|known| known.hmacs);
        let uses_key = hmacs.is_some_and(|hmacs| hmacs.decides());
        let is_signed = known.is_some_and(|known| known.is_signed);
        self.sessions.push(Session {
            flow: request.flow,
            run: Run::new(
                flow.ends,
                (request.layout, request.kind, request.time_format),
                (sighting.at, request.name.seq, request.name.t1),
                (sighting.tos, sighting.ttl, sighting.octets),
            ),
            shift: sighting.shift,
            flights: BTreeMap::new(),
            under_way: 0,
            counts: SessionCounts::default(),
            next: None,
            answered_ahead: 0,
            by_size: BySize::default(),
            sent: Sent::default(),
            reader: None,
            uses_key,
            is_signed,
            hmacs: None,
            anomalies: ReplyAnomalies::default(),
            has_replies: false,
            far_error: None,
            asks: request.asks,
        });
        self.outbox.push_ready(Row {
            session: number(place),
            record: Record::Begun {
                at: sighting.captured(),
            },
            tlvs: None,
        });
        self.depart(place, sighting, request);
        true
    }

    fn depart(&mut self, place: usize, sighting: &Sighting, request: &AsRequest) {
        let at = self.known.get(place).and_then(|known| known.run.place());
        if let Some(session) = self.sessions.get(place) {
            self.step(place, sighting, session.run.extended(request.name.seq));
        }
        let Some(session) = self.sessions.get_mut(place) else {
            return;
        };
        let seq = session.run.extended(request.name.seq);
        if session.run.place_of(seq) == Ordering::Greater {
            session.counts.answered_missing += std::mem::take(&mut session.answered_ahead);
        }
        session.run.departed(seq, request.name.t1, sighting.at);
        session.sent.departed(seq, sighting.at, sighting.octets);
        session.reads(&request.asks);
        session.is_signed |= request.asks.marks.is_signed;
        let signed = [request.layout.is_authenticated(), session.is_signed];
        if signed.contains(&true) {
            let hmacs = session.hmacs.get_or_insert_default();
            hmacs.count_request(request.hmacs, signed);
        }
        session
            .run
            .request_at(sighting.interface, sighting.ttl, true);
        let flight = Flight {
            name: request.name,
            sighting: *sighting,
            in_place: at == Some(sighting.interface),
            answered: false,
            asks: request.asks,
            seen_at: None,
            replies: [None; REPLIES],
        };
        session.flights.insert(seq, flight);
        self.ending.push_back((place, seq));
    }
}

//! Requests: another packet of a session, the first of the next, or a copy.

use std::cmp::Ordering;
use std::collections::BTreeMap;

use super::super::session::Run;
use super::samples::number;
use super::seen::{AsRequest, Sighting};
use super::sizes::BySize;
use super::{COPY_WITHIN, Flight, Pairing, REPLIES, SESSIONS, Session};
use crate::saved::Row;
use twinpath_metrics::Record;

/// Runs of a flow whose replies may still come, at most.
const RUNS: usize = 64;

impl Pairing<'_> {
    /// A request: another packet of a session, the first of the next, or a copy. False where there is
    /// no room for another session.
    pub(super) fn request(&mut self, sighting: &Sighting, request: &AsRequest) -> bool {
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
            // A sender whose clock stands writes the same octets again in its next run.
            if here && !soon && session.run.is_without_clock() {
                continue;
            }
            let again = here && soon;
            session.run.copied(again);
            session
                .run
                .request_at(sighting.interface, sighting.ttl, false);
            session.copies += 1;
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
        self.sessions.push(Session {
            flow: request.flow,
            run: Run::new(
                flow.ends,
                (request.layout, request.kind),
                (sighting.at, request.name.seq, request.name.t1),
                (sighting.tos, sighting.ttl, sighting.octets),
            ),
            flights: BTreeMap::new(),
            under_way: 0,
            copies: 0,
            cut_replies: 0,
            early_replies: 0,
            next: None,
            missing: 0,
            answered_missing: 0,
            answered_ahead: 0,
            by_size: BySize::default(),
        });
        self.rows.push_back(Row {
            session: number(place),
            record: Record::Begun { at: sighting.at },
        });
        self.depart(place, sighting, request);
        true
    }

    fn depart(&mut self, place: usize, sighting: &Sighting, request: &AsRequest) {
        let at = self.known.get(place).and_then(|known| known.run.place());
        let Some(session) = self.sessions.get_mut(place) else {
            return;
        };
        let seq = session.run.extended(request.name.seq);
        if session.run.place_of(seq) == Ordering::Greater {
            session.answered_missing += std::mem::take(&mut session.answered_ahead);
        }
        session.run.departed(seq, request.name.t1, sighting.at);
        session
            .run
            .request_at(sighting.interface, sighting.ttl, true);
        let flight = Flight {
            name: request.name,
            sighting: *sighting,
            in_place: at == Some(sighting.interface),
            answered: false,
            seen_at: None,
            replies: [None; REPLIES],
        };
        session.flights.insert(seq, flight);
        self.ending.push_back((place, seq));
    }
}

//! Requests and replies of the sessions of a capture, one with the other: what a sender would have
//! known, in the order in which it would have known it.
//!
//! A capture is gone through twice: sessions come up on the way, and at which interface the times of
//! one are best taken is known only at its end.

use std::collections::{BTreeMap, HashMap, VecDeque};
use std::hash::{DefaultHasher, Hash as _, Hasher as _};
use std::time::Duration;

use twinpath_metrics::Record;
use twinpath_proto::sender::STAMP_ERROR;
use twinpath_wire::{
    Delta, Exclusion, Fate, ReplyTimes, Rung, Sample, SenderOpen, Stamp, StampSender,
    TWAMP_TEST_PORT, Tos, Wall,
};

use super::finding::{Ends, Found, LAYOUTS, is_cut, is_cut_as};
use super::frame::Datagram;
use super::layout::{Layout, Name, Reply};
use super::order::{Sorter, Timed};
use super::session::{Kind, Run};
use crate::saved::Row;

/// Packets whose fate is open, over all sessions, at most; the oldest are lost then.
const OPEN: usize = 1 << 20;
/// Sessions reported at most.
pub(super) const SESSIONS: usize = 4_096;
/// Runs of a flow whose replies may still come, at most.
const RUNS: usize = 64;
/// Octets of a packet that two copies of it are compared by.
const COMPARED: usize = 64;
/// Replies to one packet that copies are looked for among.
const REPLIES: usize = 4;
/// How long after a packet a mirror port, or a router, shows it again.
const COPY_WITHIN: Delta = Delta::from_ns(100_000_000);
/// Later packets whose replies came before the capture ended, by which an unanswered one is lost.
const OVERTAKEN_BY: usize = 3;
/// How long before its request a reply is stamped at most, where two taps or interrupts that come
/// together put the times of a capture out of order.
const EARLY_BY: Delta = Delta::from_ns(100_000_000);
/// Replies that wait for their requests, at most.
const EARLY: usize = 1_024;
/// Packets whose fate is decided that are remembered, by which replies that come later are known.
const GONE: usize = 1 << 16;
/// Flags of a TLV as a sender writes it: U (RFC 8972 section 4.2).
const TLV_UNRECOGNIZED: u8 = 0x80;

/// How a packet was seen.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Sighting {
    at: Wall,
    interface: u32,
    ttl: u8,
    tos: Tos,
    /// Of its first octets, and how many of them were captured.
    digest: u64,
    digested: usize,
    octets: usize,
}

impl Sighting {
    fn new(at: Wall, interface: u32, datagram: &Datagram<'_>) -> Self {
        let payload = datagram.payload;
        let first = payload.get(..COMPARED).unwrap_or(payload);
        let mut hasher = DefaultHasher::new();
        first.hash(&mut hasher);
        Self {
            at,
            interface,
            ttl: datagram.ttl,
            tos: datagram.tos,
            digest: hasher.finish(),
            digested: first.len(),
            octets: datagram.octets,
        }
    }

    /// Whether its octets are those of the other, as far as both were captured.
    fn is_alike(&self, other: &Self) -> bool {
        self.octets == other.octets
            && (self.digested != other.digested || self.digest == other.digest)
    }

    /// Whether a router passed the other one on, or is about to.
    fn is_a_hop_from(&self, other: &Self) -> bool {
        self.ttl.abs_diff(other.ttl) == 1
    }
}

#[derive(Clone, Copy, Debug)]
struct AsRequest {
    flow: usize,
    layout: Layout,
    kind: Kind,
    name: Name,
}

#[derive(Clone, Copy, Debug)]
struct AsReply {
    flow: usize,
    layout: Layout,
    ssid: u16,
    reply: Reply,
}

/// A packet of a session, as either or both.
#[derive(Clone, Copy, Debug)]
struct Seen {
    sighting: Sighting,
    request: Option<AsRequest>,
    reply: Option<AsReply>,
    /// It looks as if it could not be read as a reply for what was cut off.
    is_cut: bool,
    /// The flow that it would have been a reply in.
    cut_reply: Option<usize>,
}

impl Timed for Seen {
    fn at(&self) -> Wall {
        self.sighting.at
    }

    fn rank(&self) -> u8 {
        u8::from(self.reply.is_some())
    }
}

/// A packet between its request and twice the timeout.
#[derive(Clone, Copy, Debug)]
struct Flight {
    name: Name,
    sighting: Sighting,
    /// The request was seen where times are taken.
    in_place: bool,
    answered: bool,
    /// The interface that saw its first reply first.
    seen_at: Option<u32>,
    replies: [Option<Sighting>; REPLIES],
}

#[derive(Debug)]
struct Session {
    flow: usize,
    run: Run,
    flights: BTreeMap<u64, Flight>,
    under_way: u64,
    copies: u64,
    cut_replies: u64,
    early_replies: u64,
}

impl Session {
    /// Packets below this number were overtaken by several that are answered.
    fn overtaken(&self) -> Option<u64> {
        let answered = self
            .flights
            .iter()
            .rev()
            .filter(|(_, flight)| flight.answered);
        answered.map(|(seq, _)| *seq).nth(OVERTAKEN_BY - 1)
    }
}

/// A session as a first pass through a capture found it.
#[derive(Clone, Debug)]
pub(super) struct Known {
    pub(super) run: Run,
    /// Packets whose fate was open at the end.
    pub(super) under_way: u64,
    /// Packets that were captured more than once.
    pub(super) copies: u64,
    /// Replies, perhaps, that are cut too short to be read.
    pub(super) cut_replies: u64,
    /// Replies that were captured before their requests, by their times.
    pub(super) early_replies: u64,
}

#[derive(Debug)]
struct Flow {
    ends: Ends,
    layouts: Found,
    /// Its sessions, the latest last.
    sessions: VecDeque<usize>,
}

/// What became of packets beside rows.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Counts {
    /// Requests and replies of sessions, copies included.
    pub(super) used: u64,
    /// Of those, packets that looked too short to be read as replies: requests, mostly.
    pub(super) cut_used: u64,
    pub(super) copies: u64,
    pub(super) unmatched: u64,
    /// Replies that came more than twice the timeout after their requests.
    pub(super) late: u64,
    /// Packets of sessions beyond the bound.
    pub(super) beyond: u64,
    pub(super) out_of_order: u64,
    pub(super) out_of_window: u64,
}

/// Pairs the packets of all sessions.
#[derive(Debug)]
pub(super) struct Pairing<'a> {
    flows: Vec<Flow>,
    by_ends: HashMap<Ends, usize>,
    sessions: Vec<Session>,
    /// What the pass before has found.
    known: &'a [Known],
    sorter: Sorter<Seen>,
    /// Flights in the order in which they end.
    ending: VecDeque<(usize, u64)>,
    /// Replies without a request, which may yet come.
    early: VecDeque<Seen>,
    /// Packets whose fate is decided, by flow and number, and in the order in which it was.
    gone: HashMap<(usize, u32), (Layout, Name)>,
    gone_first: VecDeque<(usize, u32)>,
    timeout: Delta,
    now: Wall,
    rows: VecDeque<Row>,
    counts: Counts,
}

impl<'a> Pairing<'a> {
    /// `known`: the sessions that a pass before this one has found; empty for the first.
    pub(super) fn new(
        flows: &BTreeMap<Ends, Found>,
        timeout: Duration,
        known: &'a [Known],
    ) -> Self {
        let by_ends = flows.keys().zip(0..).map(|(ends, place)| (*ends, place));
        Self {
            by_ends: by_ends.collect(),
            flows: flows
                .iter()
                .map(|(ends, layouts)| Flow {
                    ends: *ends,
                    layouts: *layouts,
                    sessions: VecDeque::new(),
                })
                .collect(),
            sessions: Vec::new(),
            known,
            sorter: Sorter::new(),
            ending: VecDeque::new(),
            early: VecDeque::new(),
            gone: HashMap::new(),
            gone_first: VecDeque::new(),
            timeout: Delta::from_duration(timeout),
            now: Wall::from_unix_ns(i64::MIN),
            rows: VecDeque::new(),
            counts: Counts::default(),
        }
    }

    /// The next row, until there is none.
    pub(super) fn poll(&mut self) -> Option<Row> {
        self.rows.pop_front()
    }

    /// A packet of the capture, which was seen at this `interface`.
    pub(super) fn look(&mut self, at: Wall, interface: u32, datagram: &Datagram<'_>) {
        let (there, back) = ((datagram.from, datagram.to), (datagram.to, datagram.from));
        let [there, back] = [there, back].map(|ends| self.by_ends.get(&ends).copied());
        if there.is_none() && back.is_none() {
            return;
        }
        let is_cut_reply = |flow: &usize| {
            let layout = self.layout(*flow, datagram);
            layout.is_some_and(|layout| is_cut_as(layout, datagram))
        };
        let seen = Seen {
            sighting: Sighting::new(at, interface, datagram),
            request: there.and_then(|flow| self.as_request(flow, datagram)),
            reply: back.and_then(|flow| self.as_reply(flow, datagram)),
            is_cut: is_cut(datagram),
            cut_reply: back.filter(is_cut_reply),
        };
        self.sorter.push(seen);
        while let Some(seen) = self.sorter.pop(false) {
            self.take(&seen);
        }
    }

    /// The capture is over, at this moment: what might have been answered yet is neither lost nor
    /// anything else, unless replies to several later packets have come.
    pub(super) fn finish(&mut self, end: Wall) {
        while let Some(seen) = self.sorter.pop(true) {
            self.take(&seen);
        }
        self.now = self.now.max(end);
        while let Some(seen) = self.early.pop_front() {
            self.unmatched(&seen);
        }
        let overtaken: Vec<Option<u64>> = self.sessions.iter().map(Session::overtaken).collect();
        while let Some((place, seq)) = self.ending.pop_front() {
            let Some(session) = self.sessions.get_mut(place) else {
                continue;
            };
            let Some(flight) = session.flights.remove(&seq) else {
                continue;
            };
            if flight.answered {
                continue;
            }
            let below = overtaken.get(place).copied().flatten();
            let is_overtaken = below.is_some_and(|below| seq < below);
            if is_overtaken || flight.sighting.at + self.timeout <= self.now {
                self.rows.push_back(lost(place, seq, &flight));
            } else {
                session.under_way += 1;
            }
        }
    }

    pub(super) fn counts(&self) -> Counts {
        Counts {
            out_of_order: self.sorter.out_of_order,
            out_of_window: self.sorter.out_of_window,
            ..self.counts
        }
    }

    /// The sessions, by their first packets.
    pub(super) fn sessions(self) -> Vec<Known> {
        let sessions = self.sessions.into_iter();
        sessions
            .map(|session| Known {
                run: session.run,
                under_way: session.under_way,
                copies: session.copies,
                cut_replies: session.cut_replies,
                early_replies: session.early_replies,
            })
            .collect()
    }

    fn layout(&self, flow: usize, datagram: &Datagram<'_>) -> Option<Layout> {
        let flow = self.flows.get(flow)?;
        let layouts = LAYOUTS.into_iter().zip(flow.layouts);
        let mut found = layouts
            .filter(|(_, found)| *found)
            .map(|(layout, _)| layout);
        let (one, other) = (found.next()?, found.next());
        match other {
            Some(other) if !one.fits(datagram.payload) => Some(other),
            Some(_) | None => Some(one),
        }
    }

    fn as_request(&self, flow: usize, datagram: &Datagram<'_>) -> Option<AsRequest> {
        let layout = self.layout(flow, datagram)?;
        Some(AsRequest {
            flow,
            layout,
            kind: kind(layout, datagram),
            name: layout.request(datagram.payload, datagram.octets)?,
        })
    }

    fn as_reply(&self, flow: usize, datagram: &Datagram<'_>) -> Option<AsReply> {
        let layout = self.layout(flow, datagram)?;
        Some(AsReply {
            flow,
            layout,
            ssid: layout.ssid(datagram.payload),
            reply: layout.reply(datagram.payload, datagram.octets)?,
        })
    }

    fn latest(&mut self, flow: usize) -> Option<&mut Session> {
        let place = *self.flows.get(flow)?.sessions.back()?;
        self.sessions.get_mut(place)
    }

    /// The next packet in order.
    fn take(&mut self, seen: &Seen) {
        self.now = seen.sighting.at;
        self.expire();
        if let Some(reply) = &seen.reply {
            if self.reply(&seen.sighting, reply) {
                self.counts.used += 1;
                self.counts.cut_used += u64::from(seen.is_cut);
                return;
            }
            if seen.request.is_none() {
                self.put_off(seen);
            }
        }
        if let (None, Some(flow)) = (seen.request, seen.cut_reply)
            && let Some(session) = self.latest(flow)
        {
            session.cut_replies += 1;
        }
        if let Some(request) = &seen.request {
            if self.request(&seen.sighting, request) {
                self.counts.used += 1;
                self.counts.cut_used += u64::from(seen.is_cut);
            } else {
                self.counts.beyond += 1;
            }
        }
    }

    /// A reply whose request may come yet.
    fn put_off(&mut self, seen: &Seen) {
        if self.early.len() >= EARLY
            && let Some(oldest) = self.early.pop_front()
        {
            self.unmatched(&oldest);
        }
        self.early.push_back(*seen);
    }

    /// A reply whose request does not come any more: it had come long ago, or is not in the capture.
    fn unmatched(&mut self, seen: &Seen) {
        let Some(reply) = &seen.reply else {
            return;
        };
        let gone = self.gone.get(&(reply.flow, reply.reply.name.seq));
        if gone.is_some_and(|(layout, name)| *layout == reply.layout && name.is(&reply.reply.name))
        {
            self.counts.used += 1;
            self.counts.cut_used += u64::from(seen.is_cut);
            self.counts.late += 1;
        } else {
            self.counts.unmatched += 1;
        }
    }

    /// Takes the replies that were stamped before this request, which has just departed.
    fn answer_early(&mut self, request: &AsRequest) {
        let answers = |seen: &Seen| {
            seen.reply.is_some_and(|reply| {
                (reply.flow, reply.layout) == (request.flow, request.layout)
                    && reply.reply.name.is(&request.name)
            })
        };
        while let Some(place) = self.early.iter().position(answers) {
            let Some(seen) = self.early.remove(place) else {
                return;
            };
            if seen
                .reply
                .is_some_and(|reply| self.reply(&seen.sighting, &reply))
            {
                self.counts.used += 1;
                self.counts.cut_used += u64::from(seen.is_cut);
            } else {
                self.unmatched(&seen);
            }
        }
    }

    /// Remembers a packet whose fate is decided.
    fn remember(&mut self, flow: usize, layout: Layout, name: Name) {
        if self.gone_first.len() >= GONE
            && let Some(oldest) = self.gone_first.pop_front()
        {
            self.gone.remove(&oldest);
        }
        self.gone.insert((flow, name.seq), (layout, name));
        self.gone_first.push_back((flow, name.seq));
    }

    /// Fates that nothing can change any more, and the oldest ones where there are too many.
    fn expire(&mut self) {
        let waits = |seen: &Seen| seen.sighting.at >= self.now - EARLY_BY;
        let over = self.early.iter().take_while(|seen| !waits(seen)).count();
        for _ in 0..over {
            if let Some(seen) = self.early.pop_front() {
                self.unmatched(&seen);
            }
        }
        let before = self.now - self.timeout - self.timeout;
        while let Some((place, seq)) = self.ending.front().copied() {
            let flight = self
                .sessions
                .get(place)
                .and_then(|session| session.flights.get(&seq));
            if flight.is_some_and(|flight| flight.sighting.at >= before) && self.ending.len() < OPEN
            {
                return;
            }
            self.ending.pop_front();
            let Some(session) = self.sessions.get_mut(place) else {
                continue;
            };
            let Some(flight) = session.flights.remove(&seq) else {
                continue;
            };
            let (flow, layout) = (session.flow, session.run.layout());
            self.remember(flow, layout, flight.name);
            if !flight.answered {
                self.rows.push_back(lost(place, seq, &flight));
            }
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

    /// A reply; false if it answers nothing that is known.
    fn reply(&mut self, sighting: &Sighting, reply: &AsReply) -> bool {
        let Some(flow) = self.flows.get(reply.flow) else {
            return false;
        };
        let answered = |place: &&usize| {
            let session = self.sessions.get(**place);
            session.is_some_and(|session| {
                let seq = session.run.extended(reply.reply.name.seq);
                let flight = session.flights.get(&seq);
                session.run.layout() == reply.layout
                    && flight.is_some_and(|flight| flight.name.is(&reply.reply.name))
            })
        };
        // A reflector that knows no SSID leaves it out.
        let of_ssid = |place: &&usize| {
            let session = self.sessions.get(**place);
            session.is_some_and(|session| session.run.ssid() == reply.ssid)
        };
        let mut answered = flow.sessions.iter().rev().filter(answered);
        let first = answered.next();
        let place = match first {
            Some(place) if !of_ssid(&place) => answered.find(of_ssid).or(first),
            first => first,
        };
        let Some(place) = place.copied() else {
            return false;
        };
        let known = self.known.get(place);
        let wanted = known.and_then(|known| known.run.place());
        let Some(session) = self.sessions.get_mut(place) else {
            return false;
        };
        let is_mirrored = known.map_or(&session.run, |known| &known.run).is_mirrored();
        let seq = session.run.extended(reply.reply.name.seq);
        let Some(flight) = session.flights.get_mut(&seq) else {
            return false;
        };
        let again = flight
            .seen_at
            .is_some_and(|seen| seen != sighting.interface);
        flight.seen_at.get_or_insert(sighting.interface);
        session.run.reply_at(sighting.interface, again);
        let elsewhere = wanted.is_some_and(|wanted| wanted != sighting.interface);
        let is_copy = flight.replies.iter().flatten().any(|earlier| {
            let soon = sighting.at - earlier.at <= COPY_WITHIN;
            let other = sighting.interface != earlier.interface;
            let by_one = is_mirrored || sighting.is_a_hop_from(earlier);
            earlier.is_alike(sighting) && (other || soon && by_one)
        });
        if elsewhere || is_copy {
            session.copies += 1;
            self.counts.copies += 1;
            return true;
        }
        if let Some(free) = flight.replies.iter_mut().find(|reply| reply.is_none()) {
            *free = Some(*sighting);
        }
        session.early_replies += u64::from(sighting.at < flight.sighting.at);
        let again = std::mem::replace(&mut flight.answered, true);
        let sample = answered_by(seq, flight, again, sighting, &reply.reply, self.timeout);
        self.rows.push_back(row(place, sample));
        true
    }
}

/// What a packet was, once it is answered.
fn answered_by(
    seq: u64,
    flight: &Flight,
    again: bool,
    sighting: &Sighting,
    reply: &Reply,
    timeout: Delta,
) -> Sample {
    let (t1, t4) = (flight.sighting.at, sighting.at);
    let fate = if again {
        Fate::Duplicate
    } else if t4 - t1 > timeout {
        Fate::Late
    } else {
        Fate::Received
    };
    let ReplyTimes { t2, t3, .. } = reply.times(t4);
    // As a sender decides: what is a little below zero is the stamps' own error.
    let residence = t2.zip(t3).map(|(t2, t3)| t3 - t2);
    let implausible = residence
        .is_some_and(|residence| residence < Delta::ZERO || residence > t4 - t1 + STAMP_ERROR);
    let mut sample = sample(seq, flight);
    sample.fate = fate;
    sample.t2 = t2;
    sample.t3 = t3;
    sample.t4 = Some(captured(t4));
    sample.reflector_seq = Some(reply.reflector_seq);
    sample.ttl_forward = reply.ttl;
    sample.ttl_backward = Some(sighting.ttl);
    sample.tos_backward = Some(sighting.tos);
    sample.excluded = implausible.then_some(Exclusion::Implausible);
    sample
}

/// STAMP by its layout, or by its zeros and, behind them, nothing or a TLV as a sender writes it
/// (RFC 8972 section 4.2); TWAMP sessions that were agreed on look like those of TWAMP Light.
fn kind(layout: Layout, datagram: &Datagram<'_>) -> Kind {
    let payload = datagram.payload;
    let ssid = layout.ssid(payload);
    if layout == Layout::StampAuthenticated {
        return Kind::Stamp { ssid };
    }
    let behind = payload.get(SenderOpen::OCTETS + 2..).unwrap_or_default();
    let octets = StampSender::OCTETS - SenderOpen::OCTETS - 2;
    let zeros = behind.get(..octets).unwrap_or(behind);
    let zeros = !zeros.is_empty() && zeros.iter().all(|octet| *octet == 0);
    let flags = payload.get(StampSender::OCTETS);
    let tlv = flags.is_some_and(|flags| flags & TLV_UNRECOGNIZED != 0);
    let ends_there = datagram.octets == StampSender::OCTETS;
    let on_port = datagram.to.port() == TWAMP_TEST_PORT && datagram.octets >= StampSender::OCTETS;
    if zeros && (ends_there || tlv || on_port) {
        Kind::Stamp { ssid }
    } else {
        Kind::Light
    }
}

/// As rows have it: from 1.
fn number(place: usize) -> u32 {
    u32::try_from(place + 1).unwrap_or(u32::MAX)
}

fn row(place: usize, sample: Sample) -> Row {
    Row {
        session: number(place),
        record: Record::Sample(sample),
    }
}

fn lost(place: usize, seq: u64, flight: &Flight) -> Row {
    row(place, sample(seq, flight))
}

fn captured(at: Wall) -> Stamp {
    Stamp {
        at,
        rung: Rung::Kernel,
    }
}

/// A packet without an answer.
fn sample(seq: u64, flight: &Flight) -> Sample {
    Sample {
        seq,
        fate: Fate::Lost,
        t1: captured(flight.sighting.at),
        t2: None,
        t3: None,
        t4: None,
        reflector_seq: None,
        ttl_forward: None,
        ttl_backward: None,
        tos_forward: None,
        tos_backward: None,
        departure: Delta::ZERO,
        excluded: None,
    }
}

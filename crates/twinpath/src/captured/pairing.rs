//! Requests and replies of the sessions of a capture, one with the other: what a sender would have
//! known, in the order in which it would have known it.
//!
//! A capture is gone through twice: sessions come up on the way, and at which interface the times of
//! one are best taken is known only at its end.

mod hmacs;
mod replies;
mod requests;
mod rows;
mod samples;
mod seen;
mod sizes;
mod tlvs;
mod traffic;

use std::collections::{BTreeMap, HashMap, VecDeque};
use std::time::Duration;

use twinpath_metrics::SizeCounts;
use twinpath_proto::extension::{Learnt, ReplyReader};
use twinpath_proto::sender::{Outbox, ReplyAnomalies};
use twinpath_proto::stamp::StampKeys;
use twinpath_report::Traffic;
use twinpath_wire::{Delta, ErrorEstimate, Wall};

use self::hmacs::Judged;
use self::rows::Awaited;
use self::seen::{AsReply, AsRequest, Seen, Sighting, is_stamp};
use self::sizes::BySize;
use self::tlvs::{Asks, MOST};
use self::traffic::Sent;
use super::flows::{Ends, Found, LAYOUTS, is_cut, is_cut_as};
use super::frame::Datagram;
use super::layout::{Layout, Name};
use super::order::Sorter;
use super::session::{Kind, Run};
use super::steps::Shift;
use crate::output::captures::{HmacCounts, SessionCounts};
use crate::saved::Row;

/// The most packets whose fate is open, over all sessions; beyond that the oldest count as lost.
const OPEN: usize = 1 << 20;
/// The most sessions reported.
pub(super) const SESSIONS: usize = 4_096;
/// Replies to one packet that copies are looked for among.
const REPLIES: usize = 4;
/// How long after a packet a mirror port, or a router, shows it again.
const COPY_WITHIN: Delta = Delta::from_ns(100_000_000);
/// Later packets whose replies came before the capture ended, by which an unanswered one is lost.
const OVERTAKEN_BY: usize = 3;
/// How long before its request a reply is stamped at most, where two taps or interrupts that come
/// together put the times of a capture out of order.
const EARLY_BY: Delta = Delta::from_ns(100_000_000);
/// Packets whose fate is decided that are remembered, by which replies that come later are known.
const GONE: usize = 1 << 16;

/// A reply as it was seen first, and how often the same interface showed it again.
#[derive(Clone, Copy, Debug)]
struct Answer {
    sighting: Sighting,
    copies: u64,
}

/// A packet between its request and twice the timeout.
#[derive(Clone, Copy, Debug)]
struct Flight {
    name: Name,
    sighting: Sighting,
    /// The request was seen where times are taken.
    in_place: bool,
    answered: bool,
    asks: Asks,
    /// The interface that saw its first reply first.
    seen_at: Option<u32>,
    replies: [Option<Answer>; REPLIES],
}

#[derive(Debug)]
struct Session {
    flow: usize,
    run: Run,
    /// Of the clock at its last packet.
    shift: Shift,
    flights: BTreeMap<u64, Flight>,
    /// The number behind those whose fate is decided, and when the packet before it was captured.
    next: Option<(u64, Wall)>,
    counts: SessionCounts,
    /// Replies to numbers without a request that are behind the last request so far.
    answered_ahead: u64,
    by_size: BySize,
    sent: Sent,
    under_way: u64,
    /// Reads the TLVs of its replies, once one was asked for.
    reader: Option<Box<ReplyReader>>,
    /// HMACs decide what is used, as there is a key that is the session's.
    uses_key: bool,
    /// A request of it has an HMAC TLV.
    is_signed: bool,
    hmacs: Option<HmacCounts>,
    anomalies: ReplyAnomalies,
    has_replies: bool,
    /// Of its last reply.
    far_error: Option<ErrorEstimate>,
    /// What its first request asks for.
    asks: Asks,
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
pub(super) struct FoundSession {
    pub(super) run: Run,
    /// Packets whose fate was open at the end.
    pub(super) under_way: u64,
    pub(super) counts: SessionCounts,
    /// Losses by the octets of requests, where these differ.
    pub(super) by_size: Vec<SizeCounts>,
    pub(super) traffic: Traffic,
    /// What TLVs taught, if some were asked for.
    pub(super) learnt: Option<Box<Learnt>>,
    /// A request of it has an HMAC TLV.
    is_signed: bool,
    /// `None`: its packets have no HMAC.
    pub(super) hmacs: Option<HmacCounts>,
    /// Replies that the sender would have found odd.
    pub(super) anomalies: ReplyAnomalies,
    /// At least one of its requests was answered, whether its sender could use the reply or not.
    pub(super) has_replies: bool,
    /// What the last reply says of its clock.
    pub(super) far_error: Option<ErrorEstimate>,
    /// What its first request asks for.
    pub(super) asks: Asks,
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
    /// Packets between the ends of sessions that are of none.
    pub(super) foreign: u64,
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
    known: &'a [FoundSession],
    keys: &'a StampKeys,
    sorter: Sorter<Seen>,
    /// Flights in the order in which they end.
    ending: VecDeque<(usize, u64)>,
    /// Replies without a request, which may yet come.
    early: VecDeque<Seen>,
    /// Packets that are far from those of sessions, and may be of one.
    held: VecDeque<Seen>,
    /// Packets whose fate is decided, by flow and number, and in the order in which it was.
    gone: HashMap<(usize, u32), (Layout, Name)>,
    gone_first: VecDeque<(usize, u32)>,
    timeout: Delta,
    now: Wall,
    outbox: Outbox<Row, Awaited>,
    counts: Counts,
}

impl<'a> Pairing<'a> {
    /// `known`: the sessions that a pass before this one has found; empty for the first.
    pub(super) fn new(
        flows: &BTreeMap<Ends, Found>,
        timeout: Duration,
        known: &'a [FoundSession],
        keys: &'a StampKeys,
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
            keys,
            sorter: Sorter::new(),
            ending: VecDeque::new(),
            early: VecDeque::new(),
            held: VecDeque::new(),
            gone: HashMap::new(),
            gone_first: VecDeque::new(),
            timeout: Delta::from_duration(timeout),
            now: Wall::from_unix_ns(i64::MIN),
            outbox: Outbox::default(),
            counts: Counts::default(),
        }
    }

    /// The next row; `None` at the end.
    pub(super) fn poll(&mut self) -> Option<Row> {
        self.outbox.pop()
    }

    /// A packet of the capture, which was seen at this `interface`.
    pub(super) fn add(&mut self, at: (Wall, Shift), interface: u32, datagram: &Datagram<'_>) {
        let (there, back) = ((datagram.from, datagram.to), (datagram.to, datagram.from));
        let [there, back] = [there, back].map(|ends| self.by_ends.get(&ends).copied());
        if there.is_none() && back.is_none() {
            return;
        }
        let is_cut_reply = |flow: &usize| {
            let layout = self.layout(*flow, datagram);
            layout.is_some_and(|layout| is_cut_as(layout, datagram))
        };
        let is_short = |flow: Option<usize>, least: fn(Layout) -> usize| {
            let layout = flow.and_then(|flow| self.layout(flow, datagram));
            layout.is_none_or(|layout| datagram.octets < least(layout))
        };
        let reply = back.and_then(|flow| self.as_reply(flow, datagram));
        let tlvs = reply.map(|reply| reply.layout.reply_tlvs(datagram.payload));
        let tlvs = tlvs.unwrap_or_default();
        let hmacs = reply.map(|reply| Judged::reply(reply.layout, datagram, self.keys));
        let seen = Seen {
            sighting: Sighting::new(at, interface, datagram),
            request: there.and_then(|flow| self.as_request(flow, datagram)),
            reply,
            tlvs: tlvs.get(..MOST).unwrap_or(tlvs).into(),
            hmacs: hmacs.unwrap_or_default(),
            is_cut: is_cut(datagram),
            is_short: is_short(there, Layout::request_octets)
                && is_short(back, Layout::reply_octets),
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
        self.counts.foreign += self.held.drain(..).count() as u64;
        let overtaken: Vec<Option<u64>> = self.sessions.iter().map(Session::overtaken).collect();
        while let Some((place, seq)) = self.ending.pop_front() {
            let Some(session) = self.sessions.get_mut(place) else {
                continue;
            };
            let Some(flight) = session.flights.remove(&seq) else {
                continue;
            };
            self.pass(place, seq, &flight.sighting);
            if flight.answered {
                continue;
            }
            let below = overtaken.get(place).copied().flatten();
            let is_overtaken = below.is_some_and(|below| seq < below);
            if flight.asks.awaits_none
                || is_overtaken
                || flight.sighting.at + self.timeout <= self.now
            {
                self.record_lost(place, seq, &flight);
            } else if let Some(session) = self.sessions.get_mut(place) {
                session.under_way += 1;
            }
        }
        self.decide_all();
    }

    pub(super) fn counts(&self) -> Counts {
        Counts {
            out_of_order: self.sorter.out_of_order,
            out_of_window: self.sorter.out_of_window,
            ..self.counts
        }
    }

    /// The sessions, by their first packets.
    pub(super) fn sessions(self) -> Vec<FoundSession> {
        let sessions = self.sessions.into_iter();
        sessions
            .map(|session| FoundSession {
                run: session.run,
                under_way: session.under_way,
                counts: session.counts,
                by_size: session.by_size.value(),
                traffic: session.sent.traffic(),
                learnt: session.reader.map(|reader| Box::new(reader.into_learnt())),
                is_signed: session.is_signed,
                hmacs: session.hmacs,
                anomalies: session.anomalies,
                has_replies: session.has_replies,
                far_error: session.far_error,
                asks: session.asks,
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
        let payload = datagram.payload;
        let name = layout.request(payload, datagram.octets)?;
        let light = AsRequest {
            flow,
            layout,
            kind: Kind::Light,
            time_format: layout.time_format(payload),
            asks: Asks::default(),
            hmacs: Judged::default(),
            name,
        };
        if !is_stamp(layout, datagram) {
            return Some(light);
        }
        let asks = Asks::of(layout.request_tlvs(payload), datagram.from.ip());
        Some(AsRequest {
            kind: Kind::Stamp {
                ssid: layout.ssid(payload),
                micro_session: asks.micro_session(),
            },
            asks,
            hmacs: Judged::request(layout, datagram, self.keys),
            ..light
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
            self.release(&reply.of());
            if self.reply(seen, reply) {
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
            session.counts.cut_replies += 1;
        }
        match &seen.request {
            Some(request) => self.admit(seen, request),
            None => self.counts.foreign += u64::from(seen.is_short),
        }
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
        self.decide_due(self.now);
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
            self.pass(place, seq, &flight.sighting);
            if !flight.answered {
                self.record_lost(place, seq, &flight);
            }
        }
    }
}

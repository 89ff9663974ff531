//! Which flows of a capture are test sessions: those whose packets come back with their number and
//! T1 in the places where replies have them, in whatever order the capture has them.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::net::SocketAddr;

use twinpath_proto::extension::RequestChain;
use twinpath_wire::Wall;

use super::evidence::{Evidence, MIN_CONSECUTIVE, is_reply, looks_authenticated};
use super::frame::Datagram;
use super::layout::{Layout, Name};
use super::order::WINDOW;
use super::steps::Timed;

/// The most flows examined at a time, and the most flows that are sessions.
const FLOWS: usize = 4_096;
/// Names of a flow that are remembered: its first ones, and as many of its last ones.
const NAMES: usize = 32;
pub(super) const LAYOUTS: [Layout; 2] = [Layout::Open, Layout::StampAuthenticated];

/// Sender and reflector.
pub(super) type Ends = (SocketAddr, SocketAddr);

/// The layouts that a flow has, by [`LAYOUTS`].
pub(super) type Found = [bool; 2];

/// The first names and the last ones.
#[derive(Debug, Default)]
struct Names {
    kept: Vec<Name>,
    next: usize,
}

impl Names {
    fn add(&mut self, name: Name) {
        // All zeros identify no packet.
        if name.is_zero() {
            return;
        }
        if self.kept.len() < 2 * NAMES {
            self.kept.push(name);
        } else if let Some(oldest) = self.kept.get_mut(NAMES + self.next) {
            *oldest = name;
            self.next = (self.next + 1) % NAMES;
        }
    }

    fn has(&self, name: Name) -> bool {
        !name.is_zero() && self.kept.iter().any(|known| known.is(&name))
    }
}

/// What went one way between two ends.
#[derive(Debug)]
struct Candidate {
    /// By [`LAYOUTS`]: what its packets are called if they are requests, and what they answer if
    /// they are replies.
    requests: [Names; 2],
    replies: [Names; 2],
    /// The layout of the first one, if it is a request.
    first: Layout,
    /// What those of that layout look like.
    evidence: Evidence,
    /// Packets that look like authenticated TWAMP, and those of them that are cut.
    secured: u64,
    secured_cut: u64,
    /// One of its packets was answered.
    is_answered: bool,
    /// Its requests want no reply, or one to another address (RFC 9503).
    awaits_none: bool,
    begun: Wall,
    last: Wall,
}

/// Looks for sessions.
#[derive(Debug)]
pub(super) struct FlowFinder {
    port: Option<u16>,
    candidates: HashMap<Ends, Candidate>,
    found: BTreeMap<Ends, Found>,
    newest: Wall,
    left_out: LeftOut,
    /// Packets that look like requests, of flows that there was no room for.
    silent: BTreeMap<SocketAddr, u64>,
}

/// UDP packets that were seen and are not in flows.
#[derive(Clone, Debug, Default)]
pub(super) struct LeftOut {
    /// Of sessions that there was no room for.
    pub(super) beyond: u64,
    /// Without the fields of a reply, which they had before they were cut.
    pub(super) cut: u64,
    /// Out of order by more than is sorted.
    pub(super) unordered: u64,
    /// Replies of flows whose requests are not in the capture, by where they came from and went.
    pub(super) replies: BTreeMap<Ends, u64>,
    /// Of flows that look like authenticated TWAMP.
    pub(super) secured: u64,
    /// Packets that look like requests and were not answered, by where they went.
    pub(super) unanswered: BTreeMap<SocketAddr, u64>,
}

impl Candidate {
    /// From the first of its packets that may be a test packet.
    fn new(datagram: &Datagram<'_>, at: Wall) -> Self {
        let fits = |layout: &Layout| {
            layout.fits(datagram.payload) && datagram.octets >= layout.request_octets()
        };
        Self {
            requests: Default::default(),
            replies: Default::default(),
            first: LAYOUTS.into_iter().find(fits).unwrap_or(Layout::Open),
            evidence: Evidence::default(),
            secured: 0,
            secured_cut: 0,
            is_answered: false,
            awaits_none: false,
            begun: at,
            last: at,
        }
    }
}

impl FlowFinder {
    /// `port`: the reflector's; then unanswered packets are a session too.
    pub(super) fn new(port: Option<u16>) -> Self {
        Self {
            port,
            candidates: HashMap::new(),
            found: BTreeMap::new(),
            newest: Wall::from_unix_ns(i64::MIN),
            left_out: LeftOut::default(),
            silent: BTreeMap::new(),
        }
    }

    pub(super) fn add(&mut self, at: Wall, datagram: &Datagram<'_>) {
        let [to_port, from_port] =
            [datagram.to, datagram.from].map(|end| self.port.is_none_or(|port| port == end.port()));
        if !to_port && !from_port {
            return;
        }
        self.newest = self.newest.max(at);
        self.left_out.unordered += u64::from((self.newest - at) > WINDOW);
        self.left_out.cut += u64::from(is_cut(datagram));
        let (there, back) = ((datagram.from, datagram.to), (datagram.to, datagram.from));
        for (place, layout) in LAYOUTS.into_iter().enumerate() {
            if layout == Layout::StampAuthenticated && !layout.fits(datagram.payload) {
                continue;
            }
            let request = layout
                .request(datagram.payload, datagram.octets)
                .filter(|_| to_port);
            let reply = layout
                .reply(datagram.payload, datagram.octets)
                .filter(|_| from_port);
            let other = self.candidates.get(&back);
            let has = |names: fn(&Candidate) -> &[Names; 2], name: Name| {
                let names = other.and_then(|other| names(other).get(place));
                names.is_some_and(|names| names.has(name))
            };
            let answers = reply.is_some_and(|reply| has(|other| &other.requests, reply.name));
            let answered = request.is_some_and(|name| has(|other| &other.replies, name));
            if answers {
                if let Some(other) = self.candidates.get_mut(&back) {
                    other.is_answered = true;
                }
                self.find(back, place);
            }
            if answered {
                self.find(there, place);
            }
            let is_known = |ends, found: &BTreeMap<Ends, Found>| {
                let layouts = found.get(&ends);
                layouts.is_some_and(|found| found.get(place) == Some(&true))
            };
            // A truncated packet of a reflector is not evidence.
            let is_its_reply = is_known(back, &self.found) && is_cut(datagram);
            let asks = request.filter(|_| !is_its_reply);
            let is_reply = answers || reply.is_some_and(|reply| is_reply(&reply, at));
            let request = request.filter(|_| !is_known(there, &self.found));
            let reply = reply.filter(|_| !is_known(back, &self.found));
            if request.is_none() && reply.is_none() {
                continue;
            }
            self.make_room(there);
            let new = || Candidate::new(datagram, at);
            let candidate = self.candidates.entry(there).or_insert_with(new);
            candidate.last = candidate.last.max(at);
            candidate.begun = candidate.begun.min(at);
            candidate.is_answered |= answered;
            if candidate.first == layout {
                if is_reply {
                    candidate.evidence.reply();
                } else if let Some(name) = asks {
                    candidate.awaits_none |= awaits_none(layout, datagram);
                    candidate.evidence.request(name, at);
                }
            }
            if let (Some(name), Some(names)) = (request, candidate.requests.get_mut(place)) {
                names.add(name);
            }
            if let (Some(reply), Some(names)) = (reply, candidate.replies.get_mut(place)) {
                names.add(reply.name);
            }
        }
        if looks_authenticated(datagram.payload, datagram.octets, at)
            && let Some(candidate) = self.candidates.get_mut(&there)
        {
            candidate.secured += 1;
            candidate.secured_cut += u64::from(is_cut(datagram));
        }
    }

    /// The evidence of a flow's packet about the capture's clock. `part`, `frame`: where it is.
    pub(super) fn timed(
        &self,
        (part, frame): (usize, u64),
        at: Wall,
        datagram: &Datagram<'_>,
    ) -> Option<(Ends, Timed)> {
        let (there, back) = ((datagram.from, datagram.to), (datagram.to, datagram.from));
        let (payload, octets) = (datagram.payload, datagram.octets);
        let layout = LAYOUTS.into_iter().find(|layout| layout.fits(payload))?;
        let (ends, stamp, seq) = if self.found.contains_key(&there) {
            let name = layout.request(payload, octets)?;
            let stamp = layout.departure(payload, &name, at);
            (there, stamp, Some(name.seq))
        } else if self.found.contains_key(&back) {
            let reply = layout.reply(payload, octets)?;
            (back, reply.times(at).t3, None)
        } else {
            return None;
        };
        let timed = Timed {
            part,
            frame,
            at,
            stamp,
            seq,
        };
        Some((ends, timed))
    }

    fn find(&mut self, ends: Ends, place: usize) {
        if !self.found.contains_key(&ends) && self.found.len() >= FLOWS {
            self.left_out.beyond += 1;
            return;
        }
        let layouts = self.found.entry(ends).or_default();
        if let Some(found) = layouts.get_mut(place) {
            *found = true;
        }
    }

    /// Makes room for another flow by dropping the quarter that was idle longest.
    fn make_room(&mut self, ends: Ends) {
        if self.candidates.len() < FLOWS || self.candidates.contains_key(&ends) {
            return;
        }
        let mut silent: Vec<(Wall, Ends)> = self
            .candidates
            .iter()
            .map(|(ends, other)| (other.last, *ends))
            .collect();
        silent.sort_unstable();
        for (_, ends) in silent.iter().take(FLOWS / 4) {
            let gone = self.candidates.remove(ends);
            let Some(gone) = gone.filter(|_| !self.found.contains_key(ends)) else {
                continue;
            };
            // Packets to the port that was named are a session whether they are answered or not.
            if self.port.is_some() {
                self.left_out.beyond += gone.evidence.packets;
            } else if gone.evidence.looks_like_requests()
                && (self.silent.len() < FLOWS || self.silent.contains_key(&ends.1))
            {
                *self.silent.entry(ends.1).or_default() += gone.evidence.packets;
            }
        }
    }

    /// The flows that are sessions: those that were answered, those to the port that was named, and
    /// requests to where others were answered, or to the same port. And what is not in them.
    pub(super) fn finish(self) -> (BTreeMap<Ends, Found>, LeftOut) {
        let (mut found, mut left_out) = (self.found, self.left_out);
        let answered: BTreeSet<Ends> = found.keys().copied().collect();
        let reflectors: BTreeSet<SocketAddr> = answered.iter().map(|ends| ends.1).collect();
        let ports: BTreeSet<u16> = reflectors.iter().map(SocketAddr::port).collect();
        let mut flows: Vec<&Ends> = self.candidates.keys().collect();
        flows.sort_unstable();
        for ends in flows {
            let back = (ends.1, ends.0);
            let Some(candidate) = self.candidates.get(ends) else {
                continue;
            };
            let evidence = &candidate.evidence;
            // Of answered ones that there was no room for, the packets are counted already.
            let is_beyond = |ends: &Ends| {
                let candidate = self.candidates.get(ends);
                candidate.is_some_and(|candidate| candidate.is_answered)
            };
            let of_session = [&back, ends].map(|ends| answered.contains(ends) || is_beyond(ends));
            if candidate.secured >= MIN_CONSECUTIVE && of_session == [false; 2] {
                left_out.secured += candidate.secured;
                left_out.cut = left_out.cut.saturating_sub(candidate.secured_cut);
                continue;
            }
            if evidence.replies > 0 && !answered.contains(&back) && !is_beyond(&back) {
                left_out.replies.insert(*ends, evidence.replies);
            }
            if answered.contains(ends) || is_beyond(ends) || evidence.packets == 0 {
                continue;
            }
            let is_named = self.port == Some(ends.1.port());
            let is_known = ports.contains(&ends.1.port()) && evidence.fits_requests();
            let awaits_none = candidate.awaits_none && evidence.looks_like_requests();
            if is_named || is_known || awaits_none {
                if found.len() < FLOWS {
                    let layouts = LAYOUTS.map(|layout| layout == candidate.first);
                    found.insert(*ends, layouts);
                } else {
                    left_out.beyond += evidence.packets;
                }
                continue;
            }
            // Of two directions that cannot be read as one another's, requests come first.
            let is_second = self.candidates.get(&back).is_some_and(|other| {
                other.evidence.looks_like_requests() && other.begun < candidate.begun
            });
            if evidence.looks_like_requests() && !is_second && !reflectors.contains(&ends.0) {
                *left_out.unanswered.entry(ends.1).or_default() += evidence.packets;
            }
        }
        for (to, packets) in self.silent {
            if ports.contains(&to.port()) {
                left_out.beyond += packets;
            } else {
                *left_out.unanswered.entry(to).or_default() += packets;
            }
        }
        (found, left_out)
    }
}

/// Whether it is a STAMP request that wants no reply, or one to another address.
fn awaits_none(layout: Layout, datagram: &Datagram<'_>) -> bool {
    let tlvs = layout.request_tlvs(datagram.payload);
    !tlvs.is_empty() && RequestChain::captured(tlvs).sends_replies_elsewhere(datagram.from.ip())
}

/// Whether it cannot be read as a reply for what was cut off. Which fields a reply has follows from how
/// long it was and by what is left of it: of an authenticated one, there are enough octets left for an
/// open one long before its own fields are there.
pub(super) fn is_cut(datagram: &Datagram<'_>) -> bool {
    let is_secured = Layout::StampAuthenticated.fits(datagram.payload)
        && datagram.octets >= Layout::StampAuthenticated.reply_octets();
    let layout = if is_secured {
        Layout::StampAuthenticated
    } else {
        Layout::Open
    };
    is_cut_as(layout, datagram)
}

/// The same of a packet whose layout is known.
pub(super) fn is_cut_as(layout: Layout, datagram: &Datagram<'_>) -> bool {
    datagram.payload.len() < datagram.octets
        && datagram.octets >= layout.reply_octets()
        && layout.reply(datagram.payload, datagram.octets).is_none()
}

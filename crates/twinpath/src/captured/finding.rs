//! Which flows of a capture are test sessions: those whose packets come back with their number and
//! T1 in the places where replies have them.

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::time::Duration;

use twinpath_proto::sender::Protocol;
use twinpath_wire::{SenderOpen, StampSender, TWAMP_TEST_PORT, Tos, Wall};

use super::frame::Datagram;
use super::layout::{Layout, Name};

/// Flows looked at, and sessions reported, at most.
const FLOWS: usize = 4_096;
/// Names of a flow that are remembered: its first ones, and as many of its last ones.
const NAMES: usize = 32;
/// Flags of a TLV as a sender writes it: U (RFC 8972 section 4.2).
const TLV_UNRECOGNIZED: u8 = 0x80;
const LAYOUTS: [Layout; 2] = [Layout::Open, Layout::StampAuthenticated];

/// A session, or what may be one.
#[derive(Clone, Debug)]
pub(super) struct Flow {
    pub(super) sender: SocketAddr,
    pub(super) reflector: SocketAddr,
    pub(super) layout: Layout,
    pub(super) tos: Tos,
    pub(super) ttl: u8,
    octets: usize,
    /// The first request looks like STAMP's: zeros where that has only zeros, and behind them nothing
    /// or a TLV as a sender writes it (RFC 8972 section 4.2).
    stamp: bool,
    ssid: u16,
    first: Wall,
    last: Wall,
    requests: u64,
}

impl Flow {
    fn new(at: Wall, datagram: &Datagram<'_>) -> Self {
        let behind = datagram
            .payload
            .get(SenderOpen::OCTETS..StampSender::OCTETS);
        let (ssid, zeros) = match behind {
            Some([high, low, zeros @ ..]) => (
                u16::from_be_bytes([*high, *low]),
                zeros.iter().all(|octet| *octet == 0),
            ),
            Some(_) | None => (0, false),
        };
        let flags = datagram.payload.get(StampSender::OCTETS);
        let tlv = flags.is_some_and(|flags| flags & TLV_UNRECOGNIZED != 0);
        let ends_there = datagram.octets == StampSender::OCTETS;
        let on_port = datagram.to.port() == TWAMP_TEST_PORT;
        Self {
            sender: datagram.from,
            reflector: datagram.to,
            layout: Layout::Open,
            tos: datagram.tos,
            ttl: datagram.ttl,
            octets: datagram.octets,
            stamp: zeros && (ends_there || tlv || on_port),
            ssid,
            first: at,
            last: at,
            requests: 0,
        }
    }

    /// STAMP by its layout, or by its zeros; TWAMP sessions that were agreed on look like those of
    /// TWAMP Light.
    pub(super) fn protocol(&self) -> Protocol {
        match self.layout {
            Layout::StampAuthenticated => Protocol::Stamp { ssid: 0 },
            Layout::Open if self.stamp => Protocol::Stamp { ssid: self.ssid },
            Layout::Open => Protocol::TwampLight,
        }
    }

    /// As `--padding` counts it: octets behind those of an open request.
    pub(super) fn padding(&self) -> i64 {
        let padding = self.octets.saturating_sub(SenderOpen::OCTETS);
        i64::try_from(padding).unwrap_or(i64::MAX)
    }

    /// The mean time between two requests.
    pub(super) fn interval(&self) -> Duration {
        let span = u64::try_from((self.last - self.first).ns()).unwrap_or(0);
        Duration::from_nanos(
            span.checked_div(self.requests.saturating_sub(1))
                .unwrap_or(0),
        )
    }
}

#[derive(Debug)]
struct Candidate {
    flow: Flow,
    /// By [`LAYOUTS`]: what its packets would be called.
    names: [Vec<Name>; 2],
    next: usize,
    found: bool,
}

/// Looks for sessions.
#[derive(Debug)]
pub(super) struct Finding {
    port: Option<u16>,
    candidates: BTreeMap<(SocketAddr, SocketAddr), Candidate>,
}

impl Finding {
    /// `port`: the reflector's; then packets that nobody answers are a session too.
    pub(super) fn new(port: Option<u16>) -> Self {
        Self {
            port,
            candidates: BTreeMap::new(),
        }
    }

    pub(super) fn look(&mut self, at: Wall, datagram: &Datagram<'_>) {
        if self.is_reply(datagram) {
            return;
        }
        if self.port.is_some_and(|port| datagram.to.port() != port)
            || datagram.payload.len() < Layout::Open.request_octets()
        {
            return;
        }
        let key = (datagram.from, datagram.to);
        if !self.candidates.contains_key(&key) && !self.make_room() {
            return;
        }
        let candidate = self.candidates.entry(key).or_insert_with(|| Candidate {
            flow: Flow::new(at, datagram),
            names: [Vec::new(), Vec::new()],
            next: NAMES,
            found: false,
        });
        candidate.flow.requests += 1;
        candidate.flow.last = candidate.flow.last.max(at);
        if candidate.found {
            return;
        }
        for (layout, names) in LAYOUTS.into_iter().zip(&mut candidate.names) {
            let name = layout.request(datagram.payload).unwrap_or_default();
            if names.len() < 2 * NAMES {
                names.push(name);
            } else if let Some(oldest) = names.get_mut(candidate.next) {
                *oldest = name;
            }
        }
        candidate.next = NAMES + (candidate.next + 1) % NAMES;
    }

    /// Room for another flow: the quarter that was silent for longest goes, where nobody answered.
    fn make_room(&mut self) -> bool {
        if self.candidates.len() < FLOWS {
            return true;
        }
        let open = self.candidates.iter().filter(|(_, flow)| !flow.found);
        let mut silent: Vec<(Wall, (SocketAddr, SocketAddr))> =
            open.map(|(key, other)| (other.flow.last, *key)).collect();
        silent.sort_unstable();
        silent.truncate(FLOWS / 4);
        for (_, key) in &silent {
            self.candidates.remove(key);
        }
        !silent.is_empty()
    }

    /// A reply to a packet of a candidate, which is a session then.
    fn is_reply(&mut self, datagram: &Datagram<'_>) -> bool {
        let Some(candidate) = self.candidates.get_mut(&(datagram.to, datagram.from)) else {
            return false;
        };
        if candidate.found {
            return true;
        }
        for (layout, names) in LAYOUTS.into_iter().zip(&mut candidate.names) {
            let reply = layout.reply(datagram.payload);
            // All zeros name nothing.
            let named = |name: Name| name != Name::default() && names.contains(&name);
            if reply.is_some_and(|reply| named(reply.name)) {
                candidate.flow.layout = layout;
                candidate.found = true;
                candidate
                    .names
                    .iter_mut()
                    .for_each(|names| *names = Vec::new());
                return true;
            }
        }
        false
    }

    /// The sessions, by their first packets.
    pub(super) fn sessions(self) -> Vec<Flow> {
        let known = self.port.is_some();
        let mut flows: Vec<Flow> = self
            .candidates
            .into_values()
            .filter(|candidate| candidate.found || known)
            .map(|candidate| candidate.flow)
            .collect();
        flows.sort_by_key(|flow| (flow.first, flow.sender, flow.reflector));
        flows
    }
}

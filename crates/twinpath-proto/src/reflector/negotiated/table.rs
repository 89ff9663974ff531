//! The sessions of one reflector: found by sender, by SID and by time.

use std::collections::{BTreeSet, HashMap};

use twinpath_wire::control::Sid;
use twinpath_wire::{Arrival, Mono};

use super::super::access::Access;
use super::super::table::halves;
use super::InUse;
use super::session::{SenderKey, Session, State};

/// The most sessions that one packet from an unknown source is compared with.
const CANDIDATES: usize = 8;

/// Sessions in a slab, with their indexes. Remote hosts choose senders, so the hash of the index is
/// keyed (std's `SipHash`).
#[derive(Default)]
pub(super) struct Table {
    slots: Vec<Option<Session>>,
    empty: Vec<u32>,
    by_sender: HashMap<SenderKey, u32>,
    by_sid: HashMap<Sid, u32>,
    /// Each session that ends by time, once. A packet does not move its entry: when the time comes,
    /// the entry is postponed if packets have arrived meanwhile.
    timers: BTreeSet<(Mono, u32)>,
    /// Started sessions that wait for their first packet from any port.
    unbound: BTreeSet<Unbound>,
}

/// Local port, Server octets, the client's address, slot.
type Unbound = (u16, u16, [u64; 2], u32);

impl Table {
    pub(super) fn is_empty(&self) -> bool {
        self.by_sid.is_empty()
    }

    pub(super) fn insert(&mut self, session: Session) -> Result<(), InUse> {
        if self.by_sender.contains_key(&session.key) || self.by_sid.contains_key(&session.sid) {
            return Err(InUse);
        }
        let (key, sid) = (session.key, session.sid);
        let at = match self.empty.pop() {
            Some(at) => at,
            None => u32::try_from(self.slots.len()).map_err(|_| InUse)?,
        };
        match self.slots.get_mut(at as usize) {
            Some(slot) => *slot = Some(session),
            None => self.slots.push(Some(session)),
        }
        self.by_sender.insert(key, at);
        self.by_sid.insert(sid, at);
        Ok(())
    }

    pub(super) fn get_mut(&mut self, at: u32) -> Option<&mut Session> {
        self.slots.get_mut(at as usize)?.as_mut()
    }

    pub(super) fn slot_of(&self, sid: Sid) -> Option<u32> {
        self.by_sid.get(&sid).copied()
    }

    pub(super) fn get(&self, at: u32) -> Option<&Session> {
        self.slots.get(at as usize)?.as_ref()
    }

    pub(super) fn all(&self) -> impl Iterator<Item = &Session> {
        self.slots.iter().flatten()
    }

    pub(super) fn remove(&mut self, at: u32) -> Option<Session> {
        let session = self.slots.get_mut(at as usize)?.take()?;
        self.by_sender.remove(&session.key);
        self.by_sid.remove(&session.sid);
        if let Some(place) = place(&session, at) {
            self.unbound.remove(&place);
        }
        if let Some(timer) = session.timer {
            self.timers.remove(&(timer, at));
        }
        self.empty.push(at);
        Some(session)
    }

    /// Schedules the session's next deadline, and lets it be bound if it allows for NAT.
    pub(super) fn rearm(&mut self, at: u32) {
        let Some(session) = self.slots.get_mut(at as usize).and_then(Option::as_mut) else {
            return;
        };
        let due = session.ends();
        if let Some(timer) = std::mem::replace(&mut session.timer, due) {
            self.timers.remove(&(timer, at));
        }
        if let Some(due) = due {
            self.timers.insert((due, at));
        }
        if session.state != State::Negotiated
            && let Some(place) = place(session, at)
        {
            self.unbound.insert(place);
        }
    }

    /// The session that is handled next, and when.
    pub(super) fn first_timer(&self) -> Option<(Mono, u32)> {
        self.timers.first().copied()
    }

    /// The session of a packet (row TT-24): by its sender, or else a session that allows for NAT
    /// and has no sender yet, if the packet comes from its client's address or one of `others`.
    #[inline(never)] // Out of the way of requests to a reflector without such sessions.
    pub(super) fn find(&self, request: &[u8], arrival: &Arrival, others: &Access) -> Option<u32> {
        let key = SenderKey::new(arrival.from, arrival.to_port);
        if let Some(at) = self.by_sender.get(&key).copied() {
            return self
                .get(at)
                .is_some_and(|session| session.accepts_destination(arrival.to))
                .then_some(at);
        }
        if self.unbound.is_empty() {
            return None;
        }
        let allowed = others.permits(arrival.from.ip());
        self.find_unbound(request, arrival, allowed)
    }

    /// Binds the session to the packet's source.
    pub(super) fn bind(&mut self, at: u32, arrival: &Arrival) {
        let Some(session) = self.slots.get_mut(at as usize).and_then(Option::as_mut) else {
            return;
        };
        if let Some(place) = place(session, at) {
            self.unbound.remove(&place);
        }
        session.unbound = None;
        session.counters.bound = Some(arrival.from);
        let key = SenderKey::new(arrival.from, arrival.to_port);
        if key != session.key {
            self.by_sender.remove(&session.key);
            self.by_sender.insert(key, at);
            session.key = key;
        }
    }

    /// Sessions with matching Server octets first, in any layout that has them; then sessions
    /// without. A secured session takes only packets that its keys open. `allowed`: the operator
    /// lets this sender bind any session.
    fn find_unbound(&self, request: &[u8], arrival: &Arrival, allowed: bool) -> Option<u32> {
        let port = arrival.to_port;
        let its_own = |session: &Session| {
            session.accepts_destination(arrival.to) && session.read(request).is_ok()
        };
        let find = |octets: u16, fits: &dyn Fn(&Session) -> bool| {
            let from = halves(arrival.from.ip());
            let found = self.first_unbound((port, octets), from, from, fits);
            if found.is_some() || !allowed {
                return found;
            }
            self.first_unbound((port, octets), [0; 2], [u64::MAX; 2], fits)
        };
        let marked = [14, 41, 42, 48, 112].into_iter().find_map(|from| {
            let octets = u16::from_be_bytes(*request.get(from..)?.first_chunk()?);
            let here =
                |session: &Session| session.features.padding_from() == from && its_own(session);
            (octets != 0).then(|| find(octets, &here)).flatten()
        });
        marked.or_else(|| find(0, &its_own))
    }

    /// The first match among sessions with a client from `low` to `high`.
    fn first_unbound(
        &self,
        (port, octets): (u16, u16),
        low: [u64; 2],
        high: [u64; 2],
        fits: impl Fn(&Session) -> bool,
    ) -> Option<u32> {
        self.unbound
            .range((port, octets, low, 0)..=(port, octets, high, u32::MAX))
            .take(CANDIDATES)
            .map(|(.., at)| *at)
            .find(|at| self.get(*at).is_some_and(&fits))
    }

    /// Octets on the heap, approximately.
    pub(super) fn memory_octets(&self) -> usize {
        let bucket = |key: usize| key + size_of::<u32>() + 1;
        self.slots.capacity() * size_of::<Option<Session>>()
            + self.empty.capacity() * size_of::<u32>()
            + self.by_sender.capacity() * bucket(size_of::<SenderKey>()) * 8 / 7
            + self.by_sid.capacity() * bucket(size_of::<Sid>()) * 8 / 7
            + self.timers.len() * 2 * size_of::<(Mono, u32)>()
            + self.unbound.len() * 2 * size_of::<Unbound>()
    }
}

/// `None`: it is bound, or need not be.
fn place(session: &Session, at: u32) -> Option<Unbound> {
    let octets = if session.features.reflected() >= 2 {
        session.features.server_octets
    } else {
        0
    };
    Some((
        session.key.local_port(),
        octets,
        halves(session.unbound?),
        at,
    ))
}

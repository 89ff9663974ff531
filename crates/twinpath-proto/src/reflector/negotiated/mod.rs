//! Sessions negotiated by TWAMP-Control (RFC 5357 section 4.2): reflected from start to stop, for
//! their sender only.

mod replays;
mod session;
mod spec;
mod table;

use std::collections::VecDeque;
use std::net::IpAddr;

use ipnet::IpNet;
use twinpath_wire::control::Sid;
use twinpath_wire::{Arrival, Mono, ReflectorSecured};

use super::access::Access;
use super::{ListedSession, SessionReflector};
use crate::TestGuard;
use session::State;
use table::Table;

pub(super) use session::Session;
pub use spec::{Ended, InUse, SessionCounters, SessionSpec};

/// The most sessions handled in one call of [`SessionReflector::handle_timeout`].
const LOOKED_AFTER_AT_ONCE: usize = 256;

/// The negotiated sessions of a reflector, on any of its ports.
pub(super) struct Negotiated {
    table: Table,
    /// Addresses that may bind any session that allows for NAT.
    others: Access,
    ended: VecDeque<(Sid, Ended, SessionCounters)>,
}

impl Negotiated {
    pub(super) fn new(allow_sender: &[IpNet]) -> Self {
        Self {
            table: Table::default(),
            others: Access::only(allow_sender),
            ended: VecDeque::new(),
        }
    }

    /// Has these addresses bind any session that allows for NAT, in place of others before.
    pub(super) fn set_others(&mut self, allow_sender: &[IpNet]) {
        self.others = Access::only(allow_sender);
    }

    /// The session of a packet, and its slot.
    pub(super) fn find(
        &mut self,
        request: &[u8],
        arrival: &Arrival,
    ) -> Option<(u32, &mut Session)> {
        if self.table.is_empty() {
            return None;
        }
        let at = self.table.find(request, arrival, &self.others)?;
        Some((at, self.table.get_mut(at)?))
    }

    /// Binds the session to the packet's source.
    pub(super) fn bind(&mut self, at: u32, arrival: &Arrival) {
        self.table.bind(at, arrival);
    }

    /// Encrypts the rest of a reply, with T3, by the keys of the session in this slot.
    pub(super) fn finish(&self, at: u32, reply: &mut [u8]) {
        let header = reply.get_mut(..ReflectorSecured::OCTETS);
        let session = self.table.get(at);
        let secured = session.and_then(|session| session.secured.as_ref());
        if let (Some(header), Some(secured)) = (header, secured) {
            secured.guard.finish(header);
        }
    }

    /// Its sessions, in any order.
    pub(super) fn list(&self, now: Mono) -> impl Iterator<Item = ListedSession> {
        self.table.all().map(move |session| session.listed(now))
    }

    /// When the next session ends if no more packets arrive.
    pub(super) fn next_end(&self) -> Option<Mono> {
        self.table.first_timer().map(|(due, _)| due)
    }

    fn session_mut(&mut self, sid: Sid) -> Option<(u32, &mut Session)> {
        let at = self.table.slot_of(sid)?;
        Some((at, self.table.get_mut(at)?))
    }
}

/// What the control plane does with negotiated sessions.
impl SessionReflector {
    /// Adds a session, to be reflected on `local_port` (and at `local`, if that matters) once it is
    /// started. Its packets are not secured.
    ///
    /// # Errors
    /// [`InUse`] if this sender has a session on this port, even a stopped one whose Timeout has
    /// not passed, or if another session has this SID.
    pub fn open(
        &mut self,
        spec: SessionSpec,
        local_port: u16,
        local: Option<IpAddr>,
    ) -> Result<(), InUse> {
        self.open_guarded(spec, TestGuard::default(), local_port, local)
    }

    /// As [`Self::open`], with the guard of its packets in the secured modes.
    ///
    /// # Errors
    /// [`InUse`], as for [`Self::open`].
    pub fn open_guarded(
        &mut self,
        spec: SessionSpec,
        guard: TestGuard,
        local_port: u16,
        local: Option<IpAddr>,
    ) -> Result<(), InUse> {
        let table = &mut self.negotiated.table;
        table.insert(Session::new(&spec, guard, local_port, local))?;
        self.counters.sessions_made += 1;
        self.counters.sessions += 1;
        Ok(())
    }

    /// Reflects it from now on. Has no effect on a session already started or unknown.
    pub fn start(&mut self, sid: Sid, now: Mono) {
        let Some((at, session)) = self.negotiated.session_mut(sid) else {
            return;
        };
        if session.state == State::Negotiated {
            session.start(now);
            self.negotiated.table.rearm(at);
        }
    }

    /// Reflects it until `now` + Timeout (row TT-22). A session never started is removed at once
    /// (row TC-66); one stopped before keeps its earlier end.
    pub fn stop(&mut self, sid: Sid, now: Mono) {
        let Some((at, session)) = self.negotiated.session_mut(sid) else {
            return;
        };
        match session.state {
            State::Negotiated => self.end(at, Ended::Removed),
            State::Running => {
                session.stop(now);
                self.negotiated.table.rearm(at);
            }
            State::Stopping { .. } => {}
        }
    }

    /// Removes it at once.
    pub fn remove(&mut self, sid: Sid) {
        if let Some(at) = self.negotiated.table.slot_of(sid) {
            self.end(at, Ended::Removed);
        }
    }

    /// A session that is over, and its counts. Poll until `None`: what is not polled is kept.
    pub fn poll_ended(&mut self) -> Option<(Sid, Ended, SessionCounters)> {
        self.negotiated.ended.pop_front()
    }

    /// The counts of a session so far; `None` once it is over.
    pub fn session_counters(&self, sid: Sid) -> Option<SessionCounters> {
        let at = self.negotiated.table.slot_of(sid)?;
        self.negotiated
            .table
            .get(at)
            .map(|session| session.counters)
    }

    /// Octets on the heap, for tests of a session's memory.
    #[doc(hidden)]
    pub fn memory_octets(&self) -> usize {
        self.negotiated.table.memory_octets()
    }

    /// Ends sessions whose time has come: a bounded number of them in one call.
    pub(super) fn end_negotiated(&mut self, now: Mono) {
        for _ in 0..LOOKED_AFTER_AT_ONCE {
            let Some((_, at)) = self
                .negotiated
                .table
                .first_timer()
                .filter(|(due, _)| *due <= now)
            else {
                return;
            };
            let Some(session) = self.negotiated.table.get(at) else {
                return;
            };
            match session.state {
                _ if session.ends().is_none_or(|ends| ends > now) => {
                    self.negotiated.table.rearm(at);
                }
                State::Stopping { .. } => self.end(at, Ended::Stopped),
                State::Negotiated | State::Running => {
                    self.counters.sessions_expired += 1;
                    self.end(at, Ended::Refwait);
                }
            }
        }
    }

    fn end(&mut self, at: u32, how: Ended) {
        if let Some(session) = self.negotiated.table.remove(at) {
            self.negotiated
                .ended
                .push_back((session.sid, how, session.counters));
            self.counters.sessions -= 1;
        }
    }
}

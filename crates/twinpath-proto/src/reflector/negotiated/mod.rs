//! Sessions negotiated by TWAMP-Control (RFC 5357 section 4.2): reflected from start to stop, for
//! their sender only.

mod replays;
mod session;
mod spec;
mod table;

use std::collections::VecDeque;
use std::net::IpAddr;

use twinpath_wire::control::Sid;
use twinpath_wire::{Arrival, ErrorEstimate, Mono, ReflectorSecured, SenderOpen, Wall, WireTime};

use super::access::Access;
use super::rate::RateLimit;
use super::reply::{self, Fields, Layout, Reflection};
use super::{Ignored, ReflectorCounters, addresses, reply_guard};
use crate::TestGuard;
use replays::Repeat;
use session::{Session, State};
use table::Table;

pub use spec::{Ended, InUse, NegotiatedConfig, SessionCounters, SessionSpec};

/// The most sessions handled in one call of [`NegotiatedReflector::handle_timeout`].
const LOOKED_AFTER_AT_ONCE: usize = 256;
/// Two ports that do not suggest a reflector: a negotiated sender may use any port, even its
/// peer's.
const NO_SIGN: reply_guard::Ports = reply_guard::Ports { from: 1, to: 0 };

/// All negotiated sessions of one reflector thread, on any of its ports.
pub struct NegotiatedReflector {
    config: NegotiatedConfig,
    rate: Option<RateLimit>,
    /// Addresses that may bind any session that allows for NAT.
    others: Access,
    table: Table,
    ended: VecDeque<(Sid, Ended, SessionCounters)>,
    totals: ReflectorCounters,
}

impl NegotiatedReflector {
    /// A reflector without sessions.
    pub fn new(config: NegotiatedConfig) -> Self {
        Self {
            rate: config.max_rate_pps.map(RateLimit::new),
            others: Access::only(&config.allow_sender),
            config,
            table: Table::default(),
            ended: VecDeque::new(),
            totals: ReflectorCounters::default(),
        }
    }

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
        self.table
            .insert(Session::new(&spec, guard, local_port, local))?;
        self.totals.sessions_made += 1;
        self.totals.sessions = self.table.len() as u64;
        Ok(())
    }

    /// Reflects it from now on. Has no effect on a session already started or unknown.
    pub fn start(&mut self, sid: Sid, now: Mono) {
        let Some((at, session)) = self.session_mut(sid) else {
            return;
        };
        if session.state == State::Negotiated {
            session.start(now);
            self.table.rearm(at);
        }
    }

    /// Reflects it until `now` + Timeout (row TT-22). A session never started is removed at once
    /// (row TC-66); one stopped before keeps its earlier end.
    pub fn stop(&mut self, sid: Sid, now: Mono) {
        let Some((at, session)) = self.session_mut(sid) else {
            return;
        };
        match session.state {
            State::Negotiated => self.end(at, Ended::Removed),
            State::Running => {
                session.stop(now);
                self.table.rearm(at);
            }
            State::Stopping { .. } => {}
        }
    }

    /// Removes it at once.
    pub fn remove(&mut self, sid: Sid) {
        if let Some(at) = self.table.slot_of(sid) {
            self.end(at, Ended::Removed);
        }
    }

    /// Turns the request in `buffer[..received]` into its reply, in place.
    ///
    /// The buffer is at least max(`received`, 112) octets long.
    ///
    /// # Errors
    /// Why there is no reply; counted already. The buffer is then unchanged.
    pub fn reflect(
        &mut self,
        now: Mono,
        buffer: &mut [u8],
        received: usize,
        arrival: &Arrival,
    ) -> Result<Reflection, Ignored> {
        let result = self.answer(now, buffer, received, arrival);
        match result {
            Ok(_) => self.totals.reflected += 1,
            Err(kind) => self.totals.ignore(kind),
        }
        result
    }

    /// Writes T3 and the Error Estimate that covers T3 and T2, in the negotiated format, and
    /// encrypts what depends on them: last, just before the system call. `reply` is the reply that
    /// `reflection` describes.
    pub fn seal(&self, reflection: &Reflection, reply: &mut [u8], t3: Wall, error: ErrorEstimate) {
        let (format, tai_offset_s) = (reflection.format, self.config.tai_offset_s);
        let Some(at) = reflection.keys else {
            return reply::seal(reply, t3, error, format, tai_offset_s);
        };
        reply::seal_secured(reply, t3, error, format, tai_offset_s);
        let header = reply.get_mut(..ReflectorSecured::OCTETS);
        let secured = self
            .table
            .get(at)
            .and_then(|session| session.secured.as_ref());
        if let (Some(header), Some(secured)) = (header, secured) {
            secured.guard.finish(header);
        }
    }

    /// Ends sessions whose time has come: a bounded number of them in one call.
    pub fn handle_timeout(&mut self, now: Mono) {
        for _ in 0..LOOKED_AFTER_AT_ONCE {
            let Some((_, at)) = self.table.first_timer().filter(|(due, _)| *due <= now) else {
                return;
            };
            let Some(session) = self.table.get(at) else {
                return;
            };
            match session.state {
                _ if session.ends().is_none_or(|ends| ends > now) => self.table.rearm(at),
                State::Stopping { .. } => self.end(at, Ended::Stopped),
                State::Negotiated | State::Running => {
                    self.totals.sessions_expired += 1;
                    self.end(at, Ended::Refwait);
                }
            }
        }
    }

    /// When [`Self::handle_timeout`] has work next; `None`: no session ends by time.
    pub fn poll_timeout(&self) -> Option<Mono> {
        self.table.first_timer().map(|(due, _)| due)
    }

    /// A session that is over, and its counts. Poll until `None`: what is not polled is kept.
    pub fn poll_ended(&mut self) -> Option<(Sid, Ended, SessionCounters)> {
        self.ended.pop_front()
    }

    /// The counts of a session so far; `None` once it is over.
    pub fn counters(&self, sid: Sid) -> Option<SessionCounters> {
        let at = self.table.slot_of(sid)?;
        self.table.get(at).map(|session| session.counters)
    }

    /// The counts of all sessions, finished ones included, and of datagrams that belong to none.
    pub fn totals(&self) -> &ReflectorCounters {
        &self.totals
    }

    /// Octets on the heap, for tests of a session's memory.
    #[doc(hidden)]
    pub fn memory_octets(&self) -> usize {
        self.table.memory_octets()
    }

    fn answer(
        &mut self,
        now: Mono,
        buffer: &mut [u8],
        received: usize,
        arrival: &Arrival,
    ) -> Result<Reflection, Ignored> {
        let request = buffer.get(..received).ok_or(Ignored::NoRoom)?;
        if arrival.truncated {
            return Err(Ignored::Truncated);
        }
        addresses::check(arrival)?;
        SenderOpen::view(request).map_err(|_| Ignored::TooShort)?;
        let at = self
            .table
            .find(request, arrival, &self.others)
            .ok_or(Ignored::NoSession)?;
        let strict = self.config.strict;
        let session = self.table.get_mut(at).ok_or(Ignored::NoSession)?;
        let octets = session.features.reply_octets(received);
        let room = buffer.len() >= octets;
        let replays = session.counters.replays;
        let judged = check(session, request, now, arrival.at.at, room, strict);
        self.totals.replays += session.counters.replays - replays;
        // Last, so that only packets that get a reply count against the rate.
        let judged = judged.and_then(|sender| {
            let rate = self.rate.as_mut();
            if rate.is_none_or(|rate| rate.admits(arrival.from.ip(), now)) {
                Ok(sender)
            } else {
                Err(Ignored::RateLimited)
            }
        });
        session.counters.count_outcome(judged.map(|_| ()));
        let sender = judged?;
        let error_unknown = u64::from(sender.error.multiplier() == 0);
        session.counters.error_multiplier_zero += error_unknown;
        session.counters.too_short += u64::from(session.features.is_too_short(received));
        self.totals.error_multiplier_zero += error_unknown;
        let format = session.features.reflector_format();
        let fields = Fields {
            number: session.number(now),
            t2: WireTime::write(arrival.at.at, format, self.config.tai_offset_s),
            sender,
            arrival,
        };
        fields.write_twamp(buffer, received, octets, Layout::of(session.features));
        if let Some(secured) = &session.secured
            && let Some(header) = buffer.get_mut(..ReflectorSecured::OCTETS)
        {
            secured.guard.prepare(header);
        }
        let reflection = Reflection {
            octets,
            tos: session.dscp.tos(),
            format,
            keys: session.secured.is_some().then_some(at),
        };
        if session.unbound.is_some() {
            self.table.bind(at, arrival);
        }
        Ok(reflection)
    }

    fn session_mut(&mut self, sid: Sid) -> Option<(u32, &mut Session)> {
        let at = self.table.slot_of(sid)?;
        Some((at, self.table.get_mut(at)?))
    }

    fn end(&mut self, at: u32, how: Ended) {
        if let Some(session) = self.table.remove(at) {
            self.ended.push_back((session.sid, how, session.counters));
            self.totals.sessions = self.table.len() as u64;
        }
    }
}

/// Whether a packet of this session gets a reply now, and its contents.
fn check(
    session: &mut Session,
    request: &[u8],
    now: Mono,
    clock: Wall,
    room: bool,
    strict: bool,
) -> Result<SenderOpen, Ignored> {
    match session.state {
        State::Negotiated => return Err(Ignored::NotStarted),
        State::Stopping { until } if until <= now => return Err(Ignored::NoSession),
        State::Running | State::Stopping { .. } => {}
    }
    if !room {
        return Err(Ignored::NoRoom);
    }
    let sender = session.read(request)?;
    // In the secured modes no whole reply passes for a request: its HMAC is elsewhere.
    if session.secured.is_none() && reply_guard::is_open_reply(request, NO_SIGN, clock) {
        return Err(Ignored::Reply);
    }
    if strict && sender.error.multiplier() == 0 {
        return Err(Ignored::ErrorMultiplierZero);
    }
    match session.repeat(sender.seq.get()) {
        Repeat::New => {}
        Repeat::Seen => session.counters.replays += 1,
        Repeat::Old => {
            session.counters.old += 1;
            // In the authenticated mode, numbers can be forged: a reply's first block and HMAC pass
            // for a request's. Refusing old numbers would let a forger block the real sender.
            if session.has_authentic_numbers() {
                return Err(Ignored::Old);
            }
            session.counters.replays += 1;
        }
    }
    Ok(sender)
}

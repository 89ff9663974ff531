//! The Server's side of one control connection: the state table of RFC 5357 section 3 with RFC 5938
//! (section 11 of our conformance table).

mod commands;

use std::collections::{BTreeSet, VecDeque};
use std::net::SocketAddr;
use std::sync::Arc;

use twinpath_wire::Mono;
use twinpath_wire::control::{
    Accept, Command, ManySessions, Modes, RequestSession, SetUpResponse, Sid, StartSessions,
    StopSessions,
};

use super::request::Ends;
use super::sessions::{Sessions, State};
use super::{
    Admission, CloseReason, Nonces, Opened, PeerDeviation, ServerConfig, ServerEvent, answers,
};
use crate::TestGuard;
use crate::control::frames::{Filled, Inbox, Shape};
use crate::control::outbox::Outbox;
use crate::control::protection::{Opening, Sealing};
use crate::security::{KeyId, KeyTable, SessionKeys};

/// The Server's end of one control connection.
#[derive(Debug)]
pub struct Server {
    config: Arc<ServerConfig>,
    pub(super) admission: Admission,
    nonces: Nonces,
    /// Until the client is set up.
    keys: Option<Arc<KeyTable>>,
    /// Contents of the client's token; `None` before it arrives, and in the unauthenticated mode.
    session_keys: Option<SessionKeys>,
    /// The key by which the client authenticated.
    key_id: Option<KeyId>,
    ends: Ends,
    pub(super) phase: Phase,
    /// Between Start-Sessions and Stop-Sessions, without Individual Session Control.
    active: bool,
    pub(super) sessions: Sessions,
    inbox: Inbox,
    opening: Opening,
    outbox: Outbox,
    sealing: Sealing,
    events: VecDeque<ServerEvent>,
    /// A request that waits for the driver; its octets to reflect.
    pending: Option<u16>,
    /// An acknowledgement to send once the driver has handled the events.
    ack: Option<Ack>,
    /// Kinds of [`PeerDeviation`] already reported.
    noted: u16,
    now: Mono,
    /// When the current message began.
    begun: Mono,
    /// When SERVWAIT began.
    last_input: Mono,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Phase {
    /// The greeting is sent; the Set-Up-Response is awaited.
    SetUp,
    Commands,
    /// Input is ignored; output is still written.
    Closing,
}

#[derive(Debug)]
enum Ack {
    /// Start-Ack.
    All(Accept),
    /// Start-N-Acks or Stop-N-Acks.
    Many(Command, Vec<(Sid, Accept)>),
}

impl Server {
    /// A connection that `peer` just made to `local`, with the greeting ready to send. `keys` are
    /// those that match its Salt and Count, kept until the client is set up.
    pub fn new(
        config: Arc<ServerConfig>,
        keys: Arc<KeyTable>,
        admission: Admission,
        nonces: Nonces,
        now: Mono,
        peer: SocketAddr,
        local: SocketAddr,
    ) -> Self {
        let mut outbox = Outbox::new(config.message_timeout());
        let offers = match admission {
            Admission::Served | Admission::Refused(_) => config.offers(!keys.is_empty()),
            Admission::TurnedAway => Modes::default(),
        };
        outbox.push(now, answers::greeting(offers, &nonces, &keys));
        let mut server = Self {
            sessions: Sessions::new(config.max_sessions),
            config,
            admission,
            nonces,
            keys: Some(keys),
            session_keys: None,
            key_id: None,
            ends: Ends {
                peer,
                local,
                modes: Modes::default(),
            },
            phase: Phase::SetUp,
            active: false,
            inbox: Inbox::default(),
            opening: Opening::default(),
            outbox,
            sealing: Sealing::default(),
            events: VecDeque::new(),
            pending: None,
            ack: None,
            noted: 0,
            now,
            begun: now,
            last_input: now,
        };
        if admission == Admission::TurnedAway {
            server.close(CloseReason::TurnedAway);
        }
        server
    }

    /// Has what comes from now on judged by this configuration. Sessions that were accepted stay.
    pub fn set_config(&mut self, config: Arc<ServerConfig>) {
        self.sessions.set_most(config.max_sessions);
        self.config = config;
    }

    /// Whether [`Self::handle_input`] would take any octets.
    pub fn wants_input(&self) -> bool {
        self.phase == Phase::Closing
            || (self.pending.is_none()
                && self.ack.is_none()
                && self.events.is_empty()
                && self.outbox.is_empty())
    }

    /// Takes octets from the client and returns how many. Stops after a message that needs an
    /// answer (row TC-73). Once the connection has ended, all are taken and discarded.
    pub fn handle_input(&mut self, now: Mono, octets: &[u8]) -> usize {
        self.now = now;
        let mut rest = octets;
        while self.phase != Phase::Closing && self.wants_input() && !rest.is_empty() {
            self.last_input = now;
            if self.phase == Phase::Commands && !self.inbox.is_begun() {
                self.begun = now;
            }
            let shape = match self.phase {
                Phase::SetUp => Shape::Clear(SetUpResponse::OCTETS),
                Phase::Commands | Phase::Closing => Shape::Blocks,
            };
            let individual = self.is_individual();
            let most = self.most_sids();
            let length = |block: &[u8]| length(block, individual, most);
            let (taken, filled) = self.inbox.fill(rest, shape, &mut self.opening, length);
            rest = rest.get(taken..).unwrap_or_default();
            match filled {
                Ok(Filled::Partial) => {}
                Ok(Filled::Message(message)) => self.message(&message),
                Ok(Filled::Block(block)) => self.handle_unexpected(&block),
                Err(_) => self.drop_connection(CloseReason::Forged),
            }
        }
        match self.phase {
            Phase::Closing => octets.len(),
            Phase::SetUp | Phase::Commands => octets.len() - rest.len(),
        }
    }

    /// The client closed its side and all its octets are taken, or the connection failed. Running
    /// sessions are stopped (row TC-77).
    pub fn handle_eof(&mut self, now: Mono) {
        self.now = now;
        self.close(if self.inbox.is_begun() {
            CloseReason::CutShort
        } else {
            CloseReason::PeerClosed
        });
    }

    /// The time that [`Self::poll_timeout`] named has come.
    pub fn handle_timeout(&mut self, now: Mono) {
        self.now = now;
        let past = |due: Option<Mono>| due.is_some_and(|due| now >= due);
        if self.outbox.is_stuck(now) {
            self.drop_connection(CloseReason::OutputStuck);
        } else if past(self.message_due()) {
            self.close(CloseReason::MessageLate);
        } else if past(self.servwait_due()) {
            self.close(CloseReason::Idle);
        }
    }

    /// When to call [`Self::handle_timeout`]; `None`: never.
    pub fn poll_timeout(&self) -> Option<Mono> {
        let dues = [self.outbox.due(), self.message_due(), self.servwait_due()];
        dues.into_iter().flatten().min()
    }

    /// The driver's answer to [`ServerEvent::Open`]. [`Accept::TemporaryLimit`] if no session or
    /// port is free now, [`Accept::PermanentLimit`] at the client's own limit,
    /// [`Accept::NotSupported`] for an address that is not served, [`Accept::InternalError`] if the
    /// host fails.
    pub fn answer_open(&mut self, now: Mono, answer: Result<Opened, Accept>) {
        self.now = now;
        match (self.pending.take(), answer) {
            (Some(octets), answer) if self.phase == Phase::Commands => {
                self.last_input = now;
                if let Ok(opened) = answer {
                    self.sessions.insert(opened.sid);
                }
                self.send(answers::accept_session(answer, octets));
            }
            // The client has disconnected meanwhile.
            (_, Ok(opened)) => self.events.push_back(ServerEvent::Remove(opened.sid)),
            (_, Err(_)) => {}
        }
    }

    /// Sessions that [`ServerEvent::Start`] named cannot be started: call this before polling
    /// output, once for all of them. Without Individual Session Control no session of that command
    /// starts then, and each gets [`ServerEvent::Remove`].
    pub fn refuse_start(&mut self, sids: &[Sid], accept: Accept) {
        let refused: BTreeSet<[u8; 16]> = sids.iter().map(|sid| sid.0).collect();
        if refused.is_empty() {
            return;
        }
        match &mut self.ack {
            Some(Ack::All(answer)) if *answer == Accept::Ok && accept != Accept::Ok => {
                *answer = accept;
                self.active = false;
                for started in self.sessions.all_in(State::Running) {
                    self.sessions.set(started, State::Ended);
                    self.events.push_back(ServerEvent::Remove(started));
                }
            }
            Some(Ack::Many(Command::StartMany, answers)) => {
                for (sid, answer) in answers {
                    if *answer == Accept::Ok && refused.contains(&sid.0) {
                        *answer = accept;
                        self.sessions.set(*sid, State::Accepted);
                    }
                }
            }
            _ => {}
        }
    }

    /// The reflector ended a session by REFWAIT. SERVWAIT resumes with the last one (row TC-68).
    pub fn session_ended(&mut self, now: Mono, sid: Sid) {
        self.now = now;
        if self.sessions.state(sid) == Some(State::Running) {
            let individual = self.is_individual();
            let state = if individual {
                State::Ended
            } else {
                State::Expired
            };
            self.sessions.set(sid, state);
            self.last_input = now;
        }
    }

    /// The driver ends the connection: sessions are stopped.
    pub fn shut_down(&mut self, now: Mono) {
        self.now = now;
        self.close(CloseReason::Shutdown);
    }

    /// The driver closes this connection, which has no sessions, in favour of another client.
    pub fn make_room(&mut self, now: Mono) {
        self.now = now;
        self.close(CloseReason::MadeRoom);
    }

    /// Whether a session is accepted, running or being requested.
    pub fn has_sessions(&self) -> bool {
        self.pending.is_some() || self.sessions.any_open()
    }

    /// The next octets to write, with one call: a message, or the rest of one. `None` while events
    /// wait, because they are handled first (row TC-53).
    pub fn poll_output(&mut self) -> Option<&[u8]> {
        if !self.events.is_empty() {
            return None;
        }
        self.write_pending_ack();
        self.outbox.front()
    }

    /// This many octets of [`Self::poll_output`] were written.
    pub fn handle_written(&mut self, now: Mono, octets: usize) {
        self.now = now;
        self.outbox.wrote(now, octets);
    }

    /// What happened.
    pub fn poll_event(&mut self) -> Option<ServerEvent> {
        self.events.pop_front()
    }

    /// All output is written: the driver closes the connection.
    pub fn is_closed(&self) -> bool {
        self.phase == Phase::Closing && self.events.is_empty() && self.outbox.is_empty()
    }

    /// The negotiated modes; empty before [`ServerEvent::Ready`].
    pub fn modes(&self) -> Modes {
        self.ends.modes
    }

    /// The Key-ID by which the client authenticated; `None` before that, and in the unauthenticated
    /// mode.
    pub fn key_id(&self) -> Option<KeyId> {
        self.key_id
    }

    /// What protects the test packets of the session that gets this SID (row TT-29).
    pub fn test_guard(&self, sid: Sid) -> TestGuard {
        match &self.session_keys {
            Some(keys) => TestGuard::new(self.ends.modes, keys, sid),
            None => TestGuard::default(),
        }
    }

    fn is_individual(&self) -> bool {
        self.ends.modes.contains(Modes::INDIVIDUAL_CONTROL)
    }

    fn message_due(&self) -> Option<Mono> {
        let under_way = match self.phase {
            Phase::SetUp => true,
            Phase::Commands => self.inbox.is_begun(),
            Phase::Closing => false,
        };
        under_way.then(|| self.begun + self.config.message_timeout())
    }

    fn servwait_due(&self) -> Option<Mono> {
        let idle = self.phase == Phase::Commands
            && self.pending.is_none()
            && self.ack.is_none()
            && !self.sessions.any_running();
        idle.then(|| self.last_input + self.config.servwait)
    }

    fn message(&mut self, message: &[u8]) {
        if self.phase == Phase::SetUp {
            return self.set_up(message);
        }
        match message.first().copied().and_then(Command::from_octet) {
            Some(Command::RequestSession) => self.request(message),
            Some(Command::StartSessions) => self.start_all(),
            Some(Command::StopSessions) => self.stop_all(message),
            Some(command @ (Command::StartMany | Command::StopMany)) => {
                self.start_or_stop(command, message);
            }
            Some(Command::StartManyAck | Command::StopManyAck) | None => {
                self.handle_unexpected(message);
            }
        }
    }

    fn start(&mut self, sid: Sid) {
        self.sessions.set(sid, State::Running);
        self.events.push_back(ServerEvent::Start(sid));
    }

    fn end(&mut self, sid: Sid, state: State) {
        self.sessions.set(sid, State::Ended);
        match state {
            State::Accepted => self.events.push_back(ServerEvent::Remove(sid)),
            State::Running => self.events.push_back(ServerEvent::Stop(sid)),
            State::Expired | State::Ended => {}
        }
    }

    fn stop_running(&mut self) {
        for state in [State::Running, State::Expired] {
            for sid in self.sessions.all_in(state) {
                self.end(sid, state);
            }
        }
    }

    /// Writes the pending acknowledgement.
    fn write_pending_ack(&mut self) {
        match self.ack.take() {
            None => {}
            Some(Ack::All(accept)) => self.send(answers::start_ack(accept)),
            Some(Ack::Many(command, answers)) => {
                let ack = if command == Command::StartMany {
                    Command::StartManyAck
                } else {
                    Command::StopManyAck
                };
                for message in answers::many_acks(ack, &answers) {
                    self.send(message);
                }
            }
        }
    }

    /// Accept-Session with anything but 0: no port, no SID.
    fn refuse(&mut self, accept: Accept, octets: u16) {
        self.send(answers::accept_session(Err(accept), octets));
    }

    fn send(&mut self, mut message: Vec<u8>) {
        if self.phase == Phase::Commands {
            self.sealing.seal(&mut message);
        }
        self.outbox.push(self.now, message);
    }

    fn note(&mut self, slip: PeerDeviation) {
        if self.noted & slip.bit() == 0 {
            self.noted |= slip.bit();
            self.events.push_back(ServerEvent::Note(slip));
        }
    }

    /// Ends the connection; output is still written.
    fn close(&mut self, reason: CloseReason) {
        if self.phase == Phase::Closing {
            return;
        }
        self.write_pending_ack();
        self.phase = Phase::Closing;
        self.stop_running();
        for sid in self.sessions.all_in(State::Accepted) {
            self.end(sid, State::Accepted);
        }
        self.events.push_back(ServerEvent::Closed(reason));
    }

    /// Ends the connection at once and drops its output.
    fn drop_connection(&mut self, reason: CloseReason) {
        self.close(reason);
        self.outbox.clear();
    }
}

/// Whole length of the message that `block` begins.
fn length(block: &[u8], individual: bool, most: u32) -> Option<usize> {
    match block.first().copied().and_then(Command::from_octet) {
        Some(Command::RequestSession) => Some(RequestSession::OCTETS),
        Some(Command::StartSessions) => Some(StartSessions::OCTETS),
        Some(Command::StopSessions) => Some(StopSessions::OCTETS),
        Some(Command::StartMany | Command::StopMany) if individual => ManySessions::view(block)
            .ok()
            .filter(|head| head.sessions.get() != 0)
            .and_then(|head| head.message_octets(most)),
        Some(
            Command::StartMany | Command::StopMany | Command::StartManyAck | Command::StopManyAck,
        )
        | None => None,
    }
}

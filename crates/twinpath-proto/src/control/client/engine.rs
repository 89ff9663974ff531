//! The Control-Client's side of one control connection.

mod answers;

use std::collections::VecDeque;
use std::net::SocketAddr;

use twinpath_wire::Mono;
use twinpath_wire::control::{
    Accept, AcceptSession, Command, ManySessions, Modes, ServerGreeting, ServerStart, StartAck,
};

use super::sessions::{Sessions, Stage};
use super::{ClientError, ClientEvent, ClientPlan, ExpectedAnswer, Message, SessionPlan, requests};
use crate::control::frames::{Filled, Inbox, Shape};
use crate::control::outbox::Outbox;
use crate::control::protection::{Opening, Sealing};
use crate::{Refusal, Step, TestGuard};

/// The Control-Client's end of one control connection.
///
/// It requests the plan's sessions by itself and reports [`ClientEvent::Settled`] when all are
/// answered. The driver then calls [`Self::start`], sends packets after [`ClientEvent::Started`],
/// calls [`Self::stop`] after the last reply, and [`Self::close`] once every session is
/// [`ClientEvent::Stopped`].
#[derive(Debug)]
pub struct ControlClient {
    plan: ClientPlan,
    server: SocketAddr,
    phase: Phase,
    modes: Modes,
    sessions: Sessions,
    /// The session whose Accept-Session is awaited.
    requested: Option<usize>,
    /// Requests were made since [`ClientEvent::Settled`].
    unsettled: bool,
    /// From Start-Sessions to Stop-Sessions, without Individual Session Control.
    active: bool,
    /// The Accept of Stop-Sessions.
    stop_accept: Accept,
    inbox: Inbox,
    opening: Opening,
    outbox: Outbox,
    sealing: Sealing,
    events: VecDeque<ClientEvent>,
    now: Mono,
    /// Deadline of the awaited answer.
    due: Option<Mono>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Phase {
    Greeting,
    SetUp,
    Commands,
    Closing,
}

impl ControlClient {
    /// A connection just made to `server`, which sends the first message.
    pub fn new(plan: ClientPlan, now: Mono, server: SocketAddr) -> Self {
        let mut sessions = Sessions::default();
        for session_plan in &plan.sessions {
            sessions.push(*session_plan);
        }
        let mut client = Self {
            server,
            phase: Phase::Greeting,
            modes: Modes::default(),
            unsettled: sessions.len() > 0,
            sessions,
            requested: None,
            active: false,
            stop_accept: Accept::Ok,
            inbox: Inbox::default(),
            opening: Opening::default(),
            outbox: Outbox::new(plan.answer_timeout),
            sealing: Sealing::default(),
            events: VecDeque::new(),
            now,
            due: None,
            plan,
        };
        client.restart_answer_timeout();
        client
    }

    /// Requests one more session and returns its index. Between Start-Sessions and Stop-Sessions,
    /// the request waits for the latter.
    pub fn request(&mut self, now: Mono, session_plan: SessionPlan) -> usize {
        self.now = now;
        let index = self.sessions.push(session_plan);
        self.unsettled = true;
        self.send_next_request();
        index
    }

    /// Starts all sessions that are accepted and not started, and returns how many. 0 if there are
    /// none, or if sessions are running without Individual Session Control.
    pub fn start(&mut self, now: Mono) -> usize {
        self.now = now;
        let accepted = self.sessions.all(Stage::Accepted);
        self.send_start(&accepted)
    }

    /// Starts those of `indices` that are accepted and not started, and returns how many. Does
    /// nothing without Individual Session Control.
    pub fn start_sessions(&mut self, now: Mono, indices: &[usize]) -> usize {
        self.now = now;
        if !self.is_individual() {
            return 0;
        }
        let mut accepted = indices.to_vec();
        accepted.sort_unstable();
        accepted.dedup();
        accepted.retain(|index| {
            let session = self.sessions.get(*index);
            session.is_some_and(|session| session.stage == Stage::Accepted)
        });
        self.send_start(&accepted)
    }

    /// Stops all running sessions, and those being started as soon as they run; returns how many.
    /// `accept` is not 0 if this side failed (row TC-58); only Stop-Sessions carries it.
    pub fn stop(&mut self, now: Mono, accept: Accept) -> usize {
        self.now = now;
        self.stop_accept = accept;
        let all = [Stage::Starting, Stage::Running].map(|stage| self.sessions.all(stage));
        let marked = self.sessions.mark_stop(&all.concat());
        self.send_stop();
        marked
    }

    /// Stops those of `indices` that are running, and returns how many. Does nothing without
    /// Individual Session Control.
    pub fn stop_sessions(&mut self, now: Mono, indices: &[usize]) -> usize {
        self.now = now;
        if !self.is_individual() {
            return 0;
        }
        let marked = self.sessions.mark_stop(indices);
        self.send_stop();
        marked
    }

    /// Ends the connection once all output is written. The Server stops any sessions still running
    /// (row TC-77).
    pub fn close(&mut self, now: Mono) {
        self.now = now;
        self.end();
    }

    /// Whether [`Self::handle_input`] would take any octets.
    pub fn wants_input(&self) -> bool {
        self.phase == Phase::Closing || self.events.is_empty()
    }

    /// Takes octets from the Server and returns how many, never more than the events so far cover.
    /// Once the connection has ended, all are taken and discarded.
    pub fn handle_input(&mut self, now: Mono, octets: &[u8]) -> usize {
        self.now = now;
        let mut rest = octets;
        while self.phase != Phase::Closing && self.wants_input() && !rest.is_empty() {
            let shape = match self.phase {
                Phase::Greeting => Shape::Clear(ServerGreeting::OCTETS),
                Phase::SetUp => Shape::Clear(ServerStart::OCTETS),
                Phase::Commands | Phase::Closing => Shape::Blocks,
            };
            let mut inbox = std::mem::take(&mut self.inbox);
            let mut opening = std::mem::take(&mut self.opening);
            let (taken, filled) = inbox.fill(rest, shape, &mut opening, |block| self.length(block));
            (self.inbox, self.opening) = (inbox, opening);
            rest = rest.get(taken..).unwrap_or_default();
            match filled {
                Ok(Filled::Partial) => {}
                Ok(Filled::Message(message)) => self.message(&message),
                Ok(Filled::Block(block)) => self.handle_unexpected(&block),
                Err(_) => self.fail(ClientError::Forged),
            }
        }
        match self.phase {
            Phase::Closing => octets.len(),
            Phase::Greeting | Phase::SetUp | Phase::Commands => octets.len() - rest.len(),
        }
    }

    /// The Server closed its side and all its octets are taken, or the connection failed.
    pub fn handle_eof(&mut self, now: Mono) {
        self.now = now;
        let running = self.sessions.count(Stage::Running);
        match self.expected_answer() {
            _ if self.phase == Phase::Closing => self.outbox.clear(),
            Some(awaited) => self.fail(ClientError::EndedBefore(awaited)),
            None if running > 0 => self.fail(ClientError::EndedWhileRunning {
                running: u32::try_from(running).unwrap_or(u32::MAX),
            }),
            None => {
                self.end();
                self.outbox.clear();
            }
        }
    }

    /// The time that [`Self::poll_timeout`] named has come.
    pub fn handle_timeout(&mut self, now: Mono) {
        self.now = now;
        if self.outbox.is_stuck(now) {
            self.fail(ClientError::Stuck);
            self.outbox.clear();
        } else if self.due.is_some_and(|due| now >= due)
            && let Some(awaited) = self.expected_answer()
        {
            self.fail(ClientError::Silent(awaited));
        }
    }

    /// When to call [`Self::handle_timeout`]; `None`: never.
    pub fn poll_timeout(&self) -> Option<Mono> {
        [self.outbox.due(), self.due].into_iter().flatten().min()
    }

    /// The next octets to write, with one call: a message, or the rest of one.
    pub fn poll_output(&mut self) -> Option<&[u8]> {
        self.outbox.front()
    }

    /// This many octets of [`Self::poll_output`] were written.
    pub fn handle_written(&mut self, now: Mono, octets: usize) {
        self.now = now;
        self.outbox.wrote(now, octets);
    }

    /// What happened.
    pub fn poll_event(&mut self) -> Option<ClientEvent> {
        self.events.pop_front()
    }

    /// All output is written: the driver closes the connection.
    pub fn is_closed(&self) -> bool {
        self.phase == Phase::Closing && self.events.is_empty() && self.outbox.is_empty()
    }

    /// The chosen modes; empty before [`ClientEvent::Ready`].
    pub fn modes(&self) -> Modes {
        self.modes
    }

    /// What protects the test packets of an accepted session (row TT-29).
    pub fn test_guard(&self, index: usize) -> TestGuard {
        match (&self.plan.credentials, self.sessions.get(index)) {
            (Some(credentials), Some(session)) => {
                TestGuard::new(self.modes, &credentials.session, session.sid)
            }
            _ => TestGuard::default(),
        }
    }

    fn is_individual(&self) -> bool {
        self.modes.contains(Modes::INDIVIDUAL_CONTROL)
    }

    /// The answer that comes next; with Individual Session Control, one of the possible ones.
    fn expected_answer(&self) -> Option<ExpectedAnswer> {
        match self.phase {
            Phase::Greeting => Some(ExpectedAnswer::Greeting),
            Phase::SetUp => Some(ExpectedAnswer::ServerStart),
            Phase::Commands if self.requested.is_some() => Some(ExpectedAnswer::AcceptSession),
            Phase::Commands if self.sessions.any(Stage::Starting) => {
                Some(if self.is_individual() {
                    ExpectedAnswer::StartManyAck
                } else {
                    ExpectedAnswer::StartAck
                })
            }
            Phase::Commands if self.sessions.any(Stage::Stopping) => {
                Some(ExpectedAnswer::StopManyAck)
            }
            Phase::Commands | Phase::Closing => None,
        }
    }

    /// The message that begins with `octet`. Acknowledgements of RFC 5938 may come in any order;
    /// Accept-Session and Start-Ack have no command octet, and begin with an Accept.
    fn meaning(&self, octet: u8) -> Option<ExpectedAnswer> {
        let waits = |stage| self.is_individual() && self.sessions.any(stage);
        match Command::from_octet(octet) {
            Some(Command::StartManyAck) if waits(Stage::Starting) => {
                Some(ExpectedAnswer::StartManyAck)
            }
            Some(Command::StopManyAck) if waits(Stage::Stopping) => {
                Some(ExpectedAnswer::StopManyAck)
            }
            _ => match self.expected_answer() {
                // A Server answers an unexpected command with an Accept-Session with Accept 3 (row
                // TC-69).
                Some(ExpectedAnswer::StartManyAck | ExpectedAnswer::StopManyAck) => (1..=5)
                    .contains(&octet)
                    .then_some(ExpectedAnswer::AcceptSession),
                awaited => awaited,
            },
        }
    }

    /// Whole length of the message that `block` begins.
    fn length(&self, block: &[u8]) -> Option<usize> {
        let octet = block.first().copied().unwrap_or_default();
        let most = u32::try_from(self.sessions.len()).unwrap_or(u32::MAX);
        match self.meaning(octet) {
            Some(ExpectedAnswer::AcceptSession) => Some(AcceptSession::OCTETS),
            Some(ExpectedAnswer::StartAck) => Some(StartAck::OCTETS),
            Some(ExpectedAnswer::StartManyAck | ExpectedAnswer::StopManyAck) => {
                ManySessions::view(block)
                    .ok()
                    .filter(|head| head.sessions.get() != 0)
                    .and_then(|head| head.message_octets(most))
            }
            Some(ExpectedAnswer::Greeting | ExpectedAnswer::ServerStart) | None => None,
        }
    }

    fn message(&mut self, message: &[u8]) {
        let octet = message.first().copied().unwrap_or_default();
        match (self.phase, self.meaning(octet)) {
            (Phase::Greeting, _) => self.greeting(message),
            (Phase::SetUp, _) => self.server_start(message),
            (_, Some(ExpectedAnswer::AcceptSession)) => self.accept_session(message),
            (_, Some(ExpectedAnswer::StartAck)) => self.start_ack(octet),
            (_, Some(ExpectedAnswer::StartManyAck)) => self.many_ack(Step::Start, message),
            (_, Some(ExpectedAnswer::StopManyAck)) => self.many_ack(Step::Stop, message),
            (_, Some(ExpectedAnswer::Greeting | ExpectedAnswer::ServerStart) | None) => {
                self.fail(ClientError::Unexpected { octet });
            }
        }
    }

    /// Octets that are not an answer, or an acknowledgement of too many sessions.
    fn handle_unexpected(&mut self, block: &[u8]) {
        let octet = block.first().copied().unwrap_or_default();
        let many = matches!(
            self.meaning(octet),
            Some(ExpectedAnswer::StartManyAck | ExpectedAnswer::StopManyAck)
        );
        self.fail(match ManySessions::view(block) {
            Ok(head) if many => ClientError::SessionCount {
                sessions: head.sessions.get(),
            },
            _ => ClientError::Unexpected { octet },
        });
    }

    /// Sends the next request, if one waits and may be sent now.
    fn send_next_request(&mut self) {
        if self.phase != Phase::Commands || self.requested.is_some() || self.active {
            return;
        }
        let Some(index) = self.sessions.next_queued() else {
            if std::mem::take(&mut self.unsettled) {
                let accepted = self.sessions.count(Stage::Accepted);
                self.events.push_back(ClientEvent::Settled { accepted });
            }
            return;
        };
        let Some(session_plan) = self.sessions.get(index).map(|session| session.plan) else {
            return;
        };
        self.sessions.set(index, Stage::Asked);
        self.requested = Some(index);
        let said = Message::Request {
            index,
            sender: session_plan.sender,
            sender_port: session_plan.sender_port,
            receiver: session_plan.receiver,
            receiver_port: session_plan.receiver_port,
            dscp: session_plan.dscp,
            padding_length: session_plan.padding_length,
            timeout: session_plan.timeout,
        };
        self.send(
            requests::request(&session_plan, self.modes, self.server.ip()),
            said,
        );
    }

    fn send_start(&mut self, indices: &[usize]) -> usize {
        let individual = self.is_individual();
        if indices.is_empty() || self.phase != Phase::Commands {
            return 0;
        }
        if !individual && (self.active || self.requested.is_some()) {
            return 0;
        }
        for index in indices {
            self.sessions.set(*index, Stage::Starting);
        }
        let sessions = indices.len();
        let message = if individual {
            requests::many(Command::StartMany, &self.sessions.sids(indices))
        } else {
            self.active = true;
            requests::start_all()
        };
        self.send(
            message,
            Message::Start {
                sessions,
                individual,
            },
        );
        sessions
    }

    /// Stops running sessions that are marked to be stopped (rows TC-55, TC-56).
    fn send_stop(&mut self) {
        let stopping = self.sessions.take_stops();
        if stopping.is_empty() || self.phase != Phase::Commands {
            return;
        }
        let individual = self.is_individual();
        let sessions = stopping.len();
        let accept = self.stop_accept;
        let said = Message::Stop {
            sessions,
            individual,
            accept,
        };
        let stage = if individual {
            Stage::Stopping
        } else {
            Stage::Stopped
        };
        for index in &stopping {
            self.sessions.set(*index, stage);
        }
        if individual {
            let sids = self.sessions.sids(&stopping);
            self.send(requests::many(Command::StopMany, &sids), said);
        } else {
            self.send(requests::stop_all(accept, sessions), said);
            self.active = false;
            for index in stopping {
                self.events.push_back(ClientEvent::Stopped { index });
            }
            self.send_next_request();
        }
    }

    fn send(&mut self, mut message: Vec<u8>, said: Message) {
        if self.phase == Phase::Commands {
            self.sealing.seal(&mut message);
        }
        self.outbox.push(self.now, message);
        self.report(said);
        self.restart_answer_timeout();
    }

    fn report(&mut self, said: Message) {
        self.events.push_back(ClientEvent::Message(said));
    }

    /// Restarts the timeout for the next answer.
    fn restart_answer_timeout(&mut self) {
        self.due = self
            .expected_answer()
            .map(|_| self.now + self.plan.answer_timeout);
    }

    fn refused(&mut self, index: Option<usize>, refusal: Refusal) {
        let event = ClientEvent::Refused { index, refusal };
        self.events.push_back(event);
    }

    fn refused_for_good(&mut self, refusal: Refusal) {
        self.refused(None, refusal);
        self.end();
    }

    fn fail(&mut self, error: ClientError) {
        if self.phase != Phase::Closing {
            self.phase = Phase::Closing;
            self.due = None;
            self.outbox.clear();
            self.events.push_back(ClientEvent::Failed(error));
        }
    }

    fn end(&mut self) {
        if self.phase != Phase::Closing {
            self.phase = Phase::Closing;
            self.due = None;
            self.events.push_back(ClientEvent::Closed);
        }
    }
}

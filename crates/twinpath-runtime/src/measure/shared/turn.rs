//! The thread's loop.

use std::collections::VecDeque;
use std::io;
use std::sync::Arc;
use std::sync::mpsc::{Receiver, TryRecvError};
use std::time::Duration;

use twinpath_net::{
    EVENTS_AT_ONCE, QueueEvent, RecvBatch, SendBatch, SocketSet, TestSocket, clock,
};
use twinpath_proto::ClockPair;
use twinpath_proto::sender::{Transmit, TxToken};
use twinpath_wire::Mono;

use super::demultiplex::Demultiplexer;
use super::table::Table;
use super::timers::Timers;
use super::{Beginning, Command, Lease};
use crate::error::RunError;
use crate::interfaces::{FollowedInterface, LOOK_EVERY};
use crate::measure::SessionId;
use crate::measure::departures::Departures;
use crate::measure::handle::EndGuard;
use crate::measure::report::{Ended, SocketEnd};
use crate::measure::session::Session;

/// Datagrams taken at once. Then what is due leaves, so that no departure waits for more.
const BATCH: usize = EVENTS_AT_ONCE;
/// Packets sent at once: where more is due than the thread can do, fewer than are taken at once, so that
/// no reply and no timestamp is left unread.
pub(super) const DEPARTURES: usize = 8;
/// Room for the largest datagram there is. Only pages that packets touch cost memory.
const SLOT_OCTETS: usize = 1 << 16;
/// Commands taken in a row, so that they cannot keep the thread from the rest.
const MAX_COMMANDS_PER_TURN: usize = 64;
/// Timeouts are looked at in steps of this, so that few of them wake the thread.
const TIMEOUT_STEP: Duration = Duration::from_millis(10);
/// The packets of a session with such an interval may leave a little late, together with others:
const SLOW_INTERVAL: Duration = Duration::from_millis(500);
/// as late as this, a two-thousandth of it.
const SLACK: Duration = Duration::from_micros(250);
/// Nearer to a departure than this the thread sleeps on the clock alone: kernel timestamps tell when
/// replies came.
const SLEEP_MARGIN: Duration = Duration::from_millis(2);
/// So near to a departure a sleep would last longer than what is left. With more, threads that are busy
/// would take processors from those that they measure with.
const AWAKE_MARGIN: Duration = Duration::from_micros(20);
/// While departures follow each other closely, replies are read this often: many at a time.
const READ_EVERY: Duration = Duration::from_micros(200);

/// A session on this thread.
pub(super) struct Member {
    pub(super) session: Session,
    pub(super) lease: Lease,
    pub(super) guard: EndGuard,
    /// What its socket had dropped before it began.
    pub(super) drops_before: u64,
    /// Its next departure is in one of the heaps.
    pub(super) departure: Option<Mono>,
    /// So is its next timeout, or an earlier one.
    pub(super) timeout: Option<Mono>,
    pub(super) is_touched: bool,
}

/// What is kept of a socket beside itself.
pub(super) struct SocketState {
    pub(super) departures: Departures,
    /// Stamps of departures are waited for.
    pub(super) awaiting_stamps: bool,
    pub(super) follows: Option<FollowedInterface>,
    /// How many sessions it has.
    pub(super) sessions: usize,
}

pub(super) struct SharedLoop {
    pub(super) commands: Receiver<Command>,
    pub(super) set: SocketSet,
    pub(super) sockets: Vec<Option<SocketState>>,
    pub(super) members: Table<Member>,
    pub(super) demultiplexer: Demultiplexer,
    /// Departures of sessions that leave on time, and of slow ones that may wait for others.
    pub(super) prompt: Timers,
    pub(super) slow: Timers,
    pub(super) timeouts: Timers,
    pub(super) touched: VecDeque<SessionId>,
    pub(super) ready: Vec<usize>,
    pub(super) batch: RecvBatch,
    pub(super) events: Vec<QueueEvent>,
    /// Sessions whose packets are due, with the places of their sockets.
    pub(super) due: Vec<(usize, SessionId)>,
    pub(super) send: SendBatch,
    /// Packets in the batch's slots: made, and with their T1.
    pub(super) packets: Vec<(SessionId, Transmit)>,
    pub(super) leaving: Vec<Option<(SessionId, TxToken, ClockPair)>>,
    pub(super) next_look: Mono,
    pub(super) next_read: Mono,
    /// Replies of some sessions must be read as they come.
    pub(super) reads_at_once: bool,
    pub(super) is_ending: bool,
}

impl SharedLoop {
    pub(super) fn new(set: SocketSet, commands: Receiver<Command>) -> Self {
        Self {
            commands,
            set,
            sockets: Vec::new(),
            members: Table::default(),
            demultiplexer: Demultiplexer::default(),
            prompt: Timers::default(),
            slow: Timers::default(),
            timeouts: Timers::default(),
            touched: VecDeque::new(),
            ready: Vec::new(),
            batch: RecvBatch::new(BATCH, SLOT_OCTETS),
            events: Vec::with_capacity(BATCH),
            due: Vec::with_capacity(DEPARTURES),
            send: SendBatch::new(DEPARTURES, SLOT_OCTETS),
            packets: Vec::with_capacity(DEPARTURES),
            leaving: Vec::with_capacity(DEPARTURES),
            next_look: Mono::default(),
            next_read: Mono::default(),
            reads_at_once: false,
            is_ending: false,
        }
    }

    /// Until the thread is to end.
    pub(super) fn run(mut self) {
        clock::minimize_timer_slack();
        loop {
            let more = self.take_commands();
            if self.is_ending {
                return self.end_all();
            }
            self.transmit();
            self.read_sockets();
            let now = clock::mono();
            self.follow_interfaces(now);
            self.take_timeouts(now);
            self.settle_touched(now);
            self.wait(more);
        }
    }

    /// Whether more may wait, of which nothing wakes the thread.
    fn take_commands(&mut self) -> bool {
        for _ in 0..MAX_COMMANDS_PER_TURN {
            match self.commands.try_recv() {
                Ok(Command::Open { place, socket }) => self.open(place, *socket),
                Ok(Command::Close { place }) => self.close(place),
                Ok(Command::Begin(beginning)) => {
                    self.begin(*beginning);
                    self.transmit();
                }
                Ok(Command::Look(id)) => self.touch(id),
                Ok(Command::Quit) | Err(TryRecvError::Disconnected) => {
                    self.is_ending = true;
                    return false;
                }
                Err(TryRecvError::Empty) => return false,
            }
        }
        true
    }

    fn open(&mut self, place: usize, socket: TestSocket) {
        let state = SocketState {
            departures: Departures::default(),
            awaiting_stamps: socket.has_transmit_stamps(),
            follows: socket.device().map(FollowedInterface::of),
            sessions: 0,
        };
        if self.sockets.len() <= place {
            self.sockets.resize_with(place + 1, || None);
        }
        // Where the system can watch no more, the sessions of the socket find that they have none.
        if self.set.insert(place, socket).is_ok()
            && let Some(slot) = self.sockets.get_mut(place)
        {
            *slot = Some(state);
        }
    }

    fn close(&mut self, place: usize) {
        drop(self.set.remove(place));
        if let Some(slot) = self.sockets.get_mut(place) {
            *slot = None;
        }
    }

    fn begin(&mut self, beginning: Beginning) {
        let Beginning {
            setup,
            lease,
            guard,
        } = beginning;
        let (Some(socket), Some(Some(state))) =
            (self.set.get(lease.place), self.sockets.get_mut(lease.place))
        else {
            let none = io::Error::other("the system can watch no more sockets");
            guard.finish(Err(RunError::Receive(none)));
            return;
        };
        state.sessions += 1;
        let drops_before = u64::from(socket.receive_drops());
        let session = Session::new(setup, state.awaiting_stamps);
        self.reads_at_once |= session.reads_at_once();
        let id = lease.id;
        for far in session.engine.far_ends() {
            self.demultiplexer.insert(lease.place, far, id);
        }
        let member = Member {
            session,
            lease,
            guard,
            drops_before,
            departure: None,
            timeout: None,
            is_touched: false,
        };
        self.members.insert(id, Box::new(member));
        self.touch(id);
    }

    /// The session is looked at before the thread waits.
    pub(super) fn touch(&mut self, id: SessionId) {
        if let Some(member) = self.members.get_mut(id)
            && !std::mem::replace(&mut member.is_touched, true)
        {
            self.touched.push_back(id);
        }
    }

    /// Puts the session's next departure and timeout into the heaps, where they are not there; false: it is
    /// over.
    pub(super) fn arm(&mut self, id: SessionId) -> bool {
        let Some(member) = self.members.get_mut(id) else {
            return true;
        };
        let due = member.session.next_due();
        if due != member.departure {
            member.departure = due;
            if let Some(due) = due {
                let interval = member.session.plan.schedule.mean_interval();
                if interval < SLOW_INTERVAL {
                    self.prompt.push(due, id);
                } else {
                    self.slow.push(due, id);
                }
            }
        }
        let Some(next) = member.session.poll_timeout() else {
            return false;
        };
        // A departure is in its own heap; what follows it is looked at then.
        if due.is_none_or(|due| next < due) {
            let step = u64::try_from(TIMEOUT_STEP.as_nanos()).unwrap_or(1);
            let at = Mono::from_ns(next.ns().next_multiple_of(step));
            if member.timeout.is_none_or(|armed| at < armed) {
                member.timeout = Some(at);
                self.timeouts.push(at, id);
            }
        }
        true
    }

    /// Counts what became of packets, and ends the sessions that are over: of one after the other, for at
    /// times it takes longer (as all figures grow at the same packet), and with departures between them.
    /// Sessions whose turn does not come before the next reading are the first ones the next time.
    fn settle_touched(&mut self, mut now: Mono) {
        let until = now + READ_EVERY;
        while now < until
            && let Some(id) = self.touched.pop_front()
        {
            self.settle(id, now);
            now = self.transmit();
        }
    }

    fn settle(&mut self, id: SessionId, now: Mono) {
        let Some(member) = self.members.get_mut(id) else {
            return;
        };
        member.is_touched = false;
        if member.session.follows_far_end() {
            let bound = self.sockets.get(member.lease.place);
            let bound = matches!(bound, Some(Some(state)) if state.follows.is_some());
            member.session.follow_far_end(now, bound);
        }
        member.session.handle_timeout(now);
        if !self.arm(id) {
            self.end(id);
        }
    }

    fn take_timeouts(&mut self, now: Mono) {
        while let Some((at, id)) = self.timeouts.pop(now) {
            if let Some(member) = self.members.get_mut(id)
                && member.timeout == Some(at)
            {
                member.timeout = None;
                self.touch(id);
            }
        }
    }

    /// Binds sockets again whose interfaces were made again, and stops to wait for stamps that do not
    /// come.
    fn follow_interfaces(&mut self, now: Mono) {
        if now < self.next_look {
            return;
        }
        self.next_look = now + LOOK_EVERY;
        for place in 0..self.sockets.len() {
            let Some(Some(state)) = self.sockets.get_mut(place) else {
                continue;
            };
            let mut rebound = None;
            if let Some(following) = &mut state.follows
                && let Some(index) = following.moved(now)
            {
                let before = following.bound();
                if following.record_binding(index, now, self.set.bind_again(place, index)) {
                    rebound = Some((before, index));
                }
            }
            let is_silent = state.awaiting_stamps && state.departures.lack_stamps();
            if is_silent {
                state.awaiting_stamps = false;
            }
            if rebound.is_none() && !is_silent {
                continue;
            }
            let on_socket = self.members.iter();
            let on_socket = on_socket.filter(|(_, member)| member.lease.place == place);
            let on_socket: Vec<SessionId> = on_socket.map(|(id, _)| id).collect();
            for id in on_socket {
                let Some(member) = self.members.get_mut(id) else {
                    continue;
                };
                if let Some((before, now)) = rebound {
                    member.session.rebound(before, now);
                }
                if is_silent {
                    member.session.stop_expecting_stamps();
                }
                self.touch(id);
            }
        }
    }

    fn end(&mut self, id: SessionId) {
        let Some(member) = self.members.remove(id) else {
            return;
        };
        let Member {
            mut session,
            mut lease,
            guard,
            drops_before,
            ..
        } = *member;
        session.take_samples();
        for far in session.engine.far_ends() {
            self.demultiplexer.remove(lease.place, far, id);
        }
        if let Some(Some(state)) = self.sockets.get_mut(lease.place) {
            state.sessions -= 1;
        }
        let members = &self.members;
        for timers in [&mut self.prompt, &mut self.slow, &mut self.timeouts] {
            timers.prune(|id| members.get(id).is_some());
        }
        let outcome = match (self.set.get(lease.place), self.sockets.get(lease.place)) {
            (Some(socket), Some(Some(state))) => {
                let mut socket = SocketEnd::of(socket, &state.departures);
                socket.receive_drops = socket.receive_drops.saturating_sub(drops_before);
                Ok(Arc::new(Ended::new(session, socket)))
            }
            _ => Err(RunError::Fault),
        };
        // The socket closes now: its port is free when anybody hears that the session is over.
        if lease.give_back() {
            self.close(lease.place);
        }
        guard.finish(outcome);
    }

    fn end_all(&mut self) {
        let all: Vec<SessionId> = self.members.iter().map(|(id, _)| id).collect();
        let now = clock::mono();
        for id in all {
            if let Some(member) = self.members.get_mut(id) {
                member.session.engine.stop(now);
            }
            self.end(id);
        }
    }

    /// Until the next departure or timeout; until packets come, where that is some time ahead. `more`:
    /// commands wait.
    fn wait(&mut self, more: bool) {
        let slow = self.slow.next().map(|due| due + SLACK);
        let departure = [self.prompt.next(), slow].into_iter().flatten().min();
        let mut until = clock::mono() + LOOK_EVERY;
        for at in [departure, self.timeouts.next()].into_iter().flatten() {
            until = until.min(at);
        }
        let now = clock::mono();
        if more || !self.touched.is_empty() {
            // There is work left.
            until = now;
        }
        let is_near = |margin| departure.is_some_and(|departure| departure < now + margin);
        if self.members.is_empty() || self.reads_at_once || !is_near(SLEEP_MARGIN) {
            self.set.wait(until, &mut self.ready);
            return;
        }
        if until > now && !is_near(AWAKE_MARGIN) {
            clock::sleep_until(until);
        }
        if now >= self.next_read {
            self.next_read = now + READ_EVERY;
            self.set.wait(Mono::default(), &mut self.ready);
        }
    }
}

#[cfg(test)]
mod tests {
    use std::sync::mpsc::channel;
    use std::thread;
    use std::time::Instant;

    use super::*;

    #[test]
    fn a_thousand_turns_of_commands_are_not_a_thousand_waits() {
        let (set, _waker) = SocketSet::new().unwrap();
        let (commands, taken) = channel();
        for _ in 0..1_000 * MAX_COMMANDS_PER_TURN {
            commands.send(Command::Look(SessionId::default())).unwrap();
        }
        commands.send(Command::Quit).unwrap();
        let thread = thread::spawn(move || SharedLoop::new(set, taken).run());
        // Each wait would be as long as it can be: nothing wakes the thread.
        let patience = Instant::now() + LOOK_EVERY * 500;
        while !thread.is_finished() {
            assert!(Instant::now() < patience, "it waits between commands");
            thread::sleep(Duration::from_millis(5));
        }
    }
}

//! The thread's loop.

use std::io;
use std::sync::mpsc::{Receiver, TryRecvError};
use std::time::Duration;

use twinpath_net::{
    IcmpError, Outbound, QueueEvent, RecvBatch, SendBatch, SocketSet, TestSocket, Waiter, clock,
};
use twinpath_proto::ClockPair;
use twinpath_proto::sender::{Transmit, TxToken};
use twinpath_wire::{Mono, Rung, Stamp};

use super::demultiplex::Demultiplexer;
use super::table::Table;
use super::timers::Timers;
use super::{Beginning, Command, Lease};
use crate::error::RunError;
use crate::interfaces::{Following, LOOK_EVERY};
use crate::measure::SessionId;
use crate::measure::departures::Departures;
use crate::measure::handle::EndGuard;
use crate::measure::report::{Ended, SocketEnd};
use crate::measure::session::{Session, pair};

/// Datagrams taken or sent at once.
const BATCH: usize = 64;
/// Room for the largest datagram there is. Only pages that packets touch cost memory.
const SLOT_OCTETS: usize = 1 << 16;
/// Batches taken from a socket in a row, so that a flood cannot keep the thread from the rest.
const ROUNDS: usize = 16;
/// Packets sent in a row, likewise.
const MAX_SENDS_PER_TURN: usize = 512;
/// Commands taken in a row, likewise.
const MAX_COMMANDS_PER_TURN: usize = 64;
/// Timeouts are looked at in steps of this, so that few of them wake the thread.
const TIMEOUT_STEP: Duration = Duration::from_millis(10);
/// The packets of a session with such an interval may leave a little late, together with others:
const SLOW_INTERVAL: Duration = Duration::from_millis(500);
/// as late as this, a thousandth of it.
const SLACK: Duration = Duration::from_micros(500);
/// Nearer to a departure than this the thread sleeps on the clock alone: kernel timestamps tell when
/// replies came.
const SLEEP_MARGIN: Duration = Duration::from_millis(2);
/// So near to a departure a sleep would last longer than what is left.
const AWAKE_MARGIN: Duration = Duration::from_micros(50);
/// While departures follow each other closely, replies are read this often: many at a time.
const READ_EVERY: Duration = Duration::from_micros(200);

/// A session on this thread.
struct Member {
    session: Session,
    lease: Lease,
    guard: EndGuard,
    /// What its socket had dropped before it began.
    drops_before: u64,
    /// Its next departure is in one of the heaps.
    departure: Option<Mono>,
    /// So is its next timeout, or an earlier one.
    timeout: Option<Mono>,
    is_touched: bool,
}

/// What is kept of a socket beside itself.
struct SocketState {
    departures: Departures,
    /// Stamps of departures are waited for.
    awaiting_stamps: bool,
    follows: Option<Following>,
}

pub(super) struct SharedLoop {
    commands: Receiver<Command>,
    set: SocketSet,
    sockets: Vec<Option<SocketState>>,
    members: Table<Member>,
    demultiplexer: Demultiplexer,
    /// Departures of sessions that leave on time, and of slow ones that may wait for others.
    prompt: Timers,
    slow: Timers,
    timeouts: Timers,
    touched: Vec<SessionId>,
    ready: Vec<usize>,
    batch: RecvBatch,
    events: Vec<QueueEvent>,
    /// Sessions whose packets are due, with the places of their sockets.
    due: Vec<(usize, SessionId)>,
    send: SendBatch,
    /// Packets in the batch's slots: made, and with their T1.
    packets: Vec<(SessionId, Transmit)>,
    leaving: Vec<Option<(SessionId, TxToken, ClockPair)>>,
    next_look: Mono,
    next_read: Mono,
    /// Replies of some sessions must be read as they come.
    reads_at_once: bool,
    is_ending: bool,
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
            touched: Vec::new(),
            ready: Vec::new(),
            batch: RecvBatch::new(BATCH, SLOT_OCTETS),
            events: Vec::with_capacity(BATCH),
            due: Vec::with_capacity(BATCH),
            send: SendBatch::new(BATCH, SLOT_OCTETS),
            packets: Vec::with_capacity(BATCH),
            leaving: Vec::with_capacity(BATCH),
            next_look: Mono::default(),
            next_read: Mono::default(),
            reads_at_once: false,
            is_ending: false,
        }
    }

    /// Until the thread is to end.
    pub(super) fn run(mut self) {
        Waiter::sharpen_timers();
        loop {
            self.take_commands();
            if self.is_ending {
                return self.end_all();
            }
            self.transmit();
            self.read_sockets();
            let now = clock::mono();
            self.follow_interfaces(now);
            self.settle_touched(now);
            self.take_timeouts(now);
            self.wait();
        }
    }

    fn take_commands(&mut self) {
        for _ in 0..MAX_COMMANDS_PER_TURN {
            match self.commands.try_recv() {
                Ok(Command::Open { place, socket }) => self.open(place, *socket),
                Ok(Command::Close { place }) => {
                    drop(self.set.remove(place));
                    if let Some(slot) = self.sockets.get_mut(place) {
                        *slot = None;
                    }
                }
                Ok(Command::Begin(beginning)) => self.begin(*beginning),
                Ok(Command::Look(id)) => self.touch(id),
                Ok(Command::Quit) | Err(TryRecvError::Disconnected) => {
                    self.is_ending = true;
                    return;
                }
                Err(TryRecvError::Empty) => return,
            }
        }
    }

    fn open(&mut self, place: usize, socket: TestSocket) {
        let state = SocketState {
            departures: Departures::default(),
            awaiting_stamps: socket.tells_departures(),
            follows: socket.device().map(Following::of),
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

    fn begin(&mut self, beginning: Beginning) {
        let Beginning {
            setup,
            lease,
            guard,
        } = beginning;
        let (Some(socket), Some(Some(state))) =
            (self.set.get(lease.place), self.sockets.get(lease.place))
        else {
            let none = io::Error::other("the system can watch no more sockets");
            guard.finish(Err(RunError::Receive(none)));
            return;
        };
        let drops_before = u64::from(socket.receive_drops());
        let session = Session::new(setup, state.awaiting_stamps);
        self.reads_at_once |= session.reads_at_once();
        let id = lease.id;
        self.demultiplexer.insert(lease.place, lease.far, id);
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
    fn touch(&mut self, id: SessionId) {
        if let Some(member) = self.members.get_mut(id)
            && !std::mem::replace(&mut member.is_touched, true)
        {
            self.touched.push(id);
        }
    }

    /// Sends what is due; of many a part, so that stamps and replies are read in between.
    fn transmit(&mut self) {
        let mut sent = 0;
        while sent < MAX_SENDS_PER_TURN {
            let mut due = std::mem::take(&mut self.due);
            self.take_due(&mut due);
            for together in due.chunk_by(|one, next| one.0 == next.0) {
                self.send_together(together);
            }
            for (_, id) in &due {
                self.touch(*id);
                self.arm(*id);
            }
            sent += due.len();
            let are_all = due.len() < BATCH;
            due.clear();
            self.due = due;
            if are_all {
                return;
            }
        }
    }

    /// The sessions whose packets are due, a batch at most: those of one socket after each other.
    fn take_due(&mut self, due: &mut Vec<(usize, SessionId)>) {
        let now = clock::mono();
        while due.len() < BATCH {
            let prompt = self.prompt.next().filter(|due| *due <= now);
            let earlier = match (prompt, self.slow.next()) {
                (Some(prompt), Some(slow)) if slow < prompt => &mut self.slow,
                (Some(_), _) => &mut self.prompt,
                (None, _) => &mut self.slow,
            };
            let Some((at, id)) = earlier.pop(now) else {
                break;
            };
            if let Some(member) = self.members.get_mut(id)
                && member.departure == Some(at)
            {
                member.departure = None;
                due.push((member.lease.place, id));
            }
        }
        due.sort_by_key(|(place, _)| *place);
    }

    /// Sends one packet of each session, all of them by one socket.
    fn send_together(&mut self, together: &[(usize, SessionId)]) {
        let place = together.first().map_or(0, |(place, _)| *place);
        let (Some(socket), Some(Some(state))) = (self.set.get(place), self.sockets.get_mut(place))
        else {
            return;
        };
        let now = clock::mono();
        for (_, id) in together {
            let slot = self.packets.len();
            if let (Some(member), Some(octets)) = (self.members.get_mut(*id), self.send.slot(slot))
                && let Some(transmit) = member.session.prepare(now, octets)
            {
                self.packets.push((*id, transmit));
            }
        }
        let count = self.packets.len();
        for (slot, (id, transmit)) in self.packets.drain(..).enumerate() {
            let octets = transmit.octets;
            if let (Some(member), Some(packet)) = (self.members.get_mut(id), self.send.slot(slot))
                && let Some(packet) = packet.get_mut(..octets)
            {
                let (token, now) = member.session.finish(packet, transmit);
                self.send
                    .set(slot, octets, Outbound::stamped(member.session.plan.far));
                self.leaving.push(Some((id, token, now)));
            } else {
                self.leaving.push(None);
            }
        }
        let (members, leaving) = (&mut self.members, &mut self.leaving);
        socket.send_batch(&mut self.send, 0..count, &mut |slot, result| {
            let Some((id, token, now)) = leaving.get_mut(slot).and_then(Option::take) else {
                return;
            };
            let Some(member) = members.get_mut(id) else {
                return;
            };
            match result {
                Ok(key) => {
                    if let Some(key) = key {
                        state.departures.left(key, id, token, now.wall);
                    }
                    member.session.sent(now);
                }
                Err(error) => member.session.refused(token, now, error),
            }
        });
        self.leaving.clear();
    }

    /// Puts the session's next departure and timeout into the heaps, where they are not there.
    fn arm(&mut self, id: SessionId) {
        let Some(member) = self.members.get_mut(id) else {
            return;
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
        let next = member.session.poll_timeout();
        // A departure is in its own heap; what follows it is looked at then.
        if let Some(next) = next.filter(|next| due.is_none_or(|due| *next < due)) {
            let step = u64::try_from(TIMEOUT_STEP.as_nanos()).unwrap_or(1);
            let at = Mono::from_ns(next.ns().next_multiple_of(step));
            if member.timeout.is_none_or(|armed| at < armed) {
                member.timeout = Some(at);
                self.timeouts.push(at, id);
            }
        }
    }

    fn read_sockets(&mut self) {
        let mut ready = std::mem::take(&mut self.ready);
        for place in ready.drain(..) {
            self.read_socket(place);
        }
        self.ready = ready;
    }

    /// Reads stamps and packets; stamps first, for a reply may be there with its packet's.
    fn read_socket(&mut self, place: usize) {
        for _ in 0..ROUNDS {
            let Some(socket) = self.set.get(place) else {
                return;
            };
            self.events.clear();
            let events = &mut self.events;
            socket.drain_errors(&mut |event| events.push(event));
            let count = socket.receive(&mut self.batch).unwrap_or(0);
            let now = pair();
            let mut events = std::mem::take(&mut self.events);
            for event in events.drain(..) {
                match event {
                    QueueEvent::Sent { key, stamp } => self.take_stamp(place, key, stamp, now),
                    QueueEvent::Icmp(error) => self.take_icmp(place, &error, now),
                }
            }
            self.events = events;
            for index in 0..count {
                self.take_datagram(place, index, now);
            }
            if count < self.batch.slots() {
                return;
            }
            // A flood of packets must not keep the thread from its departures.
            self.settle_touched(now.mono);
            self.transmit();
        }
    }

    fn take_stamp(&mut self, place: usize, key: u32, stamp: Stamp, now: ClockPair) {
        let Some(Some(state)) = self.sockets.get_mut(place) else {
            return;
        };
        let (members, mut stamped) = (&mut self.members, None);
        let is_best = state.departures.stamped(key, stamp, |it| {
            if let Some(member) = members.get_mut(it.session) {
                member.session.handle_clock(now);
                member.session.handle_tx_stamp(it.token, it.stamp, it.wait);
                stamped = Some(it.session);
            }
        });
        if is_best && let Some(socket) = self.set.get(place) {
            socket.settle_transmit_rung();
        }
        if let Some(id) = stamped {
            self.touch(id);
        }
    }

    fn take_icmp(&mut self, place: usize, error: &IcmpError, now: ClockPair) {
        let to = error
            .to
            .and_then(|to| self.demultiplexer.session(place, to));
        if let Some(id) = to
            && let Some(member) = self.members.get_mut(id)
        {
            member.session.handle_clock(now);
            member.session.handle_icmp(error);
        }
    }

    fn take_datagram(&mut self, place: usize, index: usize, now: ClockPair) {
        let Some((octets, received, arrival)) = self.batch.packet(index) else {
            return;
        };
        let octets = octets.get(..received).unwrap_or_default();
        let known = self.demultiplexer.session(place, arrival.from);
        let id = known.or_else(|| {
            // From elsewhere: does it answer a packet of one of the sessions?
            let mut all = self.members.iter();
            let answered = |member: &Member| {
                member.lease.place == place && member.session.engine.is_answered_by(octets)
            };
            self.demultiplexer
                .may_search(now.mono)
                .then(|| all.find(|(_, member)| answered(member)))
                .flatten()
                .map(|(id, _)| id)
        });
        let Some(id) = id else { return };
        if let Some(member) = self.members.get_mut(id) {
            member.session.handle_clock(now);
            member.session.handle_reply(octets, arrival, now);
            self.reads_at_once |= arrival.at.rung == Rung::User;
        }
        self.touch(id);
    }

    /// Counts what became of packets, and ends the sessions that are over.
    fn settle_touched(&mut self, now: Mono) {
        let mut touched = std::mem::take(&mut self.touched);
        for id in touched.drain(..) {
            self.settle(id, now);
        }
        self.touched = touched;
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
        if member.session.poll_timeout().is_some() {
            self.arm(id);
        } else {
            self.end(id);
        }
    }

    fn take_timeouts(&mut self, now: Mono) {
        while let Some((at, id)) = self.timeouts.pop(now) {
            if let Some(member) = self.members.get_mut(id)
                && member.timeout == Some(at)
            {
                member.timeout = None;
                self.settle(id, now);
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
                if following.settle(index, now, self.set.bind_again(place, index)) {
                    rebound = Some((before, index));
                }
            }
            let is_silent = state.awaiting_stamps && state.departures.are_silent();
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
                    member.session.stop_awaiting_stamps();
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
            lease,
            guard,
            drops_before,
            ..
        } = *member;
        session.take_samples();
        self.demultiplexer.remove(lease.place, lease.far);
        let outcome = match (self.set.get(lease.place), self.sockets.get(lease.place)) {
            (Some(socket), Some(Some(state))) => {
                let mut socket = SocketEnd::of(socket, &state.departures);
                socket.receive_drops = socket.receive_drops.saturating_sub(drops_before);
                Ok(Box::new(Ended::new(session, socket)))
            }
            _ => Err(RunError::Fault),
        };
        // The socket may close now: before anybody hears that the session is over.
        drop(lease);
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

    /// Until the next departure or timeout; until packets come, where that is some time ahead.
    fn wait(&mut self) {
        let slow = self.slow.next().map(|due| due + SLACK);
        let departure = [self.prompt.next(), slow].into_iter().flatten().min();
        let mut until = clock::mono() + LOOK_EVERY;
        for at in [departure, self.timeouts.next()].into_iter().flatten() {
            until = until.min(at);
        }
        let now = clock::mono();
        let is_near = |margin| departure.is_some_and(|departure| departure < now + margin);
        if self.members.is_empty() || self.reads_at_once || !is_near(SLEEP_MARGIN) {
            self.set.wait(until, &mut self.ready);
            return;
        }
        if !is_near(AWAKE_MARGIN) {
            Waiter::sleep_until(until);
        }
        if now >= self.next_read {
            self.next_read = now + READ_EVERY;
            self.set.wait(Mono::default(), &mut self.ready);
        }
    }
}

//! One reflector thread for negotiated sessions. It shares nothing: commands come down, facts go up,
//! both bounded.

use std::io;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use tokio::sync::mpsc::error::TrySendError;
use tokio::sync::{mpsc, oneshot};
use twinpath_net::{SetWaker, SocketSet, TestSocket, clock};
use twinpath_proto::TestGuard;
use twinpath_proto::reflector::{
    Ended, InUse, NegotiatedConfig, NegotiatedReflector, SessionCounters, SessionSpec,
};
use twinpath_wire::Mono;
use twinpath_wire::control::Sid;

use crate::error::RunError;
use crate::interfaces;
use crate::reflect::{Packets, Snapshot, SocketState};

/// Commands taken before packets have their turn again.
const COMMANDS_AT_ONCE: usize = 256;
/// Under load sockets that were silent are looked for as often.
const LOOK_EVERY: Duration = Duration::from_micros(200);
/// How long a stopped thread goes on answering what has arrived.
const DRAIN: Duration = Duration::from_millis(100);
/// How often the thread publishes its counts.
const SNAPSHOT_EVERY: Duration = Duration::from_millis(100);
/// How often it reads what changes slowly: the clock's discipline, the sockets' drops.
const SURVEY_EVERY: Duration = Duration::from_secs(1);
/// The longest wait: nothing but a packet or a command needs the thread earlier.
const LONGEST_WAIT: Duration = Duration::from_secs(1);
/// Facts that found no room are offered again after this.
const FACTS_AGAIN: Duration = Duration::from_millis(10);

/// A command of the control plane to a thread.
pub(super) enum Command {
    /// Take over a socket, under an unused index.
    Listen(usize, TestSocket),
    /// Take on a session at an open socket.
    Open {
        spec: SessionSpec,
        guard: TestGuard,
        socket_index: usize,
        answer: oneshot::Sender<Result<(), NotOpened>>,
    },
    Start(Sid),
    Stop(Sid),
    Remove(Sid),
    /// Close a socket: its last session is over.
    Close(usize),
    /// Confirm when all commands before this are done.
    Mark(oneshot::Sender<()>),
    /// Answer what has arrived, and end.
    End,
}

/// Why a thread did not take a session on.
pub(super) enum NotOpened {
    InUse,
    /// The socket could not be watched, and was dropped.
    NoSocket,
}

/// What a thread reports to the control plane.
#[derive(Debug)]
pub(crate) enum Fact {
    /// A session is over.
    Ended(Sid, Ended, SessionCounters),
    /// A socket is closed.
    Closed(usize),
}

/// What a reflector thread owns.
pub(super) struct ReflectorLoop {
    engine: NegotiatedReflector,
    sockets: SocketSet,
    states: Vec<Option<SocketState>>,
    packets: Packets,
    commands: mpsc::Receiver<Command>,
    facts: mpsc::Sender<Fact>,
    /// A fact that found no room.
    held: Option<Fact>,
    closed: Vec<usize>,
    /// Indices of sockets that had something to read.
    busy: Vec<usize>,
    snapshot: Arc<Mutex<Snapshot>>,
    snapshot_due: Mono,
    survey_due: Mono,
    look_due: Mono,
    follow_due: Mono,
    /// Of sockets that are closed, and of those that are not.
    drops_before: u64,
    drops: u64,
    /// A socket is bound to an interface, which may be made again.
    follows: bool,
    ending: bool,
}

impl ReflectorLoop {
    pub(super) fn new(
        config: NegotiatedConfig,
        raw_t3: bool,
        commands: mpsc::Receiver<Command>,
        facts: mpsc::Sender<Fact>,
        snapshot: Arc<Mutex<Snapshot>>,
    ) -> io::Result<(Self, SetWaker)> {
        let (sockets, waker) = SocketSet::new()?;
        let start = Mono::from_ns(0);
        let reflector_loop = Self {
            engine: NegotiatedReflector::new(config),
            sockets,
            states: Vec::new(),
            packets: Packets::new(raw_t3),
            commands,
            facts,
            held: None,
            closed: Vec::new(),
            busy: Vec::new(),
            snapshot,
            snapshot_due: start,
            survey_due: start,
            look_due: start,
            follow_due: start,
            drops_before: 0,
            drops: 0,
            follows: false,
            ending: false,
        };
        Ok((reflector_loop, waker))
    }

    /// Until the command to end; what has arrived by then is still answered.
    pub(super) fn run(mut self) -> Result<(), RunError> {
        let result = self.reflect_until_ended();
        self.survey();
        self.publish();
        result
    }

    fn reflect_until_ended(&mut self) -> Result<(), RunError> {
        let mut end_by = None;
        loop {
            let now = clock::mono();
            let commanded = self.take_commands(now);
            if self.ending && now >= *end_by.get_or_insert(now + DRAIN) {
                return Ok(());
            }
            let taken = self.reflect_batches(now).map_err(RunError::Receive)?;
            let told = self.housekeeping(now);
            if taken > 0 && now < self.look_due {
                continue;
            }
            self.look_due = now + LOOK_EVERY;
            let until = if taken > 0 || commanded {
                now
            } else {
                self.next_wait(now, told)
            };
            self.sockets.wait(until, &mut self.busy);
            if self.ending && taken == 0 && self.busy.is_empty() {
                return Ok(());
            }
        }
    }

    /// When to wake up if nothing arrives.
    fn next_wait(&self, now: Mono, told: bool) -> Mono {
        let longest = match (self.ending, told) {
            (true, _) => Duration::ZERO,
            (_, false) => FACTS_AGAIN,
            (_, true) if self.follows => interfaces::LOOK_EVERY,
            (_, true) => LONGEST_WAIT,
        };
        let due = self.engine.poll_timeout().unwrap_or(now + longest);
        due.min(now + longest)
    }

    /// Batches from those sockets that have something; those that have no more leave the list.
    fn reflect_batches(&mut self, now: Mono) -> io::Result<usize> {
        let Self {
            busy,
            sockets,
            states,
            packets,
            engine,
            ..
        } = self;
        let mut taken = 0;
        let mut index = 0;
        while let Some(socket_index) = busy.get(index).copied() {
            let state = states.get_mut(socket_index).and_then(Option::as_mut);
            let count = match (sockets.get(socket_index), state) {
                (Some(socket), Some(state)) => packets.reflect_batch(socket, state, engine, now)?,
                _ => 0,
            };
            taken += count;
            if count == 0 {
                busy.swap_remove(index);
            } else {
                index += 1;
            }
        }
        Ok(taken)
    }

    /// Whether there were any.
    fn take_commands(&mut self, now: Mono) -> bool {
        for taken in 0..COMMANDS_AT_ONCE {
            match self.commands.try_recv() {
                Ok(command) => self.obey(command, now),
                Err(mpsc::error::TryRecvError::Empty) => return taken > 0,
                Err(mpsc::error::TryRecvError::Disconnected) => {
                    self.ending = true;
                    return taken > 0;
                }
            }
        }
        true
    }

    fn obey(&mut self, command: Command, now: Mono) {
        match command {
            Command::Listen(socket_index, socket) => self.listen(socket_index, socket),
            Command::Open {
                spec,
                guard,
                socket_index,
                answer,
            } => {
                let opened = self.open(spec, guard, socket_index);
                // The requester is gone: the session is forgotten with its connection.
                if let Err(Ok(())) = answer.send(opened) {
                    self.engine.remove(spec.sid);
                }
            }
            Command::Start(sid) => self.engine.start(sid, now),
            Command::Stop(sid) => self.engine.stop(sid, now),
            Command::Remove(sid) => self.engine.remove(sid),
            Command::Close(socket_index) => self.close(socket_index),
            Command::Mark(done) => {
                // It fails where the requester is gone.
                let _told = done.send(());
            }
            Command::End => self.ending = true,
        }
    }

    fn listen(&mut self, socket_index: usize, socket: TestSocket) {
        let state = SocketState::of(&socket);
        self.follows |= state.follows();
        // The first session that is opened there gets the failure.
        if self.sockets.insert(socket_index, socket).is_ok() {
            if self.states.len() <= socket_index {
                self.states.resize_with(socket_index + 1, || None);
            }
            if let Some(slot) = self.states.get_mut(socket_index) {
                *slot = Some(state);
            }
        }
    }

    fn open(
        &mut self,
        spec: SessionSpec,
        guard: TestGuard,
        socket_index: usize,
    ) -> Result<(), NotOpened> {
        let local = self.sockets.get(socket_index).map(TestSocket::local);
        let local = local.ok_or(NotOpened::NoSocket)?;
        self.engine
            .open_guarded(spec, guard, local.port(), Some(local.ip()))
            .map_err(|InUse| NotOpened::InUse)
    }

    fn close(&mut self, socket_index: usize) {
        if let Some(socket) = self.sockets.remove(socket_index) {
            self.drops_before += u64::from(socket.receive_drops());
        }
        if let Some(state) = self.states.get_mut(socket_index) {
            *state = None;
        }
        self.closed.push(socket_index);
    }

    /// Binds sockets again whose interface was made again.
    fn follow(&mut self, now: Mono) {
        for (socket_index, state) in self.states.iter_mut().enumerate() {
            if let Some(state) = state
                && state.follow(now, |index| self.sockets.bind_again(socket_index, index))
            {
                self.packets.rebinds += 1;
            }
        }
    }

    /// Whether all facts were sent.
    fn housekeeping(&mut self, now: Mono) -> bool {
        if self.follows && now >= self.follow_due {
            self.follow_due = now + interfaces::LOOK_EVERY;
            self.follow(now);
        }
        self.engine.handle_timeout(now);
        self.packets.housekeeping(now);
        if now >= self.survey_due {
            self.survey_due = now + SURVEY_EVERY;
            self.survey();
        }
        if now >= self.snapshot_due {
            self.snapshot_due = now + SNAPSHOT_EVERY;
            self.publish();
        }
        self.send_facts()
    }

    /// Sends facts as far as there is room; never waits.
    fn send_facts(&mut self) -> bool {
        loop {
            let fact = self.held.take().or_else(|| {
                let closed = self.closed.pop().map(Fact::Closed);
                closed.or_else(|| {
                    let (sid, how, counters) = self.engine.poll_ended()?;
                    Some(Fact::Ended(sid, how, counters))
                })
            });
            let Some(fact) = fact else {
                return true;
            };
            match self.facts.try_send(fact) {
                // Without a receiver, facts are dropped.
                Ok(()) | Err(TrySendError::Closed(_)) => {}
                Err(TrySendError::Full(fact)) => {
                    self.held = Some(fact);
                    return false;
                }
            }
        }
    }

    fn survey(&mut self) {
        self.packets.error = crate::error_estimate();
        let drops = self.sockets.iter().map(TestSocket::receive_drops);
        self.drops = self.drops_before + drops.map(u64::from).sum::<u64>();
    }

    fn publish(&self) {
        self.packets
            .publish(&self.snapshot, self.engine.totals(), self.drops);
    }
}

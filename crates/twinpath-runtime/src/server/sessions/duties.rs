//! What a reflector thread has to do for the control plane. They share nothing: commands come down, facts
//! go up, both bounded.

use std::collections::VecDeque;
use std::sync::Arc;
use std::time::Duration;

use tokio::sync::mpsc::error::TrySendError;
use tokio::sync::{mpsc, oneshot};
use twinpath_net::TestSocket;
use twinpath_proto::TestGuard;
use twinpath_proto::reflector::{
    ClientRates, Ended, InUse, NegotiatedConfig, SessionCounters, SessionReflector, SessionSpec,
};
use twinpath_wire::Mono;
use twinpath_wire::control::Sid;

use crate::reflect::{Duties, Sockets};

/// Commands taken before packets have their turn again.
const COMMANDS_AT_ONCE: usize = 256;
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
    /// Reflect by another configuration, with these rates.
    Configure(Box<NegotiatedConfig>, Option<Arc<ClientRates>>),
    /// Confirm when all commands before this are done.
    Mark(oneshot::Sender<()>),
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

/// A thread's end of the channels.
pub(super) struct ControlDuties {
    commands: mpsc::Receiver<Command>,
    facts: mpsc::Sender<Fact>,
    /// Facts that found no room.
    held: VecDeque<Fact>,
}

impl Duties for ControlDuties {
    fn attend(
        &mut self,
        sockets: &mut Sockets,
        engine: &mut SessionReflector,
        now: Mono,
    ) -> Option<Mono> {
        let mut commands = 0;
        while commands < COMMANDS_AT_ONCE
            && let Ok(command) = self.commands.try_recv()
        {
            self.obey(command, sockets, engine, now);
            commands += 1;
        }
        let is_told = self.send_facts(engine);
        if commands == COMMANDS_AT_ONCE {
            Some(now)
        } else {
            (!is_told).then(|| now + FACTS_AGAIN)
        }
    }
}

impl ControlDuties {
    pub(super) fn new(commands: mpsc::Receiver<Command>, facts: mpsc::Sender<Fact>) -> Self {
        Self {
            commands,
            facts,
            held: VecDeque::new(),
        }
    }

    fn obey(
        &mut self,
        command: Command,
        sockets: &mut Sockets,
        engine: &mut SessionReflector,
        now: Mono,
    ) {
        match command {
            Command::Listen(socket_index, socket) => sockets.insert(socket_index, socket, true),
            Command::Open {
                spec,
                guard,
                socket_index,
                answer,
            } => {
                let local = sockets.get(socket_index).map(TestSocket::local);
                let opened = local.ok_or(NotOpened::NoSocket).and_then(|local| {
                    engine
                        .open_guarded(spec, guard, local.port(), Some(local.ip()))
                        .map_err(|InUse| NotOpened::InUse)
                });
                // The requester is gone: the session is forgotten with its connection.
                if let Err(Ok(())) = answer.send(opened) {
                    engine.remove(spec.sid);
                }
            }
            Command::Start(sid) => engine.start(sid, now),
            Command::Stop(sid) => engine.stop(sid, now),
            Command::Remove(sid) => engine.remove(sid),
            Command::Close(socket_index) => {
                sockets.close(socket_index);
                self.held.push_back(Fact::Closed(socket_index));
            }
            Command::Configure(config, rates) => {
                engine.set_negotiated_config(*config, rates.as_ref());
            }
            Command::Mark(done) => {
                // It fails where the requester is gone.
                let _told = done.send(());
            }
        }
    }

    /// Sends facts as far as there is room; never waits. Whether that is all of them.
    fn send_facts(&mut self, engine: &mut SessionReflector) -> bool {
        loop {
            let fact = self.held.pop_front().or_else(|| {
                let (sid, how, counters) = engine.poll_ended()?;
                Some(Fact::Ended(sid, how, counters))
            });
            let Some(fact) = fact else {
                return true;
            };
            match self.facts.try_send(fact) {
                // Without a receiver, facts are dropped.
                Ok(()) | Err(TrySendError::Closed(_)) => {}
                Err(TrySendError::Full(fact)) => {
                    self.held.push_front(fact);
                    return false;
                }
            }
        }
    }
}

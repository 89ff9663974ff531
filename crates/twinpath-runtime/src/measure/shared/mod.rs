//! A thread that measures many sessions: few sockets, departures and timeouts in heaps, replies handed
//! to sessions by where they come from.

mod demultiplex;
mod pool;
mod receive;
mod table;
mod timers;
mod transmit;
mod turn;

use std::sync::mpsc;
use std::thread::JoinHandle;

use twinpath_net::{SocketSet, TestSocket};

use super::SessionId;
use super::handle::EndGuard;
use super::session::Setup;
use crate::SenderPlan;
use crate::error::{StartError, spawn};

pub(super) use pool::Lease;
use pool::Pool;
use turn::SharedLoop;

/// What the thread is asked to do.
#[derive(Debug)]
pub(super) enum Command {
    /// Wait for this socket too.
    Open {
        /// Its place.
        place: usize,
        /// What to wait for.
        socket: Box<TestSocket>,
    },
    /// No session uses the socket at this place any more.
    Close {
        /// Its place.
        place: usize,
    },
    /// Measure this session.
    Begin(Box<Beginning>),
    /// Something is wanted of this session: its end, a snapshot.
    Look(SessionId),
    /// End all sessions, and the thread.
    Quit,
}

/// A session that begins.
#[derive(Debug)]
pub(super) struct Beginning {
    pub(super) setup: Setup,
    pub(super) lease: Lease,
    pub(super) guard: EndGuard,
}

/// The thread, and the way to it.
#[derive(Debug)]
pub(super) struct SharedThread {
    pool: Pool,
    thread: Option<JoinHandle<()>>,
}

impl SharedThread {
    pub(super) fn start() -> Result<Self, StartError> {
        let (set, waker) =
            SocketSet::new().map_err(StartError::system("a descriptor to wait by"))?;
        let (teller, commands) = mpsc::channel();
        let pool = Pool::new(teller, waker);
        let thread = spawn("sessions", move || SharedLoop::new(set, commands).run())?;
        Ok(Self {
            pool,
            thread: Some(thread),
        })
    }

    /// Whether a socket of this thread has the port that the session keeps, and packets that are alike.
    pub(super) fn has_earlier_port(&self, plan: &SenderPlan) -> bool {
        self.pool.has_earlier_port(plan)
    }

    /// A place for a session on a socket of this thread.
    pub(super) fn bind(&self, plan: &SenderPlan) -> Result<Lease, StartError> {
        self.pool.bind(plan)
    }
}

impl Drop for SharedThread {
    fn drop(&mut self) {
        self.pool.send(Command::Quit);
        if let Some(thread) = self.thread.take() {
            // What it panicked about was printed; its sessions say that they have no result.
            let _ = thread.join();
        }
    }
}

impl Lease {
    /// Something is wanted of the session.
    pub(super) fn waker(&self) -> LookWaker {
        LookWaker {
            pool: self.pool().clone(),
            id: self.id,
        }
    }

    /// Hands the session to the thread.
    pub(super) fn begin(self, setup: Setup, guard: EndGuard) {
        let pool = self.pool().clone();
        pool.send(Command::Begin(Box::new(Beginning {
            setup,
            lease: self,
            guard,
        })));
    }
}

/// Has the thread look at one session.
#[derive(Clone, Debug)]
pub(super) struct LookWaker {
    pool: Pool,
    id: SessionId,
}

impl LookWaker {
    pub(super) fn wake(&self) {
        self.pool.send(Command::Look(self.id));
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use super::*;
    use crate::measure::handle::{SessionControl, Wake};

    #[test]
    fn a_session_that_is_told_or_over_is_not_looked_at_again() {
        let (_set, waker) = SocketSet::new().unwrap();
        let (commands, asked) = mpsc::channel();
        let pool = Pool::new(commands, waker);
        let session = || SessionControl {
            shared: Arc::default(),
            waker: Wake::Shared(LookWaker {
                pool: pool.clone(),
                id: SessionId::default(),
            }),
        };
        let goes_on = session();
        for _ in 0..3 {
            goes_on.stop();
            goes_on.abandon();
        }
        assert_eq!(asked.try_iter().count(), 2);
        let over = session();
        drop(EndGuard::new(Arc::clone(&over.shared)));
        over.abandon();
        assert_eq!(asked.try_iter().count(), 0);
    }
}

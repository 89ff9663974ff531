//! Waiting by the system's own poller.

use std::io;
use std::sync::Arc;

use polling::{Event, Events, PollMode};
use twinpath_wire::Mono;

use super::time;
use crate::os::Source;

#[derive(Clone, Debug)]
pub(crate) struct Waker(Arc<polling::Poller>);

#[derive(Debug)]
pub(crate) struct Poller {
    poller: Arc<polling::Poller>,
    events: Events,
}

impl Waker {
    pub(crate) fn wake(&self) {
        // It fails only when the system has no memory; the next timeout wakes as well.
        let _woken = self.0.notify();
    }
}

impl Poller {
    pub(crate) fn new() -> io::Result<(Self, Waker)> {
        let poller = Arc::new(polling::Poller::new()?);
        let waker = Waker(Arc::clone(&poller));
        let events = Events::new();
        Ok((Self { poller, events }, waker))
    }

    /// Reports `key` whenever the socket has packets, until it is removed.
    pub(crate) fn add(&mut self, socket: Source<'_>, key: usize) -> io::Result<()> {
        // SAFETY: the set that adds a socket owns it, and removes it before it is closed.
        unsafe {
            self.poller
                .add_with_mode(&socket, Event::readable(key), PollMode::Level)
        }
    }

    /// Stops watching a socket.
    pub(crate) fn remove(&mut self, socket: Source<'_>) {
        // Fails only for a socket that is not watched.
        let _deleted = self.poller.delete(socket);
    }

    /// Waits until a socket is ready, `until` has come, or the waker was called; `ready` gets keys.
    pub(crate) fn wait(&mut self, until: Mono, ready: &mut Vec<usize>) -> io::Result<()> {
        self.events.clear();
        let left = until.since(time::mono());
        self.poller.wait(&mut self.events, Some(left))?;
        ready.extend(self.events.iter().map(|event| event.key));
        Ok(())
    }
}

pub(crate) fn sleep_until(until: Mono) {
    std::thread::sleep(until.since(time::mono()));
}

pub(crate) fn minimize_timer_slack() {}

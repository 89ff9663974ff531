//! Waiting by the system's own poller.

use std::io;
use std::sync::Arc;
use std::time::Duration;

use polling::{Event, Events, Poller};
use twinpath_wire::Mono;

use super::time;
use crate::os::Source;

#[derive(Clone, Debug)]
pub(crate) struct Waker(Arc<Poller>);

#[derive(Debug)]
pub(crate) struct Waiter {
    poller: Arc<Poller>,
    events: Events,
}

pub(crate) fn new() -> io::Result<(Waiter, Waker)> {
    let poller = Arc::new(Poller::new()?);
    Ok((
        Waiter {
            poller: Arc::clone(&poller),
            events: Events::new(),
        },
        Waker(poller),
    ))
}

impl Waker {
    pub(crate) fn wake(&self) {
        // It fails only when the system has no memory; the next timeout wakes as well.
        let _woken = self.0.notify();
    }
}

impl Waiter {
    pub(crate) fn wait<'a>(
        &mut self,
        sockets: impl Iterator<Item = Source<'a>> + Clone,
        until: Option<Mono>,
    ) {
        for (key, socket) in sockets.clone().enumerate() {
            // SAFETY: removed again below, before the borrow of the socket ends.
            let _added = unsafe { self.poller.add(&socket, Event::readable(key)) };
        }
        self.events.clear();
        let timeout = until.map(|until| until.since(time::mono()));
        let waited = self.poller.wait(&mut self.events, timeout);
        for socket in sockets {
            let _deleted = self.poller.delete(socket);
        }
        if waited.is_err() {
            std::thread::sleep(Duration::from_micros(100));
        }
    }
}

pub(crate) fn sleep_until(until: Mono) {
    std::thread::sleep(until.since(time::mono()));
}

pub(crate) fn minimize_timer_slack() {}

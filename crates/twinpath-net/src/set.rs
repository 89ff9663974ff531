//! Many sockets, of which only a few are ready at a time.

use std::io;
use std::sync::Arc;
use std::time::Duration;

use polling::{Event, Events, PollMode, Poller};
use twinpath_wire::Mono;

use crate::clock;
use crate::error::BindError;
use crate::socket::TestSocket;

/// Sockets that one thread waits for together: the cost of a wait depends on the ready sockets, not
/// on their total number.
#[derive(Debug)]
pub struct SocketSet {
    poller: Arc<Poller>,
    events: Events,
    sockets: Vec<Option<TestSocket>>,
}

/// Wakes the thread that waits for a [`SocketSet`]. Clones wake the same one.
#[derive(Clone, Debug)]
pub struct SetWaker(Arc<Poller>);

impl SocketSet {
    /// An empty set and its waker.
    ///
    /// # Errors
    /// The system's error, if it has no more descriptors.
    pub fn new() -> io::Result<(Self, SetWaker)> {
        let poller = Arc::new(Poller::new()?);
        let set = Self {
            poller: Arc::clone(&poller),
            events: Events::new(),
            sockets: Vec::new(),
        };
        Ok((set, SetWaker(poller)))
    }

    /// Adds a socket at a `place` chosen by the caller; places are small numbers. Drops the socket
    /// that was there.
    ///
    /// # Errors
    /// The system's error, if it cannot watch another socket, which is then closed.
    pub fn insert(&mut self, place: usize, socket: TestSocket) -> io::Result<()> {
        drop(self.remove(place));
        if self.sockets.len() <= place {
            self.sockets.resize_with(place + 1, || None);
        }
        // SAFETY: the set owns the socket, and removes it from the poller before it is closed, in
        // `remove` and on drop.
        unsafe {
            self.poller
                .add_with_mode(&socket.source(), Event::readable(place), PollMode::Level)?;
        }
        if let Some(slot) = self.sockets.get_mut(place) {
            *slot = Some(socket);
        }
        Ok(())
    }

    /// Removes a socket.
    pub fn remove(&mut self, place: usize) -> Option<TestSocket> {
        let socket = self.sockets.get_mut(place)?.take()?;
        // Fails only for a socket that is not in the poller.
        let _deleted = self.poller.delete(socket.source());
        Some(socket)
    }

    /// Binds the socket at a place to its device again, as [`TestSocket::bind_again`].
    ///
    /// # Errors
    /// [`BindError`]: the socket is unchanged.
    pub fn bind_again(&mut self, place: usize, index: u32) -> Result<(), BindError> {
        let Some(mut socket) = self.remove(place) else {
            return Ok(());
        };
        let bound = socket.bind_again(index);
        let addr = socket.local();
        // It was just being watched.
        self.insert(place, socket)
            .map_err(|source| BindError::Other { addr, source })?;
        bound
    }

    /// The socket at a place.
    pub fn get(&self, place: usize) -> Option<&TestSocket> {
        self.sockets.get(place)?.as_ref()
    }

    /// All sockets.
    pub fn iter(&self) -> impl Iterator<Item = &TestSocket> {
        self.sockets.iter().flatten()
    }

    /// Waits until a socket has something to read (packets or errors), `until` has come, or the
    /// waker was called. `ready` then contains the places of ready sockets; more may be ready than
    /// fit.
    pub fn wait(&mut self, until: Mono, ready: &mut Vec<usize>) {
        ready.clear();
        self.events.clear();
        let left = until.since(clock::mono());
        if self.poller.wait(&mut self.events, Some(left)).is_err() {
            // The error may persist, so avoid a busy loop.
            std::thread::sleep(Duration::from_micros(100));
        }
        ready.extend(self.events.iter().map(|event| event.key));
    }
}

impl Drop for SocketSet {
    fn drop(&mut self) {
        for place in 0..self.sockets.len() {
            drop(self.remove(place));
        }
    }
}

impl SetWaker {
    /// Ends the wait, now or as soon as it begins.
    pub fn wake(&self) {
        // It fails only when the system has no memory; the next timeout wakes as well.
        let _woken = self.0.notify();
    }
}

//! Waiting for sockets, for a point in time, or for another thread.

use std::io;
use std::time::Duration;

use twinpath_wire::Mono;

use crate::error::BindError;
use crate::os;
use crate::socket::TestSocket;

/// Sockets that one thread waits for together: the cost of a wait depends on the ready sockets, not
/// on their total number.
#[derive(Debug)]
pub struct SocketSet {
    poller: os::wait::Poller,
    sockets: Vec<Option<TestSocket>>,
    count: usize,
}

/// Wakes the thread that waits for a [`SocketSet`]. Clones wake the same one.
#[derive(Clone, Debug)]
pub struct Waker(os::wait::Waker);

impl SocketSet {
    /// An empty set and its waker.
    ///
    /// # Errors
    /// The system's error, if it has no more descriptors.
    pub fn new() -> io::Result<(Self, Waker)> {
        let (poller, waker) = os::wait::Poller::new()?;
        let set = Self {
            poller,
            sockets: Vec::new(),
            count: 0,
        };
        Ok((set, Waker(waker)))
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
        self.poller.add(socket.source(), place)?;
        if let Some(slot) = self.sockets.get_mut(place) {
            *slot = Some(socket);
            self.count += 1;
        }
        Ok(())
    }

    /// Removes a socket.
    pub fn remove(&mut self, place: usize) -> Option<TestSocket> {
        let socket = self.sockets.get_mut(place)?.take()?;
        self.poller.remove(socket.source());
        self.count -= 1;
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

    /// How many sockets there are.
    pub fn count(&self) -> usize {
        self.count
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
        if self.poller.wait(until, ready).is_err() {
            // The error may persist, so avoid a busy loop.
            std::thread::sleep(Duration::from_micros(100));
        }
    }
}

impl Drop for SocketSet {
    fn drop(&mut self) {
        for place in 0..self.sockets.len() {
            drop(self.remove(place));
        }
    }
}

impl Waker {
    /// Ends the wait, now or as soon as it begins.
    pub fn wake(&self) {
        self.0.wake();
    }
}

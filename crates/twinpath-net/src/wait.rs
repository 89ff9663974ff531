//! Waiting for sockets, for a point in time, or for another thread.

use std::io;

use twinpath_wire::Mono;

use crate::os;
use crate::socket::TestSocket;

/// Wakes a [`Waiter`] on another thread. Clones wake the same one.
#[derive(Clone, Debug)]
pub struct Waker(pub(crate) os::wait::Waker);

/// Waits for sockets, a point in time and its [`Waker`].
#[derive(Debug)]
pub struct Waiter(os::wait::Waiter);

impl Waiter {
    /// A waiter and the waker that goes with it.
    ///
    /// # Errors
    /// The system's error, if it has no more descriptors.
    pub fn new() -> io::Result<(Self, Waker)> {
        let (waiter, waker) = os::wait::new()?;
        Ok((Self(waiter), Waker(waker)))
    }

    /// Waits until a socket has something to read (packets or errors), `until` has come, or the
    /// waker was called. It may end late by a thousandth of the time waited.
    pub fn wait(&mut self, sockets: &[&TestSocket], until: Option<Mono>) {
        self.0
            .wait(sockets.iter().map(|socket| socket.source()), until);
    }

    /// Waits exactly until `until` (absolute, as precise as the kernel's timers), even if packets
    /// arrive.
    pub fn sleep_until(until: Mono) {
        os::wait::sleep_until(until);
    }

    /// Makes this thread's timers fire on time instead of being coalesced to save power.
    pub fn minimize_timer_slack() {
        os::wait::minimize_timer_slack();
    }
}

impl Waker {
    /// Ends the waiter's wait, now or as soon as it begins.
    pub fn wake(&self) {
        self.0.wake();
    }
}

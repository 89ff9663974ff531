//! The sockets of one reflector thread.

use std::io;

use twinpath_net::{SocketSet, TestSocket, Waker};
use twinpath_wire::Mono;

use super::{MemberLinks, SocketState};
use crate::interfaces::LOOK_EVERY;

/// The sockets of a thread, at small numbers, and what it knows of each. They come and go while it runs.
#[derive(Debug)]
pub(crate) struct Sockets {
    set: SocketSet,
    states: Vec<Option<SocketState>>,
    member_links: MemberLinks,
    waker: Waker,
    /// One is bound to an interface, which may be made again.
    follows: bool,
    follow_due: Mono,
    /// How often one was bound again to an interface that was made again.
    pub(super) rebinds: u64,
    /// Drops of sockets that are closed.
    drops_before: u64,
    /// How many there have been.
    opened: u64,
}

/// The lower half of a socket's `id` is its number.
const NUMBER_BITS: u32 = 32;

impl Sockets {
    /// None so far.
    #[cfg(any(feature = "control", test))]
    pub(crate) fn new() -> io::Result<Self> {
        Self::beside(MemberLinks::default())
    }

    /// None so far, where members of these links have sockets, of this thread or another.
    pub(crate) fn beside(member_links: MemberLinks) -> io::Result<Self> {
        let (set, waker) = SocketSet::new()?;
        Ok(Self {
            set,
            states: Vec::new(),
            member_links,
            waker,
            follows: false,
            follow_due: Mono::from_ns(0),
            rebinds: 0,
            drops_before: 0,
            opened: 0,
        })
    }

    /// Adds a socket under an unused `index`. `follows`: it stays with its interface, should that be made
    /// again.
    pub(crate) fn insert(&mut self, index: usize, socket: TestSocket, follows: bool) {
        self.opened += 1;
        let id = self.opened << NUMBER_BITS | index as u64;
        let state = SocketState::of(&socket, id, follows, &self.member_links);
        self.follows |= state.follows();
        // What cannot be watched is not there: who looks for it gets the failure.
        if self.set.insert(index, socket).is_ok() {
            if self.states.len() <= index {
                self.states.resize_with(index + 1, || None);
            }
            if let Some(slot) = self.states.get_mut(index) {
                *slot = Some(state);
            }
        }
    }

    /// Adds a socket under any unused index.
    pub(crate) fn add(&mut self, socket: TestSocket, follows: bool) {
        let unused = self.states.iter().position(Option::is_none);
        self.insert(unused.unwrap_or(self.states.len()), socket, follows);
    }

    /// Closes a socket.
    pub(crate) fn close(&mut self, index: usize) {
        if let Some(socket) = self.set.remove(index) {
            self.drops_before += u64::from(socket.receive_drops());
        }
        if let Some(state) = self.states.get_mut(index) {
            *state = None;
        }
    }

    pub(crate) fn get(&self, index: usize) -> Option<&TestSocket> {
        self.set.get(index)
    }

    pub(crate) fn iter(&self) -> impl Iterator<Item = &TestSocket> {
        self.set.iter()
    }

    /// How many there have been.
    pub(crate) fn opened(&self) -> u64 {
        self.opened
    }

    /// Closes those of which this says so.
    pub(crate) fn close_where(&mut self, is_closed: impl Fn(&TestSocket) -> bool) {
        for index in 0..self.states.len() {
            if self.get(index).is_some_and(&is_closed) {
                self.close(index);
            }
        }
    }

    pub(super) fn waker(&self) -> Waker {
        self.waker.clone()
    }

    pub(super) fn count(&self) -> usize {
        self.set.count()
    }

    /// A socket and what is known of it.
    pub(super) fn get_mut(&mut self, index: usize) -> Option<(&TestSocket, &mut SocketState)> {
        let state = self.states.get_mut(index)?.as_mut()?;
        Some((self.set.get(index)?, state))
    }

    /// As [`Self::get_mut`], of the socket with this `id`; `None`: it is closed.
    pub(super) fn by_id(&mut self, id: u64) -> Option<(&TestSocket, &mut SocketState)> {
        let number = id & u64::from(u32::MAX);
        let found = self.get_mut(usize::try_from(number).ok()?);
        found.filter(|(_, state)| state.id == id)
    }

    /// See [`SocketSet::wait`].
    pub(super) fn wait(&mut self, until: Mono, ready: &mut Vec<usize>) {
        self.set.wait(until, ready);
    }

    /// Binds sockets again whose interface was made again. When to look next; `None`: they are bound to none.
    pub(super) fn follow(&mut self, now: Mono) -> Option<Mono> {
        if !self.follows {
            return None;
        }
        if now >= self.follow_due {
            self.follow_due = now + LOOK_EVERY;
            for (index, state) in self.states.iter_mut().enumerate() {
                if let Some(state) = state
                    && state.follow(now, |device| self.set.bind_again(index, device))
                {
                    self.rebinds += 1;
                }
            }
        }
        Some(self.follow_due)
    }

    /// Datagrams that came faster than they were read.
    pub(super) fn drops(&self) -> u64 {
        let drops = self.iter().map(TestSocket::receive_drops);
        self.drops_before + drops.map(u64::from).sum::<u64>()
    }
}

#[cfg(test)]
mod tests {
    use twinpath_net::SocketOptions;

    use super::*;

    #[test]
    fn a_socket_that_is_closed_is_not_taken_for_another_with_its_number() {
        let open = || TestSocket::open(&SocketOptions::reflector("127.0.0.1:0".parse().unwrap()));
        let mut sockets = Sockets::new().unwrap();
        for _ in 0..2 {
            sockets.add(open().unwrap(), false);
        }
        let id = |sockets: &mut Sockets, number| sockets.get_mut(number).map(|(_, state)| state.id);
        let [first, second] = [0, 1].map(|number| id(&mut sockets, number).unwrap());
        let near = sockets.get(1).unwrap().local();
        sockets.close(1);
        assert!(sockets.by_id(second).is_none());
        sockets.add(open().unwrap(), false);
        let third = id(&mut sockets, 1).unwrap();
        assert!(sockets.by_id(second).is_none() && sockets.by_id(first).is_some());
        let (socket, _) = sockets.by_id(third).unwrap();
        assert_ne!(socket.local(), near);
    }
}

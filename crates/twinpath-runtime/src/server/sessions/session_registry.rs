//! Which sessions there are, on which ports, and whose: the control plane's view of the reflector
//! threads' work.

use std::collections::HashMap;
use std::hash::{BuildHasher as _, RandomState};
use std::net::{IpAddr, SocketAddr};

use tokio::sync::mpsc;
use twinpath_proto::ClientPrefix;
use twinpath_wire::control::Sid;

use super::{Limits, OpenError};

/// A session, from the request to the fact that it is over.
#[derive(Debug)]
pub(super) struct Entry {
    client: IpAddr,
    /// Its client proved no key.
    open: bool,
    sender: (IpAddr, u16),
    /// Where it is reflected, once that is known.
    near: Option<SocketAddr>,
    thread: usize,
    /// It is stopped or to be removed: reflected for its Timeout at most.
    ending: bool,
    /// Who is told of its end.
    pub(super) owner: mpsc::UnboundedSender<Sid>,
}

/// A socket, and who sends to it.
#[derive(Debug)]
struct Port {
    thread: usize,
    socket_index: usize,
    senders: HashMap<(IpAddr, u16), Sid>,
    /// Its thread was told to close it.
    closing: bool,
}

/// A port as a new session finds it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Found {
    /// Ours, and this sender is now one of its senders.
    Shared {
        thread: usize,
        socket_index: usize,
        /// The same client's session of the same sender, which was ending: it is to be removed.
        replaced: Option<Sid>,
    },
    /// Ours, and a session of this sender has it.
    Taken,
    /// Ours, and being closed.
    Closing,
    /// Not ours.
    Unknown,
}

/// A socket without sessions, for its thread to close.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct FreedSocket {
    pub(super) thread: usize,
    pub(super) socket_index: usize,
}

/// Sessions of one client.
#[derive(Clone, Copy, Debug, Default)]
struct Count {
    held: usize,
    /// Those of them that are ending.
    ending: usize,
}

#[derive(Debug)]
pub(super) struct SessionRegistry {
    limits: Limits,
    sessions: HashMap<Sid, Entry>,
    /// Sessions of clients without a key.
    open: usize,
    /// Limits are by prefix; what is whose, by address.
    clients: HashMap<ClientPrefix, Count>,
    ports: HashMap<SocketAddr, Port>,
    /// The local address of each socket, by index; an index belongs to one thread.
    sockets: Vec<Option<SocketAddr>>,
    vacant: Vec<usize>,
    /// Ports of each thread.
    loads: Vec<usize>,
    /// Spreads senders over the threads.
    hasher: RandomState,
}

impl SessionRegistry {
    pub(super) fn new(limits: Limits, threads: usize) -> Self {
        Self {
            limits,
            sessions: HashMap::new(),
            open: 0,
            clients: HashMap::new(),
            ports: HashMap::new(),
            sockets: Vec::new(),
            vacant: Vec::new(),
            loads: vec![0; threads],
            hasher: RandomState::new(),
        }
    }

    /// Sessions that are not over.
    pub(super) fn sessions(&self) -> usize {
        self.sessions.len()
    }

    /// Sockets that are not closed.
    pub(super) fn ports(&self) -> usize {
        self.ports.len()
    }

    /// Adds a session, if the limits allow it. `open`: its client proved no key.
    pub(super) fn enter(
        &mut self,
        sid: Sid,
        client: IpAddr,
        open: bool,
        sender: SocketAddr,
        owner: mpsc::UnboundedSender<Sid>,
    ) -> Result<(), OpenError> {
        let of_client = self
            .clients
            .get(&client.into())
            .copied()
            .unwrap_or_default();
        if of_client.held >= self.limits.sessions_per_client {
            return Err(if of_client.ending > 0 {
                OpenError::ClientLingers
            } else {
                OpenError::ClientLimit
            });
        }
        if self.sessions.len() >= self.limits.sessions {
            return Err(OpenError::Limit);
        }
        if open && self.open >= self.limits.open_sessions {
            return Err(OpenError::OpenLimit);
        }
        if self.sessions.contains_key(&sid) {
            return Err(OpenError::SidTaken);
        }
        let held = Entry {
            client,
            open,
            sender: (sender.ip().to_canonical(), sender.port()),
            near: None,
            thread: 0,
            ending: false,
            owner,
        };
        self.sessions.insert(sid, held);
        self.open += usize::from(open);
        self.clients.entry(client.into()).or_default().held += 1;
        Ok(())
    }

    /// The session was stopped, or is to be removed: it gives way to another of its sender.
    pub(super) fn ending(&mut self, sid: Sid) {
        if let Some(held) = self.sessions.get_mut(&sid)
            && !held.ending
        {
            held.ending = true;
            self.clients.entry(held.client.into()).or_default().ending += 1;
        }
    }

    /// Looks for a port of ours, and joins its senders if that can be. A session of the same client
    /// and sender that is ending gives way: peers that ignore Accept-Session's Port would send to
    /// it in their next run.
    pub(super) fn join(&mut self, sid: Sid, near: SocketAddr) -> Found {
        let own = self.own_thread(sid);
        let Some(port) = self.ports.get_mut(&near) else {
            return Found::Unknown;
        };
        if port.closing {
            return Found::Closing;
        }
        let Some((client, sender)) = self
            .sessions
            .get(&sid)
            .map(|held| (held.client, held.sender))
        else {
            return Found::Taken;
        };
        if own.is_some_and(|own| own != port.thread) {
            return Found::Taken;
        }
        let replaced = port.senders.get(&sender).copied();
        if let Some(other) = replaced {
            let other = self.sessions.get_mut(&other);
            let Some(other) = other.filter(|other| other.ending && other.client == client) else {
                return Found::Taken;
            };
            // What it leaves is not its own any more.
            other.near = None;
        }
        port.senders.insert(sender, sid);
        if let Some(held) = self.sessions.get_mut(&sid) {
            held.near = Some(near);
            held.thread = port.thread;
        }
        Found::Shared {
            thread: port.thread,
            socket_index: port.socket_index,
            replaced,
        }
    }

    /// A new port for a session, its socket being bound: it belongs to the sender's own thread, or
    /// to the one that has the fewest. The session is to [`SessionRegistry::join`] it.
    pub(super) fn add(&mut self, sid: Sid, near: SocketAddr) -> (usize, usize) {
        let least = self.loads.iter().enumerate().min_by_key(|(_, load)| **load);
        let least = least.map_or(0, |(thread, _)| thread);
        let thread = self.own_thread(sid).unwrap_or(least);
        let socket_index = self.vacant.pop().unwrap_or_else(|| {
            self.sockets.push(None);
            self.sockets.len() - 1
        });
        if let Some(slot) = self.sockets.get_mut(socket_index) {
            *slot = Some(near);
        }
        if let Some(load) = self.loads.get_mut(thread) {
            *load += 1;
        }
        let port = Port {
            thread,
            socket_index,
            senders: HashMap::new(),
            closing: false,
        };
        self.ports.insert(near, port);
        (thread, socket_index)
    }

    /// The session leaves its port. With the last one the port is to be closed.
    pub(super) fn part(&mut self, sid: Sid) -> Option<FreedSocket> {
        let held = self.sessions.get_mut(&sid)?;
        let port = self.ports.get_mut(&held.near.take()?)?;
        port.senders.remove(&held.sender);
        if !port.senders.is_empty() {
            return None;
        }
        port.closing = true;
        Some(FreedSocket {
            thread: port.thread,
            socket_index: port.socket_index,
        })
    }

    /// The session is over: it has left its port before.
    pub(super) fn leave(&mut self, sid: Sid) -> Option<Entry> {
        let held = self.sessions.remove(&sid)?;
        self.open -= usize::from(held.open);
        if let Some(count) = self.clients.get_mut(&held.client.into()) {
            count.held -= 1;
            count.ending -= usize::from(held.ending);
            if count.held == 0 {
                self.clients.remove(&held.client.into());
            }
        }
        Some(held)
    }

    /// A socket is closed: its index is free.
    pub(super) fn closed(&mut self, socket_index: usize) {
        let Some(near) = self.sockets.get_mut(socket_index).and_then(Option::take) else {
            return;
        };
        self.vacant.push(socket_index);
        if let Some(port) = self.ports.remove(&near)
            && let Some(load) = self.loads.get_mut(port.thread)
        {
            *load -= 1;
        }
    }

    /// Where rates are limited, all sessions of a sender (IPv6: of its /64) are on one thread, which
    /// counts them together.
    fn own_thread(&self, sid: Sid) -> Option<usize> {
        self.limits.rate_pps?;
        let (sender, _) = self.sessions.get(&sid)?.sender;
        let threads = u64::try_from(self.loads.len()).ok()?;
        let thread = self
            .hasher
            .hash_one(ClientPrefix::of(sender))
            .checked_rem(threads)?;
        usize::try_from(thread).ok()
    }

    /// The thread that reflects a session.
    pub(super) fn thread_of(&self, sid: Sid) -> Option<usize> {
        let held = self.sessions.get(&sid)?;
        held.near.map(|_| held.thread)
    }
}

#[cfg(test)]
mod tests {
    use std::collections::HashSet;

    use super::*;

    const LIMITS: Limits = Limits {
        sessions: 3,
        open_sessions: 3,
        sessions_per_client: 2,
        rate_pps: None,
    };

    fn sid(number: u32) -> Sid {
        Sid(u128::from(number).to_be_bytes())
    }

    fn registry() -> (SessionRegistry, SocketAddr, mpsc::UnboundedSender<Sid>) {
        let (owner, _) = mpsc::unbounded_channel();
        let near = "192.0.2.2:18760".parse().unwrap();
        (SessionRegistry::new(LIMITS, 2), near, owner)
    }

    fn enter(
        registry: &mut SessionRegistry,
        number: u32,
        sender: &str,
        owner: &mpsc::UnboundedSender<Sid>,
    ) -> Result<(), OpenError> {
        let sender: SocketAddr = sender.parse().unwrap();
        registry.enter(sid(number), sender.ip(), true, sender, owner.clone())
    }

    #[test]
    fn a_port_is_shared_by_senders_and_closed_with_the_last() {
        let (mut registry, near, owner) = registry();
        enter(&mut registry, 1, "192.0.2.1:5000", &owner).unwrap();
        enter(&mut registry, 2, "192.0.2.7:5001", &owner).unwrap();
        enter(&mut registry, 3, "[::ffff:192.0.2.1]:5000", &owner).unwrap();
        assert_eq!(registry.join(sid(1), near), Found::Unknown);
        let (thread, socket_index) = registry.add(sid(1), near);
        let shared = Found::Shared {
            thread,
            socket_index,
            replaced: None,
        };
        assert_eq!(registry.join(sid(1), near), shared);
        assert_eq!(registry.join(sid(2), near), shared);
        // The same sender, however it is written.
        assert_eq!(registry.join(sid(3), near), Found::Taken);
        assert_eq!(registry.part(sid(1)), None);
        assert!(registry.leave(sid(1)).is_some());
        assert_eq!(registry.join(sid(3), near), shared);
        assert_eq!(registry.part(sid(2)), None);
        assert_eq!(
            registry.part(sid(3)),
            Some(FreedSocket {
                thread,
                socket_index
            })
        );
        assert_eq!(registry.part(sid(3)), None);
        assert_eq!(registry.join(sid(3), near), Found::Closing);
        registry.closed(socket_index);
        registry.closed(socket_index);
        assert_eq!(registry.join(sid(3), near), Found::Unknown);
        assert_eq!(registry.ports(), 0);
    }

    #[test]
    fn a_session_that_is_ending_gives_way_to_the_next_of_its_client_and_sender() {
        let (mut registry, near, owner) = registry();
        let sender: SocketAddr = "192.0.2.1:5000".parse().unwrap();
        let (client, other) = (sender.ip(), "192.0.2.9".parse().unwrap());
        for (number, client) in [(1, client), (2, other), (3, client)] {
            let entered = registry.enter(sid(number), client, true, sender, owner.clone());
            assert_eq!(entered, Ok(()));
        }
        let (thread, socket_index) = registry.add(sid(1), near);
        assert!(matches!(registry.join(sid(1), near), Found::Shared { .. }));
        assert_eq!(registry.join(sid(3), near), Found::Taken);
        registry.ending(sid(1));
        // Another client's session of that sender does not.
        assert_eq!(registry.join(sid(2), near), Found::Taken);
        let replaced = Some(sid(1));
        let shared = Found::Shared {
            thread,
            socket_index,
            replaced,
        };
        assert_eq!(registry.join(sid(3), near), shared);
        // The old one's end does not touch the new one's port.
        assert_eq!(registry.part(sid(1)), None);
        assert!(registry.leave(sid(1)).is_some());
        assert_eq!(registry.thread_of(sid(3)), Some(thread));
        assert_eq!(
            registry.part(sid(3)),
            Some(FreedSocket {
                thread,
                socket_index
            })
        );
    }

    #[test]
    fn a_client_whose_sessions_linger_is_to_wait() {
        let (mut registry, _, owner) = registry();
        enter(&mut registry, 1, "192.0.2.1:1", &owner).unwrap();
        enter(&mut registry, 2, "192.0.2.1:2", &owner).unwrap();
        let mut third = || enter(&mut registry, 3, "192.0.2.1:3", &owner);
        assert_eq!(third(), Err(OpenError::ClientLimit));
        registry.ending(sid(1));
        registry.ending(sid(1));
        let mut third = || enter(&mut registry, 3, "192.0.2.1:3", &owner);
        assert_eq!(third(), Err(OpenError::ClientLingers));
        registry.leave(sid(1));
        enter(&mut registry, 3, "192.0.2.1:3", &owner).unwrap();
        let mut fourth = || enter(&mut registry, 4, "192.0.2.1:4", &owner);
        assert_eq!(fourth(), Err(OpenError::ClientLimit));
    }

    #[test]
    fn limits_hold_for_each_client_and_for_all() {
        let (mut registry, _, owner) = registry();
        enter(&mut registry, 1, "192.0.2.1:1", &owner).unwrap();
        assert_eq!(
            enter(&mut registry, 1, "192.0.2.9:1", &owner),
            Err(OpenError::SidTaken)
        );
        enter(&mut registry, 2, "192.0.2.1:2", &owner).unwrap();
        assert_eq!(
            enter(&mut registry, 3, "192.0.2.1:3", &owner),
            Err(OpenError::ClientLimit)
        );
        enter(&mut registry, 4, "192.0.2.3:1", &owner).unwrap();
        assert_eq!(
            enter(&mut registry, 5, "192.0.2.4:1", &owner),
            Err(OpenError::Limit)
        );
        assert!(registry.leave(sid(2)).is_some());
        assert!(registry.leave(sid(2)).is_none());
        enter(&mut registry, 5, "192.0.2.1:4", &owner).unwrap();
        for number in [1, 4, 5] {
            assert!(registry.leave(sid(number)).is_some());
        }
        assert_eq!(registry.sessions(), 0);
        assert!(registry.clients.is_empty());
    }

    #[test]
    fn hosts_of_one_64_share_their_limit_and_one_takes_no_session_of_the_other() {
        let (mut registry, near, owner) = registry();
        enter(&mut registry, 1, "[2001:db8::1]:5000", &owner).unwrap();
        enter(&mut registry, 2, "[2001:db8::ffff:2]:5000", &owner).unwrap();
        let mut third = || enter(&mut registry, 3, "[2001:db8::3:0:0:3]:5000", &owner);
        assert_eq!(third(), Err(OpenError::ClientLimit));
        enter(&mut registry, 4, "[2001:db8:0:1::1]:5000", &owner).unwrap();
        registry.leave(sid(2)).unwrap();
        registry.add(sid(1), near);
        assert!(matches!(registry.join(sid(1), near), Found::Shared { .. }));
        registry.ending(sid(1));
        // A neighbour that names the same sender.
        let sender = "[2001:db8::1]:5000".parse().unwrap();
        let neighbour = "2001:db8::9".parse().unwrap();
        registry
            .enter(sid(5), neighbour, true, sender, owner)
            .unwrap();
        assert_eq!(registry.join(sid(5), near), Found::Taken);
    }

    #[test]
    fn ports_spread_over_the_threads_and_places_are_used_again() {
        let (mut registry, ..) = registry();
        let at = |port: u16| SocketAddr::from(([192, 0, 2, 2], port));
        assert_eq!(registry.add(sid(1), at(1)), (0, 0));
        assert_eq!(registry.add(sid(2), at(2)), (1, 1));
        registry.closed(0);
        assert_eq!(registry.add(sid(3), at(3)), (0, 0));
    }

    #[test]
    fn where_rates_are_limited_a_sender_has_one_thread() {
        let (_, near, owner) = registry();
        let limits = Limits {
            sessions: 100,
            sessions_per_client: 100,
            open_sessions: usize::MAX,
            rate_pps: Some(10),
        };
        let mut registry = SessionRegistry::new(limits, 4);
        let mut threads = HashSet::new();
        for host in 1..=40_u16 {
            let sender = format!("192.0.2.{host}");
            let number = u32::from(host) * 2;
            let at = |port| SocketAddr::from(([192, 0, 2, 99], port));
            enter(&mut registry, number, &format!("{sender}:1"), &owner).unwrap();
            enter(&mut registry, number + 1, &format!("{sender}:2"), &owner).unwrap();
            let (first, _) = registry.add(sid(number), at(host));
            let (second, _) = registry.add(sid(number + 1), at(host + 1_000));
            assert_eq!(first, second, "{sender}");
            threads.insert(first);
        }
        for (number, sender) in [(100, "[2001:db8::1]:1"), (101, "[2001:db8::2:0:0:1]:1")] {
            enter(&mut registry, number, sender, &owner).unwrap();
        }
        assert_eq!(registry.own_thread(sid(100)), registry.own_thread(sid(101)));
        assert!(threads.len() > 1, "{threads:?}");
        // Another sender's port is joined where it is on the same thread.
        let shared = registry.add(sid(2), near).0;
        for number in (2..=80).step_by(2) {
            let own = registry.own_thread(sid(number)) == Some(shared);
            let found = registry.join(sid(number), near);
            assert_eq!(matches!(found, Found::Shared { .. }), own, "{found:?}");
        }
    }
}

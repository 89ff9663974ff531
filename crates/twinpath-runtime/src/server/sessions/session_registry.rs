//! Which sessions there are, on which ports, and whose: the control plane's view of the reflector
//! threads' work.

use std::collections::HashMap;
use std::net::{IpAddr, SocketAddr};

use tokio::sync::mpsc;
use twinpath_proto::ClientPrefix;
use twinpath_wire::control::Sid;

use super::super::ServerLimits;
use super::OpenError;

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
    /// Its control connection.
    connection: Option<ControlConnection>,
    /// Where its end is reported.
    pub(super) owner: mpsc::UnboundedSender<Sid>,
}

/// The ends of a control connection.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ControlConnection {
    /// The Control-Client's address and TCP port.
    pub client: SocketAddr,
    /// The Server's.
    pub server: SocketAddr,
}

/// A socket, and who sends to it.
#[derive(Debug)]
struct Port {
    thread: usize,
    socket_index: usize,
    senders: HashMap<(IpAddr, u16), Sid>,
    /// Its thread has the command to close it.
    closing: bool,
}

/// A port as a new session finds it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum PortState {
    /// Ours, and this sender is now one of its senders.
    Shared {
        thread: usize,
        socket_index: usize,
        /// The same client's session of the same sender, which was ending: to be removed by the caller.
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
    /// Sessions beyond them stay.
    pub(super) limits: ServerLimits,
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
}

impl SessionRegistry {
    pub(super) fn new(limits: ServerLimits, threads: usize) -> Self {
        Self {
            limits,
            sessions: HashMap::new(),
            open: 0,
            clients: HashMap::new(),
            ports: HashMap::new(),
            sockets: Vec::new(),
            vacant: Vec::new(),
            loads: vec![0; threads],
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
        if of_client.held >= self.limits.max_sessions_per_client {
            return Err(if of_client.ending > 0 {
                OpenError::ClientLingers
            } else {
                OpenError::ClientLimit
            });
        }
        if self.sessions.len() >= self.limits.max_sessions {
            return Err(OpenError::Limit);
        }
        if open && self.open >= self.limits.max_open_sessions {
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
            connection: None,
            owner,
        };
        self.sessions.insert(sid, held);
        self.open += usize::from(open);
        self.clients.entry(client.into()).or_default().held += 1;
        Ok(())
    }

    /// Notes by which connection a session was requested.
    pub(super) fn note_connection(&mut self, sid: Sid, connection: ControlConnection) {
        if let Some(held) = self.sessions.get_mut(&sid) {
            held.connection = Some(connection);
        }
    }

    /// Where a session is reflected, and the connection by which it was requested.
    pub(super) fn ends(&self, sid: Sid) -> Option<(SocketAddr, ControlConnection)> {
        let held = self.sessions.get(&sid)?;
        Some((held.near?, held.connection?))
    }

    /// The session was stopped or will be removed: another of its sender can take its place.
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
    pub(super) fn join(&mut self, sid: Sid, near: SocketAddr) -> PortState {
        let Some(port) = self.ports.get_mut(&near) else {
            return PortState::Unknown;
        };
        if port.closing {
            return PortState::Closing;
        }
        let Some((client, sender)) = self
            .sessions
            .get(&sid)
            .map(|held| (held.client, held.sender))
        else {
            return PortState::Taken;
        };
        let replaced = port.senders.get(&sender).copied();
        if let Some(other) = replaced {
            let other = self.sessions.get_mut(&other);
            let Some(other) = other.filter(|other| other.ending && other.client == client) else {
                return PortState::Taken;
            };
            // What it leaves is not its own any more.
            other.near = None;
        }
        port.senders.insert(sender, sid);
        if let Some(held) = self.sessions.get_mut(&sid) {
            held.near = Some(near);
            held.thread = port.thread;
        }
        PortState::Shared {
            thread: port.thread,
            socket_index: port.socket_index,
            replaced,
        }
    }

    /// A new port, its socket being bound: it belongs to the thread that has the fewest. Its session is to
    /// [`SessionRegistry::join`] it.
    pub(super) fn add(&mut self, near: SocketAddr) -> (usize, usize) {
        let least = self.loads.iter().enumerate().min_by_key(|(_, load)| **load);
        let thread = least.map_or(0, |(thread, _)| thread);
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

    /// Removes the session from its port. With the last one, the port must be closed.
    pub(super) fn leave_port(&mut self, sid: Sid) -> Option<FreedSocket> {
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
    pub(super) fn remove(&mut self, sid: Sid) -> Option<Entry> {
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

    /// The thread that reflects a session.
    pub(super) fn thread_of(&self, sid: Sid) -> Option<usize> {
        let held = self.sessions.get(&sid)?;
        held.near.map(|_| held.thread)
    }
}

#[cfg(test)]
mod tests;

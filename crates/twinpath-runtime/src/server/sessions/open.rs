//! Finding a port for a session (RFC 5357 section 3.5; rows TC-39 to TC-42).

use std::io;
use std::net::{IpAddr, SocketAddr};
use std::time::Duration;

use tokio::sync::{mpsc, oneshot};
use twinpath_net::{BindError, SocketOptions, TestSocket};
use twinpath_proto::TestGuard;
use twinpath_proto::reflector::SessionSpec;
use twinpath_wire::control::Sid;

use super::duties::{Command, NotOpened};
use super::reflectors::Inner;
use super::session_registry::{ControlConnection, FreedSocket, PortState};

/// The one port below 1024 that may be wished for: TWAMP's own (RFC 8545 section 5.1).
const WELL_KNOWN: u16 = 862;
/// The first of those that no privilege guards.
const UNPRIVILEGED: u16 = 1_024;
/// How often a port that is being closed is requested again, and after what time.
const CLOSING_TRIES: u32 = 50;
const CLOSING_WAIT: Duration = Duration::from_millis(1);

/// A request for a session, with the facts that the control connection has.
#[derive(Debug)]
pub(crate) struct OpenRequest {
    pub(crate) spec: SessionSpec,
    /// What protects its packets.
    pub(crate) guard: TestGuard,
    /// Where its packets are to arrive; port 0: anywhere.
    pub(crate) near: SocketAddr,
    /// The client has reached this host by that address.
    pub(crate) reached: bool,
    /// Whose session it is, for the limits by the client's address.
    pub(crate) connection: ControlConnection,
    /// The client proved no key.
    pub(crate) open: bool,
    /// Receives its end.
    pub(crate) owner: mpsc::UnboundedSender<Sid>,
}

/// Why a session could not be had.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub(crate) enum OpenError {
    #[error("the client has reached its limit of sessions")]
    ClientLimit,
    #[error(
        "the client has reached its limit of sessions, some of them only waiting for their timeout"
    )]
    ClientLingers,
    #[error("the limit of sessions is reached")]
    Limit,
    #[error("the limit of sessions without a key is reached")]
    OpenLimit,
    #[error("no test port is free")]
    NoPort,
    #[error("the receiver's address is not this host's")]
    NotLocal,
    #[error("the system has no descriptors or memory left")]
    Exhausted,
    #[error("the system refused the socket")]
    System,
    #[error("the session identifier is taken")]
    SidTaken,
    #[error("the reflector thread has ended")]
    Gone,
}

impl Inner {
    /// Takes a session on. Waits for its thread, and for the system.
    pub(super) fn open(&self, request: &OpenRequest) -> Result<u16, OpenError> {
        if !request.reached && !is_local(request.near.ip()) {
            return Err(OpenError::NotLocal);
        }
        let sid = request.spec.sid;
        let (sender, owner) = (request.spec.sender, request.owner.clone());
        let client = request.connection.client.ip().to_canonical();
        {
            let mut registry = self.registry();
            registry.enter(sid, client, request.open, sender, owner)?;
            registry.note_connection(sid, request.connection);
        }
        let opened = self.find_port(request);
        if opened.is_err() {
            self.leave_port(sid);
            self.registry().remove(sid);
        }
        opened
    }

    /// The port wished for, or the first that can be had of the range.
    fn find_port(&self, request: &OpenRequest) -> Result<u16, OpenError> {
        let wished = request.near.port();
        let (low, high) = self.plan.test_ports;
        // Other services of this host need their ports: who proved nothing holds none of those.
        let trusted = !request.open || self.registry().limits.allow_any_port;
        let may_be_had = (low..=high).contains(&wished)
            || (trusted && (wished == WELL_KNOWN || wished >= UNPRIVILEGED));
        if wished != 0 && may_be_had && self.has_port(request, wished, CLOSING_TRIES)? {
            return Ok(wished);
        }
        for port in low..=high {
            if port != 0 && self.has_port(request, port, 0)? {
                return Ok(port);
            }
        }
        Err(OpenError::NoPort)
    }

    /// Whether the session is now on this port.
    fn has_port(&self, request: &OpenRequest, port: u16, tries: u32) -> Result<bool, OpenError> {
        let mut near = request.near;
        near.set_port(port);
        let mut claimed = self.claim(request, near)?;
        for _ in 0..tries {
            if claimed != PortState::Closing {
                break;
            }
            std::thread::sleep(CLOSING_WAIT);
            claimed = self.claim(request, near)?;
        }
        let PortState::Shared {
            thread,
            socket_index,
            replaced,
        } = claimed
        else {
            return Ok(false);
        };
        let (answer, answered) = oneshot::channel();
        let command = Command::Open {
            spec: request.spec,
            guard: request.guard.clone(),
            socket_index,
            answer,
        };
        let thread = self.thread(thread).ok_or(OpenError::Gone)?;
        if let Some(old) = replaced {
            thread.send_blocking(Command::Remove(old));
        }
        if !thread.send_blocking(command) {
            return Err(OpenError::Gone);
        }
        match answered.blocking_recv() {
            Ok(Ok(())) => Ok(true),
            Ok(Err(NotOpened::InUse)) => {
                self.leave_port(request.spec.sid);
                Ok(false)
            }
            Ok(Err(NotOpened::NoSocket)) => Err(OpenError::Exhausted),
            Err(_) => Err(OpenError::Gone),
        }
    }

    /// Joins a port of ours, or binds a new one; [`PortState::Taken`] where another has it.
    fn claim(&self, request: &OpenRequest, near: SocketAddr) -> Result<PortState, OpenError> {
        let sid = request.spec.sid;
        let mut registry = self.registry();
        let found = registry.join(sid, near);
        if found != PortState::Unknown {
            return Ok(found);
        }
        let socket = match TestSocket::open(&self.socket_options(near)) {
            Ok(socket) => socket,
            Err(error) => return refusal(&error).map_or(Ok(PortState::Taken), Err),
        };
        if let Some(reason) = socket.no_hardware() {
            // Of the first test port: the others are no better.
            let _ = self.no_hardware.set(reason);
        }
        let (thread, socket_index) = registry.add(near);
        // Sent before another session can join: a session never comes before its socket. The thread
        // never waits for the registry.
        if let Some(thread) = self.thread(thread) {
            thread.send_blocking(Command::Listen(socket_index, socket));
        }
        Ok(registry.join(sid, near))
    }

    /// The session leaves its port; an empty one is closed.
    fn leave_port(&self, sid: Sid) {
        let freed = self.registry().leave_port(sid);
        if let Some(FreedSocket {
            thread,
            socket_index,
        }) = freed
            && let Some(thread) = self.thread(thread)
        {
            thread.send_blocking(Command::Close(socket_index));
        }
    }

    fn socket_options(&self, near: SocketAddr) -> SocketOptions {
        SocketOptions {
            path: self.plan.path.clone(),
            ..SocketOptions::reflector(near)
        }
    }
}

/// What a failure to bind means for the session; `None`: another port may do.
fn refusal(error: &BindError) -> Option<OpenError> {
    match error {
        BindError::InUse { .. } | BindError::Privilege { .. } => None,
        BindError::NotLocal { .. } | BindError::NotOneHost { .. } | BindError::Family { .. } => {
            Some(OpenError::NotLocal)
        }
        BindError::Interface { source, .. }
        | BindError::Option { source, .. }
        | BindError::Other { source, .. } => Some(if is_exhausted(source) {
            OpenError::Exhausted
        } else {
            OpenError::System
        }),
        BindError::Indistinct { .. }
        | BindError::Member { .. }
        | BindError::NotMember { .. }
        | BindError::Join { .. }
        | BindError::Passed { .. } => Some(OpenError::System),
    }
}

/// The system has no more of something, for now.
pub(crate) fn is_exhausted(error: &io::Error) -> bool {
    const ENFILE: i32 = 23;
    const EMFILE: i32 = 24;
    const ENOBUFS: i32 = 105;
    error.kind() == io::ErrorKind::OutOfMemory
        || matches!(error.raw_os_error(), Some(ENFILE | EMFILE | ENOBUFS))
}

/// Whether packets to this address can be for this host alone. Binding shows whether it has it, but
/// not that a broadcast address is one.
fn is_local(address: IpAddr) -> bool {
    match address {
        _ if address.is_unspecified() || address.is_multicast() => false,
        IpAddr::V4(v4) if v4.is_loopback() => {
            !matches!(v4.octets(), [_, 0, 0, 0] | [_, 255, 255, 255])
        }
        _ if address.is_loopback() || cfg!(not(target_os = "linux")) => true,
        IpAddr::V4(_) | IpAddr::V6(_) => twinpath_net::host::interface_of(address).is_some(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_not_this_host_alone_is_not_local() {
        for address in ["127.0.0.1", "127.3.2.1", "::1"] {
            assert!(is_local(address.parse().unwrap()), "{address}");
        }
        for address in [
            "0.0.0.0",
            "::",
            "224.0.0.1",
            "ff02::1",
            "127.255.255.255",
            "127.0.0.0",
        ] {
            assert!(!is_local(address.parse().unwrap()), "{address}");
        }
    }
}

//! Why a run could not start or could not go on.

use std::net::{IpAddr, SocketAddr};
use std::thread::JoinHandle;

use twinpath_net::{BindError, SendError};
use twinpath_report::words;

/// Why a run could not start. One line.
#[derive(Debug, thiserror::Error)]
pub enum StartError {
    /// A socket could not be had.
    #[error(transparent)]
    Bind(#[from] BindError),
    /// No free port in the range that was given.
    #[error("no port from {low} to {high} is free on {near}")]
    NoFreePort {
        /// Local address.
        near: IpAddr,
        /// First port of the range.
        low: u16,
        /// Last port of the range.
        high: u16,
    },
    /// The host has no way to the far end.
    #[error("no route to {far}: {source}")]
    NoRoute {
        /// Where to.
        far: SocketAddr,
        /// The system's word.
        source: std::io::Error,
    },
    /// Nothing that is sent to a multicast group would arrive.
    #[error(
        "cannot join the group {group}: there is no socket on all {} addresses",
        if group.is_ipv4() { "IPv4" } else { "IPv6" }
    )]
    NoSocketForGroup {
        /// The group.
        group: IpAddr,
    },
    /// With DF set the packets cannot leave.
    #[error(
        "packets of {packet_octets} octets exceed the interface's MTU of {mtu} and must not be fragmented"
    )]
    TooLargeForPath {
        /// The largest IP packet of the run.
        packet_octets: usize,
        /// The MTU of the interface on the way to the far end.
        mtu: u32,
        /// The largest `--padding` that would fit.
        most_padding: usize,
        /// That they are not fragmented was asked for.
        is_asked: bool,
    },
    /// Replies could not be told from those of another session.
    #[error("another session from {near} was agreed on with {far} before")]
    SameEnds {
        /// This host's end.
        near: SocketAddr,
        /// The reflector.
        far: SocketAddr,
    },
    /// The system has no descriptors or threads left.
    #[error("the system refused {what}: {source}")]
    System {
        /// What was asked for.
        what: &'static str,
        /// The system's word.
        source: std::io::Error,
    },
}

impl StartError {
    /// The system did not give `what`.
    pub(crate) fn system<E: Into<std::io::Error>>(what: &'static str) -> impl Fn(E) -> Self + Copy {
        move |source| Self::System {
            what,
            source: source.into(),
        }
    }
}

/// Starts a thread of that name.
pub(crate) fn spawn<T: Send + 'static>(
    name: impl Into<String>,
    body: impl FnOnce() -> T + Send + 'static,
) -> Result<JoinHandle<T>, StartError> {
    std::thread::Builder::new()
        .name(name.into())
        .spawn(body)
        .map_err(StartError::system("a thread"))
}

/// Why a run ended without a result.
#[derive(Debug, thiserror::Error)]
pub enum RunError {
    /// Not one packet left this host.
    #[error("none of {} to {far} left this host: {reason}", words::count(*tried, "packet", "packets"))]
    NothingSent {
        /// Where to.
        far: SocketAddr,
        /// How many were tried.
        tried: u64,
        /// The last refusal.
        reason: SendError,
    },
    /// The socket is of no more use.
    #[error("receiving failed: {0}")]
    Receive(#[source] std::io::Error),
    /// A thread ended by a fault of the program.
    #[error("a thread of twinpath crashed: this is a bug")]
    Fault,
}

/// The process or the host has as many files and sockets open as it may (EMFILE, ENFILE).
pub fn is_out_of_files(error: &std::io::Error) -> bool {
    cfg!(unix) && matches!(error.raw_os_error(), Some(23 | 24))
}

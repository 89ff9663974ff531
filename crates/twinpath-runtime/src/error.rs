//! Why a run could not start or could not go on.

use std::net::{IpAddr, SocketAddr};

use twinpath_net::{BindError, SendError};
use twinpath_report::{notes, words};

/// Why a run could not start. One line; see [`StartError::remedy`].
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
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
    /// With DF set the packets cannot leave.
    #[error(
        "packets of {packet_octets} octets do not fit the interface's MTU of {mtu} and may not be fragmented"
    )]
    TooLargeForPath {
        /// The largest IP packet of the run.
        packet_octets: usize,
        /// The MTU of the interface on the way to the far end.
        mtu: u32,
        /// The largest `--padding` that would fit.
        most_padding: usize,
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
    /// What the reader can do, in one clause.
    pub fn remedy(&self) -> Option<String> {
        match self {
            Self::Bind(
                BindError::Option { source, .. }
                | BindError::Other { source, .. }
                | BindError::Interface { source, .. },
            ) if is_out_of_files(source) => Some(OUT_OF_FILES.to_owned()),
            Self::Bind(error) => error.remedy().map(str::to_owned),
            Self::NoFreePort { .. } => Some("give a wider range with --ports LO-HI".to_owned()),
            Self::NoRoute { .. } => {
                Some("see `ip route get` for that address, or name an --interface".to_owned())
            }
            Self::TooLargeForPath { most_padding, .. } => Some(format!(
                "use --padding {most_padding} or less, or leave out --do-not-fragment"
            )),
            Self::System { source, .. } => is_out_of_files(source).then(|| OUT_OF_FILES.to_owned()),
        }
    }
}

/// Why a run ended without a result.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum RunError {
    /// Not one packet left this host.
    #[error("not one of {} to {far} left this host: {reason}", words::count(*tried, "packet", "packets"))]
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
    #[error("a thread of twinpath ended by a fault: this is a bug")]
    Fault,
}

impl RunError {
    /// What the reader can do, in one clause.
    pub fn remedy(&self) -> Option<String> {
        match self {
            Self::NothingSent { reason, .. } => notes::send_remedy(*reason).map(str::to_owned),
            Self::Receive(_) => None,
            Self::Fault => Some("please report what you ran and what was printed".to_owned()),
        }
    }
}

/// What to do where [`is_out_of_files`].
pub(crate) const OUT_OF_FILES: &str =
    "this process, or the host, may open no more files: raise `ulimit -n` (or fs.file-max)";

/// The process or the host has as many files and sockets open as it may (EMFILE, ENFILE).
pub(crate) fn is_out_of_files(error: &std::io::Error) -> bool {
    cfg!(unix) && matches!(error.raw_os_error(), Some(23 | 24))
}

//! Questions to a far end, and their answers.

use std::net::SocketAddr;

use twinpath_runtime::probe::{ConnectSeen, PingSeen, TrainSeen};

use super::train::TrainKind;

/// A question.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Ask {
    /// An ICMP Echo; the port is 0.
    Ping(SocketAddr),
    /// A TCP connection.
    Connect(SocketAddr),
    /// Datagrams.
    Train(SocketAddr, &'static TrainKind),
}

/// Its answer.
#[derive(Clone, Debug)]
pub(crate) enum Answer {
    /// To [`Ask::Ping`].
    Ping(PingSeen),
    /// To [`Ask::Connect`].
    Connect(ConnectSeen),
    /// To [`Ask::Train`]: the requests, and what came of them; `Err`: no socket, and why.
    Train(Vec<Vec<u8>>, Result<TrainSeen, String>),
}

impl Ask {
    /// What is asked, wherever.
    pub(crate) fn kind(&self) -> String {
        match self {
            Self::Ping(_) => "icmp".to_owned(),
            Self::Connect(far) => format!("tcp-{}", far.port()),
            Self::Train(_, kind) => kind.name.to_owned(),
        }
    }

    /// What it costs at most.
    pub(crate) fn packets(&self) -> usize {
        match self {
            Self::Ping(_) | Self::Connect(_) => 1,
            Self::Train(_, kind) => kind.count,
        }
    }
}

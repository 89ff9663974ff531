//! Questions to a far end, and their answers.

use std::net::SocketAddr;

use twinpath_proto::sender::Wire;
use twinpath_proto::stamp::StampKeys;
use twinpath_runtime::probe::{ConnectSeen, HostSeen, Load, LoadSeen, PingSeen, TrainSeen};
use twinpath_wire::{Tos, Wall};

#[cfg(feature = "control")]
use super::dialogue::{Dialogue, DialogueAsk};
use super::ladder::Ladder;
use super::packets::{PacketSecurity, PacketWriter};
use super::train::{SSID, TrainKind};

/// OWAMP-Control's port. All others are TWAMP-Control's.
const OWAMP: u16 = 861;

/// A question.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Ask {
    /// An ICMP Echo; the port is 0.
    Ping(SocketAddr),
    /// A TCP connection.
    Connect(SocketAddr),
    /// Datagrams.
    Train(SocketAddr, &'static TrainKind, PacketSecurity),
    /// Datagrams of several sizes.
    Ladder(SocketAddr, Ladder, PacketSecurity),
    /// Packets at a steady rate that look like this.
    Load(SocketAddr, Wire, Load),
    /// The same in a session of a TWAMP server.
    #[cfg(feature = "control")]
    SessionLoad(DialogueAsk, Load),
    /// What this host has towards there: nothing is sent.
    Host(SocketAddr),
    /// A dialogue with a TWAMP server.
    #[cfg(feature = "control")]
    Dialogue(DialogueAsk),
}

/// Its answer.
#[derive(Clone, Debug)]
pub(crate) enum Answer {
    /// To [`Ask::Ping`].
    Ping(PingSeen),
    /// To [`Ask::Connect`].
    Connect(ConnectSeen),
    /// To [`Ask::Host`].
    Host(HostSeen),
    /// To [`Ask::Load`] and [`Ask::SessionLoad`]; `Err`: nothing was sent, and why.
    Load(Result<LoadSeen, String>),
    /// To [`Ask::Train`] and [`Ask::Ladder`]: the requests, and what came of them; `Err`: no socket, and why.
    Train(Vec<Vec<u8>>, Result<TrainSeen, String>),
    /// To [`Ask::Train`], where the examination ended before all replies came: what came until then.
    Part(Vec<Vec<u8>>, TrainSeen),
    /// To any that the end of the examination cut short: it would look like silence.
    Cut {
        /// Packets that were sent.
        sent: usize,
    },
    /// To [`Ask::Dialogue`].
    #[cfg(feature = "control")]
    Dialogue(Box<Dialogue>),
}

impl Answer {
    /// The end of the examination did not cut it short.
    pub(crate) fn is_whole(&self) -> bool {
        match self {
            Self::Cut { .. } | Self::Part(..) => false,
            #[cfg(feature = "control")]
            Self::Dialogue(dialogue) => !dialogue.is_interrupted,
            Self::Ping(_) | Self::Connect(_) | Self::Host(_) | Self::Load(_) | Self::Train(..) => {
                true
            }
        }
    }
}

impl Answer {
    /// Requests and what came of them.
    pub(crate) fn exchanged(&self) -> Option<(&[Vec<u8>], &TrainSeen)> {
        match self {
            Self::Train(requests, Ok(seen)) | Self::Part(requests, seen) => Some((requests, seen)),
            Self::Train(_, Err(_))
            | Self::Ping(_)
            | Self::Connect(_)
            | Self::Host(_)
            | Self::Load(_)
            | Self::Cut { .. } => None,
            #[cfg(feature = "control")]
            Self::Dialogue(_) => None,
        }
    }
}

impl Ask {
    /// What is asked, wherever.
    pub(crate) fn kind(&self) -> String {
        match self {
            Self::Ping(_) => "icmp".to_owned(),
            Self::Connect(far) if far.port() == OWAMP => "tcp-owamp".to_owned(),
            Self::Connect(_) => "tcp-control".to_owned(),
            Self::Train(_, kind, _) => kind.name.to_owned(),
            Self::Ladder(_, ladder, _) => ladder.name().to_owned(),
            Self::Load(..) => "load".to_owned(),
            #[cfg(feature = "control")]
            Self::SessionLoad(..) => "load".to_owned(),
            Self::Host(_) => "host".to_owned(),
            #[cfg(feature = "control")]
            Self::Dialogue(ask) => ask.kind.name.to_owned(),
        }
    }

    /// Of an ICMP Echo, where to.
    pub(crate) fn ping(&self) -> Option<SocketAddr> {
        if let Self::Ping(far) = self {
            Some(*far)
        } else {
            None
        }
    }

    /// Of a TCP connection, where to.
    pub(crate) fn connect(&self) -> Option<SocketAddr> {
        if let Self::Connect(far) = self {
            Some(*far)
        } else {
            None
        }
    }

    /// Of a dialogue, which.
    #[cfg(feature = "control")]
    pub(crate) fn dialogue(&self) -> Option<DialogueAsk> {
        if let Self::Dialogue(ask) = self {
            Some(*ask)
        } else {
            None
        }
    }

    /// What it costs at most.
    pub(crate) fn packets(&self) -> usize {
        match self {
            Self::Ping(_) | Self::Connect(_) => 1,
            #[cfg(feature = "control")]
            Self::Dialogue(ask) => ask.kind.packets(),
            Self::Train(_, kind, _) => kind.count,
            Self::Ladder(_, ladder, _) => ladder.count(),
            Self::Load(_, _, load) => usize::try_from(load.packets).unwrap_or(usize::MAX),
            #[cfg(feature = "control")]
            Self::SessionLoad(_, load) => usize::try_from(load.packets).unwrap_or(usize::MAX),
            Self::Host(_) => 0,
        }
    }

    /// The datagram with this number and this time, and its ToS octet; `None`: it sends none, or has no key.
    pub(crate) fn packet(
        &self,
        far: SocketAddr,
        number: u32,
        now: Wall,
        keys: &StampKeys,
    ) -> Option<(Vec<u8>, Tos)> {
        let writer = |security| match security {
            PacketSecurity::Open => Some(PacketWriter::OPEN),
            PacketSecurity::Authenticated => {
                let key = keys.for_packet(far.ip(), SSID)?;
                Some(PacketWriter::authenticated(key))
            }
        };
        match self {
            Self::Train(_, kind, security) => Some((kind.packet)(writer(*security)?, number, now)),
            Self::Ladder(_, ladder, security) => {
                let octets = ladder.packet(writer(*security)?, far, number, now);
                Some((octets, Tos(0)))
            }
            #[cfg(feature = "control")]
            Self::Dialogue(_) | Self::SessionLoad(..) => None,
            Self::Ping(_) | Self::Connect(_) | Self::Load(..) | Self::Host(_) => None,
        }
    }
}

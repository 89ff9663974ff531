//! What happens on a control connection, as it happens: the narration of `-v`.

use std::fmt;
use std::net::SocketAddr;
use std::sync::mpsc::SyncSender;

use twinpath_proto::control::{ClientError, Said};
use twinpath_wire::control::Sid;

use super::NegotiatedSession;
use crate::names::named;

/// Events that wait for a reader at most; beyond that they are dropped.
pub(crate) const EVENTS: usize = 1_024;

/// What happened. `Display` is one line.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum ControlEvent {
    /// The connection is being made.
    Connecting {
        /// Where to.
        server: SocketAddr,
    },
    /// The connection is made.
    Connected {
        /// This host's end.
        near: SocketAddr,
        /// The Server's.
        server: SocketAddr,
    },
    /// A message was sent or came.
    Said(Said),
    /// The Server's PBKDF2 iterations, which are no power of 2; used as they are.
    OddCount {
        /// How many.
        count: u32,
    },
    /// An acknowledgement names a session that waits for none; ignored.
    OddAck {
        /// What it names.
        sid: Sid,
    },
    /// A session runs: its packets may be sent.
    Running {
        /// Its place among the classes, from 0.
        index: usize,
        /// What was agreed.
        session: NegotiatedSession,
    },
    /// A Session-Sender has sent all and knows what became of it.
    Finished {
        /// Its place among the classes, from 0.
        index: usize,
    },
    /// The connection failed while sessions ran: measuring goes on.
    ServerGone(ClientError),
    /// The connection ended as it should.
    Closed,
}

impl fmt::Display for ControlEvent {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Connecting { server } => write!(f, "connecting to {}", named(*server)),
            Self::Connected { near, server } => {
                write!(f, "connected to {} from {}", named(*server), named(*near))
            }
            Self::Said(said) => write!(f, "{said}"),
            Self::OddCount { count } => {
                write!(
                    f,
                    "{count} PBKDF2 iterations are not a power of 2; continuing"
                )
            }
            Self::OddAck { sid } => {
                write!(
                    f,
                    "an acknowledgement names SID {sid}, which waits for none"
                )
            }
            Self::Running { index, session } => write!(
                f,
                "session {} runs: {} to {}, DSCP {}",
                index + 1,
                named(session.sender),
                named(session.reflector),
                session.dscp
            ),
            Self::Finished { index } => write!(f, "session {} has sent all", index + 1),
            Self::ServerGone(error) => write!(f, "the server is gone ({error}); measuring goes on"),
            Self::Closed => f.write_str("connection closed"),
        }
    }
}

/// Where events go; whoever does not read them loses them.
#[derive(Clone, Debug)]
pub(crate) struct News(pub(crate) SyncSender<ControlEvent>);

impl News {
    pub(crate) fn tell(&self, event: ControlEvent) {
        tracing::debug!("{event}");
        // Full or unread: the run itself matters more.
        let _ = self.0.try_send(event);
    }
}

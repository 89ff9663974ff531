//! What happens on a control connection, as it happens.

use std::net::SocketAddr;
use std::sync::mpsc::SyncSender;

use twinpath_proto::control::{ClientError, Message};
use twinpath_wire::control::Sid;

use super::NegotiatedSession;

/// Events that wait for a reader at most; beyond that they are dropped.
pub(crate) const EVENTS: usize = 1_024;

/// What happened.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
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
    Message(Message),
    /// The Server's PBKDF2 iterations, which are no power of 2; used as they are.
    IrregularCount {
        /// How many.
        count: u32,
    },
    /// An acknowledgement names a session that waits for none; ignored.
    UnexpectedAck {
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

/// Where events go; events that are not read are lost.
#[derive(Clone, Debug)]
pub(crate) struct EventSender(pub(crate) SyncSender<ControlEvent>);

impl EventSender {
    pub(crate) fn emit(&self, event: ControlEvent) {
        // Full or unread: the run itself matters more.
        let _ = self.0.try_send(event);
    }
}

//! The messages of a control connection in short: what was offered, asked and accepted.

use std::net::IpAddr;
use std::time::Duration;

use twinpath_wire::Dscp;
use twinpath_wire::control::{Accept, Modes, Sid};

use crate::Refusal;
use crate::security::KeyId;

/// A message in short, sent or received.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Message {
    /// Server Greeting came.
    Greeting {
        /// Modes.
        offered: Modes,
        /// PBKDF2 iterations; of no account in the unauthenticated mode.
        count: u32,
    },
    /// Set-Up-Response was sent.
    SetUp {
        /// Mode.
        chosen: Modes,
        /// Whose key, in a secured mode.
        key_id: Option<KeyId>,
    },
    /// Server-Start came.
    ServerStart(Refusal),
    /// Request-TW-Session was sent.
    Request {
        /// Which, from 0.
        index: usize,
        /// Sender Address; `None`: zero, this end of the connection.
        sender: Option<IpAddr>,
        /// Sender Port.
        sender_port: u16,
        /// Receiver Address; `None`: zero, the Server's end.
        receiver: Option<IpAddr>,
        /// Receiver Port.
        receiver_port: u16,
        /// Type-P.
        dscp: Dscp,
        /// Padding Length.
        padding_length: u32,
        /// Timeout.
        timeout: Duration,
    },
    /// Accept-Session came.
    AcceptSession {
        /// Which, from 0.
        index: usize,
        /// Accept.
        answer: Refusal,
        /// Port.
        port: u16,
        /// SID.
        sid: Sid,
    },
    /// Start-Sessions or Start-N-Sessions was sent.
    Start {
        /// Of how many sessions.
        sessions: usize,
        /// By their SIDs.
        individual: bool,
    },
    /// Start-Ack came.
    StartAck(Refusal),
    /// Start-N-Ack came.
    StartManyAck {
        /// Accept.
        answer: Refusal,
        /// Of how many sessions.
        sessions: usize,
    },
    /// Stop-Sessions or Stop-N-Sessions was sent.
    Stop {
        /// Of how many sessions.
        sessions: usize,
        /// By their SIDs.
        individual: bool,
        /// Accept.
        accept: Accept,
    },
    /// Stop-N-Ack came.
    StopManyAck {
        /// Accept.
        answer: Refusal,
        /// Of how many sessions.
        sessions: usize,
    },
}

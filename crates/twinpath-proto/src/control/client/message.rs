//! Summaries of the messages of a control connection: what was offered, requested and accepted.

use std::net::IpAddr;
use std::time::Duration;

use twinpath_wire::Dscp;
use twinpath_wire::control::{Accept, Modes, Sid};

use crate::Refusal;
use crate::security::KeyId;

/// Summary of a message sent or received.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Message {
    /// Server Greeting was received.
    Greeting {
        /// Modes.
        offered: Modes,
        /// PBKDF2 iterations; meaningless in the unauthenticated mode.
        count: u32,
    },
    /// Set-Up-Response was sent.
    SetUp {
        /// Mode.
        chosen: Modes,
        /// The Key-ID, in a secured mode.
        key_id: Option<KeyId>,
    },
    /// Server-Start was received.
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
    /// Accept-Session was received.
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
        /// Number of sessions.
        sessions: usize,
        /// With their SIDs.
        individual: bool,
    },
    /// Start-Ack was received.
    StartAck(Refusal),
    /// Start-N-Ack was received.
    StartManyAck {
        /// Accept.
        answer: Refusal,
        /// Number of sessions.
        sessions: usize,
    },
    /// Stop-Sessions or Stop-N-Sessions was sent.
    Stop {
        /// Number of sessions.
        sessions: usize,
        /// With their SIDs.
        individual: bool,
        /// Accept.
        accept: Accept,
    },
    /// Stop-N-Ack was received.
    StopManyAck {
        /// Accept.
        answer: Refusal,
        /// Number of sessions.
        sessions: usize,
    },
}

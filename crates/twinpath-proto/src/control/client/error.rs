//! How a control connection fails.

use core::fmt;

use twinpath_wire::control::Modes;

/// A message that a Control-Client waits for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum ExpectedAnswer {
    /// Server Greeting.
    Greeting,
    /// Server-Start.
    ServerStart,
    /// Accept-Session.
    AcceptSession,
    /// Start-Ack.
    StartAck,
    /// Start-N-Ack.
    StartManyAck,
    /// Stop-N-Ack.
    StopManyAck,
}

impl ExpectedAnswer {
    /// Its name in the RFCs.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Greeting => "Server Greeting",
            Self::ServerStart => "Server-Start",
            Self::AcceptSession => "Accept-Session",
            Self::StartAck => "Start-Ack",
            Self::StartManyAck => "Start-N-Ack",
            Self::StopManyAck => "Stop-N-Ack",
        }
    }
}

impl fmt::Display for ExpectedAnswer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

/// Why a control connection failed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ClientError {
    /// Modes 0 in the greeting (row TC-2).
    #[error("the server refuses connections at present: it offers no mode")]
    TurnedAway,
    /// None of the wanted security modes is offered, or a required feature is missing (row TC-8).
    #[error("the server offers {offered}; required: {wanted}")]
    NoMode {
        /// In the greeting.
        offered: Modes,
        /// In the plan: its security modes and required features.
        wanted: Modes,
    },
    /// The Server closed, or the connection failed, before an answer came.
    #[error("the connection ended before {0} arrived")]
    EndedBefore(ExpectedAnswer),
    /// The Server closed, or the connection failed, while sessions were running.
    #[error("the connection ended while {running} session{} ran", if *running == 1 { "" } else { "s" })]
    EndedWhileRunning {
        /// Sessions started and not stopped.
        running: u32,
    },
    /// An answer did not come in time.
    #[error("{0} did not arrive in time")]
    Silent(ExpectedAnswer),
    /// The Server does not read our messages.
    #[error("the server does not read its connection")]
    Stuck,
    /// Octets that are not an answer.
    #[error("the server sent unexpected octets, beginning with {octet}")]
    Unexpected {
        /// The first octet.
        octet: u8,
    },
    /// An acknowledgement of no session, or of more sessions than exist.
    #[error("the server acknowledged the wrong number of sessions: {sessions}")]
    SessionCount {
        /// Its count.
        sessions: u32,
    },
    /// A port other than the requested one, and the plan is strict.
    #[error("the server offers port {offered} instead of {asked}")]
    OtherPort {
        /// In the request.
        asked: u16,
        /// In the answer.
        offered: u16,
    },
    /// The Server asks for too many PBKDF2 iterations, or for too few to be safe.
    #[error("the server requires {count} PBKDF2 iterations; accepted are 1024 to {most}")]
    Count {
        /// In the greeting.
        count: u32,
        /// What the plan accepts.
        most: u32,
    },
    /// A message's HMAC is wrong.
    #[error("a message of the server failed its HMAC")]
    Forged,
}

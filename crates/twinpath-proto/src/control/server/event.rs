//! The events that a Server reports to its driver.

use twinpath_wire::control::{Accept, Modes, Sid};

use super::{RequestFault, SessionRequest};

/// What happened, and what the driver must do about it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ServerEvent {
    /// The client is set up in these modes.
    Ready {
        /// The chosen ones: one security bit, and features.
        modes: Modes,
    },
    /// A session is requested: the driver answers with [`super::Server::answer_open`].
    Open(SessionRequest),
    /// Reflect this session from now on. If that is impossible, call
    /// [`super::Server::refuse_start`].
    Start(Sid),
    /// Reflect this session for its Timeout, then forget it.
    Stop(Sid),
    /// Forget this session at once: it was never started.
    Remove(Sid),
    /// A request, or Start-Sessions, was refused without asking the driver: with
    /// [`RequestFault::accept`].
    Refused(RequestFault),
    /// A harmless breach of the standard by the client. Each kind is reported once.
    Note(PeerDeviation),
    /// The connection ends. Pending output is still written. The last event, except for a
    /// [`Self::Remove`] if a session is opened after it.
    Closed(CloseReason),
}

/// The driver's answer to a request.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Opened {
    /// Unique: see [`super::make_sid`].
    pub sid: Sid,
    /// UDP port that the reflector listens on.
    pub port: u16,
    /// Octets that the sender puts first into its padding to reflect; 0: none.
    pub server_octets: u16,
}

/// A harmless breach of the standard.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum PeerDeviation {
    /// Mode bits that no RFC defines were chosen; ignored.
    UnknownModeBits(u32),
    /// The IP version in a request is not that of the connection, and both addresses are zero.
    IpVersion(u8),
    /// A request brought a Session Identifier; ignored.
    SidInRequest,
    /// A request brought a Number of Packets; ignored.
    PacketsInRequest(u32),
    /// A request came between Start-Sessions and Stop-Sessions; refused.
    RequestWhileRunning,
    /// Start-Sessions came again before Stop-Sessions; refused.
    StartWhileRunning,
    /// Stop-Sessions came when nothing was started; ignored.
    StopWithoutStart,
    /// The Number of Sessions in Stop-Sessions is wrong.
    StopCount {
        /// The client's count.
        said: u32,
        /// Sessions started and not stopped.
        running: u32,
    },
    /// Stop-Sessions says that the client failed: the results are not valid.
    StopFailure(Accept),
    /// Start-Sessions came under Individual Session Control; refused.
    StartWithoutSids,
    /// Stop-Sessions came under Individual Session Control; all sessions are stopped.
    StopWithoutSids,
    /// Start-N-Sessions or Stop-N-Sessions named a session twice; it counts once.
    RepeatedSid,
    /// Start-N-Sessions or Stop-N-Sessions named an unknown session; refused.
    UnknownSid,
}

impl PeerDeviation {
    /// The name in logs.
    pub const fn name(self) -> &'static str {
        match self {
            Self::UnknownModeBits(_) => "unknown_mode_bits",
            Self::IpVersion(_) => "ip_version",
            Self::SidInRequest => "sid_in_request",
            Self::PacketsInRequest(_) => "packets_in_request",
            Self::RequestWhileRunning => "request_while_running",
            Self::StartWhileRunning => "start_while_running",
            Self::StopWithoutStart => "stop_without_start",
            Self::StopCount { .. } => "stop_count",
            Self::StopFailure(_) => "stop_failure",
            Self::StartWithoutSids => "start_without_sids",
            Self::StopWithoutSids => "stop_without_sids",
            Self::RepeatedSid => "repeated_sid",
            Self::UnknownSid => "unknown_sid",
        }
    }

    /// One bit per kind.
    pub(super) const fn bit(self) -> u16 {
        1 << match self {
            Self::UnknownModeBits(_) => 0,
            Self::IpVersion(_) => 1,
            Self::SidInRequest => 2,
            Self::PacketsInRequest(_) => 3,
            Self::RequestWhileRunning => 4,
            Self::StartWhileRunning => 5,
            Self::StopWithoutStart => 6,
            Self::StopCount { .. } => 7,
            Self::StopFailure(_) => 8,
            Self::StartWithoutSids => 9,
            Self::StopWithoutSids => 10,
            Self::RepeatedSid => 11,
            Self::UnknownSid => 12,
        }
    }
}

/// Why a connection ends.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum CloseReason {
    /// The client closed its side between two messages.
    #[error("the client closed the connection")]
    PeerClosed,
    /// The client closed its side, or was cut off, within a message.
    #[error("the connection ended within a message")]
    CutShort,
    /// Nothing arrived for SERVWAIT.
    #[error("idle for SERVWAIT")]
    Idle,
    /// A message was not finished in time, or the Set-Up-Response did not arrive in time.
    #[error("a message was not complete in time")]
    MessageLate,
    /// The client did not read our messages.
    #[error("the client does not read its answers")]
    OutputStuck,
    /// The driver refused the connection.
    #[error("refused: {0}")]
    Refused(Accept),
    /// Too many handshakes: Modes 0 was offered.
    #[error("refused: too many handshakes in progress")]
    TurnedAway,
    /// The client chose Mode 0: it declines the connection.
    #[error("the client chose no mode")]
    Declined,
    /// The client chose a mode that was not offered, or not exactly one security mode.
    #[error("the client chose invalid modes: {0}")]
    ModesRefused(Modes),
    /// The client's Key-ID is unknown or its passphrase is wrong; the answer does not reveal which
    /// (row TC-26).
    #[error("unknown Key-ID or wrong passphrase")]
    KeyRefused,
    /// A command that is unknown, or not one of the chosen modes: its length cannot be known.
    #[error("unexpected command {0}")]
    UnexpectedCommand(u8),
    /// A request with schedule slots: the length of what follows is unknown.
    #[error("a request with {0} schedule slots")]
    ScheduleSlots(u32),
    /// A command about no session, or about more than a client may have.
    #[error("a command with {0} sessions")]
    SessionCount(u32),
    /// The Number of Sessions in Stop-Sessions is wrong, and the Server is strict.
    #[error("Stop-Sessions counts {said} sessions, {running} are running")]
    StopCount {
        /// The client's count.
        said: u32,
        /// Sessions started and not stopped.
        running: u32,
    },
    /// A message's HMAC is wrong.
    #[error("a message failed its HMAC")]
    Forged,
    /// All connections were taken, and this one had no sessions.
    #[error("closed for another client: the server is full")]
    MadeRoom,
    /// The driver ended it.
    #[error("the server shuts down")]
    Shutdown,
}

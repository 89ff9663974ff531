//! What a Server tells its driver.

use twinpath_wire::control::{Accept, Modes, Sid};

use super::{RequestFault, SessionRequest};

/// What happened, and what the driver is to do about it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ServerEvent {
    /// The client is set up in these modes.
    Ready {
        /// The chosen ones: one security bit, and features.
        modes: Modes,
    },
    /// A session is asked for: the driver answers with [`super::Server::answer_open`].
    Open(SessionRequest),
    /// Reflect this session from now on. Where that cannot be: [`super::Server::refuse_start`].
    Start(Sid),
    /// Reflect this session for its Timeout, then forget it.
    Stop(Sid),
    /// Forget this session at once: it was never started.
    Remove(Sid),
    /// A request, or Start-Sessions, was refused without asking the driver: with
    /// [`RequestFault::accept`].
    Refused(RequestFault),
    /// The client did what the standard forbids and what does no harm. Each kind comes once.
    Note(PeerSlip),
    /// The connection ends. What output there is still goes out. The last event, but for a
    /// [`Self::Remove`] where a session is opened after it.
    Closed(CloseReason),
}

/// The driver's answer to a request.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Opened {
    /// Unique: see [`super::make_sid`].
    pub sid: Sid,
    /// UDP port that the reflector listens on.
    pub port: u16,
    /// What the sender is to put first into its padding to reflect; 0: nothing.
    pub server_octets: u16,
}

/// A harmless breach of the standard.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum PeerSlip {
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
    /// Stop-Sessions counted its sessions wrong.
    StopCount {
        /// What the client says.
        said: u32,
        /// What was started and not stopped.
        running: u32,
    },
    /// Stop-Sessions says that the client failed: the results mean nothing.
    StopFailure(Accept),
    /// Start-Sessions came under Individual Session Control; refused.
    StartWithoutSids,
    /// Stop-Sessions came under Individual Session Control; all sessions are stopped.
    StopWithoutSids,
    /// Start-N-Sessions or Stop-N-Sessions named a session twice; it counts once.
    RepeatedSid,
    /// Start-N-Sessions or Stop-N-Sessions named a session that there is not; refused.
    UnknownSid,
}

impl PeerSlip {
    /// The word for logs.
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

    /// A bit for each kind.
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
    /// Nothing came for SERVWAIT.
    #[error("idle for SERVWAIT")]
    Idle,
    /// A message was begun and not finished in time, the Set-Up-Response not sent in time.
    #[error("a message was not complete in time")]
    MessageLate,
    /// The client did not read what it was sent.
    #[error("the client does not read its answers")]
    OutputStuck,
    /// The driver refused the connection.
    #[error("refused: {0}")]
    Refused(Accept),
    /// There is no room even for a handshake: Modes 0 was offered.
    #[error("refused: too many handshakes in progress")]
    TurnedAway,
    /// The client chose Mode 0: it does not want to talk.
    #[error("the client chose no mode")]
    Declined,
    /// The client chose what was not offered, or no single security mode.
    #[error("the client chose invalid modes: {0}")]
    ModesRefused(Modes),
    /// The client's Key-ID is unknown, or its passphrase is another than ours: which, it is not told
    /// (row TC-26).
    #[error("unknown Key-ID or wrong passphrase")]
    KeyRefused,
    /// A command that is unknown, or not one of the chosen modes: its length cannot be known.
    #[error("unexpected command {0}")]
    UnexpectedCommand(u8),
    /// A request with schedule slots: what follows them cannot be told.
    #[error("a request with {0} schedule slots")]
    ScheduleSlots(u32),
    /// A command about no session, or about more than a client may have.
    #[error("a command with {0} sessions")]
    SessionCount(u32),
    /// Stop-Sessions counted wrong, and the Server is strict.
    #[error("Stop-Sessions counts {said} sessions, {running} are running")]
    StopCount {
        /// What the client says.
        said: u32,
        /// What was started and not stopped.
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

//! Configuration of a Server, and the parameters of each connection.

use std::time::Duration;

use ipnet::IpNet;
use twinpath_wire::WireTime;
use twinpath_wire::control::{Accept, Modes};

/// Configuration by the operator, common to all connections.
#[derive(Clone, Debug)]
pub struct ServerConfig {
    /// Offered modes. Bits that this engine does not support are left out: see
    /// [`ServerConfig::offers`].
    pub modes: Modes,
    /// A connection without running sessions is closed after this long without an octet (SERVWAIT,
    /// RFC 5357 section 3.1).
    pub servwait: Duration,
    /// A running session without a packet for this long is ended by the reflector (REFWAIT, RFC
    /// 5357 section 4.2). Here it bounds the Timeout of a request (row TC-46).
    pub refwait: Duration,
    /// How long a message may take from its first octet to its last, in both directions; no longer
    /// than `servwait` (row TC-73).
    pub message_patience: Duration,
    /// Sessions that one client may have: more are refused with Accept 4. A message that names
    /// more, or 1024 more than the connection has, closes the connection (row TC-67). This bounds
    /// the memory and output that one message can cause.
    pub max_sessions: u32,
    /// Closes the connection of a client whose Number of Sessions is wrong (row TC-57).
    pub strict: bool,
    /// When this Server started: the same for all clients.
    pub start_time: WireTime,
    /// Allows Session-Senders other than the control client's own address (row TC-39).
    pub allow_sender: Vec<IpNet>,
    /// The sender's address and port may differ from the negotiated ones: a Sender Port of 0 is
    /// accepted.
    pub nat: bool,
}

impl Default for ServerConfig {
    fn default() -> Self {
        Self {
            modes: Self::ABLE,
            servwait: Duration::from_mins(15),
            refwait: Duration::from_mins(15),
            message_patience: Duration::from_mins(1),
            max_sessions: 100,
            strict: false,
            start_time: WireTime::default(),
            allow_sender: Vec::new(),
            nat: false,
        }
    }
}

impl ServerConfig {
    /// Every mode that this engine supports.
    const ABLE: Modes = Modes::from_bits(Modes::SECURITY.bits() | Modes::FEATURES.bits());

    /// The modes that a greeting offers: without a key, no secured mode.
    pub const fn offers(&self, keyed: bool) -> Modes {
        let able = self.modes.and(Self::ABLE);
        if keyed {
            able
        } else {
            able.without(Modes::SECURED)
        }
    }

    /// Time limit of a message.
    pub(super) fn message_timeout(&self) -> Duration {
        self.message_patience.min(self.servwait)
    }
}

/// What to do with a new connection (row TC-79).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Admission {
    /// Serve it.
    Served,
    /// Refuse it in the Server-Start: [`Accept::PermanentLimit`] for a client over its own limit,
    /// [`Accept::TemporaryLimit`] if all connections are in use.
    Refused(Accept),
    /// Greet it with Modes 0 and close it, because there are too many handshakes.
    TurnedAway,
}

/// Random octets of a connection, from an unpredictable source: fresh for each.
#[derive(Clone, Copy, Debug, Default)]
pub struct Nonces {
    /// The challenge that a client must encrypt.
    pub challenge: [u8; 16],
    /// The initialization vector of this side's messages; zero on the wire in the unauthenticated
    /// mode.
    pub server_iv: [u8; 16],
}

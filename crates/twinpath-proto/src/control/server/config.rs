//! What the operator decides about a Server, and what each connection brings.

use std::time::Duration;

use ipnet::IpNet;
use twinpath_wire::WireTime;
use twinpath_wire::control::{Accept, Modes};

/// What the operator decides; one for all connections.
#[derive(Clone, Debug)]
pub struct ServerConfig {
    /// What is offered. Bits that this engine cannot keep are left out: [`ServerConfig::offers`].
    pub modes: Modes,
    /// A connection without running sessions is closed after this long without an octet (SERVWAIT,
    /// RFC 5357 section 3.1).
    pub servwait: Duration,
    /// A running session without a packet for this long is ended by the reflector (REFWAIT, RFC
    /// 5357 section 4.2). Here it bounds what a request may ask as Timeout (row TC-46).
    pub refwait: Duration,
    /// How long a message may take from its first octet to its last, in both directions; no longer
    /// than `servwait` (row TC-73).
    pub message_patience: Duration,
    /// Sessions that one client may have: more are refused with Accept 4, and a message about more
    /// closes the connection (row TC-67), as one about 1024 more than the connection has does. It
    /// bounds what a message can make this side hold and say.
    pub max_sessions: u32,
    /// Closes the connection of a client that counts its sessions wrong (row TC-57).
    pub strict: bool,
    /// When this Server started: the same for all clients.
    pub start_time: WireTime,
    /// Session-Senders other than the control client's own address (row TC-39).
    pub allow_sender: Vec<IpNet>,
    /// Sender's address and port may differ from the agreed ones: a Sender Port of 0 is accepted.
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
    /// Every mode that this engine can keep.
    const ABLE: Modes = Modes::from_bits(Modes::SECURITY.bits() | Modes::FEATURES.bits());

    /// What a greeting offers: without a key, no secured mode.
    pub const fn offers(&self, keyed: bool) -> Modes {
        let able = self.modes.and(Self::ABLE);
        if keyed {
            able
        } else {
            able.without(Modes::SECURED)
        }
    }

    /// How long a message may take.
    pub(super) fn patience(&self) -> Duration {
        self.message_patience.min(self.servwait)
    }
}

/// What is to become of a new connection (row TC-79).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Admission {
    /// It is served.
    Served,
    /// It is told so in the Server-Start: [`Accept::PermanentLimit`] for a client over its own
    /// limit, [`Accept::TemporaryLimit`] where all connections are taken.
    Refused(Accept),
    /// It is greeted with Modes 0 and closed, where even handshakes are too many.
    TurnedAway,
}

/// Random octets of a connection, from an unpredictable source: fresh for each.
#[derive(Clone, Copy, Debug, Default)]
pub struct Nonces {
    /// What a client has to encrypt.
    pub challenge: [u8; 16],
    /// Where the chain of this side's messages begins; zero on the wire in the unauthenticated mode.
    pub server_iv: [u8; 16],
}

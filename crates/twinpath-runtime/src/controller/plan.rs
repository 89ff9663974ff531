//! What a Control-Client is to negotiate, and with which Server.

use std::net::{IpAddr, SocketAddr};
use std::time::Duration;

use twinpath_proto::sender::PayloadSize;
use twinpath_wire::Dscp;
use twinpath_wire::control::{Modes, SecurityMode};

use super::Connected;
use crate::SenderPlan;
use crate::keys::Key;

/// A control connection: where to, and what is wanted of the Server.
#[derive(Clone, Debug)]
pub struct ControlPlan {
    /// The Server's TCP address and port.
    pub server: SocketAddr,
    /// The local address of the connection and of test packets; `None`: the system's choice.
    pub near: Option<IpAddr>,
    /// Device or VRF to bind to.
    pub interface: Option<String>,
    /// Marking of the TCP segments (`--control-dscp`); `None`: the system's.
    pub control_dscp: Option<Dscp>,
    /// The connection, where it was made before ([`super::reach`]).
    pub made: Option<Connected>,
    /// How long the connection may take to be made.
    pub connect_timeout: Duration,
    /// How long each answer of the Server may take.
    pub answer_timeout: Duration,
    /// The first of these that is offered is chosen (row TC-10).
    pub security: Vec<SecurityMode>,
    /// For the secured modes; without it they are passed over.
    pub key: Option<Key>,
    /// PBKDF2 iterations that the Server may ask for at most (`--max-pbkdf2-count`; row TC-22).
    pub most_pbkdf2_count: u32,
    /// Features asked for by name: without them there is no session.
    pub required: Modes,
    /// Features that are not chosen though they are offered and would do no harm.
    pub avoided: Modes,
    /// Two octets that the Server is to give back; with Reflect Octets only.
    pub octets_to_reflect: u16,
    /// Octets of padding that are to come back unchanged; with Reflect Octets only.
    pub padding_to_reflect: u16,
    /// The UDP port wished for at the reflector (`--receiver-port`); `None`: the sender's own
    /// number, and no word where the Server gives another.
    pub receiver_port: Option<u16>,
    /// Addresses are sent as zero: the ends of the control connection, as the Server sees them
    /// (`--nat`; row TC-36).
    pub nat: bool,
    /// Gives up where the Server offers another Receiver Port than the one wished for (row TC-41).
    pub strict: bool,
}

impl ControlPlan {
    /// A plan for `server` with the usual answers to all else.
    pub fn to(server: SocketAddr) -> Self {
        Self {
            server,
            near: None,
            interface: None,
            control_dscp: None,
            made: None,
            connect_timeout: Duration::from_secs(10),
            answer_timeout: Duration::from_secs(10),
            security: vec![SecurityMode::Unauthenticated],
            key: None,
            most_pbkdf2_count: 32_768,
            required: Modes::default(),
            avoided: Modes::default(),
            octets_to_reflect: 0,
            padding_to_reflect: 0,
            receiver_port: None,
            nat: false,
            strict: false,
        }
    }
}

/// All that a Control-Client with Session-Senders needs.
#[derive(Clone, Debug)]
pub struct ControllerPlan {
    /// The control connection.
    pub control: ControlPlan,
    /// What each session sends; all have packets of the same sizes. `far`, `near`, `interface` and
    /// `protocol` are of no account: the connection says them. `start_delay` counts from Start-Ack.
    pub sessions: Vec<SenderPlan>,
    /// Sizes in place of those of `sessions` and `control` where test packets are secured; `None`: the
    /// same, as far as the header lets them.
    pub secured: Option<Sizes>,
}

/// How large packets are, and how much of them is to come back.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Sizes {
    /// Octets of UDP payload.
    pub payload: PayloadSize,
    /// The padding that comes to, for the report; -1 is IMIX.
    pub padding: i64,
    /// Octets of padding that are to come back unchanged; with Reflect Octets only.
    pub padding_to_reflect: u16,
}

/// All that a Control-Client for a Session-Sender elsewhere needs.
#[derive(Clone, Debug)]
pub struct ControlClientPlan {
    /// The control connection.
    pub control: ControlPlan,
    /// The Session-Sender: its address and UDP port.
    pub sender: SocketAddr,
    /// Marking of packets and replies.
    pub dscp: Dscp,
    /// Sizes of the Session-Sender's packets, as far as they are known.
    pub payload: PayloadSize,
    /// The Session-Sender's own timeout: replies are wanted so long after the end.
    pub timeout: Duration,
    /// When to stop, after the start; `None`: when told to.
    pub duration: Option<Duration>,
}

//! The plan of a Control-Client.

use std::net::IpAddr;
use std::time::Duration;

use twinpath_wire::control::{Modes, SecurityMode};
use twinpath_wire::{Dscp, WireTime};

use crate::security::Credentials;

/// Which of the offered modes to choose, and which sessions to request.
#[derive(Clone, Debug)]
pub struct ClientPlan {
    /// The first of these that is offered is chosen (row TC-10); without credentials, secured modes
    /// are skipped.
    pub security: Vec<SecurityMode>,
    /// For the secured modes.
    pub credentials: Option<Credentials>,
    /// The most PBKDF2 iterations that the Server may ask for; 32768 is customary (RFC 5357 section
    /// 6). More than that, or fewer than 1024, ends a secured connection (row TC-24).
    pub most_count: u32,
    /// Required features: without them the connection ends.
    pub required: Modes,
    /// Features chosen if they are offered.
    pub preferred: Modes,
    /// Features chosen in addition if test packets are secured.
    pub preferred_secured: Modes,
    /// Sessions to request, one after the other, as soon as the connection is set up.
    /// [`super::ControlClient::request`] adds more.
    pub sessions: Vec<SessionPlan>,
    /// How long an answer may take, and how long a message may wait to be written.
    pub answer_timeout: Duration,
    /// Gives up if the Server offers a Receiver Port other than the requested one (row TC-41).
    pub strict: bool,
}

impl Default for ClientPlan {
    fn default() -> Self {
        Self {
            security: vec![SecurityMode::Unauthenticated],
            credentials: None,
            most_count: 32768,
            required: Modes::default(),
            preferred: Modes::default(),
            preferred_secured: Modes::default(),
            sessions: Vec::new(),
            answer_timeout: Duration::from_secs(30),
            strict: false,
        }
    }
}

/// A session to request.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct SessionPlan {
    /// Source address of test packets; `None`: sent as zero, which means the client's end of the
    /// connection.
    pub sender: Option<IpAddr>,
    /// Source UDP port.
    pub sender_port: u16,
    /// Destination address of test packets; `None`: sent as zero, which means the Server's end of
    /// the connection.
    pub receiver: Option<IpAddr>,
    /// Requested destination UDP port.
    pub receiver_port: u16,
    /// Marking of packets and replies.
    pub dscp: Dscp,
    /// Octets of padding in each packet.
    pub padding_length: u32,
    /// How long the reflector goes on after Stop.
    pub timeout: Duration,
    /// When to start; 0: at once (row TC-48).
    pub start_time: WireTime,
    /// Two octets that the Server returns; with Reflect Octets only.
    pub octets_to_reflect: u16,
    /// Octets of padding that the reflector returns unchanged; with Reflect Octets only.
    pub padding_to_reflect: u16,
}

impl Default for SessionPlan {
    fn default() -> Self {
        Self {
            sender: None,
            sender_port: 0,
            receiver: None,
            receiver_port: 0,
            dscp: Dscp::BE,
            padding_length: 27,
            timeout: Duration::from_secs(2),
            start_time: WireTime::default(),
            octets_to_reflect: 0,
            padding_to_reflect: 0,
        }
    }
}

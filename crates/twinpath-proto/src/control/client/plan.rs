//! What a Control-Client is to do.

use std::net::IpAddr;
use std::time::Duration;

use twinpath_wire::control::{Modes, SecurityMode};
use twinpath_wire::{Dscp, WireTime};

use crate::security::Credentials;

/// What to choose of the modes offered, and which sessions to ask for.
#[derive(Clone, Debug)]
pub struct ClientPlan {
    /// The first of these that is offered is chosen (row TC-10); without credentials, the secured
    /// ones are passed over.
    pub security: Vec<SecurityMode>,
    /// For the secured modes.
    pub credentials: Option<Credentials>,
    /// PBKDF2 iterations that the Server may ask for at most; 32768 is customary (RFC 5357 section
    /// 6). More, and fewer than 1024, end a secured connection (row TC-24).
    pub most_count: u32,
    /// Features without which there is no connection.
    pub required: Modes,
    /// Features chosen where they are offered.
    pub preferred: Modes,
    /// Those chosen besides where test packets are secured.
    pub preferred_secured: Modes,
    /// Asked for one after the other as soon as the connection is set up. More can come by
    /// [`super::ControlClient::request`].
    pub sessions: Vec<SessionPlan>,
    /// How long an answer may take, and a message may wait to be written.
    pub patience: Duration,
    /// Gives up where the Server offers another Receiver Port than the one asked for (row TC-41).
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
            patience: Duration::from_secs(30),
            strict: false,
        }
    }
}

/// A session to ask for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct SessionPlan {
    /// Where test packets come from; `None`: sent as zero, the client's end of the connection.
    pub sender: Option<IpAddr>,
    /// UDP port that they come from.
    pub sender_port: u16,
    /// Where they go to; `None`: sent as zero, the Server's end of the connection.
    pub receiver: Option<IpAddr>,
    /// UDP port asked for there.
    pub receiver_port: u16,
    /// Marking of packets and replies.
    pub dscp: Dscp,
    /// Octets of padding in each packet.
    pub padding_length: u32,
    /// How long the reflector goes on after Stop.
    pub timeout: Duration,
    /// When to start; 0: at once (row TC-48).
    pub start_time: WireTime,
    /// Two octets that the Server is to give back; with Reflect Octets only.
    pub octets_to_reflect: u16,
    /// Octets of padding that come back unchanged; with Reflect Octets only.
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

//! The events that a Control-Client reports to its driver.

use twinpath_wire::WireTime;
use twinpath_wire::control::{Modes, Sid};

use super::{ClientError, Message};
use crate::Refusal;

/// What happened. `index` is a session's place among the requests, from 0.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ClientEvent {
    /// A message was sent or received, for logs.
    Message(Message),
    /// What the Server offers.
    Greeting {
        /// All bits, including unknown ones.
        offered: Modes,
    },
    /// The Server's Count is not a power of 2 (RFC 4656 section 3.1); it is used as it is (row
    /// TC-24).
    IrregularCount {
        /// PBKDF2 iterations.
        count: u32,
    },
    /// The connection is set up; sessions can be requested.
    Ready {
        /// The chosen modes.
        modes: Modes,
        /// When the Server started, by its own account.
        server_since: WireTime,
    },
    /// A session was accepted.
    Accepted {
        /// Which.
        index: usize,
        /// Its identifier.
        sid: Sid,
        /// UDP port that packets go to: the requested one, or the Server's choice.
        port: u16,
        /// First octets of the padding to reflect; 0: none.
        server_octets: u16,
        /// The octets to reflect came back unchanged (row TC-80).
        octets_reflected: bool,
    },
    /// The Server refused a step. After set-up and after Start-Sessions the connection ends; a
    /// session whose Stop-N-Sessions is refused counts as stopped.
    Refused {
        /// Of which session; `None`: of all.
        index: Option<usize>,
        /// Why.
        refusal: Refusal,
    },
    /// Every request is answered: time for [`super::ControlClient::start`].
    Settled {
        /// Sessions accepted and not yet started.
        accepted: usize,
    },
    /// A session is running: packets may be sent.
    Started {
        /// Which.
        index: usize,
    },
    /// A session is stopped.
    Stopped {
        /// Which.
        index: usize,
    },
    /// An acknowledgement names a session that is not waiting for one; ignored.
    UnexpectedAck {
        /// The SID in it.
        sid: Sid,
    },
    /// The connection failed: the last event.
    Failed(ClientError),
    /// The connection ended as it should: the last event.
    Closed,
}

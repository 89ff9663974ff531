//! What a Control-Client tells its driver.

use twinpath_wire::WireTime;
use twinpath_wire::control::{Modes, Sid};

use super::{ClientError, Message};
use crate::Refusal;

/// What happened. `index` is a session's place among the requests, from 0.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ClientEvent {
    /// A message was sent or came: for the narration.
    Message(Message),
    /// What the Server offers.
    Greeting {
        /// All bits, unknown ones among them.
        offered: Modes,
    },
    /// The Server's Count, which is no power of 2 (RFC 4656 section 3.1); used as it is (row TC-24).
    IrregularCount {
        /// PBKDF2 iterations.
        count: u32,
    },
    /// The connection is set up; sessions can be asked for.
    Ready {
        /// The chosen modes.
        modes: Modes,
        /// When the Server says that it started.
        server_since: WireTime,
    },
    /// A session was made.
    Accepted {
        /// Which.
        index: usize,
        /// Its identifier.
        sid: Sid,
        /// UDP port that packets go to: the one asked for, or the Server's own choice.
        port: u16,
        /// What comes first in the padding to reflect; 0: nothing.
        server_octets: u16,
        /// The octets to reflect came back unchanged (row TC-80).
        octets_reflected: bool,
    },
    /// The Server refused a step. After set-up and after Start-Sessions the connection ends; a
    /// session whose Stop-N-Sessions is refused counts as stopped.
    Refused {
        /// Of which session; `None`: of all.
        index: Option<usize>,
        /// Why, and what to do about it.
        refusal: Refusal,
    },
    /// Every request is answered: time for [`super::ControlClient::start`].
    Settled {
        /// Sessions made and not yet started.
        accepted: usize,
    },
    /// A session runs: packets may be sent.
    Started {
        /// Which.
        index: usize,
    },
    /// A session is stopped.
    Stopped {
        /// Which.
        index: usize,
    },
    /// An acknowledgement names a session that waits for none; ignored.
    UnexpectedAck {
        /// What it names.
        sid: Sid,
    },
    /// The connection failed: the last event.
    Failed(ClientError),
    /// The connection ended as it should: the last event.
    Closed,
}

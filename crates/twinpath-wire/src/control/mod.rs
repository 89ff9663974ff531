//! TWAMP-Control messages (RFC 5357 section 3 on RFC 4656 section 3; RFC 5618, 5938, 6038, 7750, 8186).
//!
//! Plain layouts: in the secured modes, the content before encryption. Fields that must be zero are
//! sent as zero and ignored on receipt.

mod accept;
mod messages;
mod modes;

pub use accept::Accept;
pub use messages::{
    AcceptSession, Command, ManySessions, RequestSession, ServerGreeting, ServerStart,
    SetUpResponse, Sid, StartAck, StartSessions, StopSessions, TypeP, WireInterval,
};
pub use modes::{Modes, SecurityMode};

/// Octets of an encryption block: no message is shorter, and the first block determines the length.
pub const BLOCK: usize = 16;
/// The well-known TCP port of TWAMP-Control (RFC 5357 section 3.1, RFC 8545).
pub const CONTROL_PORT: u16 = 862;

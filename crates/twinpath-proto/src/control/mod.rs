//! TWAMP-Control: Control-Client and Server as pure logic (RFC 5357 section 3).
//!
//! Octets of one TCP connection and times in; octets, events and times out. No socket, no clock,
//! no randomness: a driver hands these in. Both engines have the same round:
//!
//! 1. Read from the socket when there is nothing left to offer, and offer what was read:
//!    `handle_input(now, octets)` says how many octets it took. What it left is offered again in
//!    the next round. An engine takes nothing while it waits for an answer of the driver's, while
//!    events wait, or while output waits: it never runs ahead of its peer. `wants_input` says
//!    whether it would take any.
//! 2. `poll_event` until `None`, and do what the events ask. (The Server's `Open` is answered by
//!    `answer_open`, at once or later. What `Start` asks must be done before step 3: the
//!    acknowledgement leaves there, and a test packet may overtake it.)
//! 3. `poll_output` until `None`: each gives one message, or what is left of it, to be written with
//!    one call; `handle_written(now, octets)` says how much of it went out. If the socket takes no
//!    more, go on with 4 and wait for it to be writable too.
//! 4. If octets are left to offer and `wants_input`, back to 1. If `is_closed`, shut the sending
//!    side down, read what still comes for a moment (a reset would take the last answer away from
//!    the peer) and close.
//! 5. Wait for the socket, an answer of the driver's own, or `poll_timeout`; at that time call
//!    `handle_timeout`. When the peer closed its side *and* all its octets are taken, or the
//!    connection broke, call `handle_eof` once.

mod client;
mod frames;
mod outbox;
mod protection;
mod server;

pub use client::{
    Awaited, ClientError, ClientEvent, ClientPlan, ControlClient, Message, SessionPlan,
};
pub use server::{
    Admission, CloseReason, Nonces, Opened, PeerSlip, RequestFault, Server, ServerConfig,
    ServerEvent, SessionRequest, make_sid,
};

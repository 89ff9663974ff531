//! TWAMP-Control: Control-Client and Server as pure logic (RFC 5357 section 3).
//!
//! Octets of one TCP connection and times in; octets, events and times out. No socket, clock or
//! randomness: the driver supplies them. Both engines are driven in the same loop:
//!
//! 1. Read from the socket when there is nothing left to offer, and offer what was read:
//!    `handle_input(now, octets)` returns how many octets it took. The rest is offered again in the
//!    next round. An engine takes nothing while it waits for an answer from the driver, or while
//!    events or output are pending. `wants_input` says whether it would take any.
//! 2. `poll_event` until `None`, and do what the events ask. (The Server's `Open` is answered by
//!    `answer_open`, at once or later. Handle `Start` before step 3: that step sends the
//!    acknowledgement, and a test packet may overtake it.)
//! 3. `poll_output` until `None`: each is one message, or the rest of one, to be written with one
//!    call; report the octets written with `handle_written(now, octets)`. If the socket takes no
//!    more, go on with 4 and also wait for it to be writable.
//! 4. If octets are left to offer and `wants_input`, back to 1. If `is_closed`, shut the sending
//!    side down, read what still arrives for a moment (a reset could discard the last answer before
//!    the peer reads it) and close.
//! 5. Wait for the socket, the driver's own answer, or `poll_timeout`; at that time call
//!    `handle_timeout`. When the peer has closed its side *and* all its octets are taken, or the
//!    connection failed, call `handle_eof` once.

mod client;
mod frames;
mod outbox;
mod protection;
mod server;
mod stages;

pub use client::{
    ClientError, ClientEvent, ClientPlan, ControlClient, ExpectedAnswer, Message, SessionPlan,
};
pub use server::{
    Admission, CloseReason, ConnectionStage, Nonces, Opened, PeerDeviation, RequestFault, Server,
    ServerConfig, ServerEvent, SessionRequest, make_sid,
};

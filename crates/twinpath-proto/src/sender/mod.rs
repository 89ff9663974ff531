//! The Session-Sender (RFC 5357 section 4.1, RFC 8762 section 4.2): what to send and when, which
//! reply belongs to which packet, and what became of each.
//!
//! A driver's round:
//! 1. wait until [`SessionSender::poll_timeout`] or until something arrives;
//! 2. drain the sockets, replies and transmit stamps; *then* read a [`crate::ClockPair`] and give
//!    it to [`SessionSender::handle_clock`], so that a step is known before the stamps it touched;
//! 3. give transmit stamps to [`SessionSender::handle_tx_stamp`] and replies to
//!    [`SessionSender::handle_reply`];
//! 4. [`SessionSender::handle_timeout`];
//! 5. [`SessionSender::poll_transmit`] until it has none, [`SessionSender::finish`] right before
//!    each system call;
//! 6. [`SessionSender::poll_sample`] until it has none.

mod anomalies;
mod answered;
mod config;
mod counters;
mod echo;
mod ending;
mod engine;
mod in_flight;
mod judge;
mod linger;
mod numbers;
mod outbox;
mod pattern;
mod payload;
mod replies;
mod schedule;
mod slots;

pub use anomalies::ReplyAnomalies;
pub use config::{Fill, Limit, PayloadSize, Protocol, SenderConfig, lingering, patience};
pub use counters::SenderCounters;
pub use engine::{ClockStep, SessionSender, Transmit, TxToken};
pub use judge::STAMP_ERROR;
pub use schedule::Schedule;
pub use slots::Missed;

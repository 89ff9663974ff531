//! The Session-Sender (RFC 5357 section 4.1, RFC 8762 section 4.2): what to send and when, which
//! reply belongs to which packet, and the fate of each packet.
//!
//! A driver's loop:
//! 1. wait until [`SessionSender::poll_timeout`] or until something arrives;
//! 2. drain the sockets, replies and transmit stamps; *then* read a [`crate::ClockPair`] and pass
//!    it to [`SessionSender::handle_clock`], so that a step is known before the timestamps it
//!    affects;
//! 3. pass transmit timestamps to [`SessionSender::handle_tx_stamp`] and replies to
//!    [`SessionSender::handle_reply`];
//! 4. [`SessionSender::handle_timeout`];
//! 5. [`SessionSender::poll_transmit`] until `None`, [`SessionSender::finish`] right before each
//!    system call;
//! 6. [`SessionSender::poll_sample`] until `None`.

mod anomalies;
mod answered;
mod chunk;
mod commands;
mod config;
mod counters;
mod echo;
mod ending;
mod engine;
mod fate;
mod in_flight;
mod linger;
mod numbers;
mod outbox;
mod pattern;
mod payload;
mod replies;
mod retransmission;
mod schedule;
mod slots;
mod tlvs;
mod wire;

pub use anomalies::ReplyAnomalies;
pub use config::{Fill, Limit, PayloadSize, SenderConfig, late_reply_wait, loss_wait};
pub use counters::SenderCounters;
pub use engine::{ClockStep, SessionSender, Transmit, TxToken};
pub use fate::{STAMP_ERROR, exclusion};
pub use outbox::{Outbox, Pending};
pub use schedule::Schedule;
pub use slots::Missed;
pub use wire::{Format, Wire};

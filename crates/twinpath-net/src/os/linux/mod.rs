//! Linux: SO_TIMESTAMPING, control messages, batches, error queue, absolute waits.

pub(crate) mod clock;
mod control;
mod datagram;
mod error_queue;
mod filter;
pub(crate) mod headers;
pub(crate) mod host;
pub(crate) mod interfaces;
mod member;
mod names;
pub(crate) mod netlink;
mod options;
mod phc;
mod phc2sys;
mod segments;
pub(crate) mod sending;
pub(crate) mod socket;
pub(crate) mod stream;
mod system;
#[cfg(test)]
mod tests;
pub(crate) mod wait;

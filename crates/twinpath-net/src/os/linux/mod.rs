//! Linux: SO_TIMESTAMPING, control messages, batches, error queue, absolute waits.

pub(crate) mod clock;
mod control;
mod error_queue;
pub(crate) mod headers;
pub(crate) mod host;
mod names;
mod options;
mod phc;
pub(crate) mod sending;
pub(crate) mod socket;
mod steering;
pub(crate) mod stream;
mod system;
pub(crate) mod wait;

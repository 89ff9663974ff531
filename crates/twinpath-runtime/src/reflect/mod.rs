//! What all reflector threads share: packets to replies, and when these reach the wire.

mod locals;
mod packets;
mod paths;
mod report;
mod snapshot;
mod transmit_latency;

pub(crate) use packets::{Packets, SocketState};
pub use report::ReflectorReport;
pub(crate) use snapshot::Snapshot;

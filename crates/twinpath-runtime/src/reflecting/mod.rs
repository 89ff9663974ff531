//! What all reflector threads share: packets to replies, and when these reach the wire.

mod lag;
mod locals;
mod packets;
mod paths;
mod snapshot;

pub(crate) use packets::{Packets, Way};
pub(crate) use snapshot::Snapshot;

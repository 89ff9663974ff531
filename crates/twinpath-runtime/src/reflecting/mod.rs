//! Reflector threads: what they share, and those that reflect agreed sessions.

mod lag;
mod packets;

pub(crate) use packets::{Packets, Way};

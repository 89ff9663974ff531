//! Reflector threads: what they share, and those that reflect agreed sessions.

mod lag;
mod ledger;
mod locals;
mod open;
mod packets;
mod paths;
mod reflectors;
mod snapshot;
mod worker;

pub(crate) use open::{OpenError, Wish, is_exhausted};
pub(crate) use packets::{Packets, Way};
pub(crate) use reflectors::{Limits, ReflectingOptions, Reflectors};
pub(crate) use snapshot::Snapshot;
pub(crate) use worker::Fact;

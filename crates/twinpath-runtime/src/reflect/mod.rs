//! What all reflector threads share: the loop, packets to replies, and when these reach the wire.

mod departures;
mod host_watch;
mod member_links;
mod one_way;
mod outbound;
mod packets;
mod paths;
mod report;
mod snapshot;
mod sockets;
mod threads;
mod transmit_latency;
mod worker;

pub(crate) use member_links::MemberLinks;
pub use one_way::{OneWayReport, OneWaySession};
use packets::{Packets, SocketState};
pub use report::{ReflectorReport, ReflectorStatus};
pub(crate) use snapshot::Snapshot;
pub(crate) use sockets::Sockets;
pub(crate) use threads::{ReflectorThread, SoFar};
pub(crate) use worker::Duties;

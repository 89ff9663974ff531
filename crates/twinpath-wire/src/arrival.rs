//! What is known of a datagram beside its octets.

use core::net::{IpAddr, SocketAddr};

use crate::{Stamp, Tos};

/// How a datagram travelled: handed up by the sockets, read by the engines.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Arrival {
    /// When it arrived (T2 at a Session-Reflector, T4 at a Session-Sender).
    pub at: Stamp,
    /// Source address and port. IPv4 is never given in its IPv6-mapped form.
    pub from: SocketAddr,
    /// The address that it was sent to, 255.255.255.255 for a subnet's broadcast address too; `None`
    /// where the system does not tell.
    pub to: Option<IpAddr>,
    /// The local port that it was sent to.
    pub to_port: u16,
    /// TTL or Hop Limit on arrival; `None` where the system does not tell.
    pub ttl: Option<u8>,
    /// The whole ToS or Traffic Class octet on arrival; `None` where the system does not tell.
    pub tos: Option<Tos>,
    /// Index of the interface that it came in on; 0 where the system does not tell.
    pub interface: u32,
    /// The datagram was longer than the buffer and its end is missing.
    pub truncated: bool,
}

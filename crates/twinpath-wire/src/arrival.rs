//! What is known about a datagram besides its octets.

use core::net::{IpAddr, SocketAddr};

use crate::{Stamp, Tos};

/// How a datagram arrived: filled in by the sockets, read by the engines.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Arrival {
    /// When it arrived (T2 at a Session-Reflector, T4 at a Session-Sender).
    pub at: Stamp,
    /// Source address and port. IPv4 is never given in its IPv6-mapped form.
    pub from: SocketAddr,
    /// The destination address, 255.255.255.255 for a subnet's broadcast address too; `None` if the
    /// system does not report it.
    pub to: Option<IpAddr>,
    /// The destination port.
    pub to_port: u16,
    /// TTL or Hop Limit on arrival; `None` if the system does not report it.
    pub ttl: Option<u8>,
    /// The whole ToS or Traffic Class octet on arrival; `None` if the system does not report it.
    pub tos: Option<Tos>,
    /// Index of the receiving interface; 0 if the system does not report it.
    pub interface: u32,
    /// EUI-48 address that its frame came from; `None` if the socket does not report it.
    pub mac: Option<[u8; 6]>,
    /// The datagram was longer than the buffer, so its end is missing.
    pub truncated: bool,
}

impl Arrival {
    /// Of a datagram that arrived then from there, of which nothing else is reported; the destination port is 0.
    pub const fn new(at: Stamp, from: SocketAddr) -> Self {
        Self {
            at,
            from,
            to: None,
            to_port: 0,
            ttl: None,
            tos: None,
            interface: 0,
            mac: None,
            truncated: false,
        }
    }
}

//! A packet to send, and the events of the error queue.

use std::net::{IpAddr, SocketAddr};

use twinpath_wire::{Stamp, Tos};

/// Destination and settings of a packet.
#[derive(Clone, Copy, Debug)]
pub struct Outbound {
    /// Destination.
    pub to: SocketAddr,
    /// Source address; `None`: the socket's, or the system's choice.
    pub from: Option<IpAddr>,
    /// ToS or Traffic Class octet; `None`: the socket's.
    pub tos: Option<Tos>,
    /// Outgoing interface, whatever routes say; 0: the system's choice. Over IPv6, Linux may prefer the
    /// interface of a route where `from` or the socket has an address.
    pub interface: u32,
    /// EUI-48 address of the next hop, where a reflector's socket over a member sends to; other sockets
    /// find theirs.
    pub mac: Option<[u8; 6]>,
    /// Request a transmit timestamp of this packet.
    pub stamp: bool,
}

impl Outbound {
    /// To this destination, with a transmit stamp, and else as the socket has it.
    pub fn stamped(to: SocketAddr) -> Self {
        Self {
            to,
            from: None,
            tos: None,
            interface: 0,
            mac: None,
            stamp: true,
        }
    }
}

/// An event of the error queue.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum QueueEvent {
    /// A packet left. `key` counts the stamped packets of this socket as [`TestSocket::send`](crate::TestSocket::send) gave it.
    Sent {
        /// The packet's key.
        key: u32,
        /// The timestamp.
        stamp: Stamp,
    },
    /// An ICMP error came back.
    Icmp(IcmpError),
}

/// An ICMP error about a packet that was sent.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct IcmpError {
    /// Its kind.
    pub kind: IcmpKind,
    /// Who sent it; `None` if the system does not report it.
    pub from: Option<IpAddr>,
    /// The packet's destination.
    pub to: Option<SocketAddr>,
    /// The beginning of the packet's payload, as far as it is quoted.
    pub quote: Quote,
}

/// The first octets of a packet's payload, as an ICMP error quotes them; a router may quote none.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Quote {
    octets: [u8; Self::OCTETS],
    count: usize,
}

impl Quote {
    /// The most octets kept.
    pub const OCTETS: usize = 16;

    /// Of a payload that begins with these octets.
    pub fn of(payload: &[u8]) -> Self {
        let mut quote = Self::default();
        for (to, from) in quote.octets.iter_mut().zip(payload) {
            *to = *from;
            quote.count += 1;
        }
        quote
    }

    /// The quoted octets.
    pub fn octets(&self) -> &[u8] {
        self.octets.get(..self.count).unwrap_or_default()
    }
}

/// Kind of an ICMP error (RFC 792, RFC 4443).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum IcmpKind {
    /// Nothing listens on that port.
    PortUnreachable,
    /// Host unreachable.
    HostUnreachable,
    /// Network unreachable.
    NetworkUnreachable,
    /// Forbidden by a firewall.
    Prohibited,
    /// Larger than the next link and DF is set; the link's MTU, 0 if unknown.
    TooBig {
        /// Octets.
        mtu: u32,
    },
    /// TTL or Hop Limit ran out on the way.
    TtlExceeded,
    /// Anything else, by its numbers.
    Other {
        /// ICMP type.
        kind: u8,
        /// ICMP code.
        code: u8,
    },
}

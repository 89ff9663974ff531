//! A packet to send, and what comes back of it through the error queue.

use std::net::{IpAddr, SocketAddr};

use twinpath_wire::{Stamp, Tos};

/// Where a packet goes and how.
#[derive(Clone, Copy, Debug)]
pub struct Outbound {
    /// Destination.
    pub to: SocketAddr,
    /// Source address; `None`: the system's choice.
    pub from: Option<IpAddr>,
    /// ToS or Traffic Class octet; `None`: the socket's.
    pub tos: Option<Tos>,
    /// Interface to leave by where `to` needs one (link-local); 0: the system's choice.
    pub interface: u32,
    /// Ask for a transmit stamp of this packet.
    pub stamp: bool,
}

/// What the error queue holds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum QueueEvent {
    /// A packet left. `key` counts the stamped packets of this socket as [`TestSocket::send`](crate::TestSocket::send) gave it.
    Sent {
        /// Which packet.
        key: u32,
        /// When and how.
        stamp: Stamp,
    },
    /// An ICMP error came back.
    Icmp(IcmpError),
}

/// An ICMP error about a packet of ours.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct IcmpError {
    /// What it says.
    pub kind: IcmpKind,
    /// Who says it; `None` where the system does not tell.
    pub from: Option<IpAddr>,
    /// Where the packet was going.
    pub to: Option<SocketAddr>,
    /// The beginning of the packet, as far as it is quoted.
    pub quote: Quote,
}

/// The first octets of a packet's payload, as an ICMP error quotes them; a router may quote none.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Quote {
    octets: [u8; Self::OCTETS],
    count: usize,
}

impl Quote {
    /// Octets that are kept at most.
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

    /// What is quoted.
    pub fn octets(&self) -> &[u8] {
        self.octets.get(..self.count).unwrap_or_default()
    }
}

/// What an ICMP error says (RFC 792, RFC 4443).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum IcmpKind {
    /// Nothing listens on that port.
    PortUnreachable,
    /// No way to the host.
    HostUnreachable,
    /// No way to the network.
    NetworkUnreachable,
    /// A firewall forbids it.
    Prohibited,
    /// Larger than the next link and DF is set; the link's MTU, 0 if not told.
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

//! Reasons why packets did not leave this host or did not come back.

use std::net::IpAddr;

use twinpath_net::{IcmpKind, NoHardware, SendError};

/// The main reasons, as far as the network and the system reported them.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Refusals {
    /// The ICMP errors that came most often.
    pub icmp: Option<IcmpRefusal>,
    /// The most frequent reason why the system did not take packets.
    pub send: Option<SendError>,
    /// Whether transmit timestamps were requested from the kernel, but none arrived.
    pub no_departure_seen: bool,
    /// Whether hardware timestamps were requested.
    pub hardware_asked: bool,
    /// Why there are none.
    pub no_hardware: Option<NoHardware>,
}

/// ICMP errors of one kind.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct IcmpRefusal {
    /// Their kind.
    pub kind: IcmpKind,
    /// Who sent the last of them; `None` if the system does not report it.
    pub from: Option<IpAddr>,
    /// Whether at least one of them quotes a packet of this run.
    pub is_own: bool,
}

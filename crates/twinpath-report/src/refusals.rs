//! What kept packets from leaving this host or from coming back.

use std::net::IpAddr;

use twinpath_net::{IcmpKind, NoHardware, SendError};

/// The main reasons, as far as the network and the system told them.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Refusals {
    /// The ICMP errors that came most often.
    pub icmp: Option<IcmpRefusal>,
    /// Why the system did not take packets, most often.
    pub send: Option<SendError>,
    /// The kernel was to tell when packets left, and told of none.
    pub no_departure_seen: bool,
    /// Hardware timestamps were asked for.
    pub hardware_asked: bool,
    /// Why there are none.
    pub no_hardware: Option<NoHardware>,
}

/// ICMP errors of one kind.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct IcmpRefusal {
    /// What they say.
    pub kind: IcmpKind,
    /// Who sent the last of them; `None` where the system does not tell.
    pub from: Option<IpAddr>,
    /// One of them at least quotes a packet of this run.
    pub is_own: bool,
}

//! Properties of this host, and privileges of this process.

use std::net::{IpAddr, SocketAddr};

use crate::os;
pub use crate::os::addresses::{interface_of, own_addresses};
pub use crate::os::host::{
    effective_user, forbid_core_dumps, ignores_hangup, kernel, may_dump_core,
    raise_descriptor_limit, stdout_was_closed, take_variable,
};
pub use crate::os::interfaces::{InterfaceChanges, interfaces};
pub use crate::os::{link_of, members_of, neighbours};

/// What this host's interfaces have, as the system lists it.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Interfaces {
    /// Addresses, a link-local one with its zone.
    pub addresses: Vec<SocketAddr>,
    /// EUI-48 addresses.
    pub macs: Vec<[u8; 6]>,
    /// The MTU of each interface, by its number.
    pub mtus: Vec<(u32, u32)>,
}

/// A host on one of this host's links.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Neighbour {
    /// Its address.
    pub address: IpAddr,
    /// The number of the interface to that link.
    pub interface: u32,
    /// Its EUI-48 address there.
    pub mac: [u8; 6],
}

/// A Linux capability that matters here, by its number.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Capability {
    /// `CAP_DAC_OVERRIDE`.
    DacOverride = 1,
    /// `CAP_DAC_READ_SEARCH`.
    DacReadSearch = 2,
    /// `CAP_NET_BIND_SERVICE`.
    NetBindService = 10,
    /// `CAP_NET_ADMIN`.
    NetAdmin = 12,
    /// `CAP_NET_RAW`.
    NetRaw = 13,
}

impl Capability {
    /// Those that a measurement may be better with.
    const OF_MEASUREMENT: [Self; 3] = [Self::NetBindService, Self::NetAdmin, Self::NetRaw];

    /// The system's name for it.
    pub const fn name(self) -> &'static str {
        match self {
            Self::DacOverride => "CAP_DAC_OVERRIDE",
            Self::DacReadSearch => "CAP_DAC_READ_SEARCH",
            Self::NetBindService => "CAP_NET_BIND_SERVICE",
            Self::NetAdmin => "CAP_NET_ADMIN",
            Self::NetRaw => "CAP_NET_RAW",
        }
    }
}

/// The capabilities that matter, and whether this process holds them; empty if the system has none.
pub fn privileges() -> Vec<(Capability, bool)> {
    let Some(held) = os::host::capabilities() else {
        return Vec::new();
    };
    let each = Capability::OF_MEASUREMENT.into_iter();
    each.map(|each| (each, held >> each as u32 & 1 == 1))
        .collect()
}

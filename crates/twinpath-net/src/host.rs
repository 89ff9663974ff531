//! What this host has and what this process may do.

use std::ffi::CStr;
use std::net::{IpAddr, SocketAddr};

use crate::os;

/// A privilege of Linux that makes a difference here, by its number there.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Capability {
    /// `CAP_NET_BIND_SERVICE`.
    NetBindService = 10,
    /// `CAP_NET_ADMIN`.
    NetAdmin = 12,
    /// `CAP_NET_RAW`.
    NetRaw = 13,
}

impl Capability {
    const ALL: [Self; 3] = [Self::NetBindService, Self::NetAdmin, Self::NetRaw];

    /// The system's name for it.
    pub const fn name(self) -> &'static str {
        match self {
            Self::NetBindService => "CAP_NET_BIND_SERVICE",
            Self::NetAdmin => "CAP_NET_ADMIN",
            Self::NetRaw => "CAP_NET_RAW",
        }
    }
}

/// The privileges that make a difference, and whether this process holds them; empty where the system has none such.
pub fn privileges() -> Vec<(Capability, bool)> {
    let Some(held) = os::host::capabilities() else {
        return Vec::new();
    };
    let each = Capability::ALL.into_iter();
    each.map(|each| (each, held >> each as u32 & 1 == 1))
        .collect()
}

/// Lets this process open as many descriptors as it may: each connection and each port is one, and
/// the customary soft limit is 1024. How many that are; `None` where the system does not tell.
pub fn raise_descriptor_limit() -> Option<u64> {
    os::host::raise_descriptor_limit()
}

/// Keeps this process's memory out of core dumps, and other processes of the same user from reading
/// it: for who holds keys. Whether the system does so.
pub fn forbid_core_dumps() -> bool {
    os::host::forbid_core_dumps()
}

/// Whether this process's memory may be dumped; `None` where the system does not tell.
pub fn may_dump_core() -> Option<bool> {
    os::host::may_dump_core()
}

/// The user in whose name this process acts; `None` where the system has no such numbers.
pub fn effective_user() -> Option<u32> {
    os::host::effective_user()
}

/// Whether this process was started so that a terminal that hangs up does not end it (`nohup`).
pub fn ignores_hangup() -> bool {
    os::host::ignores_hangup()
}

/// Takes a variable out of this process's environment: its octets where the system keeps them are
/// overwritten, and no child inherits it. Where another thread runs it is read and left, for another
/// thread may be reading the environment. `None` where it is not set.
pub fn take_variable(name: &CStr) -> Option<Vec<u8>> {
    os::host::take_variable(name)
}

/// The kernel and its version; `None` where the system does not tell.
pub fn kernel() -> Option<String> {
    os::host::kernel()
}

/// This host's own addresses with `port`, each with its zone; `None` where the system does not tell.
pub fn own_addresses(port: u16) -> Option<Vec<SocketAddr>> {
    #[cfg(unix)]
    return os::addresses::own_addresses(port);
    #[cfg(not(unix))]
    {
        let _ = port;
        None
    }
}

/// The name of the interface that has `address`; `None` where none has or the system does not tell.
pub fn interface_of(address: IpAddr) -> Option<String> {
    os::host::interface_of(address)
}

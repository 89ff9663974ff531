//! What an unknown host can tell of itself: nothing.

use std::ffi::CStr;
use std::net::SocketAddr;

pub(crate) fn interface_mtu(_far: SocketAddr, _interface: Option<&str>) -> Option<u32> {
    None
}

pub(crate) fn capabilities() -> Option<u64> {
    None
}

/// Lets this process open as many descriptors as it may: each connection and each port is one, and
/// the customary soft limit is 1024. How many that are; `None` where the system does not tell.
pub fn raise_descriptor_limit() -> Option<u64> {
    None
}

/// Keeps this process's memory out of core dumps, and other processes of the same user from reading
/// it: for who holds keys. Whether the system does so.
pub fn forbid_core_dumps() -> bool {
    false
}

/// Whether this process's memory may be dumped; `None` where the system does not tell.
pub fn may_dump_core() -> Option<bool> {
    None
}

/// The user in whose name this process acts; `None` where the system has no such numbers.
pub fn effective_user() -> Option<u32> {
    None
}

/// Whether this process was started so that a terminal that hangs up does not end it (`nohup`).
pub fn ignores_hangup() -> bool {
    false
}

/// Takes a variable out of this process's environment: its octets where the system keeps them are
/// overwritten, and no child inherits it. Where another thread runs it is read and left, for another
/// thread may be reading the environment. `None` where it is not set.
pub fn take_variable(name: &CStr) -> Option<Vec<u8>> {
    let value = std::env::var_os(name.to_str().ok()?)?;
    Some(value.into_encoded_bytes())
}

/// The kernel and its version; `None` where the system does not tell.
pub fn kernel() -> Option<String> {
    Some(std::env::consts::OS.to_owned())
}

#[cfg(not(unix))]
pub(crate) mod addresses {
    use std::net::{IpAddr, SocketAddr};

    /// This host's own addresses: not told.
    pub fn own_addresses(_port: u16) -> Option<Vec<SocketAddr>> {
        None
    }

    /// The name of the interface that has `address`: not told.
    pub fn interface_of(_address: IpAddr) -> Option<String> {
        None
    }
}

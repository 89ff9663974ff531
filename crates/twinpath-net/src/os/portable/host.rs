//! Properties of an unknown host: all unknown.

use std::ffi::CStr;
use std::net::SocketAddr;

pub(crate) fn interface_mtu(_far: SocketAddr, _interface: Option<&str>) -> Option<u32> {
    None
}

pub(crate) fn capabilities() -> Option<u64> {
    None
}

/// Raises the limit of open descriptors to the hard limit and returns it: each connection and each
/// port takes one, and the usual soft limit is 1024. `None` if the system does not report it.
pub fn raise_descriptor_limit() -> Option<u64> {
    None
}

/// Excludes this process's memory from core dumps and from reading by other processes of the same
/// user, to protect keys. Returns whether the system did so.
pub fn forbid_core_dumps() -> bool {
    false
}

/// Whether this process's memory may be dumped; `None` if the system does not report it.
pub fn may_dump_core() -> Option<bool> {
    None
}

/// The effective user of this process; `None` if the system has no such numbers.
pub fn effective_user() -> Option<u32> {
    None
}

/// Whether this process ignores the hangup of its terminal (`nohup`).
pub fn ignores_hangup() -> bool {
    false
}

/// Whether stdout was closed when this process began: not known here.
pub fn stdout_was_closed() -> bool {
    false
}

/// Removes a variable from this process's environment and overwrites its octets there, so that no
/// child inherits it. If another thread is running, which may be reading the environment, the
/// variable is only read. `None` if it is not set.
pub fn take_variable(name: &CStr) -> Option<Vec<u8>> {
    let value = std::env::var_os(name.to_str().ok()?)?;
    Some(value.into_encoded_bytes())
}

/// The kernel and its version; `None` if the system does not report them.
pub fn kernel() -> Option<String> {
    Some(std::env::consts::OS.to_owned())
}

#[cfg(not(unix))]
pub(crate) mod addresses {
    use std::net::{IpAddr, SocketAddr};

    /// This host's own addresses: unknown.
    pub fn own_addresses(_port: u16) -> Option<Vec<SocketAddr>> {
        None
    }

    /// The name of the interface that has `address`: unknown.
    pub fn interface_of(_address: IpAddr) -> Option<String> {
        None
    }
}

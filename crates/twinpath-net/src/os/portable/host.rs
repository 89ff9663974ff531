//! What an unknown host can tell of itself: nothing.

use std::ffi::CStr;
use std::net::{IpAddr, SocketAddr};

pub(crate) fn interface_mtu(_far: SocketAddr, _interface: Option<&str>) -> Option<u32> {
    None
}

pub(crate) fn capabilities() -> Option<u64> {
    None
}

pub(crate) fn raise_descriptor_limit() -> Option<u64> {
    None
}

pub(crate) fn forbid_core_dumps() -> bool {
    false
}

pub(crate) fn may_dump_core() -> Option<bool> {
    None
}

pub(crate) fn effective_user() -> Option<u32> {
    None
}

pub(crate) fn ignores_hangup() -> bool {
    false
}

pub(crate) fn take_variable(name: &CStr) -> Option<Vec<u8>> {
    let value = std::env::var_os(name.to_str().ok()?)?;
    Some(value.into_encoded_bytes())
}

#[expect(clippy::unnecessary_wraps, reason = "one face for all systems")]
pub(crate) fn kernel() -> Option<String> {
    Some(std::env::consts::OS.to_owned())
}

pub(crate) fn interface_of(_address: IpAddr) -> Option<String> {
    None
}

//! Addresses as they are logged: a zone by its interface's name.

use std::fmt;
use std::net::SocketAddr;

use crate::host::interface_name;

/// `192.0.2.1:862`, `[2001:db8::1]:862`, `[fe80::1%eth0]:862`.
pub(crate) fn named(address: SocketAddr) -> Named {
    Named(address)
}

/// See [`named`].
#[derive(Clone, Copy, Debug)]
pub(crate) struct Named(SocketAddr);

impl fmt::Display for Named {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if let SocketAddr::V6(v6) = self.0
            && v6.scope_id() != 0
            && let Some(zone) = interface_name(v6.scope_id())
        {
            return write!(f, "[{}%{zone}]:{}", v6.ip(), v6.port());
        }
        self.0.fmt(f)
    }
}

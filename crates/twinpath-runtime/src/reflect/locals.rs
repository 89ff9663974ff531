//! Which requests come from this host itself.

use std::net::{IpAddr, Ipv4Addr, SocketAddr};

use twinpath_net::host;

/// This host's own addresses, in order. A link-local one belongs to its zone: a neighbour may have the
/// same in another.
#[derive(Debug, Default)]
pub(super) struct Locals(Vec<(IpAddr, u32)>);

/// All loopback addresses count as this one.
const LOOPBACK: (IpAddr, u32) = (IpAddr::V4(Ipv4Addr::LOCALHOST), 0);

impl Locals {
    /// As the system lists them now; loopback alone where it does not.
    pub(super) fn listed() -> Self {
        let own = host::own_addresses(0).unwrap_or_default();
        Self::of(own.into_iter().map(key_of).chain([LOOPBACK]).collect())
    }

    fn of(mut all: Vec<(IpAddr, u32)>) -> Self {
        all.sort_unstable();
        all.dedup();
        Self(all)
    }

    /// Whether a packet from there was sent by this host.
    pub(super) fn has(&self, from: SocketAddr) -> bool {
        self.0.binary_search(&key_of(from)).is_ok()
    }
}

fn key_of(address: SocketAddr) -> (IpAddr, u32) {
    if address.ip().is_loopback() {
        return LOOPBACK;
    }
    let zone = match address {
        SocketAddr::V6(v6) if v6.ip().is_unicast_link_local() => v6.scope_id(),
        SocketAddr::V6(_) | SocketAddr::V4(_) => 0,
    };
    (address.ip(), zone)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(address: &str) -> SocketAddr {
        address.parse().unwrap()
    }

    #[test]
    fn this_host_is_known_by_its_addresses_whatever_the_port() {
        let own = ["192.0.2.7:0", "[2001:db8::7]:0", "[fe80::1%3]:0"].map(|own| key_of(at(own)));
        let locals = Locals::of(own.to_vec());
        for local in ["192.0.2.7:5", "[2001:db8::7]:5", "[fe80::1%3]:5"] {
            assert!(locals.has(at(local)), "{local}");
        }
        for other in ["192.0.2.8:5", "[2001:db8::8]:5", "[fe80::1%4]:5"] {
            assert!(!locals.has(at(other)), "{other}");
        }
    }

    #[test]
    fn loopback_is_this_host_whatever_the_system_lists() {
        for local in ["127.0.0.1:9", "127.8.9.10:9", "[::1]:9"] {
            assert!(Locals::listed().has(at(local)), "{local}");
        }
        assert!(!Locals::listed().has(at("192.0.2.1:9")));
    }
}

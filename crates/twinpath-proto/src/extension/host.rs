//! What a reflector knows of its host.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr, SocketAddrV6};

use ipnet::IpNet;
use twinpath_wire::Arrival;

/// What is known of this host; by default nothing. Look-ups take logarithmic time.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Host {
    /// Sorted. All of loopback, which every host has, are one of it.
    v4: Vec<Ipv4Addr>,
    /// Sorted, but for loopback. A link-local address belongs to its zone: a neighbour may have the same in
    /// another.
    v6: Vec<(Ipv6Addr, u32)>,
    macs: Vec<[u8; 6]>,
    /// By interface, sorted.
    mtus: Vec<(u32, u16)>,
    /// By address and interface, sorted.
    neighbours: Vec<((IpAddr, u32), [u8; 6])>,
    sync: SyncSource,
}

/// What a clock follows (RFC 8972 section 5.4).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum SyncSource {
    /// NTP, or another source that the system does not name.
    Ntp = 1,
    /// PTP.
    Ptp = 2,
    /// Nothing: it runs free.
    #[default]
    Local = 5,
}

/// The least MTU of IPv6, where it is not known (row SL-52).
const LEAST_MTU: u16 = 1_280;

impl Host {
    /// Of the unicast addresses, the EUI-48 addresses and the IP MTUs (by its number) of each
    /// interface.
    pub fn new(
        addresses: impl IntoIterator<Item = SocketAddr>,
        macs: Vec<[u8; 6]>,
        mtus: impl IntoIterator<Item = (u32, u32)>,
        sync: SyncSource,
    ) -> Self {
        let (mut v4, mut v6) = (vec![Ipv4Addr::LOCALHOST], Vec::new());
        let others = addresses.into_iter().filter(|own| !own.ip().is_loopback());
        for own in others {
            match own {
                SocketAddr::V4(own) => v4.push(*own.ip()),
                SocketAddr::V6(own) => v6.push(with_zone(own)),
            }
        }
        let mtus = mtus.into_iter();
        let as_ip = |(index, mtu)| (index, u16::try_from(mtu).unwrap_or(u16::MAX));
        Self {
            v4: sorted(v4),
            v6: sorted(v6),
            macs: sorted(macs),
            mtus: sorted(mtus.map(as_ip)),
            neighbours: Vec::new(),
            sync,
        }
    }

    /// With these neighbours: address, interface to their link, EUI-48 address.
    #[must_use]
    pub fn with_neighbours(
        mut self,
        all: impl IntoIterator<Item = (IpAddr, u32, [u8; 6])>,
    ) -> Self {
        let all = all.into_iter();
        self.neighbours = sorted(all.map(|(address, interface, mac)| ((address, interface), mac)));
        self
    }

    /// The EUI-48 address of a packet's sender, if that is a neighbour on the link by which it came.
    pub(super) fn mac_of(&self, arrival: &Arrival) -> Option<[u8; 6]> {
        let key = (arrival.from.ip(), arrival.interface);
        let place = self.neighbours.binary_search_by_key(&key, |(key, _)| *key);
        let known = place.ok().and_then(|place| self.neighbours.get(place));
        known.map(|(_, mac)| *mac)
    }

    /// Whether a packet from there was sent by this host.
    pub fn has(&self, from: SocketAddr) -> bool {
        match from {
            _ if from.ip().is_loopback() => self.v4.binary_search(&Ipv4Addr::LOCALHOST).is_ok(),
            SocketAddr::V4(from) => self.v4.binary_search(from.ip()).is_ok(),
            SocketAddr::V6(from) => self.v6.binary_search(&with_zone(from)).is_ok(),
        }
    }

    /// Whether it has an address in this network.
    pub(super) fn has_any_in(&self, net: &IpNet) -> bool {
        match net {
            IpNet::V4(net) => {
                let first = self.v4.partition_point(|own| *own < net.network());
                self.v4.get(first).is_some_and(|own| net.contains(own))
            }
            IpNet::V6(net) => {
                let first = self.v6.partition_point(|(own, _)| *own < net.network());
                let first = self.v6.get(first);
                first.is_some_and(|(own, _)| net.contains(own))
            }
        }
    }

    /// The EUI-48 addresses of its interfaces.
    pub(super) fn macs(&self) -> &[[u8; 6]] {
        &self.macs
    }

    /// The IP MTU of an interface.
    pub(super) fn mtu(&self, interface: u32) -> usize {
        let place = self
            .mtus
            .binary_search_by_key(&interface, |(index, _)| *index);
        let known = place.ok().and_then(|place| self.mtus.get(place));
        known.map_or(LEAST_MTU, |(_, mtu)| *mtu).into()
    }

    /// What its clock follows.
    pub(super) fn sync(&self) -> SyncSource {
        self.sync
    }
}

/// An address and the zone that it belongs to; 0: none.
fn with_zone(address: SocketAddrV6) -> (Ipv6Addr, u32) {
    let has_zone = address.ip().is_unicast_link_local();
    let zone = if has_zone { address.scope_id() } else { 0 };
    (*address.ip(), zone)
}

fn sorted<T: Ord>(all: impl IntoIterator<Item = T>) -> Vec<T> {
    let mut all: Vec<T> = all.into_iter().collect();
    all.sort_unstable();
    all.dedup();
    all
}

#[cfg(test)]
mod tests {
    use super::*;

    fn host(addresses: &[&str]) -> Host {
        let addresses = addresses.iter().map(|own| at(own));
        let mtus = [(7, 9_000), (1, 65_536), (2, 1_500)];
        Host::new(addresses, Vec::new(), mtus, SyncSource::Ntp)
    }

    fn at(address: &str) -> SocketAddr {
        address.parse().unwrap()
    }

    #[test]
    fn this_host_is_known_by_its_addresses_whatever_the_port() {
        let host = host(&["192.0.2.7:0", "[2001:db8::7]:0", "[fe80::1%3]:0"]);
        for local in ["192.0.2.7:5", "[2001:db8::7]:5", "[fe80::1%3]:5"] {
            assert!(host.has(at(local)), "{local}");
        }
        for other in ["192.0.2.8:5", "[2001:db8::8]:5", "[fe80::1%4]:5"] {
            assert!(!host.has(at(other)), "{other}");
        }
    }

    #[test]
    fn loopback_is_this_host_whatever_the_system_lists() {
        for local in ["127.0.0.1:9", "127.8.9.10:9", "[::1]:9"] {
            assert!(host(&[]).has(at(local)), "{local}");
        }
        assert!(!host(&[]).has(at("192.0.2.1:9")));
    }

    #[test]
    fn a_network_is_its_own_if_it_has_an_address_there() {
        let host = host(&["192.0.2.7:0", "198.51.100.200:0", "[2001:db8:5::7]:0"]);
        for (net, is_own) in [
            ("192.0.2.0/24", true),
            ("192.0.2.7/32", true),
            ("192.0.2.0/29", true),
            ("192.0.2.8/29", false),
            ("198.51.100.0/25", false),
            ("198.51.100.128/25", true),
            ("203.0.113.0/24", false),
            ("0.0.0.0/0", true),
            ("2001:db8::/32", true),
            ("2001:db8:6::/48", false),
            ("2001:db8:4::/48", false),
        ] {
            assert_eq!(host.has_any_in(&net.parse().unwrap()), is_own, "{net}");
        }
    }

    #[test]
    fn an_mtu_is_that_of_ip_and_unknown_ones_are_small() {
        let host = host(&[]);
        assert_eq!(
            [1, 2, 7, 3].map(|index| host.mtu(index)),
            [65_535, 1_500, 9_000, 1_280]
        );
        assert_eq!(host.sync(), SyncSource::Ntp);
    }
}

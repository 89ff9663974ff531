//! This host's own addresses, as every Unix lists them.

use std::ffi::CStr;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr, SocketAddrV4, SocketAddrV6};

/// An entry of the system's list.
pub(crate) struct Entry {
    pub(crate) interface: String,
    /// The interface is up.
    #[cfg_attr(
        not(linux_sockets),
        expect(dead_code, reason = "asked for on Linux only")
    )]
    pub(crate) is_up: bool,
    pub(crate) address: Address,
}

/// What an interface has.
pub(crate) enum Address {
    /// With its zone.
    Ip(SocketAddr),
    /// The interface itself: its number, and its EUI-48 address if it has one.
    #[cfg(linux_sockets)]
    Link(u32, Option<[u8; 6]>),
}

/// All interfaces and their addresses; `None` if the system does not report them.
pub(crate) fn entries() -> Option<Vec<Entry>> {
    let mut list: *mut libc::ifaddrs = std::ptr::null_mut();
    // SAFETY: `list` lives across the call, which points it to an allocated list.
    if unsafe { libc::getifaddrs(&raw mut list) } != 0 {
        return None;
    }
    let mut found = Vec::new();
    let mut next = list;
    // SAFETY: the list is intact until it is freed below; its last `ifa_next` is null.
    while let Some(entry) = unsafe { next.as_ref() } {
        next = entry.ifa_next;
        if entry.ifa_addr.is_null() || entry.ifa_name.is_null() {
            continue;
        }
        // SAFETY: not null; every socket address begins with its family.
        let family = libc::c_int::from(unsafe { (*entry.ifa_addr).sa_family });
        let address = match family {
            libc::AF_INET => {
                // SAFETY: an address of that family is this structure.
                let v4 = unsafe { entry.ifa_addr.cast::<libc::sockaddr_in>().read_unaligned() };
                let ip = Ipv4Addr::from(v4.sin_addr.s_addr.to_ne_bytes());
                Address::Ip(SocketAddrV4::new(ip, 0).into())
            }
            libc::AF_INET6 => {
                // SAFETY: as above.
                let v6 = unsafe { entry.ifa_addr.cast::<libc::sockaddr_in6>().read_unaligned() };
                Address::Ip(zoned(v6.sin6_addr.s6_addr, v6.sin6_scope_id).into())
            }
            #[cfg(linux_sockets)]
            libc::AF_PACKET => {
                // SAFETY: as above.
                let link = unsafe { entry.ifa_addr.cast::<libc::sockaddr_ll>().read_unaligned() };
                let mac = link.sll_addr.first_chunk().copied();
                let mac = mac.filter(|mac| link.sll_halen == 6 && *mac != [0; 6]);
                Address::Link(link.sll_ifindex.cast_unsigned(), mac)
            }
            _ => continue,
        };
        // SAFETY: not null; interface names end with a zero octet.
        let name = unsafe { CStr::from_ptr(entry.ifa_name) };
        found.push(Entry {
            interface: name.to_string_lossy().into_owned(),
            is_up: entry.ifa_flags & libc::IFF_UP.cast_unsigned() != 0,
            address,
        });
    }
    // SAFETY: `list` came from `getifaddrs` and is not used after this.
    unsafe { libc::freeifaddrs(list) };
    Some(found)
}

/// The addresses among [`entries`], each with its interface.
#[cfg_attr(
    not(linux_sockets),
    expect(clippy::unnecessary_filter_map, reason = "on Linux there are others")
)]
fn addresses() -> Option<impl Iterator<Item = (String, SocketAddr)>> {
    let entries = entries()?.into_iter();
    Some(entries.filter_map(|entry| match entry.address {
        Address::Ip(address) => Some((entry.interface, address)),
        #[cfg(linux_sockets)]
        Address::Link(..) => None,
    }))
}

/// This host's own addresses with `port`, each with its zone; `None` if the system does not report
/// them.
pub fn own_addresses(port: u16) -> Option<Vec<SocketAddr>> {
    let at_port = |(_, mut address): (String, SocketAddr)| {
        address.set_port(port);
        address
    };
    Some(addresses()?.map(at_port).collect())
}

/// The name of the interface that has `address`; `None` if no interface has it, or the system does
/// not report it.
pub fn interface_of(address: IpAddr) -> Option<String> {
    let mut of = addresses()?.filter(|(_, this)| this.ip() == address);
    of.next().map(|(name, _)| name)
}

/// Some systems write the zone into a link-local address itself.
fn zoned(mut octets: [u8; 16], scope: u32) -> SocketAddrV6 {
    let is_link_local = Ipv6Addr::from(octets).is_unicast_link_local();
    let within = u32::from(u16::from_be_bytes([octets[2], octets[3]]));
    let scope = match (is_link_local, scope) {
        (false, _) => 0,
        (true, 0) => within,
        (true, scope) => scope,
    };
    if is_link_local {
        (octets[2], octets[3]) = (0, 0);
    }
    SocketAddrV6::new(octets.into(), 0, 0, scope)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_zone_is_found_in_the_address_too() {
        let mut octets = "fe80::1".parse::<Ipv6Addr>().unwrap().octets();
        assert_eq!(zoned(octets, 7).to_string(), "[fe80::1%7]:0");
        octets[3] = 5;
        assert_eq!(zoned(octets, 0).to_string(), "[fe80::1%5]:0");
        let octets = "fd98:0:5::1".parse::<Ipv6Addr>().unwrap().octets();
        assert_eq!(zoned(octets, 0).to_string(), "[fd98:0:5::1]:0");
    }

    #[test]
    fn loopback_is_among_them() {
        let all = own_addresses(9).unwrap();
        assert!(all.contains(&"127.0.0.1:9".parse().unwrap()), "{all:?}");
    }
}

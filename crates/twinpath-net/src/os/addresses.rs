//! This host's own addresses, as every Unix lists them.

use std::ffi::CStr;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr, SocketAddrV4, SocketAddrV6};

/// All addresses of all interfaces, with the interface's name and the address's zone; `None` if the
/// system does not report them.
fn interfaces() -> Option<Vec<(String, SocketAddr)>> {
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
        let address: SocketAddr = match family {
            libc::AF_INET => {
                // SAFETY: an address of that family is this structure.
                let v4 = unsafe { entry.ifa_addr.cast::<libc::sockaddr_in>().read_unaligned() };
                let ip = Ipv4Addr::from(v4.sin_addr.s_addr.to_ne_bytes());
                SocketAddrV4::new(ip, 0).into()
            }
            libc::AF_INET6 => {
                // SAFETY: as above.
                let v6 = unsafe { entry.ifa_addr.cast::<libc::sockaddr_in6>().read_unaligned() };
                zoned(v6.sin6_addr.s6_addr, v6.sin6_scope_id).into()
            }
            _ => continue,
        };
        // SAFETY: not null; interface names end with a zero octet.
        let name = unsafe { CStr::from_ptr(entry.ifa_name) };
        found.push((name.to_string_lossy().into_owned(), address));
    }
    // SAFETY: `list` came from `getifaddrs` and is not used after this.
    unsafe { libc::freeifaddrs(list) };
    Some(found)
}

/// This host's own addresses with `port`, each with its zone; `None` if the system does not report
/// them.
pub fn own_addresses(port: u16) -> Option<Vec<SocketAddr>> {
    let all = interfaces()?.into_iter();
    let at_port = |(_, mut address): (String, SocketAddr)| {
        address.set_port(port);
        address
    };
    Some(all.map(at_port).collect())
}

/// The name of the interface that has `address`; `None` if no interface has it, or the system does
/// not report it.
pub fn interface_of(address: IpAddr) -> Option<String> {
    let all = interfaces()?.into_iter();
    let mut of = all.filter(|(_, this)| this.ip() == address);
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

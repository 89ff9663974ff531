//! What the kernel lists by netlink: neighbours, and which interface another one is a part of.

use std::io::{self, Read as _};
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};
use std::time::Duration;

use socket2::{Domain, Protocol, Socket, Type};

use crate::host::Neighbour;

/// Entries that are taken at most.
const MOST_NEIGHBOURS: usize = 4_096;
/// Room for a message or several; the kernel sends no longer ones to a reader with this much.
const ROOM: usize = 32_768;
/// The kernel answers at once.
const PATIENCE: Duration = Duration::from_secs(1);

const HEADER: usize = 16;
const NEIGHBOUR_HEADER: usize = 12;
const LINK_HEADER: usize = 16;
/// States of a neighbour whose link-layer address is known: `NUD_REACHABLE`, `NUD_STALE`, `NUD_DELAY`,
/// `NUD_PROBE` and `NUD_PERMANENT`.
const KNOWN: u16 = 0x02 | 0x04 | 0x08 | 0x10 | 0x80;
const NDA_DST: u16 = 1;
const NDA_LLADDR: u16 = 2;
const NDA_IFINDEX: u16 = 8;
const IFLA_INFO_KIND: u16 = 1;
const IFLA_INFO_SLAVE_KIND: u16 = 4;

/// The neighbours of this host that have EUI-48 addresses, of one interface or of all. `None` if the
/// system does not report them.
pub fn neighbours(interface: Option<u32>) -> Option<Vec<Neighbour>> {
    let mut body = vec![0; NEIGHBOUR_HEADER];
    if let Some(index) = interface {
        // Older kernels list all.
        body.extend(attribute(NDA_IFINDEX, &index.to_ne_bytes()));
    }
    let mut all = Vec::new();
    let mut take = |body: &[u8]| {
        let found = listed(body).filter(|one| interface.is_none_or(|it| it == one.interface));
        all.extend(found);
        all.len() < MOST_NEIGHBOURS
    };
    ask(libc::RTM_GETNEIGH, libc::NLM_F_DUMP, &body, &mut take).ok()?;
    Some(all)
}

/// The EUI-48 address of a neighbour on the link of an interface; `None`: the kernel knows none now.
pub(crate) fn neighbour(interface: u32, address: IpAddr) -> Option<[u8; 6]> {
    let mut body = vec![0; NEIGHBOUR_HEADER];
    let (family, octets) = match address {
        IpAddr::V4(v4) => (libc::AF_INET, v4.octets().to_vec()),
        IpAddr::V6(v6) => (libc::AF_INET6, v6.octets().to_vec()),
    };
    if let (Some(first), Some(index)) = (body.first_mut(), u8::try_from(family).ok()) {
        *first = index;
    }
    if let Some(index) = body.get_mut(4..8) {
        index.copy_from_slice(&interface.to_ne_bytes());
    }
    body.extend(attribute(NDA_DST, &octets));
    let mut found = None;
    let mut take = |body: &[u8]| {
        found = listed(body);
        false
    };
    match ask(libc::RTM_GETNEIGH, 0, &body, &mut take) {
        // Older kernels only list them.
        Err(error) if error.raw_os_error() == Some(libc::EOPNOTSUPP) => {
            let mut all = neighbours(Some(interface))?.into_iter();
            all.find(|one| one.address == address).map(|one| one.mac)
        }
        _ => found.map(|one: Neighbour| one.mac),
    }
}

fn listed(body: &[u8]) -> Option<Neighbour> {
    let (header, rest) = body.split_at_checked(NEIGHBOUR_HEADER)?;
    let interface = u32::from_ne_bytes(*header.get(4..)?.first_chunk()?);
    let state = u16::from_ne_bytes(*header.get(8..)?.first_chunk()?);
    let (mut address, mut mac) = (None, None);
    for (kind, value) in attributes(rest) {
        match (kind, value.len()) {
            (NDA_DST, 4) => address = value.first_chunk().map(|v4| Ipv4Addr::from(*v4).into()),
            (NDA_DST, 16) => {
                let v6 = value.first_chunk::<16>();
                address = v6.map(|v6| IpAddr::from(Ipv6Addr::from(*v6)));
            }
            (NDA_LLADDR, 6) => mac = value.first_chunk().copied(),
            _ => {}
        }
    }
    let is_known = state & KNOWN != 0;
    Some(Neighbour {
        address: address.filter(|_| is_known)?,
        interface,
        mac: mac?,
    })
}

/// The interface that has the addresses of another one's link: that of a bond, a team or a bridge of which
/// it is a part, or itself.
///
/// # Errors
/// The system's error: there is no such interface, say.
pub fn link_of(interface: u32) -> io::Result<u32> {
    let mut body = vec![0; LINK_HEADER];
    if let Some(index) = body.get_mut(4..8) {
        index.copy_from_slice(&interface.to_ne_bytes());
    }
    let mut link = interface;
    let mut take = |body: &[u8]| {
        link = master(body).unwrap_or(interface);
        false
    };
    ask(libc::RTM_GETLINK, 0, &body, &mut take)?;
    Ok(link)
}

/// The interfaces that are parts of a bond, a team or a bridge.
///
/// # Errors
/// The system's error.
pub fn members_of(link: u32) -> io::Result<Vec<u32>> {
    let mut all = Vec::new();
    let mut take = |body: &[u8]| {
        if master(body) == Some(link) {
            let index = body.get(4..8).and_then(<[u8]>::first_chunk);
            all.extend(index.map(|index| u32::from_ne_bytes(*index)));
        }
        true
    };
    ask(
        libc::RTM_GETLINK,
        libc::NLM_F_DUMP,
        &[0; LINK_HEADER],
        &mut take,
    )?;
    Ok(all)
}

/// Whether an interface can be a member link: it is a part of a bond, a team or a bridge, or could become one.
///
/// # Errors
/// The system's error.
pub(crate) fn may_be_member(interface: u32) -> io::Result<bool> {
    let mut body = vec![0; LINK_HEADER];
    if let Some(index) = body.get_mut(4..8) {
        index.copy_from_slice(&interface.to_ne_bytes());
    }
    let mut may_be = false;
    let mut take = |body: &[u8]| {
        may_be = master(body).is_some() || (is_ethernet(body) && !is_link(body));
        false
    };
    ask(libc::RTM_GETLINK, 0, &body, &mut take)?;
    Ok(may_be)
}

fn is_ethernet(body: &[u8]) -> bool {
    let kind = body.get(2..4).and_then(<[u8]>::first_chunk);
    kind.is_some_and(|kind| u16::from_ne_bytes(*kind) == libc::ARPHRD_ETHER)
}

/// Whether it is a bond, a team or a bridge itself.
fn is_link(body: &[u8]) -> bool {
    let mut all = attributes(body.get(LINK_HEADER..).unwrap_or_default());
    let Some((_, info)) = all.find(|(kind, _)| *kind == libc::IFLA_LINKINFO) else {
        return false;
    };
    let mut info = attributes(info);
    let kind = info.find(|(kind, _)| *kind == IFLA_INFO_KIND);
    let name = |kind: &[u8]| {
        kind.iter()
            .copied()
            .take_while(|it| *it != 0)
            .collect::<Vec<u8>>()
    };
    kind.is_some_and(|(_, kind)| [&b"bond"[..], b"team", b"bridge"].contains(&&*name(kind)))
}

fn master(body: &[u8]) -> Option<u32> {
    let all = || attributes(body.get(LINK_HEADER..).unwrap_or_default());
    let (_, master) = all().find(|(kind, _)| *kind == libc::IFLA_MASTER)?;
    let (_, info) = all().find(|(kind, _)| *kind == libc::IFLA_LINKINFO)?;
    // What is in a VRF has its addresses itself.
    let mut info = attributes(info);
    let (_, kind) = info.find(|(kind, _)| *kind == IFLA_INFO_SLAVE_KIND)?;
    let is_vrf = kind.starts_with(b"vrf");
    master
        .first_chunk()
        .filter(|_| !is_vrf)
        .map(|index| u32::from_ne_bytes(*index))
}

/// Asks, and gives `take` the body of each message of the answer while it wants more.
fn ask(
    kind: u16,
    flags: libc::c_int,
    body: &[u8],
    take: &mut dyn FnMut(&[u8]) -> bool,
) -> io::Result<()> {
    let routes = Some(Protocol::from(libc::NETLINK_ROUTE));
    let socket = Socket::new(Domain::from(libc::AF_NETLINK), Type::RAW, routes)?;
    socket.set_read_timeout(Some(PATIENCE))?;
    let length = u32::try_from(HEADER + body.len()).unwrap_or_default();
    let flags = u16::try_from(libc::NLM_F_REQUEST | flags).unwrap_or_default();
    let mut request = length.to_ne_bytes().to_vec();
    request.extend(kind.to_ne_bytes());
    request.extend(flags.to_ne_bytes());
    request.extend([0; 8]);
    request.extend(body);
    socket.send(&request)?;
    let mut room = vec![0; ROOM];
    loop {
        let octets = (&socket).read(&mut room)?;
        let mut rest = room.get(..octets).unwrap_or_default();
        while let Some((kind, flags, body)) = message(&mut rest) {
            match libc::c_int::from(kind) {
                libc::NLMSG_DONE => return Ok(()),
                libc::NLMSG_ERROR => {
                    let error = body
                        .first_chunk()
                        .map_or(0, |error| i32::from_ne_bytes(*error));
                    return Err(io::Error::from_raw_os_error(error.saturating_neg()));
                }
                _ => {
                    let is_last = libc::c_int::from(flags) & libc::NLM_F_MULTI == 0;
                    if !take(body) || is_last {
                        return Ok(());
                    }
                }
            }
        }
    }
}

/// The next message: its type, its flags and what follows its header.
fn message<'a>(rest: &mut &'a [u8]) -> Option<(u16, u16, &'a [u8])> {
    let length = u32::from_ne_bytes(*rest.first_chunk()?) as usize;
    let kind = u16::from_ne_bytes(*rest.get(4..)?.first_chunk()?);
    let flags = u16::from_ne_bytes(*rest.get(6..)?.first_chunk()?);
    let body = rest.get(HEADER..length)?;
    *rest = rest.get(length.next_multiple_of(4)..).unwrap_or_default();
    Some((kind, flags, body))
}

/// Types and values of the attributes in `octets`.
fn attributes(octets: &[u8]) -> impl Iterator<Item = (u16, &[u8])> {
    let mut rest = octets;
    std::iter::from_fn(move || {
        let length = usize::from(u16::from_ne_bytes(*rest.first_chunk()?));
        let kind = u16::from_ne_bytes(*rest.get(2..)?.first_chunk()?);
        let value = rest.get(4..length)?;
        rest = rest.get(length.next_multiple_of(4)..).unwrap_or_default();
        Some((kind, value))
    })
}

fn attribute(kind: u16, value: &[u8]) -> Vec<u8> {
    let length = u16::try_from(4 + value.len()).unwrap_or_default();
    [&length.to_ne_bytes()[..], &kind.to_ne_bytes(), value].concat()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn loopback_is_its_own_link_and_what_is_not_there_is_an_error() {
        let loopback = crate::interface::index_of("lo").unwrap();
        assert_eq!(link_of(loopback).unwrap(), loopback);
        assert!(link_of(0x7fff_fff0).is_err());
        assert!(neighbours(None).is_some());
        assert_eq!(neighbours(Some(loopback)), Some(Vec::new()));
    }

    fn listed(state: u16, attributes: &[(u16, &[u8])]) -> Option<Neighbour> {
        let mut body = vec![2, 0, 0, 0];
        body.extend(7_u32.to_ne_bytes());
        body.extend(state.to_ne_bytes());
        body.extend([0; 2]);
        for (kind, value) in attributes {
            body.extend(attribute(*kind, value));
            body.resize(body.len().next_multiple_of(4), 0);
        }
        for cut in 0..body.len() {
            super::listed(&body[..cut]);
        }
        super::listed(&body)
    }

    #[test]
    fn a_neighbour_has_both_addresses() {
        let mac = [2, 0, 0, 0, 0, 9];
        let known = Neighbour {
            address: Ipv4Addr::new(192, 0, 2, 9).into(),
            interface: 7,
            mac,
        };
        let both: [(u16, &[u8]); 2] = [(NDA_LLADDR, &mac), (NDA_DST, &[192, 0, 2, 9])];
        assert_eq!(listed(0x04, &both), Some(known));
        assert_eq!(listed(0x80, &both), Some(known));
        for (state, some) in [(0x20, &both[..]), (0x01, &both), (0x04, &both[1..])] {
            assert_eq!(listed(state, some), None, "{state}");
        }
        let v6: [(u16, &[u8]); 2] = [(NDA_DST, &[0x20; 16]), (NDA_LLADDR, &mac)];
        let address = listed(0x02, &v6).unwrap().address;
        assert_eq!(address, IpAddr::from([0x20; 16]));
        // InfiniBand's are longer.
        let other: [(u16, &[u8]); 2] = [(NDA_DST, &[1; 4]), (NDA_LLADDR, &[0; 20])];
        assert_eq!(listed(0x02, &other), None);
    }

    #[test]
    fn a_part_of_a_bond_has_the_bond_s_link_and_one_of_a_vrf_its_own() {
        let master_of = |kind: &[u8]| {
            let mut slave_kind = attribute(IFLA_INFO_SLAVE_KIND, kind);
            slave_kind.resize(slave_kind.len().next_multiple_of(4), 0);
            let parts = [
                vec![0; LINK_HEADER],
                attribute(libc::IFLA_MASTER, &9_u32.to_ne_bytes()),
                attribute(libc::IFLA_LINKINFO, &slave_kind),
            ];
            master(&parts.concat())
        };
        assert_eq!(master_of(b"bond\0"), Some(9));
        assert_eq!(master_of(b"vrf\0"), None);
        assert_eq!(master(&[0; LINK_HEADER]), None);
    }
}

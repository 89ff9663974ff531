//! Socket addresses as the kernel writes them.

use std::net::{Ipv4Addr, Ipv6Addr, SocketAddr, SocketAddrV4, SocketAddrV6};

/// Buffer for an IPv4 or IPv6 socket address, aligned as the kernel requires.
#[derive(Clone, Copy, Debug)]
#[repr(C, align(8))]
pub(crate) struct Name(pub(crate) [u8; 32]);

/// `AF_INET` and `AF_INET6` as written in a socket address.
#[expect(clippy::cast_possible_truncation, reason = "2 and 10")]
const V4: u16 = libc::AF_INET as u16;
#[expect(clippy::cast_possible_truncation, reason = "2 and 10")]
const V6: u16 = libc::AF_INET6 as u16;
/// `AF_PACKET`.
#[expect(clippy::cast_possible_truncation, reason = "17")]
const PACKET: u16 = libc::AF_PACKET as u16;

impl Name {
    pub(crate) const EMPTY: Self = Self([0; 32]);

    /// Octets of [`Self::of_link`].
    pub(crate) const LINK_OCTETS: u32 = 20;

    /// A station on the link of an interface, for packets of this protocol (`sockaddr_ll`).
    pub(crate) fn of_link(protocol: u16, interface: u32, mac: [u8; 6]) -> Self {
        let mut name = Self::EMPTY;
        let octets = &mut name.0;
        octets[0..2].copy_from_slice(&PACKET.to_ne_bytes());
        octets[2..4].copy_from_slice(&protocol.to_be_bytes());
        octets[4..8].copy_from_slice(&interface.to_ne_bytes());
        octets[11] = 6;
        octets[12..18].copy_from_slice(&mac);
        name
    }

    /// The EUI-48 address of a station; `None` for that of a group.
    pub(crate) fn mac(&self) -> Option<[u8; 6]> {
        let family = u16::from_ne_bytes([self.0[0], self.0[1]]);
        let is_mac = family == PACKET && self.0[11] == 6 && self.0[12] & 1 == 0;
        self.0[12..].first_chunk().copied().filter(|_| is_mac)
    }

    /// The address and its length in octets.
    pub(crate) fn of(address: &SocketAddr) -> (Self, u32) {
        let mut name = Self::EMPTY;
        let octets = &mut name.0;
        match address {
            SocketAddr::V4(v4) => {
                octets[0..2].copy_from_slice(&V4.to_ne_bytes());
                octets[2..4].copy_from_slice(&v4.port().to_be_bytes());
                octets[4..8].copy_from_slice(&v4.ip().octets());
                (name, 16)
            }
            SocketAddr::V6(v6) => {
                octets[0..2].copy_from_slice(&V6.to_ne_bytes());
                octets[2..4].copy_from_slice(&v6.port().to_be_bytes());
                octets[4..8].copy_from_slice(&v6.flowinfo().to_ne_bytes());
                octets[8..24].copy_from_slice(&v6.ip().octets());
                octets[24..28].copy_from_slice(&v6.scope_id().to_ne_bytes());
                (name, 28)
            }
        }
    }

    /// Its first octets.
    pub(crate) fn octets(&self, count: u32) -> &[u8] {
        self.0.get(..count as usize).unwrap_or_default()
    }

    pub(crate) fn address(&self) -> Option<SocketAddr> {
        address(&self.0)
    }
}

/// Reads a socket address; `None` if it is of another family or too short.
pub(crate) fn address(octets: &[u8]) -> Option<SocketAddr> {
    let family = u16::from_ne_bytes(*octets.first_chunk()?);
    let port = u16::from_be_bytes(*octets.get(2..)?.first_chunk()?);
    let after_port = octets.get(4..)?;
    if family == V4 {
        let ip = Ipv4Addr::from(*after_port.first_chunk::<4>()?);
        return Some(SocketAddr::V4(SocketAddrV4::new(ip, port)));
    }
    if family == V6 {
        let ip = Ipv6Addr::from(*octets.get(8..)?.first_chunk::<16>()?);
        let scope = u32::from_ne_bytes(*octets.get(24..)?.first_chunk()?);
        // The flow label of a reply does not identify its sender.
        return Some(SocketAddr::V6(SocketAddrV6::new(ip, port, 0, scope)));
    }
    None
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn addresses_survive() {
        for text in ["192.0.2.1:862", "[2001:db8::1]:20001", "[fe80::1%7]:9"] {
            let address: SocketAddr = text.parse().unwrap();
            let (name, octets) = Name::of(&address);
            assert_eq!(name.address(), Some(address));
            assert_eq!(octets, if address.is_ipv4() { 16 } else { 28 });
        }
        assert_eq!(Name::EMPTY.address(), None);
        let station = Name::of_link(0x0800, 7, [2, 0, 0, 0, 0, 9]);
        assert_eq!(
            (station.address(), station.mac()),
            (None, Some([2, 0, 0, 0, 0, 9]))
        );
        assert_eq!(Name::of_link(0x0800, 7, [0xff; 6]).mac(), None);
        assert_eq!(Name::EMPTY.mac(), None);
    }
}

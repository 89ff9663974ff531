//! IP and UDP headers, where a packet socket leaves them to us (RFC 791, RFC 8200, RFC 768).

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use std::ops::Range;

use twinpath_wire::Tos;

const UDP: u8 = 17;
const UDP_HEADER: usize = 8;
const V4_HEADER: usize = 20;
const V6_HEADER: usize = 40;
/// The IPv4 flag DF; with it the identification means nothing (RFC 6864).
const DONT_FRAGMENT: u16 = 0x4000;
/// IPv4: MF and the offset.
const FRAGMENT: u16 = 0x3fff;

/// The headers of a datagram to send.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Headers {
    octets: [u8; V6_HEADER + UDP_HEADER],
    count: usize,
}

impl Headers {
    /// Of `payload`, from one address to another of the same family; it is not fragmented. `None`: that
    /// is longer than UDP can carry.
    pub(super) fn of(
        payload: &[u8],
        from: (IpAddr, u16),
        to: SocketAddr,
        tos: Tos,
        ttl: u8,
    ) -> Option<Self> {
        let udp_octets = u16::try_from(payload.len() + UDP_HEADER).ok()?;
        let mut udp = [0; UDP_HEADER];
        let fields = [from.1, to.port(), udp_octets];
        for (field, value) in udp.chunks_exact_mut(2).zip(fields) {
            field.copy_from_slice(&value.to_be_bytes());
        }
        let sum = pseudo(from.0, to.ip(), udp_octets).add(&udp).add(payload);
        udp[6..].copy_from_slice(&match sum.checksum() {
            // 0 stands for no checksum.
            0 => [0xff; 2],
            checksum => checksum.to_be_bytes(),
        });
        let mut headers = Self {
            octets: [0; V6_HEADER + UDP_HEADER],
            count: 0,
        };
        match (from.0, to.ip()) {
            (IpAddr::V4(from), IpAddr::V4(to)) => {
                let octets = udp_octets.checked_add(20)?;
                headers.push(&v4(from, to, octets, tos, ttl));
            }
            (IpAddr::V6(from), IpAddr::V6(to)) => {
                let [first, second] = (0x6000 | u16::from(tos.0) << 4).to_be_bytes();
                headers.push(&[first, second, 0, 0]);
                headers.push(&udp_octets.to_be_bytes());
                headers.push(&[UDP, ttl]);
                headers.push(&from.octets());
                headers.push(&to.octets());
            }
            _ => return None,
        }
        headers.push(&udp);
        Some(headers)
    }

    fn push(&mut self, octets: &[u8]) {
        let rest = self.octets.iter_mut().skip(self.count);
        for (to, from) in rest.zip(octets) {
            *to = *from;
        }
        self.count += octets.len();
    }

    pub(super) fn octets(&self) -> &[u8] {
        self.octets.get(..self.count).unwrap_or_default()
    }
}

fn v4(from: Ipv4Addr, to: Ipv4Addr, octets: u16, tos: Tos, ttl: u8) -> [u8; V4_HEADER] {
    let mut header = [0; V4_HEADER];
    header[..2].copy_from_slice(&[0x45, tos.0]);
    header[2..4].copy_from_slice(&octets.to_be_bytes());
    header[6..8].copy_from_slice(&DONT_FRAGMENT.to_be_bytes());
    header[8..10].copy_from_slice(&[ttl, UDP]);
    header[12..16].copy_from_slice(&from.octets());
    header[16..].copy_from_slice(&to.octets());
    let checksum = Sum::default().add(&header).checksum();
    header[10..12].copy_from_slice(&checksum.to_be_bytes());
    header
}

/// A datagram that was received with its headers.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Received {
    pub(super) from: (IpAddr, u16),
    pub(super) to: IpAddr,
    pub(super) ttl: u8,
    pub(super) tos: Tos,
    /// Where the payload is.
    pub(super) payload: Range<usize>,
}

impl Received {
    /// What is in these octets. `is_checked`: the UDP checksum was verified, or is not there yet. `None`:
    /// no whole datagram, or a damaged one.
    pub(super) fn read(packet: &[u8], is_checked: bool) -> Option<Self> {
        let field = |at: usize| Some(u16::from_be_bytes(*packet.get(at..)?.first_chunk()?));
        let octet = |at: usize| packet.get(at).copied();
        let (header, from, to): (_, IpAddr, IpAddr);
        let [kind, ttl, tos] = match octet(0)? >> 4 {
            4 => {
                header = usize::from(octet(0)? & 0x0f) * 4;
                let octets = packet.get(..header.max(V4_HEADER))?;
                if Sum::default().add(octets).checksum() != 0 || field(6)? & FRAGMENT != 0 {
                    return None;
                }
                from = Ipv4Addr::from(*octets.get(12..)?.first_chunk::<4>()?).into();
                to = Ipv4Addr::from(*octets.get(16..)?.first_chunk::<4>()?).into();
                [octet(9)?, octet(8)?, octet(1)?]
            }
            6 => {
                header = V6_HEADER;
                from = Ipv6Addr::from(*packet.get(8..)?.first_chunk::<16>()?).into();
                to = Ipv6Addr::from(*packet.get(24..)?.first_chunk::<16>()?).into();
                let [_, tos] = (field(0)? >> 4).to_be_bytes();
                [octet(6)?, octet(7)?, tos]
            }
            _ => return None,
        };
        let (port, udp_octets, checksum) = (field(header)?, field(header + 4)?, field(header + 6)?);
        // A frame may be longer than the datagram in it.
        let end = header + usize::from(udp_octets);
        let udp = packet.get(header..end).filter(|_| kind == UDP)?;
        let has_none = checksum == 0 && from.is_ipv4();
        if !(is_checked || has_none) && pseudo(from, to, udp_octets).add(udp).checksum() != 0 {
            return None;
        }
        let payload = header + UDP_HEADER..end;
        Some(Self {
            from: (from, port),
            to,
            ttl,
            tos: Tos(tos),
            payload,
        })
        .filter(|it| it.payload.start <= it.payload.end)
    }
}

/// The sum of the pseudo-header.
fn pseudo(from: IpAddr, to: IpAddr, udp_octets: u16) -> Sum {
    let sum = Sum::default().add(&[0, UDP]).add(&udp_octets.to_be_bytes());
    let add = |sum: Sum, address| match address {
        IpAddr::V4(v4) => sum.add(&Ipv4Addr::octets(&v4)),
        IpAddr::V6(v6) => sum.add(&Ipv6Addr::octets(&v6)),
    };
    add(add(sum, from), to)
}

/// A sum of 16-bit words in ones' complement (RFC 1071).
#[derive(Clone, Copy, Default)]
struct Sum(u64);

impl Sum {
    /// Octets that begin at a word.
    fn add(self, octets: &[u8]) -> Self {
        let mut sum = self.0;
        // The order of octets does not matter to the sum but for the result's: 32 bits at once.
        let mut words = octets.chunks_exact(4);
        for word in &mut words {
            sum += word
                .first_chunk()
                .map_or(0, |word| u64::from(u32::from_be_bytes(*word)));
        }
        let mut last = [0; 4];
        for (to, from) in last.iter_mut().zip(words.remainder()) {
            *to = *from;
        }
        Self(sum + u64::from(u32::from_be_bytes(last)))
    }

    /// The complement of the folded sum: 0 over octets with their own checksum.
    fn checksum(self) -> u16 {
        let mut sum = self.0;
        while sum > 0xffff {
            sum = (sum >> 16) + (sum & 0xffff);
        }
        !u16::try_from(sum).unwrap_or(0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const ENDS: [(&str, &str); 2] = [
        ("192.0.2.1", "198.51.100.2:862"),
        ("2001:db8::1", "[fe80::2]:862"),
    ];

    fn packet(payload: &[u8], from: &str, to: &str) -> Vec<u8> {
        let from = (from.parse().unwrap(), 20_000);
        let headers = Headers::of(payload, from, to.parse().unwrap(), Tos(0xb9), 77);
        [headers.unwrap().octets(), payload].concat()
    }

    #[test]
    fn what_is_written_is_read_whatever_its_length() {
        for (from, to) in ENDS {
            for octets in [0, 1, 2, 3, 44, 45, 1_472] {
                let payload: Vec<u8> = (0..=250).cycle().take(octets).collect();
                let mut packet = packet(&payload, from, to);
                let header = packet.len() - payload.len();
                assert_eq!(header, if from.contains(':') { 48 } else { 28 });
                // A short frame is filled up.
                packet.extend([0; 9]);
                let to: SocketAddr = to.parse().unwrap();
                let known = Received {
                    from: (from.parse().unwrap(), 20_000),
                    to: to.ip(),
                    ttl: 77,
                    tos: Tos(0xb9),
                    payload: header..header + octets,
                };
                assert_eq!(
                    Received::read(&packet, false),
                    Some(known),
                    "{from} {octets}"
                );
            }
        }
    }

    #[test]
    fn a_changed_bit_is_noticed_and_no_part_is_a_whole() {
        for (from, to) in ENDS {
            let packet = packet(b"twenty-one octets of it", from, to);
            for cut in 0..packet.len() {
                assert_eq!(Received::read(&packet[..cut], true), None, "{cut}");
            }
            for at in 0..packet.len() {
                // Flow label, length, hop limit and traffic class of IPv6 have no checksum.
                if from.contains(':') && (at < 6 || at == 7) {
                    continue;
                }
                let mut changed = packet.clone();
                changed[at] ^= 0x10;
                assert_eq!(Received::read(&changed, false), None, "{at}");
            }
        }
    }

    #[test]
    fn a_checksum_that_is_not_there_yet_or_not_at_all_is_not_missed() {
        let mut v4 = packet(b"payload", ENDS[0].0, ENDS[0].1);
        v4[26..28].fill(0);
        assert!(Received::read(&v4, false).is_some());
        let mut v6 = packet(b"payload", ENDS[1].0, ENDS[1].1);
        v6[46..48].fill(0);
        assert!(Received::read(&v6, false).is_none() && Received::read(&v6, true).is_some());
    }

    #[test]
    fn fragments_and_other_protocols_are_not_read() {
        let mut fragment = packet(b"payload", ENDS[0].0, ENDS[0].1);
        fragment[6] = 0x20;
        fragment[10..12].fill(0);
        let checksum = Sum::default().add(&fragment[..20]).checksum();
        fragment[10..12].copy_from_slice(&checksum.to_be_bytes());
        assert!(Received::read(&fragment, true).is_none());
        let mut tcp = packet(b"payload", ENDS[1].0, ENDS[1].1);
        tcp[6] = 6;
        assert!(Received::read(&tcp, true).is_none());
        let families = Headers::of(
            b"",
            ([1; 4].into(), 1),
            ENDS[1].1.parse().unwrap(),
            Tos(0),
            1,
        );
        assert_eq!(families, None);
        let to = ENDS[0].1.parse().unwrap();
        let of = |octets| Headers::of(&vec![0; octets], ([1; 4].into(), 1), to, Tos(0), 1);
        assert!(of(65_507).is_some() && of(65_508).is_none());
    }

    #[test]
    fn an_ipv4_header_with_options_is_longer() {
        let plain = packet(b"payload", ENDS[0].0, ENDS[0].1);
        let mut packet = [&plain[..20], &[1, 1, 1, 0], &plain[20..]].concat();
        packet[0] = 0x46;
        packet[10..12].fill(0);
        let checksum = Sum::default().add(&packet[..24]).checksum();
        packet[10..12].copy_from_slice(&checksum.to_be_bytes());
        let received = Received::read(&packet, false).unwrap();
        assert_eq!(packet[received.payload], *b"payload");
    }
}

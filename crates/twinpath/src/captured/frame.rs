//! From a captured frame to the UDP datagram in it.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};

use twinpath_wire::Tos;

use super::CaptureError;

const IPV4: u16 = 0x0800;
const IPV6: u16 = 0x86dd;
const VLANS: [u16; 3] = [0x8100, 0x88a8, 0x9100];
/// Tags, and extension headers, in a row at most.
const DEEPEST: usize = 8;
const UDP: u8 = 17;

/// A UDP datagram.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Datagram<'a> {
    pub(super) from: SocketAddr,
    pub(super) to: SocketAddr,
    pub(super) ttl: u8,
    pub(super) tos: Tos,
    /// What was captured of its payload.
    pub(super) payload: &'a [u8],
    /// How long its payload was.
    pub(super) octets: usize,
}

/// The datagram in a frame of this link; `None`: something else.
pub(super) fn udp(link: u32, frame: &[u8]) -> Result<Option<Datagram<'_>>, CaptureError> {
    let (protocol, packet) = match link {
        // Ethernet.
        1 => (be16(frame, 12), after(frame, 14)),
        // Linux cooked capture, both versions.
        113 => (be16(frame, 14), after(frame, 16)),
        276 => (be16(frame, 0), after(frame, 20)),
        // BSD loopback: a family of the capturing host, then IP.
        0 | 108 => (None, after(frame, 4)),
        // Raw IP.
        12 | 14 | 101 | 228 | 229 => (None, Some(frame)),
        other => return Err(CaptureError::Link(other)),
    };
    let Some(mut packet) = packet else {
        return Ok(None);
    };
    let mut protocol = protocol;
    for _ in 0..DEEPEST {
        match protocol {
            Some(tag) if VLANS.contains(&tag) => {
                protocol = be16(packet, 2);
                packet = after(packet, 4).unwrap_or_default();
            }
            Some(IPV4 | IPV6) | None => return Ok(ip(packet)),
            Some(_) => return Ok(None),
        }
    }
    Ok(None)
}

fn ip(packet: &[u8]) -> Option<Datagram<'_>> {
    match packet.first()? >> 4 {
        4 => v4(packet),
        6 => v6(packet),
        _ => None,
    }
}

fn v4(packet: &[u8]) -> Option<Datagram<'_>> {
    let header = usize::from(packet.first()? & 0x0f) * 4;
    let fragment = be16(packet, 6)? & 0x1fff;
    if header < 20 || fragment != 0 || *packet.get(9)? != UDP {
        return None;
    }
    let total = usize::from(be16(packet, 2)?);
    let address = |at: usize| {
        let octets: [u8; 4] = *packet.get(at..)?.first_chunk()?;
        Some(IpAddr::V4(Ipv4Addr::from(octets)))
    };
    let (from, to) = (address(12)?, address(16)?);
    // A total length of 0 is that of a packet that the interface is to cut (segmentation offload).
    let packet = match total {
        0 => packet,
        total => packet.get(..total).unwrap_or(packet),
    };
    let marking = (Tos(*packet.get(1)?), *packet.get(8)?);
    datagram([from, to], marking, after(packet, header)?)
}

fn v6(packet: &[u8]) -> Option<Datagram<'_>> {
    let tos = u8::try_from(be16(packet, 0)? >> 4 & 0xff).ok()?;
    let ttl = *packet.get(7)?;
    let address = |at: usize| {
        let octets: [u8; 16] = *packet.get(at..)?.first_chunk()?;
        Some(IpAddr::V6(Ipv6Addr::from(octets)))
    };
    let ends = [address(8)?, address(24)?];
    let length = usize::from(be16(packet, 4)?);
    let mut next = *packet.get(6)?;
    let mut rest = after(packet, 40)?;
    if length > 0 {
        rest = rest.get(..length).unwrap_or(rest);
    }
    for _ in 0..DEEPEST {
        match next {
            UDP => return datagram(ends, (Tos(tos), ttl), rest),
            // Hop-by-Hop, Routing and Destination Options.
            0 | 43 | 60 => {
                next = *rest.first()?;
                rest = after(rest, 8 + usize::from(*rest.get(1)?) * 8)?;
            }
            // Fragment: the first one has the header.
            44 => {
                if be16(rest, 2)? >> 3 != 0 {
                    return None;
                }
                next = *rest.first()?;
                rest = after(rest, 8)?;
            }
            _ => return None,
        }
    }
    None
}

fn datagram(ends: [IpAddr; 2], marking: (Tos, u8), udp: &[u8]) -> Option<Datagram<'_>> {
    let [from, to] = ends;
    let octets = usize::from(be16(udp, 4)?).checked_sub(8)?;
    let payload = after(udp, 8)?;
    Some(Datagram {
        from: SocketAddr::new(from, be16(udp, 0)?),
        to: SocketAddr::new(to, be16(udp, 2)?),
        tos: marking.0,
        ttl: marking.1,
        payload: payload.get(..octets).unwrap_or(payload),
        octets,
    })
}

fn after(octets: &[u8], at: usize) -> Option<&[u8]> {
    octets.get(at..)
}

fn be16(octets: &[u8], at: usize) -> Option<u16> {
    Some(u16::from_be_bytes(*octets.get(at..)?.first_chunk()?))
}

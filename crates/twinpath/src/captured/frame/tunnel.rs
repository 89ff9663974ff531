//! What a datagram to a tunnel's port carries, if its header is one of that tunnel in all that is
//! fixed, and what it carries fits to the last octet. A test packet on such a port begins with its
//! number, and any number can be one of a header.

use super::{Layer, NotDatagram, after, ether_type, gre, is_ethernet, is_ip, mpls};

/// `octets`: how long the payload was, of which this was captured.
pub(super) fn carried<'a>(
    [from, to]: [u16; 2],
    payload: &'a [u8],
    octets: usize,
) -> Result<Option<(Layer, &'a [u8])>, NotDatagram> {
    let fitting = |found: Result<(Layer, &'a [u8]), NotDatagram>| {
        let found = found.ok();
        found.filter(|(layer, rest)| fits(*layer, rest, octets, payload.len()))
    };
    match (to, payload) {
        // VXLAN (RFC 7348 section 5), on its port and on the one that Linux had before, and as
        // VXLAN-GPE has it.
        (4789 | 8472 | 4790, [8, 0, 0, 0, _, _, _, 0, frame @ ..]) => {
            Ok(fitting(Ok((Layer::Ethernet, frame))))
        }
        // VXLAN-GPE: what comes next has a number (draft-ietf-nvo3-vxlan-gpe-13 section 3).
        (4790, [4 | 12, 0, 0, next, _, _, _, 0, rest @ ..]) => match next {
            1 | 2 => Ok(fitting(Ok((Layer::Ip, rest)))),
            3 => Ok(fitting(Ok((Layer::Ethernet, rest)))),
            4 => Err(NotDatagram::Wrapped("NSH")),
            5 => Ok(fitting(mpls(rest))),
            _ => Err(NotDatagram::Wrapped("VXLAN-GPE")),
        },
        // Geneve (RFC 8926 section 3.4).
        (6081, [options, flags, high, low, ..]) if options >> 6 == 0 && flags << 2 == 0 => {
            let kind = u16::from_be_bytes([*high, *low]);
            let header = 8 + 4 * usize::from(options & 0x3f);
            Ok(fitting(
                after(payload, header).map(|rest| (Layer::Type(kind), rest)),
            ))
        }
        // MPLS (RFC 7510), GRE (RFC 8086) and LISP (RFC 9300 section 5.1).
        (6635, _) => Ok(fitting(mpls(payload))),
        (4754, _) => Ok(fitting(gre(payload))),
        (4341, _) => Ok(fitting(after(payload, 8).map(|rest| (Layer::Ip, rest)))),
        _ if [from, to].contains(&3544) => {
            Ok(fitting(teredo(payload).map(|rest| (Layer::Ip, rest))))
        }
        // GUE (draft-ietf-intarea-gue-09 section 3) of IP: with a header, or without one.
        (6080, [0..=0x1f, 4 | 41, _, _, ..]) if gue(payload, octets) => {
            Err(NotDatagram::Wrapped("GUE"))
        }
        (6080, _) if is_ip(payload, octets) => Err(NotDatagram::Wrapped("GUE")),
        // GTP-U of a user's packet (3GPP TS 29.281).
        (2152, [flags, 0xff, ..]) if flags & 0xf0 == 0x30 => Err(NotDatagram::Wrapped("GTP")),
        // L2TP: a data message (RFC 2661 section 3.1).
        (1701, [flags, 2, ..]) if flags & 0x80 == 0 => Err(NotDatagram::Wrapped("L2TP")),
        // WireGuard: data.
        (51820, [4, 0, 0, 0, ..]) if octets >= 32 && octets.is_multiple_of(16) => {
            Err(NotDatagram::Wrapped("WireGuard"))
        }
        _ => Ok(None),
    }
}

/// Whether what is behind the headers of a tunnel fits to the last octet.
fn fits(layer: Layer, rest: &[u8], octets: usize, captured: usize) -> bool {
    let left = octets.saturating_sub(captured.saturating_sub(rest.len()));
    match layer {
        Layer::Ip | Layer::Type(ether_type::IPV4 | ether_type::IPV6) => is_ip(rest, left),
        Layer::Ethernet | Layer::Type(ether_type::ETHERNET) => is_ethernet(rest),
        Layer::Type(kind) if ether_type::MPLS.contains(&kind) => {
            mpls(rest).is_ok_and(|(layer, inner)| fits(layer, inner, left, rest.len()))
        }
        Layer::Type(_) | Layer::Mpls | Layer::Ppp | Layer::Gre | Layer::EtherIp | Layer::Udp => {
            false
        }
    }
}

/// IPv6 behind the indications of a Teredo client or server (RFC 4380 section 5.1.1).
fn teredo(mut rest: &[u8]) -> Result<&[u8], NotDatagram> {
    if let [0, 1, name, value, ..] = *rest {
        rest = after(rest, 13 + usize::from(name) + usize::from(value))?;
    }
    if let [0, 0, ..] = *rest {
        rest = after(rest, 8)?;
    }
    Ok(rest)
}

/// Whether IP fits behind the header and its options.
fn gue(payload: &[u8], octets: usize) -> bool {
    let header = payload
        .first()
        .map_or(0, |first| 4 + 4 * usize::from(first & 0x1f));
    let rest = payload.get(header..).unwrap_or_default();
    is_ip(rest, octets.saturating_sub(header))
}

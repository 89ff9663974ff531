//! Filters of sockets, in the kernel's first machine language (`linux/filter.h`).

use std::io;
use std::net::IpAddr;

use socket2::{SockFilter, Socket};

const LOAD: u16 = 0x20;
const LOAD_HALF: u16 = 0x28;
const LOAD_OCTET: u16 = 0x30;
const LOAD_HALF_AT_X: u16 = 0x48;
/// X becomes the length of the IPv4 header at an offset.
const HEADER_TO_X: u16 = 0xb1;
const AND: u16 = 0x54;
const IF_EQUAL: u16 = 0x15;
const RETURN: u16 = 0x06;

/// What the kernel knows of a packet, at offsets of their own.
const PROTOCOL: u32 = 0xffff_f000;
const VLAN_TAG_PRESENT: u32 = 0xffff_f000 + 48;
const IPV4: u32 = 0x0800;
const IPV6: u32 = 0x86dd;
const UDP: u32 = 17;

/// A UDP socket that receives nothing from now on, and keeps its port.
pub(super) fn nothing(socket: &Socket) -> io::Result<()> {
    socket.attach_filter(&[SockFilter::new(RETURN, 0, 0, 0)])
}

/// A packet socket that begins at IP headers receives whole UDP datagrams of one family to this port, and
/// to this address if one is given. Frames of a VLAN on the interface are another network's.
pub(super) fn datagrams(
    socket: &Socket,
    v6: bool,
    to: Option<IpAddr>,
    port: u16,
) -> io::Result<()> {
    let load = |code, k| SockFilter::new(code, 0, 0, k);
    // What is loaded, and what it must be.
    let mut tests = vec![
        (vec![load(LOAD, VLAN_TAG_PRESENT)], 0),
        (vec![load(LOAD, PROTOCOL)], if v6 { IPV6 } else { IPV4 }),
        (vec![load(LOAD_OCTET, if v6 { 6 } else { 9 })], UDP),
    ];
    match to {
        Some(IpAddr::V4(to)) => tests.push((vec![load(LOAD, 16)], to.to_bits())),
        Some(IpAddr::V6(to)) => {
            for (at, word) in (24..).step_by(4).zip(to.octets().chunks_exact(4)) {
                let word = word
                    .first_chunk()
                    .map_or(0, |word| u32::from_be_bytes(*word));
                tests.push((vec![load(LOAD, at)], word));
            }
        }
        None => {}
    }
    if v6 {
        tests.push((vec![load(LOAD_HALF, 42)], port.into()));
    } else {
        // No fragment; the header has a length.
        tests.push((vec![load(LOAD_HALF, 6), load(AND, 0x3fff)], 0));
        let to_port = vec![load(HEADER_TO_X, 0), load(LOAD_HALF_AT_X, 2)];
        tests.push((to_port, port.into()));
    }
    let mut program = vec![
        SockFilter::new(RETURN, 0, 0, 0),
        SockFilter::new(RETURN, 0, 0, u32::MAX),
    ];
    // From the end, where it is known how far it is to the refusal.
    for (loads, value) in tests.into_iter().rev() {
        let to_refusal = u8::try_from(program.len() - 1).unwrap_or(u8::MAX);
        program.push(SockFilter::new(IF_EQUAL, 0, to_refusal, value));
        program.extend(loads.into_iter().rev());
    }
    program.reverse();
    socket.attach_filter(&program)
}

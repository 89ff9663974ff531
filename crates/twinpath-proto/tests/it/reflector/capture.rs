//! UDP over IPv4 in Ethernet, out of a capture file: as much as our captures need.

use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::path::Path;

use pcap_parser::PcapCapture;
use twinpath_wire::{Arrival, Rung, Stamp, Tos, Wall};

pub(crate) struct Datagram {
    pub(crate) number: usize,
    pub(crate) arrival: Arrival,
    pub(crate) octets: Vec<u8>,
}

/// All UDP datagrams of a capture; never none.
pub(crate) fn datagrams(file: &str) -> Vec<Datagram> {
    let path = Path::new(env!("CARGO_MANIFEST_DIR"))
        .join("../../testdata/captures")
        .join(file);
    let octets = std::fs::read(path).unwrap();
    let packets = PcapCapture::from_file(&octets).unwrap().blocks;
    let mut found = Vec::new();
    for (number, packet) in (1..).zip(packets) {
        let at = Wall::from_unix_ns(
            i64::from(packet.ts_sec) * 1_000_000_000 + i64::from(packet.ts_usec) * 1_000,
        );
        if let Some((arrival, octets)) = udp(packet.data, at) {
            found.push(Datagram {
                number,
                arrival,
                octets,
            });
        }
    }
    assert!(!found.is_empty(), "{file}");
    found
}

/// The requests that came to `port`, each with the reply that was recorded after it.
pub(crate) fn exchanges(file: &str, port: u16) -> Vec<(Datagram, Datagram)> {
    let (requests, replies): (Vec<_>, Vec<_>) = datagrams(file)
        .into_iter()
        .partition(|datagram| datagram.arrival.to_port == port);
    assert_eq!(requests.len(), replies.len(), "{file}");
    requests.into_iter().zip(replies).collect()
}

fn udp(frame: &[u8], at: Wall) -> Option<(Arrival, Vec<u8>)> {
    const UDP: u8 = 17;
    let ip = frame
        .strip_prefix(&frame[..12])?
        .strip_prefix(&[0x08, 0x00])?;
    if ip[0] != 0x45 || ip[9] != UDP {
        return None;
    }
    let address = |at: usize| IpAddr::V4(Ipv4Addr::new(ip[at], ip[at + 1], ip[at + 2], ip[at + 3]));
    let port = |at: usize| u16::from_be_bytes([ip[at], ip[at + 1]]);
    let arrival = Arrival {
        to: Some(address(16)),
        to_port: port(22),
        ttl: Some(ip[8]),
        tos: Some(Tos(ip[1])),
        interface: 1,
        ..Arrival::new(
            Stamp {
                at,
                rung: Rung::Kernel,
            },
            SocketAddr::new(address(12), port(20)),
        )
    };
    let end = 20 + usize::from(u16::from_be_bytes([ip[24], ip[25]]));
    Some((arrival, ip[28..end].to_vec()))
}

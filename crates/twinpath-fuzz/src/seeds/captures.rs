//! UDP and TCP over IPv4 in Ethernet, out of a capture file: as much as our captures need.

use std::net::{Ipv4Addr, SocketAddr};
use std::path::{Path, PathBuf};

use pcap_parser::PcapCapture;
use twinpath_wire::Wall;

const TCP: u8 = 6;
const UDP: u8 = 17;

pub(super) struct Datagram {
    pub(super) at: Wall,
    pub(super) from: SocketAddr,
    pub(super) to_port: u16,
    pub(super) ttl: u8,
    pub(super) tos: u8,
    pub(super) octets: Vec<u8>,
}

/// What each side of a control connection said, whole.
pub(super) struct Streams {
    pub(super) client: Vec<u8>,
    pub(super) server: Vec<u8>,
}

/// A file of `testdata/captures`.
pub(super) fn path(file: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR"))
        .join("../../testdata/captures")
        .join(file)
}

/// The file as it is.
pub(super) fn octets(file: &str) -> Vec<u8> {
    std::fs::read(path(file)).expect(file)
}

/// IPv4 packets with their times.
fn packets(file: &str) -> Vec<(Wall, Vec<u8>)> {
    let octets = std::fs::read(path(file)).expect(file);
    let packets = PcapCapture::from_file(&octets).expect(file).blocks;
    let mut found = Vec::new();
    for packet in packets {
        let at = i64::from(packet.ts_sec) * 1_000_000_000 + i64::from(packet.ts_usec) * 1_000;
        if packet.data.get(12..15) == Some(&[0x08, 0x00, 0x45]) {
            found.push((Wall::from_unix_ns(at), packet.data[14..].to_vec()));
        }
    }
    found
}

fn u16_at(octets: &[u8], at: usize) -> u16 {
    u16::from_be_bytes([octets[at], octets[at + 1]])
}

/// All UDP datagrams of a capture; never none.
pub(super) fn datagrams(file: &str) -> Vec<Datagram> {
    let udp = packets(file).into_iter().filter(|(_, ip)| ip[9] == UDP);
    let found: Vec<Datagram> = udp
        .map(|(at, ip)| Datagram {
            at,
            from: SocketAddr::from((
                Ipv4Addr::new(ip[12], ip[13], ip[14], ip[15]),
                u16_at(&ip, 20),
            )),
            to_port: u16_at(&ip, 22),
            ttl: ip[8],
            tos: ip[1],
            octets: ip[28..20 + usize::from(u16_at(&ip, 24))].to_vec(),
        })
        .collect();
    assert!(!found.is_empty(), "{file}");
    found
}

/// The control connection of a capture of the loopback, where nothing is lost or reordered; `port`
/// is the Server's.
pub(super) fn streams(file: &str, port: u16) -> Streams {
    let (mut client, mut server) = (Vec::new(), Vec::new());
    for (_, ip) in packets(file).into_iter().filter(|(_, ip)| ip[9] == TCP) {
        let tcp = &ip[20..usize::from(u16_at(&ip, 2))];
        let octets = &tcp[usize::from(tcp[12] >> 4) * 4..];
        if u16_at(tcp, 0) == port {
            server.extend_from_slice(octets);
        } else {
            client.extend_from_slice(octets);
        }
    }
    assert!(!client.is_empty() && !server.is_empty(), "{file}");
    Streams { client, server }
}

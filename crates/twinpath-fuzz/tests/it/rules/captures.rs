//! UDP and TCP over IPv4 in Ethernet, out of a capture file: as much as our captures need.

use std::path::Path;

use pcap_parser::PcapCapture;

/// Captures with a control connection, and the Server's port there.
pub(super) const CONTROL: [(&str, u16); 9] = [
    ("unauthenticated.pcap", 8620),
    ("unauthenticated-padding-dscp.pcap", 8620),
    ("unauthenticated-zero-addresses.pcap", 8620),
    ("controller-twampy.pcap", 862),
    ("authenticated.pcap", 8620),
    ("authenticated-padding.pcap", 8620),
    ("encrypted.pcap", 8620),
    ("encrypted-padding.pcap", 8620),
    ("mixed.pcap", 8620),
];

/// Captures with test packets in the open.
pub(super) const TEST: [&str; 14] = [
    "unauthenticated.pcap",
    "unauthenticated-zero-addresses.pcap",
    "unauthenticated-padding-dscp.pcap",
    "mixed.pcap",
    "light-twampy.pcap",
    "light-twampy-imix.pcap",
    "stamp-open.pcap",
    "stamp-v1-ptp.pcap",
    "stamp-v1-no-extensions.pcap",
    "stamp-tlv.pcap",
    "stamp-v1-tlv.pcap",
    "stamp-v1-malformed.pcap",
    "stamp-v1-bad-flags.pcap",
    "stamp-authenticated.pcap",
];

const TCP: u8 = 6;
const UDP: u8 = 17;

pub(super) struct Datagram {
    pub(super) from_port: u16,
    pub(super) to_port: u16,
    pub(super) ttl: u8,
    pub(super) tos: u8,
    pub(super) octets: Vec<u8>,
}

/// IPv4 packets of a file of `testdata/captures`.
fn packets(file: &str) -> Vec<Vec<u8>> {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../testdata/captures");
    let octets = std::fs::read(path.join(file)).expect(file);
    let packets = PcapCapture::from_file(&octets).expect(file).blocks;
    let is_ip = |data: &[u8]| data.get(12..15) == Some(&[0x08, 0x00, 0x45]);
    let ip = packets.iter().filter(|packet| is_ip(packet.data));
    ip.map(|packet| packet.data[14..].to_vec()).collect()
}

fn u16_at(octets: &[u8], at: usize) -> u16 {
    u16::from_be_bytes([octets[at], octets[at + 1]])
}

/// All UDP datagrams of a capture; never none.
pub(super) fn datagrams(file: &str) -> Vec<Datagram> {
    let udp = packets(file).into_iter().filter(|ip| ip[9] == UDP);
    let found: Vec<Datagram> = udp
        .map(|ip| Datagram {
            from_port: u16_at(&ip, 20),
            to_port: u16_at(&ip, 22),
            ttl: ip[8],
            tos: ip[1],
            octets: ip[28..20 + usize::from(u16_at(&ip, 24))].to_vec(),
        })
        .collect();
    assert!(!found.is_empty(), "{file}");
    found
}

/// What client and Server said on the control connection of a capture of the loopback, where nothing
/// is lost or reordered; `port` is the Server's.
pub(super) fn streams(file: &str, port: u16) -> (Vec<u8>, Vec<u8>) {
    let (mut client, mut server) = (Vec::new(), Vec::new());
    for ip in packets(file).into_iter().filter(|ip| ip[9] == TCP) {
        let tcp = &ip[20..usize::from(u16_at(&ip, 2))];
        let octets = &tcp[usize::from(tcp[12] >> 4) * 4..];
        if u16_at(tcp, 0) == port {
            server.extend_from_slice(octets);
        } else {
            client.extend_from_slice(octets);
        }
    }
    assert!(!client.is_empty() && !server.is_empty(), "{file}");
    (client, server)
}

//! Packets of captures between other programs.

use std::net::SocketAddr;
use std::path::Path;

use twinpath_runtime::probe::{Departure, Reply, TrainSeen};
use twinpath_wire::{Rung, Stamp, Tos, Wall};

/// A packet over IPv4 on loopback.
pub(super) struct Packet {
    pub(super) at: Wall,
    pub(super) is_tcp: bool,
    pub(super) tos: u8,
    pub(super) ttl: u8,
    pub(super) from: u16,
    pub(super) to: u16,
    pub(super) octets: Vec<u8>,
}

/// The packets of a capture; it has the layout of little-endian pcap in microseconds or nanoseconds.
pub(super) fn packets(file: &str) -> Vec<Packet> {
    let path = Path::new(env!("CARGO_MANIFEST_DIR"))
        .join("../../testdata/captures")
        .join(file);
    let octets = std::fs::read(path).unwrap();
    let word = |at: usize| u32::from_le_bytes(*octets[at..].first_chunk().unwrap());
    let unit = match word(0) {
        0xa1b2_c3d4 => 1_000,
        0xa1b2_3c4d => 1,
        other => panic!("{file}: {other:x}"),
    };
    let mut packets = Vec::new();
    let mut at = 24;
    while at < octets.len() {
        let ns = i64::from(word(at)) * 1_000_000_000 + i64::from(word(at + 4)) * unit;
        let length = word(at + 8) as usize;
        let frame = &octets[at + 16..at + 16 + length];
        at += 16 + length;
        let ip = &frame[14..];
        if frame[12..14] != [8, 0] || !matches!(ip[9], 6 | 17) {
            continue;
        }
        let whole = usize::from(u16::from_be_bytes([ip[2], ip[3]]));
        let segment = &ip[20..whole];
        let is_tcp = ip[9] == 6;
        let header = if is_tcp {
            usize::from(segment[12] >> 4) * 4
        } else {
            8
        };
        packets.push(Packet {
            at: Wall::from_unix_ns(ns),
            is_tcp,
            tos: ip[1],
            ttl: ip[8],
            from: u16::from_be_bytes([segment[0], segment[1]]),
            to: u16::from_be_bytes([segment[2], segment[3]]),
            octets: segment[header..].to_vec(),
        });
    }
    packets
}

/// UDP packets to a reflector's port, and what came of them.
pub(super) fn exchanged(packets: &[Packet], port: u16) -> (Vec<Vec<u8>>, TrainSeen) {
    let udp = || packets.iter().filter(|packet| !packet.is_tcp);
    let stamp = |at| Stamp {
        at,
        rung: Rung::Kernel,
    };
    let requests = || udp().filter(|packet| packet.to == port);
    let from = SocketAddr::from(([127, 0, 0, 1], port));
    let replies = udp().filter(|packet| packet.from == port);
    let replies = replies.map(|packet| Reply {
        at: stamp(packet.at),
        from,
        octets: packet.octets.clone(),
        ttl: Some(packet.ttl),
        tos: Some(Tos(packet.tos)),
        fragment_octets: None,
    });
    let departures = requests().map(|packet| Departure::Left(stamp(packet.at)));
    let seen = TrainSeen {
        departures: departures.collect(),
        replies: replies.collect(),
        ..TrainSeen::default()
    };
    let octets = requests().map(|packet| packet.octets.clone());
    (octets.collect(), seen)
}

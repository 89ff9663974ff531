//! Captured packets survive decoding and encoding, and are read as their peers meant them.

use pcap_parser::PcapCapture;
use twinpath_wire::{
    Dscp, ErrorEstimate, ReflectorOpen, Reply, ReplyHead, SenderOpen, StampReflector, StampSender,
    TimeFormat, Tos, Wall, WireTime,
};
use zerocopy::IntoBytes;
use zerocopy::byteorder::big_endian::{U16, U32};

use crate::data;

struct Datagram {
    at: Wall,
    tos: Tos,
    to_port: u16,
    octets: Vec<u8>,
}

/// All UDP datagrams over IPv4 in a capture of Ethernet frames.
fn datagrams(file: &str) -> Vec<Datagram> {
    let path = data(&format!("captures/{file}.pcap"));
    let octets = std::fs::read(path).unwrap();
    let packets = PcapCapture::from_file(&octets).unwrap().blocks;
    let mut found = Vec::new();
    for packet in packets {
        let ip = &packet.data[14..];
        if ip[9] != 17 {
            continue;
        }
        let length = usize::from(u16::from_be_bytes([ip[24], ip[25]]));
        found.push(Datagram {
            at: Wall::from_unix_ns(
                i64::from(packet.ts_sec) * 1_000_000_000 + i64::from(packet.ts_usec) * 1_000,
            ),
            tos: Tos(ip[1]),
            to_port: u16::from_be_bytes([ip[22], ip[23]]),
            octets: ip[28..20 + length].to_vec(),
        });
    }
    found
}

fn time(time: WireTime) -> WireTime {
    WireTime::from_bits(time.bits())
}

fn estimate(error: ErrorEstimate) -> ErrorEstimate {
    ErrorEstimate::from_bits(error.bits())
}

/// A reply head rebuilt field by field.
fn head(head: &ReplyHead) -> ReplyHead {
    ReplyHead {
        seq: U32::new(head.seq.get()),
        t3: time(head.t3),
        error: estimate(head.error),
        ssid: U16::new(head.ssid.get()),
        t2: time(head.t2),
        sender_seq: U32::new(head.sender_seq.get()),
        sender_t1: time(head.sender_t1),
    }
}

/// Decodes into fields and encodes a new packet from them.
fn again(octets: &[u8], stamp: bool, request: bool) -> Vec<u8> {
    match (stamp, request) {
        (false, true) => {
            let (packet, rest) = SenderOpen::view(octets).unwrap();
            let new = SenderOpen {
                seq: U32::new(packet.seq.get()),
                t1: time(packet.t1),
                error: estimate(packet.error),
            };
            [new.as_bytes(), rest].concat()
        }
        (true, true) => {
            let (packet, rest) = StampSender::view(octets).unwrap();
            let new = StampSender {
                seq: U32::new(packet.seq.get()),
                t1: time(packet.t1),
                error: estimate(packet.error),
                ssid: U16::new(packet.ssid.get()),
                mbz: [0; 28],
            };
            [new.as_bytes(), rest].concat()
        }
        (true, false) => {
            let (packet, rest) = StampReflector::view(octets).unwrap();
            let new = StampReflector {
                head: head(&packet.head),
                sender_error: estimate(packet.sender_error),
                mbz: U16::ZERO,
                sender_ttl: packet.sender_ttl,
                mbz_end: [0; 3],
            };
            [new.as_bytes(), rest].concat()
        }
        (false, false) => {
            let Ok((packet, rest)) = ReflectorOpen::view(octets) else {
                let reply = Reply::view(octets).unwrap();
                let error = reply.sender_error.map(estimate).unwrap();
                return [head(&reply.head).as_bytes(), error.as_bytes()].concat();
            };
            let new = ReflectorOpen {
                head: head(&packet.head),
                sender_error: estimate(packet.sender_error),
                mbz: U16::ZERO,
                sender_ttl: packet.sender_ttl,
            };
            [new.as_bytes(), rest].concat()
        }
    }
}

#[test]
fn captured_packets_survive_decoding_and_encoding() {
    for (file, port, stamp, packets) in [
        ("light-twampy", 21_001, false, 20),
        ("light-twampy-imix", 21_001, false, 48),
        ("unauthenticated", 18_816, false, 20),
        ("unauthenticated-padding-dscp", 18_813, false, 10),
        ("stamp-open", 21_862, true, 10),
        ("stamp-v1-ptp", 28_628, true, 10),
    ] {
        let datagrams = datagrams(file);
        assert_eq!(datagrams.len(), packets, "{file}");
        let requests = datagrams
            .iter()
            .filter(|datagram| datagram.to_port == port)
            .count();
        assert_eq!(requests * 2, packets, "{file}");
        for datagram in datagrams {
            let request = datagram.to_port == port;
            assert_eq!(
                again(&datagram.octets, stamp, request),
                datagram.octets,
                "{file}"
            );
        }
    }
}

#[test]
fn captured_timestamps_are_near_those_of_the_recording_host() {
    const SECOND: u64 = 1_000_000_000;
    for (file, format) in [
        ("light-twampy", TimeFormat::Ntp),
        ("unauthenticated", TimeFormat::Ntp),
        ("stamp-open", TimeFormat::Ntp),
        ("stamp-v1-ptp", TimeFormat::Ptp),
    ] {
        for datagram in datagrams(file) {
            let (packet, _) = SenderOpen::view(&datagram.octets).unwrap();
            assert_eq!(packet.error.format(), format, "{file}");
            // This peer writes UTC in PTPv2 format, without the TAI offset.
            let reading = packet.t1.read_plausibly(format, datagram.at, 0);
            assert!((datagram.at - reading.at).abs_ns() < SECOND, "{file}");
            assert!(!reading.z_wrong);
        }
    }
}

#[test]
fn replies_echo_what_their_requests_said() {
    for (file, sender_ttl) in [
        ("unauthenticated", Some(255)),
        ("stamp-open", Some(64)),
        ("light-twampy", None),
    ] {
        // Requests and replies alternate in these captures.
        let datagrams = datagrams(file);
        for exchange in datagrams.chunks_exact(2) {
            let (request, _) = SenderOpen::view(&exchange[0].octets).unwrap();
            let reply = Reply::view(&exchange[1].octets).unwrap();
            assert_eq!(reply.head.sender_seq, request.seq, "{file}");
            assert_eq!(reply.head.sender_t1, request.t1, "{file}");
            assert_eq!(reply.sender_error, Some(request.error), "{file}");
            assert_eq!(reply.sender_ttl, sender_ttl, "{file}");
        }
    }
}

#[test]
fn ef_traffic_carries_ef() {
    let datagrams = datagrams("unauthenticated-padding-dscp");
    assert!(
        datagrams
            .iter()
            .all(|datagram| datagram.tos.dscp() == Dscp::EF)
    );
    assert!(
        datagrams
            .iter()
            .all(|datagram| datagram.octets.len() == 314)
    );
}

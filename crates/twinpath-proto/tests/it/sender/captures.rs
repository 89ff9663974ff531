//! Sessions between other programs, replayed to an engine as if it had sent the requests.

use std::net::SocketAddr;
use std::path::Path;

use pcap_parser::PcapCapture;
use twinpath_proto::sender::{
    Fill, Limit, PayloadSize, SenderConfig, SenderCounters, SessionSender, Wire,
};
use twinpath_proto::{ClockPair, TestGuard};
use twinpath_wire::{
    Arrival, Delta, ErrorEstimate, Fate, Mono, Rung, Sample, Stamp, TimeFormat, Tos, Wall, WireTime,
};

use super::rig::{config, ntp, unix_ns};
use crate::stamp::known_key;

struct Datagram {
    at: Wall,
    from: SocketAddr,
    to: SocketAddr,
    ttl: u8,
    tos: u8,
    octets: Vec<u8>,
}

/// The UDP datagrams of a capture, Ethernet and IPv4.
fn capture(file: &str) -> Vec<Datagram> {
    let path = Path::new(env!("CARGO_MANIFEST_DIR"))
        .join("../../testdata/captures")
        .join(file);
    let octets = std::fs::read(path).unwrap();
    let packets = PcapCapture::from_file(&octets).unwrap().blocks;
    let mut datagrams = Vec::new();
    for packet in packets {
        let ip = &packet.data[14..];
        let header = usize::from(ip[0] & 15) * 4;
        if ip[0] >> 4 != 4 || ip[9] != 17 {
            continue;
        }
        let port = |offset| u16::from_be_bytes([ip[header + offset], ip[header + offset + 1]]);
        let address = |offset: usize| <[u8; 4]>::try_from(&ip[offset..offset + 4]).unwrap();
        let octets = usize::from(port(4)) - 8;
        datagrams.push(Datagram {
            at: Wall::from_unix_ns(
                i64::from(packet.ts_sec) * 1_000_000_000 + i64::from(packet.ts_usec) * 1_000,
            ),
            from: SocketAddr::from((address(12), port(0))),
            to: SocketAddr::from((address(16), port(2))),
            ttl: ip[8],
            tos: ip[1],
            octets: ip[header + 8..header + 8 + octets].to_vec(),
        });
    }
    datagrams
}

fn t1_of(request: &[u8]) -> WireTime {
    time_at(request, 4)
}

fn time_at(packet: &[u8], offset: usize) -> WireTime {
    WireTime::from_bits(u64::from_be_bytes(
        packet[offset..offset + 8].try_into().unwrap(),
    ))
}

/// Replays a capture: each request is sent as captured at its captured time, each reply handled
/// with its time in the capture as T4.
fn replay(file: &str, config: SenderConfig) -> (Vec<Datagram>, Vec<Sample>, SenderCounters) {
    replay_guarded(file, config, TestGuard::default())
}

fn replay_guarded(
    file: &str,
    mut config: SenderConfig,
    guard: TestGuard,
) -> (Vec<Datagram>, Vec<Sample>, SenderCounters) {
    let t1_at = if guard.is_secured() { 16 } else { 4 };
    let datagrams = capture(file);
    let first = &datagrams[0];
    let mono = |at: Wall| Mono::from_ns((at - first.at).abs_ns() + 1_000_000_000);
    config.far = first.to;
    config.start = Mono::from_ns(0);
    config.limit = Limit::Count(datagrams.len() as u64 / 2);
    config.max_burst = 1_000;
    let mut sender = SessionSender::new(config).guarded(guard);
    let mut buffer = vec![0; 2_000];
    let mut samples = Vec::new();
    for datagram in &datagrams {
        let now = mono(datagram.at);
        if datagram.to == config.far {
            // Late on purpose: the schedule is not under test here.
            let later = now + std::time::Duration::from_secs(100);
            let transmit = sender.poll_transmit(later, &mut buffer).unwrap();
            let t1 = time_at(&datagram.octets, t1_at);
            let wall = t1.read(config.error.format(), datagram.at, config.tai_offset_s);
            sender.adopt(&transmit, ClockPair { mono: now, wall }, t1);
        } else {
            let arrival = Arrival {
                to: Some(datagram.to.ip()),
                to_port: datagram.to.port(),
                ttl: Some(datagram.ttl),
                tos: Some(Tos(datagram.tos)),
                interface: 1,
                ..Arrival::new(
                    Stamp {
                        at: datagram.at,
                        rung: Rung::Kernel,
                    },
                    datagram.from,
                )
            };
            sender.handle_reply(now, &datagram.octets, &arrival);
        }
        samples.extend(std::iter::from_fn(|| sender.poll_sample()));
    }
    assert_eq!(sender.poll_timeout(), None, "{file}: all is answered");
    let counters = *sender.counters();
    (datagrams, samples, counters)
}

fn twamp() -> SenderConfig {
    SenderConfig {
        fill: Fill::Zero,
        ..config()
    }
}

#[test]
#[expect(clippy::too_many_lines, reason = "a table of cases")]
fn replies_of_other_programs_give_the_samples_that_their_octets_say() {
    let stamp = SenderConfig {
        wire: Wire::stamp(0),
        payload: PayloadSize::Fixed(44),
        ..twamp()
    };
    let files = [
        ("light-twampy.pcap", twamp(), 10, 0x88, 64, None),
        ("light-twampy-imix.pcap", twamp(), 24, 0x88, 64, None),
        ("unauthenticated.pcap", twamp(), 10, 0, 255, Some(255)),
        ("stamp-open.pcap", stamp, 5, 0, 64, Some(64)),
    ];
    for (file, config, packets, tos, ttl, ttl_forward) in files {
        let (datagrams, samples, counters) = replay(file, config);
        assert_eq!(
            (samples.len(), counters.received),
            (packets, packets as u64),
            "{file}"
        );
        assert_eq!(
            (counters.sent, counters.lost, counters.duplicates),
            (packets as u64, 0, 0),
            "{file}"
        );
        let replies = datagrams
            .iter()
            .filter(|datagram| datagram.from == datagrams[0].to);
        for (sample, reply) in samples.iter().zip(replies) {
            let octets = &reply.octets;
            let moment = |offset: usize| Wall::from_unix_ns(unix_ns(&octets[offset..offset + 8]));
            let number = u32::from_be_bytes(octets[24..28].try_into().unwrap());
            assert_eq!(
                (sample.seq, sample.fate),
                (u64::from(number), Fate::Received),
                "{file}"
            );
            assert_eq!(
                sample.t1,
                Stamp {
                    at: moment(28),
                    rung: Rung::User
                },
                "{file}"
            );
            assert_eq!(
                (sample.t2, sample.t3),
                (Some(moment(16)), Some(moment(4))),
                "{file}"
            );
            assert_eq!(
                sample.t4,
                Some(Stamp {
                    at: reply.at,
                    rung: Rung::Kernel
                }),
                "{file}"
            );
            assert_eq!(
                sample.reflector_seq,
                Some(number),
                "{file}: no loss in these captures"
            );
            assert_eq!(
                (sample.ttl_backward, sample.tos_backward),
                (Some(ttl), Some(Tos(tos)))
            );
            assert_eq!(
                (sample.ttl_forward, sample.excluded),
                (ttl_forward, None),
                "{file}"
            );
            // On loopback, between processes: some microseconds to some milliseconds.
            let round_trip = sample.round_trip().unwrap().ns();
            assert!(
                (1_000..20_000_000).contains(&round_trip),
                "{file}: {round_trip}"
            );
        }
        let short = if file.starts_with("light") {
            packets as u64
        } else {
            0
        };
        assert_eq!(counters.anomalies.short_replies, short, "{file}");
        assert_eq!(counters.anomalies.size_differs, short, "{file}");
        assert_eq!(
            (counters.anomalies.z_wrong, counters.anomalies.t3_before_t2),
            (0, 0),
            "{file}"
        );
    }
}

#[test]
fn ptp_timestamps_of_another_program_are_read_by_their_z_bit() {
    let config = SenderConfig {
        wire: Wire::stamp(7),
        payload: PayloadSize::Fixed(44),
        error: ErrorEstimate::from_bits(0x4001),
        tai_offset_s: 0, // that peer writes UTC
        ..twamp()
    };
    let (datagrams, samples, counters) = replay("stamp-v1-ptp.pcap", config);
    assert_eq!(
        (samples.len(), counters.received, counters.anomalies.z_wrong),
        (5, 5, 0)
    );
    for (sample, request) in samples.iter().zip(datagrams.iter().step_by(2)) {
        let seconds = u32::from_be_bytes(request.octets[4..8].try_into().unwrap());
        let ns = u32::from_be_bytes(request.octets[8..12].try_into().unwrap());
        let t1 = i64::from(seconds) * 1_000_000_000 + i64::from(ns);
        assert_eq!(sample.t1.at, Wall::from_unix_ns(t1));
        assert_eq!(sample.excluded, None);
        let residence = sample.residence().unwrap();
        assert!(Delta::ZERO < residence && residence < sample.t4.unwrap().at - sample.t1.at);
    }
    assert_eq!(
        counters
            .anomalies
            .kinds()
            .map(|(_, count)| count)
            .sum::<u64>(),
        0
    );
}

#[test]
fn authenticated_replies_of_other_programs_give_the_samples_that_their_octets_say() {
    for (file, octets) in [
        ("stamp-authenticated.pcap", 112),
        ("stamp-v1-authenticated-tlv.pcap", 232),
    ] {
        let config = SenderConfig {
            wire: Wire::stamp(0).authenticated(),
            payload: PayloadSize::Fixed(octets),
            ..twamp()
        };
        let key = TestGuard::stamp(known_key());
        let (datagrams, samples, counters) = replay_guarded(file, config, key);
        let kinds = counters.anomalies.kinds().map(|(_, count)| count);
        assert_eq!(
            (samples.len(), counters.received, kinds.sum::<u64>()),
            (5, 5, 0),
            "{file}: {:?}",
            counters.anomalies
        );
        let replies = datagrams.iter().skip(1).step_by(2);
        for ((number, sample), reply) in (0..).zip(&samples).zip(replies) {
            let octets = &reply.octets;
            let moment = |offset: usize| Wall::from_unix_ns(unix_ns(&octets[offset..offset + 8]));
            assert_eq!(
                (sample.seq, sample.fate),
                (number, Fate::Received),
                "{file}"
            );
            assert_eq!(sample.t1.at, moment(64), "{file}");
            assert_eq!(
                (sample.t2, sample.t3),
                (Some(moment(32)), Some(moment(16))),
                "{file}"
            );
            assert_eq!(sample.ttl_forward, Some(octets[80]), "{file}");
            assert_eq!(sample.reflector_seq, u32::try_from(number).ok(), "{file}");
        }
    }
}

#[test]
fn captured_replies_are_foreign_to_another_session() {
    let datagrams = capture("unauthenticated.pcap");
    let mut sender = SessionSender::new(SenderConfig {
        far: datagrams[0].to,
        ..twamp()
    });
    let mut buffer = [0; 41];
    let at = datagrams[0].at;
    let mut now = Mono::from_ns(0);
    for datagram in datagrams
        .iter()
        .filter(|datagram| datagram.from == datagrams[0].to)
    {
        let transmit = sender.poll_transmit(now, &mut buffer).unwrap();
        sender.finish(
            &mut buffer,
            transmit,
            ClockPair {
                mono: now,
                wall: at,
            },
        );
        let arrival = Arrival {
            from: datagram.from,
            ..super::rig::arrival(datagram.at)
        };
        sender.handle_reply(now, &datagram.octets, &arrival);
        now = sender.next_due().unwrap_or(now);
    }
    assert_eq!(
        (
            sender.counters().anomalies.foreign_t1,
            sender.counters().received
        ),
        (10, 0)
    );
}

#[test]
fn requests_are_those_that_other_programs_send() {
    for (file, wire, octets, error, requests) in [
        ("light-twampy.pcap", Wire::TWAMP_LIGHT, 41, 0x3fff, 10),
        ("stamp-open.pcap", Wire::stamp(0), 44, 0x0001, 5),
    ] {
        let datagrams = capture(file);
        let mut sender = SessionSender::new(SenderConfig {
            wire,
            payload: PayloadSize::Fixed(octets),
            error: ErrorEstimate::from_bits(error),
            ..twamp()
        });
        let mut buffer = vec![0xaa; octets];
        let mut seen = 0;
        for captured in datagrams.iter().step_by(2) {
            let now = sender.next_due().unwrap();
            let wall = t1_of(&captured.octets).read(TimeFormat::Ntp, captured.at, 0);
            let transmit = sender.poll_transmit(now, &mut buffer).unwrap();
            sender.finish(&mut buffer, transmit, ClockPair { mono: now, wall });
            // Octet for octet, but that our T1 is a whole number of nanoseconds.
            let mut expected = captured.octets.clone();
            expected[4..12].copy_from_slice(&ntp(wall));
            assert_eq!(buffer, expected, "{file}");
            let theirs = t1_of(&captured.octets).bits();
            assert!(
                theirs.abs_diff(t1_of(&buffer).bits()) < 3,
                "{file}: over half a nanosecond"
            );
            seen += 1;
        }
        assert_eq!(seen, requests, "{file}");
    }
}

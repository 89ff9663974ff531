//! Our sender and our reflector over a simulated link, with every combination of features.

use std::time::Duration;

use twinpath_proto::reflector::{NegotiatedConfig, SessionReflector, SessionSpec};
use twinpath_proto::security::SessionKeys;
use twinpath_proto::sender::{
    Fill, Limit, PayloadSize, Schedule, SenderConfig, SenderCounters, SessionSender, Wire,
};
use twinpath_proto::{TestFeatures, TestGuard};
use twinpath_wire::control::{Modes, Sid};
use twinpath_wire::{Arrival, Delta, Dscp, ErrorEstimate, Fate, Mono, Sample, TimeFormat, Tos};

use super::rig::{EPOCH_NS, FAR, arrival, combinations, config, wall};
use crate::sim::{Clock, Link, Path};

const SENDER: &str = "192.0.2.1:20000";
/// The path's change to the requests' marking.
const REMARKED: Tos = Tos(0x2b);

/// The guard of both ends' packets.
fn guard(features: TestFeatures) -> TestGuard {
    let keys = SessionKeys::new([0xae; 16], [0x3c; 32]);
    TestGuard::with_keys(features.modes, &keys, Sid([1; 16]))
}

/// A reflector with the one session that is agreed on, started.
fn reflector(features: TestFeatures) -> SessionReflector {
    let mut reflector = SessionReflector::for_negotiated(NegotiatedConfig::default());
    let spec = SessionSpec {
        sid: Sid([1; 16]),
        sender: SENDER.parse().unwrap(),
        modes: features.modes,
        dscp: Dscp::EF,
        padding_length: 0,
        timeout: Duration::from_secs(2),
        refwait: Duration::from_mins(15),
        padding_to_reflect: features.padding_to_reflect,
        server_octets: features.server_octets,
        nat: None,
        begins: None,
    };
    let port = FAR.rsplit(':').next().unwrap().parse().unwrap();
    reflector
        .open_guarded(spec, guard(features), port, None)
        .unwrap();
    reflector.start(spec.sid, Mono::from_ns(0));
    reflector
}

/// Runs a session to its end; `back` may touch a reply on its way.
fn run(
    config: SenderConfig,
    features: TestFeatures,
    path: Path,
    mut back: impl FnMut(&mut Vec<u8>),
) -> (Vec<Sample>, SenderCounters, SessionReflector) {
    let near = Clock {
        offset_ns: EPOCH_NS,
        skew_ppb: 0,
    };
    let mut reflector = reflector(features);
    let (mut forward, mut backward) = (Link::new(path, 1), Link::new(path, 2));
    let mut sender = SessionSender::new(config).guarded(guard(features));
    let mut buffer = vec![0; sender.largest_payload()];
    let mut samples = Vec::new();
    let mut now = Mono::from_ns(0);
    for _ in 0..1_000_000 {
        while let Some(transmit) = sender.poll_transmit(now, &mut buffer) {
            let packet = &mut buffer[..transmit.octets];
            sender.finish(packet, transmit, near.pair(now));
            forward.send(now, packet);
        }
        while let Some((at, mut request)) = forward.poll(now) {
            let received = request.len();
            request.resize(received.max(112), 0xa7);
            let came = Arrival {
                from: SENDER.parse().unwrap(),
                to_port: 862,
                tos: Some(REMARKED),
                ..arrival(near.wall(at))
            };
            let reflection = reflector
                .reflect(at, &mut request, received, &came)
                .unwrap();
            let leaves = at + Duration::from_micros(15);
            request.truncate(reflection.octets);
            let error = ErrorEstimate::from_bits(0x8001);
            reflector.seal(&reflection, &mut request, near.wall(leaves), error);
            assert_eq!(reflection.tos, Dscp::EF.tos());
            back(&mut request);
            backward.send(leaves, &request);
        }
        while let Some((at, reply)) = backward.poll(now) {
            sender.handle_reply(now, &reply, &arrival(near.wall(at)));
        }
        sender.handle_timeout(now);
        samples.extend(std::iter::from_fn(|| sender.poll_sample()));
        let Some(next) = sender.poll_timeout() else {
            return (samples, *sender.counters(), reflector);
        };
        let arrivals = [forward.poll_timeout(), backward.poll_timeout()];
        now = arrivals
            .into_iter()
            .flatten()
            .fold(next, Mono::min)
            .max(now);
    }
    panic!("a session without an end");
}

fn speaking(features: TestFeatures) -> SenderConfig {
    SenderConfig {
        wire: Wire::twamp(features),
        schedule: Schedule::every(Duration::from_millis(1)),
        limit: Limit::Count(60),
        payload: PayloadSize::Fixed(0),
        ..config()
    }
}

const FIVE_MS: Path = Path {
    delay: Duration::from_millis(5),
    jitter: Duration::ZERO,
    loss_ppm: 0,
    duplicate_ppm: 0,
    reorder_ppm: 0,
    reorder_by: Duration::ZERO,
};

#[test]
fn on_a_clean_link_nothing_is_odd_in_any_combination() {
    for modes in combinations() {
        for (padding_to_reflect, server_octets) in [(0, 0), (1, 7), (2, 0xbeef), (30, 0xbeef)] {
            let features = TestFeatures {
                modes,
                padding_to_reflect,
                server_octets,
            };
            for fill in [Fill::Zero, Fill::Random] {
                for payload in [
                    PayloadSize::Fixed(0),
                    PayloadSize::Fixed(41),
                    PayloadSize::Fixed(300),
                    PayloadSize::Imix([22, 548, 1_472]),
                ] {
                    let config = SenderConfig {
                        fill,
                        payload,
                        ..speaking(features)
                    };
                    let context = format!("{features:?} {fill:?} {payload:?}");
                    let (samples, counters, far) = run(config, features, FIVE_MS, |_| {});
                    assert_eq!(counters.received, 60, "{context}");
                    let plain = modes.bits() & (32 | 64 | 256) == 0;
                    let odd: Vec<_> = counters
                        .anomalies
                        .kinds()
                        .filter(|(kind, count)| {
                            let grows = plain && *kind == "size differs";
                            *count != 0 && !grows
                        })
                        .collect();
                    assert_eq!(odd, [], "{context}");
                    assert_eq!(
                        far.session_counters(Sid([1; 16])).unwrap().too_short,
                        0,
                        "{context}"
                    );
                    for sample in samples {
                        let round_trip = sample.round_trip().unwrap().ns();
                        assert!((round_trip - 10_000_000).abs() <= 2, "{context}");
                        let said = (modes.bits() & 256 != 0).then_some(REMARKED);
                        assert_eq!(sample.tos_forward, said, "{context}");
                        assert_eq!(sample.tos_backward, Some(Tos(0xb8)), "{context}");
                        assert_eq!(sample.ttl_forward, Some(61), "{context}");
                    }
                }
            }
        }
    }
}

#[test]
fn on_a_bad_link_the_books_balance_in_any_combination() {
    let bad = Path {
        jitter: Duration::from_millis(2),
        loss_ppm: 150_000,
        duplicate_ppm: 150_000,
        reorder_ppm: 100_000,
        reorder_by: Duration::from_millis(4),
        ..FIVE_MS
    };
    for modes in combinations() {
        let features = TestFeatures {
            modes,
            padding_to_reflect: 19,
            server_octets: 0x0102,
        };
        let config = SenderConfig {
            limit: Limit::Count(400),
            ..speaking(features)
        };
        let (samples, counters, far) = run(config, features, bad, |_| {});
        assert_eq!(counters.sent, 400, "{modes}");
        assert_eq!(counters.sent, counters.received + counters.lost, "{modes}");
        assert!(
            counters.lost > 50 && counters.duplicates > 50,
            "{modes}: {counters:?}"
        );
        assert_eq!(counters.anomalies.padding_differs, 0, "{modes}");
        let copies = samples.iter().filter(|said| said.fate == Fate::Duplicate);
        for copy in copies {
            let said = (modes.bits() & 256 != 0).then_some(REMARKED);
            assert_eq!(copy.tos_forward, said, "{modes}: copies say it too");
        }
        // TT-11: numbers from 0 without a gap; the sender received some of them.
        let made = far.session_counters(Sid([1; 16])).unwrap().reflected;
        let largest = samples.iter().filter_map(|said| said.reflector_seq).max();
        assert!(u64::from(largest.unwrap()) < made, "{modes}");
    }
}

#[test]
fn ends_with_different_time_formats_measure_the_same() {
    for (ours, theirs) in [
        (TimeFormat::Ntp, 0),
        (TimeFormat::Ntp, 512),
        (TimeFormat::Ptp, 0),
        (TimeFormat::Ptp, 512),
    ] {
        let features = TestFeatures {
            modes: Modes::from_bits(1 | theirs),
            ..TestFeatures::default()
        };
        let config = SenderConfig {
            error: ErrorEstimate::new(true, ours, Duration::from_micros(50)),
            ..speaking(features)
        };
        let (samples, counters, _) = run(config, features, FIVE_MS, |_| {});
        assert_eq!(counters.anomalies.z_wrong, 0);
        assert_eq!(
            counters.far_error.unwrap().format() == TimeFormat::Ptp,
            theirs != 0
        );
        for sample in samples {
            let forward = sample.forward().unwrap() - Delta::from_ns(5_000_000);
            let backward = sample.backward().unwrap() - Delta::from_ns(5_000_000);
            assert!(
                forward.abs_ns() <= 2 && backward.abs_ns() <= 2,
                "{ours:?} {theirs}"
            );
        }
    }
}

#[test]
fn padding_that_comes_back_changed_is_measured_and_counted() {
    for modes in combinations().filter(|modes| modes.bits() & 32 != 0) {
        let features = TestFeatures {
            modes,
            padding_to_reflect: 11,
            server_octets: 0xbeef,
        };
        let header = features.reply_header();
        for (at, counts) in [
            (header, true),
            (header + 1, true),
            (header + 7, true),
            (header + 8, true),
            (header + 10, true),
            (header + 11, false), // not to be reflected
        ] {
            let config = SenderConfig {
                payload: PayloadSize::Fixed(header + 39),
                ..speaking(features)
            };
            let (_, counters, _) = run(config, features, FIVE_MS, |reply| reply[at] ^= 1);
            assert_eq!(counters.received, 60);
            let expected = if counts { 60 } else { 0 };
            assert_eq!(
                counters.anomalies.padding_differs, expected,
                "{modes}: octet {at}"
            );
        }
        let (_, counters, _) = run(speaking(features), features, FIVE_MS, |reply| {
            reply.truncate(header + 10);
        });
        assert_eq!(counters.anomalies.padding_differs, 60, "{modes}: cut");
        assert_eq!(counters.anomalies.size_differs, 60, "{modes}: cut");
    }
}

#[test]
fn a_reply_that_does_not_reach_the_octet_says_no_marking() {
    let features = TestFeatures {
        modes: Modes::from_bits(1 | 256),
        ..TestFeatures::default()
    };
    let cut = |octets: usize| {
        let (samples, _, _) = run(speaking(features), features, FIVE_MS, |reply| {
            reply.truncate(octets);
        });
        samples[0].tos_forward
    };
    assert_eq!(cut(41), None);
    assert_eq!(
        cut(42),
        Some(REMARKED),
        "7750 by its text: no MBZ behind it"
    );
    assert_eq!(cut(44), Some(REMARKED));
}

#[test]
fn a_session_without_monitoring_reads_no_marking_out_of_padding() {
    for modes in combinations().filter(|modes| modes.bits() & 256 == 0) {
        let features = TestFeatures {
            modes,
            padding_to_reflect: 30,
            server_octets: 0,
        };
        let config = SenderConfig {
            payload: PayloadSize::Fixed(200),
            ..speaking(features)
        };
        let (samples, _, _) = run(config, features, FIVE_MS, |_| {});
        assert!(
            samples.iter().all(|said| said.tos_forward.is_none()),
            "{modes}"
        );
    }
}

#[test]
fn requests_have_the_layout_of_the_tables_in_any_combination() {
    for modes in combinations().filter(|modes| modes.bits() & 6 == 0) {
        for padding_to_reflect in [0, 1, 2, 3, 9, 40] {
            let features = TestFeatures {
                modes,
                padding_to_reflect,
                server_octets: 0xbeef,
            };
            // TT section 1, by hand: least length, zeros, padding.
            let (symmetrical, monitored) = (modes.bits() & 64 != 0, modes.bits() & 256 != 0);
            let reflects = modes.bits() & 32 != 0;
            let reflected = if reflects { padding_to_reflect } else { 0 };
            let least = match (symmetrical || reflects, monitored) {
                (false, false) => 14,
                (true, false) => 41 + usize::from(reflected),
                (_, true) => 44 + usize::from(reflected),
            };
            let padding = match (symmetrical, monitored) {
                (false, _) => 14,
                (true, false) => 41,
                (true, true) => 42,
            };
            for asked in [0, 44, 100] {
                let mut sender = SessionSender::new(SenderConfig {
                    payload: PayloadSize::Fixed(asked),
                    ..speaking(features)
                });
                let mut packet = vec![0xa7; sender.largest_payload()];
                let transmit = sender.poll_transmit(Mono::from_ns(0), &mut packet).unwrap();
                let context = format!("{modes}; to reflect {padding_to_reflect}; {asked}");
                assert_eq!(transmit.octets, least.max(asked), "{context}");
                sender.finish(&mut packet, transmit, super::rig::pair(Mono::from_ns(0)));
                assert_eq!(packet[..4], [0; 4], "{context}");
                assert_eq!(packet[4..12], super::rig::ntp(wall(Mono::from_ns(0))));
                assert_eq!(packet[12..14], [0x80, 0x01], "{context}");
                assert!(
                    packet[14..padding].iter().all(|octet| *octet == 0),
                    "{context}"
                );
                if reflected >= 2 {
                    assert_eq!(packet[padding..padding + 2], [0xbe, 0xef], "{context}");
                }
                let rest = &packet[padding..];
                if rest.len() > 20 {
                    let ones: u32 = rest.iter().map(|octet| octet.count_ones()).sum();
                    assert!(ones as usize > rest.len() * 2, "{context}: no noise");
                }
            }
        }
    }
}

#[test]
fn secured_requests_have_the_sizes_of_the_tables_and_nothing_readable() {
    for modes in combinations().filter(|modes| modes.bits() & 6 != 0) {
        for padding_to_reflect in [0, 9] {
            let features = TestFeatures {
                modes,
                padding_to_reflect,
                server_octets: 0,
            };
            let reflects = modes.bits() & 32 != 0;
            let reflected = if reflects { padding_to_reflect } else { 0 };
            let symmetrical = modes.bits() & 64 != 0;
            let least = if modes.bits() & (32 | 64) == 0 {
                48
            } else {
                112 + usize::from(reflected)
            };
            for asked in [0, 48, 200] {
                let mut sender = SessionSender::new(SenderConfig {
                    payload: PayloadSize::Fixed(asked),
                    ..speaking(features)
                })
                .guarded(guard(features));
                let mut packet = vec![0xa7; sender.largest_payload()];
                let transmit = sender.poll_transmit(Mono::from_ns(0), &mut packet).unwrap();
                let context = format!("{modes}; to reflect {padding_to_reflect}; {asked}");
                assert_eq!(transmit.octets, least.max(asked), "{context}");
                let now = Mono::from_ns(0);
                sender.finish(&mut packet, transmit, super::rig::pair(now));
                assert_ne!(packet[..16], [0; 16], "{context}: block 0 is encrypted");
                assert_ne!(packet[32..48], [0; 16], "{context}: there is an HMAC");
                let t1 = super::rig::ntp(wall(now));
                let authenticated = modes.bits() & 2 != 0;
                assert_eq!(packet[16..24] == t1, authenticated, "{context}");
                assert_eq!(packet[26..32] == [0; 6], authenticated, "{context}");
                if symmetrical {
                    assert_eq!(packet[48..112], [0; 64], "{context}: zeros");
                }
            }
        }
    }
}

#[test]
fn a_reply_that_was_changed_on_its_way_does_not_count() {
    // Row TT-34: none of its fields is used, and no genuine reply is taken for a copy of it.
    for security in [2, 4] {
        let features = TestFeatures {
            modes: Modes::from_bits(security),
            ..TestFeatures::default()
        };
        for at in [0, 3, 15, 96, 111] {
            let (samples, counters, _) = run(speaking(features), features, FIVE_MS, |reply| {
                reply[at] ^= 0x10;
            });
            assert_eq!(
                (counters.received, counters.anomalies.forged),
                (0, 60),
                "octet {at}"
            );
            assert!(samples.iter().all(|sample| sample.fate == Fate::Lost));
        }
        // Every second reply comes twice over: once forged, once as it was made.
        let mut second = false;
        let (_, counters, _) = run(speaking(features), features, FIVE_MS, |reply| {
            second = !second;
            if second {
                reply[0] ^= 1;
            }
        });
        assert_eq!((counters.received, counters.anomalies.forged), (30, 30));
    }
}

#[test]
fn open_replies_to_secured_requests_do_not_count() {
    let secured = TestFeatures {
        modes: Modes::ENCRYPTED,
        ..TestFeatures::default()
    };
    let (samples, counters, _) = run(speaking(secured), secured, FIVE_MS, |reply| reply.fill(0));
    assert_eq!(counters.received, 0);
    assert_eq!(counters.anomalies.forged, 60);
    assert!(samples.iter().all(|sample| sample.fate == Fate::Lost));
}

#[test]
fn octets_to_be_reflected_differ_in_each_packet_and_are_zero_with_zero_padding() {
    let features = TestFeatures {
        modes: Modes::from_bits(1 | 32),
        padding_to_reflect: 24,
        server_octets: 0,
    };
    for fill in [Fill::Random, Fill::Zero] {
        let mut sender = SessionSender::new(SenderConfig {
            fill,
            ..speaking(features)
        });
        let mut seen = std::collections::HashSet::new();
        let mut packet = vec![0; sender.largest_payload()];
        while let Some(due) = sender.next_due() {
            let transmit = sender.poll_transmit(due, &mut packet).unwrap();
            sender.finish(&mut packet, transmit, super::rig::pair(due));
            seen.insert(packet[14..38].to_vec());
        }
        match fill {
            Fill::Random => assert_eq!(seen.len(), 60),
            Fill::Zero => assert_eq!(seen, [vec![0; 24]].into()),
        }
    }
}

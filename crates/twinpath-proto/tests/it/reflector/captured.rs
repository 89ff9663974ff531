//! Recorded requests of other programs, and their reflectors' replies.

use twinpath_proto::extension::ExtensionPolicy;
use twinpath_proto::reflector::{
    ReflectorConfig, ReflectorPolicy, ReflectorProtocols, SessionReflector,
};
use twinpath_wire::{Arrival, ReplyHead, SenderOpen, Stamp, TimeFormat, Wall};

use super::capture::{Datagram, exchanges};
use super::support::{STALE, ask, ms, reflector};

/// Turns a request into our reply, with the T2, T3 and Error Estimate of the recorded one.
fn answer_as(
    ours: &mut SessionReflector,
    request: &Datagram,
    recorded: &ReplyHead,
    format: TimeFormat,
) -> (Vec<u8>, u8) {
    let clock = request.arrival.at.at;
    let wall = |time: twinpath_wire::WireTime| -> Wall { time.read(format, clock, 0) };
    let at = Stamp {
        at: wall(recorded.t2),
        ..request.arrival.at
    };
    let arrival = Arrival {
        at,
        ..request.arrival
    };
    let mut buffer = vec![STALE; 2048];
    buffer[..request.octets.len()].copy_from_slice(&request.octets);
    let reflection = ours
        .reflect(ms(0), &mut buffer, request.octets.len(), &arrival)
        .unwrap();
    buffer.truncate(reflection.octets);
    ours.seal(&reflection, &mut buffer, wall(recorded.t3), recorded.error);
    (buffer, reflection.tos.0)
}

#[test]
fn replies_are_those_of_twampd_and_stamp_suite_octet_for_octet() {
    let auto = ReflectorConfig::default();
    let copies = ReflectorConfig {
        extensions: ExtensionPolicy {
            copies_only: true,
            ..ExtensionPolicy::default()
        },
        ..ReflectorConfig::default()
    };
    let ptp = ReflectorConfig {
        protocols: ReflectorProtocols::Stamp,
        format: TimeFormat::Ptp,
        policy: ReflectorPolicy {
            tai_offset_s: 0, // that peer writes UTC
            ..ReflectorPolicy::default()
        },
        ..ReflectorConfig::default()
    };
    for (file, port, config, expected) in [
        ("unauthenticated.pcap", 18_816, &auto, 10),
        ("unauthenticated-zero-addresses.pcap", 18_767, &auto, 5),
        ("unauthenticated-padding-dscp.pcap", 18_813, &auto, 5),
        ("mixed.pcap", 18_941, &auto, 10),
        ("stamp-open.pcap", 21_862, &auto, 5),
        ("stamp-v1-no-extensions.pcap", 28_634, &copies, 5),
        ("stamp-v1-ptp.pcap", 28_628, &ptp, 5),
    ] {
        let mut ours = SessionReflector::new(config.clone());
        let mut seen = 0;
        for (request, recorded) in exchanges(file, port) {
            let context = format!("{file}, packet {}", request.number);
            let theirs = ReplyHead::view(&recorded.octets).unwrap().0;
            let (mut reply, tos) = answer_as(&mut ours, &request, theirs, config.format);
            assert_eq!(tos, recorded.arrival.tos.unwrap().0, "{context}");
            // A nanosecond is 4.3 units of the fraction: times agree to within that, and everything
            // else exactly.
            let head = ReplyHead::view_mut(&mut reply).unwrap().0;
            assert!(head.t2.bits().abs_diff(theirs.t2.bits()) <= 3, "{context}");
            assert!(head.t3.bits().abs_diff(theirs.t3.bits()) <= 3, "{context}");
            (head.t2, head.t3) = (theirs.t2, theirs.t3);
            assert_eq!(reply, recorded.octets, "{context}");
            seen += 1;
        }
        assert_eq!(seen, expected, "{file}");
        assert_eq!(ours.counters().reflected, expected, "{file}");
        assert_eq!(ours.counters().sessions, 1, "{file}");
    }
}

#[test]
fn requests_of_twampy_get_whole_replies_of_their_own_size() {
    for (file, expected) in [("light-twampy.pcap", 10), ("light-twampy-imix.pcap", 24)] {
        let mut ours = reflector(|_| {});
        for (count, (request, recorded)) in exchanges(file, 21_001).into_iter().enumerate() {
            let context = format!("{file}, packet {}", request.number);
            let theirs = ReplyHead::view(&recorded.octets).unwrap().0;
            let (reply, tos) = answer_as(&mut ours, &request, theirs, TimeFormat::Ntp);
            assert_eq!(reply.len(), request.octets.len().max(41), "{context}");
            assert_eq!(tos, 0x88, "{context}");
            // All that twampy's 38 octets say, ours say too; then MBZ, Sender TTL, zero padding.
            let head = ReplyHead::view(&reply).unwrap().0;
            assert_eq!(head.seq.get() as usize, count, "{context}");
            assert_eq!(head.sender_seq, theirs.sender_seq, "{context}");
            assert_eq!(head.sender_t1, theirs.sender_t1, "{context}");
            assert_eq!(reply[36..38], recorded.octets[36..38], "{context}");
            assert_eq!(reply[38..41], [0, 0, 64], "{context}");
            assert!(reply[41..].iter().all(|octet| *octet == 0), "{context}");
        }
        assert_eq!(ours.counters().reflected, expected, "{file}");
    }
}

#[test]
fn without_extensions_tlvs_come_back_as_they_came() {
    for (file, port, expected) in [
        ("stamp-tlv.pcap", 21_862, 5),
        ("stamp-v1-tlv.pcap", 28_622, 5),
        ("stamp-v1-malformed.pcap", 28_630, 5),
        ("stamp-v1-bad-flags.pcap", 28_632, 5),
    ] {
        let mut ours = reflector(|config| config.extensions.copies_only = true);
        for (request, _) in exchanges(file, port) {
            let (reply, tos) = ask(&mut ours, ms(0), &request.octets, &request.arrival).unwrap();
            let context = format!("{file}, packet {}", request.number);
            assert_eq!(reply.len(), request.octets.len(), "{context}");
            assert_eq!(reply[44..], request.octets[44..], "{context}");
            assert_eq!(reply[14..16], request.octets[14..16], "{context}: SSID");
            assert_eq!(reply[24..38], request.octets[..14], "{context}: copies");
            assert_eq!(
                reply[38..44],
                [0, 0, request.arrival.ttl.unwrap(), 0, 0, 0],
                "{context}"
            );
            assert_eq!(tos, request.arrival.tos.unwrap(), "{context}");
        }
        assert_eq!(ours.counters().reflected, expected, "{file}");
    }
}

#[test]
fn no_recorded_reply_is_answered() {
    for (file, port) in [
        ("unauthenticated.pcap", 18_816),
        ("unauthenticated-padding-dscp.pcap", 18_813),
        ("light-twampy.pcap", 21_001),
        ("light-twampy-imix.pcap", 21_001),
        ("stamp-open.pcap", 21_862),
        ("stamp-authenticated.pcap", 21_862),
        ("stamp-tlv.pcap", 21_862),
        ("stamp-v1-tlv.pcap", 28_622),
        ("stamp-v1-ptp.pcap", 28_628),
    ] {
        for speaks in [
            ReflectorProtocols::Auto,
            ReflectorProtocols::Stamp,
            ReflectorProtocols::TwampLight,
        ] {
            let authenticated = file == "stamp-authenticated.pcap";
            if authenticated && speaks == ReflectorProtocols::TwampLight {
                continue; // it does not know that protocol, and takes all for requests
            }
            let mut ours = reflector(|config| config.protocols = speaks);
            for (_, recorded) in exchanges(file, port) {
                let answer = ask(&mut ours, ms(0), &recorded.octets, &recorded.arrival);
                assert!(
                    answer.is_err(),
                    "{file}, packet {}, {speaks:?}",
                    recorded.number
                );
            }
        }
    }
}

#[test]
fn a_stateless_reflector_copies_the_number() {
    let mut ours = reflector(|config| config.stateful = false);
    for (request, _) in exchanges("unauthenticated.pcap", 18_816).into_iter().rev() {
        let (reply, _) = ask(&mut ours, ms(0), &request.octets, &request.arrival).unwrap();
        let asked = SenderOpen::view(&request.octets).unwrap().0.seq;
        assert_eq!(ReplyHead::view(&reply).unwrap().0.seq, asked);
    }
    assert_eq!(ours.counters().sessions_made, 0);
}

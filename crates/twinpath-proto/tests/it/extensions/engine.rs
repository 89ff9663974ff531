//! Known answers of a whole reflector: base packet, TLVs and HMACs, octet for octet.

use std::sync::Arc;

use serde_json::Value;
use twinpath_proto::reflector::{
    Ignored, ReflectorConfig, ReflectorPolicy, ReflectorProtocols, SessionReflector,
};
use twinpath_proto::stamp::{KeyScope, StampKeys};
use twinpath_wire::{Arrival, ErrorEstimate, Mono, Rung, Stamp, TimeFormat, Wall, WireTime};

use super::hex;
use super::rig::rig;
use crate::stamp::{known_answers, known_key, packet};

/// A time of the known answers.
fn time(bits: u64) -> Wall {
    let near = Wall::from_unix_ns(1_795_000_000_000_000_000);
    WireTime::from_bits(bits).read(TimeFormat::Ntp, near, 37)
}

fn t2() -> Wall {
    time(0xeeae_8517_4144_0000)
}

pub(super) fn t3() -> Wall {
    time(0xeeae_8517_4145_0000)
}

/// A known reply with its times as nanoseconds write them, which cannot say all that NTP can: they
/// differ in the last two bits. The HMAC of its base packet covers them.
pub(super) fn rounded(mut reply: Vec<u8>) -> Vec<u8> {
    let is_authenticated = reply.len() >= 112 && reply[4..16] == [0; 12];
    let [t3_at, t2_at] = if is_authenticated { [16, 32] } else { [4, 16] };
    for (at, time) in [(t3_at, t3()), (t2_at, t2())] {
        let known = u64::from_be_bytes(reply[at..at + 8].try_into().unwrap());
        let written = WireTime::ntp(time).bits();
        if known.abs_diff(written) < 4 {
            reply[at..at + 8].copy_from_slice(&written.to_be_bytes());
        }
    }
    if is_authenticated {
        known_key().seal(&mut reply);
    }
    reply
}

/// A known answer's reply, to be held octet for octet.
fn known(case: &Value, field: &str) -> String {
    hex(&rounded(packet(case, field).unwrap()))
}

/// A reflector as the known answer has it, stateful or not, and what its packets arrive with.
pub(super) fn reflector(name: &str, stateful: bool) -> (SessionReflector, Arrival) {
    reflector_by(name, stateful, ReflectorPolicy::default())
}

fn reflector_by(
    name: &str,
    stateful: bool,
    policy: ReflectorPolicy,
) -> (SessionReflector, Arrival) {
    let rig = rig(name);
    let config = ReflectorConfig {
        policy,
        stateful,
        extensions: rig.policy,
        ..ReflectorConfig::default()
    };
    let mut reflector = SessionReflector::new(config);
    reflector.set_host(Arc::new(rig.host));
    reflector.set_keys(Arc::new(StampKeys::new([(KeyScope::Default, known_key())])));
    let mut arrival = rig.arrival;
    arrival.at.at = t2();
    (reflector, arrival)
}

fn reply(
    reflector: &mut SessionReflector,
    arrival: &Arrival,
    request: &[u8],
) -> Result<Vec<u8>, Ignored> {
    reply_at(reflector, arrival, request, t3())
}

fn reply_at(
    reflector: &mut SessionReflector,
    arrival: &Arrival,
    request: &[u8],
    t3: Wall,
) -> Result<Vec<u8>, Ignored> {
    let mut buffer = request.to_vec();
    buffer.resize(1 << 16, 0xee);
    let now = Mono::from_ns(1_000_000_000);
    let reflection = reflector.reflect(now, &mut buffer, request.len(), arrival)?;
    buffer.truncate(reflection.octets);
    reflector.seal(
        &reflection,
        &mut buffer,
        t3,
        ErrorEstimate::from_bits(0x8001),
    );
    if let Some(token) = reflection.token {
        let stamp = Stamp {
            at: time(0xeeae_8517_4139_0000),
            rung: Rung::Kernel,
        };
        reflector.handle_reply_sent(token, stamp);
    }
    Ok(buffer)
}

/// What depends on more packets than one, or on what a socket does not say, is held elsewhere.
fn is_held_elsewhere(name: &str, request: &[u8]) -> bool {
    let counts = request.windows(4).any(|octets| octets == [0x80, 5, 0, 12]);
    let names = [
        "follow_up",
        "micro_session_sender",
        "sender_reads_flags",
        "ext_hdr",
    ];
    names.contains(&name)
        || counts
        || name.starts_with("cos_ecn")
        || name.starts_with("fixed_hdr")
        || name == "stateless_and_stateful"
        || name == "ptp"
        || name == "ber"
}

#[test]
fn whole_replies_are_the_known_answers() {
    let mut held = 0;
    for (name, case) in known_answers() {
        let Some(request) = packet(&case, "request") else {
            continue;
        };
        if is_held_elsewhere(&name, &request) {
            continue;
        }
        for field in ["reply", "reply_stateless", "reply_refused"] {
            let Some(expected) = case.get(field) else {
                continue;
            };
            let (mut reflector, arrival) = reflector(&name, false);
            let answer = reply(&mut reflector, &arrival, &request);
            if expected.is_null() {
                assert!(answer.is_err(), "{name}");
            } else {
                let answer = answer.unwrap_or_else(|why| panic!("{name}: {why:?}"));
                assert_eq!(hex(&answer), known(&case, field), "{name}, {field}");
            }
            held += 1;
        }
    }
    assert!(held > 40, "{held}");
}

#[test]
fn a_wrong_hmac_and_no_key_get_no_answer() {
    let case = &known_answers()["authenticated_bad_hmac"];
    let request = packet(case, "request").unwrap();
    let (mut reflector, arrival) = reflector("authenticated_bad_hmac", true);
    assert_eq!(
        reply(&mut reflector, &arrival, &request),
        Err(Ignored::Forged)
    );
    assert_eq!(reflector.counters().sessions, 0);
    reflector.set_keys(Arc::new(StampKeys::default()));
    assert_eq!(
        reply(&mut reflector, &arrival, &request),
        Err(Ignored::NoKey)
    );
}

#[test]
fn a_session_counts_its_own_packets() {
    let case = &known_answers()["authenticated_tlvs"];
    let request = packet(case, "request").unwrap();
    let (mut reflector, arrival) = reflector("authenticated_tlvs", true);
    // The same request thrice: numbers 0, 1 and 2, and counts up to 3.
    for _ in 0..2 {
        reply(&mut reflector, &arrival, &request).unwrap();
    }
    let answer = reply(&mut reflector, &arrival, &request).unwrap();
    assert_eq!(hex(&answer), known(case, "reply"));
    // Another session has counts of its own.
    let other = Arrival {
        from: "192.0.2.1:40001".parse().unwrap(),
        ..arrival
    };
    let answer = reply(&mut reflector, &other, &request).unwrap();
    assert_eq!(answer[..4], [0; 4]);
    assert_eq!(answer[128..136], [0, 0, 0, 1, 0, 0, 0, 1]);
}

#[test]
fn a_request_without_a_reply_uses_no_number_but_is_counted() {
    let cases = known_answers();
    let (mut reflector, arrival) = reflector("unknown_type", true);
    let no_reply = packet(&cases["return_path_no_reply"], "request").unwrap();
    let counting = packet(&cases["unknown_type"], "request").unwrap();
    let counts = |reply: &[u8]| (reply[3], reply[44 + 8 + 8 + 3], reply[44 + 8 + 12 + 3]);
    let mut answer = |request: &[u8]| reply(&mut reflector, &arrival, request);
    assert_eq!(counts(&answer(&counting).unwrap()), (0, 1, 1));
    assert_eq!(answer(&no_reply), Err(Ignored::NoReplyWanted));
    assert_eq!(counts(&answer(&counting).unwrap()), (1, 3, 2));
    // What has no TLV is a packet of the session too.
    assert_eq!(answer(&counting[..44]).unwrap()[3], 2);
    assert_eq!(counts(&answer(&counting).unwrap()), (3, 5, 4));
}

#[test]
fn a_request_without_a_reply_tells_of_its_way_once() {
    let cases = known_answers();
    let case = &cases["return_path_no_reply"];
    let request = packet(case, "request").unwrap();
    let (mut reflector, arrival) = reflector("return_path_no_reply", true);
    assert_eq!(reflector.take_one_way(), None);
    let mut sessions = Vec::new();
    for from in ["192.0.2.1:40000", "192.0.2.1:40000", "192.0.2.1:40001"] {
        let arrival = Arrival {
            from: from.parse().unwrap(),
            ..arrival
        };
        assert_eq!(
            reply(&mut reflector, &arrival, &request),
            Err(Ignored::NoReplyWanted)
        );
        let told = reflector.take_one_way().unwrap();
        assert_eq!(reflector.take_one_way(), None);
        let number = u32::from_be_bytes(request[..4].try_into().unwrap());
        assert_eq!((told.number, told.from), (number, arrival.from));
        let bits = u64::from_be_bytes(request[4..12].try_into().unwrap());
        assert_eq!(told.t1, Some(time(bits)));
        assert_eq!(told.t2, arrival.at.at);
        assert_eq!(told.ssid, u16::from_be_bytes([request[14], request[15]]));
        sessions.push(told.session);
    }
    assert_eq!(sessions[0], sessions[1]);
    assert_ne!(sessions[0], sessions[2]);
    // A reflector without sessions has none to tell of.
    let (mut stateless, arrival) = self::reflector("return_path_no_reply", false);
    assert!(reply(&mut stateless, &arrival, &request).is_err());
    assert_eq!(stateless.take_one_way(), None);
}

#[test]
fn follow_up_telemetry_tells_when_the_previous_reply_left() {
    let cases = known_answers();
    let request = packet(&cases["follow_up"], "request").unwrap();
    let (mut reflector, arrival) = reflector("follow_up", true);
    let first = packet(&cases["follow_up_first"], "reply_stateful").unwrap();
    assert_eq!(
        reply(&mut reflector, &arrival, &request).unwrap()[44..],
        first[44..]
    );
    for _ in 1..5 {
        reply(&mut reflector, &arrival, &request).unwrap();
    }
    let answer = reply(&mut reflector, &arrival, &request).unwrap();
    assert_eq!(hex(&answer), known(&cases["follow_up"], "reply"));
    // A reply whose departure is not known: zeros.
    let mut buffer = request.clone();
    let now = Mono::from_ns(1_000_000_000);
    reflector
        .reflect(now, &mut buffer, request.len(), &arrival)
        .unwrap();
    let answer = reply(&mut reflector, &arrival, &request).unwrap();
    assert_eq!(answer[44..], first[44..]);
}

#[test]
fn numbers_and_formats_are_the_reflectors() {
    let case = &known_answers()["stateless_and_stateful"];
    let request = packet(case, "request").unwrap();
    for (field, stateful) in [("reply_stateless", false), ("reply_stateful", true)] {
        let (mut reflector, arrival) = reflector("", stateful);
        let answer = reply(&mut reflector, &arrival, &request).unwrap();
        assert_eq!(hex(&answer), known(case, field), "{field}");
    }
    let case = &known_answers()["ptp"];
    let request = packet(case, "request").unwrap();
    for (field, format) in [
        ("reply_ptp", TimeFormat::Ptp),
        ("reply_ntp", TimeFormat::Ntp),
    ] {
        let config = ReflectorConfig {
            protocols: ReflectorProtocols::Stamp,
            stateful: false,
            format,
            ..ReflectorConfig::default()
        };
        let mut reflector = SessionReflector::new(config);
        let (_, mut arrival) = self::reflector("", false);
        let expected = packet(case, field).unwrap();
        let [t3, t2] = [4, 16].map(|at| {
            let bits = u64::from_be_bytes(expected[at..at + 8].try_into().unwrap());
            WireTime::from_bits(bits).read(format, arrival.at.at, 37)
        });
        arrival.at.at = t2;
        let answer = reply_at(&mut reflector, &arrival, &request, t3).unwrap();
        assert_eq!(hex(&answer), known(case, field), "{field}");
    }
}

#[test]
fn a_refused_request_is_of_the_one_way_session_only_if_it_wants_no_reply_itself() {
    let request = packet(&known_answers()["return_path_no_reply"], "request").unwrap();
    let policy = ReflectorPolicy {
        max_rate_pps: Some(1),
        ..ReflectorPolicy::default()
    };
    let (mut reflector, arrival) = reflector_by("return_path_no_reply", true, policy);
    assert_eq!(
        reply(&mut reflector, &arrival, &request),
        Err(Ignored::NoReplyWanted)
    );
    assert!(reflector.take_one_way().is_some());
    // Over the rate, from the same port: of the same run, and of one that wants replies.
    for (octets, is_one_way) in [(&request[..], true), (&request[..44], false)] {
        let refused = reply(&mut reflector, &arrival, octets);
        assert_eq!(refused, Err(Ignored::RateLimited));
        assert_eq!(reflector.take_one_way().is_some(), is_one_way);
    }
}

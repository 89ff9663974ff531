//! STAMP authenticated: which key, what gets no reply, and what is in a reply (RFC 8762 section 4.4;
//! rows ST-10, ST-11, ST-58).

use std::sync::Arc;

use twinpath_proto::reflector::{Ignored, ReflectorConfig, ReflectorProtocols, SessionReflector};
use twinpath_proto::stamp::{KeyScope, StampKey, StampKeys};
use twinpath_wire::{
    Arrival, Delta, ErrorEstimate, Stamp, StampReflectorAuthenticated, StampSenderAuthenticated,
    TimeFormat, Tos, Wall, WireTime,
};

use super::capture::exchanges;
use super::support::{
    ERROR, NOW, STALE, arrival, ask, from_port, light, ms, number, reflector, stamp, way_back,
};
use crate::stamp::{known_answers, known_key, packet};

const BASE: usize = StampSenderAuthenticated::OCTETS;

fn key(octet: u8) -> StampKey {
    StampKey::new(&[octet; 16]).unwrap()
}

fn keys(of: impl IntoIterator<Item = (KeyScope, StampKey)>) -> Arc<StampKeys> {
    Arc::new(StampKeys::new(of))
}

fn with_keys(keys: &Arc<StampKeys>, change: impl FnOnce(&mut ReflectorConfig)) -> SessionReflector {
    let mut ours = reflector(change);
    ours.set_keys(Arc::clone(keys));
    ours
}

/// With one key for all.
fn keyed() -> SessionReflector {
    with_keys(&keys([(KeyScope::Default, key(1))]), |_| {})
}

/// A request, sent 50 ms before [`NOW`] and signed with this key; `tail` follows the base packet.
fn request(seq: u32, ssid: u16, key: &StampKey, tail: &[u8]) -> Vec<u8> {
    let mut request = [&[0; BASE], tail].concat();
    let (base, _) = StampSenderAuthenticated::view_mut(&mut request).unwrap();
    base.seq.set(seq);
    base.t1 = WireTime::ntp(NOW - Delta::from_ns(50_000_000));
    base.error = ErrorEstimate::from_bits(1);
    base.ssid.set(ssid);
    key.seal(&mut request);
    request
}

fn number_of_answer(ours: &mut SessionReflector, request: &[u8], arrival: &Arrival) -> u32 {
    number(&ask(ours, ms(0), request, arrival).unwrap().0)
}

/// The reply to a request that came and was answered at the times of a known reply, with these
/// times, which are finer than ours.
fn answered_as(
    ours: &mut SessionReflector,
    key: &StampKey,
    request: &[u8],
    arrival: &Arrival,
    known: &[u8],
) -> Result<Vec<u8>, Ignored> {
    let (theirs, _) = StampReflectorAuthenticated::view(known).unwrap();
    let wall = |time: WireTime| -> Wall { time.read(TimeFormat::Ntp, arrival.at.at, 0) };
    let at = Stamp {
        at: wall(theirs.t2),
        ..arrival.at
    };
    let arrival = Arrival { at, ..*arrival };
    let mut buffer = vec![STALE; 2048];
    buffer[..request.len()].copy_from_slice(request);
    let reflection = ours.reflect(ms(0), &mut buffer, request.len(), &arrival)?;
    buffer.truncate(reflection.octets);
    ours.seal(&reflection, &mut buffer, wall(theirs.t3), theirs.error);
    assert!(key.opens(&buffer), "sealed over T3 as it was written");
    let (base, _) = StampReflectorAuthenticated::view_mut(&mut buffer).unwrap();
    // A nanosecond is 4.3 units of the fraction.
    assert!(base.t2.bits().abs_diff(theirs.t2.bits()) <= 3);
    assert!(base.t3.bits().abs_diff(theirs.t3.bits()) <= 3);
    (base.t2, base.t3) = (theirs.t2, theirs.t3);
    key.seal(&mut buffer);
    Ok(buffer)
}

#[test]
fn replies_are_those_of_stamp_suite_octet_for_octet() {
    let known = known_key();
    let mut ours = with_keys(&keys([(KeyScope::Default, known.clone())]), |_| {});
    for (file, port, chain) in [
        ("stamp-authenticated.pcap", 21_862, 0),
        ("stamp-v1-authenticated-tlv.pcap", 28_626, 120),
    ] {
        for (asked, recorded) in exchanges(file, port) {
            let reply = answered_as(
                &mut ours,
                &known,
                &asked.octets,
                &asked.arrival,
                &recorded.octets,
            );
            let reply = reply.unwrap();
            assert_eq!(reply.len(), BASE + chain, "{file} {}", asked.number);
            assert_eq!(
                reply[..BASE],
                recorded.octets[..BASE],
                "{file} {}",
                asked.number
            );
        }
    }
    assert_eq!(ours.counters().reflected, 10);
    assert_eq!(ours.counters().sessions, 2);
}

#[test]
fn the_known_answers_are_given_stateful_and_stateless() {
    let known = known_key();
    let answers = known_answers();
    let rows = answers
        .iter()
        .filter(|(name, _)| name.starts_with("authenticated"));
    let mut seen = Vec::new();
    for (name, row) in rows {
        for protocols in [ReflectorProtocols::Auto, ReflectorProtocols::Stamp] {
            let mut ours = with_keys(&keys([(KeyScope::Default, known.clone())]), |config| {
                config.stateful = false;
                config.protocols = protocols;
            });
            let asked = packet(row, "request").unwrap();
            let from = Arrival {
                ttl: Some(64),
                ..arrival()
            };
            let Some(answer) = packet(row, "reply") else {
                let answer = ask(&mut ours, ms(0), &asked, &from);
                assert_eq!(answer, Err(Ignored::Forged), "{name}");
                continue;
            };
            let reply = answered_as(&mut ours, &known, &asked, &from, &answer).unwrap();
            assert_eq!(reply.len(), answer.len(), "{name}");
            assert_eq!(reply[..BASE], answer[..BASE], "{name}");
        }
        seen.push(name.as_str());
    }
    assert_eq!(
        seen,
        [
            "authenticated",
            "authenticated_bad_hmac",
            "authenticated_no_hmac_tlv",
            "authenticated_padding_only",
            "authenticated_tlvs",
        ]
    );
}

#[test]
fn a_request_with_a_wrong_hmac_leaves_nothing_but_a_count() {
    let mut ours = keyed();
    for octet in (0..4).chain(16..BASE) {
        let mut changed = request(7, 9, &key(1), &[]);
        changed[octet] ^= 0x40;
        let mut buffer = changed.clone();
        let answer = ours.reflect(ms(0), &mut buffer, BASE, &arrival());
        assert_eq!(answer, Err(Ignored::Forged), "octet {octet}");
        assert_eq!(buffer, changed);
    }
    let others = request(7, 9, &key(2), &[]);
    let answer = ask(&mut ours, ms(0), &others, &arrival());
    assert_eq!(answer, Err(Ignored::Forged));
    let counts = ours.counters();
    assert_eq!((counts.reflected, counts.sessions_made), (0, 0));
    assert_eq!(counts.ignored_as(Ignored::Forged), 4 + 96 + 1);
    assert_eq!(
        number_of_answer(&mut ours, &request(7, 9, &key(1), &[]), &arrival()),
        0
    );
}

#[test]
fn the_key_is_that_of_the_ssid_before_that_of_the_address_before_the_default() {
    let ssid = |ssid: u16| KeyScope::Ssid(ssid.try_into().unwrap());
    let prefix = |prefix: &str| KeyScope::Prefix(prefix.parse().unwrap());
    let some = [
        (ssid(5), key(5)),
        (prefix("192.0.2.0/24"), key(24)),
        (prefix("192.0.2.2/32"), key(32)),
    ];
    let mut all = some.to_vec();
    all.push((KeyScope::Default, key(1)));
    let (mut some, mut all) = (
        with_keys(&keys(some), |_| {}),
        with_keys(&keys(all), |_| {}),
    );
    let from = |address: &str| Arrival {
        from: std::net::SocketAddr::new(address.parse().unwrap(), 20_000),
        ..arrival()
    };
    for (address, with_ssid, right) in [
        ("192.0.2.2", 5, 5),
        ("192.0.2.2", 6, 32),
        ("192.0.2.2", 0, 32),
        ("192.0.2.3", 0, 24),
        ("198.51.100.1", 5, 5),
        ("198.51.100.1", 0, 1),
    ] {
        for octet in [1, 5, 24, 32] {
            let asked = request(0, with_ssid, &key(octet), &[]);
            let answer = ask(&mut all, ms(0), &asked, &from(address));
            let context = format!("{address} {with_ssid}, key {octet}");
            if octet == right {
                let (reply, _) = answer.unwrap();
                assert!(key(octet).opens(&reply), "{context}");
                assert_eq!(reply[26..28], with_ssid.to_be_bytes(), "{context}");
            } else {
                assert_eq!(answer, Err(Ignored::Forged), "{context}");
            }
            if right == 1 {
                let answer = ask(&mut some, ms(0), &asked, &from(address));
                assert_eq!(answer, Err(Ignored::NoKey), "{context}");
            }
        }
    }
}

#[test]
fn numbers_are_the_sessions_own_or_without_state_the_requests() {
    let one = keys([(KeyScope::Default, key(1))]);
    let mut stateful = with_keys(&one, |_| {});
    let mut stateless = with_keys(&one, |config| config.stateful = false);
    for (seq, ssid, port, own) in [
        (5, 0, 1, 0),
        (9, 0, 1, 1),
        (3, 4, 1, 0),
        (4, 0, 2, 0),
        (7, 4, 1, 1),
    ] {
        let asked = request(seq, ssid, &key(1), &[]);
        let from = from_port(20_000 + port);
        assert_eq!(number_of_answer(&mut stateful, &asked, &from), own);
        assert_eq!(number_of_answer(&mut stateless, &asked, &from), seq);
    }
    assert_eq!(stateful.counters().sessions, 3);
}

#[test]
fn packets_without_an_hmac_do_not_advance_the_numbers_of_a_session_that_has_one() {
    let mut ours = keyed();
    let asked = |seq| request(seq, 9, &key(1), &[]);
    assert_eq!(number_of_answer(&mut ours, &asked(0), &arrival()), 0);
    for seq in 0..5 {
        let open = number_of_answer(&mut ours, &stamp(seq, 9, &[]), &arrival());
        assert_eq!(open, seq);
    }
    assert_eq!(number_of_answer(&mut ours, &asked(1), &arrival()), 1);
    assert_eq!(ours.counters().sessions, 2);
}

#[test]
fn other_keys_are_in_force_at_once_and_sessions_go_on() {
    let mut ours = keyed();
    let asked = |seq, octet| request(seq, 9, &key(octet), &[]);
    assert_eq!(number_of_answer(&mut ours, &asked(0, 1), &arrival()), 0);
    ours.set_keys(keys([(KeyScope::Default, key(2))]));
    assert_eq!(
        ask(&mut ours, ms(1), &asked(1, 1), &arrival()),
        Err(Ignored::Forged)
    );
    let (reply, _) = ask(&mut ours, ms(2), &asked(1, 2), &arrival()).unwrap();
    assert!(key(2).opens(&reply));
    assert_eq!(number(&reply), 1);
    ours.set_keys(Arc::default());
    assert_eq!(
        ask(&mut ours, ms(3), &asked(2, 2), &arrival()),
        Err(Ignored::NoKey)
    );
    assert_eq!(ours.counters().sessions, 1);
}

#[test]
fn where_authenticated_packets_alone_are_answered_open_ones_are_not() {
    let by_ssid = keys([(KeyScope::Ssid(9.try_into().unwrap()), key(1))]);
    let mut ours = with_keys(&by_ssid, |config| config.authenticated_only = true);
    let unauthenticated = Err(Ignored::Unauthenticated);
    for (request, answer) in [
        (request(0, 9, &key(1), &[]), Ok(())),
        (request(0, 9, &key(2), &[]), Err(Ignored::Forged)),
        (request(0, 8, &key(1), &[]), Err(Ignored::NoKey)),
        (stamp(0, 9, &[]), unauthenticated),
        (stamp(0, 9, &[0x80, 3, 0, 4, 0, 0, 0, 0]), unauthenticated),
        (stamp(0, 0, &[7; 200]), unauthenticated),
        (light(0, &[7; 98]), unauthenticated),
    ] {
        let said = ask(&mut ours, ms(0), &request, &arrival()).map(|_| ());
        assert_eq!(said, answer, "{} octets", request.len());
    }
    assert_eq!(ours.counters().sessions_made, 1);
    // A listed SSID is needed too.
    let mut other = with_keys(&by_ssid, |config| config.ssids = vec![8..=8]);
    let said = ask(&mut other, ms(0), &request(0, 9, &key(1), &[]), &arrival());
    assert_eq!(said, Err(Ignored::NoSession));
}

#[test]
fn what_looks_authenticated_is_never_answered_without_its_hmac_but_by_twamp_light() {
    // The time, the Error Estimate and the SSID of an open reading are zero.
    for behind in [0, 1, 388] {
        let mut asked = request(0, 9, &key(1), &vec![0; behind]);
        asked[BASE - 16..BASE].fill(0);
        let answer = ask(&mut keyed(), ms(0), &asked, &arrival());
        assert_eq!(answer, Err(Ignored::Forged));
        let mut light = with_keys(&keys([(KeyScope::Default, key(1))]), |config| {
            config.protocols = ReflectorProtocols::TwampLight;
        });
        let (reply, _) = ask(&mut light, ms(0), &asked, &arrival()).unwrap();
        assert_eq!(reply.len(), BASE + behind);
    }
    // Shorter, it cannot be.
    let short = &request(0, 9, &key(1), &[])[..BASE - 1];
    let (reply, _) = ask(&mut keyed(), ms(0), short, &arrival()).unwrap();
    assert_eq!(reply.len(), BASE - 1);
}

#[test]
fn octets_behind_the_base_packet_come_back_in_place_and_marks_are_those_of_the_request() {
    // Extra Padding alone needs no HMAC TLV.
    let tail: Vec<u8> = [0, 1, 0, 56].into_iter().chain(4..60).collect();
    let mut ours = keyed();
    let from = Arrival {
        tos: Some(Tos(0xb9)),
        ..arrival()
    };
    let (reply, tos) = ask(&mut ours, ms(0), &request(3, 9, &key(1), &tail), &from).unwrap();
    assert_eq!(reply[BASE..], tail);
    assert_eq!(tos, Tos(0xb8), "its ECN is Not-ECT");
    let (base, _) = StampReflectorAuthenticated::view(&reply).unwrap();
    assert_eq!((base.sender_seq.get(), base.sender_ttl), (3, 61));
    assert_eq!(base.error, ERROR);
    assert_eq!(base.t2, WireTime::ntp(NOW));
    assert!(key(1).opens(&reply));
}

/// Read in the open layout, their T1 is T2 and their zeros are T3: near zero, the two are close.
#[test]
fn requests_around_the_end_of_the_ntp_era_are_no_replies() {
    let mut ours = keyed();
    let second = 1_u64 << 32;
    let before = |seconds: u64| (seconds * second).wrapping_neg();
    for t1 in [
        0,
        1,
        second - 1,
        second,
        u64::MAX,
        before(1),
        before(5),
        before(11),
    ] {
        let mut request = request(7, 0, &key(1), &[]);
        let (base, _) = StampSenderAuthenticated::view_mut(&mut request).unwrap();
        base.t1 = WireTime::from_bits(t1);
        key(1).seal(&mut request);
        let (reply, _) = ask(&mut ours, ms(0), &request, &arrival()).unwrap();
        let (reply, _) = StampReflectorAuthenticated::view(&reply).unwrap();
        assert_eq!(reply.sender_t1.bits(), t1, "{t1:#x}");
    }
}

#[test]
fn a_reply_with_a_right_hmac_is_not_answered() {
    let mut ours = keyed();
    let (reply, _) = ask(&mut ours, ms(0), &request(3, 9, &key(1), &[]), &arrival()).unwrap();
    let answer = ask(&mut ours, ms(1), &reply, &way_back(&arrival()));
    assert_eq!(answer, Err(Ignored::Reply));
}

#[test]
fn a_reply_without_tlvs_may_have_the_size_that_the_operator_gave() {
    for (padding, octets) in [(300, 314), (0, BASE)] {
        let mut ours = with_keys(&keys([(KeyScope::Default, key(1))]), |config| {
            config.padding = Some(padding);
            config.allow_larger_replies = true;
        });
        let (reply, _) = ask(&mut ours, ms(0), &request(0, 9, &key(1), &[]), &arrival()).unwrap();
        assert_eq!(reply.len(), octets);
        assert!(key(1).opens(&reply));
        assert!(reply[BASE..].iter().all(|octet| *octet == 0));
    }
}

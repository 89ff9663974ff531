//! Micro-sessions of the member links of a LAG at the reflector (RFC 9534).

use std::sync::Arc;

use twinpath_proto::extension::{MemberLink, SentReply};
use twinpath_proto::reflector::{Ignored, ReflectorConfig, SessionReflector};
use twinpath_proto::stamp::{KeyScope, StampKeys};
use twinpath_wire::{Mono, WireTime};

use super::edges::{CONTROL, COS, request, tlvs};
use super::rig::{MICRO_SESSION, Rig};
use crate::stamp::known_key;

#[test]
fn the_first_micro_session_and_the_first_node_count() {
    let mut rig = Rig::new();
    rig.policy.micro_sessions = vec![MICRO_SESSION];
    let ids = [0x80, 11, 0, 4, 0, 3, 0, 0];
    let other = [0x80, 11, 0, 4, 0, 4, 0, 6];
    let node = [0x80, 9, 0, 4, 192, 0, 2, 77];
    let own = [0x80, 9, 0, 4, 192, 0, 2, 2];
    let request = request(&[&ids, &other, &node, &own]);
    let (reply, effects) = rig.answer(&request, &request).unwrap();
    assert_eq!(reply[44..52], [0, 11, 0, 4, 0, 3, 0, 5]);
    assert_eq!(reply[52..], request[52..]);
    assert_eq!(effects.source, None);
}

#[test]
fn a_packet_that_is_discarded_is_not_of_the_session() {
    let mut config = ReflectorConfig::default();
    config.extensions.micro_sessions = vec![MICRO_SESSION];
    let mut reflector = SessionReflector::new(config);
    reflector.set_host(Arc::default());
    let arrival = Rig::new().arrival;
    let counting = [0x80, 5, 0, 12, 0, 0, 0, 1, 0, 0, 0, 0, 0, 0, 0, 0];
    let mut ask = |id| {
        let mut buffer = request(&[&[0x80, 11, 0, 4, 0, 3, 0, id], &counting]);
        buffer[15] = 9;
        let octets = buffer.len();
        let now = Mono::from_ns(1_000_000_000);
        reflector
            .reflect(now, &mut buffer, octets, &arrival)
            .map(|_| (buffer[3], buffer[63], buffer[67]))
    };
    assert_eq!(ask(5), Ok((0, 1, 1)));
    assert_eq!(ask(6), Err(Ignored::MicroSession));
    assert_eq!(ask(0), Ok((1, 2, 2)));
}

#[test]
fn a_packet_that_is_discarded_does_not_move_the_mark_of_its_session() {
    let mut config = ReflectorConfig {
        extensions: Rig::new().allowing_control().policy,
        ..ReflectorConfig::default()
    };
    config.extensions.micro_sessions = vec![MICRO_SESSION];
    let mut reflector = SessionReflector::new(config);
    let arrival = Rig::new().arrival;
    let mut ask = |seq: u8, id| {
        let mut buffer = request(&[&CONTROL, &[0x80, 11, 0, 4, 0, 3, 0, id]]);
        (buffer[3], buffer[15]) = (seq, 9);
        let octets = buffer.len();
        buffer.resize(512, 0);
        let now = Mono::from_ns(1_000_000_000);
        let reflection = reflector.reflect(now, &mut buffer, octets, &arrival)?;
        Ok(reflection.effects().replies.map(|replies| replies.count))
    };
    for (seq, id, copies) in [
        (4, 6, Err(Ignored::MicroSession)),
        (4, 5, Ok(Some(3))),
        (9, 6, Err(Ignored::MicroSession)),
        (5, 5, Ok(Some(3))),
        (5, 5, Ok(None)),
    ] {
        assert_eq!(ask(seq, id), copies, "{seq}, {id}");
    }
}

#[test]
fn a_micro_session_needs_no_state() {
    let mut rig = Rig::new();
    (rig.session, rig.policy.micro_sessions) = (None, vec![MICRO_SESSION]);
    let reply = tlvs(&mut rig, &request(&[&[0x80, 11, 0, 4, 0, 3, 0, 5]]));
    assert_eq!(reply, [0, 11, 0, 4, 0, 3, 0, 5]);
    let other = request(&[&[0x80, 11, 0, 4, 0, 3, 0, 6]]);
    assert_eq!(
        rig.answer(&other, &other).err(),
        Some(Ignored::MicroSession)
    );
}

#[test]
fn micro_sessions_with_the_same_addresses_ports_and_ssid_have_numbers_of_their_own() {
    let numbers = |is_configured: bool| {
        let mut config = ReflectorConfig::default();
        let links = is_configured.then_some(MICRO_SESSION);
        config.extensions.micro_sessions.extend(links);
        let mut reflector = SessionReflector::new(config);
        let arrival = Rig::new().arrival;
        let mut seq = 0_u8;
        [3, 4, 3, 4, 4, 0, 3].map(|sender| {
            let mut buffer = request(&[&[0x80, 11, 0, 4, 0, sender, 0, 5]]);
            (buffer[3], seq) = (seq, seq + 1);
            let octets = if sender == 0 { 44 } else { buffer.len() };
            buffer.resize(112, 0);
            let now = Mono::from_ns(1_000_000_000);
            let reply = reflector.reflect(now, &mut buffer, octets, &arrival);
            assert!(reply.is_ok(), "{reply:?}");
            buffer[3]
        })
    };
    assert_eq!(numbers(true), [0, 0, 1, 1, 2, 0, 2]);
    // Without micro sessions the TLV is not used, for this either.
    assert_eq!(numbers(false)[..5], [0, 1, 2, 3, 4]);
}

#[test]
fn a_member_link_s_id_is_right_on_its_interface_alone() {
    let link = |id, interface| MemberLink { id, interface };
    let mut rig = Rig::new();
    let mut asked = |links: &[MemberLink], arrived, asked: u8| {
        rig.policy.micro_sessions = links.to_vec();
        rig.arrival.interface = arrived;
        let request = request(&[&[0x80, 11, 0, 4, 0, 3, 0, asked]]);
        let answer = rig.answer(&request, &request).ok();
        answer.map(|(reply, _)| (reply[44], reply[51]))
    };
    let both = [link(5, Some(7)), link(6, Some(8))];
    for (arrived, id, answer) in [
        (7, 5, Some((0, 5))),
        (8, 6, Some((0, 6))),
        (8, 5, None),
        (7, 6, None),
        (9, 5, None),
        (7, 4, None),
        // Not known to the sender: the link that it came by.
        (7, 0, Some((0, 5))),
        (8, 0, Some((0, 6))),
        (9, 0, Some((0x80, 0))),
    ] {
        assert_eq!(asked(&both, arrived, id), answer, "{arrived} {id}");
    }
    // Numbers alone: any interface will do, and of several none is known to be meant.
    let numbers = [link(5, None), link(6, None)];
    for (id, answer) in [(5, Some((0, 5))), (6, Some((0, 6))), (0, Some((0x80, 0)))] {
        assert_eq!(asked(&numbers, 7, id), answer, "{id}");
    }
    // But that which is the sender's own.
    let numbers = [link(6, None), link(3, None)];
    assert_eq!(asked(&numbers, 7, 0), Some((0, 3)));
    let mixed = [link(6, None), link(5, Some(7))];
    assert_eq!(asked(&mixed, 7, 0), Some((0, 5)));
    assert_eq!(asked(&mixed, 8, 0), Some((0, 6)));
}

#[test]
fn a_request_of_a_micro_session_is_for_the_socket_on_its_member_link() {
    let link = |id, interface| MemberLink { id, interface };
    let is_of = |links: &[MemberLink], no_tlv: bool, tlv: &[u8]| {
        let mut config = ReflectorConfig::default();
        config.extensions.micro_sessions = links.to_vec();
        config.extensions.copies_only = no_tlv;
        let reflector = SessionReflector::new(config);
        let (request, arrival) = (request(&[&COS, tlv]), Rig::new().arrival);
        let now = Mono::from_ns(1_000_000_000);
        let takes = |is_over| reflector.takes(now, &request, &arrival, is_over).is_some();
        assert_ne!(takes(true), takes(false));
        takes(true)
    };
    let micro = |id| [0x80, 11, 0, 4, 0, 3, 0, id];
    let links = [link(5, Some(7)), link(6, None)];
    // Whatever it asks for: the socket there knows by which member it came.
    for id in [5, 0, 6, 9] {
        assert!(is_of(&links, false, &micro(id)), "{id}");
    }
    assert!(!is_of(&links, true, &micro(5)));
    assert!(!is_of(&links[1..], false, &micro(0)));
    assert!(!is_of(&links, false, &[]));
    assert!(!is_of(&links, false, &[0x80, 11, 0, 2, 0, 3]));
    assert!(!is_of(&[], false, &micro(5)));
}

/// What the documentation says a responder answers, row by row.
#[test]
fn each_row_of_the_documented_table_is_what_is_answered() {
    let text = include_str!("../../../../../docs/stamp-extensions.md");
    let (_, table) = text.split_once("<!-- micro-session answers").unwrap();
    let rows = table.lines().skip_while(|line| !line.starts_with("|---"));
    let mut seen = 0;
    for row in rows.skip(1).take_while(|line| line.starts_with('|')) {
        let cells: Vec<&str> = row
            .split('|')
            .map(|cell| cell.trim().trim_matches('`'))
            .collect();
        let [_, configured, by, asked, answer, _] = cells[..] else {
            panic!("{row}");
        };
        let interface = |name: &str| name.strip_prefix("eth").map_or(99, |n| n.parse().unwrap());
        let links = configured.split(',').filter(|it| *it != "none").map(|it| {
            let (id, name) = it
                .split_once('@')
                .map_or((it, None), |(id, name)| (id, Some(name)));
            MemberLink {
                id: id.parse().unwrap(),
                interface: name.map(interface),
            }
        });
        let mut rig = Rig::new();
        rig.policy.micro_sessions = links.collect();
        rig.arrival.interface = interface(by);
        let (sender, reflector) = asked.split_once(':').unwrap_or((asked, "0"));
        let ids: [u8; 2] = [sender, reflector].map(|id| id.parse().unwrap());
        let request = request(&[&[0x80, 11, 0, 4, 0, ids[0], 0, ids[1]]]);
        let known = match (answer, rig.answer(&request, &request)) {
            ("no reply", reply) => reply.err() == Some(Ignored::MicroSession),
            ("U", reply) => reply.unwrap().0[44..] == request[44..],
            (id, reply) => {
                let id: u8 = id.parse().unwrap();
                reply.unwrap().0[44..] == [0, 11, 0, 4, 0, ids[0], 0, id]
            }
        };
        assert!(known, "{row}");
        seen += 1;
    }
    assert_eq!(seen, 25);
}

/// A request of micro-session 3 that asks for nothing else, with an HMAC TLV that is right or not.
fn signed(seq: u32, ids: [u8; 4], is_right: bool) -> Vec<u8> {
    let chain = [&[0x80, 11, 0, 4][..], &ids].concat();
    let mut digest = known_key().sign(&[&seq.to_be_bytes(), &chain]);
    digest[0] ^= u8::from(!is_right);
    let mut request = request(&[&chain, &[0x80, 8, 0, 16], &digest]);
    request[..4].copy_from_slice(&seq.to_be_bytes());
    request
}

#[test]
fn ids_are_judged_after_their_hmac() {
    let mut config = ReflectorConfig::default();
    config.extensions.micro_sessions = vec![MemberLink {
        interface: Some(7),
        ..MICRO_SESSION
    }];
    let mut reflector = SessionReflector::new(config);
    let keys = StampKeys::new([(KeyScope::Default, known_key())]);
    reflector.set_keys(Arc::new(keys));
    let mut arrival = Rig::new().arrival;
    arrival.interface = 7;
    let mut ask = |seq, ids, is_right| {
        let mut buffer = signed(seq, ids, is_right);
        let octets = buffer.len();
        let now = Mono::from_ns(1_000_000_000);
        let sockets = [true, false];
        let taken = sockets.map(|is_over| reflector.takes(now, &buffer, &arrival, is_over));
        let is_of_micro_session = taken[0].is_some();
        assert_ne!(is_of_micro_session, taken[1].is_some());
        let verified = taken.into_iter().flatten().next().unwrap();
        let told = reflector.reflect_verified(now, &mut buffer, octets, &arrival, verified);
        let number = u32::from_be_bytes(buffer[..4].try_into().unwrap());
        told.map(|_| (number, buffer[44], is_of_micro_session))
    };
    assert_eq!(ask(0, [0, 3, 0, 5], true), Ok((0, 0, true)));
    assert_eq!(ask(1, [0, 3, 0, 5], true), Ok((1, 0, true)));
    // What is not proved is of no micro-session: its numbers are others, and it is not discarded.
    for (number, ids) in (0..).zip([[0, 3, 0, 5], [0, 3, 0, 6], [0, 9, 0, 5]]) {
        assert_eq!(ask(2, ids, false), Ok((number, 0x20, false)), "{ids:?}");
    }
    assert_eq!(ask(2, [0, 3, 0, 5], true), Ok((2, 0, true)));
    assert_eq!(ask(3, [0, 3, 0, 6], true), Err(Ignored::MicroSession));
}

/// Row SL-36.
#[test]
fn follow_up_telemetry_goes_with_a_micro_session() {
    let mut rig = Rig::new();
    rig.policy.micro_sessions = vec![MICRO_SESSION];
    let at = rig.arrival.at;
    rig.session.as_mut().unwrap().sent = Some(SentReply {
        number: u32::MAX,
        at,
    });
    let follow_up = [&[0x80, 7, 0, 16][..], &[0; 16]].concat();
    let request = request(&[&[0x80, 11, 0, 4, 0, 3, 0, 0], &follow_up]);
    let (reply, effects) = rig.answer(&request, &request).unwrap();
    assert_eq!(reply[44..52], [0, 11, 0, 4, 0, 3, 0, 5]);
    assert_eq!(reply[52..60], [0, 7, 0, 16, 0xff, 0xff, 0xff, 0xff]);
    assert_eq!(reply[60..68], WireTime::ntp(at.at).bits().to_be_bytes());
    assert!(effects.wants_sent_time);
}

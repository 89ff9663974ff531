//! Request-TW-Session, field by field (section 5 and 10 of the conformance table).

use std::time::Duration;

use twinpath_proto::control::{
    Admission, ClientEvent, ClientPlan, CloseReason, ControlClient, Nonces, PeerDeviation,
    RequestFault, ServerConfig, ServerEvent, SessionPlan, SessionRequest,
};
use twinpath_wire::control::{Modes, SecurityMode};
use twinpath_wire::{Dscp, Wall, WireTime};

use super::messages::{request, request_with, set_up};
use super::rig::{ClientRig, START, ServerRig, local, peer};
use super::secured::{alice, keys};
use super::together::carry;

/// Result of a request: the session that the driver is asked to open, or an Accept value.
fn judged(rig: &mut ServerRig, message: &[u8]) -> Result<SessionRequest, u8> {
    let (events, sent) = rig.exchange(message);
    let asked = events.iter().find_map(|event| match event {
        ServerEvent::Open(request) => Some(*request),
        _ => None,
    });
    assert_eq!(sent.len(), 1);
    asked.ok_or(sent[0][0])
}

fn open() -> ServerRig {
    ServerRig::set_up(ServerConfig::default(), 1)
}

/// A connection between these two.
fn between(config: ServerConfig, peer: &str, local: &str) -> ServerRig {
    let (peer, local) = (peer.parse().unwrap(), local.parse().unwrap());
    let mut rig = ServerRig::between(config, Admission::Served, peer, local);
    rig.feed(&set_up(1));
    rig
}

#[test]
fn zero_addresses_are_the_ends_of_the_control_connection() {
    // Row TC-36.
    let asked = judged(&mut open(), &request()).unwrap();
    assert_eq!(asked.sender, (peer().ip(), 20_000).into());
    assert_eq!(asked.receiver, local().ip());
    assert_eq!(asked.receiver_port, 20_001);
    assert_eq!(asked.padding_length, 27);
    assert_eq!(asked.timeout, Duration::from_secs(2));
}

#[test]
fn each_address_is_judged_on_its_own() {
    // Rows TC-36, TC-38, TC-39: whether a receiver is the host's own, the driver knows.
    let sender = request_with(16, &[192, 0, 2, 1]);
    assert_eq!(judged(&mut open(), &sender).unwrap().receiver, local().ip());
    let receiver = request_with(32, &[192, 0, 2, 77]);
    let asked = judged(&mut open(), &receiver).unwrap();
    assert_eq!(asked.receiver.to_string(), "192.0.2.77");
    assert_eq!(asked.sender.ip(), peer().ip());
    // Octets after an IPv4 address are ignored.
    let garbage = request_with(16, &[192, 0, 2, 1, 9, 9, 9, 9, 9, 9, 9, 9, 9, 9, 9, 9]);
    assert_eq!(
        judged(&mut open(), &garbage).unwrap().sender.ip(),
        peer().ip()
    );
    let multicast = request_with(32, &[224, 0, 0, 1]);
    assert_eq!(judged(&mut open(), &multicast), Err(3));
}

#[test]
fn a_sender_other_than_the_client_must_be_allowed() {
    // Row TC-39.
    let foreign = request_with(16, &[198, 51, 100, 9]);
    assert_eq!(judged(&mut open(), &foreign), Err(3));
    let config = ServerConfig {
        allow_sender: vec!["198.51.100.0/24".parse().unwrap()],
        ..ServerConfig::default()
    };
    let mut rig = ServerRig::set_up(config, 1);
    let asked = judged(&mut rig, &foreign).unwrap();
    assert_eq!(asked.sender, ([198, 51, 100, 9], 20_000).into());
    assert_eq!(
        judged(&mut rig, &request_with(16, &[198, 51, 101, 9])),
        Err(3)
    );
}

#[test]
fn on_ipv6_zero_addresses_with_ip_version_4_are_the_connection_s() {
    // Row TC-37.
    let mut rig = between(
        ServerConfig::default(),
        "[2001:db8::1]:50000",
        "[2001:db8::2]:862",
    );
    let asked = judged(&mut rig, &request()).unwrap();
    assert_eq!(asked.sender, "[2001:db8::1]:20000".parse().unwrap());
    assert_eq!(asked.receiver.to_string(), "2001:db8::2");
    let mut rig = between(
        ServerConfig::default(),
        "[2001:db8::1]:50000",
        "[2001:db8::2]:862",
    );
    let (events, _) = rig.exchange(&request());
    assert_eq!(events[0], ServerEvent::Note(PeerDeviation::IpVersion(4)));
    // With an address given, the version counts.
    let named = request_with(16, &[192, 0, 2, 1]);
    assert_eq!(judged(&mut rig, &named), Err(3));
    // Packets from an IPv6 address do not arrive at an IPv4 one.
    let named = request_with(32, &[192, 0, 2, 2]);
    assert_eq!(judged(&mut rig, &named), Err(3));
}

#[test]
fn a_mapped_address_is_the_ipv4_address_that_it_maps() {
    // Row TC-37.
    let mut rig = between(
        ServerConfig::default(),
        "[::ffff:192.0.2.1]:50000",
        "[::ffff:192.0.2.2]:862",
    );
    let (events, _) = rig.exchange(&request());
    let [ServerEvent::Open(asked)] = events[..] else {
        panic!("{events:?}")
    };
    assert_eq!(asked.sender, ([192, 0, 2, 1], 20_000).into());
    assert_eq!(asked.receiver.to_string(), "192.0.2.2");
    let mut mapped = request_with(
        16,
        &"::ffff:192.0.2.1"
            .parse::<std::net::Ipv6Addr>()
            .unwrap()
            .octets(),
    );
    mapped[1] = 6;
    assert_eq!(judged(&mut rig, &mapped).unwrap().sender, asked.sender);
    // One that maps 0.0.0.0 is a zero address: the end of the connection.
    mapped[28..32].fill(0);
    assert_eq!(judged(&mut rig, &mapped).unwrap().sender, asked.sender);
}

#[test]
fn a_link_local_sender_keeps_its_link() {
    let mut rig = between(
        ServerConfig::default(),
        "[fe80::1%3]:50000",
        "[fe80::2%3]:862",
    );
    let asked = judged(&mut rig, &request()).unwrap();
    assert_eq!(asked.sender, "[fe80::1%3]:20000".parse().unwrap());
}

#[test]
fn aspects_that_are_not_supported_get_accept_3() {
    let cases: [(&str, usize, &[u8]); 11] = [
        ("IP version 0, row TC-37", 1, &[0]),
        ("IP version 5, row TC-37", 1, &[5]),
        ("Conf-Sender, row TC-33", 2, &[1]),
        ("Conf-Receiver, row TC-33", 3, &[1]),
        ("Sender Port 0", 12, &[0, 0]),
        ("Type-P of a PHB, row TC-32", 84, &[0x40]),
        ("Type-P reserved, row TC-32", 84, &[0x80]),
        ("Type-P reserved, row TC-32", 84, &[0xc0]),
        ("sender of another family, row TC-36", 1, &[6]),
        ("foreign sender, row TC-39", 16, &[192, 0, 2, 3]),
        ("multicast receiver, row TC-39", 32, &[239, 1, 1, 1]),
    ];
    for (name, offset, octets) in cases {
        let message = request_with(offset, octets);
        let mut message = message;
        if name.contains("family") {
            message[16..32].copy_from_slice(&[0x20; 16]);
        }
        let mut rig = open();
        assert_eq!(judged(&mut rig, &message), Err(3), "{name}");
        // Row TC-30: a refusal does not close the connection.
        assert!(judged(&mut rig, &request()).is_ok(), "{name}");
    }
}

#[test]
fn the_operator_hears_which_field_made_a_request_one_to_refuse() {
    let foreign = "198.51.100.1".parse().unwrap();
    let cases = [
        (1, &[6_u8][..], RequestFault::Receiver(local().ip())),
        (1, &[5], RequestFault::IpVersion(5)),
        (
            2,
            &[1, 0],
            RequestFault::OneWay {
                sender: 1,
                receiver: 0,
            },
        ),
        (12, &[0, 0], RequestFault::SenderPort(0)),
        (16, &[198, 51, 100, 1], RequestFault::Sender(foreign)),
        (84, &[0xff; 4], RequestFault::TypeP),
    ];
    for (offset, octets, fault) in cases {
        let mut message = request_with(offset, octets);
        if matches!(fault, RequestFault::Receiver(_)) {
            // A sender of the other family.
            message[16..32].copy_from_slice(&[0x20; 16]);
        }
        let config = ServerConfig {
            allow_sender: vec!["2000::/3".parse().unwrap()],
            ..ServerConfig::default()
        };
        let (events, sent) = ServerRig::set_up(config, 1).exchange(&message);
        assert_eq!(events.last(), Some(&ServerEvent::Refused(fault)));
        assert_eq!(sent[0][0], fault.accept().octet(), "{fault}");
    }
}

#[test]
fn a_sender_behind_nat_may_name_no_port() {
    let config = ServerConfig {
        nat: true,
        ..ServerConfig::default()
    };
    let mut rig = ServerRig::set_up(config, 1);
    assert!(judged(&mut rig, &request_with(12, &[0, 0])).is_ok());
}

#[test]
fn a_sender_on_a_services_port_is_not_agreed_on() {
    // Row TT-58: packets from there would not be reflected.
    for nat in [false, true] {
        let config = ServerConfig {
            nat,
            ..ServerConfig::default()
        };
        let mut rig = ServerRig::set_up(config, 1);
        for port in [7, 9, 13, 17, 19, 37, 53, 111, 123, 161, 500_u16] {
            let message = request_with(12, &port.to_be_bytes());
            assert_eq!(judged(&mut rig, &message), Err(3), "{port}");
        }
        for port in [1, 862, 1023, 65_535_u16] {
            let message = request_with(12, &port.to_be_bytes());
            assert!(judged(&mut rig, &message).is_ok(), "{port}");
        }
    }
}

#[test]
fn schedule_slots_get_accept_3_and_the_connection_ends() {
    // Row TC-35: an OWAMP-like peer appends records.
    let mut rig = open();
    let (events, sent) = rig.exchange(&request_with(4, &[0, 0, 0, 1]));
    assert_eq!(sent[0][0], 3);
    let refused = ServerEvent::Refused(RequestFault::ScheduleSlots(1));
    let closed = ServerEvent::Closed(CloseReason::ScheduleSlots(1));
    assert_eq!(events, [refused, closed]);
    assert!(rig.server.is_closed());
}

#[test]
fn harmless_fields_are_ignored_and_noted_once() {
    // Rows TC-34, TC-35, TC-44; the high bits beside the IP version are MBZ.
    let mut rig = open();
    let mut message = request_with(8, &[0, 0, 0, 9]);
    message[48] = 1;
    message[1] |= 0xf0;
    message[92..].fill(0xff);
    let (events, _) = rig.exchange(&message);
    assert_eq!(events[0], ServerEvent::Note(PeerDeviation::SidInRequest));
    assert_eq!(
        events[1],
        ServerEvent::Note(PeerDeviation::PacketsInRequest(9))
    );
    assert!(matches!(events[2..], [ServerEvent::Open(_)]));
    let (events, _) = rig.exchange(&message);
    assert!(matches!(events[..], [ServerEvent::Open(_)]));
}

#[test]
fn the_dscp_is_the_second_six_bits_of_type_p() {
    // Rows TC-31, TC-32: the low 24 bits are ignored.
    for octets in [[46, 0, 0, 0], [46, 1, 2, 3]] {
        let asked = judged(&mut open(), &request_with(84, &octets)).unwrap();
        assert_eq!(asked.dscp, Dscp::EF);
    }
}

#[test]
fn a_timeout_over_refwait_is_refwait() {
    // Row TC-46.
    let config = ServerConfig {
        refwait: Duration::from_secs(7),
        ..ServerConfig::default()
    };
    let mut rig = ServerRig::set_up(config, 1);
    let asked = |rig: &mut ServerRig, octets: &[u8]| judged(rig, &request_with(76, octets));
    let timeout = asked(&mut rig, &[0, 0, 0, 7, 0, 0, 0, 1]).unwrap().timeout;
    assert_eq!(timeout, Duration::from_secs(7));
    let timeout = asked(&mut rig, &[0xff; 8]).unwrap().timeout;
    assert_eq!(timeout, Duration::from_secs(7));
    let timeout = asked(&mut rig, &[0, 0, 0, 1, 0x80, 0, 0, 0])
        .unwrap()
        .timeout;
    assert_eq!(timeout, Duration::from_millis(1500));
}

#[test]
fn a_start_time_moves_the_start_by_a_day_at_most() {
    // Row TC-48.
    let clock = Wall::from_unix_ns(1_795_392_000_000_000_000);
    let delay = |offset_s: i64| {
        let at = Wall::from_unix_ns(clock.unix_ns() + offset_s * 1_000_000_000);
        let octets = WireTime::ntp(at).bits().to_be_bytes();
        let asked = judged(&mut open(), &request_with(68, &octets)).unwrap();
        asked.start_delay(clock).as_secs()
    };
    assert_eq!(delay(0), 0);
    assert_eq!(delay(-3600), 0);
    assert_eq!(delay(90), 90);
    assert_eq!(delay(400_000), 86_400);
    assert_eq!(
        judged(&mut open(), &request()).unwrap().start_delay(clock),
        Duration::ZERO
    );
}

#[test]
fn more_padding_than_a_datagram_holds_gets_accept_4() {
    // Row TC-50; with Symmetrical Size the 27 octets that must be zero come on top (row TC-83).
    for (modes, most) in [(1, 65_507 - 14), (65, 65_507 - 41)] {
        let mut rig = ServerRig::set_up(ServerConfig::default(), modes);
        let padding = |octets: u32| request_with(64, &octets.to_be_bytes());
        assert!(judged(&mut rig, &padding(most)).is_ok());
        assert_eq!(judged(&mut rig, &padding(most + 1)), Err(4));
        assert_eq!(judged(&mut rig, &padding(u32::MAX)), Err(4));
    }
}

#[test]
fn padding_to_reflect_must_fit_in_the_padding() {
    // Rows TC-82, TC-83.
    let asked = |modes: u32, padding: u32, reflected: u16| {
        let mut message = request_with(64, &padding.to_be_bytes());
        message[90..92].copy_from_slice(&reflected.to_be_bytes());
        let mut rig = ServerRig::set_up(ServerConfig::default(), modes);
        judged(&mut rig, &message).map(|asked| asked.padding_to_reflect)
    };
    assert_eq!(asked(33, 27 + 100, 100), Ok(100));
    assert_eq!(asked(33, 27 + 99, 100), Err(3));
    assert_eq!(asked(33, 0, 0), Ok(0));
    assert_eq!(asked(33 + 64, 100, 100), Ok(100));
    assert_eq!(asked(33 + 64, 99, 100), Err(3));
    // Without Reflect Octets the field must be zero, and is not looked at.
    assert_eq!(asked(1, 0, 100), Ok(0));
}

#[test]
fn in_secured_sessions_the_padding_holds_64_octets_more_than_what_is_to_be_reflected() {
    // Rows TC-82, TC-83; mixed packets are open.
    let answer = |security: SecurityMode, more: Modes, padding_length, padding_to_reflect| {
        let plan = ClientPlan {
            security: vec![security],
            credentials: Some(alice()),
            required: Modes::REFLECT_OCTETS | more,
            sessions: vec![SessionPlan {
                sender_port: 20_000,
                receiver_port: 20_001,
                padding_length,
                padding_to_reflect,
                ..SessionPlan::default()
            }],
            ..ClientPlan::default()
        };
        let mut client = ClientRig::new(ControlClient::new(plan, START, local()));
        let mut server = ServerRig::keyed(ServerConfig::default(), keys(), Nonces::default());
        carry(&mut client, &mut server, 1_000);
        let asked = server.events.iter().find_map(|event| match event {
            ServerEvent::Open(request) => Some(request.padding_to_reflect),
            _ => None,
        });
        let refused = client.events.iter().find_map(|event| match event {
            ClientEvent::Refused { refusal, .. } => Some(refusal.octet),
            _ => None,
        });
        asked.ok_or_else(|| refused.unwrap())
    };
    let none = Modes::default();
    for (security, difference) in [
        (SecurityMode::Authenticated, 64),
        (SecurityMode::Encrypted, 64),
        (SecurityMode::Mixed, 27),
    ] {
        assert_eq!(answer(security, none, difference + 100, 100), Ok(100));
        assert_eq!(answer(security, none, difference + 99, 100), Err(3));
        assert_eq!(answer(security, none, 0, 0), Ok(0));
        let symmetrical = Modes::SYMMETRICAL_SIZE;
        assert_eq!(answer(security, symmetrical, 100, 100), Ok(100));
        assert_eq!(answer(security, symmetrical, 99, 100), Err(3));
    }
}

#[test]
fn octets_to_reflect_come_back_and_server_octets_with_them() {
    // Rows TC-80, TC-81; without Reflect Octets both are zero.
    for (modes, expected) in [(33, [0xbe, 0xef]), (1, [0, 0])] {
        let mut rig = ServerRig::set_up(ServerConfig::default(), modes);
        let (events, sent) = rig.exchange(&request_with(88, &[0xbe, 0xef]));
        let ServerEvent::Open(asked) = events[0] else {
            panic!("{events:?}")
        };
        assert_eq!(asked.modes, Modes::from_bits(modes));
        assert_eq!(sent[0][20..22], expected);
        assert_eq!(sent[0][22..24], [0, 0]);
    }
}

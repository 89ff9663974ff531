//! What a fuzzer finds slowly: every capture under every configuration, and packets of every length.

mod captures;

use proptest::prelude::*;
use twinpath_fuzz::{corpus, run};

use self::captures::{CONTROL, TEST, datagrams, streams};

/// A capture as the target `reflector` reads it.
fn reflected(file: &str, flags: u8) -> Vec<u8> {
    let mut input = vec![flags, 90];
    for datagram in datagrams(file) {
        input.extend_from_slice(&datagram.from_port.to_be_bytes());
        input.push(datagram.to_port.to_be_bytes()[1]);
        input.extend([datagram.ttl, datagram.tos, 100]);
        push(&mut input, &datagram.octets);
    }
    input
}

/// A captured session as the target `negotiated` reads it, its sender's port that of the session.
fn negotiated(file: &str, features: u8) -> Vec<u8> {
    let port = 0x20;
    let mut input = vec![features, 20, 0x11, port];
    for datagram in datagrams(file) {
        input.extend([0x30, port, 3, 64, datagram.tos, 50]);
        push(&mut input, &datagram.octets);
    }
    input
}

fn push(input: &mut Vec<u8>, octets: &[u8]) {
    let length = u16::try_from(octets.len()).expect("a datagram's length");
    input.extend_from_slice(&length.to_be_bytes());
    input.extend_from_slice(octets);
}

#[test]
fn captures_break_no_rule_of_a_reflector_under_any_configuration() {
    for file in TEST {
        for flags in 0..=255 {
            run("reflector", &reflected(file, flags));
        }
    }
}

#[test]
fn captures_break_no_rule_of_a_negotiated_session_with_any_features() {
    for file in TEST {
        for features in (0..=255).step_by(3) {
            run("negotiated", &negotiated(file, features));
        }
    }
}

#[test]
fn captures_break_no_rule_of_control_under_any_configuration() {
    let captured = CONTROL.map(|(file, port)| streams(file, port));
    for flags in (0..=255).step_by(5) {
        for piece in [1, 15, 17, 100] {
            for (client, server) in &captured {
                run("server", &[&[flags, piece], &client[..]].concat());
                run("client", &[&[flags, piece], &server[..]].concat());
            }
            for (target, whole) in [
                ("server", corpus::of("server")),
                ("client", corpus::of("client")),
            ] {
                for input in whole.iter().filter(|input| input.len() > 2).step_by(7) {
                    run(target, &[&[flags, piece], &input[2..]].concat());
                }
            }
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::default() })]

    /// One datagram, all of it a request: octets that a length field would rarely let through.
    #[test]
    fn no_datagram_breaks_a_rule_of_a_reflector(
        head in prop::array::uniform8(any::<u8>()),
        payload in prop::collection::vec(prop_oneof![2 => Just(0_u8), 1 => any::<u8>()], 0..300),
    ) {
        run("reflector", &[&head[..], &[1, 44], &payload].concat());
    }

    /// Packets of every length from the session's own sender, in the open and sealed.
    #[test]
    fn no_datagram_breaks_a_rule_of_a_negotiated_session(
        setting in any::<[u8; 4]>(),
        packets in prop::collection::vec(
            (
                prop_oneof![3 => Just(3_u8), 3 => Just(0x83), 1 => Just(0xc3), 1 => 0..3_u8],
                any::<u8>(),
                0..100_u8,
                prop::collection::vec(any::<u8>(), 0..200),
            ),
            1..12,
        ),
    ) {
        let mut input = setting.to_vec();
        for (order, tos, pause, payload) in packets {
            input.extend([0x30, setting[3], order, 64, tos, pause, 0]);
            input.push(u8::try_from(payload.len()).unwrap());
            input.extend(payload);
        }
        run("negotiated", &input);
    }
}

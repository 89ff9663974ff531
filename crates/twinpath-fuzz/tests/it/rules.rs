//! What a fuzzer finds slowly: every capture under every configuration, and packets of every length.

use proptest::prelude::*;
use twinpath_fuzz::{run, seeds};

#[test]
fn captures_break_no_rule_of_a_reflector_under_any_configuration() {
    for seed in seeds::of("reflector") {
        for flags in 0..=255 {
            run("reflector", &[&[flags], &seed[1..]].concat());
        }
    }
}

#[test]
fn captures_break_no_rule_of_an_agreed_session_with_any_features() {
    for seed in seeds::of("negotiated") {
        for features in (0..=255).step_by(3) {
            run("negotiated", &[&[features], &seed[1..]].concat());
        }
    }
}

#[test]
fn captures_break_no_rule_of_control_under_any_configuration() {
    let (clients, servers) = (seeds::clients(), seeds::servers());
    for flags in (0..=255).step_by(5) {
        for piece in [1, 15, 17, 100] {
            for stream in &clients {
                run("server", &[&[flags, piece], &stream[..]].concat());
            }
            for stream in &servers {
                run("client", &[&[flags, piece], &stream[..]].concat());
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
    fn no_datagram_breaks_a_rule_of_an_agreed_session(
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

//! The fuzzer's target for agreed sessions, driven without a fuzzer.

use proptest::prelude::*;
use twinpath_proto::reflector::fuzz::fuzz_agreed;

use super::super::capture::datagrams;

/// A captured session in the target's own form, its sender's port made that of the spec.
fn input(file: &str, setting: [u8; 4], orders: &[u8]) -> Vec<u8> {
    let mut input = setting.to_vec();
    for (at, datagram) in datagrams(file).into_iter().enumerate() {
        input.extend([0x30, setting[3]]);
        input.push(orders.get(at).copied().unwrap_or(3));
        input.extend([64, datagram.arrival.tos.unwrap().0, 50]);
        input.extend_from_slice(&u16::try_from(datagram.octets.len()).unwrap().to_be_bytes());
        input.extend_from_slice(&datagram.octets);
    }
    input
}

#[test]
fn captures_break_no_rule_with_any_features() {
    for file in [
        "unauthenticated.pcap",
        "unauthenticated-padding-dscp.pcap",
        "light-twampy.pcap",
    ] {
        for features in 0..=255 {
            fuzz_agreed(&input(file, [features, 20, 0x11, 8], &[]));
        }
    }
}

proptest! {
    #[test]
    fn changed_captures_break_no_rule(
        setting in any::<[u8; 4]>(),
        orders in prop::collection::vec(prop_oneof![3 => Just(3_u8), 1 => 0..4_u8], 0..20),
        changes in prop::collection::vec((any::<prop::sample::Index>(), any::<u8>()), 0..40),
        octets in any::<prop::sample::Index>(),
    ) {
        let mut input = input("unauthenticated.pcap", setting, &orders);
        for (at, octet) in changes {
            let at = at.index(input.len());
            input[at] = octet;
        }
        input.truncate(octets.index(input.len()) + 1);
        fuzz_agreed(&input);
    }

    #[test]
    fn no_octets_break_a_rule(input in prop::collection::vec(any::<u8>(), 0..600)) {
        fuzz_agreed(&input);
    }

    /// Packets of every length from the session's own sender.
    #[test]
    fn no_datagram_breaks_a_rule(
        setting in any::<[u8; 4]>(),
        packets in prop::collection::vec(
            (prop_oneof![3 => Just(3_u8), 1 => 0..3_u8], any::<u8>(), 0..100_u8, prop::collection::vec(any::<u8>(), 0..120)),
            1..12,
        ),
    ) {
        let mut input = setting.to_vec();
        for (order, tos, pause, payload) in packets {
            input.extend([0x30, setting[3], order, 64, tos, pause, 0]);
            input.push(u8::try_from(payload.len()).unwrap());
            input.extend(payload);
        }
        fuzz_agreed(&input);
    }
}

//! The fuzzer's target, driven without a fuzzer: the captures, and changes to them.

use proptest::prelude::*;
use twinpath_proto::reflector::fuzz::fuzz_reflect;

use super::capture::datagrams;

const FILES: [&str; 14] = [
    "unauthenticated.pcap",
    "unauthenticated-zero-addresses.pcap",
    "unauthenticated-padding-dscp.pcap",
    "mixed.pcap",
    "light-twampy.pcap",
    "light-twampy-imix.pcap",
    "stamp-open.pcap",
    "stamp-v1-ptp.pcap",
    "stamp-v1-no-extensions.pcap",
    "stamp-tlv.pcap",
    "stamp-v1-tlv.pcap",
    "stamp-v1-malformed.pcap",
    "stamp-v1-bad-flags.pcap",
    "stamp-authenticated.pcap",
];

/// A capture in the target's own form.
fn input(file: &str, flags: u8, padding: u8) -> Vec<u8> {
    let mut input = vec![flags, padding];
    for datagram in datagrams(file) {
        let arrival = datagram.arrival;
        input.extend_from_slice(&arrival.from.port().to_be_bytes());
        input.push(arrival.to_port.to_be_bytes()[1]);
        input.push(arrival.ttl.unwrap());
        input.push(arrival.tos.unwrap().0);
        input.push(100);
        input.extend_from_slice(&u16::try_from(datagram.octets.len()).unwrap().to_be_bytes());
        input.extend_from_slice(&datagram.octets);
    }
    input
}

#[test]
fn captures_break_no_rule_under_any_configuration() {
    for file in FILES {
        for flags in 0..=255 {
            fuzz_reflect(&input(file, flags, 90));
        }
    }
}

proptest! {
    #[test]
    fn changed_captures_break_no_rule(
        file in prop::sample::select(&FILES[..]),
        flags in any::<u8>(),
        padding in any::<u8>(),
        changes in prop::collection::vec((any::<prop::sample::Index>(), any::<u8>()), 0..40),
        octets in any::<prop::sample::Index>(),
    ) {
        let mut input = input(file, flags, padding);
        for (at, octet) in changes {
            let at = at.index(input.len());
            input[at] = octet;
        }
        input.truncate(octets.index(input.len()) + 1);
        fuzz_reflect(&input);
    }

    #[test]
    fn no_octets_break_a_rule(input in prop::collection::vec(any::<u8>(), 0..600)) {
        fuzz_reflect(&input);
    }

    /// One datagram, all of it a request: octets that a length field would rarely let through.
    #[test]
    fn no_datagram_breaks_a_rule(
        head in prop::array::uniform8(any::<u8>()),
        payload in prop::collection::vec(prop_oneof![2 => Just(0_u8), 1 => any::<u8>()], 0..300),
    ) {
        fuzz_reflect(&[&head[..], &[1, 44], &payload].concat());
    }
}

//! TWAMP Light and STAMP on one port.

use twinpath_proto::reflector::{Class, Ignored, ReflectorProtocols, Tail, classify};

use super::capture::datagrams;
use super::support::{NOW, light, stamp};

const LIGHT: Result<Class, Ignored> = Ok(Class::TwampLight);
const REPLY: Result<Class, Ignored> = Err(Ignored::Reply);
const AUTHENTICATED: Result<Class, Ignored> = Ok(Class::StampAuthenticated {
    ssid: 0,
    tail: Tail::None,
});

#[expect(
    clippy::unnecessary_wraps,
    reason = "in the form in which `classify` says it"
)]
fn is_stamp(ssid: u16, tail: Tail) -> Result<Class, Ignored> {
    Ok(Class::Stamp { ssid, tail })
}

fn auto(payload: &[u8]) -> Result<Class, Ignored> {
    classify(ReflectorProtocols::Auto, payload, 20_000, 862, NOW)
}

/// Each packet to this port is of one class, and each other one of another.
fn are_what_they_are(
    file: &str,
    port: u16,
    request: Result<Class, Ignored>,
    reply: Result<Class, Ignored>,
) {
    for packet in datagrams(file) {
        let (from, to) = (packet.arrival.from.port(), packet.arrival.to_port);
        let class = classify(
            ReflectorProtocols::Auto,
            &packet.octets,
            from,
            to,
            packet.arrival.at.at,
        );
        let expected = if to == port { request } else { reply };
        assert_eq!(class, expected, "{file}, packet {}", packet.number);
    }
}

#[test]
fn captured_packets_are_what_they_are() {
    for (file, port, request, reply) in [
        ("light-twampy.pcap", 21_001, LIGHT, REPLY),
        ("light-twampy-imix.pcap", 21_001, LIGHT, REPLY),
        ("stamp-open.pcap", 21_862, is_stamp(0, Tail::None), REPLY),
        ("stamp-authenticated.pcap", 21_862, AUTHENTICATED, REPLY),
        ("stamp-tlv.pcap", 21_862, is_stamp(4242, Tail::Tlvs), REPLY),
        (
            "stamp-v1-tlv.pcap",
            28_622,
            is_stamp(4242, Tail::Tlvs),
            REPLY,
        ),
        (
            "stamp-v1-malformed.pcap",
            28_630,
            is_stamp(9, Tail::Malformed),
            REPLY,
        ),
        (
            "stamp-v1-bad-flags.pcap",
            28_632,
            is_stamp(9, Tail::Tlvs),
            REPLY,
        ),
        ("unauthenticated.pcap", 18_816, LIGHT, REPLY),
        ("unauthenticated-padding-dscp.pcap", 18_813, LIGHT, REPLY),
    ] {
        are_what_they_are(file, port, request, reply);
    }
}

#[test]
fn captured_packets_with_extensions_are_what_they_are() {
    for (file, port, request) in [
        (
            "stamp-v1-destination-node.pcap",
            28_636,
            is_stamp(9, Tail::Tlvs),
        ),
        ("stamp-v1-return-path.pcap", 28_638, is_stamp(9, Tail::Tlvs)),
        (
            "stamp-v1-micro-session.pcap",
            28_640,
            is_stamp(9, Tail::Tlvs),
        ),
        (
            "stamp-v1-reflected-control.pcap",
            28_642,
            is_stamp(9, Tail::Tlvs),
        ),
        (
            "stamp-v1-no-extensions.pcap",
            28_634,
            is_stamp(9, Tail::Tlvs),
        ),
        ("stamp-v1-tlv-hmac.pcap", 28_624, is_stamp(4242, Tail::Tlvs)),
        (
            "stamp-v1-authenticated-tlv.pcap",
            28_626,
            Ok(Class::StampAuthenticated {
                ssid: 4242,
                tail: Tail::Tlvs,
            }),
        ),
    ] {
        are_what_they_are(file, port, request, REPLY);
    }
}

#[test]
fn constructed_packets_are_what_the_table_says() {
    let mut authenticated = vec![0; 112];
    authenticated[16..24].copy_from_slice(&0xeeae_8530_c2cc_6f03_u64.to_be_bytes());
    authenticated[96..].fill(0xee);
    let whole = [0x80, 1, 0, 4, 9, 9, 9, 9, 0x80, 200, 0, 0];
    let mut patterned = vec![0; 30];
    patterned.extend_from_slice(&[0x80, 99, 0xff, 0xff]);
    for (step, payload, class) in [
        (1, vec![0; 13], Err(Ignored::TooShort)),
        (3, authenticated, AUTHENTICATED), // and dropped: its HMAC is wrong
        (4, light(0, &[]), LIGHT),
        (4, light(0, &[0; 29]), LIGHT),
        (5, light(0, &[7; 30]), LIGHT),
        (5, light(0, &[7; 1000]), LIGHT),
        (6, light(0, &[0; 30]), is_stamp(0, Tail::None)),
        (6, stamp(0, 9, &[]), is_stamp(9, Tail::None)),
        (7, stamp(0, 9, &whole), is_stamp(9, Tail::Tlvs)),
        (7, stamp(0, 0, &whole), is_stamp(0, Tail::Tlvs)),
        (
            7,
            stamp(0, 0, &[0, 4, 0, 4, 0xb8, 0, 0, 0]),
            is_stamp(0, Tail::Tlvs),
        ),
        // With an SSID a whole chain is one whatever it begins with.
        (
            8,
            stamp(0, 9, &[0, 77, 0, 2, 1, 2]),
            is_stamp(9, Tail::Tlvs),
        ),
        (8, stamp(0, 9, &whole[..10]), is_stamp(9, Tail::Malformed)),
        (
            8,
            stamp(0, 7, &[0x11, 0x63, 0xff, 0xff]),
            is_stamp(7, Tail::Malformed),
        ),
        (8, stamp(0, 7, &[0; 3]), is_stamp(7, Tail::Malformed)),
        (
            9,
            stamp(0, 0, &[0x80, 7, 0, 16, 1]),
            is_stamp(0, Tail::Malformed),
        ),
        (9, stamp(0, 0, &[0x80, 12]), is_stamp(0, Tail::Malformed)),
        (10, stamp(0, 0, &[0x80, 13]), LIGHT),
        (10, stamp(0, 0, &[0, 4, 0, 5, 0, 0, 0, 0, 0]), LIGHT),
        (10, light(0, &patterned), LIGHT),
        (10, light(0, &[0; 46]), LIGHT),
        (10, light(0, &[0; 1458]), LIGHT),
    ] {
        assert_eq!(
            auto(&payload),
            class,
            "step {step}, {} octets",
            payload.len()
        );
    }
}

#[test]
fn a_port_for_one_protocol_takes_everything_for_that_protocol() {
    let as_stamp = |payload: &[u8]| classify(ReflectorProtocols::Stamp, payload, 20_000, 862, NOW);
    assert_eq!(as_stamp(&light(0, &[7; 27])), is_stamp(0, Tail::None));
    assert_eq!(as_stamp(&light(0, &[7; 30])), is_stamp(0x0707, Tail::None));
    assert_eq!(
        as_stamp(&light(0, &[7; 100])),
        is_stamp(0x0707, Tail::Malformed)
    );
    let as_light =
        |payload: &[u8]| classify(ReflectorProtocols::TwampLight, payload, 20_000, 862, NOW);
    assert_eq!(as_light(&stamp(0, 9, &[0x80, 1, 0, 0])), LIGHT);
}

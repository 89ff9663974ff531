//! HMACs of STAMP against captures of other programs and against known answers.

use std::path::Path;

use serde_json::Value;
use twinpath_proto::stamp::StampKey;
use twinpath_wire::{StampSender, StampSenderAuthenticated, TlvHeader, TlvType, Tlvs};

use crate::reflector::capture::datagrams;

pub(crate) fn octets(digits: &str) -> Vec<u8> {
    let octet = |at| u8::from_str_radix(&digits[at..at + 2], 16).unwrap();
    (0..digits.len()).step_by(2).map(octet).collect()
}

/// The key of the captures and of the known answers.
pub(crate) fn known_key() -> StampKey {
    StampKey::new(&octets("00112233445566778899aabbccddeeff")).unwrap()
}

/// The known answers: name, request or reply, and what is said of it.
pub(crate) fn known_answers() -> serde_json::Map<String, Value> {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../testdata/stamp.json");
    let all: Value = serde_json::from_slice(&std::fs::read(path).unwrap()).unwrap();
    all["constructed"].as_object().unwrap().clone()
}

pub(crate) fn packet(case: &Value, which: &str) -> Option<Vec<u8>> {
    case.get(which)?.as_str().map(octets)
}

/// Whether the HMAC of the base packet is right, where it has one, and that of each HMAC TLV.
fn judged(key: &StampKey, packet: &[u8]) -> (Option<bool>, Vec<bool>) {
    let authenticated =
        packet.len() >= StampSenderAuthenticated::OCTETS && packet[4..16] == [0; 12];
    let base = if authenticated {
        StampSenderAuthenticated::OCTETS
    } else {
        StampSender::OCTETS
    };
    let (number, chain) = (&packet[..4], &packet[base..]);
    let mut before = 0;
    let mut tlvs = Vec::new();
    for tlv in Tlvs::new(chain).map_while(Result::ok) {
        if tlv.header.kind == TlvType::HMAC {
            let tag = tlv.value.try_into().unwrap();
            tlvs.push(key.verify(&[number, &chain[..before]], tag));
        }
        before += TlvHeader::OCTETS + tlv.value.len();
    }
    (authenticated.then(|| key.opens(packet)), tlvs)
}

#[test]
fn every_hmac_that_another_program_sent_is_right() {
    let key = known_key();
    let other = StampKey::new(&[0x11; 16]).unwrap();
    for (file, base, of_tlvs) in [
        ("stamp-authenticated.pcap", 10, 0),
        ("stamp-tlv.pcap", 0, 10),
        ("stamp-v1-tlv-hmac.pcap", 0, 10),
        ("stamp-v1-authenticated-tlv.pcap", 10, 10),
    ] {
        let (mut bases, mut chains) = (0, 0);
        for datagram in datagrams(file) {
            let (of_base, tlvs) = judged(&key, &datagram.octets);
            assert_ne!(of_base, Some(false), "{file} {}", datagram.number);
            assert!(
                tlvs.iter().all(|right| *right),
                "{file} {}",
                datagram.number
            );
            bases += usize::from(of_base.is_some());
            chains += tlvs.len();
            let (of_base, tlvs) = judged(&other, &datagram.octets);
            assert!(of_base != Some(true) && !tlvs.contains(&true), "{file}");
        }
        assert_eq!((bases, chains), (base, of_tlvs), "{file}");
    }
}

#[test]
fn the_hmacs_of_the_known_answers_are_right_but_for_those_that_are_said_to_fail() {
    let key = known_key();
    let (mut right, mut wrong) = (0, Vec::new());
    for (name, case) in known_answers() {
        for which in ["request", "reply"] {
            let Some(packet) = packet(&case, which) else {
                continue;
            };
            let (base, tlvs) = judged(&key, &packet);
            let all = base.into_iter().chain(tlvs);
            for is_right in all {
                right += usize::from(is_right);
                if !is_right {
                    wrong.push((name.clone(), which));
                }
            }
        }
    }
    assert_eq!(right, 19);
    let said = [
        ("authenticated_bad_hmac", "request"),
        ("hmac_failed", "request"),
        // Copied: the request's is not that of the reply.
        ("hmac_failed", "reply"),
        ("hmac_misplaced", "reply"),
        ("hmac_twice", "reply"),
        ("hmac_twice", "reply"),
    ];
    assert_eq!(wrong, said.map(|(name, which)| (name.to_owned(), which)));
}

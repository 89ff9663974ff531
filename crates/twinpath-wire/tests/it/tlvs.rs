//! Chains of TLVs: known answers, captures' shapes, and any octets.

use proptest::prelude::*;
use serde_json::Value;
use twinpath_wire::{
    BrokenChain, StampReflectorAuthenticated, StampSender, StampSenderAuthenticated, Tlv, TlvFlags,
    TlvHeader, TlvType, TlvWriter, Tlvs, TlvsMut,
};

use crate::data;

fn answers() -> serde_json::Map<String, Value> {
    let text = std::fs::read_to_string(data("stamp.json")).unwrap();
    let all: Value = serde_json::from_str(&text).unwrap();
    all["constructed"].as_object().unwrap().clone()
}

fn octets(hex: &Value) -> Vec<u8> {
    let hex = hex.as_str().unwrap();
    let octet = |at: usize| u8::from_str_radix(&hex[at..at + 2], 16).unwrap();
    (0..hex.len()).step_by(2).map(octet).collect()
}

/// What follows the base packet, open or authenticated.
fn behind(request: &[u8]) -> &[u8] {
    let zeros = request[4..16] == [0; 12] && request.len() >= StampSenderAuthenticated::OCTETS;
    if zeros {
        StampSenderAuthenticated::view(request).unwrap().1
    } else {
        StampSender::view(request).unwrap().1
    }
}

/// The chain of a request: all TLVs, and what broke it.
fn walked(chain: &[u8]) -> (Vec<Tlv<'_>>, Option<BrokenChain>) {
    let mut broken = None;
    let tlvs = Tlvs::new(chain).filter_map(|tlv| tlv.map_err(|why| broken = Some(why)).ok());
    (tlvs.collect(), broken)
}

#[test]
fn chains_of_senders_are_read_and_written_octet_for_octet() {
    let mut written = 0;
    for (name, case) in answers() {
        let Some(request) = case.get("request") else {
            continue;
        };
        let request = octets(request);
        let chain = behind(&request);
        let (tlvs, broken) = walked(chain);
        assert_eq!(Tlvs::is_whole(chain), broken.is_none(), "{name}");
        let asked = |tlv: &Tlv<'_>| tlv.header.flags == TlvFlags::UNRECOGNIZED;
        if broken.is_some() || !tlvs.iter().all(asked) {
            continue;
        }
        let mut room = vec![0; chain.len()];
        let mut writer = TlvWriter::new(&mut room);
        for tlv in &tlvs {
            let value = writer.push(tlv.header.kind, tlv.value.len()).unwrap();
            value.copy_from_slice(tlv.value);
        }
        assert_eq!(writer.octets(), chain.len(), "{name}");
        assert_eq!(writer.push(TlvType::EXTRA_PADDING, 0), None, "{name}");
        assert_eq!(room, chain, "{name}");
        written += usize::from(!tlvs.is_empty());
    }
    assert!(written > 50, "{written}");
}

#[test]
fn what_breaks_a_chain_is_told_and_what_came_before_it_is_read() {
    let cases = answers();
    let broken = |name: &str| {
        let request = octets(&cases[name]["request"]);
        let (tlvs, broken) = walked(behind(&request));
        let kinds: Vec<TlvType> = tlvs.iter().map(|tlv| tlv.header.kind).collect();
        (kinds, broken)
    };
    let (kinds, why) = broken("length_past_end");
    assert_eq!(kinds, [TlvType::DIRECT_MEASUREMENT]);
    let Some(BrokenChain::PastEnd { header, left }) = why else {
        panic!("{why:?}")
    };
    assert_eq!(header.kind, TlvType::FOLLOW_UP_TELEMETRY);
    assert_eq!((header.length.get(), left), (400, 16));
    let why = why.unwrap().to_string();
    assert_eq!(why, "a TLV of type 7 and 400 octets, of which 16 are left");
    let (kinds, why) = broken("tail_under_4");
    assert_eq!(kinds, [TlvType::CLASS_OF_SERVICE]);
    assert_eq!(why, Some(BrokenChain::NoHeader { left: 3 }));
}

#[test]
fn authenticated_packets_have_their_fields_where_the_rfc_has_them() {
    let case = &answers()["authenticated"];
    let request = octets(&case["request"]);
    let (request, rest) = StampSenderAuthenticated::view(&request).unwrap();
    assert!(rest.is_empty());
    assert_eq!(request.t1.bits(), 0xeeae_8517_4143_8f72);
    assert_eq!((request.error.bits(), request.ssid.get()), (0x8001, 4242));
    assert_eq!((request.mbz, request.mbz_end), ([0; 12], [0; 68]));
    assert_eq!(request.hmac[..4], [0x05, 0x1e, 0x1e, 0x48]);

    let reply = octets(&case["reply"]);
    let (reply, rest) = StampReflectorAuthenticated::view(&reply).unwrap();
    assert!(rest.is_empty());
    assert_eq!(reply.t3.bits(), 0xeeae_8517_4145_0000);
    assert_eq!(reply.t2.bits(), 0xeeae_8517_4144_0000);
    assert_eq!((reply.error.bits(), reply.ssid.get()), (0x8001, 4242));
    assert_eq!(
        (reply.sender_seq, reply.sender_t1),
        (request.seq, request.t1)
    );
    assert_eq!((reply.sender_error, reply.sender_ttl), (request.error, 64));
    assert_eq!(
        StampSenderAuthenticated::view(&[0; 111]).unwrap_err().need,
        112
    );
}

#[test]
fn a_writer_leaves_alone_what_has_no_room() {
    let mut room = [0xaa; 11];
    let mut writer = TlvWriter::new(&mut room);
    assert_eq!(writer.push(TlvType::HMAC, 8), None);
    assert!(writer.push(TlvType::ACCESS_REPORT, 4).is_some());
    assert_eq!(writer.push(TlvType::EXTRA_PADDING, 0), None);
    assert_eq!(writer.octets(), 8);
    assert_eq!(
        room,
        [0x80, 6, 0, 4, 0xaa, 0xaa, 0xaa, 0xaa, 0xaa, 0xaa, 0xaa]
    );
    let mut large = vec![0; 70_000];
    assert_eq!(
        TlvWriter::new(&mut large).push(TlvType::EXTRA_PADDING, 65_536),
        None
    );
    assert!(
        TlvWriter::new(&mut large)
            .push(TlvType::EXTRA_PADDING, 65_535)
            .is_some()
    );
}

/// Octets that are chains more often than not.
fn chains() -> impl Strategy<Value = Vec<u8>> {
    let tlv = (
        any::<u8>(),
        0..14_u8,
        0..30_u16,
        prop::collection::vec(any::<u8>(), 0..30),
    );
    let tlv = tlv.prop_map(|(flags, kind, length, value)| {
        // One in many says something else than it has.
        let length = if length == 7 {
            length
        } else {
            u16::try_from(value.len()).unwrap()
        };
        let [high, low] = length.to_be_bytes();
        [vec![flags, kind, high, low], value].concat()
    });
    prop_oneof![
        prop::collection::vec(tlv, 0..40).prop_map(|tlvs| tlvs.concat()),
        prop::collection::vec(any::<u8>(), 0..80),
    ]
}

proptest! {
    #[test]
    fn a_walk_reads_each_octet_once_in_order(mut chain in chains()) {
        let (tlvs, broken) = walked(&chain);
        let read: usize = tlvs.iter().map(|tlv| TlvHeader::OCTETS + tlv.value.len()).sum();
        let left = match broken {
            None => 0,
            Some(BrokenChain::NoHeader { left }) => {
                prop_assert!((1..TlvHeader::OCTETS).contains(&left));
                left
            }
            Some(BrokenChain::PastEnd { header, left }) => {
                prop_assert!(usize::from(header.length.get()) > left);
                TlvHeader::OCTETS + left
            }
        };
        prop_assert_eq!(read + left, chain.len());
        let mut at = 0;
        for tlv in &tlvs {
            prop_assert_eq!(chain[at + 1], tlv.header.kind.0);
            at += TlvHeader::OCTETS + tlv.value.len();
            prop_assert_eq!(&chain[at - tlv.value.len()..at], tlv.value);
        }

        let expected: Vec<_> = tlvs.iter().map(|tlv| (tlv.header, tlv.value.to_vec())).collect();
        let end = broken;
        let mut seen = Vec::new();
        for tlv in TlvsMut::new(&mut chain) {
            match tlv {
                Ok(tlv) => seen.push((*tlv.header, tlv.value.to_vec())),
                Err(why) => prop_assert_eq!(Some(why), end),
            }
        }
        prop_assert_eq!(seen, expected);
    }
}

#[test]
fn what_is_written_in_place_changes_nothing_else() {
    let mut chain = [0x80, 1, 0, 1, 9, 0x80, 2, 0, 0, 0x80, 3];
    for tlv in TlvsMut::new(&mut chain).flatten() {
        tlv.header.flags = TlvFlags::default();
        tlv.value.fill(7);
    }
    assert_eq!(chain, [0, 1, 0, 1, 7, 0, 2, 0, 0, 0x80, 3]);
    assert!(TlvFlags(0xc0).has(TlvFlags::MALFORMED));
    assert!(!TlvFlags(0x80).has(TlvFlags::INTEGRITY));
}

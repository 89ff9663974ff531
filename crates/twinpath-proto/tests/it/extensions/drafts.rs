//! What drafts would have a reflector do: it does what the RFCs say of reserved bits and of types that are
//! not known.

use twinpath_proto::extension::Effects;
use twinpath_wire::{Dscp, Tlvs};

use super::hex;
use super::rig::Rig;
use crate::stamp::{known_answers, known_key, packet};

#[test]
fn an_ecn_that_is_asked_for_in_reserved_bits_is_ignored_and_not_returned() {
    let request = packet(&known_answers()["cos_ecn"], "request").unwrap();
    assert_eq!(request[44..], [0x80, 4, 0, 4, 0xb8, 0, 0x80, 0]);
    // DSCP2, ECN and RP after DSCP1: the request arrived with 46 or with 10, which 46 is given to or not.
    for (arrived, is_allowed, answer, dscp) in [
        (46, true, [0xba, 0xe4, 0, 0], 46),
        (10, false, [0xb8, 0xa5, 0, 0], 10),
    ] {
        let mut rig = Rig::new().arrived_with(arrived, 1);
        if !is_allowed {
            rig.policy.dscp = [Dscp::new(10).unwrap()].into_iter().collect();
        }
        let (reply, effects) = rig.answer(&request, &request).unwrap();
        assert_eq!(reply[44..], [[0, 4, 0, 4], answer].concat());
        assert_eq!(effects.dscp.map(Dscp::value), Some(dscp));
    }
}

#[test]
fn a_header_that_is_asked_for_is_a_type_that_is_not_known() {
    for name in ["ext_hdr", "fixed_hdr", "fixed_hdr_order"] {
        let request = packet(&known_answers()[name], "request").unwrap();
        let (reply, effects) = Rig::new().answer(&request, &request).unwrap();
        assert_eq!(hex(&reply), hex(&request), "{name}: U as it came");
        assert_eq!(effects, Effects::default(), "{name}");
    }
    // The sub-TLV of Reflected Test Packet Control that asks for the same: the rest counts.
    let control = [
        0x80, 12, 0, 12, 0, 200, 0, 3, 0, 15, 0x42, 0x40, 0x80, 240, 0, 0,
    ];
    let request = [[0; 44].as_slice(), &control].concat();
    let (reply, effects) = Rig::new()
        .allowing_control()
        .answer(&request, &request)
        .unwrap();
    assert_eq!([reply[44], reply[56]], [0, 0x80]);
    assert_eq!(effects.replies.map(|replies| replies.count), Some(3));
}

#[test]
fn errored_bits_are_not_counted_and_padding_comes_back_as_it_came() {
    let request = packet(&known_answers()["ber"], "arrived").unwrap();
    let (reply, _) = Rig::new().answer(&request, &request).unwrap();
    let mut expected = request.clone();
    for (kind, at) in [(8, 66), (1, 86)] {
        assert_eq!(expected[at..at + 2], [0x80, kind], "another layout");
        expected[at] = 0;
    }
    let digest = known_key().sign(&[&expected[..4], &expected[44..66]]);
    expected[70..86].copy_from_slice(&digest);
    assert_eq!(hex(&reply), hex(&expected));
    assert!(Tlvs::is_whole(&reply[44..]));
}

//! What the TLVs of each reply say, beside its sample.

use twinpath_proto::extension::{FactValue, HmacFault, HmacResult, ReplyChain, ReplyTlvs};
use twinpath_proto::stamp::StampKey;
use twinpath_wire::{Delta, Fate};

use super::rig::{ms, us};
use super::tlvs::{NOTHING_TOLD, asking, handle, left, reply};
use crate::stamp::{known_key, octets};

/// Those of a chain that needs no HMAC.
fn of(seq: u64, chain: &[u8]) -> Option<ReplyTlvs> {
    ReplyTlvs::of(seq, &ReplyChain::verified(chain, [0; 4], None))
}

#[test]
fn the_tlvs_of_each_reply_come_with_its_sample_and_the_correction_of_t3_too() {
    let mut rig = asking(&["follow-up-telemetry", "cos"], 4);
    rig.send_count(3);
    let cos = octets("000400042e900000");
    let first = [&NOTHING_TOLD[..], &cos].concat();
    let replies = [
        reply(&rig, 0, [ms(210), ms(211)], &first),
        reply(&rig, 1, [ms(212), ms(213)], &left(0, us(211_004))),
        // Padding is not kept.
        reply(
            &rig,
            2,
            [ms(214), ms(215)],
            &[&left(1, us(213_005))[..], &[0, 1, 0, 2, 9, 9]].concat(),
        ),
    ];
    for (octets, at) in replies.iter().zip([220, 230, 240]) {
        handle(&mut rig, octets, ms(at));
    }
    let copy = reply(&rig, 2, [ms(214), ms(215)], &[]);
    handle(&mut rig, &copy, ms(241));
    rig.sender.set_expects_tx_stamps(false);
    let mut told = Vec::new();
    while let Some(sample) = rig.sender.poll_sample() {
        let tlvs = rig.sender.take_reply_tlvs(sample.seq);
        told.push((sample.seq, sample.fate, tlvs));
    }
    let known = |seq, octets: &[u8], later: Option<i64>| {
        ReplyTlvs::from_record(seq, octets.to_vec(), later.map(Delta::from_ns), None)
    };
    let expected = [
        (0, Fate::Received, known(0, &first, Some(4_000))),
        (
            1,
            Fate::Received,
            known(1, &left(0, us(211_004)), Some(5_000)),
        ),
        (2, Fate::Received, known(2, &left(1, us(213_005)), None)),
        (2, Fate::Duplicate, None),
    ];
    assert_eq!(told, expected);
    let facts = told[0].2.as_ref().unwrap().facts();
    let number = FactValue::Number;
    assert_eq!(
        facts,
        [
            (
                "follow-up-telemetry",
                vec![("correction_ns", number(4_000))]
            ),
            (
                "cos",
                vec![
                    ("dscp_asked", number(11)),
                    ("dscp_arrived", number(41)),
                    ("ecn_arrived", number(0)),
                    ("refused", FactValue::Flag(false)),
                ]
            ),
        ]
    );
    let facts = told[1].2.as_ref().unwrap().facts();
    let expected = vec![
        ("previous_reply", number(0)),
        ("correction_ns", number(5_000)),
    ];
    assert_eq!(facts, [("follow-up-telemetry", expected)]);
}

#[test]
fn records_have_whole_tlvs_within_their_bound_and_say_what_was_not_processed() {
    let cos = octets("000400042e900000");
    let long = [&[0, 2, 2, 0][..], &[7; 512], &cos].concat();
    // What does not fit ends it: later ones would seem to be all.
    assert_eq!(of(0, &long), None);
    let both = [&cos[..], &long].concat();
    assert_eq!(of(0, &both).unwrap().octets(), cos);
    assert_eq!(of(0, &[]), None);
    let chain = octets("8004000400000000400500010000050000");
    let kept = of(3, &chain).unwrap();
    let flag = |name| vec![(name, FactValue::Flag(name == "malformed"))];
    let expected = [
        ("cos", flag("processed")),
        ("direct-measurement", flag("malformed")),
    ];
    assert_eq!(kept.facts(), expected);
    let refused: Vec<_> = kept.refused().collect();
    assert_eq!(refused, ["cos", "direct-measurement"]);
    let counts = octets("0005000c000000090000000800000007");
    let facts = of(3, &counts).unwrap().facts();
    let number = FactValue::Number;
    let counts = vec![
        ("sent", number(9)),
        ("far_received", number(8)),
        ("far_sent", number(7)),
    ];
    assert_eq!(facts, [("direct-measurement", counts)]);
    // A reply without the HMAC that must be there teaches nothing.
    let mut rig = asking(&["cos", "hmac"], 2);
    rig.send_count(1);
    let octets = reply(&rig, 0, [ms(10), ms(11)], &cos);
    handle(&mut rig, &octets, ms(20));
    assert_eq!(rig.samples().len(), 1);
    let told = rig.sender.take_reply_tlvs(0).unwrap();
    assert!(told.octets().is_empty());
    assert_eq!(told.hmac, Some(HmacResult::Failed(HmacFault::Unsigned)));
    let facts = vec![("result", FactValue::from("unsigned"))];
    assert_eq!(told.facts(), [("hmac", facts)]);
}

#[test]
fn a_record_says_what_the_hmac_came_to() {
    let signed = octets("000800104c58ac76d8ff7dc65eed81ff83dcffd2");
    let result = |key: Option<&StampKey>| {
        let chain = ReplyChain::verified(&signed, [0; 4], key);
        ReplyTlvs::of(0, &chain).unwrap().hmac
    };
    assert_eq!(result(None), Some(HmacResult::Unchecked));
    let wrong = Some(HmacResult::Failed(HmacFault::Wrong));
    assert_eq!(result(Some(&known_key())), wrong);
    let cos = octets("000400042e900000");
    let digest = known_key().sign(&[&[0; 4], &cos[..]]);
    let chain = [&cos[..], &[0, 8, 0, 16], &digest].concat();
    let chain = ReplyChain::verified(&chain, [0; 4], Some(&known_key()));
    let told = ReplyTlvs::of(0, &chain).unwrap();
    assert_eq!(told.hmac, Some(HmacResult::Verified));
    assert_eq!(told.octets(), cos);
    for result in [
        "verified",
        "unchecked",
        "refused",
        "wanted",
        "no_key",
        "unsigned",
        "wrong",
    ] {
        assert_eq!(
            HmacResult::named(result).map(HmacResult::name),
            Some(result)
        );
    }
    assert_eq!(HmacResult::named("right"), None);
}

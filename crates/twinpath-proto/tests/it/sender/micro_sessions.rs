//! Micro-sessions at the sender (RFC 9534): which replies are of its own member link.

use super::rig::ms;
use super::tlvs::{asking, handle, reply};
use crate::stamp::{known_answers, known_key, octets};

#[test]
fn replies_of_another_micro_session_are_not_measured() {
    let case = &known_answers()["micro_session_sender"];
    let verdicts = case["sender"].as_array().unwrap();
    for (known, verdict) in case["replies"].as_array().unwrap().iter().zip(verdicts) {
        let accepted = verdict.as_str().unwrap() == "accepted";
        // The far end's ID is given, or was learnt from an earlier reply.
        for tlv in ["micro-session=3:5", "micro-session=3"] {
            let mut rig = asking(&[tlv], 10);
            rig.send_count(2);
            let first = reply(&rig, 0, [ms(4), ms(4)], &octets("000b000400030005"));
            handle(&mut rig, &first, ms(8));
            assert_eq!(rig.samples().len(), 1);
            rig.send_count(1);
            assert_eq!(rig.requests[2][44..], octets("800b000400030005"));
            let tlvs = &known.as_str().unwrap()[88..];
            let second = reply(&rig, 1, [ms(104), ms(104)], &octets(tlvs));
            handle(&mut rig, &second, ms(210));
            assert_eq!(rig.samples().len(), usize::from(accepted), "{verdict}");
            let discarded = rig.sender.counters().anomalies.micro_session;
            assert_eq!(discarded, u64::from(!accepted), "{verdict}");
            let taught = rig.sender.learnt().unwrap().replies;
            assert_eq!(taught, 1 + u64::from(accepted), "{verdict}");
        }
    }
}

#[test]
fn copies_with_the_ids_of_another_micro_session_are_no_duplicates() {
    for (tlvs, duplicates) in [
        ("000b000400030005", 1),
        ("000b000400040005", 0),
        ("000b000400030006", 0),
        ("000b000400030000", 0),
        ("800b000400030005", 0),
        ("000b000400030006000b000400030005", 0),
        ("", 0),
    ] {
        let mut rig = asking(&["micro-session=3"], 10);
        rig.send_count(1);
        let first = reply(&rig, 0, [ms(4), ms(4)], &octets("000b000400030005"));
        handle(&mut rig, &first, ms(8));
        assert_eq!(rig.samples().len(), 1);
        let copy = reply(&rig, 0, [ms(4), ms(4)], &octets(tlvs));
        handle(&mut rig, &copy, ms(9));
        assert_eq!(rig.samples().len(), duplicates, "{tlvs}");
        let counters = rig.sender.counters();
        assert_eq!(counters.duplicates, duplicates as u64, "{tlvs}");
        assert_eq!(
            counters.anomalies.micro_session,
            1 - duplicates as u64,
            "{tlvs}"
        );
    }
}

#[test]
fn the_hmac_of_a_reply_is_judged_before_its_micro_session() {
    let key = known_key();
    for (ids, is_right, counts) in [
        ("000b000400030005", true, [1, 0, 0]),
        ("000b000400030005", false, [0, 0, 1]),
        // Not counted as another link's: its HMAC is wrong.
        ("000b000400040005", false, [0, 0, 1]),
        ("000b000400040005", true, [0, 1, 0]),
    ] {
        let mut rig = asking(&["micro-session=3", "hmac"], 10);
        rig.send_count(1);
        let chain = octets(ids);
        let mut digest = key.sign(&[&[0; 4], &chain]);
        digest[7] ^= u8::from(!is_right);
        let chain = [&chain[..], &[0, 8, 0, 16], &digest].concat();
        let reply = reply(&rig, 0, [ms(4), ms(4)], &chain);
        handle(&mut rig, &reply, ms(8));
        let measured = rig.samples().len() as u64;
        let other = rig.sender.counters().anomalies.micro_session;
        let unverified = rig.sender.learnt().unwrap().unverified;
        assert_eq!([measured, other, unverified], counts, "{ids} {is_right}");
    }
}

#[test]
fn replies_to_another_micro_session_are_counted_as_such() {
    for (own, counted) in [("micro-session=3", true), ("micro-session=4", false)] {
        let mut rig = asking(&[own], 10);
        rig.send_count(1);
        let mut reply = reply(&rig, 0, [ms(4), ms(4)], &octets("000b000400040005"));
        // The T1 of a packet that this session did not send.
        reply[35] ^= 0x55;
        handle(&mut rig, &reply, ms(8));
        assert_eq!(rig.samples().len(), 0);
        let anomalies = rig.sender.counters().anomalies;
        assert_eq!(anomalies.micro_session, u64::from(counted), "{own}");
        assert_eq!(anomalies.foreign_t1, u64::from(!counted), "{own}");
    }
}

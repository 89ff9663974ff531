//! What a reflector answers.

use std::net::SocketAddr;

use serde_json::Value;
use twinpath_proto::extension::SessionState;
use twinpath_proto::reflector::Access;
use twinpath_wire::Dscp;

use super::rig::{Rig, rig};
use super::{hex, ip};
use crate::stamp::{known_answers, packet};

/// Of the packets that need more than one reply or another layout of the base, these are tested
/// elsewhere; drafts are answered as unknown types.
const ELSEWHERE: [&str; 12] = [
    "stateless_and_stateful",
    "ptp",
    "authenticated",
    "authenticated_bad_hmac",
    "sender_reads_flags",
    "micro_session_sender",
    "control_not_increasing",
    "cos_ecn",
    "ext_hdr",
    "fixed_hdr",
    "fixed_hdr_order",
    "ber",
];

type Prepare = fn(&mut Rig);

/// The fields with one reply each, and what a policy or a packet must be like for it.
const FIELDS: [(&str, Prepare); 7] = [
    ("reply", |_| ()),
    ("reply_stateful", |_| ()),
    ("reply_permitted", |rig| {
        let prefix = "198.51.100.0/24".parse().unwrap();
        rig.policy.return_addresses = Access::only(&[prefix]);
    }),
    ("reply_refused", |rig| {
        rig.policy.return_addresses = Access::default();
    }),
    ("reply_used", |rig| {
        let prefix = "2001:db8::/32".parse().unwrap();
        rig.policy.segments = Access::only(&[prefix]);
    }),
    ("reply_stateless", |rig| rig.session = None),
    ("reply_unusable", |rig| rig.arrival.interface = 0),
];

#[test]
fn known_answers_are_given_octet_for_octet() {
    let mut given = 0;
    for (name, case) in known_answers() {
        if ELSEWHERE.contains(&name.as_str()) {
            continue;
        }
        let request = packet(&case, "request").unwrap();
        let mut rig = rig(&name);
        for (field, prepare) in FIELDS {
            let Some(reply) = case.get(field) else {
                continue;
            };
            prepare(&mut rig);
            given += 1;
            if reply.is_null() {
                assert!(rig.answer(&request, &request).is_err(), "{name}");
            } else {
                is_answered(&mut rig, &name, field, &case);
            }
        }
        if let Some(replies) = case.get("replies").and_then(Value::as_array) {
            given += 1;
            are_answered(&mut rig, &name, &request, replies);
        }
    }
    assert!(given > 65, "{given}");
}

/// Holds one reply, and what is said of how it leaves.
fn is_answered(rig: &mut Rig, name: &str, field: &str, case: &Value) {
    let request = packet(case, "request").unwrap();
    let expected = packet(case, field).unwrap();
    let (reply, effects) = rig
        .answer(&request, &expected)
        .unwrap_or_else(|why| panic!("{name}: {why:?}"));
    assert_eq!(hex(&reply), hex(&expected), "{name}, {field}");
    if let Some(dscp) = case.get("reply_dscp").and_then(Value::as_u64) {
        let sent = effects.dscp.map(Dscp::value).map(u64::from);
        assert_eq!(sent, Some(dscp), "{name}");
    }
    let text = |key: &str| case.get(key).and_then(Value::as_str);
    if let Some(source) = text("reply_source") {
        assert_eq!(effects.source, Some(ip(source)), "{name}");
    }
    if let Some(to) = text("reply_to").or_else(|| text(&format!("{field}_to"))) {
        let to: SocketAddr = to.parse().unwrap();
        let sent = effects.destination.unwrap_or(rig.arrival.from.ip());
        assert_eq!(sent, to.ip(), "{name}, {field}");
    }
    let link = ["return_path_same_link", "return_path_control_and_address"];
    let is_by_link = link.contains(&name) && field != "reply_unusable";
    assert_eq!(effects.same_link, is_by_link, "{name}");
    assert_eq!(effects.over_segments, field == "reply_used", "{name}");
}

/// Holds all replies to one request.
fn are_answered(rig: &mut Rig, name: &str, request: &[u8], replies: &[Value]) {
    if replies.is_empty() {
        assert!(rig.answer(request, request).is_err(), "{name}");
    }
    for expected in replies {
        let expected = crate::stamp::octets(expected.as_str().unwrap());
        let (reply, effects) = rig.answer(request, &expected).unwrap();
        assert_eq!(hex(&reply), hex(&expected), "{name}");
        let count = effects.replies.map_or(1, |replies| replies.count.into());
        assert_eq!(count, replies.len(), "{name}");
        rig.session = Some(SessionState::default());
    }
}

#[test]
fn a_number_that_came_before_gets_one_reply() {
    let case = &known_answers()["control_not_increasing"];
    let request = packet(case, "request").unwrap();
    let mut rig = Rig::new().allowing_control();
    let mut earlier = request.clone();
    let before = u32::try_from(case["previous_sequence_number"].as_u64().unwrap()).unwrap();
    earlier[..4].copy_from_slice(&before.to_be_bytes());
    let (_, effects) = rig.answer(&earlier, &earlier).unwrap();
    assert_eq!(effects.replies.map(|replies| replies.count), Some(3));
    let expected = crate::stamp::octets(case["replies"][0].as_str().unwrap());
    let (reply, effects) = rig.answer(&request, &expected).unwrap();
    assert_eq!((hex(&reply), effects.replies), (hex(&expected), None));
}

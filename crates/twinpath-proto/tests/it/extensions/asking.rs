//! What a sender asks, and what it learns from replies.

use twinpath_proto::extension::{
    AskedTlv, FactValue, Learnt, RequestChain, RequestFacts, SessionState,
};
use twinpath_proto::stamp::StampKey;
use twinpath_wire::{Dscp, Tos};

use super::hex;
use super::rig::{MICRO_SESSION, Rig};
use crate::stamp::{known_answers, known_key, octets, packet};

/// The chain of a sender with these options, in its packet number 5, behind no base packet.
fn chain(options: &[&str], room: usize) -> Vec<u8> {
    let asked: Vec<AskedTlv> = options.iter().map(|one| one.parse().unwrap()).collect();
    let chain = RequestChain::new(&asked, Dscp::EF.tos()).unwrap();
    let key = known_key();
    let facts = RequestFacts {
        sent: 9,
        reflector_micro_session: None,
    };
    let mut packet = vec![0; room.max(chain.octets())];
    let rest = chain.write(5, &mut packet, &facts, Some(&key)).len();
    packet.truncate(packet.len() - rest);
    packet
}

#[test]
fn options_make_the_requests_of_the_known_known_answers() {
    for (name, options) in [
        ("cos_allowed", &["cos"][..]),
        ("timestamp_information", &["timestamp-information"]),
        (
            "hmac_then_extra_padding",
            &["hmac", "cos=46", "direct-measurement"],
        ),
        ("access_report", &["access-report=1:1"]),
        ("follow_up", &["follow-up-telemetry"]),
        ("destination_node_match", &["destination-node=192.0.2.2"]),
        ("destination_node_ipv6", &["destination-node=2001:db8::2"]),
        ("return_path_no_reply", &["return-path=no-reply"]),
        ("return_path_same_link", &["return-path=same-link"]),
        ("return_address", &["return-path=198.51.100.9"]),
        ("micro_session_learn", &["micro-session=3"]),
        ("micro_session_known", &["micro-session=3:5"]),
        ("control_round_up", &["reflected-control=101:1:0ns"]),
        ("control_mtu", &["reflected-control=9000:5:1us"]),
    ] {
        let request = packet(&known_answers()[name], "request").unwrap();
        let made = chain(options, 0);
        let expected = &request[44..44 + made.len()];
        assert_eq!(hex(&made), hex(expected), "{name}");
    }
}

#[test]
fn what_an_option_cannot_take_is_said_in_a_line() {
    for (option, says) in [
        (
            "colour",
            "no TLV has the name \"colour\": use one of extra-padding, location,",
        ),
        (
            "location,cos=ef",
            "\"location,cos=ef\" is a list: give each TLV by itself",
        ),
        ("cos=64", "cos takes the DSCP that replies must have"),
        ("location=all", "location takes no value"),
        ("access-report=3:1", "access-report takes ID:CODE"),
        ("return-path", "return-path takes no-reply, same-link"),
        ("return-path=224.0.0.1", "return-path takes no-reply,"),
        ("return-path=0.0.0.0", "return-path takes no-reply,"),
        ("return-path=::", "return-path takes no-reply,"),
        ("micro-session=0", "micro-session takes N or N:M"),
        (
            "reflected-control=1:2:3h",
            "reflected-control takes LENGTH:COUNT:INTERVAL",
        ),
        (
            "reflected-control=1:2:5s",
            "reflected-control takes LENGTH:COUNT:INTERVAL",
        ),
        (
            "reflected-control=1:2:4295",
            "reflected-control takes LENGTH:COUNT:INTERVAL",
        ),
        (
            "extra-padding=65536",
            "extra-padding takes a number of octets",
        ),
    ] {
        let error = option.parse::<AskedTlv>().unwrap_err().to_string();
        assert!(error.starts_with(says), "{option}: {error}");
    }
    let replies = |option: &str| option.parse::<AskedTlv>().unwrap().replies().unwrap();
    // A bare number is milliseconds, as everywhere.
    let bare = replies("reflected-control=200:3:1.5");
    assert_eq!(bare, replies("reflected-control=200:3:1500us"));
    let twice: Vec<AskedTlv> = ["return-path=same-link", "return-path=no-reply"]
        .map(|one| one.parse().unwrap())
        .into();
    let error = RequestChain::new(&twice, Tos(0)).unwrap_err();
    assert_eq!(error.to_string(), "return-path may be given once");
    let long: Vec<AskedTlv> = vec!["extra-padding=40000".parse().unwrap(); 2];
    let error = RequestChain::new(&long, Tos(0)).unwrap_err().to_string();
    assert!(error.contains("more than a packet has room for"), "{error}");
}

#[test]
fn a_sender_uses_what_the_flags_allow_it_to_use() {
    let case = &known_answers()["sender_reads_flags"];
    let replies = case["replies"].as_array().unwrap();
    let used: Vec<Vec<u8>> = replies
        .iter()
        .map(|reply| {
            let reply = octets(reply.as_str().unwrap());
            let mut learnt = Learnt::default();
            learnt.read(&reply[44..], [0, 0, 0, 16], 16, None);
            let used = learnt.tlvs.iter().filter(|seen| seen.processed == 1);
            used.map(|seen| seen.kind.0).collect()
        })
        .collect();
    assert_eq!(used, [vec![3, 4], vec![4], vec![], vec![]]);
}

/// What a sender with these options learns from replies of a reflector to requests with these numbers.
fn taught(rig: &mut Rig, options: &[&str], key: Option<&StampKey>) -> Learnt {
    let mut learnt = Learnt::default();
    for seq in 0..4_u32 {
        let asked: Vec<AskedTlv> = options.iter().map(|one| one.parse().unwrap()).collect();
        let chain = RequestChain::new(&asked, Dscp::EF.tos()).unwrap();
        let mut request = vec![0; 44 + chain.octets()];
        request[..4].copy_from_slice(&seq.to_be_bytes());
        let facts = RequestFacts {
            sent: seq + 1,
            reflector_micro_session: None,
        };
        let own = known_key();
        chain.write(seq, &mut request[44..], &facts, Some(&own));
        let (reply, _) = rig.answer(&request, &request).unwrap();
        let session = rig.session.as_mut().unwrap();
        session.received += 1;
        session.replied += 1;
        learnt.read(&reply[44..], seq.to_be_bytes(), seq.into(), key);
    }
    learnt
}

#[test]
fn facts_are_those_of_the_far_end() {
    let options = [
        "location",
        "timestamp-information",
        "cos=10",
        "direct-measurement",
        "access-report=2:7",
        "destination-node=192.0.2.2",
        "micro-session=3",
        "hmac",
    ];
    let mut rig = Rig::new().arrived_with(46, 1);
    rig.policy.micro_sessions = vec![MICRO_SESSION];
    let key = known_key();
    let learnt = taught(&mut rig, &options, Some(&key));
    assert_eq!((learnt.replies, learnt.unverified), (4, 0));
    let fact = |tlv: &str, key: &str| {
        let mut facts = learnt.facts().into_iter();
        let (_, facts) = facts.find(|(name, _)| *name == tlv).unwrap();
        let found = facts.into_iter().find(|(name, _)| *name == key);
        found.unwrap_or_else(|| panic!("{tlv}: no {key}")).1
    };
    let text = |text: &str| FactValue::Text(text.to_owned());
    assert_eq!(fact("location", "destination_port"), FactValue::Number(862));
    assert_eq!(fact("location", "source_port"), FactValue::Number(40_000));
    assert_eq!(fact("location", "source_address"), text("192.0.2.1"));
    assert_eq!(fact("location", "destination_address"), text("192.0.2.2"));
    assert_eq!(fact("timestamp-information", "sync_in"), text("ntp"));
    assert_eq!(
        fact("timestamp-information", "timestamp_out"),
        text("software")
    );
    assert_eq!(fact("cos", "dscp_asked"), FactValue::Number(10));
    assert_eq!(fact("cos", "dscp_arrived"), FactValue::Number(46));
    assert_eq!(fact("cos", "ecn_arrived"), FactValue::Number(1));
    assert_eq!(fact("cos", "refused"), FactValue::Flag(false));
    assert_eq!(fact("direct-measurement", "sent"), FactValue::Number(3));
    assert_eq!(
        fact("direct-measurement", "forward_lost"),
        FactValue::Number(0)
    );
    assert_eq!(
        fact("direct-measurement", "backward_lost"),
        FactValue::Number(0)
    );
    assert_eq!(fact("access-report", "return_code"), FactValue::Number(7));
    assert_eq!(fact("destination-node", "address"), text("192.0.2.2"));
    assert_eq!(fact("micro-session", "reflector_id"), FactValue::Number(5));
    assert_eq!(fact("hmac", "replies"), FactValue::Number(4));

    // Another key: nothing is learnt, and nothing without an HMAC TLV.
    let other = StampKey::new(&[7; 16]).unwrap();
    let mut rig = Rig::new();
    assert_eq!(taught(&mut rig, &options[..3], Some(&other)).unverified, 4);
    rig.session = Some(SessionState::default());
    let learnt = taught(&mut rig, &["cos", "hmac"], Some(&other));
    assert_eq!((learnt.unverified, learnt.tlvs.len()), (4, 0));
}

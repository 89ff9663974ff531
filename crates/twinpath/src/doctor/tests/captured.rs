//! Authenticated STAMP between other programs, out of captures, as this host would have seen it.

use std::net::SocketAddr;
use std::sync::Arc;

use twinpath_proto::stamp::{KeyScope, StampKey, StampKeys};

use super::capture::{exchanged, packets};
use super::*;
use crate::doctor::keyed::{AUTHENTICATED, TlvsBack};
use crate::doctor::packets::PacketSecurity;
use crate::doctor::train::PACED;

const PORT: u16 = 862;
/// The key of these captures.
const KEY: u128 = 0x0011_2233_4455_6677_8899_aabb_ccdd_eeff;

/// As if doctor had sent what the capture has.
fn seen(file: &str, key: u128) -> Seen {
    let key = StampKey::new(&key.to_be_bytes()).unwrap();
    let keys = Arc::new(StampKeys::new([(KeyScope::Default, key)]));
    let far: SocketAddr = ([127, 0, 0, 1], PORT).into();
    let mut seen = Seen::new(FarEndPlan {
        addresses: vec![far],
        port: Some(PORT),
        keys: Keys::default().with_stamp(keys, " --hmac-key HEX".to_owned()),
        ..plan()
    });
    let packets = packets(file);
    let port = packets.iter().find(|packet| !packet.is_tcp).unwrap().to;
    let (requests, train) = exchanged(&packets, port);
    for kind in [&AUTHENTICATED, &PACED] {
        let ask = Ask::Train(far, kind, PacketSecurity::Authenticated);
        seen.add(ask, Answer::Train(requests.clone(), Ok(train.clone())));
    }
    seen
}

fn judged(seen: &Seen, id: &str) -> Judged {
    let check = CHECKS.iter().find(|check| check.id() == id);
    check.unwrap().judge(seen)
}

#[test]
fn signed_replies_of_other_reflectors_are_judged_as_they_are() {
    for (file, packets, sender_ttl) in [
        ("stamp-authenticated.pcap", 5, 64),
        ("stamp-v1-authenticated-tlv.pcap", 5, 255),
    ] {
        let seen = seen(file, KEY);
        let exchange = seen.authenticated().unwrap();
        assert_eq!(exchange.round_trips().count(), packets, "{file}");
        assert_eq!(seen.subject_security(), PacketSecurity::Authenticated);
        for id in [
            "test.one-reply",
            "test.copied",
            "test.numbers",
            "test.time-format",
            "test.residence",
            "test.reply-ttl",
            "clock.offset",
        ] {
            let judged = judged(&seen, id);
            assert_eq!(judged.status, Status::Ok, "{file}, {id}: {judged:?}");
        }
        // As the captured sender has set it.
        let ttl = judged(&seen, "test.sender-ttl").data["ttl"].clone();
        assert_eq!(ttl, sender_ttl, "{file}");
        let mut tlvs = exchange
            .replies()
            .map(|(reply, said)| exchange.tlvs_back((reply, &said)));
        let wanted = if file.contains("tlv") {
            TlvsBack::Right
        } else {
            TlvsBack::NoHmac
        };
        assert!(tlvs.all(|back| back == Some(wanted)), "{file}");
    }
}

#[test]
fn with_another_key_no_reply_of_a_capture_counts() {
    let seen = seen("stamp-authenticated.pcap", KEY + 1);
    assert!(seen.authenticated().is_none());
    let judged = judged(&seen, "stamp.authenticated");
    assert!(
        judged.finding.contains("the HMAC of its replies is wrong"),
        "{judged:?}"
    );
}

//! HMACs of captured packets of STAMP, of base packets and of TLVs: verified with the key of the user.

use serde_json::{Value, json};

use crate::capture_tlvs::{PAYLOAD, document, frames};
use crate::program::{findings, run};
use crate::saved::captures;

const KEY: &str = "--hmac-key 00112233445566778899aabbccddeeff";
const OTHER: &str = "--hmac-key 10112233445566778899aabbccddeeff";

/// The session of a report, and how its HMACs were counted.
fn told(mut document: Value) -> (Value, Value) {
    let hmacs = document["captures"][0]["sessions"][0]["hmacs"].take();
    (document["sessions"][0].take(), hmacs)
}

/// Of a capture as it is.
fn report(file: &str, options: &str) -> (Value, Value) {
    let file = captures().join(file);
    let done = run(&format!("report {} --json {options}", file.display()));
    assert_eq!(done.status, 0, "{}", done.stderr);
    told(done.document())
}

/// The key, then verified and wrong requests, verified and wrong replies, and packets of which neither is known.
fn counts(hmacs: &Value) -> (&str, [u64; 5]) {
    let counts = [
        "requests_verified",
        "requests_wrong",
        "replies_verified",
        "replies_wrong",
        "unchecked",
    ];
    let counts = counts.map(|key| hmacs[key].as_u64().unwrap());
    (hmacs["key"].as_str().unwrap(), counts)
}

#[test]
fn every_hmac_that_another_program_sent_is_verified_with_its_key_and_never_wrong_without() {
    for (file, requests, replies) in [
        ("stamp-authenticated.pcap", 5, 5),
        ("stamp-tlv.pcap", 5, 5),
        ("stamp-v1-tlv-hmac.pcap", 5, 5),
        ("stamp-v1-authenticated-tlv.pcap", 5, 5),
        ("stamp-v1-reflected-control.pcap", 5, 15),
    ] {
        let all = requests + replies;
        let (with, hmacs) = report(file, KEY);
        assert_eq!(
            counts(&hmacs),
            ("right", [requests, 0, replies, 0, 0]),
            "{file}"
        );
        let (without, hmacs) = report(file, "");
        assert_eq!(counts(&hmacs), ("none", [0, 0, 0, 0, all]), "{file}");
        assert!(findings(&without).contains(&"hmacs-unchecked"), "{file}");
        let (other, hmacs) = report(file, OTHER);
        assert_eq!(
            counts(&hmacs),
            ("other", [0, requests, 0, replies, 0]),
            "{file}"
        );
        assert!(findings(&other).contains(&"hmac-other-key"), "{file}");
        // What was measured and learnt is the same, whether it is proven or not.
        for session in [&without, &other] {
            assert_eq!(session["packets"], with["packets"], "{file}");
            assert_eq!(session["round_trip"], with["round_trip"], "{file}");
            let refused = ["tlvs-not-verified", "forged-replies"];
            assert!(
                !findings(session).iter().any(|key| refused.contains(key)),
                "{file}"
            );
        }
        let replies = &without["stamp"]["hmac"];
        let unchecked = (!replies.is_null()).then(|| replies["unchecked"].as_u64().unwrap());
        assert_ne!(unchecked, Some(0), "{file}");
        assert!(with["stamp"]["hmac"]["unchecked"].is_null(), "{file}");
    }
    let (open, hmacs) = report("stamp-v1-tlv.pcap", KEY);
    assert!(hmacs.is_null());
    assert!(findings(&open).contains(&"no-hmacs"));
}

#[test]
fn tlvs_that_were_changed_teach_nothing_and_a_changed_base_packet_is_no_reply() {
    // An octet of a TLV, in the second reply; the base packets are open.
    let (header, mut all) = frames("stamp-v1-tlv-hmac.pcap");
    all[3][PAYLOAD + 44 + 8] ^= 1;
    let (session, hmacs) = told(document(&header, &all, KEY));
    assert_eq!(counts(&hmacs), ("right", [5, 0, 4, 1, 0]));
    assert_eq!(session["packets"]["received"], 5);
    let hmac = &session["stamp"]["hmac"];
    assert_eq!(
        (&hmac["unverified"], &hmac["wrong"]),
        (&json!(1), &json!(1)),
        "{hmac}"
    );
    assert_eq!(hmac["replies"], 4);
    assert!(findings(&session).contains(&"tlvs-not-verified"));
    // It does not correct the T3 of the reply before it either.
    let corrected = &session["stamp"]["follow_up_telemetry"]["corrected"];
    assert_eq!(corrected, 2, "{corrected}");
    // Without the key that is unknown.
    let (session, _) = told(document(&header, &all, ""));
    assert!(session["stamp"]["hmac"]["unverified"].is_null());

    // T3 of an authenticated reply.
    let (header, mut all) = frames("stamp-v1-authenticated-tlv.pcap");
    all[3][PAYLOAD + 20] ^= 1;
    let (session, hmacs) = told(document(&header, &all, KEY));
    assert_eq!(counts(&hmacs), ("right", [5, 0, 4, 1, 0]));
    let packets = ["received", "lost"].map(|key| session["packets"][key].as_u64().unwrap());
    assert_eq!(packets, [4, 1]);
    assert_eq!(session["odd_replies"]["wrong_hmac"], 1);
    assert!(findings(&session).contains(&"forged-replies"));
    let (session, _) = told(document(&header, &all, ""));
    assert_eq!(session["packets"]["received"], 5);
}

#[test]
fn a_request_that_was_changed_is_named_and_one_that_was_cut_is_not_wrong() {
    let (header, all) = frames("stamp-v1-tlv-hmac.pcap");
    let mut changed = all.clone();
    let last = changed[4].len() - 1;
    changed[4][last] ^= 1;
    let (session, hmacs) = told(document(&header, &changed, KEY));
    assert_eq!(counts(&hmacs), ("right", [4, 1, 5, 0, 0]));
    assert!(findings(&session).contains(&"requests-forged"));

    let mut cut = all;
    for at in [4, 5] {
        let captured = u32::try_from(cut[at].len() - 16 - 8).unwrap();
        cut[at].truncate(16 + captured as usize);
        cut[at][8..12].copy_from_slice(&captured.to_le_bytes());
    }
    let (session, hmacs) = told(document(&header, &cut, KEY));
    assert_eq!(counts(&hmacs), ("right", [4, 0, 4, 0, 2]));
    assert!(findings(&session).contains(&"hmacs-unchecked"));
    assert!(
        session["stamp"]["hmac"]["unverified"].is_null(),
        "{session}"
    );
}

#[test]
fn a_file_of_either_end_has_the_key_of_a_session() {
    let directory = tempfile::tempdir().unwrap();
    let file = directory.path().join("keys");
    let digits = "00112233445566778899aabbccddeeff";
    let others = "10112233445566778899aabbccddeeff";
    for (lines, key) in [
        (format!("prefix 127.0.0.0/8 {digits}\n{others}\n"), "right"),
        (format!("ssid 4242 {digits}\n{others}\n"), "right"),
        (
            format!("prefix 192.0.2.0/24 {digits}\nssid 77 {digits}\n"),
            "none",
        ),
    ] {
        std::fs::write(&file, &lines).unwrap();
        let options = format!("--hmac-key-file {} --insecure-key-file", file.display());
        let (_, hmacs) = report("stamp-tlv.pcap", &options);
        assert_eq!(hmacs["key"], key, "{lines}");
    }
    let raw = directory.path().join("run.parquet");
    let done = run(&format!("report {} {KEY}", raw.display()));
    assert_eq!(done.status, 1, "{}", done.stderr);
}

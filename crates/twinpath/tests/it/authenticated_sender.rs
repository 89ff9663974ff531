//! STAMP authenticated, and SSIDs: the sender. Far ends are the responder, or written here.

use std::fs;

use crate::authenticated::hmac;
use crate::far_end::{FarEnd, now, ntp};
use crate::program::{Done, Responder, findings, run};
use crate::secured::keys;

const KEY: &str = "00112233445566778899aabbccddeeff";
const OTHER: &str = "ffeeddccbbaa99887766554433221100ffeeddcc";

/// A reply with one moment as T2 and T3, in the layout of an authenticated packet (RFC 8762 section
/// 4.3.2), signed with `key`.
fn authenticated_reply(request: &[u8], key: &str) -> Vec<u8> {
    let time = ntp(now()).to_be_bytes();
    let mut reply = vec![0; 96];
    reply[0..4].copy_from_slice(&request[0..4]);
    reply[16..24].copy_from_slice(&time);
    reply[24..26].copy_from_slice(&[0x80, 0x01]);
    reply[26..28].copy_from_slice(&request[26..28]);
    reply[32..40].copy_from_slice(&time);
    reply[48..52].copy_from_slice(&request[0..4]);
    reply[64..74].copy_from_slice(&request[16..26]);
    reply[80] = 64;
    reply.extend(hmac(key, &reply));
    reply
}

/// An open reply (RFC 8762 section 4.3.1) to a request whose T1 is there, with this SSID.
fn open_reply(request: &[u8], t1_at: usize, ssid: [u8; 2]) -> Vec<u8> {
    let time = ntp(now()).to_be_bytes();
    let mut reply = request[0..4].to_vec();
    reply.extend(time);
    reply.extend([0x80, 0x01]);
    reply.extend(ssid);
    reply.extend(time);
    reply.extend(&request[0..4]);
    reply.extend(&request[t1_at..t1_at + 10]);
    reply.resize(44, 0);
    reply
}

#[test]
fn an_authenticated_session_is_measured() {
    let responder = Responder::start(&format!("127.0.0.1:0 --json --hmac-key {KEY}"));
    for (padding, octets) in [("", 112), ("--padding 99", 116), ("--padding 400", 414)] {
        let done = run(&format!(
            "sender {} --stamp --authenticated --hmac-key {KEY} -c 5 -i 2 {padding} --timeout 20 --json",
            responder.at
        ));
        let session = done.session();
        assert_eq!(done.status, 0, "{}", done.stderr);
        assert_eq!(session["protocol"], "stamp");
        assert_eq!(session["mode"], "authenticated");
        assert_eq!(session["packets"]["received"], 5);
        assert_eq!(session["packets"]["lost_forward"], 0);
        assert_eq!(session["payload_octets"], octets);
        assert_eq!(session["odd_replies"], serde_json::json!({}));
    }
    let line = format!("sender {} --stamp --authenticated --ssid 7", responder.at);
    let done = run(&format!("{line} --hmac-key {KEY} -c 5 -i 2 --timeout 20"));
    let heading = "STAMP (authenticated, SSID 7) from 127.0.0.1:";
    assert!(done.stdout.starts_with(heading), "{}", done.stdout);
}

/// Three packets to a far end that answers like this. `patience`: the timeout in seconds.
fn measured(
    options: &str,
    patience: &str,
    reply: impl Fn(&[u8]) -> Vec<u8> + Send + 'static,
) -> Done {
    let far = FarEnd::answering(reply);
    let options = format!("--stamp {options} -c 3 -i 2 --timeout {patience} --json");
    run(&format!("sender {} {options}", far.at))
}

#[test]
fn replies_that_the_key_does_not_prove_are_counted_and_not_measured() {
    type Reply = fn(&[u8]) -> Vec<u8>;
    let answers: [(Reply, &str, &str); 4] = [
        (
            |request| authenticated_reply(request, OTHER),
            "wrong_hmac",
            "forged-replies",
        ),
        (
            |request| authenticated_reply(request, KEY)[..111].to_vec(),
            "too_short",
            "another-protocol",
        ),
        (
            |request| open_reply(request, 16, [0, 0]),
            "other_mode",
            "other-mode",
        ),
        (
            |request| request.to_vec(),
            "own_request_echoed",
            "echo-service",
        ),
    ];
    let authenticated = format!("--authenticated --hmac-key {KEY}");
    for (reply, kind, key) in answers {
        let done = measured(&authenticated, "0.3", reply);
        let session = done.session();
        assert_eq!(done.status, 3, "{}", done.stderr);
        assert_eq!(session["packets"]["received"], 0);
        assert_eq!(session["odd_replies"], serde_json::json!({kind: 3}));
        assert_eq!(findings(&session), [key]);
    }
    let right = |request: &[u8]| authenticated_reply(request, KEY);
    let session = measured(&authenticated, "20", right).session();
    assert_eq!(session["packets"]["received"], 3);
    // The other way round: an open session.
    let session = measured("", "0.3", |request| {
        let mut reply = authenticated_reply(request, KEY);
        reply[64..74].copy_from_slice(&request[4..14]);
        let tag = hmac(KEY, &reply[..96]);
        reply[96..].copy_from_slice(&tag);
        reply
    })
    .session();
    assert_eq!(session["odd_replies"], serde_json::json!({"other_mode": 3}));
    assert_eq!(session["findings"][0]["is_authenticated"], false);
}

#[test]
fn a_reflector_with_another_key_is_silent_and_the_sender_says_what_that_may_be() {
    let responder = Responder::start(&format!("127.0.0.1:0 --hmac-key {OTHER}"));
    let line = format!("sender {} --stamp --authenticated", responder.at);
    let done = run(&format!(
        "{line} --hmac-key {KEY} -c 3 -i 2 --timeout 0.3 --json"
    ));
    assert_eq!(done.status, 3);
    let session = done.session();
    assert_eq!(findings(&session)[0], "nothing-came-back");
    assert_eq!(session["findings"][0]["is_authenticated"], true);
}

#[test]
fn each_session_has_an_ssid_and_key_of_its_own() {
    let file = keys(&format!(
        "ssid 20 {KEY}\nssid 21 {OTHER}\nprefix 127.0.0.0/8 {KEY}\n"
    ));
    let path = file.path().display();
    let responder = Responder::start(&format!("127.0.0.1:0 --hmac-key-file {path}"));
    let line = format!(
        "sender {} --stamp --authenticated -c 3 -i 2 --timeout 20 --json",
        responder.at
    );
    let line = format!("{line} --hmac-key-file {path} --dscp be,ef --paths 2");
    let document = run(&format!("{line} --ssid 20")).document();
    let sessions = document["sessions"].as_array().unwrap();
    let seen: Vec<_> = sessions
        .iter()
        .map(|session| {
            (
                session["ssid"].as_u64(),
                session["packets"]["received"].as_u64(),
            )
        })
        .collect();
    let expected = [20, 21, 22, 23].map(|ssid| (Some(ssid), Some(3)));
    assert_eq!(seen, expected);
    let done = run(&format!("{line} --ssid 65533"));
    assert_eq!(done.status, 2, "{}", done.stdout);
    assert!(
        done.stderr.contains("use a lower --ssid"),
        "{}",
        done.stderr
    );
}

#[test]
fn targets_that_have_no_key_are_listed_and_the_others_measured() {
    let file = keys(&format!("prefix 127.0.0.1/32 {KEY}\n"));
    let path = file.path().display();
    let responder = Responder::start(&format!("127.0.0.1:0 --hmac-key {KEY}"));
    let line = "--stamp --authenticated -c 3 -i 2 --timeout 20 --json";
    let line = format!("sender --to {} {line} --hmac-key-file {path}", responder.at);
    let done = run(&format!("{line} --to 127.0.0.2:9"));
    assert_eq!(done.status, 1, "{}", done.stderr);
    let document = done.document();
    assert_eq!(document["sessions"][0]["packets"]["received"], 3);
    let error = document["failed"][0]["error"].as_str().unwrap();
    assert!(
        error.starts_with("--hmac-key-file has no key for 127.0.0.2"),
        "{error}"
    );
    let alone = format!("sender 127.0.0.2:9 --stamp --authenticated --hmac-key-file {path}");
    let done = run(&alone);
    assert_eq!(done.status, 1);
    assert!(
        done.stderr.contains("has no key for 127.0.0.2; add one"),
        "{}",
        done.stderr
    );
}

#[test]
fn a_file_of_targets_names_a_file_of_keys_but_has_none_itself() {
    let file = keys(&format!("{KEY}\n"));
    let path = file.path().display();
    let responder = Responder::start(&format!("127.0.0.1:0 --hmac-key {KEY}"));
    let directory = tempfile::tempdir().unwrap();
    let targets = directory.path().join("targets.toml");
    let table = |key: &str| {
        let at = responder.at;
        let text = format!(
            "[defaults]\nprotocol = \"stamp\"\ncount = 3\ninterval = 2\ntimeout = 20\n\n[[target]]\n\
             address = \"{at}\"\nauthenticated = true\n{key}\n"
        );
        fs::write(&targets, text).unwrap();
        run(&format!("sender --targets {} --json", targets.display()))
    };
    let session = table(&format!("hmac-key-file = \"{path}\"")).session();
    assert_eq!(session["mode"], "authenticated");
    assert_eq!(session["packets"]["received"], 3);
    for (key, said) in [
        (
            format!("hmac-key = \"{KEY}\""),
            ":10: hmac-key: others may read this file",
        ),
        (String::new(), "authenticated needs a key"),
    ] {
        let done = table(&key);
        assert_eq!(done.status, 2, "{}", done.stdout);
        assert!(done.stderr.contains(said), "{}", done.stderr);
        assert!(!done.stderr.contains(KEY), "{}", done.stderr);
    }
}

#[test]
fn a_key_file_that_others_can_read_is_refused_and_no_output_has_a_key() {
    let directory = tempfile::tempdir().unwrap();
    let readable = directory.path().join("keys");
    fs::write(&readable, format!("{KEY}\n")).unwrap();
    let line = "sender 127.0.0.1:9 --stamp --authenticated -c 1";
    let done = run(&format!("{line} --hmac-key-file {}", readable.display()));
    assert_eq!(done.status, 1);
    assert!(done.stderr.contains("chmod 600"), "{}", done.stderr);
    let file = keys(&format!("{KEY}\n"));
    let path = file.path().display();
    let done = run(&format!("{line} --hmac-key-file {path} -l {path}"));
    assert_eq!(done.status, 2, "{}", done.stderr);
    assert_eq!(fs::read_to_string(file.path()).unwrap(), format!("{KEY}\n"));
    let responder = Responder::start(&format!("127.0.0.1:0 --hmac-key {KEY}"));
    let saved = directory.path().join("run.parquet");
    let log = directory.path().join("log");
    let line = format!(
        "sender {} --stamp --authenticated -c 3 -i 2 --timeout 20 -d -v",
        responder.at
    );
    let line = format!("{line} --hmac-key {KEY} -l {}", log.display());
    #[cfg(feature = "report")]
    let line = format!("{line} --save {}", saved.display());
    let done = run(&line);
    assert_eq!(done.status, 0, "{}", done.stderr);
    let written = [&saved, &log].map(|path| fs::read(path).unwrap_or_default());
    for said in [
        done.stdout.as_bytes(),
        done.stderr.as_bytes(),
        &written[0],
        &written[1],
    ] {
        assert!(!said.windows(KEY.len()).any(|part| part == KEY.as_bytes()));
    }
}

#[test]
fn replies_without_the_ssid_stop_the_session_only_if_that_is_asked_for() {
    let far = FarEnd::answering(|request| open_reply(request, 4, [0, 0]));
    let line = format!(
        "sender {} --stamp --ssid 7 -c 60 -i 5 --timeout 20 --json",
        far.at
    );
    let session = run(&line).session();
    assert_eq!(session["packets"]["received"], 60);
    assert_eq!(session["odd_replies"]["ssid_missing"], 60);
    assert!(findings(&session).contains(&"ssid-missing"));
    let done = run(&format!("{line} --on-no-ssid stop"));
    let session = done.session();
    let sent = session["packets"]["sent"].as_u64().unwrap();
    assert!((1..60).contains(&sent), "{sent}");
    assert_eq!(session["packets"]["lost"], 0);
    assert!(findings(&session).contains(&"stopped-without-ssid"));
    assert!(!findings(&session).contains(&"ssid-missing"));
    assert_eq!(done.status, 0, "{}", done.stderr);
    // A far end that returns it is measured to the end.
    let far = FarEnd::answering(|request| open_reply(request, 4, [request[14], request[15]]));
    let line = format!(
        "sender {} --stamp --ssid 7 --on-no-ssid stop -c 20 -i 2 --timeout 20 --json",
        far.at
    );
    assert_eq!(run(&line).session()["packets"]["received"], 20);
}

#[test]
fn replies_with_another_ssid_are_not_measured() {
    let far = FarEnd::answering(|request| open_reply(request, 4, [0, 8]));
    let line = format!(
        "sender {} --stamp --ssid 7 -c 3 -i 2 --timeout 0.3 --json",
        far.at
    );
    let done = run(&line);
    assert_eq!(done.status, 3);
    assert_eq!(
        done.session()["odd_replies"],
        serde_json::json!({"other_ssid": 3})
    );
}

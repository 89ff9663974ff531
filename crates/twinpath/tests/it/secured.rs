//! The secured modes of TWAMP-Control.

use std::io::{Read as _, Write as _};
use std::net::{SocketAddr, TcpStream};
use std::time::Duration;

use tempfile::NamedTempFile;

use crate::program::{Responder, run};

/// A local test port that nobody else needs.
pub(crate) const ANY: &str = "127.0.0.1:0";

/// A file of keys that its owner alone may read.
pub(crate) fn keys(lines: &str) -> NamedTempFile {
    let mut file = NamedTempFile::new().unwrap();
    file.write_all(lines.as_bytes()).unwrap();
    file
}

pub(crate) fn secured_server(keys: &NamedTempFile, options: &str) -> Responder {
    Responder::server(&format!("--keys {} {options}", keys.path().display()))
}

fn json(text: &str) -> serde_json::Value {
    serde_json::from_str(text).unwrap_or_else(|error| panic!("{error}: {text}"))
}

#[test]
fn every_mode_measures_with_every_feature() {
    let keys = keys("# ours\n\nMüller grüne Brücke,  zwei Leerzeichen\nbob other\n");
    let server = secured_server(&keys, "--json");
    let file = keys.path().display();
    let mut packets = 0;
    for (mode, bit) in [("authenticated", 2), ("encrypted", 4), ("mixed", 8)] {
        let open = mode == "mixed";
        for (options, features, octets, open_features, open_octets) in [
            ("", 256, 112, 0, 41),
            ("--padding 27", 256, 48, 0, 41),
            ("--padding 200", 256, 214, 256, 214),
            ("--symmetrical-size", 64 | 256, 112, 64, 68),
            ("--symmetrical-size --padding 10", 64 | 256, 122, 64, 51),
            (
                "--reflect-octets --padding 200",
                32 | 256,
                214,
                32 | 256,
                214,
            ),
            (
                "--reflect-octets --symmetrical-size --padding 64",
                32 | 64 | 256,
                176,
                32 | 64,
                105,
            ),
            ("--dscp-monitoring", 256, 112, 256, 44),
            ("--timestamp-format ptp", 256 | 512, 112, 512, 41),
        ] {
            let line = format!(
                "controller {} {ANY} --keys {file} --key-id Müller --mode {mode} -c 4 -i 2 --json \
                 {options}",
                server.at
            );
            let done = run(&line);
            assert_eq!(done.status, 0, "{line}: {}", done.stderr);
            let document = json(&done.stdout);
            let session = &document["sessions"][0];
            let (features, octets) = if open {
                (open_features, open_octets)
            } else {
                (features, octets)
            };
            assert_eq!(document["control"]["modes"], bit | features, "{line}");
            assert_eq!(session["mode"], mode, "{line}");
            assert_eq!(session["packets"]["received"], 4, "{line}: {session}");
            assert_eq!(session["payload_octets"], octets, "{line}");
            assert_eq!(session["odd_replies"], json("{}"), "{line}");
            let says = done.stdout.contains("times-not-protected");
            assert_eq!(says, mode == "authenticated", "{line}");
            packets += 4;
        }
    }
    let last = json(&server.stop("INT").stdout);
    assert_eq!(last["reflected"], packets, "{last}");
    assert_eq!(
        (&last["replays"], &last["ignored"]["forged"]),
        (&0.into(), &0.into())
    );
    assert_eq!(last["connections"]["keys_refused"], 0);
}

#[test]
fn classes_and_sizes_of_imix_are_secured_too() {
    let keys = keys("alice secret");
    let server = secured_server(&keys, "");
    let line = format!(
        "controller {} {ANY} --keys {} -c 12 -i 2 --padding -1 --dscp be,ef --json",
        server.at,
        keys.path().display()
    );
    let document = json(&run(&line).stdout);
    // The strongest mode, Individual Session Control and DSCP and ECN Monitoring.
    assert_eq!(document["control"]["modes"], 4 | 16 | 256);
    for (session, dscp) in document["sessions"].as_array().unwrap().iter().zip([0, 46]) {
        assert_eq!(session["mode"], "encrypted");
        assert_eq!(session["packets"]["received"], 12, "{session}");
        assert_eq!(session["payload_octets"], json("[48, 548, 1472]"));
        assert_eq!(session["dscp_forward"][dscp.to_string()], 12, "{session}");
    }
    let text = run(&line.replace("--json", "")).stdout;
    assert!(
        text.starts_with("TWAMP (encrypted) from 127.0.0.1:"),
        "{text}"
    );
}

#[test]
fn padding_is_counted_in_every_mode_as_it_is_asked_for() {
    let keys = keys("alice secret");
    let server = secured_server(&keys, "");
    for (options, said) in [
        ("--mode mixed --padding 60", "padding 60 (74-octet packets)"),
        ("--padding 60", "padding 60 (74-octet packets)"),
        ("", "padding 98 (112-octet packets)"),
        ("--padding 34", "padding 34 (48-octet packets)"),
        (
            "--padding 5",
            "padding 5, raised to 34 for the mode chosen (48-octet packets)",
        ),
        (
            "--padding 5 --symmetrical-size",
            "padding 5 (117-octet packets)",
        ),
    ] {
        let done = run(&format!(
            "controller {} {ANY} --keys {} -c 2 -i 2 {options}",
            server.at,
            keys.path().display()
        ));
        assert!(done.stdout.contains(said), "{options}: {}", done.stdout);
    }
}

#[test]
fn a_client_is_never_secured_less_than_it_asked() {
    let keys = keys("alice secret");
    let file = keys.path().display();
    let open = Responder::server("");
    let line = format!("controller {} {ANY} --keys {file} -c 2 -i 2", open.at);
    let fell_back = run(&line);
    assert_eq!(fell_back.status, 0, "{}", fell_back.stderr);
    assert!(
        fell_back.stdout.contains("warning: ")
            && fell_back.unwrapped().contains("nothing is secured"),
        "{}",
        fell_back.stdout
    );
    for mode in ["authenticated", "encrypted", "mixed"] {
        let done = run(&format!("{line} --mode {mode}"));
        assert_eq!((done.status, done.stdout.as_str()), (1, ""), "{mode}");
        assert!(
            done.stderr.contains(&format!("required: {mode};")),
            "{}",
            done.stderr
        );
    }
    let mixed = secured_server(&keys, "--mode unauthenticated,mixed");
    let line = format!(
        "controller {} {ANY} --keys {file} -c 2 -i 2 --json",
        mixed.at
    );
    let done = run(&line);
    assert_eq!(json(&done.stdout)["control"]["modes"], 8);
    assert!(
        done.stderr
            .contains("test packets are open to anyone on the path"),
        "{}",
        done.stderr
    );
    let bare = format!("controller {} {ANY} -c 2 -i 2 --json", mixed.at);
    assert_eq!(json(&run(&bare).stdout)["control"]["modes"], 1);
    let secured = secured_server(&keys, "");
    let done = run(&format!("controller {} {ANY} -c 2", secured.at));
    assert_eq!(done.status, 1);
    assert!(done.stderr.contains("use --keys FILE"), "{}", done.stderr);
}

/// Answers to a Set-Up-Response in the encrypted mode with this Key-ID and any token.
fn answer_to(server: SocketAddr, key_id: &[u8]) -> Vec<u8> {
    let mut stream = TcpStream::connect(server).unwrap();
    stream
        .set_read_timeout(Some(Duration::from_secs(20)))
        .unwrap();
    let mut greeting = [0; 64];
    stream.read_exact(&mut greeting).unwrap();
    let mut response = [0x5a; 164];
    response[..4].copy_from_slice(&4_u32.to_be_bytes());
    response[4..84].fill(0);
    response[4..4 + key_id.len()].copy_from_slice(key_id);
    stream.write_all(&response).unwrap();
    let mut answer = Vec::new();
    stream.read_to_end(&mut answer).unwrap();
    answer
}

#[test]
fn a_wrong_passphrase_and_an_unknown_key_id_are_answered_alike() {
    let known = keys("alice secret");
    let server = secured_server(&known, "");
    let wrong = answer_to(server.at, b"alice");
    assert_eq!(wrong.len(), 48);
    assert_eq!(wrong[15], 1, "Accept");
    assert!(wrong[16..].iter().all(|octet| *octet == 0), "{wrong:?}");
    for key_id in [b"bob".as_slice(), b"", b"\xff\xfe", &[b'x'; 80]] {
        assert_eq!(answer_to(server.at, key_id), wrong, "{key_id:?}");
    }
    let said = |lines: &str| {
        let file = keys(lines);
        let at = server.at;
        let done = run(&format!(
            "controller {at} {ANY} --keys {} -c 2",
            file.path().display()
        ));
        assert_eq!((done.status, done.stdout.as_str()), (1, ""));
        assert_eq!(done.stderr.lines().count(), 1, "{}", done.stderr);
        done.stderr
    };
    let wrong = said("alice Secret");
    assert_eq!(said("bob secret"), wrong);
    assert!(
        wrong.contains("Accept 1, failure") && wrong.contains("passphrase"),
        "{wrong}"
    );
    assert!(!wrong.to_lowercase().contains("secret"), "{wrong}");
    let last = server.stop("INT");
    assert!(
        last.stdout
            .contains("7 with unknown Key-ID or wrong passphrase"),
        "{}",
        last.stdout
    );
    assert!(
        last.stderr.contains("unknown Key-ID or wrong passphrase"),
        "{}",
        last.stderr
    );
}

#[test]
fn a_sender_elsewhere_is_served_in_the_mixed_mode() {
    let keys = keys("alice secret");
    let server = secured_server(&keys, "");
    let port = crate::program::free_port();
    let line = format!(
        "controlclient 127.0.0.1:{port} {} --keys {} --receiver-port 1 --duration 0.2 --json",
        server.at,
        keys.path().display()
    );
    let done = run(&line);
    assert_eq!(done.status, 0, "{}", done.stderr);
    assert_eq!(json(&done.stdout)["modes"], 8);
}

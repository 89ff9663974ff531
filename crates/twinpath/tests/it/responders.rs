//! A responder's options, and what it says at its end.

use crate::program::{Responder, has_ipv6, run};

pub(crate) fn last_words(responder: Responder) -> serde_json::Value {
    let done = responder.stop("INT");
    assert_eq!(done.status, 0, "{}", done.stderr);
    serde_json::from_str(&done.stdout).unwrap()
}

#[test]
fn a_responder_that_is_told_to_stop_says_what_it_did() {
    for signal in ["INT", "TERM"] {
        let responder = Responder::on_loopback();
        run(&format!("sender {} -c 7 -i 1", responder.at));
        let done = responder.stop(signal);
        assert_eq!(done.status, 0, "{}", done.stderr);
        assert!(
            done.stdout.starts_with("Answered         7 packets"),
            "{}",
            done.stdout
        );
    }
    let responder = Responder::start("127.0.0.1:0 --json");
    run(&format!("sender {} -c 7 -i 1", responder.at));
    let last = last_words(responder);
    assert_eq!(last["schema"], "twinpath-responder-1");
    assert_eq!(
        (&last["reflected"], &last["sessions"]["made"]),
        (&7.into(), &1.into())
    );
}

#[test]
fn who_is_not_allowed_gets_no_answer_and_is_counted_and_logged() {
    let responder = Responder::start("127.0.0.1:0 --allow 192.0.2.0/24 --json -v");
    let done = run(&format!(
        "sender {} -c 3 -i 1 --timeout 0.2 --json",
        responder.at
    ));
    assert_eq!(done.status, 3);
    let done = responder.stop("INT");
    let last: serde_json::Value = serde_json::from_str(&done.stdout).unwrap();
    assert_eq!(
        (&last["reflected"], &last["ignored"]["not_allowed"]),
        (&0.into(), &3.into())
    );
    assert!(
        done.stderr.contains("ignored kind=\"not_allowed\""),
        "{}",
        done.stderr
    );
    let responder = Responder::start("127.0.0.1:0 --allow 192.0.2.0/24 --allow 127.0.0.1");
    assert_eq!(run(&format!("sender {} -c 3 -i 1", responder.at)).status, 0);
}

#[test]
fn a_client_over_its_rate_is_answered_no_more() {
    let responder = Responder::start("127.0.0.1:0 --max-rate 3 --json");
    let done = run(&format!(
        "sender {} -c 20 -i 1 --timeout 3 --json",
        responder.at
    ));
    let received = done.session()["packets"]["received"].as_u64().unwrap();
    assert!((1..20).contains(&received), "{received}");
    let limited = last_words(responder)["ignored"]["rate_limited"]
        .as_u64()
        .unwrap();
    assert_eq!(received + limited, 20);
}

#[test]
fn a_stateful_responder_counts_its_replies_and_a_stateless_one_repeats() {
    for (option, equal) in [("", false), ("--stateless", true)] {
        // The rate makes gaps in what is answered: a counter of its own has none.
        let responder = Responder::start(&format!("127.0.0.1:0 --max-rate 3 {option}"));
        let line = format!(
            "sender {} -c 20 -i 50 --timeout 3 --output csv",
            responder.at
        );
        let done = run(&line);
        let rows = done
            .stdout
            .lines()
            .skip(1)
            .filter(|row| row.ends_with(",received"));
        let numbers: Vec<(u64, u64)> = rows
            .map(|row| {
                let column = |index| row.split(',').nth(index).unwrap().parse().unwrap();
                (column(0), column(8))
            })
            .collect();
        assert!(numbers.len() > 3, "{}", done.stdout);
        for (index, (sender, reflector)) in numbers.iter().enumerate() {
            let expected = if equal { *sender } else { index as u64 };
            assert_eq!(*reflector, expected, "{option}\n{}", done.stdout);
        }
    }
}

#[test]
fn sessions_beyond_the_bound_are_answered_without_a_counter() {
    let responder = Responder::start("127.0.0.1:0 --max-sessions 2 --json");
    for _ in 0..4 {
        assert_eq!(
            run(&format!("sender {} 127.0.0.1:0 -c 1", responder.at)).status,
            0
        );
    }
    let last = last_words(responder);
    let sessions = &last["sessions"];
    assert_eq!(
        (&sessions["made"], &sessions["live"]),
        (&2.into(), &2.into())
    );
    assert_eq!(last["answered_stateless"], 2, "{last}");
    assert_eq!(last["reflected"], 4);
}

#[test]
fn sessions_are_forgotten_when_they_were_idle_for_the_timer() {
    let responder = Responder::start("127.0.0.1:0 --timer 0.1 --json");
    for _ in 0..2 {
        let line = format!("sender {} 127.0.0.1:0 -c 1", responder.at);
        assert_eq!(run(&line).status, 0);
        std::thread::sleep(std::time::Duration::from_millis(300));
    }
    let last = last_words(responder);
    assert!(last["sessions"]["expired"].as_u64() >= Some(1), "{last}");
    assert!(last["sessions"]["live"].as_u64() <= Some(1), "{last}");
}

#[test]
fn replies_are_not_longer_than_requests_unless_that_is_asked_for() {
    for (options, differs) in [
        ("", 0),
        ("--padding 500", 0),
        ("--padding 500 --allow-larger-replies", 5),
        ("--padding 100", 0),
    ] {
        let responder = Responder::start(&format!("127.0.0.1:0 {options}"));
        let line = format!("sender {} -c 5 -i 1 --padding 100 --json", responder.at);
        let session = run(&line).session();
        let odd = session["odd_replies"]["size_differs"].as_u64().unwrap_or(0);
        assert_eq!(
            (odd, &session["packets"]["received"]),
            (differs, &5.into()),
            "{options}"
        );
    }
}

#[test]
fn several_threads_answer_on_one_port_and_report_together() {
    let responder = Responder::start("127.0.0.1:0 --threads 2 --json");
    for _ in 0..4 {
        let line = format!("sender {} 127.0.0.1:0 -c 5 -i 1 --json", responder.at);
        assert_eq!(run(&line).session()["packets"]["received"], 5);
    }
    let last = last_words(responder);
    assert_eq!(
        (&last["reflected"], &last["sessions"]["made"]),
        (&20.into(), &4.into())
    );
}

#[test]
fn every_address_is_listened_on_by_default() {
    // Port 0: a port for each family, so that no fixed one is needed.
    let responder = Responder::start(":0 -4");
    let line = format!("sender 127.0.0.1:{} -c 2 -i 1", responder.at.port());
    assert_eq!(run(&line).status, 0);
    if has_ipv6() {
        let responder = Responder::start(":0 -6");
        let line = format!("sender [::1]:{} -c 2 -i 1", responder.at.port());
        assert_eq!(run(&line).status, 0);
    }
}

#[test]
fn an_unspecified_address_is_of_its_own_family() {
    for (near, other) in [("0.0.0.0:0", "[::1]"), ("[::]:0", "127.0.0.1")] {
        if !has_ipv6() {
            return;
        }
        let responder = Responder::start(near);
        let line = format!("sender {other}:{} -c 1 --timeout 0.2", responder.at.port());
        assert_eq!(run(&line).status, 3, "{near}");
        let own = if near.starts_with('[') {
            "[::1]"
        } else {
            "127.0.0.1"
        };
        let line = format!("sender {own}:{} -c 1 --timeout 2", responder.at.port());
        assert_eq!(run(&line).status, 0, "{near}");
        assert_eq!(
            responder.stop("INT").stderr,
            "",
            "it listened on one address"
        );
    }
}

#[test]
fn bounds_are_said_at_the_start_and_listening_once() {
    let responder = Responder::start(
        "127.0.0.1:0 -v --allow 127.0.0.1 --allow 192.0.2.0/24 --max-rate 9 --padding 100",
    );
    let stderr = responder.stop("INT").stderr;
    assert!(
        stderr.starts_with(
            "note: answers 127.0.0.1/32, 192.0.2.0/24 only; at most 9 packets/s for each client; \
             replies sized as for a request with padding 100, never longer than the request \
             (--allow-larger-replies)\n"
        ),
        "{stderr}"
    );
    assert!(
        !stderr.contains("listening"),
        "the first line said it: {stderr}"
    );
}

#[test]
fn what_senders_may_ask_for_is_said_at_the_start() {
    for (options, said) in [
        (
            "--allow-ssid 7,100-199 --allow-dscp ef,9",
            "answers SSID 7, 100-199 only; replies also with DSCP ef, 9",
        ),
        ("--no-tlv", "processes no TLV"),
        (
            "--micro-session-id 3,4",
            "answers Micro-session ID 3, 4 only",
        ),
    ] {
        let mut responder = Responder::start(&format!("127.0.0.1:0 {options}"));
        let note = responder.wait_for("note: ");
        assert_eq!(note, format!("note: {said}\n"), "{options}");
    }
}

#[test]
fn a_protocol_alone_answers_all_in_its_own_way() {
    let responder = Responder::start("127.0.0.1:0 --protocol twamp-light");
    let line = format!("sender {} -c 3 -i 1 --padding 0 --json", responder.at);
    let session = run(&line).session();
    assert_eq!(session["packets"]["received"], 3, "{session}");
}

#[test]
fn the_keys_in_use_and_what_becomes_of_open_packets_are_said_at_the_start() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("keys");
    let key = "00112233445566778899aabbccddeeff";
    let text = format!("{key}\nssid 7 {key}\nssid 8 {key}\nprefix 192.0.2.0/24 {key}\n");
    std::fs::write(&path, text).unwrap();
    let file = format!("--hmac-key-file {} --insecure-key-file", path.display());
    let one = format!("--hmac-key {key}");
    for (options, kind, says) in [
        (
            format!("{file} --authenticated"),
            "(authenticated STAMP, stateful)",
            "note: 2 keys for SSIDs, 1 key for a prefix, 1 key for all other senders; packets without a right HMAC get \
             no reply\n",
        ),
        (
            one.clone(),
            "(TWAMP Light and STAMP, stateful)",
            "note: 1 key for all senders; open packets are answered too (--authenticated: no)\n",
        ),
        (
            format!("{one} --require-hmac"),
            "(TWAMP Light and STAMP, stateful)",
            "note: 1 key for all senders; open packets are answered too, their TLVs used only with a right HMAC TLV\n",
        ),
    ] {
        let responder = Responder::start(&format!("127.0.0.1:0 {options}"));
        assert!(responder.banner.contains(kind), "{}", responder.banner);
        let stderr = responder.stop("INT").stderr;
        assert!(stderr.contains(says), "{options}: {stderr}");
    }
}

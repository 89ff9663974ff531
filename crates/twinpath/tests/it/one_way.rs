//! Sessions whose packets want no reply (RFC 9503): the sender claims no loss, and the responder has the
//! figures.

use std::time::{Duration, Instant};

use serde_json::{Value, json};

use crate::hosts::Hosts;
use crate::program::{Done, Responder, findings, run};
use crate::responders::last_words;
use crate::routed::filter;

/// Measures with options of its own; the timeout is longer than any test may take.
fn unanswered(responder: &Responder, options: &str) -> Done {
    let began = Instant::now();
    let done = run(&format!(
        "sender {} --stamp --ssid 7 -c 20 -i 5 --timeout 60 --tlv return-path=no-reply {options}",
        responder.at
    ));
    assert_eq!(done.status, 0, "{}", done.stderr);
    assert!(
        began.elapsed() < Duration::from_mins(1),
        "waits for nothing"
    );
    done
}

#[test]
fn every_output_of_a_sender_without_replies_says_where_the_figures_are() {
    let responder = Responder::start("127.0.0.1:0 --json");
    let session = unanswered(&responder, "--json").session();
    let packets = &session["packets"];
    assert_eq!(packets["sent"], 20);
    assert_eq!(
        (&packets["received"], &packets["lost"]),
        (&json!(0), &json!(0))
    );
    assert_eq!(packets["unawaited"], 20);
    assert_eq!(packets["loss_ratio"], Value::Null);
    assert_eq!(packets["lost_forward"], Value::Null);
    assert_eq!(session["availability"], Value::Null);
    assert_eq!(session["departure"]["count"], 20);
    assert!(
        findings(&session).contains(&"figures-at-far-end"),
        "{session}"
    );
    assert!(
        !findings(&session).contains(&"nothing-came-back"),
        "{session}"
    );

    let text = unanswered(&responder, "-v").stdout;
    assert!(text.contains("seq=19 unawaited\n"), "{text}");
    for says in [
        "Loss unknown: 20 packets sent, not to be answered here",
        "20 sent, 0 received, 20 not to be answered here, in ",
        "delays and losses are in its responder's summary",
    ] {
        let words: Vec<&str> = text.split_whitespace().collect();
        assert!(words.join(" ").contains(says), "{says}: {text}");
    }
    let table = unanswered(&responder, "--output csv").stdout;
    assert_eq!(table.matches(",unawaited").count(), 20, "{table}");
    let rows = unanswered(&responder, "--report-interval 1 --json").stdout;
    let rows = serde_json::Deserializer::from_str(&rows).into_iter::<Value>();
    let rows: Vec<Value> = rows.map(Result::unwrap).collect();
    let rows = rows
        .iter()
        .filter(|row| row["schema"] == "twinpath-interval-1");
    let mut sent = 0;
    for row in rows {
        sent += row["packets"]["unawaited"].as_u64().unwrap();
        assert_eq!(row["packets"]["lost"], 0);
        assert_eq!(row["packets"]["loss_ratio"], Value::Null);
    }
    assert_eq!(sent, 20);
}

#[test]
fn a_responder_reports_delay_loss_and_order_of_packets_that_want_no_reply() {
    let responder = Responder::start("127.0.0.1:0 --json");
    unanswered(&responder, "");
    unanswered(&responder, "");
    let report = last_words(responder);
    assert_eq!(report["reflected"], 0);
    assert_eq!(report["ignored"]["no_reply_wanted"], 40);
    let one_way = &report["one_way"];
    assert_eq!(one_way["unlisted"], 0);
    let sessions = one_way["sessions"].as_array().unwrap();
    assert_eq!(sessions.len(), 2, "{one_way}");
    for session in sessions {
        assert_eq!(session["ssid"], 7);
        assert_eq!(session["protocol"], "stamp");
        assert_eq!(
            session["packets"],
            json!({
                "received": 20, "lost": 0, "duplicates": 0, "reordered": 0, "stale": 0,
                "loss_ratio": 0.0, "refused": 0,
            })
        );
        let delay = &session["delay"];
        assert_eq!(delay["count"], 20);
        assert!(delay["min_ns"].as_i64() <= delay["p99_ns"].as_i64());
        assert_eq!(session["basis"], "synchronized", "both ends are this host");
    }
}

#[test]
fn the_text_of_a_responder_has_the_sessions_that_want_no_reply() {
    let responder = Responder::start("127.0.0.1:0");
    unanswered(&responder, "");
    let at = responder.at;
    let text = responder.stop("INT").stdout;
    assert!(text.contains(&format!(" to {at} (SSID 7)\n")), "{text}");
    let counts = "20 packets, 0 lost (0%), 0 reordered, 0 duplicates\n";
    assert!(text.contains(counts), "{text}");
    assert!(text.contains("delay "), "{text}");
    // They are not answered, but measured.
    assert!(!text.contains("Ignored"), "{text}");
}

#[test]
fn packets_that_this_host_refuses_to_send_are_no_silence_of_a_far_end_that_need_not_answer() {
    let Some(hosts) = Hosts::new() else { return };
    let rules = "table inet lossy { chain out { type filter hook output priority 0; \
                 udp dport 862 numgen inc mod 20 == 7 drop; }; }";
    if !filter(&hosts.near, rules) {
        return;
    }
    let responder = hosts.responder(":862");
    let line = "sender 10.98.0.2 --stamp -c 100 -i 5 --timeout 60 --tlv return-path=no-reply";
    let done = hosts.run(line);
    let text = done.unwrapped();
    for says in [
        "Loss unknown: 5 of 100 packets not sent, 95 not to be answered here",
        "95 sent, 0 received, 95 not to be answered here, in ",
        "unknown: 5 of 100 packets not sent, 95 packets not to be answered here",
        "5 of 100 packets could not be sent (",
    ] {
        assert!(text.contains(says), "{says}: {text}");
    }
    for wrong in ["Nothing came back", "were lost", "nothing was sent"] {
        assert!(!text.contains(wrong), "{wrong}: {text}");
    }
    drop(responder);
}

#[test]
fn replies_that_come_nevertheless_are_measured_and_their_way_is_told() {
    // It may not send them there.
    let responder = Responder::start("127.0.0.1:0");
    let done = run(&format!(
        "sender {} --stamp -c 5 -i 5 --timeout 60 --tlv return-path=203.0.113.9 --json",
        responder.at
    ));
    assert_eq!(done.status, 0, "{}", done.stderr);
    let session = done.session();
    let received = session["packets"]["received"].as_u64().unwrap();
    assert!(received >= 1, "{session}");
    assert_eq!(session["packets"]["lost"], 0);
    assert_eq!(session["stamp"]["return_path"]["path"], "not used");
    assert!(
        findings(&session).contains(&"return-path-not-used"),
        "{session}"
    );
}

#[test]
fn replies_that_go_to_another_host_are_not_lost() {
    let Some(hosts) = Hosts::new() else { return };
    let responder = hosts.responder(":862 --allow-return-address 10.98.0.0/24");
    let line = "sender 10.98.0.2 --stamp -c 5 -i 5 --timeout 60 --tlv return-path=10.98.0.50";
    let done = hosts.run(&format!("{line} --json"));
    assert_eq!(done.status, 0, "{}", done.stderr);
    let session = done.session();
    assert_eq!(session["packets"]["unawaited"], 5, "{session}");
    let findings = session["findings"].as_array().unwrap().iter();
    let mut elsewhere = findings.filter(|one| one["key"] == "figures-at-far-end");
    assert_eq!(elsewhere.next().unwrap()["to"], "10.98.0.50", "{session}");
    let text = hosts.run(line).unwrapped();
    for says in [
        "Loss unknown: 5 packets sent, to be answered at 10.98.0.50",
        "replies to 5 packets go to 10.98.0.50 (Return Path)",
    ] {
        assert!(text.contains(says), "{says}: {text}");
    }
    assert!(!text.contains("responder's summary"), "{text}");
    drop(responder);
}

#[test]
fn a_far_end_that_answers_as_twamp_light_is_named_once() {
    for (far, options, moved) in [
        ("--protocol twamp-light", "--ssid 7", 5),
        ("--protocol twamp-light", "", 5),
        ("--protocol auto", "--ssid 7", 0),
        ("--protocol stamp --no-tlv", "", 0),
    ] {
        let responder = Responder::start(&format!("127.0.0.1:0 {far}"));
        let done = run(&format!(
            "sender {} --stamp -c 5 -i 5 --timeout 60 --json --tlv location --tlv direct-measurement {options}",
            responder.at
        ));
        assert_eq!(done.status, 0, "{}", done.stderr);
        let session = done.session();
        assert_eq!(session["packets"]["received"], 5, "{session}");
        let all = session["findings"].as_array().unwrap().iter();
        let light: Vec<&Value> = all.filter(|it| it["key"] == "twamp-light").collect();
        assert_eq!(light.len(), usize::from(far != "--protocol auto"), "{far}");
        if let Some(light) = light.first() {
            assert_eq!(light["moved"], moved, "{far} {options}");
            assert_eq!(light["is_ssid_missing"], !options.is_empty());
            assert_eq!(light["is_unprocessed"], moved == 0);
            assert!(!findings(&session).contains(&"ssid-missing"), "{session}");
        }
    }
}

#[cfg(feature = "report")]
#[test]
fn a_raw_file_has_packets_that_want_no_reply() {
    let responder = Responder::start("127.0.0.1:0");
    let directory = tempfile::tempdir().unwrap();
    let file = directory.path().join("run.parquet");
    let file = file.display();
    let session = unanswered(&responder, &format!("--json --save {file}")).session();
    let again = run(&format!("report {file} --json"));
    assert_eq!(again.status, 0, "{}", again.stderr);
    let read = again.session();
    for key in ["packets", "departure", "findings", "availability"] {
        assert_eq!(read[key], session[key], "{key}");
    }
    let table = run(&format!("report {file} --output csv")).stdout;
    assert_eq!(table.matches(",unawaited").count(), 20, "{table}");
}

#[test]
fn a_quit_signal_tells_the_figures_so_far_and_the_responder_goes_on() {
    let mut responder = Responder::start("127.0.0.1:0 --threads 2");
    unanswered(&responder, "");
    responder.signal("QUIT");
    responder.wait_for("Answered         0 packets in ");
    responder.wait_for("20 packets, 0 lost (0%), 0 reordered");
    unanswered(&responder, "");
    responder.signal("QUIT");
    for _ in 0..2 {
        responder.wait_for("20 packets, 0 lost (0%), 0 reordered");
    }
    // The end has them all.
    let summary = responder.stop("INT").stdout;
    assert_eq!(
        summary.matches("20 packets, 0 lost").count(),
        2,
        "{summary}"
    );
}

#[cfg(feature = "control")]
#[test]
fn a_quit_signal_tells_what_a_server_did_so_far() {
    let mut server = Responder::server("");
    server.signal("QUIT");
    server.wait_for("Connections      0 served");
    let done = run(&format!("controller {} -c 5 -i 2 --timeout 2", server.at));
    assert_eq!(done.status, 0, "{}", done.stderr);
    // Counts of packets are 100 ms old.
    let patience = Instant::now() + Duration::from_mins(1);
    loop {
        server.signal("QUIT");
        if server.wait_for("Answered ").contains(" 5 packets in ") {
            break;
        }
        assert!(Instant::now() < patience, "no packet is counted");
    }
    server.wait_for("Connections      1 served");
}

//! Server, controller and control client together, over loopback and between two hosts.

use std::collections::HashSet;
use std::io::{Read as _, Write as _};
use std::net::{SocketAddr, TcpListener};

use crate::hosts::Hosts;
use crate::program::{Responder, Running, free_port, run};
use crate::wire::dissected;

/// A local test port that nobody else needs.
const ANY: &str = "127.0.0.1:0";

fn json(text: &str) -> serde_json::Value {
    serde_json::from_str(text).unwrap_or_else(|error| panic!("{error}: {text}"))
}

#[test]
fn twenty_packets_go_and_come_back() {
    let server = Responder::server("--json");
    let done = run(&format!("controller {} {ANY} -c 20 -i 5 --json", server.at));
    assert_eq!(done.status, 0, "{}", done.stderr);
    let document = json(&done.stdout);
    let session = &document["sessions"][0];
    assert_eq!(session["protocol"], "twamp");
    assert_eq!(session["mode"], "unauthenticated");
    assert_eq!(session["sid"].as_str().unwrap().len(), 32);
    let packets = &session["packets"];
    for (key, count) in [("asked", 20), ("sent", 20), ("received", 20), ("lost", 0)] {
        assert_eq!(packets[key], count, "{key}: {packets}");
    }
    assert_eq!(packets["lost_forward"], 0, "numbers of its own: {packets}");
    assert_eq!(document["control"]["server"], server.at.to_string());
    assert_eq!(document["control"]["modes"], 1);
    let last = json(&server.stop("INT").stdout);
    assert_eq!(last["schema"], "twinpath-server-1");
    assert_eq!(last["reflected"], 20);
    assert_eq!(last["connections"]["served"], 1);
    assert_eq!(last["sessions"]["started"], 1);
}

#[test]
fn classes_are_measured_at_once_and_stand_side_by_side() {
    let server = Responder::server("");
    let line = format!("controller {} {ANY} -c 10 -i 5 --dscp be,ef", server.at);
    let text = run(&line);
    assert_eq!(text.status, 0, "{}", text.stderr);
    assert_eq!(text.stdout.matches("TWAMP from 127.0.0.1:").count(), 2);
    let table = text.stdout.split("Round trips and losses by class").nth(1);
    let table = table.unwrap_or_else(|| panic!("{}", text.stdout));
    for class in ["\nbe  ", "\nef  "] {
        assert!(table.contains(class), "{table}");
    }
    let document = json(&run(&format!("{line} --json")).stdout);
    for (index, dscp) in [0, 46].into_iter().enumerate() {
        let session = &document["sessions"][index];
        assert_eq!(session["dscp"], dscp);
        assert_eq!(session["packets"]["received"], 10, "{session}");
        assert_eq!(session["dscp_backward"][dscp.to_string()], 10, "{session}");
    }
    let lines = run(&format!("{line} --output jsonl")).stdout;
    let document = json(lines.lines().last().unwrap());
    for session in document["sessions"].as_array().unwrap() {
        let own = |record: &&str| json(record)["session"] == session["session"];
        assert_eq!(lines.lines().filter(own).count(), 10, "{session}");
    }
    let csv = run(&format!("{line} --output csv")).stdout;
    let mut rows = csv.lines();
    assert!(rows.next().unwrap().ends_with(",fate,session"), "{csv}");
    let of = |number: &str| csv.lines().filter(|row| row.ends_with(number)).count();
    assert_eq!((of(",1"), of(",2")), (10, 10), "{csv}");
}

#[test]
fn every_feature_of_the_server_can_be_had() {
    let server = Responder::server("");
    for (options, modes, octets) in [
        ("--padding 64", 1 | 256, 78),
        ("--padding 64 --reflect-octets", 1 | 32 | 256, 78),
        ("--padding 64 --symmetrical-size", 1 | 64, 105),
        (
            "--padding 64 --symmetrical-size --dscp-monitoring",
            1 | 64 | 256,
            106,
        ),
        ("--dscp-monitoring", 1 | 256, 44),
        ("--timestamp-format ptp", 1 | 512, 41),
        (
            "--padding 64 --reflect-octets --symmetrical-size --timestamp-format ptp",
            1 | 32 | 64 | 512,
            105,
        ),
    ] {
        let line = format!("controller {} {ANY} -c 4 -i 5 --json {options}", server.at);
        let done = run(&line);
        let document = json(&done.stdout);
        let session = &document["sessions"][0];
        assert_eq!(document["control"]["modes"], modes, "{options}");
        assert_eq!(session["packets"]["received"], 4, "{options}: {session}");
        assert_eq!(session["payload_octets"], octets, "{options}");
        assert_eq!(session["odd_replies"], json("{}"), "{options}");
    }
}

#[test]
fn a_refusal_is_one_line_with_its_code_by_name() {
    let server = Responder::server("--max-sessions 0");
    let done = run(&format!("controller {} {ANY} -c 2", server.at));
    assert_eq!((done.status, done.stdout.as_str()), (1, ""));
    assert_eq!(done.stderr.lines().count(), 1, "{}", done.stderr);
    assert!(
        done.stderr
            .contains("Accept 5, temporary resource limitation; "),
        "{}",
        done.stderr
    );
}

#[test]
fn several_sessions_that_are_all_refused_are_in_a_report() {
    let line = |at: SocketAddr| format!("controller {at} {ANY} --paths 2 --dscp be,ef -c 3");
    let server = Responder::server("--max-sessions 0");
    let done = run(&format!("{} --json", line(server.at)));
    let all = "twinpath: 4 of 4 sessions were refused: 2 of be (Accept 5), 2 of ef (Accept 5)\n";
    assert_eq!(done.status, 1);
    assert!(done.stderr.ends_with(all), "{}", done.stderr);
    let document = json(&done.stdout);
    assert_eq!(document["sessions"], json("[]"));
    let refused = document["control"]["refused"].as_array().unwrap();
    let of = |it: &serde_json::Value| (it["dscp"].as_u64().unwrap(), it["path"].as_u64().unwrap());
    let refused: Vec<_> = refused.iter().map(of).collect();
    assert_eq!(refused, [(0, 1), (46, 1), (0, 2), (46, 2)]);
    let server = Responder::server("--max-sessions 0");
    let done = run(&line(server.at));
    assert!(
        done.stdout.contains("\n2 ef     refused (Accept 5)\n"),
        "{}",
        done.stdout
    );
    assert_eq!(done.stderr, all);
}

#[test]
fn a_class_that_is_refused_has_a_row_and_an_entry_and_the_status_says_so() {
    let line = |at: SocketAddr| format!("controller {at} {ANY} --dscp be,af41,ef -c 3 -i 5");
    let server = Responder::server("--max-sessions 2");
    let done = run(&line(server.at));
    assert_eq!(done.status, 1, "{}", done.stderr);
    assert!(
        done.stdout.contains("\nef       refused (Accept 5)\n"),
        "{}",
        done.stdout
    );
    assert_eq!(
        done.stderr,
        "twinpath: 1 of 3 sessions was refused: ef (Accept 5)\n"
    );
    let server = Responder::server("--max-sessions 2");
    let done = run(&format!("{} --json", line(server.at)));
    assert_eq!(done.status, 1);
    let document = json(&done.stdout);
    assert_eq!(document["sessions"].as_array().unwrap().len(), 2);
    let refused = &document["control"]["refused"];
    assert_eq!(refused.as_array().unwrap().len(), 1);
    for (key, value) in [("session", 3), ("dscp", 46), ("accept", 5)] {
        assert_eq!(refused[0][key], value, "{refused}");
    }
    assert_eq!(refused[0]["step"], "request");
    assert_eq!(refused[0]["reason"], "temporary resource limitation");
}

#[test]
fn paths_to_a_server_have_a_source_port_each_and_one_that_is_refused_is_named() {
    let line = |at: SocketAddr| format!("controller {at} {ANY} --paths 3 --dscp be,ef -c 3 -i 5");
    let server = Responder::server("--max-sessions 5");
    let done = run(&format!("{} --json", line(server.at)));
    assert_eq!(done.status, 1, "{}", done.stderr);
    let document = json(&done.stdout);
    let sessions = document["sessions"].as_array().unwrap();
    let of = |session: &serde_json::Value| (session["class"].clone(), session["path"].clone());
    let names: Vec<_> = sessions.iter().map(of).collect();
    let expected = [("be", 1), ("ef", 1), ("be", 2), ("ef", 2), ("be", 3)];
    assert_eq!(
        names,
        expected.map(|(class, path)| (class.into(), path.into()))
    );
    let senders: HashSet<String> = sessions
        .iter()
        .map(|session| session["sender"].to_string())
        .collect();
    assert_eq!(senders.len(), 5);
    for session in sessions {
        assert_eq!(session["packets"]["received"], 3, "{session}");
        assert_eq!(session["target"]["name"], server.at.to_string());
    }
    let refused = &document["control"]["refused"];
    assert_eq!(
        (&refused[0]["session"], &refused[0]["path"]),
        (&6.into(), &3.into())
    );
    let server = Responder::server("--max-sessions 4");
    let done = run(&line(server.at));
    let text = done.stdout.replace("\n  ", " ");
    for part in [
        "no loss on 2 paths; ",
        "; 2 of 6 sessions refused\n",
        "\nef path 3   refused (Accept 5)\n",
        "\nbe path 3   refused (Accept 5)\n",
    ] {
        assert!(text.contains(part), "{text}");
    }
    assert_eq!(
        done.stderr,
        "twinpath: 2 of 6 sessions were refused: be (Accept 5), ef (Accept 5)\n"
    );
}

#[test]
fn a_server_without_the_mode_asked_for_is_one_line_that_says_what_it_offers() {
    // Row TC-8.
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let at = listener.local_addr().unwrap();
    let server = std::thread::spawn(move || {
        let (mut stream, _) = listener.accept().unwrap();
        let mut greeting = [0; 64];
        greeting[15] = 2 | 4;
        greeting[50] = 4; // Count 1024
        stream.write_all(&greeting).unwrap();
        let mut rest = Vec::new();
        stream.read_to_end(&mut rest).unwrap();
        rest
    });
    let done = run(&format!("controller {at} {ANY} -c 2"));
    assert_eq!((done.status, done.stdout.as_str()), (1, ""));
    assert_eq!(done.stderr.lines().count(), 1, "{}", done.stderr);
    assert!(
        done.stderr.contains("offers authenticated, encrypted"),
        "{}",
        done.stderr
    );
    // A Set-Up-Response with Mode 0, or nothing.
    let said = server.join().unwrap();
    assert!(said.iter().all(|octet| *octet == 0), "{said:?}");
}

#[test]
fn a_sender_over_its_rate_is_answered_no_more() {
    const RATE: f64 = 50.0;
    let mut ports = [free_port(), free_port()];
    ports.sort_unstable();
    let [low, high] = ports;
    let server = Responder::server(&format!(
        "--max-rate 50 --threads 2 --json --test-ports {low}-{high}"
    ));
    // Each on a port of its own, and so on a thread of its own: the sender has one rate on both.
    let runs = ports.map(|port| {
        let options = format!("-c 4000 -i 1 --timeout 1 --receiver-port {port} --json");
        Running::start(&format!("controller {} {ANY} {options}", server.at))
    });
    let sessions = runs.map(|run| json(&run.finish().stdout)["sessions"][0].take());
    assert_ne!(sessions[0]["reflector"], sessions[1]["reflector"]);
    let count = |what: &str| {
        let counts = sessions.iter().map(|one| one["packets"][what].as_u64());
        counts.map(Option::unwrap).sum::<u64>()
    };
    let (sent, received) = (count("sent"), count("received"));
    let span_s = |session: &serde_json::Value| 4000.0 / session["achieved_pps"].as_f64().unwrap();
    // A second's worth at once, and what came while they sent, which they began within 2 s.
    let most = RATE * (3.0 + span_s(&sessions[0]).max(span_s(&sessions[1])));
    let came = f64::from(u32::try_from(received).unwrap());
    assert!(came > 0.0 && came < most, "{received} of {most}");
    let last = json(&server.stop("INT").stdout);
    assert_eq!(last["ignored"]["rate_limited"], sent - received, "{last}");
    assert_eq!(last["reflected"], received);
}

#[test]
fn nothing_that_listens_is_one_line() {
    let at = format!("127.0.0.1:{}", free_port());
    for line in [
        format!("controller {at} -c 2"),
        format!("controlclient 127.0.0.1 {at}"),
    ] {
        let done = run(&line);
        assert_eq!((done.status, done.stdout.as_str()), (1, ""), "{line}");
        assert_eq!(done.stderr.lines().count(), 1, "{}", done.stderr);
        assert!(
            done.stderr.contains("connection refused; no server"),
            "{}",
            done.stderr
        );
    }
}

#[test]
fn the_negotiation_is_told_a_line_for_each_message() {
    let server = Responder::server("");
    let done = run(&format!("controller {} {ANY} -c 2 -i 5 -v", server.at));
    let told: Vec<&str> = done.stdout.lines().collect();
    let place = |start: &str| {
        told.iter()
            .position(|line| line.starts_with(start))
            .unwrap_or_else(|| panic!("{start}: {}", done.stdout))
    };
    let places = [
        "connecting to 127.0.0.1:",
        "connected to 127.0.0.1:",
        "< Server Greeting: offers unauthenticated",
        "> Set-Up-Response: chooses unauthenticated",
        "< Server-Start: 0, OK",
        "> Request-TW-Session 1: from 127.0.0.1:",
        "< Accept-Session 1: 0, OK; port ",
        "> Start-Sessions: 1 session",
        "< Start-Ack: 0, OK",
        "session 1 started: ",
        "seq=0 ",
        "seq=1 ",
        "> Stop-Sessions: 1 session",
        "connection closed",
        "TWAMP from ",
        "Server  ",
    ]
    .map(place);
    assert!(places.is_sorted(), "{}", done.stdout);
    let json = run(&format!("controller {} {ANY} -c 1 -v --json", server.at));
    assert!(json.stdout.starts_with('{'), "{}", json.stdout);
    assert!(
        json.stderr.contains("< Server Greeting: "),
        "{}",
        json.stderr
    );
}

#[test]
fn a_signal_ends_a_controlled_run_early_with_its_report() {
    let server = Responder::server("--json");
    let line = format!(
        "controller {} {ANY} --duration 600 -i 10 --output jsonl",
        server.at
    );
    let mut run = Running::start(&line);
    run.wait_for("\"received\"");
    run.signal(&["INT"]);
    let done = run.finish();
    assert_eq!(done.status, 0, "{}", done.stderr);
    let packets = &done.session()["packets"];
    assert!(packets["received"].as_u64().unwrap() >= 1, "{packets}");
    assert_eq!(packets["lost"], 0, "{packets}");
    assert_eq!(json(&server.stop("TERM").stdout)["sessions"]["expired"], 0);
}

#[test]
fn a_control_client_serves_a_sender_elsewhere() {
    let server = Responder::server("");
    let port = free_port();
    // Both ends are one host here: the sender's own number is the sender's.
    let line = format!(
        "controlclient 127.0.0.1:{port} {} --receiver-port 1",
        server.at
    );
    let mut client = Running::start(&line);
    let said = client.wait_for("");
    let words: Vec<&str> = said.split([' ', ',']).collect();
    assert_eq!(words[0], "session", "{said}");
    let far = words.iter().skip_while(|word| **word != "to").nth(1);
    let done = run(&format!(
        "sender {} 127.0.0.1:{port} -c 10 -i 5 --json",
        far.unwrap()
    ));
    assert_eq!(done.session()["packets"]["received"], 10, "{}", done.stderr);
    client.signal(&["INT"]);
    let ended = client.finish();
    assert_eq!(ended.status, 0);
    assert!(ended.stdout.contains("Session  "), "{}", ended.stdout);
    let line = format!("{line} --duration 0.2 --json");
    let document = json(&run(&line).stdout);
    assert_eq!(document["schema"], "twinpath-controlclient-1");
    assert_eq!(document["sender"], format!("127.0.0.1:{port}"));
}

#[test]
fn control_and_test_are_twamp_to_others() {
    let Some(hosts) = Hosts::new() else { return };
    let _server = hosts.listener("server 10.98.0.2:862 --test-ports 18760-18760");
    let filter = [
        "-f",
        "udp or tcp[tcpflags] & tcp-push != 0",
        "-d",
        "tcp.port==862,twamp.control",
        "-d",
        "udp.port==18760,twamp.test",
    ];
    let fields = [
        "frame.protocols",
        "_ws.malformed",
        "ip.dsfield.dscp",
        "twamp.control.modes",
        "twamp.control.accept",
    ];
    // The receiver port wished for, the sender's own, is a service's: the server offers another.
    let line = "controller 10.98.0.2 10.98.0.1:1023 -c 5 -i 20 --dscp ef --padding 60 \
                --reflect-octets --symmetrical-size --control-dscp cs6";
    let Some(rows) = dissected(&hosts, 18, &filter, &fields, line) else {
        return;
    };
    let of = |protocol: &str| {
        let rows = rows.iter().filter(|row| row[0].ends_with(protocol));
        rows.cloned().collect::<Vec<_>>()
    };
    let (control, test) = (of(":twamp.control"), of(":twamp.test"));
    assert_eq!(test.len(), 10, "{rows:?}");
    // Greeting, Set-Up-Response, Server-Start, Request, Accept, Start, Start-Ack, Stop.
    assert_eq!(control.len(), 8, "{rows:?}");
    for row in &rows {
        assert_eq!(row[1], "", "malformed: {row:?}");
    }
    for row in &test {
        assert_eq!(row[2], "46", "{row:?}");
    }
    // Row TC-51: the server's segments too.
    for row in &control {
        assert_eq!(row[2], "48", "{row:?}");
    }
}

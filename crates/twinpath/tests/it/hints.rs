//! What else to try, where the far end is there and speaks something else.

use std::net::{TcpListener, UdpSocket};

use serde_json::{Value, json};

use crate::hosts::{Hosts, Names, ip};
use crate::program::{Done, Responder, run, twinpath};

/// The far host by both its families, and the near one.
const BOTH: [&str; 4] = [
    "fd98::2 both.example",
    "10.98.0.2 both.example",
    "fd98::1 near.example",
    "10.98.0.1 near.example",
];

/// Both hosts, of which the near one prefers IPv4: its own IPv6 address is no longer preferred.
fn prefer_ipv4(hosts: &Hosts) {
    let address = "addr change fd98::1/64 dev v0 preferred_lft 0";
    ip(&format!("-n {} {address}", hosts.near)).unwrap();
}

fn document(done: &Done) -> Value {
    let document = serde_json::from_str(&done.stdout);
    document.unwrap_or_else(|error| panic!("{error}: {}{}", done.stdout, done.stderr))
}

/// What is said in lines that are broken somewhere.
fn words(text: &str) -> String {
    text.split_whitespace().collect::<Vec<_>>().join(" ")
}

#[test]
fn a_server_that_no_address_reaches_is_said_with_each_of_them_in_one_line() {
    let Some(hosts) = Hosts::new() else { return };
    let Some(_names) = Names::of(&hosts.near, &BOTH) else {
        return;
    };
    for line in [
        "controller both.example:8620 -c 2 -i 5",
        "controlclient near.example both.example:8620",
    ] {
        let done = hosts.run(line);
        let said = &done.stderr;
        assert_eq!((done.status, said.lines().count()), (1, 1), "{said}");
        let each = "cannot connect to [fd98::2]:8620: connection refused; to 10.98.0.2:8620: \
                    connection refused";
        assert!(said.contains(each), "{said}");
        let done = hosts.run(&format!("{line} -4"));
        let said = &done.stderr;
        assert!(!said.contains("fd98::2"), "{said}");
    }
}

#[test]
fn the_address_of_a_server_that_answers_is_used_and_the_others_are_named() {
    let Some(hosts) = Hosts::new() else { return };
    let Some(_names) = Names::of(&hosts.near, &BOTH) else {
        return;
    };
    let check = |used: &str, near: &str, dead: &str| {
        let _server = hosts.listener(&format!("server {used}"));
        let attempts = json!([{"address": dead, "error": "connection refused"}]);
        let line = "controller both.example:8620 -c 3 -i 5";
        let done = hosts.run(&format!("{line} --json"));
        assert_eq!(done.status, 0, "{}", done.stderr);
        assert_eq!(done.session()["packets"]["received"], 3);
        let control = &document(&done)["control"];
        assert_eq!(
            (&control["server"], &control["attempts"]),
            (&json!(used), &attempts)
        );
        let now = format!("{dead}: connection refused; connected to {used}");
        assert!(done.stderr.contains(&now), "{}", done.stderr);
        let text = words(&hosts.run(line).stdout);
        let note =
            format!("the connection is to {used}, not to an earlier address of the name: {dead}");
        assert!(text.contains(&note), "{text}");
        let quiet = hosts.run(&format!("{line} -q"));
        assert_eq!(quiet.stderr, "");

        let done = hosts.run("controlclient near.example both.example:8620 --duration 0.1 --json");
        assert_eq!(done.status, 0, "{}", done.stderr);
        let client = document(&done);
        assert_eq!(
            (&client["server"], &client["attempts"]),
            (&json!(used), &attempts)
        );
        assert_eq!(client["sender"], near);
        assert_eq!(client["notes"][0]["key"], "other-address");
    };
    check("10.98.0.2:8620", "10.98.0.1:20000", "[fd98::2]:8620");
    prefer_ipv4(&hosts);
    check("[fd98::2]:8620", "[fd98::1]:20000", "10.98.0.2:8620");
    // The first one answers: nothing else is tried.
    let _server = hosts.listener("server 10.98.0.2:8620");
    let done = hosts.run("controller both.example:8620 -c 2 -i 5 --json");
    let control = &document(&done)["control"];
    assert_eq!(
        (&control["attempts"], &control["notes"]),
        (&json!([]), &json!([]))
    );
    assert!(!done.stderr.contains("connected to"), "{}", done.stderr);
}

#[cfg(feature = "report")]
#[test]
fn a_raw_file_knows_the_addresses_that_were_tried_before() {
    let Some(hosts) = Hosts::new() else { return };
    let Some(_names) = Names::of(&hosts.near, &BOTH) else {
        return;
    };
    let _server = hosts.listener("server 10.98.0.2:8620");
    let directory = tempfile::tempdir().unwrap();
    let file = directory.path().join("run.parquet").display().to_string();
    let line = format!("controller both.example:8620 -c 3 -i 5 --json --save {file}");
    let first = document(&hosts.run(&line));
    let again = document(&run(&format!("report {file} --json")));
    assert_eq!(first["control"]["attempts"][0]["address"], "[fd98::2]:8620");
    assert_eq!(first["control"], again["control"]);
}

#[test]
fn an_address_that_does_not_answer_costs_its_share_of_the_time() {
    let Some(hosts) = Hosts::new() else { return };
    let lines = [
        "fd97::9 slow.example",
        "fd97::a slow.example",
        "fd97::b slow.example",
        "fd97::c slow.example",
        "10.98.0.2 slow.example",
    ];
    let Some(_names) = Names::of(&hosts.near, &lines) else {
        return;
    };
    ip(&format!(
        "-n {} route add fd97::/64 via fd98::2",
        hosts.near
    ))
    .unwrap();
    // What comes for them is dropped without a word.
    ip(&format!("-n {} route add blackhole fd97::/64", hosts.far)).unwrap();
    let _server = hosts.listener("server 10.98.0.2:8620");
    let done = hosts.run("controller slow.example:8620 -c 2 -i 5 --json");
    assert_eq!(done.status, 0, "{}", done.stderr);
    // A fifth of ten seconds; the other family's turn is next.
    let attempts = &document(&done)["control"]["attempts"];
    assert_eq!(attempts.as_array().unwrap().len(), 1, "{attempts}");
    assert_eq!(attempts[0]["error"], "no answer within 2 s");
}

#[test]
fn a_sender_whose_packets_are_all_lost_names_the_other_addresses() {
    let Some(hosts) = Hosts::new() else { return };
    let Some(_names) = Names::of(&hosts.near, &BOTH) else {
        return;
    };
    let line = "sender both.example -c 2 -i 5 --timeout 2";
    let check = |answers: &str, used: &str, other: &str, option: &str| {
        let _responder = hosts.responder(answers);
        let said = format!(
            "both.example has other addresses than {used}: {other}; use one of them, or {option}"
        );
        let done = hosts.run(&format!("{line} --json"));
        assert_eq!(done.status, 3, "{}", done.stderr);
        assert!(done.stderr.contains(&said), "{}", done.stderr);
        let notes = done.session()["notes"].clone();
        let note = notes
            .as_array()
            .unwrap()
            .iter()
            .find(|note| note["key"] == "other-addresses");
        assert_eq!(note.unwrap()["line"], said);
        let text = words(&hosts.run(line).stdout);
        assert!(text.contains(&said), "{text}");
        // What it says helps.
        let option = option.split(' ').next().unwrap();
        let done = hosts.run(&format!("{line} {option} --json"));
        assert_eq!(done.status, 0, "{}", done.stderr);
        assert!(
            !done.session()["notes"]
                .to_string()
                .contains("other-addresses")
        );
    };
    check("10.98.0.2:20001", "fd98::2", "10.98.0.2", "-4 for IPv4");
    prefer_ipv4(&hosts);
    check("[fd98::2]:20001", "10.98.0.2", "fd98::2", "-6 for IPv6");
    let done = hosts.run(&format!("{line} -4 --json"));
    assert!(
        done.session()["notes"]
            .to_string()
            .contains("leave out -4, or use one of them")
    );
}

#[test]
fn a_controller_is_told_of_the_sender_and_a_sender_of_the_controller() {
    let responder = Responder::on_loopback();
    let done = run(&format!("controller {} -c 2", responder.at));
    assert_eq!((done.status, done.stderr.lines().count()), (1, 1));
    assert!(done.stderr.contains("twinpath sender"), "{}", done.stderr);
    let server = Responder::server("");
    let done = run(&format!(
        "sender {} 127.0.0.1:0 -c 2 -i 2 --timeout 0.3",
        server.at
    ));
    assert_eq!(done.status, 3, "{}", done.stderr);
    let said = done.stdout.split_whitespace().collect::<Vec<_>>().join(" ");
    assert!(said.contains("twinpath controller"), "{said}");
    // A port that is there and silent.
    let mute = UdpSocket::bind("127.0.0.1:0").unwrap();
    let line = format!(
        "sender {} 127.0.0.1:0 -c 2 -i 2 --timeout 0.3 --json",
        mute.local_addr().unwrap()
    );
    let note = run(&line).session()["notes"][0].clone();
    assert_eq!(note["key"], "nothing-came-back");
    assert!(note.to_string().contains("twinpath controller"), "{note}");
}

#[test]
fn port_861_is_said_to_be_that_of_another_protocol() {
    // At an address that no other test uses.
    let Ok(listener) = TcpListener::bind("127.0.0.61:861") else {
        println!("skipped: port 861 cannot be had");
        return;
    };
    let said = "port 861 belongs to OWAMP";
    let session = run("sender 127.0.0.61:861 127.0.0.1:0 -c 2 -i 2 --timeout 0.3 --json").session();
    assert!(session["notes"].to_string().contains(said), "{session}");
    // It takes the connection and says no more: as an OWAMP server that wants another message.
    let closing = std::thread::spawn(move || drop(listener.accept()));
    let done = run("controller 127.0.0.61:861 127.0.0.1:0 -c 2");
    closing.join().unwrap();
    assert_eq!((done.status, done.stderr.lines().count()), (1, 1));
    assert!(done.stderr.contains(said), "{}", done.stderr);
    // Nothing at all.
    let done = run("controller 127.0.0.62:861 127.0.0.1:0 -c 2");
    assert!(done.stderr.contains(said), "{}", done.stderr);
}

#[cfg(target_os = "linux")]
#[test]
fn hardware_stamps_that_cannot_be_had_are_said_with_their_reason() {
    let why = "no hardware timestamps: interface lo has none";
    let mut responder = Responder::start("127.0.0.1:0 --timestamps hardware");
    responder.wait_for(why);
    let done = run(&format!(
        "sender {} 127.0.0.1:0 -c 2 -i 2 --timestamps hardware --json",
        responder.at
    ));
    let notes = done.session()["notes"].to_string();
    assert!(
        notes.contains("no-hardware-stamps") && notes.contains(why),
        "{notes}"
    );
    let mut server = Responder::server("--timestamps hardware");
    let done = run(&format!("controller {} 127.0.0.1:0 -c 2 -i 2", server.at));
    assert_eq!(done.status, 0, "{}", done.stderr);
    server.wait_for(why);
    // It has a remedy, as a responder's has.
    let mut server = Responder::spawn(twinpath("server 127.0.0.2:0 --timestamps hardware"));
    let done = run(&format!("controller {} 127.0.0.1:0 -c 2 -i 2", server.at));
    assert_eq!(done.status, 0, "{}", done.stderr);
    server.wait_for("the interface is unknown; name an --interface");
    let mut responder = Responder::start("0.0.0.0:0 --timestamps hardware");
    responder.wait_for("the interface is unknown; name an --interface");
}

//! An interface is deleted and made again under its name, as VPNs, PPPoE and bonds do.

use std::collections::HashMap;
use std::process::Command;
use std::time::{Duration, Instant};

use serde_json::Value;

use crate::hosts::{Hosts, ip};
use crate::program::{Done, Responder, Running, twinpath};

/// Runs `line` until all its packets come back, for some seconds at most.
fn measures(hosts: &Hosts, line: &str) {
    let until = Instant::now() + Duration::from_mins(1);
    loop {
        let done = hosts.run(&format!("{line} -c 3 -i 5 --timeout 0.3 --json"));
        if done.status == 0 && done.session()["packets"]["received"] == 3 {
            return;
        }
        assert!(
            Instant::now() < until,
            "{line}: {} {}",
            done.status,
            done.stderr
        );
    }
}

/// How often `what` is said.
fn said(text: &str, what: &str) -> usize {
    text.lines().filter(|line| line.contains(what)).count()
}

fn has_note(session: &Value, key: &str) -> bool {
    let notes = session["notes"].as_array().unwrap();
    notes.iter().any(|note| note["key"] == key)
}

/// Makes the link again once the process has seen that it is gone, and waits until so many of its
/// sockets are bound to it.
fn made_again(hosts: &Hosts, listener: &mut Responder, sockets: usize) {
    hosts.cut();
    listener.wait_for("interface is gone");
    hosts.link_again();
    for _ in 0..sockets {
        listener.wait_for("bound to the interface again");
    }
}

#[test]
fn a_responder_finds_its_interface_again() {
    // The wildcard of both families is two sockets for each thread; --portable has one for each address,
    // and how many those are when it looks is open.
    for (line, far, sockets) in [
        ("--interface v1 :20001", "10.98.0.2", 2),
        ("--interface v1 [::]:20001", "fd98::2", 1),
        ("[fe80::2%v1]:20001", "fe80::2%v0", 1),
        ("--interface v1 :20001 --portable", "10.98.0.2", 1),
        ("--interface v1 :20001 --threads 2", "10.98.0.2", 4),
    ] {
        let Some(hosts) = Hosts::new() else { return };
        hosts.link_local();
        let mut responder = hosts.responder(&format!("{line} --json --debug"));
        measures(&hosts, &format!("sender {far}"));
        for _ in 0..2 {
            made_again(&hosts, &mut responder, sockets);
            measures(&hosts, &format!("sender {far}"));
        }
        let did = responder.stop("TERM");
        assert_eq!(said(&did.stderr, "interface is gone"), 2, "{}", did.stderr);
        assert_eq!(said(&did.stderr, "interface is back"), 2, "{}", did.stderr);
        let rebinds = did.document()["interface_rebinds"].as_u64().unwrap();
        if line.contains("--portable") {
            assert!(rebinds >= 2, "{line}");
        } else {
            assert_eq!(rebinds, 2 * sockets as u64, "{line}");
        }
    }
}

#[test]
fn a_responder_that_is_bound_to_no_interface_is_left_alone() {
    let Some(hosts) = Hosts::new() else { return };
    let responder = hosts.responder(":20001 --json");
    measures(&hosts, "sender 10.98.0.2");
    hosts.cut();
    hosts.link_again();
    measures(&hosts, "sender 10.98.0.2");
    measures(&hosts, "sender fd98::2");
    let did = responder.stop("TERM");
    assert_eq!(said(&did.stderr, "interface"), 0, "{}", did.stderr);
    assert_eq!(did.document()["interface_rebinds"], 0);
}

/// A process without privileges cannot bind a bound socket to another interface: another socket takes
/// its place.
#[test]
fn a_responder_without_privileges_finds_its_interface_again() {
    let Some(hosts) = Hosts::new() else { return };
    let mut command = Command::new("setpriv");
    command.args(["--bounding-set=-net_raw", "--inh-caps=-net_raw"]);
    let inner = twinpath("responder --interface v1 :20001 --threads 2 --json --debug");
    command.arg(inner.get_program()).args(inner.get_args());
    let mut command = Hosts::on(&hosts.far, &command);
    let mut probe = Command::new("setpriv");
    probe.args(["--bounding-set=-net_raw", "true"]);
    let can = Hosts::on(&hosts.far, &probe).status();
    if !can.is_ok_and(|status| status.success()) {
        eprintln!("skipped: no setpriv here");
        return;
    }
    command.stdin(std::process::Stdio::null());
    let mut responder = Responder::spawn(command);
    measures(&hosts, "sender 10.98.0.2");
    made_again(&hosts, &mut responder, 4);
    measures(&hosts, "sender 10.98.0.2");
    measures(&hosts, "sender fd98::2");
    let did = responder.stop("TERM");
    assert_eq!(did.document()["interface_rebinds"], 4, "{}", did.stderr);
}

#[test]
fn a_renamed_interface_is_the_same_until_another_has_its_name() {
    let Some(hosts) = Hosts::new() else { return };
    let far = &hosts.far;
    let mut responder = hosts.responder("--interface v1 :20001 --json --debug");
    for line in ["link set v1 down", "link set v1 name w1", "link set w1 up"] {
        ip(&format!("-n {far} {line}")).unwrap();
    }
    responder.wait_for("interface was renamed");
    measures(&hosts, "sender 10.98.0.2");
    // Another one takes the name, and the responder goes with it.
    made_again(&hosts, &mut responder, 2);
    measures(&hosts, "sender 10.98.0.2");
    let did = responder.stop("TERM");
    assert_eq!(said(&did.stderr, "renamed"), 1, "{}", did.stderr);
    assert!(did.stderr.contains("w1"), "{}", did.stderr);
    assert_eq!(did.document()["interface_rebinds"], 2);
}

#[test]
fn a_responder_finds_its_vrf_again() {
    let Some(hosts) = Hosts::new() else { return };
    let far = &hosts.far;
    let vrf = || {
        for line in [
            "link add blue type vrf table 10",
            "link set blue up",
            "link set v1 master blue",
            "addr add fd98::2/64 dev v1 nodad",
        ] {
            if let Err(why) = ip(&format!("-n {far} {line}")) {
                eprintln!("skipped: no VRF here (ip {line}: {why})");
                return false;
            }
        }
        true
    };
    if !vrf() {
        return;
    }
    let mut responder = hosts.responder("--interface blue :20001 --json --debug");
    measures(&hosts, "sender 10.98.0.2");
    ip(&format!("-n {far} link del blue")).unwrap();
    responder.wait_for("interface is gone");
    assert!(vrf());
    for _ in 0..2 {
        responder.wait_for("bound to the interface again");
    }
    measures(&hosts, "sender 10.98.0.2");
    measures(&hosts, "sender fd98::2");
    assert_eq!(responder.stop("TERM").document()["interface_rebinds"], 2);
}

/// Runs `line`, of so many sessions without an end, on the near host and makes the link again between
/// their replies. What it came to, and the document of it.
fn through(hosts: &Hosts, line: &str, sessions: usize) -> (Done, Value) {
    let mut run = hosts.start(&format!("{line} -c inf -i 30 --timeout 0.5 --output jsonl"));
    replied(&mut run, sessions, 1);
    hosts.cut();
    let gone = if line.contains("v0") {
        run.wait_for_error("interface is gone")
    } else {
        // It does not look at interfaces.
        std::thread::sleep(Duration::from_millis(700));
        String::new()
    };
    hosts.link_again();
    // Long enough to see that the address is another.
    replied(&mut run, sessions, 40);
    run.signal(&["INT"]);
    let mut done = run.finish();
    done.stderr.insert_str(0, &gone);
    // It was measured, but for what could not be sent meanwhile.
    assert_eq!(done.status, 1, "{line}: {}", done.stderr);
    assert_ne!(
        said(&done.stderr, "could not be sent"),
        0,
        "{line}: {}",
        done.stderr
    );
    let document = done.document();
    (done, document)
}

/// Waits until each session has this many more replies.
fn replied(run: &mut Running, sessions: usize, count: usize) {
    let mut replies = HashMap::<String, usize>::new();
    while replies
        .values()
        .filter(|replies| **replies >= count)
        .count()
        < sessions
    {
        let text = run.wait_for("\"received\"");
        let packet: Value = serde_json::from_str(text.lines().last().unwrap()).unwrap();
        *replies.entry(packet["session"].to_string()).or_default() += 1;
    }
}

#[test]
fn a_sender_finds_its_interface_again_and_its_session_goes_on() {
    for (line, named) in [
        ("10.98.0.2 --interface v0", "10.98.0.2:20001"),
        (
            "10.98.0.2 10.98.0.1 --interface v0 --portable",
            "10.98.0.2:20001",
        ),
        ("fd98::2 --interface v0", "[fd98::2]:20001"),
        ("fe80::2%v0", "[fe80::2%v0]:20001"),
        ("fe80::2%v0 fe80::1%v0", "[fe80::2%v0]:20001"),
        ("10.98.0.2 --interface v0 --dscp be,ef", "10.98.0.2:20001"),
    ] {
        let Some(hosts) = Hosts::new() else { return };
        hosts.link_local();
        let responder = hosts.responder(":20001 --json");
        let line = format!("sender {line}");
        let count = if line.contains("be,ef") { 2 } else { 1 };
        let (done, document) = through(&hosts, &line, count);
        let sessions = document["sessions"].as_array().unwrap();
        for session in sessions {
            let packets = &session["packets"];
            let count = |key: &str| packets[key].as_u64().unwrap();
            assert_eq!(
                count("sent"),
                count("received") + count("lost"),
                "{line}: {packets}"
            );
            assert_eq!(session["reflector"], named, "{line}");
            // One session for the reflector: its numbers went on. (A sender in a zone is another one for
            // a reflector that is not bound to the zone.)
            if !line.contains("fe80") {
                assert_eq!(session["reflector_restarts"], 0, "{line}");
            }
            // By --interface, the near zone or the far one alone: once.
            assert_eq!(session["interface_rebinds"], 1, "{line}");
            assert!(has_note(session, "interface-made-again"), "{line}");
        }
        assert_eq!(
            said(&done.stderr, "interface is gone"),
            1,
            "{}",
            done.stderr
        );
        assert_eq!(
            said(&done.stderr, "interface is back"),
            1,
            "{}",
            done.stderr
        );
        drop(responder);
    }
}

/// Another device has another address of its own (PPPoE, VPN, a link-local address by its MAC): to the
/// reflector it is another sender.
#[test]
fn a_sender_whose_address_is_another_one_then_says_so_and_takes_it_for_no_restart() {
    let directory = tempfile::tempdir().unwrap();
    for (line, before, now) in [
        ("10.98.0.2 --interface v0", "10.98.0.1", "10.98.0.7"),
        ("fd98::2 --interface v0", "fd98::1", "fd98::7"),
        // Each device makes an address of its own too.
        ("fe80::2%v0", "fe80::", "fe80::"),
        ("fe80::2%v0 --interface v0", "fe80::", "fe80::"),
        // Bound to nothing, its address changes all the same.
        ("10.98.0.2", "10.98.0.1", "10.98.0.7"),
    ] {
        let Some(mut hosts) = Hosts::new() else {
            return;
        };
        hosts.link_local();
        let _responder = hosts.responder(":20001 --json");
        hosts.near_number = 7;
        let path = directory
            .path()
            .join(format!("{}.parquet", line.replace(' ', "-")));
        let path = path.to_str().unwrap();
        let line = format!("sender {line} --save {path}");
        let (_, document) = through(&hosts, &line, 1);
        let saved = hosts.run(&format!("report {path} --json")).document();
        for document in [document, saved] {
            let session = &document["sessions"][0];
            assert_eq!(session["reflector_restarts"], 0, "{line}");
            assert_eq!(session["direction_uncertain"], false, "{line}");
            assert!(!has_note(session, "reflector-restarts"), "{line}");
            let notes = session["notes"].as_array().unwrap();
            let said = notes
                .iter()
                .find(|note| note["key"] == "source-address-changed");
            let said = said.unwrap_or_else(|| panic!("{line}: {notes:?}"));
            let said = said["line"].as_str().unwrap();
            assert!(said.contains(&format!("from {before}")), "{line}: {said}");
            assert!(said.contains(&format!("to {now}")), "{line}: {said}");
        }
    }
}

/// The reflector's sequence numbers go on too when it is its interface that was made again, and the
/// senders are known by a zone.
#[test]
fn sessions_outlive_the_reflectors_interface() {
    for (role, near) in [
        ("responder [fe80::2%v1]:20001", "fe80::2%v0"),
        ("responder --interface v1 :20001", "fe80::2%v0"),
    ] {
        let Some(hosts) = Hosts::new() else { return };
        hosts.link_local();
        let responder = hosts.listener(&format!("{role} --json"));
        let (_, document) = through(&hosts, &format!("sender {near} fe80::1%v0"), 1);
        let session = &document["sessions"][0];
        assert_eq!(session["reflector_restarts"], 0, "{role}");
        let did = responder.stop("TERM").document();
        assert_eq!(did["sessions"]["made"], 1, "{role}: {did}");
    }
}

#[test]
fn control_connections_and_agreed_sessions_outlive_the_interface() {
    for (server, line) in [
        ("--interface v1", "10.98.0.2 --interface v0"),
        ("--interface v1", "fd98::2 --interface v0"),
        ("", "fe80::2%v0 fe80::1%v0"),
    ] {
        let Some(hosts) = Hosts::new() else { return };
        hosts.link_local();
        let server = hosts.listener(&format!("server :862 {server} --json"));
        let line = format!("controller {line}");
        let (_, document) = through(&hosts, &line, 1);
        let session = &document["sessions"][0];
        assert_eq!(session["interface_rebinds"], 1, "{line}");
        assert_eq!(session["reflector_restarts"], 0, "{line}");
        // The control connection was there to the end, and new ones come.
        measures(&hosts, &line);
        let did = server.stop("TERM");
        let rebinds = did.document()["interface_rebinds"].as_u64().unwrap();
        // The connection and the test socket; two listening sockets where the interface is named.
        let expected = if line.contains("--interface") { 4 } else { 2 };
        assert_eq!(rebinds, expected, "{line}: {}", did.stderr);
        assert_eq!(did.document()["connections"]["served"], 2, "{line}");
    }
}

#[test]
fn a_control_client_outlives_the_interface() {
    let Some(hosts) = Hosts::new() else { return };
    let server = hosts.listener("server :862 --interface v1 --json");
    let line = "controlclient 10.98.0.1:20000 10.98.0.2 --interface v0 --duration 3 -v";
    let mut run = hosts.start(line);
    run.wait_for(" started: ");
    hosts.cut();
    run.wait_for_error("interface is gone");
    hosts.link_again();
    run.wait_for_error("interface is back");
    let done = run.finish();
    assert_eq!(done.status, 0, "{}{}", done.stderr, done.stdout);
    assert!(done.stdout.contains("Stop-Sessions"), "{}", done.stdout);
    let did = server.stop("TERM");
    assert_eq!(did.document()["sessions"]["started"], 1, "{}", did.stderr);
}

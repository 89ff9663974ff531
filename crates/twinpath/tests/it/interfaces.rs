//! An interface is deleted and made again under its name, as VPNs, PPPoE and bonds do.

use std::io::{BufRead as _, BufReader, Read as _};
use std::process::Command;
use std::time::{Duration, Instant};

use crate::hosts::{Hosts, ip};
use crate::program::{Done, Running, twinpath};

/// Runs `line` until all its packets come back, for some seconds at most.
fn measures(hosts: &Hosts, line: &str) {
    let until = Instant::now() + Duration::from_secs(15);
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

fn json(done: &Done) -> serde_json::Value {
    serde_json::from_str(&done.stdout).unwrap_or_else(|error| panic!("{error}: {}", done.stderr))
}

fn has_note(session: &serde_json::Value, key: &str) -> bool {
    let notes = session["notes"].as_array().unwrap();
    notes.iter().any(|note| note["key"] == key)
}

#[test]
fn a_responder_finds_its_interface_again() {
    for (line, far) in [
        ("--interface v1 :20001", "10.98.0.2"),
        ("--interface v1 [::]:20001", "fd98::2"),
        ("[fe80::2%v1]:20001", "fe80::2%v0"),
        ("--interface v1 :20001 --portable", "10.98.0.2"),
        ("--interface v1 :20001 --threads 2", "10.98.0.2"),
    ] {
        let Some(hosts) = Hosts::new() else { return };
        hosts.link_local();
        let responder = hosts.responder(&format!("{line} --json"));
        measures(&hosts, &format!("sender {far}"));
        for _ in 0..2 {
            hosts.cut();
            std::thread::sleep(Duration::from_millis(700));
            hosts.link_again();
            measures(&hosts, &format!("sender {far}"));
        }
        let did = responder.stop("TERM");
        assert_eq!(said(&did.stderr, "interface is gone"), 2, "{}", did.stderr);
        assert_eq!(said(&did.stderr, "interface is back"), 2, "{}", did.stderr);
        // The wildcard of both families is two sockets for each thread.
        let rebinds = json(&did)["interface_rebinds"].as_u64().unwrap();
        let sockets = match line {
            "--interface v1 :20001 --threads 2" => 4,
            _ if line.contains(" :20001") => 2,
            _ => 1,
        };
        if line.contains("--portable") {
            // A socket for each address: how many there are when it looks is open.
            assert!(rebinds >= 2, "{line}");
        } else {
            assert_eq!(rebinds, 2 * sockets, "{line}");
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
    assert_eq!(json(&did)["interface_rebinds"], 0);
}

/// A process without privileges cannot bind a bound socket to another interface: another socket takes
/// its place.
#[test]
fn a_responder_without_privileges_finds_its_interface_again() {
    let Some(hosts) = Hosts::new() else { return };
    let mut command = Command::new("setpriv");
    command.args(["--bounding-set=-net_raw", "--inh-caps=-net_raw"]);
    let inner = twinpath("responder --interface v1 :20001 --threads 2 --json");
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
    let responder = crate::program::Responder::spawn(command);
    measures(&hosts, "sender 10.98.0.2");
    hosts.cut();
    std::thread::sleep(Duration::from_millis(700));
    hosts.link_again();
    measures(&hosts, "sender 10.98.0.2");
    measures(&hosts, "sender fd98::2");
    let did = responder.stop("TERM");
    assert_eq!(json(&did)["interface_rebinds"], 4, "{}", did.stderr);
}

#[test]
fn a_renamed_interface_is_the_same_until_another_has_its_name() {
    let Some(hosts) = Hosts::new() else { return };
    let far = &hosts.far;
    let responder = hosts.responder("--interface v1 :20001 --json");
    for line in ["link set v1 down", "link set v1 name w1", "link set w1 up"] {
        ip(&format!("-n {far} {line}")).unwrap();
    }
    std::thread::sleep(Duration::from_millis(700));
    measures(&hosts, "sender 10.98.0.2");
    // Another one takes the name, and the responder goes with it.
    hosts.cut();
    hosts.link_again();
    measures(&hosts, "sender 10.98.0.2");
    let did = responder.stop("TERM");
    assert_eq!(said(&did.stderr, "renamed"), 1, "{}", did.stderr);
    assert!(did.stderr.contains("w1"), "{}", did.stderr);
    assert_eq!(json(&did)["interface_rebinds"], 2);
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
    let responder = hosts.responder("--interface blue :20001 --json");
    measures(&hosts, "sender 10.98.0.2");
    ip(&format!("-n {far} link del blue")).unwrap();
    std::thread::sleep(Duration::from_millis(700));
    assert!(vrf());
    measures(&hosts, "sender 10.98.0.2");
    measures(&hosts, "sender fd98::2");
    assert_eq!(json(&responder.stop("TERM"))["interface_rebinds"], 2);
}

/// Runs `line` on the near host and makes the link again after its first packet. What it came to, and
/// the document of it.
fn through(hosts: &Hosts, line: &str, pause: Duration) -> (Done, serde_json::Value) {
    let command = twinpath(&format!("{line} --output jsonl"));
    let mut run = Running::spawn(Hosts::on(&hosts.near, &command));
    let mut lines = BufReader::new(run.0.stdout.take().unwrap());
    let mut first = String::new();
    lines.read_line(&mut first).unwrap();
    assert!(!first.is_empty(), "{line}: {}", run.finish().stderr);
    hosts.cut();
    std::thread::sleep(pause);
    hosts.link_again();
    let mut rest = String::new();
    lines.read_to_string(&mut rest).unwrap();
    let done = run.finish();
    // It was measured, but for what could not be sent meanwhile.
    assert_eq!(done.status, 1, "{line}: {}", done.stderr);
    assert_ne!(
        said(&done.stderr, "could not be sent"),
        0,
        "{line}: {}",
        done.stderr
    );
    let document = serde_json::from_str(rest.lines().last().unwrap_or_default());
    (done, document.unwrap_or_default())
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
        let line = format!("sender {line} -c 100 -i 30 --timeout 0.5");
        let (done, document) = through(&hosts, &line, Duration::from_millis(700));
        let sessions = document["sessions"].as_array().unwrap();
        for session in sessions {
            let packets = &session["packets"];
            let count = |key: &str| packets[key].as_u64().unwrap();
            assert_eq!(count("asked"), 100, "{line}: {packets}");
            assert!((20..100).contains(&count("received")), "{line}: {packets}");
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
        let line = format!("sender {line} -c 100 -i 30 --timeout 0.5 --save {path}");
        let (_, document) = through(&hosts, &line, Duration::from_millis(700));
        let saved = json(&hosts.run(&format!("report {path} --json")));
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
        let line = format!("sender {near} fe80::1%v0 -c 100 -i 30 --timeout 0.5");
        let (_, document) = through(&hosts, &line, Duration::from_millis(700));
        let session = &document["sessions"][0];
        assert_eq!(session["reflector_restarts"], 0, "{role}");
        let did = json(&responder.stop("TERM"));
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
        let line = format!("controller {line} -c 100 -i 30 --timeout 0.5");
        let (_, document) = through(&hosts, &line, Duration::from_millis(700));
        let session = &document["sessions"][0];
        let received = session["packets"]["received"].as_u64().unwrap();
        assert!((20..100).contains(&received), "{line}: {session}");
        assert_eq!(session["interface_rebinds"], 1, "{line}");
        assert_eq!(session["reflector_restarts"], 0, "{line}");
        // The control connection was there to the end, and new ones come.
        measures(&hosts, &line.replace("-c 100 -i 30 --timeout 0.5", ""));
        let did = server.stop("TERM");
        let rebinds = json(&did)["interface_rebinds"].as_u64().unwrap();
        // The connection and the test socket; two listening sockets where the interface is named.
        let expected = if line.contains("--interface") { 4 } else { 2 };
        assert_eq!(rebinds, expected, "{line}: {}", did.stderr);
        assert_eq!(json(&did)["connections"]["served"], 2, "{line}");
    }
}

#[test]
fn a_control_client_outlives_the_interface() {
    let Some(hosts) = Hosts::new() else { return };
    let server = hosts.listener("server :862 --interface v1 --json");
    let line = "controlclient 10.98.0.1:20000 10.98.0.2 --interface v0 --duration 3 -v";
    let mut run = Running::spawn(Hosts::on(&hosts.near, &twinpath(line)));
    let mut lines = BufReader::new(run.0.stdout.take().unwrap());
    let mut line = String::new();
    while !line.contains(" started: ") {
        line.clear();
        assert!(lines.read_line(&mut line).unwrap() > 0, "it does not run");
    }
    hosts.cut();
    std::thread::sleep(Duration::from_millis(700));
    hosts.link_again();
    let mut rest = String::new();
    lines.read_to_string(&mut rest).unwrap();
    let done = run.finish();
    assert_eq!(done.status, 0, "{}{rest}", done.stderr);
    assert!(rest.contains("Stop-Sessions"), "{rest}");
    assert_eq!(
        said(&done.stderr, "interface is back"),
        1,
        "{}",
        done.stderr
    );
    let did = server.stop("TERM");
    assert_eq!(json(&did)["sessions"]["started"], 1, "{}", did.stderr);
}

//! What else to try, where the far end is there and speaks something else.

use std::net::{TcpListener, UdpSocket};

use crate::hosts::Hosts;
use crate::program::{Responder, run};

/// A name of both families, for one host.
struct Name(std::path::PathBuf);

impl Name {
    fn of(host: &str) -> Option<Self> {
        let directory = std::path::PathBuf::from(format!("/etc/netns/{host}"));
        std::fs::create_dir_all(&directory).ok()?;
        let lines = "fd98::2 both.example\n10.98.0.2 both.example\n";
        std::fs::write(directory.join("hosts"), lines).ok()?;
        Some(Self(directory))
    }
}

impl Drop for Name {
    fn drop(&mut self) {
        let _ = std::fs::remove_dir_all(&self.0);
    }
}

#[test]
fn a_name_s_addresses_are_tried_in_turn_and_named() {
    let Some(hosts) = Hosts::new() else { return };
    let Some(_name) = Name::of(&hosts.near) else {
        println!("skipped: no file of names for a network namespace");
        return;
    };
    let line = "controller both.example:8620 -c 2 -i 5 --json";
    let done = hosts.run(line);
    assert_eq!(
        (done.status, done.stderr.lines().count()),
        (1, 1),
        "{}",
        done.stderr
    );
    for part in [
        "[fd98::2]:8620: connection refused",
        "10.98.0.2:8620: connection refused",
    ] {
        assert!(done.stderr.contains(part), "{}", done.stderr);
    }
    let _server = hosts.listener("server 10.98.0.2:8620");
    let done = hosts.run(line);
    assert_eq!(done.status, 0, "{}", done.stderr);
    assert_eq!(done.session()["packets"]["received"], 2);
    assert!(
        done.stderr.contains("connected to 10.98.0.2:8620"),
        "{}",
        done.stderr
    );
    let done = hosts.run(&format!("{line} -6"));
    assert_eq!(done.status, 1, "{}", done.stdout);
    let _responder = hosts.responder("10.98.0.2:20001");
    let done = hosts.run("sender both.example -c 2 -i 5 --timeout 0.3 --json");
    assert_eq!(done.status, 3, "{}", done.stderr);
    let notes = done.session()["notes"].to_string();
    for part in ["other-addresses", "10.98.0.2", "-4 for IPv4"] {
        assert!(notes.contains(part), "{notes}");
    }
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
    let said = "port 861 is OWAMP's";
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
    let why = "no hardware time stamps: interface lo has none";
    let mut responder = Responder::start("127.0.0.1:0 --timestamps hardware");
    responder.wait_for(why);
    let line = |options: &str| {
        let line = format!(
            "sender {} 127.0.0.1:0 -c 2 -i 2 --timestamps hardware --json {options}",
            responder.at
        );
        run(&line).session()["notes"].to_string()
    };
    let notes = line("");
    assert!(
        notes.contains("no-hardware-stamps") && notes.contains(why),
        "{notes}"
    );
    let notes = line("--portable");
    assert!(notes.contains("plain sockets have none"), "{notes}");
    let mut server = Responder::server("--timestamps hardware");
    let done = run(&format!("controller {} 127.0.0.1:0 -c 2 -i 2", server.at));
    assert_eq!(done.status, 0, "{}", done.stderr);
    server.wait_for(why);
    let mut responder = Responder::start("0.0.0.0:0 --timestamps hardware");
    responder.wait_for("is not known; name an --interface");
}

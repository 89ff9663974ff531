//! The program for Windows, run by Wine: with itself, and with the program of this system.

use std::io::Read as _;
use std::net::SocketAddr;
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use socket2::{Domain, Protocol, Socket, Type};

use crate::program::{Done, Responder, Running, finish, free_port, run};

/// Where Debian has it.
const WINE: &str = "/usr/lib/wine/wine64";

/// The program with these arguments; `None` without a program for Windows or without Wine: says so.
/// `TWINPATH_FOR_WINDOWS` is its path, `WINEPREFIX` a directory for Wine.
fn twinpath(line: &str) -> Option<Command> {
    let program = std::env::var_os("TWINPATH_FOR_WINDOWS");
    let (Some(program), true) = (program, std::path::Path::new(WINE).exists()) else {
        println!("skipped: no program for Windows (TWINPATH_FOR_WINDOWS) or no Wine ({WINE})");
        return None;
    };
    let mut command = Command::new(WINE);
    command.arg(program).args(line.split_whitespace());
    command.env("WINEDEBUG", "-all").stdin(Stdio::null());
    Some(command)
}

/// A role that listens, and its port. It is killed when it is dropped.
fn listening(line: &str) -> Option<(Running, u16)> {
    let mut running = Running::spawn(twinpath(line)?);
    let line = running.wait_for_error("listening on ");
    let at = line
        .split_whitespace()
        .find_map(|word| word.parse::<SocketAddr>().ok());
    Some((running, at.unwrap_or_else(|| panic!("{line}")).port()))
}

fn is_measured(done: &Done) {
    assert_eq!(done.status, 0, "{}{}", done.stdout, done.stderr);
    let session = done.session();
    assert_eq!(session["packets"]["received"], 5, "{}", done.stderr);
    assert_eq!(session["packets"]["lost"], 0);
    assert!(session["round_trip"]["min_ns"].as_i64() > Some(0));
}

#[test]
fn a_responder_on_windows_knows_ttl_and_marking_of_what_it_answers() {
    let Some((_responder, port)) = listening(&format!("responder :{}", free_port())) else {
        return;
    };
    for far in ["127.0.0.1", "[::1]"] {
        let line = format!(
            "sender {far}:{port} --stamp --dscp ef --ttl 77 --tlv cos -c 5 -i 20 --timeout 20 --json"
        );
        let done = run(&line);
        is_measured(&done);
        let session = done.session();
        assert_eq!(session["dscp_forward"]["46"], 5, "{far}: {session:#}");
        assert_eq!(session["ttl_forward"]["max"], 77, "{far}");
        assert_eq!(session["ttl_backward"]["min"], 255, "{far}");
    }
}

#[test]
fn a_sender_on_windows_marks_its_packets_and_reads_replies() {
    let responder = Responder::on_loopback();
    let line = format!(
        "sender {} --stamp --dscp af41 --tlv cos=cs5 -c 5 -i 20 --timeout 20 --json",
        responder.at
    );
    let Some(command) = twinpath(&line) else {
        return;
    };
    let done = finish(command);
    is_measured(&done);
    let session = done.session();
    // As the responder of this system saw them.
    assert_eq!(session["dscp_forward"]["34"], 5, "{session:#}");
    assert_eq!(session["ttl_backward"]["min"], 255);
}

#[test]
fn do_not_fragment_is_in_the_header() {
    let raw = Socket::new(Domain::IPV4, Type::RAW, Some(Protocol::UDP));
    let Ok(mut raw) = raw else {
        println!("skipped: no raw socket");
        return;
    };
    raw.set_read_timeout(Some(Duration::from_millis(50)))
        .unwrap();
    let responder = Responder::on_loopback();
    let port = responder.at.port().to_be_bytes();
    for (option, expected) in [("--do-not-fragment", true), ("", false)] {
        let line = format!(
            "sender {} {option} -c 5 -i 20 --timeout 20 --json",
            responder.at
        );
        let Some(command) = twinpath(&line) else {
            return;
        };
        is_measured(&finish(command));
        let mut packet = [0; 256];
        let mut seen = 0;
        let until = Instant::now() + Duration::from_secs(20);
        while seen < 5 && Instant::now() < until {
            let Ok(count) = raw.read(&mut packet) else {
                continue;
            };
            if count > 28 && packet[22..24] == port {
                assert_eq!(packet[6] & 0x40 != 0, expected, "{option}");
                seen += 1;
            }
        }
        assert_eq!(seen, 5, "{option}");
    }
}

#[test]
fn a_server_and_a_controller_on_windows_measure_in_each_mode() {
    let directory = tempfile::tempdir().unwrap();
    let keys = directory.path().join("keys");
    std::fs::write(&keys, "noc 00112233445566778899aabbccddeeff\n").unwrap();
    // Wine has the root directory as drive Z.
    let keys = format!("z:{}", keys.display()).replace('/', "\\");
    let Some((_server, port)) = listening(&format!(
        "server 127.0.0.1:0 --keys {keys} --mode unauthenticated,authenticated,encrypted,mixed"
    )) else {
        return;
    };
    let keyed = ["authenticated", "encrypted", "mixed"];
    let keyed = keyed.map(|mode| format!("--keys {keys} --mode {mode}"));
    for options in keyed.iter().map(String::as_str).chain([""]) {
        let line = format!("controller 127.0.0.1:{port} {options} -c 5 -i 20 --timeout 20 --json");
        is_measured(&finish(twinpath(&line).unwrap()));
    }
}

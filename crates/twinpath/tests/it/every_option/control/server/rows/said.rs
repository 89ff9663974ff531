//! What a server says, and where.

use std::net::{Ipv4Addr, TcpStream};
use std::time::{Duration, Instant};

use super::{key_file, last, measured};
use crate::program::{Responder, Running, free_port, run};

pub(in super::super) fn metrics() {
    let silent = Responder::server("").stop("TERM");
    assert!(!silent.stderr.contains("metrics"), "{}", silent.stderr);
    let mut server = Responder::server("--metrics 127.0.0.1:0");
    server.wait_for("metrics at http://127.0.0.1:");
}

/// Port 9 of loopback has no collector.
pub(in super::super) fn otlp() {
    let said = Responder::server("--otlp http://127.0.0.1:9")
        .stop("TERM")
        .stderr;
    let warning = "metrics were not pushed to http://127.0.0.1:9/v1/metrics: ";
    assert!(said.contains(warning), "{said}");
}

/// While it runs.
pub(in super::super) fn otlp_interval() {
    let mut server =
        Running::start("server 127.0.0.1:0 --otlp http://127.0.0.1:9 --otlp-interval 1");
    server.wait_for_error("metrics were not pushed to ");
}

/// What lines have: [`crate::log_forms`].
pub(in super::super) fn log_format() {
    let first = |line: &str| {
        let mut server = Running::start(line);
        server.wait_for_error("listening on ")
    };
    assert!(first("server 127.0.0.1:0").starts_with("listening on "));
    assert!(first("server 127.0.0.1:0 --log-format json").starts_with("{\""));
}

pub(in super::super) fn output() {
    let server = Responder::server("--output json");
    assert_eq!(last(server)["schema"], "twinpath-server-1");
    let text = Responder::server("--output text").stop("TERM").stdout;
    assert!(!text.is_empty() && !text.contains('{'), "{text}");
}

pub(in super::super) fn json() {
    let server = Responder::server("--json");
    assert_eq!(last(server)["schema"], "twinpath-server-1");
}

/// What a server with these options says on stderr while a session is measured.
fn said(options: &str) -> String {
    let server = Responder::server(options);
    measured(&server, "");
    server.stop("TERM").stderr
}

pub(in super::super) fn verbose() {
    assert!(said("-v").contains("session agreed"));
    assert!(!said("").contains("session agreed"));
}

pub(in super::super) fn quiet() {
    let held = key_file("alice secret\n");
    let others = key_file("alice another\n");
    for (options, is_quiet) in [("--quiet", true), ("", false)] {
        let port = free_port();
        let mut server = Running::start(&format!(
            "server 127.0.0.1:{port} --keys {} --pbkdf2-count 1024 {options}",
            held.path().display()
        ));
        server.wait_until_it_catches("TERM");
        let until = Instant::now() + Duration::from_secs(20);
        while TcpStream::connect((Ipv4Addr::LOCALHOST, port)).is_err() {
            assert!(Instant::now() < until, "it does not listen");
            std::thread::sleep(Duration::from_millis(10));
        }
        let guess = format!(
            "controller 127.0.0.1:{port} --keys {} -c 1",
            others.path().display()
        );
        let refused = run(&guess);
        assert!(refused.stderr.contains("refuse"), "{}", refused.stderr);
        server.signal(&["TERM"]);
        server.ended();
        let done = server.finish();
        assert_eq!(done.status, 0, "{}", done.stderr);
        let warned = done.stderr.contains("wrong passphrase");
        assert_eq!(warned, !is_quiet, "{options}: {}", done.stderr);
        assert_eq!(
            done.stderr.is_empty(),
            is_quiet,
            "{options}: {}",
            done.stderr
        );
    }
}

pub(in super::super) fn debug() {
    assert!(said("--debug").contains("DEBUG"));
    assert!(!said("-v").contains("DEBUG"));
}

pub(in super::super) fn logfile() {
    let directory = tempfile::tempdir().unwrap();
    let file = directory.path().join("log");
    let said = said(&format!("-v --logfile {}", file.display()));
    assert!(!said.contains("session agreed"), "{said}");
    let log = std::fs::read_to_string(file).unwrap();
    assert!(log.contains("session agreed"), "{log}");
}

//! `twinpath daemon`.

use std::fs;
use std::path::Path;
use std::time::{Duration, Instant};

use super::{acts, complete, each_row, judged};
use crate::program::{Done, Running, twinpath};

const PATIENCE: Duration = Duration::from_mins(1);

struct Row {
    option: &'static str,
    given: &'static str,
    sees: fn(&Seen) -> bool,
}

/// What a daemon left that was asked to end when it had its control socket.
struct Seen {
    done: Done,
    log: String,
    has_other_socket: bool,
}

fn observe(given: &str) -> Seen {
    let directory = tempfile::tempdir().unwrap();
    let place = directory.path();
    let configuration = "[[responder]]\nname = \"other\"\naddress = \"127.0.0.1:0\"\n";
    fs::write(place.join("other.toml"), configuration).unwrap();
    let given = given.replace("{dir}", &place.display().to_string());
    let mut command = twinpath(&format!("daemon {given}"));
    command.env("RUNTIME_DIRECTORY", place);
    let process = Running::spawn(command);
    let other = place.join("other.sock");
    let socket = || place.join("daemon.sock").exists() || other.exists();
    let until = Instant::now() + PATIENCE;
    while !socket() {
        assert!(Instant::now() < until, "no control socket");
        std::thread::sleep(Duration::from_millis(10));
    }
    let has_other_socket = other.exists();
    // Everything begins a moment later.
    std::thread::sleep(Duration::from_millis(500));
    process.signal(&["TERM"]);
    let done = process.finish();
    assert_eq!(done.status, 0, "{}", done.stderr);
    let log = |path: &Path| fs::read_to_string(path).unwrap_or_default();
    Seen {
        done,
        log: log(&place.join("log")),
        has_other_socket,
    }
}

#[test]
fn every_option_of_a_daemon_acts() {
    let rows = [
        Row {
            option: "--config",
            given: "--config {dir}/other.toml",
            sees: |seen| {
                let said = &seen.done.stderr;
                said.contains("responder other") && !said.contains("session loopback")
            },
        },
        Row {
            option: "--control-socket",
            given: "--control-socket {dir}/other.sock",
            sees: |seen| seen.has_other_socket,
        },
        Row {
            option: "--log-format",
            given: "--log-format json",
            sees: |seen| seen.done.stderr.starts_with('{'),
        },
        Row {
            option: "--quiet",
            given: "--quiet",
            sees: |seen| seen.done.stderr.is_empty(),
        },
        Row {
            option: "--debug",
            given: "--debug",
            sees: |seen| seen.done.stderr.contains("DEBUG"),
        },
        Row {
            option: "--logfile",
            given: "--logfile {dir}/log",
            sees: |seen| seen.log.contains("INFO"),
        },
    ];
    complete("daemon", rows.iter().map(|row| row.option));
    each_row(&rows, |row| {
        acts(row.option, row.given, false, |given| {
            let seen = observe(given);
            Some(judged(&seen, &seen.done, row.sees))
        })
    });
}

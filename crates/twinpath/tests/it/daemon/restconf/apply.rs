//! `twinpath config apply`.

use std::fs;

use super::super::{entry, is_running, received};
use super::Served;
use crate::program::{finish, twinpath};

/// A daemon with a Unix socket.
fn served() -> (Served, tempfile::TempDir) {
    let place = tempfile::tempdir().unwrap();
    let socket = place.path().join("api.sock");
    let line = format!("  # loopback\nsocket = \"{}\"", socket.display());
    (
        Served::changed(|text| text.replace("  # loopback", &line)),
        place,
    )
}

/// What runs is what is asked for, but the file has something else.
#[test]
fn a_file_that_was_edited_meanwhile_is_noticed_without_a_change() {
    let (served, place) = served();
    let daemon = &served.daemon;
    daemon.status_when(|document| is_running(document, "a"));
    let other = place.path().join("other.toml");
    fs::write(&other, served.text()).unwrap();
    let apply = || {
        let mut command = twinpath("config apply");
        command.arg(&other);
        finish(command)
    };
    assert_eq!(apply().status, 0);
    let edited = served.text().replace("20ms", "30ms");
    fs::write(daemon.file(), &edited).unwrap();
    let done = apply();
    let said = "was changed since it was read";
    assert!(
        done.status == 1 && done.stderr.contains(said),
        "{}",
        done.stderr
    );
    assert_eq!(served.text(), edited);
}

#[test]
fn a_daemon_takes_over_the_file_that_it_has_or_another() {
    let (served, place) = served();
    let daemon = &served.daemon;
    let before = daemon.status_when(|document| received(document, "a") > 10);
    // Its own file, which was edited.
    let session = format!(
        "\n[[session]]\nname = \"b\"\naddress = \"127.0.0.1:{}\"  # new\n",
        served.responder
    );
    let text = served.text() + &session;
    fs::write(daemon.file(), &text).unwrap();
    let apply = |file: &std::path::Path, options: &str| {
        let mut command = twinpath(&format!("config apply {options}"));
        command.arg(file);
        finish(command)
    };
    let done = apply(&daemon.file(), "");
    assert_eq!((done.status, done.stderr.as_str()), (0, ""));
    daemon.status_when(|document| received(document, "b") > 0);
    assert_eq!(served.text(), text);
    // Another one, without a socket.
    let other = place.path().join("other.toml");
    let changed: Vec<&str> = text
        .lines()
        .filter(|line| !line.starts_with("socket"))
        .collect();
    let changed = changed.join("\n").replace("\"b\"", "\"c\"");
    fs::write(&other, changed).unwrap();
    let done = apply(&other, "");
    assert_eq!(done.status, 2);
    assert!(done.stderr.contains("--socket PATH"), "{}", done.stderr);
    let option = format!("--socket {}", place.path().join("api.sock").display());
    let done = apply(&other, &option);
    assert_eq!(
        (done.status, done.stderr.as_str()),
        (
            0,
            "note: socket of [api] changes when the daemon is started again\n"
        )
    );
    let after =
        daemon.status_when(|document| is_running(document, "c") && entry(document, "b").is_null());
    assert!(received(&after, "a") > received(&before, "a"));
    // What no daemon can do.
    fs::write(&other, "[[session]]\nname = \"x\"\n").unwrap();
    let done = apply(&other, &option);
    assert_eq!(done.status, 2);
    assert!(done.stderr.contains("other.toml:1"), "{}", done.stderr);
    let done = apply(&daemon.file(), "--socket /nonexistent/api.sock");
    assert_eq!(done.status, 1);
    assert!(
        done.stderr
            .contains("no answer from a daemon at /nonexistent/api.sock")
    );
}

//! The page of a daemon, and the store behind it.

use std::io::{Read as _, Write as _};
use std::net::TcpStream;
use std::process::Command;
use std::thread::sleep;
use std::time::{Duration, Instant};

use serde_json::Value;

use super::{Daemon, PATIENCE, received};
use crate::far_end::FarEnd;
use crate::program::{finish, free_port, shell};

/// What a server answers.
pub(super) struct Answer {
    pub(super) head: String,
    pub(super) body: String,
}

/// Asks a daemon, which may have begun only now.
fn ask(port: u16, request: &str) -> Answer {
    let until = Instant::now() + PATIENCE;
    let mut stream = loop {
        match TcpStream::connect(("127.0.0.1", port)) {
            Ok(stream) => break stream,
            Err(error) => assert!(Instant::now() < until, "{error}"),
        }
        sleep(Duration::from_millis(20));
    };
    stream.set_read_timeout(Some(PATIENCE)).unwrap();
    let request = request.replacen("\r\n", "\r\nConnection: close\r\n", 1);
    stream.write_all(request.as_bytes()).unwrap();
    let mut text = String::new();
    stream.read_to_string(&mut text).unwrap();
    let (head, body) = text.split_once("\r\n\r\n").unwrap();
    Answer {
        head: head.to_owned(),
        body: body.to_owned(),
    }
}

pub(super) fn get(port: u16, path: &str) -> Answer {
    ask(
        port,
        &format!("GET {path} HTTP/1.1\r\nHost: localhost\r\n\r\n"),
    )
}

/// The rows of a session in the store, once they are so.
fn rows_when(port: u16, name: &str, are: impl Fn(&[Value]) -> bool) -> Vec<Value> {
    let until = Instant::now() + PATIENCE;
    loop {
        let answer = get(port, &format!("/session/{name}.json"));
        let document: Value = serde_json::from_str(&answer.body).unwrap_or_default();
        let rows = document["rows"].as_array().cloned().unwrap_or_default();
        if are(&rows) {
            return rows;
        }
        assert!(Instant::now() < until, "{} {}", answer.head, answer.body);
        sleep(Duration::from_millis(100));
    }
}

/// A responder and sessions to it with intervals of a second, a page, a store in the daemon's directory.
fn configuration(daemon: &str, page: u16, responder: u16, sessions: &[(&str, &str)]) -> String {
    let mut text = format!(
        "[api]
listen = \"127.0.0.1:{page}\"

[store]
path = \"{daemon}\"

[defaults]
interval = \"20ms\"
timeout = \"200ms\"
report-interval = \"1s\"

[[responder]]
name = \"r\"
address = \"127.0.0.1:{responder}\"
"
    );
    let sessions = sessions
        .iter()
        .map(|(name, more)| format!("\n[[session]]\nname = \"{name}\"\n{more}\n"));
    text.extend(sessions);
    text
}

#[test]
fn the_page_has_all_sessions_the_worst_first_and_filters_them_by_label() {
    let (page, responder) = (free_port(), free_port());
    let place = tempfile::tempdir().unwrap();
    let lossy = FarEnd::losing(3);
    let good = format!("address = \"127.0.0.1:{responder}\"\nlabels = {{ site = \"fra\" }}");
    let bad = format!("address = \"{}\"\nlabels = {{ site = \"lon\" }}", lossy.at);
    let silent = format!("address = \"127.0.0.1:{}\"", free_port());
    let sessions = [
        ("a good <one>", &*good),
        ("lossy", &*bad),
        ("silent", &*silent),
        ("unresolved", "address = \"no-such-host.invalid\""),
    ];
    let daemon = Daemon::start(&configuration(
        &place.path().display().to_string(),
        page,
        responder,
        &sessions,
    ));
    rows_when(page, "lossy", |rows| {
        rows.iter().any(|row| row["lost"] != 0)
    });
    let until = Instant::now() + PATIENCE;
    let body = loop {
        let body = get(page, "/").body;
        if body.contains("no replies") && body.contains("no-such-host.invalid") {
            break body;
        }
        assert!(Instant::now() < until, "{body}");
        sleep(Duration::from_millis(100));
    };
    let order = ["unresolved", "silent", "lossy", "a%20good%20%3Cone%3E"].map(|name| {
        body.find(&format!("/session/{name}"))
            .unwrap_or_else(|| panic!("{name}: {body}"))
    });
    assert!(order.is_sorted(), "{order:?}");
    assert!(
        body.contains("a good &lt;one&gt;") && !body.contains("<one>"),
        "{body}"
    );
    let filtered = get(page, "/?site=lon").body;
    assert!(filtered.contains("/session/lossy\""), "{filtered}");
    assert!(!filtered.contains("/session/silent\""), "{filtered}");
    let grouped = get(page, "/?group=site").body;
    assert!(
        grouped.contains("<h2>site fra</h2>") && grouped.contains("<h2>without site</h2>"),
        "{grouped}"
    );
    // Of the name in an address.
    let one = get(page, "/session/a%20good%20%3Cone%3E").body;
    assert!(one.contains("Session a good &lt;one&gt;"), "{one}");
    assert_eq!(daemon.stop().status, 0);
}

#[test]
fn what_a_killed_daemon_stored_is_there_for_the_next_one_and_drawn() {
    let (page, responder) = (free_port(), free_port());
    let place = tempfile::tempdir().unwrap();
    let far = format!("address = \"127.0.0.1:{responder}\"");
    let text = configuration(
        &place.path().display().to_string(),
        page,
        responder,
        &[("a", &far)],
    );
    let mut daemon = Daemon::start(&text);
    let before = rows_when(page, "a", |rows| rows.len() >= 2);
    let all: u64 = before
        .iter()
        .filter_map(|row| row["received"].as_u64())
        .sum();
    assert!(all >= 50, "{before:?}");
    daemon.process().0.kill().unwrap();
    drop(daemon);
    let mut next = Daemon::start(&text);
    let after = rows_when(page, "a", |rows| rows.len() > before.len());
    let starts = |rows: &[Value]| -> Vec<String> {
        rows.iter().map(|row| row["start"].to_string()).collect()
    };
    assert!(
        starts(&after).starts_with(&starts(&before)),
        "{before:?} {after:?}"
    );
    let drawn = get(page, "/session/a?last=600");
    assert!(drawn.head.contains("200 OK"), "{}", drawn.head);
    assert!(
        drawn.body.contains("<svg") && drawn.body.contains("Round trip over time"),
        "{}",
        drawn.body
    );
    let status = next.status_when(|document| document["store"]["rows"].as_u64() > Some(0));
    assert_eq!(status["store"]["dropped"], 0, "{status}");
    // Another process cannot have the same store.
    let mut second = next.command("daemon --control-socket none --config");
    second.arg(next.file());
    let refused = finish(second);
    assert_eq!(refused.status, 1, "{}", refused.stderr);
    next.process();
    assert_eq!(next.stop().status, 0);
}

#[test]
fn what_was_measured_until_the_end_is_stored() {
    let (page, responder) = (free_port(), free_port());
    let place = tempfile::tempdir().unwrap();
    let far = format!("address = \"127.0.0.1:{responder}\"");
    let directory = place.path().display().to_string();
    let text = configuration(&directory, page, responder, &[("a", &far)]);
    let daemon = Daemon::start(&text);
    let last = daemon.status_when(|document| received(document, "a") > 100);
    assert_eq!(daemon.stop().status, 0);
    // The rows of both daemons together.
    let none = configuration(&directory, page, responder, &[]);
    let daemon = Daemon::start(&none);
    let rows = rows_when(page, "a", |rows| !rows.is_empty());
    let stored: u64 = rows.iter().filter_map(|row| row["received"].as_u64()).sum();
    assert!(stored >= received(&last, "a"), "{rows:?}");
    let page = get(page, "/session/a").body;
    assert!(page.contains("no longer in the configuration"), "{page}");
    assert_eq!(daemon.stop().status, 0);
}

#[test]
fn other_requests_are_refused() {
    let (page, responder) = (free_port(), free_port());
    let place = tempfile::tempdir().unwrap();
    let daemon = Daemon::start(&configuration(
        &place.path().display().to_string(),
        page,
        responder,
        &[],
    ));
    daemon.status_when(|_| true);
    let status = |request: &str| {
        ask(page, request)
            .head
            .split(' ')
            .nth(1)
            .unwrap()
            .to_owned()
    };
    for (request, expected) in [
        ("GET / HTTP/1.1\r\nHost: 127.0.0.1:1\r\n\r\n", "200"),
        ("GET / HTTP/1.1\r\nHost: [::1]:1\r\n\r\n", "200"),
        ("GET / HTTP/1.1\r\nHost: attacker.example\r\n\r\n", "421"),
        (
            "POST / HTTP/1.1\r\nHost: localhost\r\nContent-Length: 0\r\n\r\n",
            "405",
        ),
        ("GET /etc/passwd HTTP/1.1\r\nHost: localhost\r\n\r\n", "404"),
        (
            "GET /session/none HTTP/1.1\r\nHost: localhost\r\n\r\n",
            "404",
        ),
        (
            "GET /session/..%2f..%2fetc HTTP/1.1\r\nHost: localhost\r\n\r\n",
            "404",
        ),
    ] {
        assert_eq!(status(request), expected, "{request}");
    }
    assert_eq!(daemon.stop().status, 0);
}

#[test]
fn a_browser_shows_the_page_of_a_session() {
    if shell("command -v chromium").status != 0 {
        println!("skipped: chromium is not installed");
        return;
    }
    let (page, responder) = (free_port(), free_port());
    let place = tempfile::tempdir().unwrap();
    let far = format!("address = \"127.0.0.1:{responder}\"");
    let daemon = Daemon::start(&configuration(
        &place.path().display().to_string(),
        page,
        responder,
        &[("a", &far)],
    ));
    rows_when(page, "a", |rows| rows.len() >= 2);
    let mut chromium = Command::new("chromium");
    chromium.args(["--headless", "--no-sandbox", "--disable-gpu", "--dump-dom"]);
    chromium.arg(format!(
        "--user-data-dir={}",
        place.path().join("profile").display()
    ));
    chromium.arg(format!("http://127.0.0.1:{page}/session/a"));
    let done = finish(chromium);
    assert!(
        done.stdout.contains("Round trip over time"),
        "{}{}",
        done.stdout,
        done.stderr
    );
    assert!(done.stdout.contains("<svg"), "{}", done.stdout);
    assert_eq!(daemon.stop().status, 0);
}

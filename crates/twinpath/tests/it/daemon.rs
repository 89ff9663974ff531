//! `twinpath daemon` and `twinpath config`: what runs by a configuration, and what a changed one leaves alone.

mod access;
mod alarms;
mod alertmanager;
mod browser;
mod configurations;
mod exports;
mod interrupted;
mod mesh;
mod missing_files;
#[cfg(feature = "netconf")]
mod netconf;
mod pages;
mod past_alarms;
mod raw;
mod reloads;
mod restconf;
mod syslog;

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::{Duration, Instant};

use serde_json::Value;
use tempfile::TempDir;

use crate::program::{Done, Running, finish, free_port, twinpath};

const PATIENCE: Duration = Duration::from_mins(1);

/// Waits until something is.
fn wait_for(what: &str, mut is: impl FnMut() -> bool) {
    let until = Instant::now() + PATIENCE;
    while !is() {
        assert!(Instant::now() < until, "{what}");
        std::thread::sleep(Duration::from_millis(50));
    }
}

/// A daemon with its configuration and the directory of its control socket.
struct Daemon {
    place: TempDir,
    process: Option<Running>,
}

/// A file of this text in a directory of its own.
struct Place(TempDir);

impl Place {
    fn of(text: &str) -> Self {
        let place = Self(tempfile::tempdir().unwrap());
        place.write(text);
        place
    }

    fn file(&self) -> PathBuf {
        self.0.path().join("twinpath.toml")
    }

    fn write(&self, text: &str) {
        fs::write(self.file(), text).unwrap();
    }

    /// `twinpath config` with the file behind it.
    fn config(&self, what: &str) -> Done {
        let mut command = twinpath(&format!("config {what}"));
        command.arg(self.file());
        finish(command)
    }
}

impl Daemon {
    fn start(text: &str) -> Self {
        let place = tempfile::tempdir().unwrap();
        fs::write(place.path().join("twinpath.toml"), text).unwrap();
        let mut daemon = Self {
            place,
            process: None,
        };
        daemon.process = Some(Running::spawn(daemon.of_file()));
        daemon
    }

    /// Without a configuration.
    fn demonstration() -> Self {
        let mut daemon = Self {
            place: tempfile::tempdir().unwrap(),
            process: None,
        };
        let mut command = daemon.command("daemon");
        command.env("TMPDIR", daemon.place.path());
        daemon.process = Some(Running::spawn(command));
        daemon
    }

    fn command(&self, line: &str) -> Command {
        let mut command = twinpath(line);
        command.env("RUNTIME_DIRECTORY", self.place.path());
        command
    }

    fn file(&self) -> PathBuf {
        self.place.path().join("twinpath.toml")
    }

    fn process(&mut self) -> &mut Running {
        self.process.as_mut().unwrap()
    }

    /// Has it read this configuration.
    fn reload(&mut self, text: &str) {
        fs::write(self.file(), text).unwrap();
        self.process().signal(&["HUP"]);
    }

    /// What it tells `twinpath status`, once it is so.
    fn status_when(&self, is: impl Fn(&Value) -> bool) -> Value {
        let until = Instant::now() + PATIENCE;
        let mut document = Value::Null;
        loop {
            let done = finish(self.command("status daemon --json"));
            if done.status == 0 {
                document = done.document();
                if is(&document) {
                    return document;
                }
            }
            assert!(Instant::now() < until, "{document:#}");
            std::thread::sleep(Duration::from_millis(50));
        }
    }

    /// Ends it at once, and starts it again with the same files.
    fn restart(&mut self) {
        // It is killed where it is not over yet.
        self.process = None;
        self.process = Some(Running::spawn(self.of_file()));
    }

    fn of_file(&self) -> Command {
        let mut command = self.command("daemon --config");
        command.arg(self.file());
        command
    }

    /// Asks it to end: what it said, and with what it ended.
    fn stop(mut self) -> Done {
        let process = self.process.take().unwrap();
        process.signal(&["TERM"]);
        process.finish()
    }
}

/// An entry of a daemon's status.
fn entry<'a>(document: &'a Value, name: &str) -> &'a Value {
    let entries = document["entries"].as_array().into_iter().flatten();
    let mut named = entries.filter(|entry| entry["name"] == name);
    named.next().unwrap_or(&Value::Null)
}

fn is_running(document: &Value, name: &str) -> bool {
    entry(document, name)["state"] == "running"
}

/// Packets that the first session of an entry has received.
fn received(document: &Value, name: &str) -> u64 {
    let received = &entry(document, name)["measures"][0]["received"];
    received.as_u64().unwrap_or(0)
}

fn sent(document: &Value, name: &str) -> u64 {
    let sent = &entry(document, name)["measures"][0]["sent"];
    sent.as_u64().unwrap_or(0)
}

#[test]
fn a_daemon_runs_sessions_of_each_protocol_with_its_own_responder_and_server() {
    let (light, control) = (free_port(), free_port());
    let mut daemon = Daemon::start(&format!(
        "[defaults]
interval = \"20ms\"
timeout = \"200ms\"
report-interval = \"1s\"

[[responder]]
name = \"light\"
address = \"127.0.0.1:{light}\"

[[server]]
name = \"full\"
address = \"127.0.0.1:{control}\"

[[session]]
name = \"a\"
address = \"127.0.0.1:{light}\"

[[session]]
name = \"b\"
address = \"127.0.0.1:{light}\"
protocol = \"stamp\"
classes = [\"be\", \"ef\"]
paths = 2

[[session]]
name = \"c\"
address = \"127.0.0.1:{control}\"
protocol = \"twamp\"

[[session]]
name = \"off\"
address = \"127.0.0.1:{light}\"
enabled = false
"
    ));
    let is_measured = |document: &Value| {
        ["a", "b", "c"].iter().all(|name| {
            let measures = entry(document, name)["measures"].as_array();
            let mut each = measures.into_iter().flatten();
            measures.is_some_and(|all| !all.is_empty())
                && each.all(|session| {
                    session["interval"]["received"].as_u64() > Some(0) && session["lost"] == 0
                })
        })
    };
    let document = daemon.status_when(is_measured);
    assert_eq!(document["command"], "daemon");
    assert!(is_running(&document, "light") && is_running(&document, "full"));
    let measures = |name| {
        entry(&document, name)["measures"]
            .as_array()
            .unwrap()
            .clone()
    };
    assert_eq!(measures("a").len(), 1);
    let mut of_b: Vec<(u64, u64)> = measures("b")
        .iter()
        .map(|one| (one["dscp"].as_u64().unwrap(), one["path"].as_u64().unwrap()))
        .collect();
    of_b.sort_unstable();
    assert_eq!(of_b, [(0, 1), (0, 2), (46, 1), (46, 2)]);
    let median = measures("a")[0]["interval"]["round_trip_median_ns"].as_i64();
    assert!(median > Some(0), "{document:#}");
    assert_eq!(*entry(&document, "off"), Value::Null);
    let text = finish(daemon.command("status daemon"));
    assert!(text.stdout.contains("b dscp 46 path 2"), "{}", text.stdout);
    daemon.process();
    let done = daemon.stop();
    assert_eq!(done.status, 0, "{}", done.stderr);
    assert!(
        done.stderr.contains("session a: measuring 127.0.0.1"),
        "{}",
        done.stderr
    );
}

#[test]
fn without_a_configuration_a_daemon_measures_itself() {
    let mut daemon = Daemon::demonstration();
    let document = daemon.status_when(|document| received(document, "loopback") >= 3);
    assert!(is_running(&document, "loopback") && is_running(&document, "responder"));
    let temporary = |path: &Path| {
        let entries = fs::read_dir(path).unwrap();
        let names = entries.map(|entry| entry.unwrap().file_name());
        names
            .filter(|name| name.to_string_lossy().starts_with("twinpath-"))
            .count()
    };
    let place = daemon.place.path().to_owned();
    assert_eq!(temporary(&place), 1);
    let process = daemon.process.take().unwrap();
    process.signal(&["TERM"]);
    assert_eq!((process.finish().status, temporary(&place)), (0, 0));
}

#[test]
fn what_cannot_run_yet_is_tried_again_and_keeps_nothing_else_from_running() {
    let (taken, port) = crate::program::taken_port();
    let daemon = Daemon::start(&format!(
        "[[responder]]
name = \"light\"
address = \"127.0.0.1:{port}\"

[[session]]
name = \"nowhere\"
address = \"no-such-host.invalid\"

[[session]]
name = \"here\"
address = \"127.0.0.1:{port}\"
interval = \"20ms\"
timeout = \"200ms\"
"
    ));
    let document = daemon.status_when(|document| {
        ["light", "nowhere"]
            .iter()
            .all(|name| entry(document, name)["failure"].is_string())
            && sent(document, "here") > 0
    });
    let failure = |name| {
        entry(&document, name)["failure"]
            .as_str()
            .unwrap()
            .to_owned()
    };
    assert!(
        failure("light").contains("the port is in use"),
        "{document:#}"
    );
    assert!(
        failure("nowhere").contains("no-such-host.invalid"),
        "{document:#}"
    );
    drop(taken);
    daemon.status_when(|document| is_running(document, "light") && received(document, "here") > 0);
    let done = daemon.stop();
    // A cause is logged once, however often it is tried.
    let said = done.stderr.matches("session nowhere: ").count();
    assert_eq!(said, 1, "{}", done.stderr);
}

#[test]
fn a_daemon_serves_metrics_of_all_that_it_runs() {
    let (light, api) = (free_port(), free_port());
    let daemon = Daemon::start(&format!(
        "[api]
listen = \"127.0.0.1:{api}\"

[[responder]]
name = \"light\"
address = \"127.0.0.1:{light}\"

[[session]]
name = \"a\"
address = \"127.0.0.1:{light}\"
interval = \"20ms\"
timeout = \"200ms\"
labels = {{ site = \"fra\" }}
"
    ));
    daemon.status_when(|document| received(document, "a") > 0);
    let at = format!("127.0.0.1:{api}").parse().unwrap();
    let text = crate::metrics::scrape(at);
    let received = text.lines().find(|line| {
        line.starts_with("twinpath_packets_received_total{")
            && line.contains("target=\"a\"")
            && line.contains("site=\"fra\"")
    });
    assert!(received.is_some(), "{text}");
    let replies = "twinpath_reflector_replies_total{responder=\"light\"} ";
    assert!(text.contains(replies), "{text}");
    crate::metrics::is_flawless(&text);
    assert_eq!(daemon.stop().status, 0);
}

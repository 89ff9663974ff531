//! Raw packets in the store of a daemon.

use std::path::{Path, PathBuf};

use serde_json::Value;

use super::{Daemon, entry, received};
use crate::program::{Running, finish, free_port, run, twinpath};

/// A responder and two sessions to it, with a store; what these have more.
fn configuration(store: &Path, port: u16, a: &str, b: &str) -> String {
    let store = store.display();
    format!(
        "[store]
path = \"{store}\"

[defaults]
interval = \"20ms\"
timeout = \"200ms\"
report-interval = \"1s\"

[[responder]]
name = \"r\"
address = \"127.0.0.1:{port}\"

[[session]]
name = \"a\"
address = \"127.0.0.1:{port}\"
{a}

[[session]]
name = \"b\"
address = \"127.0.0.1:{port}\"
classes = [\"be\", \"ef\"]
{b}
"
    )
}

/// The files of raw packets.
fn files(store: &Path) -> Vec<PathBuf> {
    let names = std::fs::read_dir(store.join("_more/raw"));
    let names = names.into_iter().flatten();
    let mut files: Vec<PathBuf> = names.map(|name| name.unwrap().path()).collect();
    files.sort();
    files
}

/// The sessions of a report of files of raw packets.
fn raw_sessions(store: &Path) -> Vec<Value> {
    let mut command = twinpath("report --json");
    command.args(files(store));
    let done = finish(command);
    assert!(!done.stdout.is_empty(), "{}", done.stderr);
    done.document()["sessions"].as_array().unwrap().clone()
}

/// Name, class, and packets that were sent and received, of sessions of a report.
fn counts<'a>(sessions: impl IntoIterator<Item = &'a Value>) -> Vec<(String, u64, u64, u64)> {
    let of = |session: &Value| {
        let number = |key: &str| session.pointer(key).and_then(Value::as_u64).unwrap();
        let target = session["target"]["name"].as_str().unwrap().to_owned();
        let (sent, received) = (number("/packets/sent"), number("/packets/received"));
        (target, number("/dscp"), sent, received)
    };
    let mut all: Vec<_> = sessions.into_iter().map(of).collect();
    all.sort();
    all
}

fn stored_sessions(store: &Path, name: &str) -> Vec<Value> {
    let done = run(&format!(
        "report {} --session {name} --json",
        store.display()
    ));
    assert!(!done.stdout.is_empty(), "{}", done.stderr);
    done.document()["sessions"].as_array().unwrap().clone()
}

fn note_keys(session: &Value) -> Vec<&str> {
    let notes = session["notes"].as_array().unwrap();
    notes
        .iter()
        .map(|note| note["key"].as_str().unwrap())
        .collect()
}

#[test]
fn only_sessions_that_ask_for_it_have_raw_packets_which_count_what_their_rows_do() {
    let place = tempfile::tempdir().unwrap();
    let store = place.path();
    let port = free_port();
    let daemon = Daemon::start(&configuration(store, port, "raw = true", ""));
    let document = daemon
        .status_when(|document| received(document, "a") > 150 && received(document, "b") > 150);
    let records =
        daemon.status_when(|document| document["store"]["raw_records"].as_u64() > Some(0));
    assert_eq!(records["store"]["raw_dropped"], 0, "{document:#}");
    let text = finish(daemon.command("status daemon")).unwrapped();
    assert!(text.contains("records of raw packets written"), "{text}");
    let done = daemon.stop();
    assert_eq!(done.status, 0, "{}", done.stderr);
    let says = done
        .stderr
        .lines()
        .find(|line| line.contains("raw packets"));
    let says = says.unwrap_or_else(|| panic!("{}", done.stderr));
    assert!(
        says.contains("and 4320000 raw packets (108 MB) a day"),
        "{says}"
    );
    let raw = raw_sessions(store);
    assert_eq!(counts(&raw), counts(&stored_sessions(store, "a")));
    let keys = note_keys(&raw[0]);
    for key in [
        "interrupted",
        "still-running",
        "run-part",
        "records-missing",
    ] {
        assert!(!keys.contains(&key), "{keys:?}");
    }
}

#[test]
fn a_change_begins_only_the_sessions_again_whose_raw_packets_it_is_about() {
    let place = tempfile::tempdir().unwrap();
    let store = place.path();
    let port = free_port();
    let mut daemon = Daemon::start(&configuration(store, port, "raw = true", ""));
    daemon.status_when(|document| received(document, "a") > 20 && received(document, "b") > 20);
    let text = configuration(store, port, "", "raw = false");
    let all = text.replace("[store]\n", "[store]\nraw = true\n");
    daemon.reload(&all.replace("raw = false", "labels = { site = \"fra\" }"));
    daemon.status_when(|document| {
        entry(document, "b")["labels"]["site"] == "fra" && received(document, "b") > 20
    });
    let done = daemon.stop();
    let begun = |name: &str| {
        done.stderr
            .matches(&format!("session {name}: measuring"))
            .count()
    };
    assert_eq!((begun("a"), begun("b")), (1, 2), "{}", done.stderr);
    let raw = raw_sessions(store);
    let known: Vec<(String, u64)> = counts(&raw)
        .into_iter()
        .map(|(name, dscp, ..)| (name, dscp))
        .collect();
    let expected = [("a", 0), ("b", 0), ("b", 46)].map(|(name, dscp)| (name.to_owned(), dscp));
    assert_eq!(known, expected);
    assert_eq!(
        counts(
            raw.iter()
                .filter(|session| session["target"]["name"] == "a")
        ),
        counts(&stored_sessions(store, "a"))
    );
}

#[test]
fn a_daemon_that_is_killed_leaves_files_that_are_read_and_the_next_one_begins_others() {
    let place = tempfile::tempdir().unwrap();
    let store = place.path();
    let port = free_port();
    let text = configuration(store, port, "raw = true", "");
    let mut daemon = Daemon::start(&text);
    daemon.status_when(|document| document["store"]["raw_records"].as_u64() > Some(100));
    let process: Running = daemon.process.take().unwrap();
    process.signal(&["KILL"]);
    drop(process);
    let killed = files(store);
    let raw = raw_sessions(store);
    assert_eq!(raw.len(), 1);
    assert!(
        raw[0]["packets"]["received"].as_u64() > Some(50),
        "{}",
        raw[0]
    );
    assert!(note_keys(&raw[0]).contains(&"interrupted"), "{}", raw[0]);
    std::fs::write(store.join("_more/raw/.twinpath-Ab12Cd"), "half").unwrap();

    let daemon = Daemon::start(&text);
    daemon.status_when(|document| received(document, "a") > 20);
    assert_eq!(daemon.stop().status, 0);
    let all = files(store);
    assert!(killed.iter().all(|file| all.contains(file)) && all.len() > killed.len());
    let names: Vec<_> = all.iter().map(|file| file.file_name().unwrap()).collect();
    assert!(
        !names
            .iter()
            .any(|name| name.to_string_lossy().starts_with('.')),
        "{names:?}"
    );
    // A session of each of the two runs.
    assert_eq!(raw_sessions(store).len(), 2);
}

//! Changes of several files that the end of the daemon interrupts, with files as it leaves them.

use std::fs;
use std::path::PathBuf;

use serde_json::json;
use tempfile::TempDir;

use crate::program::{Running, twinpath};

const FINISHED: &str = "a change of several files was interrupted, and is finished now";
const STARTED: &str = "HTTP at";

/// A directory of two files, as a change of both has left it.
struct Directory(TempDir);

impl Directory {
    /// One of the files was replaced.
    fn interrupted() -> Self {
        let directory = Self(tempfile::tempdir().unwrap());
        fs::write(directory.file("1.toml"), directory.text("a", "new")).unwrap();
        fs::write(directory.file("2.toml"), directory.text("b", "old")).unwrap();
        let file = |name: &str, session: &str| {
            let [old, new] = ["old", "new"].map(|label| directory.text(session, label));
            json!({ "name": name, "text": new, "known": [old] })
        };
        let record = json!({ "version": 1, "files": [file("1.toml", "a"), file("2.toml", "b")] });
        let journal = directory.file(".twinpath.change");
        fs::write(journal, record.to_string()).unwrap();
        directory
    }

    fn file(&self, name: &str) -> PathBuf {
        self.0.path().join(name)
    }

    /// A file with a session; the first has more.
    fn text(&self, session: &str, label: &str) -> String {
        let socket = self.0.path().join("socket");
        let api = format!("[api]\nsocket = \"{}\"\n", socket.display());
        let api = if session == "a" { api } else { String::new() };
        format!(
            "{api}[[session]]\nname = \"{session}\"\naddress = \"127.0.0.1:9\"\nlabels = {{ is = \"{label}\" }}\n"
        )
    }

    /// What a daemon says at its start.
    fn start(&self) -> String {
        let mut command = twinpath("daemon --control-socket none --config");
        command.arg(self.0.path());
        let mut daemon = Running::spawn(command);
        daemon.wait_for_error(STARTED)
    }

    fn texts(&self) -> [String; 2] {
        ["1.toml", "2.toml"].map(|name| fs::read_to_string(self.file(name)).unwrap())
    }

    fn names(&self) -> Vec<String> {
        let entries = fs::read_dir(self.0.path()).unwrap();
        let names = entries.map(|entry| entry.unwrap().file_name().into_string().unwrap());
        let mut names: Vec<String> = names.filter(|name| name != "socket").collect();
        names.sort();
        names
    }
}

#[test]
fn a_change_that_was_interrupted_is_finished() {
    let directory = Directory::interrupted();
    let said = directory.start();
    assert_eq!(said.matches(FINISHED).count(), 1, "{said}");
    let new = [directory.text("a", "new"), directory.text("b", "new")];
    assert_eq!(directory.texts(), new);
    assert_eq!(directory.names(), ["1.toml", "2.toml"]);
    assert!(!directory.start().contains(FINISHED));
}

#[test]
fn a_change_whose_files_were_edited_since_is_left() {
    let directory = Directory::interrupted();
    let edited = directory.text("b", "by hand");
    fs::write(directory.file("2.toml"), &edited).unwrap();
    let said = directory.start();
    assert!(said.contains("2.toml was edited since"), "{said}");
    assert_eq!(directory.texts(), [directory.text("a", "new"), edited]);
    let names = [".twinpath.change.edited", "1.toml", "2.toml"];
    assert_eq!(directory.names(), names);
    assert!(!directory.start().contains("edited since"));
}

/// Only names that the daemon itself writes.
#[test]
fn files_that_were_to_take_the_place_of_others_are_removed() {
    let directory = Directory::interrupted();
    let ours = [
        ".1.toml.aB3dE6.twinpath-new",
        "..twinpath.change.000000.twinpath-new",
        "..twinpath.unconfirmed.zzzzzz.twinpath-new",
    ];
    let others = [
        ".1.toml.aB3dE67.twinpath-new",
        ".1.toml.aB3dE6.new",
        ".3.toml.aB3dE6.twinpath-new",
        ".tmpaB3dE6",
        "1.toml.aB3dE6.twinpath-new",
    ];
    for name in ours.iter().chain(&others) {
        fs::write(directory.file(name), "x").unwrap();
    }
    directory.start();
    let names: Vec<String> = directory.names();
    let left: Vec<&str> = names.iter().map(String::as_str).collect();
    let expected: Vec<&str> = others.iter().copied().chain(["1.toml", "2.toml"]).collect();
    let mut expected = expected;
    expected.sort_unstable();
    assert_eq!(left, expected);
}

//! `twinpath config`.

use std::fs;

use super::{Daemon, Place};
use crate::program::{finish, run, twinpath};

const PLAIN: &str = "[[session]]
name = \"a\"
address = \"192.0.2.1:862\"
interval = \"1s\"
labels = { site = \"fra\" }
";

#[test]
fn a_configuration_without_faults_passes() {
    let done = Place::of(PLAIN).config("check");
    assert_eq!((done.status, &*done.stderr), (0, ""), "{}", done.stdout);
}

/// Of each text: the line of its fault, and what is said of it.
const FAULTS: [(&str, usize, &str); 20] = [
    (
        "[[session]]\nname = \"a\"\naddress = \"192.0.2.1\"\nintervall = \"1s\"\n",
        4,
        "did you mean interval?",
    ),
    (
        "[[session]]\nname = \"a\"\naddress = \"192.0.2.1\"\ninterval = \"1 parsec\"\n",
        4,
        "interval",
    ),
    (
        "[[session]]\nname = \"a\"\naddress = \"192.0.2.1\"\ninterval = 1000\n",
        4,
        "unit",
    ),
    ("[[session]]\nname = \"a\"\n", 1, "address"),
    ("[[session]]\naddress = \"192.0.2.1\"\n", 1, "name"),
    (
        "[[session]]\nname = \"a\"\naddress = \"192.0.2.1\"\ngroup = \"core\"\n",
        4,
        "core",
    ),
    (
        "[[session]]\nname = \"a\"\naddress = \"192.0.2.1\"\nprotocol = \"owamp\"\n",
        4,
        "twamp-light",
    ),
    (
        "[[session]]\nname = \"a\"\naddress = \"192.0.2.1\"\n\n[[session]]\nname = \"a\"\naddress = \"192.0.2.2\"\n",
        5,
        "a is in",
    ),
    ("[sesion]\nname = \"a\"\n", 1, "did you mean session?"),
    (
        "[[session]]\nname = \"a\"\naddress = \"192.0.2.1\"\npadding = 70000\n",
        4,
        "padding",
    ),
    // What no type tells.
    (
        "[[session]]\nname = \"a\"\naddress = \"192.0.2.1\"\nssid = 7\n",
        4,
        "ssid needs protocol",
    ),
    (
        "[[session]]\nname = \"a\"\naddress = \"192.0.2.1\"\nprotocol = \"twamp\"\nssid = 7\n",
        5,
        "not for this protocol",
    ),
    (
        "[[session]]\nname = \"a\"\naddress = \"192.0.2.1\"\nreport-interval = \"10ms\"\n",
        4,
        "too short",
    ),
    (
        "[[session]]\nname = \"a\"\naddress = \"192.0.2.1\"\nclasses = [\"ef\", 46]\n",
        4,
        "classes has ef twice",
    ),
    (
        "[[session]]\nname = \"a\"\naddress = \"192.0.2.1\"\nraw = true\n",
        4,
        "raw needs [store]: set its path, or leave raw out",
    ),
    (
        "[defaults]\nraw = true\n[[session]]\nname = \"a\"\naddress = \"192.0.2.1\"\n",
        2,
        "raw needs [store]",
    ),
    (
        "[[responder]]\nname = \"r\"\nauthenticated = true\n",
        3,
        "needs hmac-key-file",
    ),
    // A daemon runs in any directory.
    (
        "[[server]]\nname = \"s\"\nkeys = \"keys\"\n",
        3,
        "keys keys: write the whole path",
    ),
    (
        "[store]\npath = \"./store\"\n",
        2,
        "path ./store: write the whole path",
    ),
    (
        "[[alert]]\nname = \"a\"\nwhen = \"silent\"\nactions = [\n{ webhook = \"http://a/\", token = \"t\" }]\n",
        5,
        "token t: write the whole path",
    ),
];

#[test]
fn every_fault_has_its_line_and_what_to_write_instead() {
    for (text, line, said) in FAULTS {
        let place = Place::of(text);
        let done = place.config("check");
        assert_eq!(done.status, 2, "{text}{}", done.stderr);
        let at = format!("{}:{line}: ", place.file().display());
        let fault = done.stderr.lines().find(|fault| fault.contains(&at));
        let fault = fault.unwrap_or_else(|| panic!("{text}: {}", done.stderr));
        assert!(fault.contains(said), "{text}: {fault}");
    }
}

#[test]
fn all_faults_are_said_at_once() {
    let [(first, ..), (second, ..), ..] = FAULTS;
    let place = Place::of(&format!("{first}{}", second.replace("\"a\"", "\"b\"")));
    let done = place.config("check");
    let said: Vec<&str> = done.stderr.lines().collect();
    assert_eq!(said.len(), 2, "{}", done.stderr);
    assert!(
        said[0].contains(":4: ") && said[1].contains(":8: "),
        "{}",
        done.stderr
    );
}

#[test]
fn a_configuration_that_is_shown_is_the_same_one() {
    let place = Place::of(PLAIN);
    let shown = place.config("show");
    assert_eq!(shown.status, 0, "{}", shown.stderr);
    assert!(shown.stdout.contains("site = \"fra\""), "{}", shown.stdout);
    let again = Place::of(&shown.stdout);
    assert_eq!(again.config("show").stdout, shown.stdout);
    let mut command = twinpath("config diff");
    command.arg(place.file()).arg(again.file());
    let done = finish(command);
    assert_eq!((done.status, &*done.stdout), (0, ""), "{}", done.stderr);
}

#[test]
fn what_differs_between_two_configurations_is_listed() {
    let before = Place::of(PLAIN);
    let text = PLAIN.replace("\"1s\"", "\"2s\"");
    let other = text.replace("\"a\"", "\"b\"");
    let after = Place::of(&format!("{text}{other}"));
    let mut command = twinpath("config diff");
    command.arg(before.file()).arg(after.file());
    let done = finish(command);
    assert_eq!(done.status, 1, "{}", done.stderr);
    let lines: Vec<&str> = done.stdout.lines().collect();
    assert_eq!(lines.len(), 2, "{}", done.stdout);
    assert!(
        lines[0].contains("interval") && lines[0].contains("2s"),
        "{}",
        done.stdout
    );
    assert!(
        lines[1].contains("session") && lines[1].contains('b'),
        "{}",
        done.stdout
    );
}

#[test]
fn the_files_of_a_directory_are_one_configuration() {
    let place = tempfile::tempdir().unwrap();
    fs::write(
        place.path().join("10-defaults.toml"),
        "[defaults]\ninterval = \"2s\"\n",
    )
    .unwrap();
    fs::write(place.path().join("20-sessions.toml"), PLAIN).unwrap();
    fs::write(place.path().join("notes.txt"), "not TOML").unwrap();
    let show = |what: &str| {
        let mut command = twinpath(&format!("config {what}"));
        command.arg(place.path());
        finish(command)
    };
    let shown = show("show");
    assert!(
        shown.stdout.contains("[defaults]"),
        "{}{}",
        shown.stdout,
        shown.stderr
    );
    assert!(shown.stdout.contains("[[session]]"), "{}", shown.stdout);
    // A leaf that two files set is a fault that names both.
    fs::write(
        place.path().join("30-more.toml"),
        "[defaults]\ninterval = \"3s\"\n",
    )
    .unwrap();
    let done = show("check");
    assert_eq!(done.status, 2);
    let both = done.stderr.contains("10-defaults.toml") && done.stderr.contains("30-more.toml");
    assert!(both, "{}", done.stderr);
}

#[test]
fn the_modules_of_the_schema_are_printed() {
    let own = run("config schema");
    assert_eq!(own.status, 0);
    assert!(
        own.stdout.starts_with("module twinpath-measurement {"),
        "{}",
        own.stdout
    );
    let types = run("config schema ietf-inet-types");
    assert!(
        types.stdout.contains("module ietf-inet-types {"),
        "{}",
        types.stdout
    );
    let none = run("config schema ietf-interfaces");
    assert_eq!(none.status, 2);
    assert!(
        none.stderr.contains("twinpath-measurement"),
        "{}",
        none.stderr
    );
}

#[test]
fn a_configuration_that_runs_nothing_says_so() {
    let said = "the configuration runs nothing";
    let session = "[[session]]\nname = \"a\"\naddress = \"127.0.0.1:9\"\n";
    let disabled = format!("{session}enabled = false\n");
    for (text, is_idle) in [
        ("", true),
        ("# Later.\n", true),
        (&disabled, true),
        (session, false),
    ] {
        let place = Place::of(text);
        let done = place.config("check");
        assert_eq!(done.status, 0, "{text}: {}", done.stderr);
        let times = usize::from(is_idle);
        assert_eq!(done.stderr.matches(said).count(), times, "{}", done.stderr);
        assert_eq!(done.stderr.lines().count(), times, "{}", done.stderr);
    }
    let mut daemon = Daemon::start("# Later.\n");
    daemon.process().wait_for_error(said);
    daemon.reload(session);
    daemon.process().wait_for_error("session a: measuring");
    daemon.reload("");
    daemon.process().wait_for_error(said);
}

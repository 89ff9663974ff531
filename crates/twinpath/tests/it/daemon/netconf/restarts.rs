//! Commits that wait to be confirmed while the daemon ends (RFC 6241 section 8.4.1).

use std::fs;
use std::os::unix::fs::PermissionsExt as _;
use std::path::PathBuf;

use super::super::restconf::of_session;
use super::super::wait_for;
use super::{Daemon, edit, entry};
use crate::program::{run, shell};

const CONFIRMED: &str = "<commit><confirmed/><confirm-timeout>600</confirm-timeout></commit>";
const PERSISTENT: &str =
    "<commit><confirmed/><confirm-timeout>600</confirm-timeout><persist>token</persist></commit>";
const UNDONE: &str = "was not confirmed before the daemon ended: it is undone";
const STARTED: &str = "NETCONF at";

impl Daemon {
    /// A file beside that of its configuration.
    fn beside(&self, name: &str) -> PathBuf {
        self.served.daemon.file().with_file_name(name)
    }

    /// What undoes a commit that waits.
    fn record(&self) -> PathBuf {
        self.beside(".twinpath.toml.unconfirmed")
    }

    /// Kills it and starts it again: what it says until it serves NETCONF.
    fn restart(&mut self) -> String {
        let daemon = &mut self.served.daemon;
        daemon.restart();
        daemon.process().wait_for_error(STARTED)
    }

    /// Keeps its file from being replaced; false: that is not possible here.
    fn hold(&self, is_held: bool) -> bool {
        let sign = if is_held { '+' } else { '-' };
        let file = self.served.daemon.file();
        shell(&format!("chattr {sign}i {}", file.display())).status == 0
    }

    fn has_session(&self, name: &str) -> bool {
        self.served.get(&of_session(name)).status == 200
    }
}

#[test]
fn a_second_start_leaves_a_commit_that_waits_in_another_daemon() {
    let mut daemon = Daemon::start();
    let file = daemon.served.daemon.file();
    let mut client = daemon.session();
    client.edit("candidate", &entry("b", ""));
    client.ok(PERSISTENT);
    let with = daemon.served.text();
    let second = run(&format!("daemon --config {}", file.display()));
    assert_ne!(second.status, 0);
    assert!(
        second
            .stderr
            .contains("a commit that waits in another daemon"),
        "{}",
        second.stderr
    );
    assert_eq!(daemon.served.text(), with);
    client.ok("<commit><persist-id>token</persist-id></commit>");
    assert!(!daemon.record().exists());
    daemon.restart();
    assert!(daemon.has_session("b"));
}

#[test]
fn a_commit_that_waits_is_undone_at_the_next_start() {
    let mut daemon = Daemon::start();
    let file = daemon.served.daemon.file();
    fs::set_permissions(&file, fs::Permissions::from_mode(0o640)).unwrap();
    let before = daemon.served.text();
    for (commit, signal) in [
        (CONFIRMED, "KILL"),
        (PERSISTENT, "KILL"),
        (PERSISTENT, "TERM"),
    ] {
        let mut client = daemon.session();
        client.edit("candidate", &entry("b", ""));
        client.ok(commit);
        assert!(daemon.served.text().contains("name = \"b\""));
        let about = fs::metadata(daemon.record()).unwrap();
        assert_eq!(about.permissions().mode() & 0o777, 0o640);
        let process = daemon.served.daemon.process();
        process.signal(&[signal]);
        process.ended();
        let said = daemon.restart();
        assert_eq!(said.matches(UNDONE).count(), 1, "{commit} {signal}: {said}");
        assert!(!said.contains("session b"), "{said}");
        assert_eq!(daemon.served.text(), before);
        assert!(!daemon.has_session("b") && !daemon.record().exists());
        // Once.
        assert!(!daemon.restart().contains(UNDONE));
    }
}

#[test]
fn a_commit_that_continues_another_is_undone_with_it() {
    let mut daemon = Daemon::start();
    let before = daemon.served.text();
    let mut client = daemon.session();
    client.edit("candidate", &entry("b", ""));
    client.ok(CONFIRMED);
    client.edit("candidate", &entry("c", ""));
    client.ok(CONFIRMED);
    // Its own edits too.
    client.ok(&edit("running", &entry("d", "")));
    let text = daemon.served.text();
    assert!(text.contains("name = \"b\"") && text.contains("name = \"d\""));
    let said = daemon.restart();
    assert!(said.contains(UNDONE) && !said.contains("edited"), "{said}");
    assert_eq!(daemon.served.text(), before);
}

#[test]
fn a_commit_that_is_confirmed_stays_after_a_start() {
    let mut daemon = Daemon::start();
    let mut client = daemon.session();
    client.edit("candidate", &entry("b", ""));
    client.ok(CONFIRMED);
    client.ok("<commit/>");
    assert!(!daemon.record().exists());
    let said = daemon.restart();
    assert!(!said.contains(UNDONE) && daemon.has_session("b"), "{said}");
    // With a change of its own.
    let mut client = daemon.session();
    client.edit("candidate", &entry("c", ""));
    client.ok(CONFIRMED);
    client.edit("candidate", &entry("d", ""));
    client.ok("<commit/>");
    assert!(!daemon.record().exists());
    daemon.restart();
    assert!(daemon.has_session("c") && daemon.has_session("d"));
    // Or cancelled.
    let mut client = daemon.session();
    let before = daemon.served.text();
    client.edit("candidate", &entry("e", ""));
    client.ok(CONFIRMED);
    client.ok("<cancel-commit/>");
    assert_eq!(daemon.served.text(), before);
    assert!(!daemon.record().exists());
}

#[test]
fn what_somebody_has_edited_since_is_kept() {
    let mut daemon = Daemon::start();
    let file = daemon.served.daemon.file();
    let before = daemon.served.text();
    for number in 1..=2 {
        let mut client = daemon.session();
        client.edit("candidate", &entry("b", ""));
        client.ok(CONFIRMED);
        daemon.served.daemon.process = None;
        let edited = format!("{}# By hand: {number}.\n", daemon.served.text());
        fs::write(&file, &edited).unwrap();
        let said = daemon.restart();
        let name = ["twinpath.toml.edited", "twinpath.toml.edited-2"][number - 1];
        assert!(said.contains(UNDONE), "{said}");
        assert!(said.contains(&format!("{name}\n")), "{said}");
        assert_eq!(fs::read_to_string(daemon.beside(name)).unwrap(), edited);
        assert_eq!(daemon.served.text(), before);
    }
    // While it runs.
    let mut client = daemon.session();
    client.edit("candidate", &entry("b", ""));
    client.ok(CONFIRMED);
    fs::write(&file, daemon.served.text() + "# By hand.\n").unwrap();
    client.ok("<cancel-commit/>");
    assert_eq!(daemon.served.text(), before);
    let kept = fs::read_to_string(daemon.beside("twinpath.toml.edited-3")).unwrap();
    assert!(kept.ends_with("# By hand.\n"));
    // A file that is not there.
    client.edit("candidate", &entry("b", ""));
    client.ok(CONFIRMED);
    fs::remove_file(&file).unwrap();
    client.ok("<cancel-commit/>");
    assert_eq!(daemon.served.text(), before);
}

#[test]
fn a_damaged_record_does_not_stop_the_daemon() {
    let mut daemon = Daemon::start();
    let mut client = daemon.session();
    client.edit("candidate", &entry("b", ""));
    client.ok(CONFIRMED);
    let whole = fs::read_to_string(daemon.record()).unwrap();
    let outside = whole.replace("\"twinpath.toml\"", "\"../twinpath.toml\"");
    let later = whole.replace("\"version\":1", "\"version\":9");
    assert!(outside != whole && later != whole);
    for damaged in [&whole[..whole.len() / 2], "", &outside, &later] {
        daemon.served.daemon.process = None;
        fs::write(daemon.record(), damaged).unwrap();
        let said = daemon.restart();
        assert!(said.contains("unconfirmed has a fault"), "{said}");
        assert!(daemon.has_session("b"));
        let aside = daemon.beside(".twinpath.toml.unconfirmed.damaged");
        assert_eq!(fs::read_to_string(aside).unwrap(), damaged);
    }
}

#[test]
fn files_that_cannot_be_written_are_written_later() {
    let mut daemon = Daemon::start();
    let before = daemon.served.text();
    let mut client = daemon.session();
    client.edit("candidate", &entry("b", ""));
    client.ok(
        "<commit><confirmed/><confirm-timeout>1</confirm-timeout><persist>t</persist></commit>",
    );
    if !daemon.hold(true) {
        eprintln!("skipped: no file can be made immutable here");
        return;
    }
    // It is in force before it can be written.
    wait_for("undone", || !daemon.has_session("b"));
    assert!(daemon.served.text().contains("name = \"b\""));
    let refused = daemon
        .served
        .json("PUT", &of_session("c"), &daemon.served.session("c"));
    // Two attempts fail.
    std::thread::sleep(std::time::Duration::from_secs(3));
    daemon.hold(false);
    assert_eq!(refused.status, 409, "{refused:?}");
    let now = "undone in the files now";
    let said = daemon.served.daemon.process().wait_for_error(now);
    assert_eq!(said.matches("tried again").count(), 1, "{said}");
    assert_eq!(daemon.served.text(), before);
    assert!(!daemon.record().exists());
    // At a start too.
    let mut client = daemon.session();
    client.edit("candidate", &entry("b", ""));
    client.ok(CONFIRMED);
    daemon.hold(true);
    let said = daemon.restart();
    let runs = daemon.has_session("b");
    daemon.hold(false);
    assert!(said.contains("tried again") && !runs, "{said}");
    daemon.served.daemon.process().wait_for_error(now);
    assert_eq!(daemon.served.text(), before);
}

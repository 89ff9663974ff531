//! Who gets in, and to what.

use std::fs;
use std::process::{Command, Stdio};

use super::super::{PATIENCE, Place};
use super::{Daemon, Keys, get_config};

fn status(mut command: Command) -> bool {
    command
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .stderr(Stdio::null());
    command.status().unwrap().success()
}

#[test]
fn users_without_their_key_are_refused() {
    let daemon = Daemon::with(&["ann", "bob"], "");
    daemon.keys.make("other", "ed25519", "ann");
    daemon.keys.make("elliptic", "ecdsa", "carol");
    let netconf = |user: &str, key: &str| {
        let mut command = daemon.ssh(user, key);
        command.args(["-s", "netconf"]);
        status(command)
    };
    assert!(netconf("ann", "ann"));
    assert!(!netconf("ann", "other"));
    assert!(!netconf("ann", "bob"));
    assert!(!netconf("root", "ann"));
    assert!(!netconf("carol", "elliptic"));
}

#[test]
fn nothing_but_netconf_is_served() {
    let daemon = Daemon::start();
    let with = |arguments: &[&str]| {
        let mut command = daemon.ssh("ann", "ann");
        command.args(arguments);
        status(command)
    };
    assert!(with(&["-s", "netconf"]));
    assert!(!with(&["-s", "sftp"]));
    assert!(!with(&["true"]));
    assert!(!with(&[]));
    assert!(!with(&["-tt"]));
    let to_responder = format!("127.0.0.1:{}", daemon.served.responder);
    let mut command = daemon.ssh("ann", "ann");
    command.args(["-W", &to_responder, "-o", "ExitOnForwardFailure=yes"]);
    assert!(!status(command));
    let mut command = daemon.ssh("ann", "ann");
    command.args([
        "-N",
        "-R",
        "0:127.0.0.1:9",
        "-o",
        "ExitOnForwardFailure=yes",
    ]);
    assert!(!status(command));
    // The daemon goes on.
    let mut client = daemon.session();
    client.ok("<close-session/>");
}

#[test]
fn keys_are_read_again_and_end_sessions_without_them() {
    let mut daemon = Daemon::with(&["ann", "bob"], "");
    let (mut ann, mut bob) = (daemon.session(), daemon.session_of("bob"));
    let key = fs::read_to_string(daemon.keys.path("bob.pub")).unwrap();
    fs::write(daemon.keys.path("authorized"), key).unwrap();
    daemon.served.daemon.process().signal(&["HUP"]);
    assert!(ann.is_over());
    bob.ok("<discard-changes/>");
    let mut command = daemon.ssh("ann", "ann");
    command.args(["-s", "netconf"]);
    assert!(!status(command));
    // A fault changes nothing.
    fs::write(daemon.keys.path("authorized"), "nonsense\n").unwrap();
    daemon.served.daemon.process().signal(&["HUP"]);
    let until = std::time::Instant::now() + PATIENCE;
    while std::time::Instant::now() < until && !bob.ask(&get_config("running")).contains("<name>a<")
    {
    }
    bob.ok("<discard-changes/>");
    let mut again = daemon.session_of("bob");
    again.ok("<discard-changes/>");
    let done = daemon.served.daemon.stop();
    assert!(done.stderr.contains("authorized:1: "), "{}", done.stderr);
}

#[test]
fn files_that_cannot_be_used_are_faults() {
    let keys = Keys::of(&["ann"]);
    let place = Place::of(&keys.configuration(830));
    assert_eq!(place.config("check").status, 0);
    let fault = |part: &str| {
        let done = place.config("check");
        assert_eq!(done.status, 2, "{part}");
        assert!(done.stderr.contains("twinpath.toml:"), "{}", done.stderr);
        assert!(done.stderr.contains(part), "{part}: {}", done.stderr);
    };
    keys.set_mode("authorized", 0o666);
    fault("(mode 0666)");
    keys.set_mode("authorized", 0o644);
    keys.set_mode("host", 0o644);
    fault("(mode 0644)");
    keys.set_mode("host", 0o600);
    fs::write(keys.path("authorized"), "ssh-ed25519 AAAA\n").unwrap();
    fault("authorized:1: not a public key");
    let line = fs::read_to_string(keys.path("ann.pub"))
        .unwrap()
        .replace(" ann", "");
    fs::write(keys.path("authorized"), line).unwrap();
    fault("authorized:1: a key without a comment");
    fs::remove_file(keys.path("host")).unwrap();
    keys.make("host", "rsa", "host");
    fault("neither Ed25519 nor ECDSA");
    fs::remove_file(keys.path("host")).unwrap();
    fault("cannot read");
}

//! Clients that others have written.

use std::fs;
use std::process::{Command, Output, Stdio};

use super::Daemon;

/// What ncclient does with a server: its arguments are the port, the user's key, and the file of host keys.
const NCCLIENT: &str = include_str!("clients.py");

fn said(output: &Output) -> String {
    String::from_utf8_lossy(&[&output.stdout[..], &output.stderr[..]].concat()).into_owned()
}

#[test]
fn ncclient_is_served() {
    let mut check = Command::new("/usr/bin/python3");
    let check = check
        .args(["-c", "import ncclient"])
        .stderr(Stdio::null())
        .status();
    if !check.is_ok_and(|status| status.success()) {
        println!("skipped: ncclient (Debian: python3-ncclient) is needed");
        return;
    }
    let daemon = Daemon::start();
    let mut command = Command::new("/usr/bin/python3");
    command.args(["-c", NCCLIENT]).arg(daemon.port.to_string());
    command
        .arg(daemon.keys.path("ann"))
        .arg(daemon.keys.path("known"));
    let output = command.output().unwrap();
    assert!(output.status.success(), "{}", said(&output));
    assert!(said(&output).ends_with("done\n"), "{}", said(&output));
    assert!(daemon.served.text().contains("name = \"ncclient\""));
}

#[test]
fn yangcli_is_served() {
    if Command::new("yangcli").arg("--version").output().is_err() {
        println!("skipped: yangcli (Debian: yangcli) is needed");
        return;
    }
    let daemon = Daemon::start();
    let home = tempfile::tempdir().unwrap();
    let script = home.path().join("script");
    fs::write(&script, "get-config source=running\nlock target=candidate\nunlock target=candidate\nclose-session\n").unwrap();
    let mut command = Command::new("yangcli");
    command.env("HOME", home.path()).current_dir(home.path());
    command.args([
        "--server=127.0.0.1",
        "--user=ann",
        "--batch-mode",
        "--autoload=false",
    ]);
    command.arg(format!("--ncport={}", daemon.port));
    command.arg(format!(
        "--private-key={}",
        daemon.keys.path("ann").display()
    ));
    command.arg(format!(
        "--public-key={}",
        daemon.keys.path("ann.pub").display()
    ));
    command.arg(format!("--run-script={}", script.display()));
    let output = command.stdin(Stdio::null()).output().unwrap();
    let said = said(&output);
    assert!(said.contains("site") && said.contains("fra"), "{said}");
}

//! `twinpath check`: its own options. Those that it shares with the sender are read by the same parsers, and
//! a test of these (`each_option_of_the_sender_means_the_same_in_a_check`) compares what comes of them.

use std::os::unix::fs::PermissionsExt as _;

use super::{acts, complete, each_row, judged, options};
use crate::program::{Done, Responder, run};

struct Row {
    option: &'static str,
    /// `{far}`: a responder; `{server}`, `{secured}`: servers, with keys or not.
    base: &'static str,
    given: &'static str,
    sees: fn(&Done) -> bool,
}

const PLAIN: &str = "check {far} -c 5 -i 5 --timeout 1";
const CONTROLLED: &str = "check {server} 127.0.0.1:0 -c 5 -i 5 --timeout 1";
const SECURED: &str = "check {secured} 127.0.0.1:0 -c 5 -i 5 --timeout 1 --control -v";

fn rows() -> Vec<Row> {
    let row = |option, base, given, sees| Row {
        option,
        base,
        given,
        sees,
    };
    vec![
        row("--warn", PLAIN, "--warn rtt_p95=1ns", |done| {
            done.status == 1
        }),
        row("--crit", PLAIN, "--crit rtt_p95=1ns", |done| {
            done.status == 2
        }),
        row(
            "--deadline",
            "check {far} -c 100 -i 100 --timeout 1",
            "--deadline 5",
            |done| done.stdout.contains("--deadline 5 s is too short"),
        ),
        row("--verbose", PLAIN, "--verbose", |done| {
            done.stdout.lines().count() > 2
        }),
        row("--debug", CONTROLLED, "--debug", |done| {
            !done.stderr.is_empty()
        }),
        row("--control", CONTROLLED, "--control", |done| {
            done.status == 0
        }),
        row(
            "--nat",
            "check {nat} 127.0.0.1:0 -c 5 -i 5 --timeout 1 --control",
            "--nat -v",
            |done| done.status == 0 && done.stdout.contains("No loss"),
        ),
        row("--keys", SECURED, "--keys {dir}/keys", |done| {
            done.stdout.contains("TWAMP (encrypted")
        }),
        row(
            "--mode",
            SECURED,
            "--keys {dir}/keys --mode mixed",
            |done| done.stdout.contains("\nTWAMP (mixed) from"),
        ),
        row(
            "--key-id",
            SECURED,
            "--keys {dir}/two --key-id noc",
            |done| done.stdout.contains("TWAMP (encrypted"),
        ),
        row(
            "--insecure-key-file",
            SECURED,
            "--keys {dir}/readable --insecure-key-file",
            |done| done.stdout.contains("TWAMP (encrypted"),
        ),
    ]
}

#[test]
fn every_option_of_a_check_acts() {
    let directory = tempfile::tempdir().unwrap();
    for (name, keys, mode) in [
        ("keys", "noc the passphrase of noc\n", 0o600),
        (
            "two",
            "noc the passphrase of noc\nother another passphrase\n",
            0o600,
        ),
        ("readable", "noc the passphrase of noc\n", 0o644),
    ] {
        let path = directory.path().join(name);
        std::fs::write(&path, keys).unwrap();
        std::fs::set_permissions(&path, std::fs::Permissions::from_mode(mode)).unwrap();
    }
    let directory = directory.path().display().to_string();
    let far = Responder::on_loopback();
    let server = Responder::server("");
    let nat = Responder::server("--nat");
    let secured = Responder::server(&format!("--keys {directory}/keys"));
    let rows = rows();
    let sender = options("sender");
    let shared = options("check")
        .into_iter()
        .filter(|option| sender.contains(option));
    let shared: Vec<String> = shared.collect();
    let own = rows.iter().map(|row| row.option);
    complete("check", own.chain(shared.iter().map(String::as_str)));
    each_row(&rows, |row| {
        acts(row.option, row.given, false, |given| {
            let line = format!("{} {given}", row.base)
                .replace("{far}", &far.at.to_string())
                .replace("{server}", &server.at.to_string())
                .replace("{nat}", &nat.at.to_string())
                .replace("{secured}", &secured.at.to_string())
                .replace("{dir}", &directory);
            let done = run(&line);
            Some(judged(&done, &done, row.sees))
        })
    });
}

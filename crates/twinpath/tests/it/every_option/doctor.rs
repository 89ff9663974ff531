//! `twinpath doctor`.

use super::{complete, each_row, judged};
use crate::program::{Done, Responder, run, shell};

struct Row {
    option: &'static str,
    /// `{far}`: a responder; `{dir}`: a directory with files of keys.
    line: &'static str,
    given: &'static str,
    sees: fn(&Done) -> bool,
}

const KEY: &str = "000102030405060708090a0b0c0d0e0f";

/// Trials that were made.
fn made(done: &Done, part: &str) -> usize {
    let document = done.document();
    let trials = document["strict"].as_array().unwrap();
    trials
        .iter()
        .filter(|trial| trial["id"].as_str().unwrap().starts_with(part))
        .filter(|trial| trial["status"] != "skipped")
        .count()
}

const ROWS: &[Row] = &[
    Row {
        option: "--ipv4",
        line: "doctor ::1 --dry-run",
        given: "--ipv4",
        sees: |done| done.status != 0,
    },
    Row {
        option: "--ipv6",
        line: "doctor 127.0.0.1 --dry-run",
        given: "--ipv6",
        sees: |done| done.status != 0,
    },
    Row {
        option: "--json",
        line: "doctor 127.0.0.1 --dry-run",
        given: "--json",
        sees: |done| done.document()["schema"] == "twinpath-doctor-1",
    },
    Row {
        option: "--dry-run",
        line: "doctor {far}",
        given: "--dry-run",
        sees: |done| done.stdout.starts_with("Sends to"),
    },
    Row {
        option: "--strict",
        line: "doctor {far} --json",
        given: "--strict",
        sees: |done| made(done, "strict.light") > 10,
    },
    Row {
        option: "--stress",
        line: "doctor 127.0.0.1 --dry-run",
        given: "--stress 5000",
        sees: |done| {
            done.stdout
                .contains("--stress sends up to 5000 packets a second")
        },
    },
    Row {
        option: "--yes",
        // From a namespace without interfaces: nothing leaves it.
        line: "doctor 100.64.255.1:9 --strict --json",
        given: "--yes",
        sees: |done| done.document()["strict"].is_array(),
    },
    Row {
        option: "--yes",
        line: "doctor 100.64.255.1:9 --stress 100 --json",
        given: "--yes",
        sees: |done| done.document()["checks"].is_array(),
    },
    Row {
        option: "--verbose",
        line: "doctor {far} --strict",
        given: "--verbose",
        sees: |done| done.stdout.contains("pass     strict.light.short"),
    },
    Row {
        option: "--hmac-key",
        line: "doctor {far} --strict --json",
        given: "--hmac-key 000102030405060708090a0b0c0d0e0f",
        sees: |done| made(done, "strict.authenticated") > 10,
    },
    Row {
        option: "--hmac-key-file",
        line: "doctor {far} --strict --json",
        given: "--hmac-key-file {dir}/own",
        sees: |done| made(done, "strict.authenticated") > 10,
    },
    Row {
        option: "--insecure-key-file",
        line: "doctor {far} --strict --json --hmac-key-file {dir}/others",
        given: "--insecure-key-file",
        sees: |done| made(done, "strict.authenticated") > 10,
    },
    Row {
        option: "--debug",
        line: "doctor 127.0.0.1 --dry-run",
        given: "--quiet --debug",
        // Neither goes with the other.
        sees: |done| done.status == 2,
    },
    Row {
        option: "--quiet",
        line: "doctor 127.0.0.1 --dry-run",
        given: "--debug --quiet",
        sees: |done| done.status == 2,
    },
    Row {
        option: "--logfile",
        line: "doctor 127.0.0.1 --dry-run",
        given: "--logfile {dir}/no-such/log",
        sees: |done| done.status != 0,
    },
];

/// Rows about the keys of TWAMP-Control; `{secured}`: a server with them.
#[cfg(not(feature = "control"))]
const CONTROL_ROWS: &[Row] = &[];
#[cfg(feature = "control")]
const CONTROL_ROWS: &[Row] = &[
    Row {
        option: "--keys",
        line: "doctor {secured} --json",
        given: "--keys {dir}/keys",
        sees: |done| encrypted(done).starts_with("ok: the encrypted mode works with the key noc"),
    },
    Row {
        option: "--keys",
        line: "doctor {secured} --json --hmac-key-file {dir}/own",
        given: "--keys {dir}/keys",
        sees: |done| encrypted(done).starts_with("ok: "),
    },
    Row {
        option: "--insecure-key-file",
        line: "doctor {secured} --json --hmac-key 000102030405060708090a0b0c0d0e0f --keys {dir}/keys_of_all",
        given: "--insecure-key-file",
        sees: |done| {
            let document = done.document();
            let command = document["command"].as_str().unwrap();
            encrypted(done).starts_with("ok: ")
                && command.ends_with("/keys_of_all --insecure-key-file")
        },
    },
    Row {
        option: "--key-id",
        line: "doctor {secured} --json --keys {dir}/two",
        given: "--key-id noc",
        sees: |done| encrypted(done).starts_with("ok: "),
    },
    Row {
        option: "--max-pbkdf2-count",
        line: "doctor {secured} --json --keys {dir}/keys",
        given: "--max-pbkdf2-count 1024",
        sees: |done| {
            done.stdout
                .contains("2048 PBKDF2 iterations; accepted are 1024 to 1024")
        },
    },
];

/// What is said of the encrypted mode.
#[cfg(feature = "control")]
fn encrypted(done: &Done) -> String {
    let document = done.document();
    let mut checks = document["checks"].as_array().unwrap().iter();
    let check = checks
        .find(|check| check["id"] == "control.mode.encrypted")
        .unwrap();
    let text = |key: &str| check[key].as_str().unwrap().to_owned();
    format!("{}: {}", text("status"), text("finding"))
}

/// In a namespace of its own; `None` where there can be none.
fn alone(line: &str) -> Option<Done> {
    let possible = shell("unshare -n true");
    if possible.status != 0 {
        println!(
            "skipped in part: no network of its own here ({})",
            possible.stderr
        );
        return None;
    }
    let program = env!("CARGO_BIN_EXE_twinpath");
    Some(shell(&format!("exec unshare -n {program} {line}")))
}

#[test]
fn every_option_of_the_doctor_acts() {
    let rows: Vec<&Row> = ROWS.iter().chain(CONTROL_ROWS).collect();
    complete("doctor", rows.iter().map(|row| row.option));
    let responder = Responder::start(&format!("127.0.0.1:0 --hmac-key {KEY}"));
    let directory = tempfile::tempdir().unwrap();
    for (name, text, mode) in [
        ("own", KEY, 0o600),
        ("others", KEY, 0o644),
        ("keys", "noc a secret\n", 0o600),
        ("keys_of_all", "noc a secret\n", 0o644),
        ("two", "noc a secret\nother another\n", 0o600),
    ] {
        use std::os::unix::fs::PermissionsExt as _;
        let path = directory.path().join(name);
        std::fs::write(&path, text).unwrap();
        std::fs::set_permissions(&path, std::fs::Permissions::from_mode(mode)).unwrap();
    }
    #[cfg(feature = "control")]
    let server = Responder::server(&format!(
        "--pbkdf2-count 2048 --keys {}",
        directory.path().join("keys").display()
    ));
    #[cfg(feature = "control")]
    let secured = server.at.to_string();
    #[cfg(not(feature = "control"))]
    let secured = String::new();
    each_row(&rows, |row| {
        super::acts(row.option, row.given, false, |given| {
            let line = format!("{} {given}", row.line)
                .replace("{far}", &responder.at.to_string())
                .replace("{secured}", &secured)
                .replace("{dir}", &directory.path().display().to_string());
            let done = if row.option == "--yes" {
                alone(&line)?
            } else {
                run(&line)
            };
            Some(judged(&done, &done, row.sees))
        })
    });
}

//! `twinpath selftest`, `twinpath dscptable`, `twinpath import-owamp` and `twinpath status`.

use super::sender::Seen;
use super::{acts, complete, each_row, judged};
#[cfg(all(feature = "status", unix))]
use crate::program::{Responder, Running};
use crate::program::{run, shell};

struct Row {
    option: &'static str,
    base: &'static str,
    given: &'static str,
    sees: fn(&Seen) -> bool,
    /// On a host without IPv6, of which there is something to say.
    without_ipv6: bool,
}

const fn row(
    option: &'static str,
    base: &'static str,
    given: &'static str,
    sees: fn(&Seen) -> bool,
) -> Row {
    Row {
        option,
        base,
        given,
        sees,
        without_ipv6: false,
    }
}

const SHORT: &str = "selftest -c 3 -i 1";

/// `None` where there can be no such host.
fn observe(row: &Row, given: &str) -> Option<Seen> {
    let directory = tempfile::tempdir().unwrap();
    let line =
        format!("{} {given}", row.base).replace("{dir}", &directory.path().display().to_string());
    if !row.without_ipv6 {
        return Some(Seen::of(run(&line), directory));
    }
    let network = "ip link set lo up && sysctl -qw net.ipv6.conf.lo.disable_ipv6=1";
    let program = env!("CARGO_BIN_EXE_twinpath");
    let possible = shell(&format!("unshare -n sh -c '{network}'"));
    if possible.status != 0 {
        println!(
            "skipped in part: no network of its own here ({})",
            possible.stderr
        );
        return None;
    }
    let done = shell(&format!(
        "unshare -n sh -c '{network} && exec {program} {line}'"
    ));
    Some(Seen::of(done, directory))
}

fn each_acts(rows: &[Row]) {
    each_row(rows, |row| {
        acts(row.option, row.given, false, |given| {
            let seen = observe(row, given)?;
            Some(judged(&seen, &seen.done, row.sees))
        })
    });
}

#[test]
fn every_option_of_the_selftest_acts() {
    let rows = [
        row("--count", "selftest -i 1 --json", "--count 3", |seen| {
            seen.session()["packets"]["sent"] == 3
        }),
        row(
            "--interval",
            "selftest -c 3 --json",
            "--interval 7",
            |seen| seen.session()["interval_ns"] == 7_000_000,
        ),
        row("--json", SHORT, "--json", |seen| {
            seen.json["schema"] == "twinpath-report-1"
        }),
        row(
            "--portable",
            "selftest -c 3 -i 1 --json",
            "--portable",
            |seen| {
                seen.session()["timestamps"]["transmit"] == "user"
                    && seen.session()["ttl_backward"].is_null()
            },
        ),
        Row {
            without_ipv6: true,
            ..row("--quiet", SHORT, "--quiet", |seen| {
                seen.done.status == 0 && seen.done.stderr.is_empty()
            })
        },
        row("--debug", SHORT, "--debug", |seen| {
            seen.done.stderr.contains("DEBUG")
        }),
        row("--logfile", SHORT, "--logfile {dir}/log", |seen| {
            seen.file("log").contains("INFO")
        }),
    ];
    complete("selftest", rows.iter().map(|row| row.option));
    each_acts(&rows);
}

#[test]
fn every_option_of_the_dscp_table_acts() {
    let rows = [row("--json", "dscptable", "--json", |seen| {
        seen.json["schema"] == "twinpath-dscptable-1"
    })];
    complete("dscptable", rows.iter().map(|row| row.option));
    each_acts(&rows);
}

#[cfg(feature = "control")]
#[test]
fn every_option_of_the_import_acts() {
    complete("import-owamp", ["--to", "--force"].into_iter());
    let directory = tempfile::tempdir().unwrap();
    std::fs::write(
        directory.path().join("twampd.conf"),
        "testports 9000-9100\n",
    )
    .unwrap();
    let limits = directory.path().join("server.limits");
    let line = format!("import-owamp {0}", directory.path().display());
    assert_eq!(run(&line).status, 0);
    assert!(!limits.exists());
    let line = format!("{line} --to {}", directory.path().display());
    assert_eq!(run(&line).status, 0);
    assert!(limits.exists());
    assert_eq!(run(&line).status, 1);
    assert_eq!(run(&format!("{line} --force")).status, 0);
}

#[cfg(all(feature = "status", unix))]
#[test]
fn every_option_of_the_status_acts() {
    let directory = tempfile::tempdir().unwrap();
    let socket = directory.path().join("s").display().to_string();
    let mut responder = Responder::start(&format!("127.0.0.1:0 -d --control-socket {socket}"));
    responder.wait_for("control socket");
    complete("status", ["--watch", "--interval", "--json"].into_iter());
    let plain = run(&format!("status {socket}")).stdout;
    assert!(plain.starts_with("Program "), "{plain}");
    let json = run(&format!("status {socket} --json"));
    assert_eq!(json.document()["schema"], "twinpath-status-1");
    // Each line has its time: two of them are as far apart as the option says.
    let mut watch = Running::start(&format!("status {socket} --watch --interval 1.2"));
    let mut time = || {
        let line = watch.wait_for(" rate ");
        let (at, _) = line.split_once(' ').unwrap();
        let minutes = &at[14..at.len() - 1];
        let (minutes, seconds) = minutes.split_once(':').unwrap();
        minutes.parse::<f64>().unwrap() * 60.0 + seconds.parse::<f64>().unwrap()
    };
    let (first, second) = (time(), time());
    let apart = (second - first).rem_euclid(3_600.0);
    assert!(apart >= 1.2, "{apart}");
    watch.signal(&["INT"]);
    assert_eq!(watch.finish().status, 0);
}

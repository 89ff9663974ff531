//! `twinpath report`.

use std::os::unix::fs::PermissionsExt as _;
use std::path::Path;

use super::sender::Seen;
use super::{acts, complete, each_row, judged};
use crate::program::{Responder, run};
use crate::saved::captures;

struct Row {
    option: &'static str,
    /// The command without it. `{run}` is the raw file of a run that lost nothing, `{lossy}` of one that lost all,
    /// `{capture}` a capture, `{store}` a store, `{signed}` one with HMACs,
    /// `{secret}` a file with their key, `{readable}` one that others can read, `{dir}` the run's own directory.
    base: &'static str,
    given: &'static str,
    sees: fn(&Seen) -> bool,
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
    }
}

const JSON: &str = "report {run} --json";
const SIGNED: &str = "report {signed} --json";
const KEY: &str = "--hmac-key 00112233445566778899aabbccddeeff";
const STORE: &str = "report {store} --json";
const TEXT: &str = "report {run}";
const CALL: &str = "report {run} --json --voice g711";
const DRAWN: &str = "report {run} --graph {dir}/a.svg";

#[expect(clippy::too_many_lines, reason = "a table of cases")]
fn rows() -> Vec<Row> {
    vec![
        row("--merge", "report {run} {run} --json", "--merge", |seen| {
            seen.json["sessions"]
                .as_array()
                .is_some_and(|all| all.len() == 1)
        }),
        row(
            "--compare",
            "report {run} {run} --json",
            "--compare",
            |seen| seen.json["schema"] == "twinpath-comparison-1",
        ),
        row("--port", "report {capture} --json", "--port 9", |seen| {
            seen.done.status == 1 && seen.done.stderr.contains('9')
        }),
        row(
            "--timeout",
            "report {capture} --json",
            "--timeout 1ns",
            |seen| seen.session()["packets"]["received"] == 0,
        ),
        row("--from", STORE, "--from 2026-11-28T00:05:00Z", |seen| {
            seen.session()["packets"]["sent"] == 300
        }),
        row("--to", STORE, "--to 2026-11-28T00:04:00Z", |seen| {
            seen.session()["packets"]["sent"] == 240
        }),
        row("--session", STORE, "--session *-0001", |seen| {
            seen.session()["target"]["name"] == "session-0001"
        }),
        row("--hmac-key", SIGNED, KEY, |seen| {
            seen.json["captures"][0]["sessions"][0]["hmacs"]["replies_verified"] == 5
        }),
        row(
            "--hmac-key-file",
            SIGNED,
            "--hmac-key-file {secret}",
            |seen| seen.json["captures"][0]["sessions"][0]["hmacs"]["replies_verified"] == 5,
        ),
        row(
            "--insecure-key-file",
            "report {signed} --json --hmac-key-file {readable}",
            "--insecure-key-file",
            |seen| seen.done.status == 0,
        ),
        row("--output", TEXT, "--output csv", |seen| {
            seen.done.stdout.starts_with("seq,t1_ns,")
        }),
        row("--output", TEXT, "--output prometheus", |seen| {
            seen.done.stdout.contains("\ntwinpath_packets_sent{")
        }),
        row("--json", TEXT, "--json", |seen| {
            seen.json["schema"] == "twinpath-report-1"
        }),
        row(
            "--report-interval",
            JSON,
            "--report-interval 100ms",
            |seen| seen.done.stdout.contains("twinpath-interval-1"),
        ),
        row("--label", JSON, "--label site=lab", |seen| {
            seen.json["labels"]["site"] == "lab"
        }),
        row("--verbose", TEXT, "--verbose", |seen| {
            seen.done.stdout.starts_with("seq=0 ")
        }),
        row("--graph", TEXT, "--graph {dir}/a.svg", |seen| {
            seen.file("a.svg").contains("<svg")
        }),
        row("--html", TEXT, "--html {dir}/a.html", |seen| {
            seen.file("a.html").contains("</html>")
        }),
        row("--theme", DRAWN, "--theme dark", |seen| {
            let svg = seen.file("a.svg");
            svg.contains("<svg") && !svg.contains("prefers-color-scheme")
        }),
        row("--quiet", "report {lossy} --json", "--quiet", |seen| {
            seen.done.stderr.is_empty()
        }),
        row("--debug", DRAWN, "--debug", |seen| {
            seen.done.stderr.contains("picture written")
        }),
        row("--logfile", DRAWN, "--logfile {dir}/log", |seen| {
            seen.file("log").contains("picture written")
        }),
        row("--bins", JSON, "--bins 1ms,2ms", |seen| {
            seen.session()["bins"].is_object()
        }),
        row("--voice", JSON, "--voice g729a", |seen| {
            seen.session()["voice"]["codec"] == "G.729A"
        }),
        row("--jitter-buffer", CALL, "--jitter-buffer 80", |seen| {
            seen.session()["voice"]["jitter_buffer_ns"] == 80_000_000
        }),
        row(
            "--percentiles-with-loss",
            JSON,
            "--percentiles-with-loss",
            |seen| seen.session()["percentiles_with_loss"].is_object(),
        ),
        row("--loss-noticeable", JSON, "--loss-noticeable 5", |seen| {
            seen.session()["loss_periods"]["delta"] == 5
        }),
        row(
            "--failed-after",
            "report {lossy} --json",
            "--failed-after 31",
            |seen| seen.session()["state"] == "idle",
        ),
        row("--unavailable", JSON, "--unavailable 20%/3", |seen| {
            let availability = &seen.session()["availability"];
            (&availability["bad_above"], &availability["in_a_row"]) == (&0.2.into(), &3.into())
        }),
        row("--reflector", JSON, "--reflector stateless", |seen| {
            seen.session()["packets"]["lost_forward"].is_null()
        }),
    ]
}

/// Runs a row's command over these files.
fn observe(row: &Row, given: &str, files: &Path) -> Seen {
    let directory = tempfile::tempdir().unwrap();
    let name = |name: &str| files.join(name).display().to_string();
    let line = format!("{} {given}", row.base)
        .replace("{run}", &name("run.parquet"))
        .replace("{lossy}", &name("lossy.parquet"))
        .replace(
            "{store}",
            &captures().with_file_name("store").display().to_string(),
        )
        .replace(
            "{capture}",
            &captures().join("stamp-open.pcap").display().to_string(),
        )
        .replace(
            "{signed}",
            &captures()
                .join("stamp-v1-tlv-hmac.pcap")
                .display()
                .to_string(),
        )
        .replace("{secret}", &name("secret"))
        .replace("{readable}", &name("readable"))
        .replace("{dir}", &directory.path().display().to_string());
    Seen::of(run(&line), directory)
}

#[test]
fn every_option_of_the_report_acts() {
    let files = tempfile::tempdir().unwrap();
    let name = |name: &str| files.path().join(name).display().to_string();
    for (file, mode) in [("secret", 0o600), ("readable", 0o644)] {
        let file = files.path().join(file);
        std::fs::write(&file, KEY.replace("--hmac-key ", "")).unwrap();
        std::fs::set_permissions(&file, std::fs::Permissions::from_mode(mode)).unwrap();
    }
    let responder = Responder::on_loopback();
    let silent = std::net::UdpSocket::bind("127.0.0.1:0").unwrap();
    for (far, name) in [
        (responder.at, name("run.parquet")),
        (silent.local_addr().unwrap(), name("lossy.parquet")),
    ] {
        // A rate that the reflector keeps to, so that its counter and the sender's numbers differ.
        let done = run(&format!(
            "sender {far} 127.0.0.1:0 -c 30 -i 10 --timeout 0.3 -q --save {name}"
        ));
        assert!([0, 3].contains(&done.status), "{}", done.stderr);
    }
    let rows = rows();
    complete("report", rows.iter().map(|row| row.option));
    each_row(&rows, |row| {
        acts(row.option, row.given, false, |given| {
            let seen = observe(row, given, files.path());
            Some(judged(&seen, &seen.done, row.sees))
        })
    });
}

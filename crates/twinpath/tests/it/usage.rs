//! Bad usage: status 2 and one line on stderr. Help and version: results.

use std::fs::OpenOptions;
use std::io::pipe;
use std::process::Stdio;

use crate::program::{Responder, Running, run, twinpath};

#[test]
#[expect(clippy::too_many_lines, reason = "a table of cases")]
fn bad_usage_is_one_line_and_status_two() {
    for (line, part) in [
        ("", "a command is missing"),
        ("sendr", "sendr: did you mean sender?"),
        (
            "sender",
            "FAR[:PORT] is missing: give it, --to or --targets",
        ),
        ("sender ::1 --dcsp ef", "--dcsp: did you mean --dscp?"),
        ("sender ::1 --dscp 64", "--dscp 64: out of range"),
        (
            "sender ::1 --dscp ef --tos 184",
            "--dscp and --tos exclude each other",
        ),
        (
            "sender ::1 -c 5 --duration 5",
            "--count and --duration exclude each other",
        ),
        ("sender ::1 --interval 5x", "100us, 10ms or 1s"),
        (
            "sender ::1 127.0.0.1",
            "::1 is IPv6 but 127.0.0.1 is IPv4: both must be of the same family",
        ),
        (
            "sender 127.0.0.1 --padding 65500",
            "--padding 65500: out of range: use 0 to 65493 over IPv4",
        ),
        (
            "sender 127.0.0.1 -6",
            "127.0.0.1 is IPv4 but -6 asks for IPv6",
        ),
        (
            "sender ::1 -4",
            "::1 is IPv6 but -4 asks for IPv4; leave out -4, or give an IPv4 address",
        ),
        (
            "responder 127.0.0.1 -6",
            "leave out -6, or give an IPv6 address",
        ),
        (
            "controller [::1",
            "the closing ] is missing: use [2001:db8::1] or",
        ),
        ("controller ::1 --dscp be,-1", "--dscp -1: out of range"),
        (
            "server --control-dscp -1",
            "--control-dscp -1: out of range",
        ),
        (
            "sender ::1 --dscp nonsense",
            "df, cs0..cs7, af11..af43, ef, va, voice-admit",
        ),
        (
            "report x.parquet --report-interval -1s",
            "--report-interval -1s: out of range",
        ),
        (
            "sender ::1 --timeout 1d -i 1ms --duration 3d",
            "with a timeout of 1 d",
        ),
        ("sender ::1 --ssid 1", "--ssid needs --stamp"),
        ("sender fe80::1", "give the interface too"),
        ("responder fe80::1", "give the interface too"),
        ("sender 255.255.255.255", "broadcast address: give one"),
        ("sender fe80::1%v0:862", "use [fe80::1%v0]:862"),
        ("sender ::1 --port 862", "the port goes after the address"),
        ("help sendr", "sendr: no such command"),
        ("sender ::1 --output xml", "jsonl, csv or prometheus"),
        ("responder --allow-larger-replies", "needs --padding"),
        ("responder --allow lab", "192.0.2.0/24"),
        (
            "responder --count 3",
            "an option of sender, not of responder",
        ),
        (
            "sender ::1 --duration 1h -i 1us --timeout 5",
            "a longer --interval",
        ),
        ("dscptable ef", "one argument too many"),
        ("selftest -i 0.4us", "out of range: use 1us to 365d"),
        ("controller", "SERVER[:PORT] is missing"),
        ("controller ::1 --mode encrypted", "needs a key"),
        ("controller ::1 127.0.0.1", "both must be of the same"),
        (
            "controller ::1 :5 --ports 5-9",
            "the port of NEAR and --ports exclude each other",
        ),
        (
            "controller ::1 --output csv --label session=1",
            "use another key",
        ),
        ("controlclient ::1 127.0.0.1", "both must be of the same"),
        ("controlclient ::1 ::1 --duration 0", "out of range"),
    ] {
        let done = run(line);
        assert_eq!((done.status, done.stdout.as_str()), (2, ""), "{line}");
        assert_eq!(done.stderr.lines().count(), 1, "{line}: {}", done.stderr);
        assert!(
            done.stderr.starts_with("twinpath: "),
            "{line}: {}",
            done.stderr
        );
        assert!(done.stderr.contains(part), "{line}: {}", done.stderr);
    }
}

#[test]
fn help_and_version_are_results() {
    for line in [
        "--help",
        "-h",
        "sender --help",
        "responder -h",
        "dscptable -h",
        "import-owamp -h",
        "selftest -h",
        "controller -h",
        "server --help",
        "controlclient -h",
    ] {
        let done = run(line);
        assert_eq!((done.status, done.stderr.as_str()), (0, ""), "{line}");
        assert!(done.stdout.contains("Usage: twinpath"), "{line}");
    }
    assert_eq!(run("help").stdout, run("--help").stdout);
    assert_eq!(run("help sender").stdout, run("sender --help").stdout);
}

#[test]
fn the_version_is_a_line_and_in_full_has_what_was_built_from_what() {
    let version = format!("twinpath {}\n", env!("CARGO_PKG_VERSION"));
    let done = run("-V");
    assert_eq!((done.status, done.stdout), (0, version.clone()));
    let done = run("--version");
    assert_eq!(done.status, 0);
    let rest = done.stdout.strip_prefix(&version).unwrap();
    let lines: Vec<(&str, &str)> = rest
        .lines()
        .map(|line| line.split_once(": ").unwrap())
        .collect();
    let [
        ("commit", commit),
        ("features", features),
        ("target", target),
    ] = lines[..]
    else {
        panic!("{}", done.stdout);
    };
    assert!(!commit.is_empty() && !features.is_empty());
    assert!(target.contains(std::env::consts::ARCH), "{target}");
    // A path would tell two builds apart.
    assert!(!rest.contains('/'), "{rest}");
}

#[cfg(target_os = "linux")]
#[test]
fn a_result_that_cannot_be_written_is_said_and_the_status_is_one() {
    let responder = Responder::on_loopback();
    let server = Responder::server("");
    let sender = format!("sender {} -c 2 -i 1 -q", responder.at);
    let controller = format!("controller {} -c 2 -i 1 -q", server.at);
    let mut lines: Vec<String> = [
        "--version",
        "-V",
        "--help",
        "help",
        "help sender",
        "server -h",
        "dscptable",
        "dscptable --json",
        "selftest -c 2 -i 1 -q",
        "selftest -c 2 -i 1 -q --json",
    ]
    .map(str::to_owned)
    .into();
    for form in ["text", "json", "jsonl", "csv"] {
        lines.push(format!("{sender} --output {form}"));
        lines.push(format!("{controller} --output {form}"));
    }
    let write = |line: &str, to: Stdio| {
        let mut command = twinpath(line);
        command.stdout(to).stderr(Stdio::piped());
        Running::of(command.spawn().unwrap()).finish()
    };
    for line in &lines {
        let full = OpenOptions::new().write(true).open("/dev/full").unwrap();
        let done = write(line, full.into());
        let said = "twinpath: cannot write the result: No space left on device";
        assert_eq!(done.status, 1, "{line}: {}", done.stderr);
        assert!(done.stderr.starts_with(said), "{line}: {}", done.stderr);
        // A pipe that is closed ends quietly.
        let (reader, writer) = pipe().unwrap();
        drop(reader);
        let done = write(line, writer.into());
        assert_eq!((done.status, done.stderr.as_str()), (0, ""), "{line}");
    }
}

#[test]
fn short_help_and_long_help_are_one() {
    for command in [
        "",
        "sender",
        "responder",
        "controller",
        "server",
        "controlclient",
        "import-owamp",
        "dscptable",
        "selftest",
    ] {
        let short = run(&format!("{command} -h"));
        let long = run(&format!("{command} --help"));
        assert_eq!(short.stdout, long.stdout, "{command}");
    }
}

#[test]
fn options_of_which_one_would_do_nothing_are_refused_together() {
    for command in ["sender ::1", "responder", "controller ::1", "server"] {
        if cfg!(not(feature = "control")) && !["sender ::1", "responder"].contains(&command) {
            continue;
        }
        for rung in ["kernel", "hardware"] {
            let done = run(&format!("{command} --portable --timestamps {rung}"));
            let said = format!(
                "twinpath: --portable and --timestamps {rung} exclude each other: use one of them\n"
            );
            assert_eq!((done.status, done.stderr), (2, said), "{command}");
        }
    }
    for line in [
        "responder --stateless --timer 5",
        "responder --stateless --max-sessions 5",
    ] {
        let done = run(line);
        assert_eq!(done.status, 2, "{line}");
        let said = "exclude each other: use one of them\n";
        assert!(done.stderr.ends_with(said), "{line}: {}", done.stderr);
    }
}

#[test]
fn an_option_without_an_effect_is_remarked_on() {
    let responder = Responder::on_loopback();
    let sender = format!("sender {} 127.0.0.1:0 -c 2 -i 2", responder.at);
    let unfilled =
        "note: --fill has no padding to fill: use --padding 1 or more, or leave out --fill\n";
    let unshown = |form: &str, options: &str| {
        format!(
            "note: --output {form} leaves out the figures of {options}: \
             use --output text, json or jsonl\n"
        )
    };
    for (options, said) in [
        ("--fill zero --padding 0", unfilled.to_owned()),
        ("--fill zero --padding 0 -q", String::new()),
        ("--fill zero", String::new()),
        ("--output csv --bins auto", unshown("csv", "--bins")),
        (
            "--output csv --voice g711 --jitter-buffer 20 --percentiles-with-loss",
            unshown("csv", "--voice, --jitter-buffer, --percentiles-with-loss"),
        ),
        (
            "--output csv --loss-noticeable 5 --unavailable 5%/3",
            unshown("csv", "--loss-noticeable, --unavailable"),
        ),
        ("--output csv --reflector stateful", String::new()),
        (
            "--output prometheus --bins auto --voice g711",
            unshown("prometheus", "--bins"),
        ),
        ("--output jsonl --bins auto --voice g711", String::new()),
        ("--json --bins auto", String::new()),
    ] {
        let done = run(&format!("{sender} {options}"));
        let noted = |line: &&str| line.starts_with("note: --");
        let first: String = done
            .stderr
            .split_inclusive('\n')
            .find(noted)
            .map_or_else(String::new, str::to_owned);
        assert_eq!(
            (done.status, first),
            (0, said),
            "{options}: {}",
            done.stderr
        );
    }
}

#[cfg(feature = "report")]
#[test]
fn figures_that_a_file_or_a_page_has_are_not_remarked_on() {
    let responder = Responder::on_loopback();
    let directory = tempfile::tempdir().unwrap();
    let saved = directory.path().join("run.parquet");
    let saved = saved.display();
    let sender = format!(
        "sender {} 127.0.0.1:0 -c 2 -i 2 --output csv --bins auto",
        responder.at
    );
    let done = run(&format!("{sender} --save {saved}"));
    assert!(!done.stderr.contains("leaves out"), "{}", done.stderr);
    let report = format!("report {saved} --output csv --bins auto");
    let done = run(&report);
    assert!(
        done.stderr.contains("figures of --bins:"),
        "{}",
        done.stderr
    );
    #[cfg(feature = "pictures")]
    {
        let page = directory.path().join("page.html");
        let done = run(&format!("{report} --html {}", page.display()));
        assert!(!done.stderr.contains("leaves out"), "{}", done.stderr);
    }
}

#[cfg(feature = "control")]
#[test]
fn a_controller_remarks_that_nothing_is_reflected_or_filled() {
    let server = Responder::server("");
    for (options, said) in [
        (
            "--reflect-octets",
            "note: --reflect-octets has no padding to reflect: use --padding 31 or more\n",
        ),
        ("--reflect-octets --padding 31", ""),
        (
            "--fill zero --padding 0",
            "note: --fill has no padding to fill: use --padding 1 or more, or leave out --fill\n",
        ),
    ] {
        let done = run(&format!(
            "controller {} 127.0.0.1:0 -c 2 -i 2 {options}",
            server.at
        ));
        let first = done.stderr.split_inclusive('\n').next().unwrap_or("");
        assert_eq!(
            (done.status, first),
            (0, said),
            "{options}: {}",
            done.stderr
        );
    }
}

//! Wrong command lines, and the one line that answers each.

use std::any::TypeId;
use std::fmt::Write as _;
use std::path::PathBuf;

use clap::CommandFactory as _;

use super::*;
use crate::args::Cli;

fn answer(line: &str) -> String {
    let words = std::iter::once("twinpath").chain(line.split(' ').filter(|word| !word.is_empty()));
    match Cli::read(words.map(|word| word.replace('_', " ").replace("''", ""))) {
        Ok(cli) => panic!("{line} was understood as {cli:?}"),
        Err(error) => failure(
            &error,
            line.split(' ').next().filter(|word| is_command(word)),
        )
        .to_string(),
    }
}

#[test]
fn every_option_takes_a_value_that_begins_with_a_minus_sign_for_its_own() {
    let mut options = 0;
    for command in Cli::command().get_subcommands() {
        let name = command.get_name();
        for arg in command
            .get_arguments()
            .filter(|arg| arg.get_action().takes_values())
        {
            let is_file = arg.get_value_parser().type_id() == TypeId::of::<PathBuf>();
            let long = arg.get_long().map(|long| format!("--{long}"));
            let short = arg.get_short().map(|short| format!("-{short}"));
            for option in long.into_iter().chain(short) {
                for value in ["-1", "-1.5ms", "-.5", "-6"] {
                    let answer = match Cli::read(["twinpath", name, &option, value]) {
                        Ok(_) => continue,
                        Err(error) => failure(&error, Some(name)).to_string(),
                    };
                    let unknown = answer.contains("no such option");
                    assert!(!unknown || is_file, "{name} {option} {value}: {answer}");
                    options += 1;
                }
            }
        }
    }
    assert!(options > 300, "{options}");
    let words = "twinpath sender ::1 -c 3 -4 --bins -1ms,0,1ms --padding -1 -6";
    let answer = failure(&Cli::read(words.split(' ')).unwrap_err(), Some("sender"));
    assert_eq!(
        answer.to_string(),
        "--ipv4 and --ipv6 exclude each other: use one of them"
    );
}

/// Wrong command lines.
const SLIPS: &[&str] = &[
    "check",
    "check ::1 --warn",
    "check ::1 --warn loss",
    "check ::1 --warn lss=1%",
    "check ::1 --crit rtt.p95=50",
    "check ::1 -w loss=1%",
    "check -H ::1",
    "check ::1 --warn loss=1%, rtt_p95=5ms",
    "check ::1 --crit loss=5%:1%",
    "check ::1 --mode mixed",
    "check ::1 --keys k",
    "check ::1 --nat",
    "check ::1 --control --to ::2",
    "check ::1 --control --stamp",
    "check ::1 --json",
    "check ::1 --quiet",
    "check ::1 --deadline 0",
    "check ::1 -w loss=1%",
    "chek ::1",
    "",
    "sendr",
    "frobnicate",
    "reflector",
    "control-client",
    "help frobnicate",
    "--frobnicate",
    "sender",
    "sender ::1 --dcsp ef",
    "sender ::1 --frobnicate",
    "sender ::1 -x",
    "sender ::1 -p 862",
    "sender ::1 --port 862",
    "sender ::1 --port=862",
    "responder --port 862",
    "sender ::1 -c -5",
    "sender ::1 -i -1",
    "sender ::1 --timeout -1",
    "sender ::1 --dscp -1",
    "sender ::1 --report-interval -1",
    "sender ::1 --start-delay -1s",
    "sender ::1 --unavailable -1%/10",
    "sender ::1 --output -4",
    "sender ::1 --save -1",
    "sender ::1 --bins 2,-1",
    "sender ::1 --bins lin:5:1:3",
    "sender ::1 --bins log:1s:1s:3",
    "sender ::1 --padding 65535",
    "sender ::1 --tos 0x100",
    "sender ::1 -i 500ns",
    "sender 10.77.0.2:",
    "sender 10.77.0.2:70000",
    "sender fe80::1%nuv0:862",
    "sender fd77::2%nuv0",
    "sender ::1 127.0.0.1 extra",
    "sender ::1 --dscp",
    "sender ::1 --output",
    "sender ::1 --output yaml",
    "sender ::1 --output=",
    "sender ::1 --output jsno",
    "sender ::1 --dscp 64",
    "sender ::1 --dscp ef, be",
    "sender ::1 ::1 --dscp af11 ef",
    "sender ::1,::2",
    "sender host1, host2",
    "responder --allow ::1,::2",
    "server --mode authenticated, encrypted",
    "sender ::1 --bins 1ms, 2ms",
    "sender ::1 --ports 0-9",
    "sender ::1 --unavailable 50%/0",
    "sender ::1 --jitter-buffer 11s --voice g711",
    "sender ::1 --schedule bursts:0/1s",
    "sender ::1 --schedule bursts:10/5us",
    "sender ::1 --schedule uniform:0-0",
    "sender ::1 --timeout 0",
    "responder --timer 0",
    "responder --stateless --timer 5",
    "responder --max-sessions 5 --stateless",
    "sender ::1 --dscp ef --tos 184",
    "sender ::1 --tos ef",
    "sender ::1 --count 5 --duration 5",
    "sender ::1 --count 0",
    "sender ::1 --count 5 --count 6",
    "sender ::1 --interval 0",
    "sender ::1 --interval fast",
    "sender ::1 --interval ''",
    "sender ::1 --interval 5_6",
    "sender ::1 --timeout 5x",
    "sender ::1 --padding -2",
    "sender ::1 --ports 5-1",
    "sender ::1 --ttl 0",
    "sender ::1 --ssid 0",
    "sender ::1 --label site",
    "sender ::1 --json --output csv",
    "sender ::1 -q -v",
    "sender ::1 --graph a.jpg",
    "sender ::1 --theme blue",
    "sender ::1 -4 -6",
    "sender ::1 --stamp=yes",
    "sender ::1 --max-burst 0",
    "sender ::1 --schedule uniform:20ms-5ms",
    "sender ::1 --schedule often",
    "sender ::1 --seed -1",
    "sender [::1 -c 1",
    "sender 20001",
    "sender 192.0.2.300",
    "responder ::1 --threads 0",
    "responder --max-rate 0",
    "responder --allow 10/8",
    "responder --protocol owamp",
    "responder --padding -1",
    "responder --count 5",
    "responder --alow ::1",
    "sender ::1 --intreval 5",
    "sender ::1 --do-not-frag",
    "sender ::1 --allow ::1",
    "responder a b",
    "controller",
    "controller ::1 --mode encrypt",
    "controller ::1 --mode open",
    "controller ::1 --dscp be,xx",
    "controller ::1 --dscp be --tos 184",
    "controller ::1 --stamp",
    "controller ::1 --receiver-port 0",
    "server --mode unauthenticated,secret",
    "server --pbkdf2-count 1000",
    "server --insecure-key-file",
    "controller ::1 --key-id a_b",
    "controller ::1 --max-pbkdf2-count 2000000",
    "server --max-connections 0",
    "server --max-sessions -1",
    "server --test-ports 9-5",
    "controlclient ::1",
    "controlclient ::1 ::2 --count 5",
    "dscptable ef",
    "selftest --interval 1w",
    "selftest --output json",
    "dscptable --output=json",
    "report a -c 5",
    "report a --count=5",
    "report a -i 5 -4",
    "report a --jitter-buffer 5",
    "sender ::1 --jitter-buffer 5",
    "report a b --compare -v",
    "report a b --compare -d",
    "report a b --compare --bins auto",
    "report a b --compare --voice g711",
    "report a b --compare --voice g711 --jitter-buffer 5",
    "report a b --compare --label a=b",
    "report a b --compare --percentiles-with-loss",
    "report a b --compare --loss-noticeable 5",
    "report a b --compare --graph a.svg",
    "report a b --compare --html a.html",
    "report a b --compare --theme dark",
    "report a b --compare --merge",
    "report a b --compare --report-interval 1",
];

#[test]
fn bad_usage_is_answered_in_one_line() {
    let mut table = String::new();
    for line in SLIPS {
        let answer = answer(line);
        assert_eq!(answer.lines().count(), 1, "{line}: {answer}");
        writeln!(table, "twinpath {line}\n    {answer}").unwrap();
    }
    insta::assert_snapshot!(table);
}

#[test]
fn the_command_line_is_consistent() {
    Cli::command().debug_assert();
}

/// What the values of options are called that have no bounds.
const WORDS: [&str; 29] = [
    "ADDR:PORT",
    "CODEC",
    "EDGES",
    "FAR[:PORT]",
    "FIGURE=RANGE,..",
    "FILE",
    "FILE|DIR",
    "FILE.svg|.png",
    "FILE|-",
    "FORM",
    "FORMAT",
    "GROUP[%IF]",
    "HEX",
    "ID,..",
    "K=V",
    "KIND",
    "MODE",
    "MODE,..",
    "NAME",
    "NAME[=VALUE]",
    "PATTERN",
    "PREFIX",
    "RUNG",
    "NEAR[:PORT]",
    "DIR",
    "PATH|none",
    "PART,..",
    "URL",
    "WHEN",
];

#[test]
fn every_option_of_a_number_or_a_time_answers_what_is_beyond_its_bounds_in_the_same_words() {
    let mut seen = 0;
    for command in Cli::command().get_subcommands() {
        let far = match command.get_name() {
            "sender" | "controller" | "check" => "::1 ",
            "controlclient" => "::1 ::1 ",
            "report" => "FILE ",
            _ => "",
        };
        for option in command.get_opts() {
            let name = option.get_value_names().and_then(|names| names.first());
            let name = name.map_or("", |name| name.as_str());
            let is_number = option.get_action().takes_values() && !WORDS.contains(&name);
            let Some(long) = option.get_long().filter(|_| is_number) else {
                continue;
            };
            let beyond: &[&str] = match name {
                "LO-HI" => &["0-5", "5-99999"],
                "LOSS%/N[/T]" => &["-5%/10", "100%/10", "50%/0", "50%/9999999999", "50%/1/0"],
                _ => &["-5", "99999999999999999999999"],
            };
            for value in beyond {
                let said = answer(&format!("{} {far}--{long} {value}", command.get_name()));
                assert!(said.starts_with(&format!("--{long} {value}: ")), "{said}");
                let wording = said.contains("out of range: use ");
                assert!(
                    wording && (said.contains(" to ") || said.contains(" or more")),
                    "{said}"
                );
                seen += 1;
            }
            // Zero is used, or out of range.
            let zero = format!("twinpath {} {far}--{long} 0", command.get_name());
            if let Err(error) = Cli::read(zero.split(' ')) {
                let said = failure(&error, Some(command.get_name())).to_string();
                let other = ["LO-HI", "LOSS%/N[/T]"].contains(&name);
                let needs = [" is missing", " needs --", " need --"];
                let needs = needs.iter().any(|needs| said.contains(needs));
                assert!(
                    other || needs || said.contains("out of range: use "),
                    "{said}"
                );
            }
        }
    }
    assert!(seen > 100, "{seen}");
}

#[test]
fn what_help_does_not_show_is_never_suggested() {
    assert_eq!(answer("dscptable --jso"), "--jso: did you mean --json?");
    if cfg!(feature = "report") {
        let merge = answer("merge a.parquet b.parquet");
        assert_eq!(merge, "merge: use report --merge FILE FILE ...");
    }
    assert_eq!(answer("dscptable --hepl"), "--hepl: did you mean --help?");
    assert_eq!(
        answer("sender r1 --tvl location"),
        "--tvl: did you mean --tlv?"
    );
    assert_eq!(
        answer("sender r1 --csv"),
        "--csv: no such option: use --output csv"
    );
    assert!(is_shown("--portable") && is_shown("--version") && !is_shown("--json-lines"));
    for command in Cli::command().get_subcommands() {
        for arg in command.get_arguments() {
            assert!(
                !arg.is_hide_set(),
                "{} {}",
                command.get_name(),
                arg.get_id()
            );
        }
    }
}

#[test]
fn what_an_option_needs_is_named_with_the_option() {
    for (line, said) in [
        (
            "responder --control-count 5",
            "need --allow-control: add it",
        ),
        ("doctor r1 --verbose", "--verbose needs --strict: add it"),
    ] {
        let answer = answer(line);
        assert!(answer.ends_with(said), "{answer}");
    }
}

#[test]
fn help_is_a_contract() {
    let mut cli = Cli::command().term_width(100);
    cli.build();
    let mut names: Vec<String> = cli
        .get_subcommands()
        .map(|command| command.get_name().to_owned())
        .filter(|name| name != "help")
        .collect();
    names.sort();
    insta::assert_snapshot!("help", cli.render_help().to_string());
    for name in names {
        let command = cli.find_subcommand_mut(&name).unwrap();
        insta::assert_snapshot!(format!("help_{name}"), command.render_help().to_string());
    }
}

#[test]
fn what_is_not_built_has_no_option_and_no_command() {
    let parts = [
        ("controller", cfg!(feature = "control")),
        ("server", cfg!(feature = "control")),
        ("controlclient", cfg!(feature = "control")),
        ("report", cfg!(feature = "report")),
    ];
    let missing = answer("");
    for (command, built) in parts {
        assert_eq!(is_command(command), built, "{command}");
        assert_eq!(missing.contains(&format!(" {command}")), built, "{missing}");
    }
    let options = [
        ("--live", cfg!(feature = "live")),
        ("--graph a.svg", cfg!(feature = "pictures")),
        ("--html a", cfg!(feature = "pictures")),
        ("--theme dark", cfg!(feature = "pictures")),
        ("--save a", cfg!(feature = "report")),
    ];
    for (option, built) in options {
        let line = format!("twinpath sender ::1 {option}");
        assert_eq!(Cli::read(line.split(' ')).is_ok(), built, "{option}");
    }
    let responder = Cli::read(["twinpath", "responder", "--metrics", "[::1]:0"]);
    assert_eq!(responder.is_ok(), cfg!(feature = "metrics"));
}

//! Options that `check` has from `sender` and `controller`.

use std::collections::BTreeSet;

use clap::{CommandFactory as _, Parser as _};

use super::*;
use crate::args::{Cli, Command};

/// Options of `sender` with a value each, if they take one, and what they need beside it.
const SHARED: &[&str] = &[
    "--count 7",
    "--interval 3ms",
    "--schedule poisson",
    "--schedule uniform:5ms-20ms",
    "--schedule bursts:3/1s",
    "--seed 5",
    "--duration 3",
    "--timeout 3",
    "--start-delay 2",
    "--max-burst 4",
    "--spin",
    "--padding 100",
    "--fill zero",
    "--stamp",
    "--stamp --ssid 9",
    "--stamp --ssid 9 --on-no-ssid stop",
    "--stamp --timestamp-format ptp",
    "--stamp --authenticated --hmac-key 00112233445566778899aabbccddeeff",
    "--stamp --authenticated --hmac-key-file keys",
    "--stamp --authenticated --hmac-key-file keys --insecure-key-file",
    "--stamp --tlv location",
    "--stamp --micro-session 3:5,4",
    "--dscp ef,be",
    "--tos 184",
    "--ttl 9",
    "--do-not-fragment",
    "--interface eth0",
    "--ipv4",
    "--ipv6",
    "--near 192.0.2.7",
    "--ports 20000-20010",
    "--paths 3",
    "--timestamps user",
    "--portable",
    "--to r2:862",
    "--targets mesh.toml",
    "--threads 2",
    "--voice g729a",
    "--voice g729a --jitter-buffer 60",
    "--loss-noticeable 5",
    "--failed-after 3",
    "--unavailable 5%/3",
    "--reflector stateless",
];

fn options(command: &str) -> BTreeSet<String> {
    let mut cli = Cli::command();
    let command = cli.find_subcommand_mut(command).unwrap();
    let options = command.get_opts().filter_map(|option| option.get_long());
    options.map(|long| format!("--{long}")).collect()
}

fn check(line: &str) -> CheckArgs {
    let Command::Check(args) = Cli::of(&format!("check {line}")).command else {
        unreachable!("another command")
    };
    *args
}

#[test]
fn each_option_of_the_sender_means_the_same_in_a_check() {
    let shown = |args: &SenderArgs| {
        let figures = &args.run.results.figures;
        let measured = (&args.far, &args.near, &args.targets, &args.session, figures);
        // Of a duration no count counts.
        format!("{measured:?}").replace("Count(100)", "Count(20)")
    };
    let bare = shown(&check("r1").into_sender());
    for options in SHARED {
        let given = check(&format!("r1 {options}")).into_sender();
        let mut usual = String::new();
        let has = |option: &str| options.contains(option);
        for (option, without) in [
            ("--count 20", has("--count") || has("--duration")),
            ("--timeout 1", has("--timeout")),
            (
                "--interval 50",
                has("--interval") || has("uniform:") || has("bursts:"),
            ),
        ] {
            if !without {
                usual = format!("{usual} {option}");
            }
        }
        let sender = SenderArgs::of(&format!("r1 {options}{usual}"));
        assert_eq!(shown(&given), shown(&sender), "{options}");
        assert_ne!(shown(&given), bare, "{options}");
    }
}

#[test]
fn each_option_that_a_check_shares_with_the_sender_is_tried() {
    let shared: BTreeSet<String> = options("check")
        .intersection(&options("sender"))
        .cloned()
        .collect();
    let tried = SHARED
        .iter()
        .flat_map(|line| line.split(' '))
        .filter(|word| word.starts_with("--"));
    let tried: BTreeSet<String> = tried.map(str::to_owned).collect();
    // Those of a check itself, which mean something else.
    let own = ["--verbose", "--debug"].map(str::to_owned);
    let missing: Vec<_> = shared
        .iter()
        .filter(|option| !tried.contains(*option) && !own.contains(option))
        .collect();
    assert!(missing.is_empty(), "{missing:?}");
}

#[test]
fn a_file_of_targets_has_the_usual_schedule_of_a_check() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("mesh.toml");
    let text = "[[target]]\naddress = \"192.0.2.1\"\n\
                [[target]]\naddress = \"192.0.2.2\"\nschedule = \"bursts:2/1s\"\ncount = 4\n\
                [[target]]\naddress = \"192.0.2.3\"\ninterval = \"7ms\"\ntimeout = 3\n";
    std::fs::write(&path, text).unwrap();
    let plans = |line: &str| {
        let args = check(&format!("--targets {} {line}", path.display())).into_sender();
        let lookup = |_: &str, _: u16| Ok(Vec::new());
        let planned = crate::plan::sessions(&args, &lookup, |_, _| {}).unwrap();
        let plans = planned.sessions.iter().map(|session| {
            let plan = &session.plan;
            let interval = plan.schedule.mean_interval().as_millis();
            format!("{:?} {interval} {}", plan.limit, plan.timeout.as_secs())
        });
        plans.collect::<Vec<_>>()
    };
    assert_eq!(
        plans(""),
        ["Count(20) 50 1", "Count(4) 500 1", "Count(20) 7 3"]
    );
    assert_eq!(
        plans("-c 9 --timeout 2"),
        ["Count(9) 50 2", "Count(4) 500 2", "Count(9) 7 3"]
    );
}

#[test]
fn percentiles_with_loss_are_made_where_one_is_judged() {
    let with_loss = |line: &str| {
        let args = check(&format!("r1 {line}")).into_sender();
        args.run.results.figures.percentiles_with_loss
    };
    assert!(!with_loss("--warn rtt_p95=1s"));
    assert!(with_loss("--crit percentiles_with_loss.forward.p95=1s"));
}

#[cfg(feature = "control")]
#[test]
fn a_controlled_check_is_a_run_of_the_controller() {
    let args = check(
        "r1:862 192.0.2.7 --control --keys k --insecure-key-file --key-id noc --mode mixed --nat --dscp ef \
         --paths 2 --threads 3 --padding 60",
    );
    assert!(args.is_controlled());
    let args = args.into_controller().unwrap();
    let key = &args.control.key;
    assert_eq!(args.server.to_string(), "r1:862");
    assert!(args.near.is_some() && args.nat && key.file.insecure_key_file);
    assert!(key.file.keys.is_some() && key.key_id.is_some() && args.control.mode.is_some());
    assert_eq!(
        (args.paths, args.threads, args.dscp.len()),
        (Some(2), Some(3), 1)
    );
    let schedule = format!("{:?} {:?}", args.schedule.count, args.schedule.interval);
    assert_eq!(schedule, "Only(Count(20)) Some(Interval(50ms))");
}

#[test]
fn the_commands_of_the_docs_and_the_arguments_of_icinga_2_are_understood() {
    let root = concat!(env!("CARGO_MANIFEST_DIR"), "/../../");
    let page = std::fs::read_to_string(format!("{root}docs/check.md")).unwrap();
    let commands = page.lines().map(|line| line.trim_start_matches("$ "));
    let commands = commands.filter_map(|line| line.strip_prefix("twinpath check "));
    let commands = commands.map(|line| line.split(" #").next().unwrap());
    assert_eq!(commands.clone().count(), 11);
    for line in commands.filter(|line| cfg!(feature = "control") || !line.contains("--control")) {
        check(line);
    }
    let file = format!("{root}packaging/icinga2/twinpath.conf");
    let file = std::fs::read_to_string(file).unwrap();
    let arguments = file
        .lines()
        .filter_map(|line| line.trim().strip_suffix(" = {"));
    let arguments = arguments.filter_map(|name| name.strip_prefix('"')?.strip_suffix('"'));
    let long: Vec<&str> = arguments.filter(|name| name.starts_with("--")).collect();
    assert!(long.len() > 20, "{long:?}");
    let known = options("check");
    let is_known = |name: &&str| known.contains(*name) || cfg!(not(feature = "control"));
    assert!(long.iter().all(is_known), "{long:?}");
}

#[cfg(feature = "control")]
#[test]
fn no_option_of_stamp_goes_with_a_controlled_check() {
    for options in SHARED
        .iter()
        .filter_map(|line| line.strip_prefix("--stamp"))
    {
        let line = format!("twinpath check r1 --control {options} --warn loss=0");
        let is_read = Cli::read(line.split_whitespace()).is_ok();
        assert_eq!(is_read, options.is_empty(), "{line}");
    }
}

#[test]
fn lists_that_contradict_each_other_are_bad_usage() {
    for (lists, says) in [
        (
            "--warn rtt_p95=50ms --crit rtt_p95=20ms",
            "--warn rtt_p95=50ms is never reached: each such value is CRITICAL by --crit rtt_p95=20ms; \
             exchange them: --warn rtt_p95=20ms --crit rtt_p95=50ms",
        ),
        (
            "--warn loss=5% --crit loss_ratio=0",
            "--warn loss=5% is never reached",
        ),
        (
            "--warn voice.forward.mos=3: --crit voice.forward.mos=4:",
            "never reached",
        ),
        (
            "--warn rtt_p95=1ms:50ms --crit rtt_p95=2ms:40ms",
            "never reached",
        ),
        (
            "--warn rtt_p95=@2ms:3ms --crit rtt_p95=@1ms:4ms",
            "never reached",
        ),
        (
            "--warn rtt_p95=@60ms:70ms --crit rtt_p95=50ms",
            "never reached",
        ),
        ("--warn rtt_p95=50ms --crit rtt_p95=@~:9s", ""),
        (
            "--warn loss=1%,loss=5%",
            "--warn has two ranges for loss, 1% and 5%: give one",
        ),
        (
            "--crit loss=1% --crit loss_ratio=5%",
            "--crit has two ranges for loss_ratio, 1% and 5%: give one",
        ),
        ("--warn rtt_p95=20ms --crit rtt_p95=50ms", ""),
        ("--warn rtt_p95=20ms --crit rtt_p95=20ms", ""),
        ("--warn rtt_p95=20ms --crit rtt_p99=10ms", ""),
        ("--warn rtt_p95=1ms:20ms --crit rtt_p95=2ms:40ms", ""),
        ("--warn rtt_p95=1ms: --crit rtt_p95=20ms", ""),
        ("--warn rtt_p95=@10ms:20ms --crit rtt_p95=20ms", ""),
        ("--warn rtt_p95=~: --crit rtt_p95=20ms", ""),
        ("--warn loss=1%,rtt_p95=9ms", ""),
    ] {
        let said = check(&format!("r1 {lists}")).check.must_be_consistent();
        let said = said.map_or_else(|failure| failure.to_string(), |()| String::new());
        assert_eq!(said.is_empty(), says.is_empty(), "{lists}: {said}");
        assert!(said.contains(says), "{lists}: {said}");
    }
}

#[test]
fn thresholds_have_the_long_names_of_plug_ins_too() {
    let thresholds = |options: &str| {
        let line = format!("twinpath check r1 {options}");
        let cli = Cli::try_parse_from(line.split(' ')).unwrap();
        let Command::Check(check) = cli.command else {
            panic!("another command");
        };
        let CheckOptions { warn, crit, .. } = check.check;
        format!("{warn:?} {crit:?}")
    };
    assert_eq!(
        thresholds("--warning loss=1% --critical loss=5%"),
        thresholds("--warn loss=1% --crit loss=5%")
    );
}

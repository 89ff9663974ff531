//! Reports judged by lists of ranges, and the lines that come of them.

use std::fmt::Write as _;

use twinpath_report::{FailedTarget, SessionReport};

use super::*;
use crate::args::{Cli, Command};
use crate::output::fixtures;

/// `twinpath check` with these options.
fn options(line: &str) -> CheckOptions {
    let Command::Check(args) = Cli::of(&format!("check r1 {line}")).command else {
        unreachable!("another command")
    };
    args.check
}

fn judged(outcome: Outcome<'_>, line: &str) -> Verdict {
    let options = options(line);
    let mut meta = fixtures::meta();
    meta.requested.with_loss = line.contains("percentiles_with_loss");
    let (mut sink, verdict) = Check::new(&options, meta, Arc::default());
    sink.report(outcome).unwrap();
    verdict.take().unwrap()
}

fn written(verdict: &Verdict, with_details: bool) -> String {
    let mut out = Vec::new();
    verdict.write(with_details, &mut out).unwrap();
    String::from_utf8(out).unwrap()
}

/// What the line of one report says behind the state, and its performance data.
fn line(report: &SessionReport, options: &str) -> (State, String) {
    let verdict = judged(std::slice::from_ref(report).into(), options);
    let line = written(&verdict, false);
    assert_eq!(line.lines().count(), 1, "{line}");
    let text = line.split(" | ").next().unwrap();
    assert!(width(text.trim_end()) <= 80, "{text}");
    (verdict.state, line)
}

/// The fixtures by name.
fn report(name: &str) -> SessionReport {
    match name {
        "quiet" => fixtures::quiet_path(),
        "rough" => fixtures::rough_path(),
        "loss" => fixtures::loss(),
        "silent" => fixtures::nothing_came_back(),
        "clocks" => fixtures::clocks_disagree(),
        other => unreachable!("{other}"),
    }
}

#[test]
fn lists_and_reports_come_to_a_state_and_a_line() {
    let (mut table, mut wrong) = (String::new(), Vec::new());
    for (name, options, state) in [
        ("quiet", "", State::Ok),
        ("quiet", "--warn loss=0", State::Ok),
        ("quiet", "--warn loss=0 --crit rtt_p95=1s", State::Ok),
        ("quiet", "--warn rtt_max=1ns", State::Warning),
        ("quiet", "--crit rtt_max=1ns", State::Critical),
        (
            "quiet",
            "--warn rtt_max=1ns --crit rtt_max=2ns",
            State::Critical,
        ),
        (
            "quiet",
            "--warn rtt_max=1ns --crit rtt_max=1h",
            State::Warning,
        ),
        ("quiet", "--warn rtt_max=1h:", State::Warning),
        ("quiet", "--warn rtt_max=@0:1h", State::Warning),
        ("quiet", "--warn rtt_max=~:", State::Ok),
        (
            "quiet",
            "--warn rtt_max=1ns,loss=1%,reordered=0",
            State::Warning,
        ),
        (
            "quiet",
            "--warn loss=1%,rtt_p95=1s,rtt_p99=1s,rtt_max=1s,rtt_mean=1s",
            State::Ok,
        ),
        ("quiet", "--crit voice.round_trip.mos=4:", State::Unknown),
        ("loss", "--warn loss=0.001%", State::Warning),
        (
            "loss",
            "--warn loss=0.001% --crit loss=0.002%",
            State::Critical,
        ),
        ("loss", "--warn loss=0 --crit loss=99%", State::Warning),
        ("loss", "--crit lost=0", State::Critical),
        ("rough", "--warn loss_forward=50%", State::Ok),
        ("rough", "--warn loss_forward=50%,lost=0", State::Warning),
        ("rough", "--warn forward.p95=1s", State::Unknown),
        ("rough", "--warn forward.pdv_p99=1s", State::Ok),
        ("clocks", "--warn forward.p95=1s,rtt_p95=1s", State::Unknown),
        (
            "clocks",
            "--warn forward.p95=1s --crit rtt_p95=1ns",
            State::Critical,
        ),
        (
            "rough",
            "--warn loss_forward=1% --crit forward.p95=1s",
            State::Warning,
        ),
        (
            "clocks",
            "--warn ttl_forward.hops_max=30,own_wait.mean=1s",
            State::Unknown,
        ),
        ("silent", "", State::Critical),
        ("silent", "--warn loss=100%", State::Critical),
        ("silent", "--warn loss=~:", State::Critical),
        (
            "silent",
            "--warn rtt_p95=1s,forward.p95=1s,rtt_jitter=1s",
            State::Critical,
        ),
    ] {
        let (found, line) = line(&report(name), options);
        writeln!(table, "{name} {options}\n  {}", line.trim_end()).unwrap();
        if found != state {
            wrong.push(format!("{name} {options}: {line}"));
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.concat());
    insta::assert_snapshot!(table);
}

#[test]
fn what_was_measured_in_part_is_unknown_unless_it_is_worse() {
    let mut part = fixtures::quiet_path();
    part.counters.asked = part.counters.asked.map(|asked| asked + 5);
    let (state, text) = line(&part, "");
    assert_eq!(state, State::Unknown);
    assert!(text.contains(" packets were sent"), "{text}");
    assert_eq!(line(&part, "--warn rtt_max=1ns").0, State::Warning);
    let mut unsent = fixtures::quiet_path();
    unsent.findings = vec![twinpath_report::Finding::Written(twinpath_report::Note {
        key: "incompletely-measured".into(),
        warning: true,
        line: "31 of 70 packets could not be sent".into(),
    })];
    let (state, text) = line(&unsent, "--warn rtt_max=1h");
    assert_eq!(state, State::Unknown);
    assert!(
        text.contains("- 31 of 70 packets could not be sent, "),
        "{text}"
    );
    let mut none = fixtures::quiet_path();
    (none.counters.sent, none.counters.received) = (0, 0);
    assert_eq!(line(&none, "").0, State::Unknown);
}

/// Sessions of as many targets, every fifth of which is silent.
fn mesh(targets: usize) -> Vec<SessionReport> {
    let reports = (1..=targets).map(|number| {
        let report = if number % 5 == 0 {
            fixtures::nothing_came_back()
        } else {
            fixtures::quiet_path()
        };
        let mut report = fixtures::to(&format!("r{number}"), None, report);
        report.identity.number = number;
        report
    });
    reports.collect()
}

#[test]
fn of_several_targets_the_worst_are_named_first_in_one_line_of_bounded_length() {
    let mut table = String::new();
    let gone = FailedTarget {
        target: "gone.example".to_owned(),
        error: "cannot resolve gone.example: no such name; check the name".to_owned(),
        file: None,
        sessions: None,
    };
    let long = FailedTarget {
        target: "x".repeat(300),
        error: "no route".to_owned(),
        file: None,
        sessions: None,
    };
    for (targets, failed, options, state) in [
        (4, vec![], "--warn loss=1%,rtt_p95=1s", State::Ok),
        (4, vec![], "--warn rtt_p95=1ns", State::Warning),
        (5, vec![], "--warn loss=1%", State::Critical),
        (4, vec![gone.clone()], "--warn loss=1%", State::Unknown),
        (4, vec![gone.clone()], "--warn rtt_p95=1ns", State::Warning),
        (0, vec![gone.clone()], "", State::Unknown),
        (4, vec![long], "--warn loss=1%", State::Unknown),
        (60, vec![gone], "--warn loss=1%", State::Critical),
        (2_000, vec![], "--warn loss=1%,rtt_p95=1s", State::Critical),
    ] {
        let reports = mesh(targets);
        let outcome = Outcome::from(&*reports).with_failed(&failed);
        let verdict = judged(outcome, options);
        let line = written(&verdict, false);
        let text = line.split(" | ").next().unwrap();
        assert!(width(text.trim_end()) <= 80, "{text}");
        assert!(line.len() < 2_000, "{line}");
        writeln!(
            table,
            "{targets} + {} {options}\n  {}",
            failed.len(),
            line.trim_end()
        )
        .unwrap();
        assert_eq!(verdict.state, state, "{line}");
        let details = written(&verdict, true);
        assert!(details.lines().count() < 2 * MOST_DETAILS + 10, "{details}");
    }
    insta::assert_snapshot!(table);
}

#[test]
fn details_say_when_alerts_are_raised_and_have_no_bar_and_no_wide_line() {
    let mut report = fixtures::nothing_came_back();
    report.notes = vec![fixtures::warning("a", "this | that".into())];
    let lists = "--warn loss=1%,rtt_p95=@1ms:5ms,sent=20: --crit loss=5%,rtt_p95=~:1s";
    let verdict = judged(std::slice::from_ref(&report).into(), lists);
    let text = written(&verdict, true);
    assert_eq!(text.matches('|').count(), 1, "{text}");
    assert!(text.lines().skip(1).all(|line| width(line) <= 80), "{text}");
    insta::assert_snapshot!(text);
}

#[test]
fn a_failure_is_said_in_a_line_that_fits_unless_it_is_bad_usage() {
    let said = |failure: &Failure| {
        let verdict = Verdict::without_measurement(failure);
        assert_eq!(verdict.state, State::Unknown);
        (written(&verdict, false), written(&verdict, true))
    };
    let failure = Failure::could_not("no route to r1").with_remedy(Some("try r2"));
    let (line, details) = said(&failure);
    assert_eq!(line, "TWINPATH UNKNOWN - no route to r1; try r2\n");
    assert_eq!(line, details);
    let long = "no route to 192.0.2.1:20001: Network is unreachable (os error 101)";
    let failure = Failure::could_not(long).with_remedy(Some("see ip route"));
    let (line, details) = said(&failure);
    let short = "no route to 192.0.2.1:20001: Network is unreachable";
    assert_eq!(line, format!("TWINPATH UNKNOWN - {short}\n"));
    let details = details.split_whitespace().collect::<Vec<_>>().join(" ");
    assert!(details.ends_with("; see ip route"), "{details}");
    let failure = Failure::could_not(format!("cannot read {}|b", "a".repeat(200)));
    let (line, _) = said(&failure);
    assert!(
        width(line.trim_end()) <= 80 && line.ends_with("…\n"),
        "{line}"
    );
    let usage = Failure::usage(format!("{}|b: use c", "a".repeat(200)));
    let (line, _) = said(&usage);
    assert!(line.ends_with("/b: use c\n"), "{line}");
    let earlier = vec![Failure::usage("m.txt:1: a"), Failure::usage("m.txt:2: b")];
    let (line, details) = said(&Failure::usage("m.txt:9: c").after(earlier));
    assert_eq!(line, "TWINPATH UNKNOWN - m.txt:1: a (2 more)\n");
    assert!(details.contains("m.txt:9: c"), "{details}");
}

#[test]
fn a_label_is_quoted_where_it_has_to_be_and_ends_nothing() {
    for (text, label) in [
        ("loss", "loss"),
        ("rtt_p95", "rtt_p95"),
        ("r1 loss", "'r1 loss'"),
        ("a=b'c|d\"e loss", "'a_b_c_d_e loss'"),
        ("[2001:db8::1]:862 loss", "'[2001:db8:_:1]:862 loss'"),
        ("zürich loss", "'zürich loss'"),
        ("", "''"),
    ] {
        assert_eq!(perfdata::label(text), label);
    }
}

#[test]
fn a_value_is_never_rounded_to_its_limit_to_none_or_to_all() {
    let text = |name: &str, value: f64, limit: Option<f64>| {
        let alert: crate::args::Alert = format!("{name}=0").parse().unwrap();
        amounts::amount(alert.figure.metric().unwrap(), value, limit)
    };
    for (name, value, limit, shown) in [
        ("rtt_p95", 61_204_117.0, Some(5e7), "61.204 ms"),
        ("rtt_p95", 61_200_000.0, None, "61.2 ms"),
        ("rtt_p95", 50_000_001.0, Some(5e7), "50.000001 ms"),
        ("rtt_p95", 77_049.0, None, "77 us"),
        ("rtt_p95", 0.0, None, "0 ms"),
        ("rtt_p95", 1.0, None, "0.001 us"),
        ("rtt_p95", 1_200_000_000.0, None, "1.2 s"),
        ("rtt_p95", f64::INFINITY, None, "infinite"),
        ("forward.p95", -1_500_000.0, None, "-1.5 ms"),
        ("loss", 0.0, None, "0 %"),
        ("loss", 0.05, None, "5 %"),
        ("loss", 1.0 / 3.0, None, "33.33 %"),
        ("loss", 1e-7, None, "0.00001 %"),
        ("loss", 0.999_999_9, None, "99.99999 %"),
        ("loss", 0.010_000_1, Some(0.01), "1.00001 %"),
        ("loss", 0.000_07, None, "0.007 %"),
        ("loss", 1.0, None, "100 %"),
        ("voice.forward.mos", 4.379_695, None, "4.38"),
        ("voice.forward.mos", 3.999, Some(4.0), "3.999"),
        ("sent", 20.0, None, "20"),
        ("achieved_pps", 19.999_8, None, "20 packets/s"),
    ] {
        assert_eq!(text(name, value, limit), shown, "{name} {value}");
    }
}

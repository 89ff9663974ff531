//! Names of figures, and ranges.

use std::fmt::Write as _;
use std::io::Write as _;
use std::process::{Command, Stdio};

use super::*;

fn metric(name: &str) -> &'static str {
    let figure: NamedFigure = name
        .parse()
        .unwrap_or_else(|error| panic!("{name}: {error}"));
    &figure.metric().unwrap().path
}

#[test]
fn a_figure_has_its_path_and_shorter_names() {
    for (name, path) in [
        ("packets.loss_ratio", "packets.loss_ratio"),
        ("loss_ratio", "packets.loss_ratio"),
        ("loss", "packets.loss_ratio"),
        ("packets.loss", "packets.loss_ratio"),
        ("loss_forward", "packets.loss_ratio_forward"),
        ("lost_forward", "packets.lost_forward"),
        ("duplicates", "packets.duplicates"),
        ("sent", "packets.sent"),
        ("round_trip.p95_ns", "round_trip.p95_ns"),
        ("round_trip.p95", "round_trip.p95_ns"),
        ("rtt_p95", "round_trip.p95_ns"),
        ("rtt_pdv_p99", "round_trip.pdv_p99_ns"),
        ("forward.p99", "forward.p99_ns"),
        ("backward.pdv_p99", "backward.pdv_p99_ns"),
        ("voice.forward.mos", "voice.forward.mos_cqe"),
        ("voice.forward.mos_cqe", "voice.forward.mos_cqe"),
        ("voice.round_trip.loss", "voice.round_trip.loss_ratio"),
        ("one_way.clocks.offset", "one_way.clocks.offset_ns"),
        ("reordering.round_trip.ratio", "reordering.round_trip.ratio"),
        ("achieved_pps", "achieved_pps"),
    ] {
        assert_eq!(metric(name), path, "{name}");
    }
}

#[test]
fn every_figure_can_be_named_and_no_name_means_two() {
    let mut owners: BTreeMap<String, &str> = BTreeMap::new();
    for row in METRICS.iter() {
        for name in names(&row.path) {
            let other = owners.insert(name.clone(), &row.path);
            assert_eq!(other.filter(|other| *other != row.path), None, "{name}");
            assert_eq!(metric(&name), row.path);
        }
    }
    assert!(owners.len() > METRICS.len());
}

#[test]
fn an_unknown_figure_is_answered_with_the_names_most_like_it() {
    for (typed, names) in [
        ("lss", "loss, lost or late"),
        ("rtt_p96", "rtt_p95"),
        ("RTT_P95", "rtt_p95"),
        ("p95", "rtt_p95"),
        ("mos", "voice.forward.mos"),
        ("rtt", "rtt_"),
        ("", "use "),
        ("duplicate", "duplicates"),
        ("round_trip.p95ns", "round_trip.p95"),
    ] {
        let answer = typed.parse::<NamedFigure>().unwrap_err().to_string();
        assert!(answer.contains(names), "{typed}: {answer}");
        assert!(answer.len() < 160 && !answer.contains('\n'), "{answer}");
    }
}

/// A range of a figure, and whether some values raise an alert.
struct Case(&'static str, &'static [(f64, bool)]);

const MS: f64 = 1e6;

/// Ends, both inclusive; negative values; units; nothing but one end; the inside.
const CASES: &[Case] = &[
    Case(
        "duplicates=10",
        &[(0.0, false), (10.0, false), (11.0, true), (-1.0, true)],
    ),
    Case("duplicates=0", &[(0.0, false), (1.0, true)]),
    Case(
        "duplicates=0:10",
        &[(0.0, false), (10.0, false), (10.5, true)],
    ),
    Case(
        "duplicates=:10",
        &[(-1.0, true), (10.0, false), (11.0, true)],
    ),
    Case(
        "sent=10:",
        &[(10.0, false), (9.0, true), (0.0, true), (1e9, false)],
    ),
    Case(
        "duplicates=~:10",
        &[(-1e9, false), (10.0, false), (11.0, true)],
    ),
    Case(
        "sent=10:20",
        &[(9.0, true), (10.0, false), (20.0, false), (21.0, true)],
    ),
    Case("sent=10:10", &[(9.0, true), (10.0, false), (11.0, true)]),
    Case(
        "sent=@10:20",
        &[
            (9.0, false),
            (10.0, true),
            (15.0, true),
            (20.0, true),
            (21.0, false),
        ],
    ),
    Case(
        "sent=@10",
        &[(-1.0, false), (0.0, true), (10.0, true), (11.0, false)],
    ),
    Case("sent=@10:", &[(9.0, false), (10.0, true), (1e9, true)]),
    Case("sent=@~:10", &[(-5.0, true), (10.0, true), (11.0, false)]),
    Case("sent=@10:10", &[(9.0, false), (10.0, true), (11.0, false)]),
    Case("sent=~:", &[(-1e18, false), (0.0, false), (1e18, false)]),
    Case(
        "rtt_p95=50ms",
        &[(50.0 * MS, false), (50.0 * MS + 1.0, true), (0.0, false)],
    ),
    Case(
        "rtt_p95=0.05s",
        &[(50.0 * MS, false), (50.0 * MS + 1.0, true)],
    ),
    Case(
        "rtt_p95=50000us",
        &[(50.0 * MS, false), (50.0 * MS + 1.0, true)],
    ),
    Case(
        "rtt_p95=1m",
        &[(60_000.0 * MS, false), (60_001.0 * MS, true)],
    ),
    Case("rtt_p95=100ns", &[(100.0, false), (101.0, true)]),
    Case(
        "rtt_p95=1.5ms:",
        &[(1.5 * MS, false), (1.5 * MS - 1.0, true)],
    ),
    Case(
        "rtt_p95=1ms:5ms",
        &[
            (MS - 1.0, true),
            (MS, false),
            (5.0 * MS, false),
            (5.0 * MS + 1.0, true),
        ],
    ),
    Case(
        "rtt_p95=1:5ms",
        &[(MS - 1.0, true), (MS, false), (5.0 * MS, false)],
    ),
    Case(
        "rtt_p95=1ms:5",
        &[(MS, false), (5.0 * MS, false), (5.0 * MS + 1.0, true)],
    ),
    Case(
        "rtt_p95=100us:5ms",
        &[(99_999.0, true), (100_000.0, false), (5.0 * MS, false)],
    ),
    Case(
        "rtt_p95=@1ms:5ms",
        &[(MS - 1.0, false), (MS, true), (5.0 * MS, true)],
    ),
    Case("rtt_p95=0", &[(0.0, false), (1.0, true), (-1.0, true)]),
    Case(
        "forward.median=-5ms:5ms",
        &[
            (-5.0 * MS, false),
            (-5.0 * MS - 1.0, true),
            (5.0 * MS + 1.0, true),
        ],
    ),
    Case(
        "forward.median=~:-1ms",
        &[(-2.0 * MS, false), (-MS, false), (0.0, true)],
    ),
    Case(
        "forward.median=-1ms:",
        &[(-MS, false), (-MS - 1.0, true), (1e12, false)],
    ),
    Case(
        "forward.median=@-5ms:-1ms",
        &[
            (-6.0 * MS, false),
            (-5.0 * MS, true),
            (-MS, true),
            (0.0, false),
        ],
    ),
    Case(
        "one_way.clocks.offset=-0.5s:0.5s",
        &[(-500.0 * MS, false), (501.0 * MS, true)],
    ),
    Case("loss=1%", &[(0.01, false), (0.0101, true), (0.0, false)]),
    Case("loss=5%", &[(1.0 / 20.0, false), (2.0 / 20.0, true)]),
    Case("loss=0.1%", &[(1.0 / 1000.0, false), (2.0 / 1000.0, true)]),
    Case("loss=2.5%", &[(1.0 / 40.0, false), (0.0251, true)]),
    Case("loss=0.7%", &[(7.0 / 1000.0, false), (8.0 / 1000.0, true)]),
    Case("loss=100%", &[(1.0, false)]),
    Case("loss=0", &[(0.0, false), (0.000_001, true)]),
    Case("loss=0%", &[(0.0, false), (0.05, true)]),
    Case(
        "loss=1:5%",
        &[(0.009, true), (0.01, false), (0.05, false), (0.06, true)],
    ),
    Case(
        "loss=@1%:5%",
        &[(0.0, false), (0.01, true), (0.05, true), (0.06, false)],
    ),
    Case(
        "availability.ratio=99.9%:",
        &[(0.999, false), (0.998, true), (1.0, false)],
    ),
    Case(
        "voice.forward.mos=4.0:",
        &[(4.0, false), (3.999, true), (4.4, false)],
    ),
    Case("voice.forward.mos=4:", &[(4.0, false), (3.999, true)]),
    Case(
        "voice.forward.mos=3.5:4.2",
        &[(3.4, true), (3.5, false), (4.2, false), (4.3, true)],
    ),
    Case(
        "one_way.clocks.skew_ppm=-10:10",
        &[(-10.0, false), (-11.0, true), (10.5, true)],
    ),
    Case("achieved_pps=+19.5:", &[(19.5, false), (19.4, true)]),
    Case(
        "percentiles_with_loss.round_trip.p99=1s",
        &[(f64::INFINITY, true), (0.0, false)],
    ),
    Case(
        "percentiles_with_loss.round_trip.p99=1ms:",
        &[(f64::INFINITY, false), (0.0, true)],
    ),
    Case(
        "percentiles_with_loss.round_trip.p99=~:",
        &[(f64::INFINITY, false)],
    ),
];

#[test]
fn a_range_raises_alerts_as_plug_ins_have_it() {
    let mut judged = 0;
    for Case(text, values) in CASES {
        let alert: Alert = text
            .parse()
            .unwrap_or_else(|error| panic!("{text}: {error}"));
        for (value, raises) in *values {
            let found = alert.range.alert(*value).is_some();
            assert_eq!(found, *raises, "{text}: {value}");
            judged += 1;
        }
    }
    assert!(judged > 120, "{judged}");
}

/// Judged by the nagiosplugin package of Python (Debian: python3-nagiosplugin).
const ORACLE: &str = "
import sys, nagiosplugin
for line in sys.stdin:
    text, value = line.split()
    print(float(value) not in nagiosplugin.Range(text))
";

#[test]
fn a_range_raises_alerts_as_another_implementation_has_it() {
    let ranges = [
        "10", "10:", "~:10", "10:20", "@10:20", "@10", "@~:10", "@10:", "0:0", "0", "-10:10",
        "5:5", "@5:5", "-20:-10", "@-20:-10", "1.5:2.5", "@0.5", "-5:", "~:-5", "~:0",
    ];
    let values = || (-42..=42).map(|half| f64::from(half) / 2.0);
    let mut questions = String::new();
    for range in ranges {
        for value in values() {
            writeln!(questions, "{range} {value}").unwrap();
        }
    }
    let pythons = ["/usr/bin/python3", "python3"];
    let Some(answers) = pythons.iter().find_map(|python| asked(python, &questions)) else {
        println!("skipped: python3-nagiosplugin is not installed");
        return;
    };
    let mut answers = answers.lines();
    for range in ranges {
        let alert: Alert = format!("one_way.clocks.skew_ppm={range}").parse().unwrap();
        for value in values() {
            let raises = answers.next().unwrap() == "True";
            assert_eq!(
                alert.range.alert(value).is_some(),
                raises,
                "{range}: {value}"
            );
        }
    }
    assert_eq!(answers.next(), None);
}

/// What a Python answers, if it has the package.
fn asked(python: &str, questions: &str) -> Option<String> {
    let mut child = Command::new(python)
        .args(["-c", ORACLE])
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::null())
        .spawn()
        .ok()?;
    let mut stdin = child.stdin.take()?;
    // It reads nothing without the package.
    let _ = stdin.write_all(questions.as_bytes());
    drop(stdin);
    let output = child.wait_with_output().ok()?;
    let answers = String::from_utf8(output.stdout).ok()?;
    output.status.success().then_some(answers)
}

#[test]
fn what_is_no_range_is_answered_with_what_to_write() {
    for (text, part) in [
        ("loss", "FIGURE=RANGE"),
        ("", "a value is missing at a comma"),
        ("loss=", "not a range: use 5% (alert above it)"),
        ("loss=x", "1%:5% (outside) or @1%:5% (inside)"),
        ("loss=@", "not a range"),
        ("loss=:", "not a range"),
        ("loss=~", "not a range"),
        ("loss=1%:2%:3%", "not a range"),
        ("loss=5ms", "not a range: use 5%"),
        ("loss=1e-2%", "not a range"),
        ("loss=nan%", "not a range"),
        ("loss=inf", "not a range"),
        ("loss=1", "1 has no unit: use 1% for a share"),
        ("loss=0.5:", "0.5 has no unit: use 0.5%"),
        ("rtt_p95=50", "50 has no unit: use 50ms, 50us or 50s"),
        ("rtt_p95=1:5", "1 has no unit"),
        ("rtt_p95=5%", "not a range: use 50ms"),
        ("rtt_p95=5 parsecs", "not a range"),
        ("rtt_p95=5ms:1ms", "the lower end comes first: use 1ms:5ms"),
        ("rtt_p95=@5ms:1ms", "use @1ms:5ms"),
        ("rtt_p95=-5ms", "the lower end comes first: use ~:-5ms"),
        ("duplicates=5ms", "not a range: use 4"),
        ("duplicates=10:5", "use 5:10"),
        ("duplicates=-", "not a range"),
        ("duplicates=--5", "not a range"),
        ("duplicates=5x", "not a range"),
        ("losss=1%", "no figure is called losss: use loss"),
        ("loss=200%", "loss is 100% at most"),
        ("loss=@1%:101%", "loss is 100% at most"),
        ("rtt_avg=1s", "no figure is called rtt_avg: use rtt_mean"),
    ] {
        let error = text.parse::<Alert>().unwrap_err().to_string();
        assert!(error.contains(part), "{text}: {error}");
        assert!(!error.contains('\n'), "{error}");
    }
    // A packet can have many copies.
    for text in ["loss=100%", "loss=5%:", "duplication.fraction=200%"] {
        text.parse::<Alert>().unwrap();
    }
}

#[test]
fn the_unit_of_a_time_is_that_of_the_first_end_that_has_one() {
    for (text, unit) in [
        ("rtt_p95=50ms", Some(TimeUnit::Milliseconds)),
        ("rtt_p95=1:50us", Some(TimeUnit::Microseconds)),
        ("rtt_p95=500ns", Some(TimeUnit::Microseconds)),
        ("rtt_p95=1s:2m", Some(TimeUnit::Seconds)),
        ("rtt_p95=1ms:1s", Some(TimeUnit::Milliseconds)),
        ("rtt_p95=0", None),
        ("loss=1%", None),
    ] {
        let alert: Alert = text.parse().unwrap();
        assert_eq!(alert.range.unit, unit, "{text}");
    }
}

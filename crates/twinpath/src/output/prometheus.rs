//! `--output prometheus`: the report as Prometheus text, for the textfile collector of
//! node_exporter. All are gauges, because they belong to one run and the next run starts again.
//!
//! Written without the crate that serves `--metrics`: a program built without that feature has this
//! output too, and a metric's samples are written as sessions are walked, not collected first.

use std::borrow::Cow;
use std::collections::BTreeSet;
use std::io::{self, Write};

use twinpath_metrics::{Unit, Value};
use twinpath_report::document::{METRICS, Metric, SessionDocument};
use twinpath_report::{FailedTarget, Finding, Identity};

use super::labels::Labels;
use super::names::{Differing, plain};
use super::{Meta, Outcome, Sink, ends};
use crate::args::Label;

/// Values that are kept at once: a metric has its samples together, while sessions are walked one by one.
const MOST_VALUES: usize = 200_000;

/// The `--output prometheus` output.
pub(crate) struct Prometheus<W> {
    out: W,
    meta: Meta,
}

impl<W: Write> Prometheus<W> {
    pub(crate) fn new(out: W, meta: Meta) -> Self {
        Self { out, meta }
    }
}

impl<W: Write> Sink for Prometheus<W> {
    fn flush(&mut self) -> io::Result<()> {
        self.out.flush()
    }

    fn report(&mut self, outcome: Outcome<'_>) -> io::Result<()> {
        let are_named = Differing::of_reports(outcome.sessions).are_named();
        let mut labels = Vec::with_capacity(outcome.sessions.len());
        let mut started = Vec::with_capacity(outcome.sessions.len());
        let mut findings = BTreeSet::new();
        for (place, report) in outcome.sessions.iter().enumerate() {
            let session = outcome.document(&self.meta, place, &report);
            let of_target = Labels::of_target(report.identity.target.as_ref(), &self.meta.labels);
            let own = self::labels(&report.identity, &session, of_target, are_named);
            findings.extend(report.findings.iter().map(|one| finding(&own, one)));
            started.push(report.started);
            labels.push(own);
        }
        let out = &mut self.out;
        let started = labels.iter().zip(started);
        let started = started.map(|(labels, at)| (labels.clone(), seconds(at.unix_ns().into())));
        let help = "time at which the first packet was due, since 1970";
        family(out, "twinpath_start_time_seconds", help, started)?;
        let control = outcome.control.map(|control| {
            let server = label("server", &ends::named(control.server));
            (control, server)
        });
        if let Some((control, labels)) = &control {
            findings.extend(control.findings.iter().map(|one| finding(labels, one)));
        }
        let help = "what is remarkable, by its key";
        let findings = findings.into_iter().map(|labels| (labels, "1".to_owned()));
        family(out, "twinpath_finding", help, findings)?;
        let refused = control
            .iter()
            .map(|(control, labels)| (labels.clone(), control.refused.len().to_string()));
        let help = "sessions that the server refused";
        family(out, "twinpath_sessions_refused", help, refused)?;
        failed(out, outcome.failed, &self.meta, are_named)?;
        let at_once = (MOST_VALUES / outcome.sessions.len().max(1)).max(1);
        for metrics in METRICS.chunks(at_once) {
            let mut values: Vec<Vec<Option<Value>>> = vec![Vec::new(); metrics.len()];
            for (place, report) in outcome.sessions.iter().enumerate() {
                let session = outcome.document(&self.meta, place, &report);
                for (values, metric) in values.iter_mut().zip(metrics) {
                    values.push(metric.get(&session));
                }
            }
            for (values, metric) in values.iter().zip(metrics) {
                let help = match metric.about.rfc {
                    "" => metric.about.help.to_owned(),
                    rfc => format!("{} ({rfc})", metric.about.help),
                };
                let samples = labels.iter().zip(values).filter_map(|(labels, value)| {
                    let value = in_base_unit(metric.about.unit, (*value)?);
                    Some((labels.clone(), value))
                });
                family(out, &name(metric), &help, samples)?;
            }
        }
        out.flush()
    }
}

/// What could not be measured: each by its name, and how many these are, where there can be some.
fn failed(
    out: &mut impl Write,
    failed: &[FailedTarget],
    meta: &Meta,
    are_named: bool,
) -> io::Result<()> {
    let of_run = user_labels(Labels::of_run(&meta.labels));
    let names = failed.iter().map(|one| (one.file.as_deref(), &*one.target));
    let names: BTreeSet<(Option<&str>, &str)> = names.collect();
    let each = names.iter().map(|(file, name)| {
        let file = file.map(|file| label("file", file));
        let own = std::iter::once(label("target", name)).chain(file);
        let labels: Vec<String> = own.chain(of_run.iter().cloned()).collect();
        (labels.join(","), "1".to_owned())
    });
    let help = "1 for each target of which something could not be measured";
    family(out, "twinpath_target_failed", help, each)?;
    let all = (are_named || !failed.is_empty()).then(|| names.len().to_string());
    let all = all.into_iter().map(|count| (of_run.join(","), count));
    let help = "targets of which something could not be measured";
    family(out, "twinpath_targets_failed", help, all)
}

/// A metric with its samples; omitted without samples.
fn family(
    out: &mut impl Write,
    name: &str,
    help: &str,
    samples: impl Iterator<Item = (String, String)>,
) -> io::Result<()> {
    let mut samples = samples.peekable();
    if samples.peek().is_some() {
        writeln!(out, "# HELP {name} {}", help.replace('\\', "\\\\"))?;
        writeln!(out, "# TYPE {name} gauge")?;
    }
    for (labels, value) in samples {
        writeln!(out, "{name}{{{labels}}} {value}")?;
    }
    Ok(())
}

/// The labels of a finding. Findings with the same key are one series.
fn finding(labels: &str, finding: &Finding) -> String {
    let severity = if finding.is_warning() {
        "warning"
    } else {
        "remark"
    };
    let key = label("key", &finding.key());
    format!("{labels},{key},{}", label("severity", severity))
}

/// `round_trip.p99_ns`: `twinpath_round_trip_p99_seconds`.
fn name(metric: &Metric) -> String {
    let path = metric.path.replace('.', "_");
    let (path, unit) = match metric.about.unit {
        Unit::Nanoseconds => (path.trim_end_matches("_ns"), "_seconds"),
        Unit::Ratio if ["ratio", "fraction"].iter().any(|word| path.contains(word)) => (&*path, ""),
        Unit::Ratio => (&*path, "_ratio"),
        Unit::PartsPerMillion => (path.trim_end_matches("_ppm"), "_ratio"),
        // By convention `_count` is a histogram's and `_total` a counter's.
        Unit::Packets if path.ends_with("_count") => (path.trim_end_matches("_count"), "_packets"),
        Unit::Packets
        | Unit::Events
        | Unit::PacketsPerSecond
        | Unit::Blocks
        | Unit::Hops
        | Unit::Number => (path.trim_end_matches("_total"), ""),
    };
    format!("twinpath_{path}{unit}")
}

/// In seconds, not nanoseconds, and in parts, not parts per million.
fn in_base_unit(unit: Unit, value: Value) -> String {
    match (unit, value) {
        (Unit::Nanoseconds, Value::Unsigned(ns)) => seconds(ns.into()),
        (Unit::Nanoseconds, Value::Signed(ns)) => seconds(ns.into()),
        (Unit::PartsPerMillion, Value::Float(value)) => (value / 1e6).to_string(),
        (_, Value::Unsigned(value)) => value.to_string(),
        (_, Value::Signed(value)) => value.to_string(),
        (_, Value::Float(value)) => value.to_string(),
    }
}

/// Exactly.
fn seconds(ns: i128) -> String {
    let sign = if ns < 0 { "-" } else { "" };
    let ns = ns.unsigned_abs();
    let (whole, part) = (ns / 1_000_000_000, ns % 1_000_000_000);
    let text = format!("{sign}{whole}.{part:09}");
    text.trim_end_matches('0').trim_end_matches('.').to_owned()
}

/// The labels that identify a session, and the `user`'s. `are_named`: there can be several targets, or
/// several paths to one.
fn labels(
    identity: &Identity,
    session: &SessionDocument<'_>,
    user: Labels<'_>,
    are_named: bool,
) -> String {
    let ends = session.sender.as_deref().zip(session.reflector.clone());
    let own = own_labels(identity, ends, session.file, are_named);
    let own = own.map(|(name, value)| label(name, &value));
    own.chain(user_labels(user)).collect::<Vec<_>>().join(",")
}

/// The labels of a running session, by name: those of its report.
pub(crate) fn session_labels(
    identity: &Identity,
    run: &[Label],
    are_named: bool,
) -> Vec<(Cow<'static, str>, String)> {
    let sender = ends::named(identity.sender);
    let ends = Some((sender.as_str(), ends::named(identity.reflector)));
    let own = own_labels(identity, ends, None, are_named);
    let own = own.map(|(name, value)| (Cow::Borrowed(name), plain(&value)));
    let user = user_pairs(Labels::of_target(identity.target.as_ref(), run));
    let user = user.map(|(name, value)| (Cow::Owned(name), plain(value)));
    own.chain(user).collect()
}

/// What identifies a session between `ends`, as far as these are known.
fn own_labels(
    identity: &Identity,
    ends: Option<(&str, String)>,
    file: Option<&str>,
    are_named: bool,
) -> impl Iterator<Item = (&'static str, String)> {
    let ends = ends.map(|(sender, reflector)| {
        [
            ("protocol", identity.wire.format.name().to_owned()),
            // Without its port, which may differ in each run.
            ("sender", without_port(sender)),
            ("reflector", reflector),
        ]
    });
    let own = [("session", identity.number.to_string())];
    let own = own.into_iter().chain(ends.into_iter().flatten());
    let dscp = identity.tos.dscp().value().to_string();
    let own = own.chain([("dscp", dscp)]);
    let file = file.map(|file| ("file", file.to_owned()));
    let target = identity.target.as_ref().filter(|_| are_named);
    let name = target.map(|target| ("target", target.name.clone()));
    let path = identity.path.map(|path| ("path", path.to_string()));
    let member = identity.micro_session.as_ref();
    let member = member.map(|member| ("member", member.name()));
    own.chain(file).chain(name).chain(path).chain(member)
}

fn user_labels(user: Labels<'_>) -> Vec<String> {
    user_pairs(user)
        .map(|(name, value)| label(&name, value))
        .collect()
}

/// The user's labels by the names that metrics have for them.
fn user_pairs(user: Labels<'_>) -> impl Iterator<Item = (String, &str)> {
    let mut names = BTreeSet::new();
    user.iter().filter_map(move |(key, value)| {
        // No two keys may become the same label.
        let name = user_label(key);
        names.insert(name.clone()).then_some((name, value))
    })
}

/// The label for a user's key, which may contain dots and dashes.
pub(crate) fn user_label(key: &str) -> String {
    let fits = |c: char| if c.is_ascii_alphanumeric() { c } else { '_' };
    let name: String = key.chars().map(fits).collect();
    format!("label_{name}")
}

fn without_port(endpoint: &str) -> String {
    let address = endpoint
        .rsplit_once(':')
        .map_or(endpoint, |(address, _)| address);
    address.trim_matches(['[', ']']).to_owned()
}

fn label(name: &str, value: &str) -> String {
    let value = plain(value).replace('\\', "\\\\").replace('"', "\\\"");
    format!("{name}=\"{value}\"")
}

#[cfg(test)]
mod tests {
    use twinpath_report::{Note, SessionReport, Target};

    use super::*;
    use crate::args::Label;
    use crate::output::fixtures;

    fn text(reports: &[SessionReport], labels: Vec<Label>) -> String {
        let mut out = Vec::new();
        let meta = Meta {
            labels,
            ..Meta::default()
        };
        let mut sink = Prometheus::new(&mut out, meta);
        sink.report(reports.into()).unwrap();
        String::from_utf8(out).unwrap()
    }

    #[test]
    fn times_are_seconds_exactly() {
        let all = [0, 1, -1, 1_500_000_000, 1_795_449_600_250_000_000];
        assert_eq!(
            all.map(seconds),
            ["0", "0.000000001", "-0.000000001", "1.5", "1795449600.25"]
        );
    }

    #[test]
    fn a_report_is_gauges_in_base_units() {
        insta::assert_snapshot!(text(&[fixtures::rough_path()], Vec::new()));
    }

    #[test]
    fn each_metric_has_its_samples_together_and_unknown_ones_are_omitted() {
        let text = text(
            &[fixtures::quiet_path(), fixtures::nothing_came_back()],
            Vec::new(),
        );
        let mut names: Vec<&str> = text
            .lines()
            .filter_map(|line| line.strip_prefix("# TYPE "))
            .collect();
        let all = names.len();
        names.sort_unstable();
        names.dedup();
        assert_eq!(names.len(), all, "{text}");
        let of = |name: &str| text.lines().filter(|line| line.starts_with(name)).count();
        assert_eq!(of("twinpath_packets_sent{"), 2);
        assert_eq!(of("twinpath_round_trip_median_seconds{"), 1, "{text}");
    }

    #[test]
    fn findings_of_one_key_are_one_series_and_those_of_the_connection_are_included() {
        let mut report = fixtures::quiet_path();
        let note = |line: &str| {
            Finding::Written(Note {
                key: "icmp".into(),
                warning: false,
                line: line.to_owned(),
            })
        };
        report.findings = vec![note("one"), note("other")];
        let text = text(&[report], Vec::new());
        let found = text
            .lines()
            .filter(|line| line.starts_with("twinpath_finding{"));
        let found: Vec<&str> = found.collect();
        assert_eq!(found.len(), 1, "{found:?}");
        assert!(
            found[0].ends_with(",key=\"icmp\",severity=\"remark\"} 1"),
            "{found:?}"
        );
        assert!(found[0].contains(",sender=\"192.0.2.1\","), "{found:?}");
        assert_eq!(without_port("[fe80::1%eth0]:862"), "fe80::1%eth0");
    }

    fn listed(name: &str) -> SessionReport {
        let mut report = fixtures::quiet_path();
        report.identity.target = Some(Target {
            name: name.to_owned(),
            is_listed: true,
            ..Target::default()
        });
        report
    }

    #[test]
    fn what_could_not_be_measured_has_samples_and_the_others_keep_their_labels() {
        let failed = |target: &str, error: &str| FailedTarget {
            target: target.to_owned(),
            error: error.to_owned(),
            file: None,
            sessions: None,
        };
        let failed = [failed("b", "x"), failed("c", "y"), failed("b", "z")];
        let text = |reports: &[SessionReport], failed: &[FailedTarget]| {
            let mut out = Vec::new();
            let mut sink = Prometheus::new(&mut out, fixtures::meta());
            let outcome = Outcome::from(reports).with_failed(failed);
            sink.report(outcome).unwrap();
            String::from_utf8(out).unwrap()
        };
        let site = "label_site=\"lab \\\"1\\\"\"";
        let some = text(&[listed("a")], &failed);
        for line in [
            &format!("twinpath_target_failed{{target=\"b\",{site}}} 1"),
            &format!("twinpath_target_failed{{target=\"c\",{site}}} 1"),
            &format!("twinpath_targets_failed{{{site}}} 2"),
        ] {
            assert_eq!(some.lines().filter(|it| it == line).count(), 1, "{some}");
        }
        let none = text(&[listed("a")], &[]);
        assert!(
            none.contains(&format!("\ntwinpath_targets_failed{{{site}}} 0\n")),
            "{none}"
        );
        let sent = |text: &str| {
            let line = text
                .lines()
                .find(|line| line.starts_with("twinpath_packets_sent{"));
            line.unwrap().to_owned()
        };
        assert_eq!(sent(&some), sent(&none));
        assert_eq!(sent(&some), sent(&text(&[listed("a"), listed("b")], &[])));
        assert!(sent(&some).contains(",target=\"a\","), "{some}");
        assert!(!text(&[fixtures::quiet_path()], &[]).contains("_failed"));
        // Nothing was measured.
        assert!(text(&[], &failed).contains(&format!("{{{site}}} 2\n")));
    }

    #[test]
    fn labels_of_the_user_are_escaped_and_never_collide() {
        let labels = [
            ("session", "a\\b\"c\nd\u{1b}\u{202e}"),
            ("site.rack-1", "e"),
            ("site-rack.1", "f"),
        ];
        let labels = labels.map(|(key, value)| Label {
            key: key.to_owned(),
            value: value.to_owned(),
        });
        let text = text(&[fixtures::quiet_path()], labels.to_vec());
        let found = text
            .lines()
            .find(|line| line.starts_with("twinpath_packets_lost{"));
        let found = found.unwrap();
        assert!(found.contains("{session=\"1\","), "{found}");
        assert!(
            found.contains(",label_session=\"a\\\\b\\\"c?d??\",label_site_rack_1=\"e\"}"),
            "{found}"
        );
    }
}

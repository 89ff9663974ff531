//! A session's figures against their ranges.

use twinpath_metrics::Value;
use twinpath_report::document::{METRICS, Metric, SessionDocument};
use twinpath_report::finding::Unreached;
use twinpath_report::{Finding, Note, SessionReport};

use super::State;
use super::amounts::{Measure, amount, crossed, described, name};
use super::perfdata::label;
use super::unknown;
use crate::args::{Alert, AlertRange, CheckOptions, NamedFigure};
use crate::output::units::count;
use crate::output::{ends, summary, text, words};

/// Without any list a check shows these.
const USUAL: [&str; 2] = ["loss", "rtt_median"];
/// Where a lost packet is an infinite delay, which JSON has as `null`.
const WITH_LOSS: &str = "percentiles_with_loss.";

/// A figure with the ranges of both lists.
#[derive(Clone)]
pub(crate) struct JudgedFigure {
    pub(super) metric: &'static Metric,
    /// As it was typed first.
    pub(super) label: String,
    warn: Option<AlertRange>,
    crit: Option<AlertRange>,
    measure: Measure,
}

impl JudgedFigure {
    /// All figures of both lists, in their order.
    pub(super) fn all(options: &CheckOptions) -> Vec<Self> {
        let (warn, crit) = (&options.warn, &options.crit);
        let mut named: Vec<NamedFigure> = Vec::new();
        for alert in warn.iter().chain(crit) {
            if !named.iter().any(|known| known.is(&alert.figure)) {
                named.push(alert.figure.clone());
            }
        }
        if named.is_empty() {
            named.extend(USUAL.iter().filter_map(|name| name.parse().ok()));
        }
        let figures = named.into_iter().filter_map(|figure| {
            let range = |alerts: &[Alert]| {
                let of_figure = alerts.iter().find(|alert| alert.figure.is(&figure));
                of_figure.map(|alert| alert.range)
            };
            let (warn, crit) = (range(warn), range(crit));
            let unit = [warn, crit]
                .into_iter()
                .flatten()
                .find_map(|range| range.unit);
            let metric = figure.metric()?;
            Some(Self {
                metric,
                label: figure.name,
                warn,
                crit,
                measure: Measure::of(metric, unit),
            })
        });
        figures.collect()
    }

    pub(super) fn perfdata(&self, label: &str, value: f64) -> String {
        let fields = self
            .measure
            .fields(value, self.warn.as_ref(), self.crit.as_ref());
        format!("{}={fields}", self::label(label))
    }

    /// Its state by this value, and that in words.
    fn judge(&self, value: f64) -> (State, String) {
        let ranges = [(State::Critical, &self.crit), (State::Warning, &self.warn)];
        let alert = ranges.into_iter().find_map(|(state, range)| {
            let range = range.as_ref()?;
            Some((state, range, range.alert(value)?))
        });
        let name = name(&self.metric.path);
        let Some((state, range, beyond)) = alert else {
            return (
                State::Ok,
                format!("{name} {}", amount(self.metric, value, None)),
            );
        };
        let end = match beyond {
            crate::args::Beyond::Above => Some(range.high),
            crate::args::Beyond::Below => Some(range.low),
            crate::args::Beyond::Inside => None,
        };
        let value = amount(self.metric, value, end);
        let crossed = crossed(self.metric, range, beyond);
        (state, format!("{name} {value} ({crossed})"))
    }

    /// When it raises alerts, in words.
    fn ranges(&self) -> String {
        let ranges = [("warning", &self.warn), ("critical", &self.crit)];
        let ranges = ranges.into_iter().filter_map(|(name, range)| {
            let range = range.as_ref()?;
            Some(format!("{name} {}", described(self.metric, range)))
        });
        let ranges: Vec<String> = ranges.collect();
        if ranges.is_empty() {
            String::new()
        } else {
            format!("; {}", ranges.join(", "))
        }
    }
}

/// What is said of a session.
pub(super) struct Judgement {
    pub(super) state: State,
    /// Its figures, in their order; `None`: not known.
    pub(super) values: Vec<Option<f64>>,
    /// What is said beside figures.
    of_run: Vec<(State, String)>,
    /// What is said of each figure, in their order.
    of_figures: Vec<(State, String)>,
    is_silent: bool,
}

impl Judgement {
    /// `is_late`: the deadline ended its run.
    pub(super) fn of(
        report: &SessionReport,
        document: &SessionDocument<'_>,
        figures: &[JudgedFigure],
        is_late: bool,
    ) -> Self {
        let counters = &report.counters;
        let is_silent = counters.sent > 0 && counters.received == 0 && counters.unawaited == 0;
        let of_run = of_run(report, is_late);
        let mut values = Vec::with_capacity(figures.len());
        let mut of_figures = Vec::with_capacity(figures.len());
        for figure in figures {
            let value = value(figure.metric, report, document);
            of_figures.push(match &value {
                Ok(value) => figure.judge(*value),
                Err(why) => {
                    let name = name(&figure.metric.path);
                    (State::Unknown, format!("{name} unknown: {why}"))
                }
            });
            values.push(value.ok());
        }
        let all = of_run.iter().chain(&of_figures);
        Self {
            state: all.map(|(state, _)| *state).max().unwrap_or(State::Ok),
            values,
            of_run,
            of_figures,
            is_silent,
        }
    }

    /// All that is said, the worst first. Of a silent session no figure says more than that it is.
    pub(super) fn parts(&self) -> Vec<String> {
        let of_figures = self.of_figures.iter().filter(|_| !self.is_silent);
        let mut parts: Vec<&(State, String)> = self.of_run.iter().chain(of_figures).collect();
        parts.sort_by_key(|(state, _)| std::cmp::Reverse(*state));
        parts.into_iter().map(|(_, text)| text.clone()).collect()
    }

    /// The same and all findings at length, a line each.
    pub(super) fn details(&self, report: &SessionReport, figures: &[JudgedFigure]) -> Vec<String> {
        let protocol = ends::protocol(report.identity.wire);
        let unit = text::table_unit(&report.figures);
        let of_run = self.of_run.iter();
        let of_run = of_run.map(|(state, text)| format!("{}: {text}", state.name()));
        let of_figures = self.of_figures.iter().zip(figures);
        // That all packets are lost is said already.
        let of_figures = of_figures
            .filter(|((state, _), _)| !self.is_silent || *state != State::Ok)
            .map(|((state, text), figure)| format!("{}: {text}{}", state.name(), figure.ranges()));
        [
            ends::line(report, &protocol),
            summary::sentence(report, unit),
        ]
        .into_iter()
        .chain(of_run)
        .chain(of_figures)
        .chain(report.notes.iter().map(note))
        .collect()
    }
}

/// A finding in words.
pub(super) fn note(note: &Note) -> String {
    let kind = if note.warning { "warning" } else { "note" };
    format!("{kind}: {}", note.line)
}

/// What is remarkable whatever the ranges are.
fn of_run(report: &SessionReport, is_late: bool) -> Vec<(State, String)> {
    let counters = &report.counters;
    let mut said = Vec::new();
    if counters.unawaited > 0 {
        let line = match report.return_address {
            Some(to) => format!("replies go to {to}, not here"),
            None => "no reply is wanted: the figures are at the far end".to_owned(),
        };
        said.push((State::Unknown, line));
    } else if counters.sent > 0 && counters.received == 0 {
        let lost = count(counters.sent, "packet", "packets");
        let port = report.identity.reflector.port();
        let why = report.findings.iter().find_map(|it| silence(it, port));
        let why = why.map_or_else(String::new, |why| format!(", {why}"));
        said.push((State::Critical, format!("all {lost} lost{why}")));
    }
    if let Some(finding) = report.incompletely_measured() {
        said.push((State::Unknown, words::finding::line(finding)));
    } else if is_late || ended_early(report) {
        let of = counters
            .asked
            .map_or_else(String::new, |asked| format!(" of {asked}"));
        let sent = count(counters.sent, "packet was", "packets were");
        let sent = match counters.asked {
            Some(_) => format!("{}{of} packets were sent", counters.sent),
            None => format!("{sent} sent"),
        };
        let by = if is_late { " before the deadline" } else { "" };
        said.push((State::Unknown, format!("only {sent}{by}")));
    } else if counters.sent == 0 {
        said.push((State::Unknown, "no packet was sent".to_owned()));
    }
    said
}

/// Fewer packets were due than asked for.
fn ended_early(report: &SessionReport) -> bool {
    let counters = &report.counters;
    let due = counters.sent + counters.send_errors + counters.in_flight;
    counters
        .asked
        .is_some_and(|asked| due < asked || counters.in_flight > 0)
}

/// Why nothing came back, by the key of what is known of it.
fn silence(finding: &Finding, port: u16) -> Option<String> {
    if matches!(finding, Finding::Unreached(Unreached::PortUnreachable(_))) {
        // Which port is the usual one depends on the protocol.
        return Some(format!("UDP port {port} unreachable"));
    }
    let is_of_silence = matches!(finding, Finding::Silence(_) | Finding::Unreached(_));
    (is_of_silence && finding.is_warning()).then(|| finding.key().replace('-', " "))
}

/// A figure's value, or why it is not known.
#[expect(
    clippy::cast_precision_loss,
    reason = "no figure of a run of seconds is that large"
)]
fn value(
    metric: &Metric,
    report: &SessionReport,
    document: &SessionDocument<'_>,
) -> Result<f64, String> {
    if let Some(why) = unknown::untrusted(&metric.path, report) {
        return Err(why.to_owned());
    }
    match metric.get(document) {
        Some(Value::Unsigned(value)) => Ok(value as f64),
        Some(Value::Signed(value)) => Ok(value as f64),
        Some(Value::Float(value)) if value.is_finite() => Ok(value),
        _ if is_infinite(metric, document) => Ok(f64::INFINITY),
        _ => Err(unknown::why(&metric.path, report).to_owned()),
    }
}

/// A percentile that is a lost packet.
fn is_infinite(metric: &Metric, document: &SessionDocument<'_>) -> bool {
    let of_group = metric
        .path
        .strip_prefix(WITH_LOSS)
        .and_then(|rest| rest.split_once('.'));
    of_group.is_some_and(|(group, _)| {
        let undefined = format!("{WITH_LOSS}{group}.undefined");
        let metric = METRICS.iter().find(|metric| metric.path == undefined);
        metric.is_some_and(|metric| metric.get(document).is_some())
    })
}

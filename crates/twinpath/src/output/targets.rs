//! Many sessions for people: what is remarkable about them in words, then a row for each, worst first.

use std::cmp::Reverse;
use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::io::{self, Write};

use twinpath_report::{FailedTarget, Note, SessionReport};

use super::classes::{self, NamedRow};
use super::names::{Differing, plain};
use super::style::Style;
use super::units::{self, wrapped};
use super::{Outcome, counts, ends, summary};

/// Rows of the table, unless all are asked for.
const MOST_ROWS: usize = 50;
/// Targets whose paths are described in words, unless all are asked for.
const MOST_PATHS: usize = 10;
/// Targets named in a sentence.
const MOST_NAMES: usize = 3;
/// Findings of sessions, unless all are asked for.
const MOST_FINDINGS: usize = 10;

/// The summary, the table, what could not be measured, and findings. `all`: nothing is left out.
///
/// # Errors
/// Errors of writing to `out`.
pub(super) fn write(
    outcome: Outcome<'_>,
    differing: Differing,
    all: bool,
    style: Style,
    out: &mut impl Write,
) -> io::Result<()> {
    let mut ranked: Vec<Ranked<'_>> = outcome.sessions.iter().map(Ranked::new).collect();
    // Stable: sessions that are equally bad stay in their order.
    ranked.sort_by_key(|session| Reverse(session.rank));
    let targets = by_target(&ranked);
    for line in sentences(&targets, differing, outcome.failed, all) {
        writeln!(out, "{}", wrapped(&line, 2))?;
    }
    writeln!(out)?;
    let unit = classes::unit(outcome.sessions);
    let limit = if all { usize::MAX } else { MOST_ROWS };
    let rows: Vec<NamedRow> = ranked
        .iter()
        .take(limit)
        .map(|session| {
            let report = session.report;
            (
                differing.name(&report.identity),
                Ok(classes::cells(report, unit)),
            )
        })
        .collect();
    let (title, head) = if differing.has_targets() {
        ("Round trips and losses by target, worst first", "Target")
    } else {
        ("Round trips and losses by path, worst first", "Path")
    };
    classes::table(title, head, &rows, style, out)?;
    if rows.len() < ranked.len() {
        let (some, all) = (rows.len(), ranked.len());
        writeln!(out, "{some} of {all} sessions; use -v for all")?;
    }
    failed(outcome.failed, all, style, out)?;
    // With -v they are below the sessions.
    if all {
        return Ok(());
    }
    findings(outcome.sessions, style, out)
}

/// What could not be measured, one line each.
///
/// # Errors
/// Errors of writing to `out`.
pub(super) fn failed(
    failed: &[FailedTarget],
    all: bool,
    style: Style,
    out: &mut impl Write,
) -> io::Result<()> {
    let limit = if all { usize::MAX } else { MOST_ROWS };
    for one in failed.iter().take(limit) {
        let line = format!("{} not measured: {}", plain(&one.target), plain(&one.error));
        writeln!(out, "{} {line}", style.warning("warning:"))?;
    }
    if failed.len() > limit {
        let more = failed.len() - limit;
        let more = units::count(more as u64, "other target", "other targets");
        writeln!(
            out,
            "{} {more} not measured; use -v for all",
            style.warning("warning:")
        )?;
    }
    Ok(())
}

/// One warning of each kind, with the number of sessions that have one like it.
fn findings(sessions: &[SessionReport], style: Style, out: &mut impl Write) -> io::Result<()> {
    let mut order: Vec<&Note> = Vec::new();
    let mut counted: HashMap<&str, u64> = HashMap::new();
    let warnings = sessions.iter().flat_map(|session| {
        let mut keys = BTreeSet::new();
        let warnings = session.notes.iter().filter(|note| note.warning);
        warnings.filter(move |note| keys.insert(&*note.key))
    });
    for note in warnings {
        let count = counted.entry(&note.key).or_default();
        if *count == 0 {
            order.push(note);
        }
        *count += 1;
    }
    let count = |note: &Note| counted.get(&*note.key).copied().unwrap_or(0);
    order.sort_by_key(|note| Reverse(count(note)));
    for note in order.iter().take(MOST_FINDINGS) {
        let sessions = units::count(count(note), "session", "sessions");
        let warning = style.warning("warning:");
        writeln!(out, "{warning} {} ({sessions})", note.line)?;
    }
    if let Some(more @ 1..) = order.len().checked_sub(MOST_FINDINGS) {
        let more = units::count(more as u64, "other warning", "other warnings");
        writeln!(out, "note: {more}; use -v for all")?;
    }
    Ok(())
}

/// How bad a session is: the greater, the worse.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
struct Rank {
    /// Lost packets of a billion. Unknown losses come before none.
    lost: u64,
    is_unknown: bool,
    /// p99 of the round trip.
    delay_ns: Option<i64>,
}

#[derive(Clone, Copy)]
struct Ranked<'a> {
    report: &'a SessionReport,
    rank: Rank,
}

impl<'a> Ranked<'a> {
    fn new(report: &'a SessionReport) -> Self {
        let counters = &report.counters;
        let lost = u128::from(counters.lost) * 1_000_000_000;
        let lost = lost.checked_div(counters.sent.into()).unwrap_or(0);
        Self {
            report,
            rank: Rank {
                lost: u64::try_from(lost).unwrap_or(u64::MAX),
                is_unknown: counters.sent == 0 || !report.coverage().is_complete(),
                delay_ns: report.figures.round_trip.map(|delay| delay.p99_ns),
            },
        }
    }

    fn is_silent(&self) -> bool {
        self.report.counters.received == 0 && self.report.counters.sent > 0
    }

    fn loses(&self) -> bool {
        self.report.counters.lost > 0
    }

    fn share(&self) -> String {
        let counters = &self.report.counters;
        units::percent(counters.lost, counters.sent)
    }

    /// `12.00% outbound`.
    fn loss(&self) -> String {
        let direction = summary::direction(self.report);
        let direction = direction.map_or("", summary::Direction::suffix);
        format!("{}{direction}", self.share())
    }
}

/// The sessions of one target, worst first.
struct OfTarget<'a> {
    name: String,
    sessions: Vec<Ranked<'a>>,
}

impl OfTarget<'_> {
    fn is_silent(&self) -> bool {
        self.sessions.iter().all(Ranked::is_silent)
    }

    fn loses(&self) -> bool {
        !self.is_silent() && self.sessions.iter().any(Ranked::loses)
    }

    fn is_unknown(&self) -> bool {
        self.sessions.iter().any(|session| session.rank.is_unknown)
    }

    /// Its paths, and those with losses.
    fn paths(&self) -> (usize, usize) {
        let mut losing: BTreeMap<u16, bool> = BTreeMap::new();
        for session in &self.sessions {
            if let Some(path) = session.report.identity.path {
                *losing.entry(path).or_default() |= session.loses();
            }
        }
        (losing.len(), losing.values().filter(|it| **it).count())
    }

    /// `fra-core1, 12.00% outbound on 1 of 16 paths`.
    fn worst(&self) -> String {
        let Some(worst) = self.sessions.first() else {
            return self.name.clone();
        };
        let on = match self.paths() {
            (0 | 1, _) => String::new(),
            (paths, losing) => format!(" on {losing} of {paths} paths"),
        };
        format!("{}, {}{on}", self.name, worst.loss())
    }

    /// The worst path among its others: `path 7 of 16, source port 20007: 12.00% loss; all others 0%`.
    fn worst_path(&self) -> Option<String> {
        let (worst, others) = self.sessions.split_first()?;
        let (paths, _) = self.paths();
        let path = worst.report.identity.path?;
        if paths < 2 || !worst.loses() {
            return None;
        }
        let rest = match others.first() {
            Some(next) if next.loses() => format!("others up to {}", next.share()),
            _ if others.iter().any(|other| other.rank.is_unknown) => {
                format!("others {}", counts::UNKNOWN)
            }
            _ => "all others 0%".to_owned(),
        };
        let direction = summary::direction(worst.report);
        let direction = direction.map_or("", summary::Direction::suffix);
        Some(format!(
            "path {path} of {paths}, source port {}: {} loss{direction}; {rest}",
            worst.report.identity.sender.port(),
            worst.share(),
        ))
    }

    /// How the paths differ in delay.
    fn spread(&self) -> Option<String> {
        let medians = self.sessions.iter().filter_map(|session| {
            let path = session.report.identity.path?;
            let delay = session.report.figures.round_trip.as_ref()?;
            Some((delay.median_ns, path))
        });
        let medians: Vec<(i64, u16)> = medians.collect();
        let (least, best) = medians.iter().min()?;
        let (most, slowest) = medians.iter().max()?;
        let unit = units::Unit::fit(most.unsigned_abs());
        (best != slowest).then(|| {
            format!(
                "median round trip {} on path {best}, {} on path {slowest}",
                unit.delay(*least),
                unit.delay(*most)
            )
        })
    }
}

/// The targets in the order of their worst sessions.
fn by_target<'a>(ranked: &[Ranked<'a>]) -> Vec<OfTarget<'a>> {
    let mut targets: Vec<OfTarget<'a>> = Vec::new();
    let mut places = HashMap::new();
    for session in ranked {
        let identity = &session.report.identity;
        let name = identity.target.as_ref().map_or_else(
            || ends::named(identity.reflector),
            |target| plain(&target.name),
        );
        let place = *places
            .entry((name.clone(), identity.reflector))
            .or_insert(targets.len());
        match targets.get_mut(place) {
            Some(target) => target.sessions.push(*session),
            None => targets.push(OfTarget {
                name,
                sessions: vec![*session],
            }),
        }
    }
    targets
}

/// What is remarkable.
fn sentences(
    targets: &[OfTarget<'_>],
    differing: Differing,
    failed: &[FailedTarget],
    all: bool,
) -> Vec<String> {
    let mut lines = Vec::new();
    if differing.has_targets() {
        lines.push(of_targets(targets, failed));
    }
    let limit = if all { usize::MAX } else { MOST_PATHS };
    for target in targets.iter().take(limit) {
        let paths = match (target.worst_path(), target.is_silent()) {
            (_, true) if !differing.has_targets() => "nothing came back on any path".to_owned(),
            (_, true) => continue,
            (Some(worst), false) => worst,
            (None, false) if differing.has_targets() => continue,
            (None, false) if target.is_unknown() => format!("loss {}", counts::UNKNOWN),
            (None, false) => {
                let (paths, _) = target.paths();
                format!("no loss on {}", units::count(paths as u64, "path", "paths"))
            }
        };
        let spread = target.spread();
        let spread = spread.map_or_else(String::new, |spread| format!("; {spread}"));
        lines.push(format!("{}: {paths}{spread}", target.name));
    }
    lines
}

/// Losses of all targets, in one sentence.
fn of_targets(targets: &[OfTarget<'_>], failed: &[FailedTarget]) -> String {
    let all = targets.len();
    let of_all = |some: usize| {
        format!(
            "{some} of {}",
            units::count(all as u64, "target", "targets")
        )
    };
    let silent: Vec<&OfTarget<'_>> = targets.iter().filter(|it| it.is_silent()).collect();
    let losing: Vec<&OfTarget<'_>> = targets.iter().filter(|it| it.loses()).collect();
    let unknown = targets.iter().filter(|it| it.is_unknown()).count();
    let mut parts = Vec::new();
    if let Some(worst) = losing.first() {
        let verb = if losing.len() == 1 { "loses" } else { "lose" };
        parts.push(format!(
            "{} {verb} packets; worst: {}",
            of_all(losing.len()),
            worst.worst()
        ));
    }
    if !silent.is_empty() {
        let names: Vec<&str> = silent
            .iter()
            .take(MOST_NAMES)
            .map(|target| &*target.name)
            .collect();
        let more = match silent.len().saturating_sub(MOST_NAMES) {
            0 => String::new(),
            more => format!(" and {more} more"),
        };
        parts.push(format!(
            "{} did not answer: {}{more}",
            of_all(silent.len()),
            names.join(", ")
        ));
    }
    if unknown > 0 {
        parts.push(format!(
            "{} with {} loss: packets were not sent",
            of_all(unknown),
            counts::UNKNOWN
        ));
    }
    if parts.is_empty() {
        parts.push(format!(
            "No loss: {} answered every packet",
            units::count(all as u64, "target", "targets")
        ));
    }
    let failed: BTreeSet<&str> = failed.iter().map(|one| &*one.target).collect();
    if !failed.is_empty() {
        let failed = units::count(failed.len() as u64, "target", "targets");
        parts.push(format!("{failed} could not be measured"));
    }
    parts.join("; ")
}

#[cfg(test)]
mod tests;

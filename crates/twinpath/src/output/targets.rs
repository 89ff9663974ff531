//! Many sessions for people: what is remarkable about them in words, then a row for each, worst first.

use std::cmp::Reverse;
use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::io::{self, Write};
use std::net::IpAddr;
use std::ops::Range;

use twinpath_report::{FailedTarget, Note, SessionReport};

use super::classes::{self, Cells, NamedRow};
use super::names::{Differing, plain, target_name};
use super::style::Style;
use super::summary::Direction;
use super::units::{self, wrapped};
use super::{Outcome, counts, summary};

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
    let mut survey = Survey::default();
    for (place, report) in outcome.sessions.iter().enumerate() {
        let name = outcome.name(differing, place, &report);
        survey.add(&report, name, outcome.file(place));
    }
    survey.rank();
    for line in survey.sentences(differing, outcome.failed, all) {
        writeln!(out, "{}", wrapped(&line, 2))?;
    }
    let Survey {
        ranked, warnings, ..
    } = survey;
    writeln!(out)?;
    let unit = Cells::unit(ranked.iter().map(|session| &session.cells));
    let limit = if all { usize::MAX } else { MOST_ROWS };
    let measured = ranked
        .iter()
        .map(|session| (session.name.clone(), Ok(session.cells.text(unit))));
    let refused = outcome.control.map_or(&[][..], |control| &control.refused);
    let all_rows = ranked.len() + refused.len();
    let refused = refused.iter().map(|session| {
        let path = session.path.map(|path| format!(" path {path}"));
        let name = format!("{}{}", session.dscp, path.unwrap_or_default());
        (name, Err(classes::refusal(session)))
    });
    let rows: Vec<NamedRow> = measured.chain(refused).take(limit).collect();
    let (title, head) = if differing.has_targets() {
        ("Round trips and losses by target, worst first", "Target")
    } else {
        ("Round trips and losses by path, worst first", "Path")
    };
    classes::table(title, head, &rows, style, out)?;
    if rows.len() < all_rows {
        let some = rows.len();
        writeln!(out, "{some} of {all_rows} sessions; use -v for all")?;
    }
    failed(outcome.failed, all, style, out)?;
    // With -v they are below the sessions.
    if all {
        return Ok(());
    }
    for (line, sessions) in warnings.by_number().take(MOST_FINDINGS) {
        writeln!(out, "{} {line} ({sessions})", style.warning("warning:"))?;
    }
    if let Some(more @ 1..) = warnings.0.len().checked_sub(MOST_FINDINGS) {
        let more = units::count(more as u64, "other warning", "other warnings");
        writeln!(out, "note: {more}; use -v for all")?;
    }
    Ok(())
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

/// Many sessions, as they are walked one after the other: what is remarkable about them.
#[derive(Default)]
pub(super) struct Survey {
    ranked: Vec<Ranked>,
    warnings: Warnings,
    /// Where the sessions are from several files: these, each with the places of its sessions.
    files: Vec<(String, Range<usize>)>,
}

impl Survey {
    /// `name`: what tells it from the others. `file`: where it is from, if there are several.
    pub(super) fn add(&mut self, report: &SessionReport, name: String, file: Option<&str>) {
        let place = self.ranked.len();
        if let Some(file) = file {
            match self.files.last_mut() {
                Some((last, places)) if last.as_str() == file => places.end = place + 1,
                _ => self.files.push((file.to_owned(), place..place + 1)),
            }
        }
        self.warnings.add(&report.notes);
        self.ranked.push(Ranked::new(place, report, name));
    }

    /// Puts the worst first. All have been added.
    pub(super) fn rank(&mut self) {
        // Stable: sessions that are equally bad stay in their order.
        self.ranked.sort_by_key(|session| Reverse(session.rank));
    }

    /// The places of the sessions in the order of their ranks.
    pub(super) fn places(&self) -> impl Iterator<Item = usize> {
        self.ranked.iter().map(|session| session.place)
    }

    /// One warning of each kind, and the number of its sessions in words.
    pub(super) fn warnings(&self) -> impl Iterator<Item = (&str, String)> {
        self.warnings.by_number()
    }

    /// What is remarkable, a sentence each. `all`: about all targets with several paths. Each of several
    /// files has its own: a target that is in two of them was measured twice.
    pub(super) fn sentences(
        &self,
        differing: Differing,
        failed: &[FailedTarget],
        all: bool,
    ) -> Vec<String> {
        if differing.is_mesh() {
            let several = differing.has_targets().then_some(["target", "targets"]);
            if self.files.is_empty() {
                return sentences(&by_target(self.ranked.iter()), several, failed, all);
            }
            let of_file = |(file, places): &(String, Range<usize>)| {
                let ranked = self.ranked.iter();
                let ranked = ranked.filter(|session| places.contains(&session.place));
                let lines = sentences(&by_target(ranked), several, &[], all);
                let lines = lines.into_iter().map(|line| format!("{file}: {line}"));
                lines.collect::<Vec<_>>()
            };
            self.files.iter().flat_map(of_file).collect()
        } else {
            let each = self.ranked.iter().map(|session| OfTarget {
                name: &session.name,
                sessions: vec![session],
            });
            let each: Vec<OfTarget<'_>> = each.collect();
            sentences(&each, Some(["session", "sessions"]), failed, all)
        }
    }
}

/// One warning of each kind, in the order of sessions, with the number of those that have one like it.
#[derive(Default)]
struct Warnings(Vec<(Note, u64)>);

impl Warnings {
    /// Those of one session.
    fn add(&mut self, notes: &[Note]) {
        let mut keys = BTreeSet::new();
        let warnings = notes.iter().filter(|note| note.warning);
        for note in warnings.filter(|note| keys.insert(&*note.key)) {
            match self.0.iter_mut().find(|(known, _)| known.key == note.key) {
                Some((_, count)) => *count += 1,
                None => self.0.push((note.clone(), 1)),
            }
        }
    }

    /// Those of most sessions first, and how many these are in words.
    fn by_number(&self) -> impl Iterator<Item = (&str, String)> {
        let mut ordered: Vec<&(Note, u64)> = self.0.iter().collect();
        ordered.sort_by_key(|(_, count)| Reverse(*count));
        let lines = ordered.into_iter();
        lines.map(|(note, count)| (&*note.line, units::count(*count, "session", "sessions")))
    }
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

impl Rank {
    fn new((lost, sent): (u64, u64), is_unknown: bool, delay_ns: Option<i64>) -> Self {
        let billionths = u128::from(lost) * 1_000_000_000;
        let share = billionths.checked_div(sent.into()).unwrap_or(0);
        Self {
            lost: u64::try_from(share).unwrap_or(u64::MAX),
            is_unknown,
            delay_ns,
        }
    }
}

/// What is kept of a session.
struct Ranked {
    /// Among the sessions in their order.
    place: usize,
    rank: Rank,
    /// Among the others.
    name: String,
    /// Its target's name, and where that is.
    target: (String, IpAddr),
    path: Option<u16>,
    port: u16,
    sent: u64,
    received: u64,
    lost: u64,
    direction: Option<Direction>,
    median_ns: Option<i64>,
    cells: Cells,
}

impl Ranked {
    fn new(place: usize, report: &SessionReport, name: String) -> Self {
        let (counters, identity) = (&report.counters, &report.identity);
        let delay = report.figures.round_trip.as_ref();
        let is_unknown = counters.sent == 0 || !report.coverage().is_complete();
        Self {
            place,
            rank: Rank::new(
                (counters.lost, counters.sent),
                is_unknown,
                delay.map(|delay| delay.p99_ns),
            ),
            name,
            target: (target_name(identity), identity.reflector.ip()),
            path: identity.path,
            port: identity.sender.port(),
            sent: counters.sent,
            received: counters.received,
            lost: counters.lost,
            direction: summary::direction(report),
            median_ns: delay.map(|delay| delay.median_ns),
            cells: Cells::of(report),
        }
    }

    fn is_silent(&self) -> bool {
        self.received == 0 && self.sent > 0
    }

    fn loses(&self) -> bool {
        self.lost > 0
    }

    fn share(&self) -> String {
        units::percent(self.lost, self.sent)
    }

    /// ` outbound`, if that is known.
    fn direction(&self) -> &'static str {
        self.direction.map_or("", Direction::suffix)
    }
}

/// The sessions of one target, worst first.
struct OfTarget<'a> {
    name: &'a str,
    sessions: Vec<&'a Ranked>,
}

impl OfTarget<'_> {
    fn is_silent(&self) -> bool {
        self.sessions.iter().all(|session| session.is_silent())
    }

    fn loses(&self) -> bool {
        !self.is_silent() && self.sessions.iter().any(|session| session.loses())
    }

    fn is_unknown(&self) -> bool {
        self.sessions.iter().any(|session| session.rank.is_unknown)
    }

    /// Of no packet the fate is known yet, while the run goes on.
    fn is_open(&self) -> bool {
        let is_open = |session: &&Ranked| session.sent == 0 && !session.rank.is_unknown;
        self.sessions.iter().all(is_open)
    }

    /// Its paths, and those with losses.
    fn paths(&self) -> (usize, usize) {
        let mut losing: BTreeMap<u16, bool> = BTreeMap::new();
        for session in &self.sessions {
            if let Some(path) = session.path {
                *losing.entry(path).or_default() |= session.loses();
            }
        }
        (losing.len(), losing.values().filter(|it| **it).count())
    }

    /// `fra-core1, 12.00% outbound on 1 of 16 paths`.
    fn worst(&self) -> String {
        let Some(worst) = self.sessions.first() else {
            return self.name.to_owned();
        };
        let on = match self.paths() {
            (0 | 1, _) => String::new(),
            (paths, losing) => format!(" on {losing} of {paths} paths"),
        };
        let (share, direction) = (worst.share(), worst.direction());
        format!("{}, {share}{direction}{on}", self.name)
    }

    /// The worst path among its others: `path 7 of 16, source port 20007: 12.00% loss; all others 0%`.
    fn worst_path(&self) -> Option<String> {
        let (worst, others) = self.sessions.split_first()?;
        let (paths, _) = self.paths();
        let path = worst.path?;
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
        Some(format!(
            "path {path} of {paths}, source port {}: {} loss{}; {rest}",
            worst.port,
            worst.share(),
            worst.direction(),
        ))
    }

    /// How the paths differ in delay.
    fn spread(&self) -> Option<String> {
        let medians = self.sessions.iter();
        let medians = medians.filter_map(|session| Some((session.median_ns?, session.path?)));
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
fn by_target<'a>(ranked: impl Iterator<Item = &'a Ranked>) -> Vec<OfTarget<'a>> {
    let mut targets: Vec<OfTarget<'a>> = Vec::new();
    let mut places = HashMap::new();
    for session in ranked {
        let place = *places.entry(&session.target).or_insert(targets.len());
        match targets.get_mut(place) {
            Some(target) => target.sessions.push(session),
            None => targets.push(OfTarget {
                name: &session.target.0,
                sessions: vec![session],
            }),
        }
    }
    targets
}

/// What is remarkable. `several`: a name for one of them and for all, if there are others.
fn sentences(
    targets: &[OfTarget<'_>],
    several: Option<[&str; 2]>,
    failed: &[FailedTarget],
    all: bool,
) -> Vec<String> {
    let mut lines = Vec::new();
    if let Some(names) = several {
        lines.push(of_targets(targets, names, failed));
    }
    let limit = if all { usize::MAX } else { MOST_PATHS };
    for target in targets.iter().take(limit) {
        let paths = match (target.worst_path(), target.is_silent()) {
            (_, true) if several.is_none() => "nothing came back on any path".to_owned(),
            (_, true) => continue,
            (Some(worst), false) => worst,
            (None, false) if several.is_some() => continue,
            (None, false) if target.is_open() => "no reply yet".to_owned(),
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
fn of_targets(targets: &[OfTarget<'_>], [one, many]: [&str; 2], failed: &[FailedTarget]) -> String {
    let all = units::count(targets.len() as u64, one, many);
    let of_all = |some: usize| format!("{some} of {all}");
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
            .map(|target| target.name)
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
    let open = targets.iter().filter(|it| it.is_open()).count();
    if open > 0 {
        parts.push(format!("{} without a reply yet", of_all(open)));
    }
    if parts.is_empty() {
        parts.push(format!("No loss: {all} answered every packet"));
    }
    let failed: BTreeSet<&str> = failed.iter().map(|one| &*one.target).collect();
    if !failed.is_empty() {
        let failed = units::count(failed.len() as u64, "target", "targets");
        parts.push(format!("{failed} could not be measured"));
    }
    parts.join("; ")
}

mod so_far;
#[cfg(test)]
mod tests;

pub(crate) use so_far::{SoFar, so_far};

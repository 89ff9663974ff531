//! Many sessions for people: what is remarkable about them in words, then a row for each, worst first.

use std::cmp::Reverse;
use std::collections::BTreeSet;
use std::io::{self, Write};
use std::iter;
use std::net::SocketAddr;
use std::ops::Range;

use twinpath_report::{FailedTarget, Finding, Note, RefusedSession, SessionReport};
use twinpath_wire::{Dscp, Wall};

use super::classes::{self, Cells, NamedRow};
use super::names::{self, Differing, plain, target_of};
use super::style::Style;
use super::summary::Direction;
use super::table::warning;
use super::units::{self, wrapped};
use super::{Outcome, summary, words};

/// Rows of the table, unless all are asked for.
const MOST_ROWS: usize = 50;
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
    let refused = outcome.refused();
    for line in survey.sentences(differing, outcome.failed, refused, all) {
        writeln!(out, "{}", wrapped(&line, 2))?;
    }
    if survey.has_begun() {
        writeln!(out)?;
        rows(&survey.ranked, refused, differing, all, style, out)?;
    }
    if survey.are_numbers_alone {
        let line = "note: of Micro-session IDs only numbers are checked, not the member links (--micro-session ID@NAME does)";
        writeln!(out, "{}", wrapped(line, 2))?;
    }
    for line in survey.remarks(differing) {
        writeln!(out, "{}", wrapped(&format!("note: {line}"), 2))?;
    }
    failed(outcome.failed, all, style, out)?;
    // With -v they are below the sessions.
    if all {
        return Ok(());
    }
    survey.warnings.write(style, out)
}

/// A row for each session, worst first.
fn rows(
    ranked: &[Ranked],
    refused: &[RefusedSession],
    differing: Differing,
    all: bool,
    style: Style,
    out: &mut impl Write,
) -> io::Result<()> {
    let unit = Cells::unit(ranked.iter().map(|session| &session.cells));
    let limit = if all { usize::MAX } else { MOST_ROWS };
    let measured = ranked.iter().map(|session| NamedRow {
        name: session.name.clone(),
        cells: Ok(session.cells.text(unit)),
        remark: session
            .silent_since
            .as_ref()
            .map(|(_, since)| summary::no_replies(since)),
    });
    let all_rows = ranked.len() + refused.len();
    let refused = refused.iter().map(|session| {
        let path = session.path.map(|path| format!(" path {path}"));
        NamedRow {
            name: format!("{}{}", session.dscp, path.unwrap_or_default()),
            cells: Err(classes::refusal(session)),
            remark: None,
        }
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
        let line = format!("{} not measured: {}", names::failed(one), plain(&one.error));
        warning(&line, style, out)?;
    }
    if failed.len() > limit {
        let more = failed.len() - limit;
        let more = units::count(more as u64, "other target", "other targets");
        warning(&format!("{more} not measured; use -v for all"), style, out)?;
    }
    Ok(())
}

/// Many sessions, as they are walked one after the other: what is remarkable about them.
#[derive(Default)]
pub(super) struct Survey {
    ranked: Vec<Ranked>,
    warnings: Warnings,
    /// There are micro-sessions that any member link may carry.
    are_numbers_alone: bool,
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
        self.warnings.add(report);
        let micro_session = report.identity.micro_session.as_ref();
        self.are_numbers_alone |= micro_session.is_some_and(|it| it.interface.is_none());
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
        let warnings = self.warnings.by_number();
        warnings.filter(|it| it.note.warning).map(Warning::line)
    }

    /// A packet was due in one of them.
    fn has_begun(&self) -> bool {
        self.ranked.iter().any(|session| session.has_begun)
    }
}

/// One warning of each kind, or note on what was asked for, in the order of sessions, with the number of those
/// that have one like it.
#[derive(Default)]
pub(super) struct Warnings(Vec<Warning>);

struct Warning {
    note: Note,
    /// The session is one of several with a far end that answers others.
    has_answered_others: bool,
    sessions: u64,
}

impl Warning {
    /// With the number of its sessions in words.
    fn line(&self) -> (&str, String) {
        let sessions = units::count(self.sessions, "session", "sessions");
        (&self.note.line, sessions)
    }
}

impl Warnings {
    /// Those of most sessions, warnings first, each with the number of its sessions.
    pub(super) fn notes(&self) -> Vec<Note> {
        let (warnings, notes): (Vec<&Warning>, Vec<&Warning>) =
            self.by_number().partition(|it| it.note.warning);
        let all = warnings.into_iter().chain(notes);
        let numbered = all.map(|it| {
            let (line, sessions) = it.line();
            Note {
                line: format!("{line} ({sessions})"),
                ..it.note.clone()
            }
        });
        numbered.collect()
    }

    /// The same in lines, as far as there are not too many.
    fn write(&self, style: Style, out: &mut impl Write) -> io::Result<()> {
        for note in self.notes().iter().take(MOST_FINDINGS) {
            if note.warning {
                warning(&note.line, style, out)?;
            } else {
                writeln!(out, "{}", wrapped(&format!("note: {}", note.line), 2))?;
            }
        }
        if let Some(more @ 1..) = self.0.len().checked_sub(MOST_FINDINGS) {
            let more = units::count(more as u64, "other warning", "other warnings");
            writeln!(out, "note: {more}; use -v for all")?;
        }
        Ok(())
    }

    /// Those of one session.
    pub(super) fn add(&mut self, report: &SessionReport) {
        let mut kinds = BTreeSet::new();
        // Notes are findings in words.
        let findings = report.findings.iter().map(Some).chain(iter::repeat(None));
        for (note, finding) in report.notes.iter().zip(findings) {
            let has_answered_others = finding.is_some_and(Finding::has_answered_others);
            let is_of_request = finding.is_some_and(Finding::is_of_request);
            if !(note.warning || is_of_request) || !kinds.insert((&*note.key, has_answered_others))
            {
                continue;
            }
            let is_like = |known: &&mut Warning| {
                known.note.key == note.key && known.has_answered_others == has_answered_others
            };
            match self.0.iter_mut().find(is_like) {
                Some(known) => known.sessions += 1,
                None => self.0.push(Warning {
                    note: note.clone(),
                    has_answered_others,
                    sessions: 1,
                }),
            }
        }
    }

    /// Those of most sessions first.
    fn by_number(&self) -> impl Iterator<Item = &Warning> {
        let mut ordered: Vec<&Warning> = self.0.iter().collect();
        ordered.sort_by_key(|warning| Reverse(warning.sessions));
        ordered.into_iter()
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
    /// Its target's name, and where that was measured.
    target: String,
    address: SocketAddr,
    class: Dscp,
    path: Option<u16>,
    port: u16,
    /// A packet was due.
    has_begun: bool,
    sent: u64,
    received: u64,
    lost: u64,
    duplicates: u64,
    reordered: u64,
    /// What came back were no replies in time.
    has_answers: bool,
    /// Replies to some packets were not to come here.
    is_unawaited: bool,
    /// What was asked for and not done, in a few words.
    in_vain: Option<String>,
    /// When the last answered packet was sent, if nothing came back after it; in words too.
    silent_since: Option<(Wall, String)>,
    direction: Option<Direction>,
    median_ns: Option<i64>,
    cells: Cells,
}

impl Ranked {
    fn new(place: usize, report: &SessionReport, name: String) -> Self {
        let (counters, identity) = (&report.counters, &report.identity);
        let delay = report.figures.round_trip.as_ref();
        let has_begun = report.has_begun();
        let is_unsent = has_begun && counters.sent == 0 && counters.in_flight == 0;
        let is_unknown = is_unsent || !report.coverage().is_complete();
        Self {
            place,
            rank: Rank::new(
                (counters.lost, counters.sent),
                is_unknown,
                delay.map(|delay| delay.p99_ns),
            ),
            name,
            target: target_of(identity),
            address: identity.reflector,
            class: identity.tos.dscp(),
            path: identity.path,
            port: identity.sender.port(),
            has_begun,
            sent: counters.sent,
            received: counters.received,
            lost: counters.lost,
            duplicates: counters.duplicates,
            reordered: report.figures.reordered,
            has_answers: summary::has_answers(report),
            is_unawaited: counters.unawaited > 0,
            in_vain: words::finding::in_vain(&report.findings),
            silent_since: summary::silent_since(report),
            direction: summary::direction(report),
            median_ns: delay.map(|delay| delay.median_ns),
            cells: Cells::of(report),
        }
    }

    fn is_silent(&self) -> bool {
        self.received == 0 && self.lost > 0
    }

    fn loses(&self) -> bool {
        self.lost > 0
    }

    fn share(&self) -> String {
        units::percent(self.lost, self.sent)
    }
}

mod sentences;
mod so_far;
#[cfg(test)]
mod tests;

pub(crate) use so_far::{SoFar, so_far};

//! A comparison for people.

use std::io::{self, Write};

use twinpath_report::words::instant;

use super::{Change, Comparison, Source, Unit, verdict};
use crate::output::ends;
use crate::output::names::Differing;
use crate::output::units::{self, WIDTH, wrapped};

/// Sessions that changed, by their names.
const MOST_CHANGED: usize = 10;
/// Columns before what continues a line.
const INDENT: usize = 2;

/// For two files of one run.
pub(super) const SAME_PACKETS: &str = "both contain the same packets (same addresses and times): differences come from the observation, not the path";

/// Whether the reflector's own time is in the round trip of each run.
pub(super) fn whole_round_trips(comparison: &Comparison) -> [bool; 2] {
    let reports = comparison.reports.each_ref();
    reports.map(|report| report.figures.round_trip_includes_residence())
}

/// The difference as a share of the first value.
pub(super) fn relative(change: &Change) -> Option<f64> {
    let before = change.values.first().copied()??;
    (before != 0.0).then_some(change.difference? / before.abs())
}

pub(super) fn text(
    sources: &[Source; 2],
    comparisons: &[Comparison],
    alone: &[Vec<usize>; 2],
    out: &mut impl Write,
) -> io::Result<()> {
    let [before, after] = sources;
    for (source, alone) in sources.iter().zip(alone) {
        if !alone.is_empty() {
            let names = Names::of(source);
            let numbers: Vec<String> = alone.iter().map(|number| names.number(*number)).collect();
            let line = format!(
                "not compared: {}, session {}: the other file has no matching session",
                source.path,
                numbers.join(", ")
            );
            writeln!(out, "{}", wrapped(&line, INDENT))?;
        }
    }
    let tests = comparisons.iter().flat_map(|comparison| {
        let parts = comparison.parts.iter();
        let of_parts = parts.flat_map(|part| &part.comparison.changes);
        comparison.changes.iter().chain(of_parts)
    });
    let tests = tests.filter(|change| change.p_holm.is_some()).count();
    let [before_names, after_names] = sources.each_ref().map(Names::of);
    if comparisons.len() > 1 {
        let line = summary(comparisons, &before_names);
        writeln!(out, "{}\n", wrapped(&line, INDENT))?;
    }
    for comparison in comparisons {
        for (name, source, names, report) in [
            ("before", before, &before_names, &comparison.reports[0]),
            ("after", after, &after_names, &comparison.reports[1]),
        ] {
            let line = format!(
                "{name:<7} {}: session {}, {} to {}, {}, DSCP {}, {} from {} on",
                source.path,
                names.number(report.identity.number),
                ends::named(report.identity.sender),
                ends::named(report.identity.reflector),
                ends::protocol(report.identity.wire),
                report.identity.tos.dscp(),
                units::count(report.figures.sent(), "packet", "packets"),
                instant(report.started, 0)
            );
            writeln!(out, "{}", wrapped(&line, 8))?;
        }
        for finding in &comparison.findings {
            let line = format!("note: {}", finding.line);
            writeln!(out, "{}", wrapped(&line, INDENT))?;
        }
        writeln!(out)?;
        table(comparison, out)?;
        for part in &comparison.parts {
            let [before, after] = &part.names;
            let line = format!("{before} and {after}:");
            writeln!(out, "{}", wrapped(&line, INDENT))?;
            table(&part.comparison, out)?;
        }
        if tests > 1 {
            let line = format!(
                "Each interval is for its row alone; chance and * account for all {tests} comparisons: an interval may exclude 0 without a *."
            );
            writeln!(out, "{}", wrapped(&line, INDENT))?;
        }
        for line in words(comparison) {
            writeln!(out, "{}", wrapped(&line, INDENT))?;
        }
        writeln!(out)?;
    }
    Ok(())
}

/// What the sessions of a file are called beside their numbers, if they are of several targets or paths.
struct Names(Vec<String>);

impl Names {
    fn of(source: &Source) -> Self {
        let identities = || source.sessions.iter().map(|session| &session.identity);
        let differing = Differing::of(identities());
        let is_mesh = differing.is_mesh();
        let names = identities().filter(|_| is_mesh);
        Self(names.map(|identity| differing.name(identity)).collect())
    }

    fn name(&self, number: usize) -> Option<&str> {
        let name = self.0.get(number.checked_sub(1)?)?;
        Some(name)
            .filter(|name| !name.is_empty())
            .map(String::as_str)
    }

    /// `7 (fra-core1 path 2)`.
    fn number(&self, number: usize) -> String {
        let name = self.name(number);
        let name = name.map_or_else(String::new, |name| format!(" ({name})"));
        format!("{number}{name}")
    }
}

/// What became of all pairs, in one sentence, with those that changed by the `names` of the first run.
fn summary(comparisons: &[Comparison], names: &Names) -> String {
    let (mut changed, mut unchanged) = (Vec::new(), 0);
    for comparison in comparisons {
        let parts = comparison.parts.iter();
        let of_parts = parts.flat_map(|part| &part.comparison.changes);
        let verdicts = comparison.changes.iter().chain(of_parts);
        let verdicts: Vec<verdict::Verdict> = verdicts.map(Change::verdict).collect();
        let is_changed = |it: &verdict::Verdict| matches!(it, verdict::Verdict::Changed);
        let is_open = |it: &verdict::Verdict| {
            matches!(
                it,
                verdict::Verdict::Undecided { .. } | verdict::Verdict::Unnoticed { .. }
            )
        };
        if verdicts.iter().any(is_changed) {
            let number = comparison.reports[0].identity.number;
            let name = names.name(number).map(str::to_owned);
            changed.push(name.unwrap_or_else(|| format!("session {number}")));
        } else if !verdicts.iter().any(is_open) {
            unchanged += 1;
        }
    }
    let all = comparisons.len();
    let more = changed.len().saturating_sub(MOST_CHANGED);
    let some = changed.iter().take(MOST_CHANGED).cloned();
    let which = match (changed.is_empty(), more) {
        (true, _) => String::new(),
        (_, 0) => format!(": {}", some.collect::<Vec<_>>().join(", ")),
        _ => format!(": {} and {more} more", some.collect::<Vec<_>>().join(", ")),
    };
    let undecided = all - changed.len() - unchanged;
    format!(
        "{} of {all} sessions changed (*){which}; {unchanged} unchanged (=); {undecided} undecided (?).",
        changed.len()
    )
}

/// Heads of the columns. The fourth, the difference as a share, is left out where there is no room.
const HEADS: [&str; 7] = [
    "before",
    "after",
    "change",
    "",
    "95% interval alone",
    "chance",
    "",
];
const SHARE: usize = 3;
/// Columns of a figure's name.
const NAME: usize = 11;

pub(super) fn table(comparison: &Comparison, out: &mut impl Write) -> io::Result<()> {
    let rows: Vec<_> = comparison.changes.iter().map(cells).collect();
    let length = |cell: &str| cell.chars().count();
    let mut widths = HEADS.map(length);
    for cells in &rows {
        for (width, cell) in widths.iter_mut().zip(cells) {
            *width = length(cell).max(*width);
        }
    }
    let width = NAME + widths.iter().map(|width| width + 1).sum::<usize>();
    let all = width <= WIDTH;
    let line = |name: &str, cells: &[String]| {
        let cells = cells.iter().zip(widths).enumerate();
        let cells = cells.filter(|(place, _)| all || *place != SHARE);
        let cells = cells.map(|(_, (cell, width))| format!(" {cell:>width$}"));
        let line = format!("{name:<NAME$}{}", cells.collect::<Vec<_>>().concat());
        line.trim_end().to_owned()
    };
    writeln!(out, "{}", line("", &HEADS.map(str::to_owned)))?;
    let mut direction = "";
    for (change, cells) in comparison.changes.iter().zip(&rows) {
        if change.direction != direction {
            direction = change.direction;
            writeln!(out, "{}", shown(direction))?;
        }
        let name = format!("  {}", figure(change.figure));
        writeln!(out, "{}", line(&name, cells))?;
    }
    writeln!(out)
}

fn cells(change: &Change) -> [String; HEADS.len()] {
    let [before, after] = change.values;
    let value = |value: Option<f64>| {
        value.map_or_else(|| "-".to_owned(), |value| plain(value, change.unit))
    };
    let difference = change.difference.map_or_else(
        || "-".to_owned(),
        |difference| with_sign(difference, change.unit),
    );
    let share =
        relative(change).map_or_else(String::new, |share| format!("{:+.1}%", share * 100.0));
    let by_chance = match change.p_holm {
        None => "-".to_owned(),
        Some(p) if p < 0.001 => "<0.001".to_owned(),
        Some(p) => format!("{p:.3}"),
    };
    let mark = match change.verdict() {
        verdict::Verdict::Changed => "*",
        verdict::Verdict::Unchanged { .. } => "=",
        verdict::Verdict::Undecided { .. } | verdict::Verdict::Unnoticed { .. } => "?",
        verdict::Verdict::Absent => "",
    };
    [
        value(before),
        value(after),
        difference,
        share,
        change
            .interval
            .map_or_else(String::new, |ends| interval(ends, change.unit)),
        by_chance,
        mark.to_owned(),
    ]
}

/// Both ends, with their unit once where it is one.
fn interval(ends: [f64; 2], unit: Unit) -> String {
    let [low, high] = ends.map(|end| with_sign(end, unit));
    let name = |text: &str| {
        text.trim_start_matches(|c: char| !c.is_alphabetic() && c != '%')
            .to_owned()
    };
    let low = match low.strip_suffix(&name(&high)) {
        Some(number) if name(&low) == name(&high) => number,
        _ => &low,
    };
    format!("{low} to {high}")
}

fn shown(direction: &str) -> &'static str {
    match direction {
        "forward" => "Outbound",
        "backward" => "Inbound",
        _ => "Roundtrip",
    }
}

fn figure(figure: &str) -> &str {
    match figure {
        "ipdv_mean_abs" => "IPDV mean",
        "mean" => "avg",
        "loss_ratio" => "loss",
        "unavailable_ratio" => "outages",
        other => other,
    }
}

pub(super) fn plain(value: f64, unit: Unit) -> String {
    match unit {
        Unit::Nanoseconds => scaled(value),
        Unit::Ratio => percent(value),
    }
}

fn with_sign(value: f64, unit: Unit) -> String {
    let text = plain(value, unit);
    if value > 0.0 {
        format!("+{text}")
    } else {
        text
    }
}

fn scaled(ns: f64) -> String {
    match ns.abs() {
        size if size < 1e6 => format!("{:.1}us", ns / 1e3),
        size if size < 1e10 => format!("{:.3}ms", ns / 1e6),
        _ => format!("{:.3}s", ns / 1e9),
    }
}

/// Never rounded to 0.
fn percent(ratio: f64) -> String {
    let percent = ratio * 100.0;
    if percent != 0.0 && percent.abs() < 0.001 {
        format!("{percent:.1e}%")
    } else {
        format!("{percent:.3}%")
    }
}

/// What it comes to.
pub(super) fn words(comparison: &Comparison) -> Vec<String> {
    let mut lines = Vec::new();
    if comparison.same_packets {
        lines.push(format!("Warning: {SAME_PACKETS}."));
    }
    lines.extend(verdicts(comparison, ""));
    for part in &comparison.parts {
        let [before, after] = &part.names;
        let of = format!(" ({before} and {after})");
        lines.extend(verdicts(&part.comparison, &of));
    }
    if let Some(share) = comparison.slower {
        lines.push(format!(
            "Of 100 pairs of packets, one from each run, the second run's had the longer round trip in {:.0} (50: no difference).",
            share * 100.0
        ));
    }
    let whole = match whole_round_trips(comparison) {
        [false, false] => None,
        [true, false] => Some("the first run"),
        [false, true] => Some("the second run"),
        [true, true] => Some("both runs"),
    };
    lines.extend(whole.map(|which| {
        format!("The round trips of {which} include the reflector's own time, which is unknown.")
    }));
    if comparison.above_base {
        lines.push(
            "The clocks were not synchronized: one-way delays are those above each run's 5th percentile."
                .to_owned(),
        );
    }
    lines
}

/// A line for what changed, one for what did not, and one for each reason why the rest is not decided.
fn verdicts(comparison: &Comparison, of: &str) -> Vec<String> {
    let (mut changed, mut observed) = (Vec::new(), Vec::new());
    let (mut unchanged, mut unnoticed) = (Vec::new(), Vec::new());
    let mut undecided: Vec<(String, Vec<String>)> = Vec::new();
    for change in &comparison.changes {
        let name = format!("{} {}", shown(change.direction), figure(change.figure));
        match change.verdict() {
            verdict::Verdict::Changed => {
                let up = change.difference.unwrap_or(0.0) > 0.0;
                let seen = if change.observed {
                    &mut observed
                } else {
                    &mut changed
                };
                seen.push(format!("{name} {}", if up { "up" } else { "down" }));
            }
            verdict::Verdict::Unchanged { within } => {
                unchanged.push(format!("{name} ({})", plain(within, change.unit)));
            }
            verdict::Verdict::Undecided { why } => {
                match undecided.iter_mut().find(|(known, _)| *known == why) {
                    Some((_, names)) => names.push(name),
                    None => undecided.push((why, vec![name])),
                }
            }
            verdict::Verdict::Unnoticed { within } => {
                unnoticed.push(format!("{name} ({})", plain(within, change.unit)));
            }
            verdict::Verdict::Absent => {}
        }
    }
    let mut lines = Vec::new();
    if !unnoticed.is_empty() {
        let why = "a change of up to this would not have been noticed".to_owned();
        undecided.push((why, unnoticed));
    }
    // Of a part, the figures are named below: what changed beside it is not in it.
    let of_all = of.is_empty() && comparison.parts.is_empty();
    let is_same = changed.is_empty() && observed.is_empty() && undecided.is_empty();
    if of_all && is_same && !unchanged.is_empty() {
        lines.push("Nothing changed that matters.".to_owned());
    }
    if !observed.is_empty() {
        let observed = observed.join(", ");
        lines.push(format!("Changed (*){of}, seen in the runs: {observed}."));
    }
    if !changed.is_empty() {
        let changed = changed.join(", ");
        lines.push(format!("Changed (*){of}, unlikely by chance: {changed}."));
    }
    if !unchanged.is_empty() {
        lines.push(format!(
            "Unchanged (=){of}, a change of more than this would have been noticed: {}.",
            unchanged.join(", ")
        ));
    }
    for (why, names) in undecided {
        lines.push(format!(
            "Cannot decide (?){of}: {}: {why}.",
            names.join(", ")
        ));
    }
    lines
}

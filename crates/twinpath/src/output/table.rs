//! Elements of text output: named lines, rows of cells, notes.

use std::collections::HashSet;
use std::io::{self, Write};
use std::time::Duration;

use twinpath_metrics::DelayFigures;
use twinpath_report::ClockState;
use twinpath_report::Note;

use super::style::Style;
use super::units;

/// Columns of a row's name.
pub(super) const NAME: usize = 17;
/// Minimum columns of a cell.
pub(super) const CELL: usize = 12;

/// Only the warnings of a report, for stderr when the result is for machines. Those of the same words once.
///
/// # Errors
/// Errors of writing to `out`.
pub(crate) fn warnings(notes: &[Note], style: Style, out: &mut impl Write) -> io::Result<()> {
    let mut said = HashSet::new();
    let warnings = notes.iter().filter(|note| note.warning);
    for note in warnings.filter(|note| said.insert(&*note.line)) {
        writeln!(out, "{} {}", style.warning("warning:"), note.line)?;
    }
    Ok(())
}

/// The notes of a report, warnings first, in lines of its width.
pub(super) fn notes(notes: &[Note], style: Style, out: &mut impl Write) -> io::Result<()> {
    let mut said = HashSet::new();
    let warnings = notes.iter().filter(|note| note.warning);
    for note in warnings.filter(|note| said.insert(&*note.line)) {
        warning(&note.line, style, out)?;
    }
    for note in notes.iter().filter(|note| !note.warning) {
        writeln!(
            out,
            "{}",
            units::wrapped(&format!("note: {}", note.line), 2)
        )?;
    }
    Ok(())
}

/// A warning in lines of a report's width.
pub(super) fn warning(line: &str, style: Style, out: &mut impl Write) -> io::Result<()> {
    const WARNING: &str = "warning:";
    let text = units::wrapped(&format!("{WARNING} {line}"), 2);
    writeln!(
        out,
        "{}",
        text.replacen(WARNING, &style.warning(WARNING), 1)
    )
}

/// The host's claim about its clock.
pub(super) fn clock(state: ClockState) -> String {
    let error = match state.error_ns {
        Some(ns) => format!(", error up to {}", units::time(Duration::from_nanos(ns))),
        None => String::new(),
    };
    format!(
        "{}synchronized{error}",
        if state.synchronized { "" } else { "not " }
    )
}

/// A named line; what is too long goes on below its text.
pub(super) fn fact(out: &mut impl Write, name: &str, text: &str) -> io::Result<()> {
    let line = format!("{name:<NAME$}{text}");
    writeln!(out, "{}", units::wrapped(&line, NAME))
}

/// A named row of cells, each at least this wide.
pub(super) fn row(name: &str, cells: &[impl AsRef<str>], width: usize) -> String {
    let cells: Vec<String> = cells
        .iter()
        .map(|cell| format!("{:>width$}", cell.as_ref()))
        .collect();
    format!("{name:<NAME$}{}", cells.concat())
}

/// `-` if the value is unknown.
pub(super) fn cell(text: Option<String>) -> String {
    text.unwrap_or_else(|| "-".to_owned())
}

pub(super) fn signed(ns: u64) -> i64 {
    i64::try_from(ns).unwrap_or(i64::MAX)
}

/// The fewest packets with which a percentile differs from the maximum.
pub(super) fn enough(delay: &DelayFigures, packets: u64, value: i64) -> Option<i64> {
    (delay.count >= packets).then_some(value)
}

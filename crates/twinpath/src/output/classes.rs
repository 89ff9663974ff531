//! Several sessions side by side: a line for each class.

use std::io::{self, Write};

use twinpath_metrics::DelayFigures;
use twinpath_runtime::SessionReport;

use super::counts;
use super::style::Style;
use super::text::{cell, signed};
use super::units::Unit;

/// Columns of the page, at least.
const WIDTH: usize = 79;
/// Columns of a class's name.
const NAME: usize = 7;
/// Columns of a cell, at least.
const CELL: usize = 9;
const HEADS: [&str; 8] = [
    "Min", "Avg", "Max", "Median", "Jitter", "Loss out", "Loss in", "Loss",
];

/// Round trips and losses of all sessions.
///
/// # Errors
/// Those of `out`.
pub(crate) fn write(
    reports: &[SessionReport],
    style: Style,
    out: &mut impl Write,
) -> io::Result<()> {
    let unit = unit(reports);
    let rows: Vec<(String, Vec<String>)> = reports
        .iter()
        .map(|report| (report.tos.dscp().to_string(), cells(report, unit)))
        .collect();
    let widths: Vec<usize> = HEADS
        .iter()
        .enumerate()
        .map(|(column, head)| {
            let cells = rows.iter().filter_map(|(_, cells)| cells.get(column));
            let widest = cells.map(|cell| cell.chars().count()).max();
            (widest.unwrap_or(0).max(head.len()) + 1).max(CELL)
        })
        .collect();
    let line = |name: &str, cells: &[String]| {
        let cells = cells.iter().zip(&widths);
        let cells = cells.map(|(cell, width)| format!("{cell:>width$}"));
        format!("{name:<NAME$}{}", cells.collect::<Vec<_>>().concat())
    };
    let width = (NAME + widths.iter().sum::<usize>()).max(WIDTH);
    let heads = HEADS.map(str::to_owned);
    writeln!(out, "{}", style.heading("Round trips and losses by class"))?;
    writeln!(out, "{}\n{}", "=".repeat(width), line("Class", &heads))?;
    writeln!(out, "{}", "-".repeat(width))?;
    for (name, cells) in &rows {
        writeln!(out, "{}", line(name, cells))?;
    }
    writeln!(out, "{}", "=".repeat(width))
}

/// One for all: classes are to be compared.
fn unit(reports: &[SessionReport]) -> Unit {
    let greatest = reports
        .iter()
        .filter_map(|report| report.figures.round_trip.as_ref())
        .map(|delay| delay.max_ns.unsigned_abs())
        .max();
    greatest.map_or(Unit::Milliseconds, Unit::fit)
}

fn cells(report: &SessionReport, unit: Unit) -> Vec<String> {
    let delay = report.figures.round_trip.as_ref();
    let of = |value: fn(&DelayFigures) -> Option<i64>| {
        cell(delay.and_then(value).map(|ns| unit.delay(ns)))
    };
    let delays = [
        of(|delay| Some(delay.min_ns)),
        of(|delay| Some(delay.mean_ns)),
        of(|delay| Some(delay.max_ns)),
        of(|delay| Some(delay.median_ns)),
        of(|delay| delay.jitter_ns.map(signed)),
    ];
    let losses = counts::losses_by_direction(report).map(cell);
    delays.into_iter().chain(losses).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::output::fixtures;

    #[test]
    fn classes_stand_side_by_side_in_one_unit() {
        let mut out = Vec::new();
        let mut silent = fixtures::nothing_came_back();
        silent.tos = twinpath_wire::Dscp::BE.tos();
        let reports = [fixtures::quiet_path(), fixtures::loss(), silent];
        write(&reports, Style::PLAIN, &mut out).unwrap();
        insta::assert_snapshot!(String::from_utf8(out).unwrap());
    }
}

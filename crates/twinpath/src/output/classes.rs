//! Several sessions side by side, one line per class.

use std::io::{self, Write};

use twinpath_metrics::DelayFigures;
use twinpath_report::RefusedSession;
use twinpath_report::SessionReport;
use twinpath_wire::Dscp;

use super::style::Style;
use super::table::{cell, signed};
use super::units::{Unit, WIDTH, wrapped};
use super::{Outcome, counts};

/// Columns of a class's name.
const NAME: usize = 7;
/// Minimum columns of a cell.
const CELL: usize = 9;
const HEADS: [&str; 8] = [
    "Min", "Avg", "Max", "Median", "Jitter", "Loss out", "Loss in", "Loss",
];

/// What a row says of a session's packets.
#[derive(Default)]
pub(super) struct Cells {
    /// Round trips: minimum, mean, maximum, median and jitter.
    delays: [Option<i64>; 5],
    losses: [Option<String>; 3],
}

impl Cells {
    pub(super) fn of(report: &SessionReport) -> Self {
        let delay = report.figures.round_trip.as_ref();
        let of = |value: fn(&DelayFigures) -> Option<i64>| delay.and_then(value);
        Self {
            delays: [
                of(|delay| Some(delay.min_ns)),
                of(|delay| Some(delay.mean_ns)),
                of(|delay| Some(delay.max_ns)),
                of(|delay| Some(delay.median_ns)),
                of(|delay| delay.jitter_ns.map(signed)),
            ],
            losses: counts::losses_by_direction(report),
        }
    }

    /// One unit for all, so that sessions can be compared.
    pub(super) fn unit<'a>(all: impl Iterator<Item = &'a Self>) -> Unit {
        let greatest = all.filter_map(|cells| cells.delays.get(2).copied().flatten());
        let greatest = greatest.map(i64::unsigned_abs).max();
        greatest.map_or(Unit::Milliseconds, Unit::fit)
    }

    pub(super) fn text(&self, unit: Unit) -> Vec<String> {
        let delays = self.delays.iter();
        let delays = delays.map(|delay| cell(delay.map(|ns| unit.delay(ns))));
        let losses = self.losses.iter().map(|loss| cell(loss.clone()));
        delays.chain(losses).collect()
    }
}

/// A session's number and class, and its cells, or how it was refused.
type Row = (usize, Dscp, Result<Vec<String>, String>);

/// A session as a row.
pub(super) struct NamedRow {
    pub(super) name: String,
    /// Or how it was refused.
    pub(super) cells: Result<Vec<String>, String>,
    /// A line below.
    pub(super) remark: Option<String>,
}

/// Round trips and losses of all sessions, including refused ones.
///
/// # Errors
/// Errors of writing to `out`.
pub(crate) fn write(
    outcome: Outcome<'_>,
    refused: &[RefusedSession],
    style: Style,
    out: &mut impl Write,
) -> io::Result<()> {
    let measured = outcome.sessions.iter().map(|report| {
        let identity = &report.identity;
        (identity.number, identity.tos.dscp(), Cells::of(&report))
    });
    let measured: Vec<(usize, Dscp, Cells)> = measured.collect();
    let unit = Cells::unit(measured.iter().map(|(.., cells)| cells));
    let of_measured = measured
        .iter()
        .map(|(number, dscp, cells)| (*number, *dscp, Ok(cells.text(unit))));
    let mut rows: Vec<Row> = of_measured.collect();
    let of_refused = refused.iter();
    rows.extend(of_refused.map(|session| (session.number, session.dscp, Err(refusal(session)))));
    rows.sort_by_key(|(number, ..)| *number);
    // The sessions of a class requested twice are distinguished by their numbers.
    let twice = rows
        .iter()
        .enumerate()
        .any(|(at, (_, dscp, _))| rows.iter().skip(at + 1).any(|(_, other, _)| other == dscp));
    let file = |number: usize| {
        let place = measured.iter().position(|(of, ..)| *of == number);
        place.and_then(|place| outcome.file(place))
    };
    let name = |number: usize, dscp: Dscp| {
        if let Some(file) = file(number) {
            format!("{number} {dscp} {file}")
        } else if twice {
            format!("{number} {dscp}")
        } else {
            dscp.to_string()
        }
    };
    let (title, head) = if outcome.files.is_empty() {
        ("Round trips and losses by class", "Class")
    } else {
        ("Round trips and losses by file", "Session")
    };
    let rows: Vec<NamedRow> = rows
        .into_iter()
        .map(|(number, dscp, cells)| NamedRow {
            name: name(number, dscp),
            cells,
            remark: None,
        })
        .collect();
    table(title, head, &rows, style, out)
}

/// The cells of a session that was refused.
pub(super) fn refusal(session: &RefusedSession) -> String {
    format!("  refused (Accept {})", session.refusal.octet)
}

/// A row for each session, under this title.
///
/// # Errors
/// Errors of writing to `out`.
pub(super) fn table(
    title: &str,
    head: &str,
    rows: &[NamedRow],
    style: Style,
    out: &mut impl Write,
) -> io::Result<()> {
    let (first, widths) = widths(rows);
    let line = |name: &str, cells: &[String]| {
        let cells = cells.iter().zip(&widths);
        let cells = cells.map(|(cell, width)| format!("{cell:>width$}"));
        let between = if first == 0 { "\n" } else { "" };
        format!(
            "{name:<first$}{between}{}",
            cells.collect::<Vec<_>>().concat()
        )
    };
    let width = (first + widths.iter().sum::<usize>()).max(WIDTH);
    let heads = HEADS.map(str::to_owned);
    writeln!(out, "{}", style.heading(title))?;
    writeln!(out, "{}\n{}", "=".repeat(width), line(head, &heads))?;
    writeln!(out, "{}", "-".repeat(width))?;
    for NamedRow {
        name,
        cells,
        remark,
    } in rows
    {
        match cells {
            Ok(cells) => writeln!(out, "{}", line(name, cells))?,
            Err(refused) => writeln!(out, "{name:<first$}{refused}")?,
        }
        if let Some(remark) = remark {
            writeln!(out, "{}", wrapped(&format!("  {remark}"), 4))?;
        }
    }
    writeln!(out, "{}", "=".repeat(width))
}

/// Widths of the names (0 if these are above their cells) and of the columns.
fn widths(rows: &[NamedRow]) -> (usize, Vec<usize>) {
    let needed = |(column, head): (usize, &&str)| {
        let measured = rows.iter().filter_map(|row| row.cells.as_ref().ok());
        let cells = measured.filter_map(|cells| cells.get(column));
        let widest = cells.map(|cell| cell.chars().count()).max();
        widest.unwrap_or(0).max(head.len()) + 1
    };
    let needed: Vec<usize> = HEADS.iter().enumerate().map(needed).collect();
    let roomy: Vec<usize> = needed.iter().map(|width| (*width).max(CELL)).collect();
    let names = rows.iter().map(|row| row.name.chars().count());
    let longest = names.max().unwrap_or(0);
    let first = (longest + usize::from(longest >= NAME)).max(NAME);
    if first + roomy.iter().sum::<usize>() <= WIDTH {
        (first, roomy)
    } else if first + needed.iter().sum::<usize>() <= WIDTH {
        (first, needed)
    } else {
        (0, needed)
    }
}

#[cfg(test)]
mod tests {
    use twinpath_proto::{Refusal, Step};

    use super::*;
    use crate::output::fixtures;

    #[test]
    fn classes_are_side_by_side_in_one_unit() {
        let mut out = Vec::new();
        let mut silent = fixtures::nothing_came_back();
        silent.identity.tos = Dscp::BE.tos();
        silent.identity.number = 3;
        let mut middle = fixtures::loss();
        (middle.identity.tos, middle.identity.number) = ("cs1".parse::<Dscp>().unwrap().tos(), 2);
        let reports = vec![fixtures::quiet_path(), middle, silent];
        write(reports.as_slice().into(), &[], Style::PLAIN, &mut out).unwrap();
        insta::assert_snapshot!(String::from_utf8(out).unwrap());
    }

    #[test]
    fn a_refused_class_has_a_row_and_one_requested_twice_its_numbers() {
        let refused = |number, dscp| RefusedSession {
            number,
            path: None,
            dscp,
            refusal: Refusal {
                step: Step::Request,
                octet: 5,
            },
            remedy: None,
            advice: String::new(),
        };
        let rows = |reports: &[SessionReport], refused: &[RefusedSession]| {
            let mut out = Vec::new();
            write(reports.into(), refused, Style::PLAIN, &mut out).unwrap();
            let text = String::from_utf8(out).unwrap();
            let rows = text.lines().skip(4).map(str::to_owned);
            rows.take_while(|row| !row.starts_with('='))
                .collect::<Vec<_>>()
        };
        let mut measured = fixtures::quiet_path();
        measured.identity.number = 2;
        measured.identity.tos = Dscp::EF.tos();
        let found = rows(&[measured.clone()], &[refused(1, Dscp::BE)]);
        assert_eq!(found[0], "be       refused (Accept 5)");
        assert!(found[1].starts_with("ef  "), "{}", found[1]);
        let found = rows(&[measured], &[refused(1, Dscp::EF)]);
        assert_eq!(found[0], "1 ef     refused (Accept 5)");
        assert!(found[1].starts_with("2 ef "), "{}", found[1]);
    }

    #[test]
    fn rows_of_long_names_and_delays_fit_the_page() {
        let mut far = fixtures::quiet_path();
        far.identity.number = 2;
        let delay = far.figures.round_trip.as_mut().unwrap();
        delay.max_ns = 4_321_000_000;
        (delay.mean_ns, delay.median_ns) = (2_345_678_901, 2_345_678_901);
        let files = [
            "monday.parquet",
            "a-name-of-a-file-that-is-long-itself.parquet",
        ];
        let files = files.map(str::to_owned);
        for reports in [
            vec![fixtures::quiet_path(), fixtures::loss()],
            vec![fixtures::quiet_path(), far],
        ] {
            for files in [&files[..], &[]] {
                let mut outcome = Outcome::from(&reports[..]);
                outcome.files = files;
                let mut out = Vec::new();
                write(outcome, &[], Style::PLAIN, &mut out).unwrap();
                let text = String::from_utf8(out).unwrap();
                for line in text.lines() {
                    assert!(line.chars().count() <= WIDTH, "{text}");
                }
            }
        }
    }
}

//! Rows of a run in progress: a line of a table for people, a document for machines.

use std::io::{self, Write};

use serde::Serialize;
use twinpath_metrics::ratio;
use twinpath_metrics::{Coverage, DelayFigures, Figures, IntervalFigures, Suspect};
use twinpath_report::words::instant;
use twinpath_wire::Wall;

use super::counts::UNKNOWN;
use super::labels::Labels;
use super::names::{SessionName, TargetOfRecord};
use super::style::Style;
use super::table::{cell, enough};
use super::units::{self, Unit};
use super::{Meta, rfc3339};

/// Columns of a row's time, and of a class's name.
const TIME: usize = 13;
const CLASS: usize = 5;
/// Headings of the columns, and their widths including the space before them.
const HEADS: [(&str, usize); 7] = [
    ("Sent", 6),
    ("Lost", 7),
    ("Loss", 9),
    ("Min", 10),
    ("Median", 10),
    ("p99", 10),
    ("Max", 10),
];
/// Columns of a row.
const ROW: usize = 80;
/// Rows until the heading is repeated.
const PAGE: u32 = 40;

/// The packets sent between two times, and their fates.
pub(crate) struct Row<'a> {
    /// The session, if there are several.
    session: Option<&'a SessionName>,
    /// From 0; `None`: the run so far.
    index: Option<u64>,
    start: Wall,
    end: Wall,
    figures: &'a Figures,
    interval: Option<&'a IntervalFigures>,
}

impl<'a> Row<'a> {
    /// A finished interval.
    pub(crate) fn of_interval(
        session: Option<&'a SessionName>,
        interval: &'a IntervalFigures,
    ) -> Self {
        Self {
            session,
            index: Some(interval.index),
            start: interval.start,
            end: interval.end,
            figures: &interval.figures,
            interval: Some(interval),
        }
    }

    /// The run so far.
    pub(crate) fn so_far(
        session: Option<&'a SessionName>,
        start: Wall,
        end: Wall,
        figures: &'a Figures,
    ) -> Self {
        Self {
            session,
            index: None,
            start,
            end,
            figures,
            interval: None,
        }
    }

    /// The session's name, if there are several.
    fn name(&self) -> Option<&'a str> {
        self.session.map(|session| &*session.text)
    }

    /// Packets whose fate is known.
    fn sent(&self) -> u64 {
        self.figures.sent()
    }

    /// Whether all packets due were sent, except for a few.
    fn is_complete(&self) -> bool {
        let coverage = match self.interval {
            Some(interval) => interval.coverage(),
            None => Coverage::of(self.figures, self.figures.not_sent, 0),
        };
        coverage.is_complete()
    }

    fn loss(&self) -> String {
        if self.is_complete() {
            units::percent(self.figures.lost, self.sent())
        } else {
            UNKNOWN.to_owned()
        }
    }

    /// Of several intervals in which nothing was sent, how many, and how many packets were missed.
    fn stretch(&self) -> Option<(u64, u64)> {
        let interval = self.interval.filter(|interval| interval.intervals > 1)?;
        Some((interval.intervals, interval.missed))
    }

    /// Why the figures are doubtful, as words.
    fn suspect(&self) -> impl Iterator<Item = &'static str> {
        let interval = self.interval.map(|interval| interval.suspect.as_slice());
        interval
            .unwrap_or_default()
            .iter()
            .copied()
            .map(Suspect::name)
    }
}

/// Rows of a table for people.
#[derive(Debug, Default)]
pub(crate) struct Table {
    written: u32,
    /// Digits of a second in the row before.
    digits: Option<u8>,
}

impl Table {
    /// Whether there was no row.
    pub(crate) fn is_empty(&self) -> bool {
        self.written == 0
    }

    /// The row, preceded by the heading if it is due.
    ///
    /// # Errors
    /// Errors of writing to `out`.
    pub(crate) fn write(
        &mut self,
        row: &Row<'_>,
        style: Style,
        out: &mut impl Write,
    ) -> io::Result<()> {
        if self.written.is_multiple_of(PAGE) {
            writeln!(out, "{}", style.heading(&heading(row)))?;
        }
        self.written = self.written.wrapping_add(1);
        if let Some(stretch) = row.stretch() {
            return writeln!(out, "{}", self::stretch(row, stretch));
        }
        // A row that was cut does not show how long intervals are.
        let is_cut = row.interval.is_some_and(|interval| interval.is_cut);
        let before = self.digits.filter(|_| is_cut);
        let digits = before.unwrap_or_else(|| digits(row));
        self.digits = Some(digits);
        writeln!(out, "{}", line(row, &clock(row, digits)))
    }
}

/// The run so far, as one line.
///
/// # Errors
/// Errors of writing to `out`.
pub(crate) fn write_glance(row: &Row<'_>, style: Style, out: &mut impl Write) -> io::Result<()> {
    writeln!(out, "{}", style.heading(&heading(row)))?;
    writeln!(out, "{}", line(row, "so far"))
}

fn heading(row: &Row<'_>) -> String {
    let heads = cells(&HEADS.map(|(head, _)| head.to_owned()));
    let head = row.session.map(|session| match session.target {
        Some(_) => "",
        None => "Class",
    });
    named("From (UTC)", head, &heads)
}

/// Cells in their columns.
fn cells(cells: &[String; HEADS.len()]) -> String {
    let cells = cells.iter().zip(HEADS);
    let cells = cells.map(|(cell, (_, width))| format!(" {cell:>0$}", width - 1));
    cells.collect::<Vec<_>>().concat()
}

/// The contents of a row, after its time and name, or below the name if there is no room.
fn named(time: &str, name: Option<&str>, said: &str) -> String {
    let Some(name) = name else {
        return format!("{time:<TIME$}{said}");
    };
    let width = TIME + CLASS + said.chars().count();
    if name.chars().count() <= CLASS && width <= ROW {
        format!("{time:<TIME$}{name:<CLASS$}{said}")
    } else {
        format!("{name}:\n{time:<TIME$}{said}")
    }
}

fn line(row: &Row<'_>, time: &str) -> String {
    let delay = row.figures.round_trip.as_ref();
    let unit = delay.map_or(Unit::Milliseconds, |delay| {
        Unit::fit(delay.max_ns.unsigned_abs())
    });
    let of = |value: fn(&DelayFigures) -> Option<i64>| {
        cell(delay.and_then(value).map(|ns| unit.delay(ns)))
    };
    let cells = cells(&[
        row.sent().to_string(),
        row.figures.lost.to_string(),
        row.loss(),
        of(|delay| Some(delay.min_ns)),
        of(|delay| Some(delay.median_ns)),
        of(|delay| enough(delay, 100, delay.p99_ns)),
        of(|delay| Some(delay.max_ns)),
    ]);
    let suspect: Vec<_> = row.suspect().map(|word| word.replace('_', " ")).collect();
    let suspect = if suspect.is_empty() {
        String::new()
    } else {
        format!("\n  suspect: {}", suspect.join(", "))
    };
    format!("{}{suspect}", named(time, row.name(), &cells))
}

/// Intervals in which nothing was sent, as one line.
fn stretch(row: &Row<'_>, (intervals, missed): (u64, u64)) -> String {
    let missed = match missed {
        0 => String::new(),
        count => format!("\n  {count} missed"),
    };
    let to = instant(row.end, digits(row));
    let said = format!(
        " {} without a packet, to {to}",
        units::count(intervals, "interval", "intervals")
    );
    format!(
        "{}{missed}",
        named(&clock(row, digits(row)), row.name(), &said)
    )
}

/// The time of day of a row's beginning.
fn clock(row: &Row<'_>, digits: u8) -> String {
    let text = instant(row.start, digits);
    match text.split_once('T') {
        Some((_, time)) => time.trim_end_matches('Z').to_owned(),
        None => text,
    }
}

/// Digits of a second in the times of a row: none, or milliseconds where intervals are not of whole seconds.
fn digits(row: &Row<'_>) -> u8 {
    const SECOND: i64 = 1_000_000_000;
    let is_cut = row.interval.is_some_and(|interval| interval.is_cut);
    if is_cut && (row.end - row.start).ns() > SECOND {
        return 0;
    }
    let intervals = row.interval.map_or(1, |interval| interval.intervals);
    let length = (row.end - row.start).ns() / i64::try_from(intervals).unwrap_or(i64::MAX).max(1);
    if length % SECOND == 0 { 0 } else { 3 }
}

/// A document for machines.
#[derive(Serialize)]
struct Document<'a> {
    schema: &'static str,
    host: Option<&'a str>,
    labels: Labels<'a>,
    #[serde(skip_serializing_if = "Option::is_none")]
    session: Option<usize>,
    #[serde(skip_serializing_if = "Option::is_none")]
    class: Option<&'a str>,
    interval: Option<u64>,
    start: String,
    end: String,
    packets: Packets,
    round_trip: Option<DelayFigures>,
    forward: Option<DelayFigures>,
    backward: Option<DelayFigures>,
    suspect: Vec<&'static str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    intervals: Option<u64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    target: Option<TargetOfRecord<'a>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    path: Option<u16>,
}

#[derive(Serialize)]
struct Packets {
    sent: u64,
    received: u64,
    lost: u64,
    lost_forward: Option<i64>,
    lost_backward: Option<i64>,
    lost_unattributed: Option<i64>,
    duplicates: u64,
    reordered: u64,
    late: u64,
    not_sent: u64,
    missed: u64,
    loss_ratio: Option<f64>,
    strays: u64,
    unawaited: u64,
}

/// The row as a document on one line.
///
/// # Errors
/// Errors of writing to `out`.
pub(crate) fn write_document(row: &Row<'_>, meta: &Meta, out: &mut impl Write) -> io::Result<()> {
    let figures = row.figures;
    let loss = row.interval.map(|interval| interval.loss);
    let target = row.session.and_then(|session| session.target.as_ref());
    let document = Document {
        schema: "twinpath-interval-1",
        host: meta.host.as_deref(),
        labels: Labels::of_session(row.session, &meta.labels),
        session: row.session.map(|session| session.number),
        class: row.session.map(|session| &*session.class),
        interval: row.index,
        start: rfc3339(row.start),
        end: rfc3339(row.end),
        packets: Packets {
            sent: row.sent(),
            received: figures.received,
            lost: figures.lost,
            lost_forward: loss.and_then(|loss| loss.forward),
            lost_backward: loss.and_then(|loss| loss.backward),
            lost_unattributed: loss.map(|loss| loss.unattributed),
            duplicates: figures.duplicates,
            reordered: figures.reordered,
            late: figures.late,
            not_sent: row.interval.map_or(0, |interval| interval.not_sent),
            missed: row.interval.map_or(0, |interval| interval.missed),
            loss_ratio: ratio(figures.lost, row.sent()).filter(|_| row.is_complete()),
            strays: row.interval.map_or(0, |interval| interval.strays),
            unawaited: figures.unawaited,
        },
        round_trip: figures.round_trip,
        forward: figures.forward,
        backward: figures.backward,
        suspect: row.suspect().collect(),
        intervals: row.interval.map(|interval| interval.intervals),
        target: target.map(TargetOfRecord::from),
        path: target.and_then(|target| target.path),
    };
    serde_json::to_writer(&mut *out, &document)?;
    out.write_all(b"\n")
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use twinpath_metrics::{Intervals, ReflectorKind, Waits};

    use super::*;
    use crate::output::fixtures;

    fn intervals() -> Vec<IntervalFigures> {
        let samples = fixtures::samples();
        let origin = samples[0].t1.at;
        let second = Duration::from_secs(1);
        let waits = Waits {
            fates: 2 * second,
            records: 4 * second,
            ..Waits::default()
        };
        let mut intervals = Intervals::new(origin, second, waits, ReflectorKind::Stateful);
        for sample in &samples {
            intervals.record(sample);
        }
        intervals.record_missed(2, origin, origin);
        std::iter::from_fn(|| intervals.finish()).collect()
    }

    #[test]
    fn rows_for_people_have_a_heading_and_reasons_for_doubt() {
        let mut out = Vec::new();
        let mut table = Table::default();
        let name = SessionName::new(1, "af41");
        for interval in &intervals() {
            let row = Row::of_interval(Some(&name), interval);
            table.write(&row, Style::PLAIN, &mut out).unwrap();
        }
        insta::assert_snapshot!(String::from_utf8(out).unwrap());
    }

    #[test]
    fn rows_of_long_names_and_delays_fit_80_columns() {
        let mut interval = intervals().remove(0);
        for (name, max_ns) in [("ef", 4_321_000_000), ("monday.parquet af41", 999_000_000)] {
            interval.figures.round_trip.as_mut().unwrap().max_ns = max_ns;
            let mut out = Vec::new();
            let session = SessionName::new(1, name);
            let row = Row::of_interval(Some(&session), &interval);
            Table::default()
                .write(&row, Style::PLAIN, &mut out)
                .unwrap();
            let text = String::from_utf8(out).unwrap();
            for line in text.lines() {
                assert!(line.chars().count() <= ROW, "{text}");
            }
            assert!(text.contains(name), "{text}");
        }
    }

    #[test]
    fn each_row_for_machines_is_one_line() {
        let mut out = Vec::new();
        for interval in &intervals() {
            let row = Row::of_interval(None, interval);
            write_document(&row, &Meta::default(), &mut out).unwrap();
        }
        let text = String::from_utf8(out).unwrap();
        assert!(
            text.lines()
                .all(|line| line.starts_with('{') && line.ends_with('}'))
        );
        insta::assert_snapshot!(text.lines().next().unwrap());
    }

    #[test]
    fn a_snapshot_is_marked_as_the_run_so_far() {
        let interval = &intervals()[0];
        let row = Row::so_far(None, interval.start, interval.end, &interval.figures);
        let mut out = Vec::new();
        write_glance(&row, Style::PLAIN, &mut out).unwrap();
        assert!(String::from_utf8(out).unwrap().contains("\nso far "));
    }
}

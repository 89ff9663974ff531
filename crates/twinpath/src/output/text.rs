//! The report for people: the usual table of TWAMP tools, followed by everything that limits its
//! validity. Every time has its unit.

mod one_way;
mod path;
mod requested;

use std::collections::HashSet;
use std::io::{self, Write};
use std::time::Duration;

use twinpath_metrics::{DelayFigures, Figures};
use twinpath_proto::extension::ReplyTlvs;
use twinpath_proto::sender::PayloadSize;
use twinpath_report::words::instant;
use twinpath_report::{Note, SessionReport};
use twinpath_wire::{Ecn, Sample, TimeFormat};

use super::clocks::ONE_HOST;
use super::labels::Labels;
use super::names::{listed_name, plain};
use super::rows::{self, Row};
use super::style::Style;
use super::table::{CELL, NAME, cell, clock, enough, fact, notes, row, signed};
use super::units::{self, Unit, WIDTH, wrapped};
use super::{
    Meta, Outcome, SessionName, Sink, Written, classes, counts, ends, lines, schedule, summary,
    table, targets, words,
};

/// A resolution of the far clock that is worth mentioning: it hides delays of some microseconds.
const COARSE_NS: u64 = 10_000;

/// `--output text`: a line for each packet if requested, then the table.
pub(crate) struct Text<W> {
    out: W,
    meta: Meta,
    style: Style,
    lines: bool,
    rows: rows::Table,
}

impl<W: Write> Text<W> {
    /// `lines`: whether to print one for each packet.
    pub(crate) fn new(out: W, meta: Meta, style: Style, lines: bool) -> Self {
        Self {
            out,
            meta,
            style,
            lines,
            rows: rows::Table::default(),
        }
    }

    /// Every session's page, under its `name`.
    fn pages(
        &mut self,
        outcome: Outcome<'_>,
        name: impl Fn(usize, &SessionReport) -> Option<String>,
    ) -> io::Result<()> {
        // Findings common to several sessions are printed under the first.
        let mut said: HashSet<String> = HashSet::new();
        for (index, report) in outcome.sessions.iter().enumerate() {
            if index > 0 {
                writeln!(self.out)?;
            }
            if let Some(name) = name(index, &report) {
                writeln!(self.out, "{}", self.style.heading(&format!("{name}:")))?;
            }
            page(&report, &self.meta, self.style, &mut self.out)?;
            let notes = report.notes.iter();
            let new = notes.filter(|note| !said.contains(&*note.line)).cloned();
            let new: Vec<Note> = new.collect();
            table::notes(&new, self.style, &mut self.out)?;
            said.extend(new.into_iter().map(|note| note.line));
        }
        Ok(())
    }
}

impl<W: Write> Sink for Text<W> {
    fn sample(
        &mut self,
        session: Option<&SessionName>,
        sample: &Sample,
        _: Option<&ReplyTlvs>,
    ) -> io::Result<()> {
        if self.lines {
            lines::write(session, sample, &mut self.out)
        } else {
            Ok(())
        }
    }

    fn event(&mut self, line: &str) -> io::Result<()> {
        if self.lines {
            writeln!(self.out, "{line}")
        } else {
            Ok(())
        }
    }

    fn row(&mut self, row: &Row<'_>) -> io::Result<()> {
        self.rows.write(row, self.style, &mut self.out)
    }

    fn flush(&mut self) -> io::Result<()> {
        self.out.flush()
    }

    fn report(&mut self, outcome: Outcome<'_>) -> io::Result<()> {
        if !self.rows.is_empty() {
            writeln!(self.out)?;
        }
        let differing = outcome.differing();
        if differing.is_mesh() {
            targets::write(outcome, differing, self.lines, self.style, &mut self.out)?;
            if self.lines {
                writeln!(self.out)?;
                self.pages(outcome, |place, report| {
                    Some(outcome.name(differing, place, report))
                })?;
            }
        } else {
            self.pages(outcome, |place, _| outcome.file(place).map(str::to_owned))?;
            let refused = outcome.refused();
            if outcome.sessions.len() + refused.len() > 1 {
                writeln!(self.out)?;
                classes::write(outcome, refused, self.style, &mut self.out)?;
            }
            targets::failed(outcome.failed, self.lines, self.style, &mut self.out)?;
        }
        if let Some(control) = outcome.control {
            let server = ends::named(control.server);
            let text = format!("{server}, {}", control.modes);
            fact(&mut self.out, "Server", &text)?;
            notes(&control.notes, self.style, &mut self.out)?;
        }
        for line in outcome.written.iter().filter_map(Written::shortfall) {
            table::warning(&line, self.style, &mut self.out)?;
        }
        self.out.flush()
    }
}

/// One session's page.
///
/// # Errors
/// Errors of writing to `out`.
pub(crate) fn write(
    report: &SessionReport,
    meta: &Meta,
    style: Style,
    out: &mut impl Write,
) -> io::Result<()> {
    page(report, meta, style, out)?;
    notes(&report.notes, style, out)
}

/// The page without its notes.
fn page(report: &SessionReport, meta: &Meta, style: Style, out: &mut impl Write) -> io::Result<()> {
    let figures = &report.figures;
    let unit = table_unit(figures);
    heading(report, meta, style, out)?;
    writeln!(out, "{}", wrapped(&summary::sentence(report, unit), 0))?;
    table(report, unit, style, out)?;
    counts::write(report, out)?;
    own_times(figures, out)?;
    stamps(report, out)?;
    one_way::write(report, style, out)?;
    path::write(report, out)?;
    path::tlvs(report, out)?;
    requested::write(report, &meta.requested, style, out)
}

/// Chosen by the round trip, because one-way figures may include hours of clock offset.
pub(super) fn table_unit(figures: &Figures) -> Unit {
    let deciding = [&figures.round_trip, &figures.forward, &figures.backward];
    deciding
        .into_iter()
        .flatten()
        .next()
        .map_or(Unit::Milliseconds, |delay| {
            Unit::fit(delay.max_ns.unsigned_abs())
        })
}

fn heading(
    report: &SessionReport,
    meta: &Meta,
    style: Style,
    out: &mut impl Write,
) -> io::Result<()> {
    let ends = ends::line(report, &ends::protocol(report.identity.wire));
    writeln!(out, "{}", style.heading(&wrapped(&ends, 2)))?;
    writeln!(out, "{}", wrapped(&form(report), 2))?;
    writeln!(
        out,
        "{} {}",
        words::started(report),
        instant(report.started, 0)
    )?;
    if let Some(sid) = report.identity.sid {
        writeln!(out, "SID {sid}")?;
    }
    if let Some(micro_session) = &report.identity.micro_session {
        let ids = micro_session.ids();
        match &micro_session.interface {
            Some(interface) => {
                writeln!(
                    out,
                    "Member link {}, Micro-session ID {ids}",
                    plain(interface)
                )?;
            }
            None => writeln!(
                out,
                "Micro-session ID {ids}: only numbers are checked, not the member link"
            )?,
        }
    }
    if let Some(name) = listed_name(&report.identity).filter(|_| report.origin.has_setup()) {
        writeln!(out, "Target {name}")?;
    }
    for (key, value) in Labels::of_target(report.identity.target.as_ref(), &meta.labels).iter() {
        writeln!(out, "{key}={}", plain(value))?;
    }
    Ok(())
}

/// How packets were sent, as far as that is known.
fn form(report: &SessionReport) -> String {
    if !report.origin.has_setup() {
        let path = report.identity.path.map(|path| format!(", path {path}"));
        return ends::class(report) + &path.unwrap_or_default();
    }
    let sizes = match report.payload_sizes() {
        PayloadSize::Fixed(octets)
            if report.traffic.is_none() && ends::several(report, "padding").is_none() =>
        {
            let raised = raised(report, octets).map_or_else(String::new, |to| {
                format!(", raised to {to} for the {} chosen", raised_for(report))
            });
            let sizes = schedule::sizes(report);
            format!("padding {}{raised} ({sizes})", report.identity.padding)
        }
        PayloadSize::Fixed(_) | PayloadSize::Imix(_) => schedule::sizes(report),
    };
    let ecn = match report.identity.tos.ecn() {
        Ecn::NotEct => "",
        Ecn::Ect0 => ", ECN ECT(0)",
        Ecn::Ect1 => ", ECN ECT(1)",
        Ecn::Ce => ", ECN CE",
    };
    format!(
        "{}, {sizes}, {}{ecn}, TTL {}",
        schedule::of(report),
        ends::class(report),
        report.identity.ttl,
    )
}

/// Features that need more padding than was requested.
fn raised_for(report: &SessionReport) -> &'static str {
    if report.identity.wire.is_secured() {
        "mode"
    } else {
        "features"
    }
}

/// The padding that was sent, as `--padding` counts it, if the mode or features of a session need
/// more than was requested.
fn raised(report: &SessionReport, octets: usize) -> Option<usize> {
    report.identity.wire.format.features()?;
    let asked = usize::try_from(report.identity.padding).ok()?;
    let sent = octets.checked_sub(report.identity.wire.padding_counts_from())?;
    (sent > asked).then_some(sent)
}

/// Both halves of the table share their columns, which fit the widest cell.
fn table(report: &SessionReport, unit: Unit, style: Style, out: &mut impl Write) -> io::Result<()> {
    let directions = directions(report, unit);
    let distribution = distribution(&report.figures, unit);
    let cells = directions.iter().flat_map(|(_, cells)| cells);
    let cells = cells.chain(distribution.iter().flat_map(|(_, cells)| cells));
    let width = cells
        .map(|cell| cell.chars().count() + 1)
        .max()
        .unwrap_or(0)
        .max(CELL);
    // Five cells side by side, unless a large clock offset makes them too long.
    let beside = NAME + 5 * width <= WIDTH;
    let rule = |of: &str| of.repeat(WIDTH.max(NAME + 3 * width));
    let heads = ["Min", "Max", "Avg", "Jitter", "Loss"];
    writeln!(out, "{}", rule("="))?;
    if beside {
        writeln!(out, "{}", style.heading(&row("Direction", &heads, width)))?;
        writeln!(out, "{}", rule("-"))?;
        for (name, cells) in &directions {
            writeln!(out, "{}", row(name, cells, width))?;
        }
    }
    if !(beside && distribution.is_empty()) {
        if beside {
            writeln!(out, "{}", rule("-"))?;
        }
        let names = ["Outbound", "Inbound", "Roundtrip"];
        let head = if beside { "" } else { "Direction" };
        writeln!(out, "{}", style.heading(&row(head, &names, width)))?;
    }
    if !beside {
        writeln!(out, "{}", rule("-"))?;
        for (place, head) in heads.iter().enumerate() {
            let cells = directions.iter().filter_map(|(_, cells)| cells.get(place));
            writeln!(out, "{}", row(head, &cells.collect::<Vec<_>>(), width))?;
        }
    }
    for (name, cells) in distribution {
        writeln!(out, "{}", row(name, &cells, width))?;
    }
    writeln!(out, "{}", rule("="))
}

fn directions(report: &SessionReport, unit: Unit) -> Vec<(&'static str, Vec<String>)> {
    let figures = &report.figures;
    let [loss_out, loss_in, loss] = counts::losses_by_direction(report);
    let row = |(name, delay, loss): (&'static str, &Option<DelayFigures>, Option<String>)| {
        let of = |value: fn(&DelayFigures) -> Option<i64>| figure(delay.as_ref(), value, unit);
        let cells = vec![
            of(|delay| Some(delay.min_ns)),
            of(|delay| Some(delay.max_ns)),
            of(|delay| Some(delay.mean_ns)),
            of(|delay| delay.jitter_ns.map(signed)),
            cell(loss),
        ];
        (name, cells)
    };
    let rows = [
        ("Outbound", &figures.forward, loss_out),
        ("Inbound", &figures.backward, loss_in),
        ("Roundtrip", &figures.round_trip, loss),
    ];
    rows.into_iter().map(row).collect()
}

fn distribution(figures: &Figures, unit: Unit) -> Vec<(&'static str, Vec<String>)> {
    if figures.round_trip.is_none() {
        return Vec::new();
    }
    let columns = [&figures.forward, &figures.backward, &figures.round_trip];
    let rows = DISTRIBUTION.into_iter().map(|(name, value)| {
        let cells = columns
            .iter()
            .map(|delay| figure(delay.as_ref(), value, unit));
        (name, cells.collect())
    });
    rows.collect()
}

fn figure(delay: Option<&DelayFigures>, value: Figure, unit: Unit) -> String {
    cell(delay.and_then(value).map(|ns| unit.delay(ns)))
}

type Figure = fn(&DelayFigures) -> Option<i64>;

const DISTRIBUTION: [(&str, Figure); 8] = [
    ("Median", |delay| Some(delay.median_ns)),
    ("p90", |delay| enough(delay, 10, delay.p90_ns)),
    ("p95", |delay| enough(delay, 20, delay.p95_ns)),
    ("p99", |delay| enough(delay, 100, delay.p99_ns)),
    ("p99.9", |delay| enough(delay, 1_000, delay.p999_ns)),
    ("Std deviation", |delay| Some(signed(delay.stddev_ns))),
    ("PDV p99", |delay| {
        enough(delay, 100, signed(delay.pdv_p99_ns?))
    }),
    ("IPDV mean", |delay| delay.ipdv_mean_abs_ns.map(signed)),
];

/// Delays added by the two ends themselves.
fn own_times(figures: &Figures, out: &mut impl Write) -> io::Result<()> {
    let residence = &figures.residence;
    if figures.round_trip.is_some() && !figures.far_times.are_usable() {
        fact(
            out,
            "Reflector time",
            "unknown: included in the round trip (T4 - T1)",
        )?;
    } else if residence.is_some() && figures.residence_never_measured {
        fact(out, "Reflector time", "not measured by the reflector")?;
    } else if let Some(delay) = residence {
        fact(out, "Reflector time", &own_time(delay))?;
    }
    match &figures.departure {
        Some(delay) => fact(out, "Sender lateness", &own_time(delay)),
        None => Ok(()),
    }
}

fn own_time(delay: &DelayFigures) -> String {
    let unit = Unit::fit(delay.max_ns.unsigned_abs());
    let p99 = enough(delay, 100, delay.p99_ns);
    format!(
        "min {}, median {}, p99 {}, max {}",
        unit.delay(delay.min_ns),
        unit.delay(delay.median_ns),
        cell(p99.map(|ns| unit.delay(ns))),
        unit.delay(delay.max_ns)
    )
}

/// The formats of timestamps in packets, where one is not the usual one.
fn formats(report: &SessionReport, out: &mut impl Write) -> io::Result<()> {
    let near = report.identity.wire.format.time_format();
    let far = report.far_time_format();
    if [Some(near), far].contains(&Some(TimeFormat::Ptp)) {
        let name = |format| match format {
            TimeFormat::Ntp => "NTP",
            TimeFormat::Ptp => "PTP",
        };
        let far = far.map_or_else(String::new, |far| format!(", reflector {}", name(far)));
        fact(out, "Time formats", &format!("sender {}{far}", name(near)))?;
    }
    Ok(())
}

fn stamps(report: &SessionReport, out: &mut impl Write) -> io::Result<()> {
    if !report.origin.has_setup() {
        return resolution(report, out);
    }
    let stamps = &report.stamps;
    let transmit = stamps.transmit.map(|rung| format!("transmit {rung}"));
    let receive = stamps.receive.map(|rung| format!("receive {rung}"));
    let both: Vec<String> = [transmit, receive].into_iter().flatten().collect();
    if !both.is_empty() {
        fact(out, "Timestamps", &both.join(", "))?;
    }
    formats(report, out)?;
    let known = report.origin.has_end();
    let clocks = match (report.is_one_clock(), stamps.clock.synchronized) {
        (true, _) if !known => ONE_HOST.to_owned(),
        (true, true) => format!("{ONE_HOST} (synchronized)"),
        (true, false) => format!("{ONE_HOST} (not synchronized)"),
        (false, _) => {
            let here = known.then(|| clock(stamps.clock));
            let here = here.unwrap_or_else(|| "unknown".to_owned());
            let far = stamps
                .far_clock
                .map(|far| format!("; reflector {}", clock(far)));
            format!("sender {here}{}", far.unwrap_or_default())
        }
    };
    fact(out, "Clocks", &clocks)?;
    resolution(report, out)
}

/// That of the far clock, where it is coarse.
fn resolution(report: &SessionReport, out: &mut impl Write) -> io::Result<()> {
    match report.figures.far_resolution_ns {
        Some(ns) if ns >= COARSE_NS => {
            let grid = units::time(Duration::from_nanos(ns));
            let text = format!("the reflector's clock has a resolution of {grid}");
            fact(out, "Resolution", &text)
        }
        _ => Ok(()),
    }
}

#[cfg(test)]
mod tests;

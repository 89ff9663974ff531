//! A run as plain data for a picture: its name, and the figures beside it.

use std::borrow::Cow;
use std::time::Duration;

use twinpath_metrics::{DelayFigures, OneWay};
use twinpath_proto::sender::Protocol;
use twinpath_report::words::instant;
use twinpath_report::{Note, Origin, SessionReport};

use super::clocks::ONE_HOST;
use super::table::enough;
use super::units::{self, Unit};
use super::{Outcome, Written, counts, ends, schedule, summary, words};
use crate::args::Label;
use crate::picture::{KeyFigure, Picture, PictureNote, PictureSession};

/// The complete picture of a run.
pub(crate) fn picture(outcome: Outcome<'_>, labels: &[Label]) -> Picture {
    let reports: Vec<Cow<'_, SessionReport>> = outcome.sessions.iter().collect();
    let reports = &*reports;
    Picture {
        title: common(reports, |report| Some(title(report)))
            .unwrap_or_else(|| units::count(reports.len() as u64, "session", "sessions")),
        subtitle: reports
            .first()
            .map_or_else(String::new, |first| subtitle(first, reports, labels)),
        sessions: sessions(outcome, reports),
        notes: notes(outcome, reports),
    }
}

/// Each remark once, the warnings first; by the names of its sessions, if it is not one of all.
fn notes(outcome: Outcome<'_>, reports: &[Cow<'_, SessionReport>]) -> Vec<PictureNote> {
    let mut notes: Vec<(PictureNote, Vec<String>)> = Vec::new();
    for (place, report) in reports.iter().enumerate() {
        for note in &report.notes {
            let name = name(outcome, place, report);
            match notes.iter_mut().find(|(known, _)| known.line == note.line) {
                Some((_, names)) if names.last() == Some(&name) => {}
                Some((_, names)) => names.push(name),
                None => notes.push((picture_note(note), vec![name])),
            }
        }
    }
    let of_sessions = notes.into_iter().map(|(note, names)| {
        let line = if names.len() == reports.len() {
            note.line
        } else {
            format!("{}: {}", names.join(", "), note.line)
        };
        PictureNote { line, ..note }
    });
    let of_control = outcome.control.map_or(&[][..], |control| &control.notes);
    let of_files = outcome.written.iter().filter_map(Written::shortfall);
    let of_files = of_files.map(|line| PictureNote {
        line,
        warning: true,
    });
    let mut notes: Vec<PictureNote> = of_sessions
        .chain(of_control.iter().map(picture_note))
        .chain(of_files)
        .collect();
    notes.sort_by_key(|note| !note.warning);
    notes
}

fn picture_note(note: &Note) -> PictureNote {
    PictureNote {
        line: note.line.clone(),
        warning: note.warning,
    }
}

/// What distinguishes a session from the others; empty if there is only one.
fn name(outcome: Outcome<'_>, place: usize, report: &SessionReport) -> String {
    let class = report.identity.tos.dscp();
    match outcome.file(place) {
        Some(file) => format!("{} {class} {file}", report.identity.number),
        None if outcome.sessions.len() > 1 => format!("{} {class}", report.identity.number),
        None => String::new(),
    }
}

fn title(report: &SessionReport) -> String {
    let protocol = match report.identity.protocol {
        Protocol::TwampLight => "TWAMP Light",
        Protocol::Twamp(_) => "TWAMP",
        Protocol::Stamp { .. } => "STAMP",
    };
    ends::line(report, protocol)
}

/// What holds for all sessions.
fn common(
    reports: &[Cow<'_, SessionReport>],
    fact: impl Fn(&SessionReport) -> Option<String>,
) -> Option<String> {
    let (first, others) = reports.split_first()?;
    let known = fact(first)?;
    let all = others
        .iter()
        .all(|other| fact(other).as_ref() == Some(&known));
    all.then_some(known)
}

fn subtitle(first: &SessionReport, reports: &[Cow<'_, SessionReport>], labels: &[Label]) -> String {
    let class = match reports {
        [one] => ends::class(one),
        _ => format!("{} sessions", reports.len()),
    };
    let stamps = common(reports, |report| {
        let stamps = &report.stamps;
        let (transmit, receive) = (stamps.transmit?, stamps.receive?);
        Some(format!(
            "timestamps: transmit {transmit}, receive {receive}"
        ))
    });
    let parts = [
        common(reports, |report| Some(schedule::of(report))),
        common(reports, |report| Some(schedule::sizes(report))),
        Some(class),
        Some(format!(
            "{} {}",
            words::started(first),
            instant(first.started, 0)
        )),
        common(reports, |report| {
            Some(format!("took {}", units::took(report.duration)))
        }),
        stamps,
    ];
    let mut parts: Vec<String> = parts.into_iter().flatten().collect();
    let labels = labels
        .iter()
        .map(|label| format!("{}={}", label.key, label.value));
    parts.extend(labels);
    parts.join("; ")
}

fn sessions(outcome: Outcome<'_>, reports: &[Cow<'_, SessionReport>]) -> Vec<PictureSession> {
    let delays = reports
        .iter()
        .filter_map(|report| report.figures.round_trip);
    let greatest = delays.map(|delay| delay.max_ns.unsigned_abs()).max();
    let unit = greatest.map_or(Unit::Milliseconds, Unit::fit);
    let mut sessions: Vec<PictureSession> = reports
        .iter()
        .enumerate()
        .map(|(place, report)| session(report, name(outcome, place, report), unit))
        .collect();
    without_empty_rows(&mut sessions);
    sessions
}

fn session(report: &SessionReport, name: String, unit: Unit) -> PictureSession {
    let timeline = report.timeline.as_ref();
    let figures = &report.figures;
    PictureSession {
        name,
        summary: summary::sentence(report, unit),
        columns: timeline.map_or_else(Vec::new, |timeline| timeline.columns().collect()),
        width: timeline.map_or_else(Default::default, twinpath_metrics::Timeline::width),
        sent: figures.received.saturating_add(figures.lost),
        lost: figures.lost,
        incomplete: !report.coverage().is_complete(),
        round_trip: (report.delays.round_trip.count() > 0)
            .then(|| report.delays.round_trip.clone()),
        clocks: report.clocks.clone(),
        figures: key_figures(report, unit),
    }
}

/// A row by its name; `None` if it would be empty.
type KeyRow = (&'static str, Option<String>);

/// The same rows for every session; `-` for an empty cell.
fn key_figures(report: &SessionReport, unit: Unit) -> Vec<KeyFigure> {
    let rows = counted(report).into_iter();
    let rows = rows.chain(round_trips(report, unit)).chain(clocks(report));
    rows.map(|(name, value)| KeyFigure {
        name,
        value: value.unwrap_or_else(|| "-".to_owned()),
    })
    .collect()
}

fn counted(report: &SessionReport) -> [KeyRow; 12] {
    let (counters, figures) = (&report.counters, &report.figures);
    let [loss_out, loss_in, _] = counts::losses_by_direction(report);
    let coverage = report.coverage();
    let unmeasured = match figures.availability {
        Some(blocks) if figures.unmeasured_blocks > 0 => Some(format!(
            "{} of {} blocks of {}",
            blocks.unmeasured_blocks,
            blocks.blocks.saturating_add(blocks.unmeasured_blocks),
            units::asked(Duration::from_nanos(blocks.block_ns))
        )),
        _ => None,
    };
    let lost = if coverage.is_complete() {
        let share = units::percent(counters.lost, counters.sent);
        format!("{} ({share})", counters.lost)
    } else {
        format!("{} (share {})", counters.lost, counts::UNKNOWN)
    };
    let some = |count: u64| (count > 0).then(|| count.to_string());
    let [not_sent, no_time] = match report.origin {
        Origin::Capture => ["Not in the capture", "Time without captured packets"],
        Origin::Run | Origin::Records => ["Could not be sent", "Time without packets sent"],
    };
    [
        ("Packets sent", Some(counters.sent.to_string())),
        (not_sent, some(coverage.unsent)),
        (no_time, unmeasured),
        ("Still under way at the end", some(counters.in_flight)),
        ("Received", Some(counters.received.to_string())),
        ("Lost", Some(lost)),
        ("Lost outbound", loss_out),
        ("Lost inbound", loss_in),
        ("Lost by size", by_size(report)),
        ("Late", some(figures.late)),
        ("Duplicates", some(figures.duplicates)),
        ("Reordered", some(figures.reordered)),
    ]
}

fn round_trips(report: &SessionReport, unit: Unit) -> [KeyRow; 7] {
    let delay = report.figures.round_trip.as_ref();
    let trip =
        |value: fn(&DelayFigures) -> Option<i64>| delay.and_then(value).map(|ns| unit.delay(ns));
    [
        ("Round trip min", trip(|delay| Some(delay.min_ns))),
        ("Round trip median", trip(|delay| Some(delay.median_ns))),
        ("Round trip avg", trip(|delay| Some(delay.mean_ns))),
        (
            "Round trip p95",
            trip(|delay| enough(delay, 20, delay.p95_ns)),
        ),
        (
            "Round trip p99",
            trip(|delay| enough(delay, 100, delay.p99_ns)),
        ),
        ("Round trip max", trip(|delay| Some(delay.max_ns))),
        (
            "Jitter (RFC 3550)",
            trip(|delay| delay.jitter_ns.and_then(|ns| i64::try_from(ns).ok())),
        ),
    ]
}

fn clocks(report: &SessionReport) -> [KeyRow; 3] {
    let clocks = report.clocks.as_ref();
    let variation = |direction: Option<OneWay>| {
        let one_way = direction.filter(|one_way| one_way.variation.count >= 20)?;
        Some(units::delay(one_way.variation.p95_ns))
    };
    let offset = if report.is_one_clock() {
        Some(ONE_HOST.to_owned())
    } else {
        clocks.map(super::clocks::offset)
    };
    [
        (
            "One-way variation outbound p95",
            variation(clocks.and_then(|clocks| clocks.forward)),
        ),
        (
            "One-way variation inbound p95",
            variation(clocks.and_then(|clocks| clocks.backward)),
        ),
        ("Reflector clock", offset),
    ]
}

/// Losses by size of packets, if there are several sizes and losses.
fn by_size(report: &SessionReport) -> Option<String> {
    let sizes = &report.figures.by_size;
    (!sizes.is_empty() && report.counters.lost > 0).then(|| {
        let sizes = sizes.iter().map(|counts| {
            let (lost, sent) = (counts.lost, counts.sent());
            format!("{lost} of {sent} of {} octets", counts.octets)
        });
        sizes.collect::<Vec<_>>().join(", ")
    })
}

/// A row that is empty in all sessions is left out.
fn without_empty_rows(sessions: &mut [PictureSession]) {
    let rows = sessions.first().map_or(0, |first| first.figures.len());
    let said: Vec<bool> = (0..rows)
        .map(|row| {
            let mut values = sessions
                .iter()
                .filter_map(|session| session.figures.get(row));
            values.any(|figure| figure.value != "-")
        })
        .collect();
    for session in sessions {
        let mut said = said.iter();
        session
            .figures
            .retain(|_| said.next().copied().unwrap_or(true));
    }
}

#[cfg(test)]
mod tests {
    use std::fmt::Write as _;

    use super::*;
    use crate::output::fixtures;

    #[test]
    fn a_run_has_its_name_and_only_known_figures() {
        let mut silent = fixtures::nothing_came_back();
        silent.identity.number = 2;
        let reports = [fixtures::quiet_path(), silent];
        let picture = picture(reports.as_slice().into(), &fixtures::meta().labels);
        let mut text = format!("{}\n{}\n", picture.title, picture.subtitle);
        for session in &picture.sessions {
            let _ = writeln!(text, "{}: {}", session.name, session.summary);
            for figure in &session.figures {
                let _ = writeln!(text, "  {}: {}", figure.name, figure.value);
            }
        }
        for note in &picture.notes {
            let _ = writeln!(text, "{} {}", note.warning, note.line);
        }
        insta::assert_snapshot!(text);
    }

    #[test]
    fn packets_in_flight_have_a_row_and_one_host_has_no_offset() {
        let mut report = fixtures::quiet_path();
        report.counters.in_flight = 40;
        report
            .identity
            .reflector
            .set_ip(report.identity.sender.ip());
        let reports = [report];
        let picture = picture(reports.as_slice().into(), &[]);
        let value = |name: &str| {
            let mut figures = picture.sessions[0].figures.iter();
            figures.find(|it| it.name == name).map(|it| &*it.value)
        };
        assert_eq!(value("Still under way at the end"), Some("40"));
        assert_eq!(value("Reflector clock"), Some(ONE_HOST));
    }
}

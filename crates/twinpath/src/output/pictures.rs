//! A run as plain data for a picture: its name, and the figures beside it.

use std::borrow::Cow;
use std::time::Duration;

use twinpath_metrics::{DelayFigures, OneWay};
use twinpath_report::words::instant;
use twinpath_report::{Note, Origin, SessionReport};

use super::clocks::ONE_HOST;
use super::names::{self, listed_name, plain};
use super::table::enough;
use super::units::{self, Unit};
use super::{Outcome, Written, counts, ends, schedule, summary, words};
use crate::args::Label;
use crate::picture::{KeyFigure, Picture, PictureNote, PictureSession};

/// The complete picture of a run of few sessions.
pub(crate) fn picture(outcome: Outcome<'_>, labels: &[Label]) -> Picture {
    let reports: Vec<Cow<'_, SessionReport>> = outcome.sessions.iter().collect();
    let differing = outcome.differing();
    let mut common = Common::default();
    let mut named: Vec<(String, &SessionReport)> = Vec::with_capacity(reports.len());
    for (place, report) in reports.iter().enumerate() {
        common.add(report);
        named.push((outcome.name(differing, place, report), report));
    }
    Picture {
        title: common.title(),
        subtitle: common.subtitle(labels),
        notes: notes(outcome, &named),
        sessions: with_alarms(sessions(named), outcome),
        failed: failed(outcome),
    }
}

fn with_alarms(mut sessions: Vec<PictureSession>, outcome: Outcome<'_>) -> Vec<PictureSession> {
    for (session, alarms) in sessions.iter_mut().zip(outcome.alarms) {
        session.alarms.clone_from(alarms);
    }
    sessions
}

/// Each remark once, the warnings first; by the names of its sessions, if it is not one of all.
fn notes(outcome: Outcome<'_>, reports: &[(String, &SessionReport)]) -> Vec<PictureNote> {
    let mut notes: Vec<(PictureNote, Vec<&str>)> = Vec::new();
    for (name, report) in reports {
        for note in &report.notes {
            match notes.iter_mut().find(|(known, _)| known.line == note.line) {
                Some((_, names)) if names.last() == Some(&&**name) => {}
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
    let mut notes: Vec<PictureNote> = of_sessions.chain(of_run(outcome)).collect();
    notes.sort_by_key(|note| !note.warning);
    notes
}

/// Remarks that are not about sessions.
pub(super) fn of_run(outcome: Outcome<'_>) -> impl Iterator<Item = PictureNote> {
    let of_control = outcome.control.map_or(&[][..], |control| &control.notes);
    let of_files = outcome.written.iter().filter_map(Written::shortfall);
    let of_files = of_files.map(|line| PictureNote {
        line,
        warning: true,
    });
    of_control.iter().map(picture_note).chain(of_files)
}

/// What could not be measured.
pub(super) fn failed(outcome: Outcome<'_>) -> Vec<String> {
    let failed = outcome.failed.iter();
    failed
        .map(|one| format!("{}: {}", names::failed(one), plain(&one.error)))
        .collect()
}

pub(super) fn picture_note(note: &Note) -> PictureNote {
    PictureNote {
        line: note.line.clone(),
        warning: note.warning,
    }
}

fn title(report: &SessionReport) -> String {
    ends::line(report, &ends::protocol_with_mode(report.identity.wire))
}

/// What the head of a picture says of the sessions: as long as it holds for all of them.
#[derive(Default)]
pub(super) struct Common {
    count: usize,
    /// The class of the first, and when it started.
    first: [String; 2],
    title: Option<String>,
    target: Option<String>,
    far: Option<String>,
    schedule: Option<String>,
    sizes: Option<String>,
    took: Option<String>,
    stamps: Option<String>,
}

impl Common {
    pub(super) fn add(&mut self, report: &SessionReport) {
        let started = instant(report.started, 0);
        let stamps = &report.stamps;
        let has_setup = report.origin.has_setup();
        let one = Self {
            count: 1,
            first: [
                ends::class(report),
                format!("{} {started}", words::started(report)),
            ],
            title: Some(title(report)),
            target: listed_name(&report.identity).filter(|_| has_setup),
            far: has_setup.then(|| ends::named(report.identity.reflector)),
            schedule: has_setup.then(|| schedule::of(report)),
            sizes: has_setup.then(|| schedule::sizes(report)),
            took: Some(format!("took {}", units::took(report.duration))),
            stamps: stamps
                .transmit
                .zip(stamps.receive)
                .map(|(transmit, receive)| {
                    format!("timestamps: transmit {transmit}, receive {receive}")
                }),
        };
        if self.count == 0 {
            *self = one;
            return;
        }
        let both = |known: Option<String>, fact: Option<String>| {
            known.filter(|known| Some(known) == fact.as_ref())
        };
        *self = Self {
            count: self.count + 1,
            first: std::mem::take(&mut self.first),
            title: both(self.title.take(), one.title),
            target: both(self.target.take(), one.target),
            far: both(self.far.take(), one.far),
            schedule: both(self.schedule.take(), one.schedule),
            sizes: both(self.sizes.take(), one.sizes),
            took: both(self.took.take(), one.took),
            stamps: both(self.stamps.take(), one.stamps),
        };
    }

    pub(super) fn title(&self) -> String {
        let sessions = || units::count(self.count as u64, "session", "sessions");
        self.title.clone().unwrap_or_else(sessions)
    }

    /// With the far end, where it is the only one.
    pub(super) fn title_of_many(&self) -> String {
        match (&self.title, &self.far) {
            (None, Some(far)) => format!("{} to {far}", self.title()),
            _ => self.title(),
        }
    }

    pub(super) fn subtitle(&self, labels: &[Label]) -> String {
        if self.count == 0 {
            return String::new();
        }
        let [class, started] = self.first.clone();
        // The title says how many they are, unless all have one.
        let class = match self.count {
            1 => Some(class),
            many => self.title.as_ref().map(|_| format!("{many} sessions")),
        };
        let parts = [
            self.target.clone(),
            self.schedule.clone(),
            self.sizes.clone(),
            class,
            Some(started),
            self.took.clone(),
            self.stamps.clone(),
        ];
        let mut parts: Vec<String> = parts.into_iter().flatten().collect();
        let labels = labels.iter();
        parts.extend(labels.map(|label| format!("{}={}", label.key, label.value)));
        parts.join("; ")
    }
}

fn sessions(named: Vec<(String, &SessionReport)>) -> Vec<PictureSession> {
    let delays = named.iter();
    let delays = delays.filter_map(|(_, report)| report.figures.round_trip);
    let greatest = delays.map(|delay| delay.max_ns.unsigned_abs()).max();
    let unit = greatest.map_or(Unit::Milliseconds, Unit::fit);
    let sessions = named.into_iter();
    let sessions = sessions.map(|(name, report)| session(report, name, unit));
    let mut sessions: Vec<PictureSession> = sessions.collect();
    without_empty_rows(&mut sessions);
    sessions
}

pub(super) fn session(report: &SessionReport, name: String, unit: Unit) -> PictureSession {
    let timeline = report.timeline.as_ref();
    let figures = &report.figures;
    PictureSession {
        name,
        summary: summary::sentence(report, unit),
        columns: timeline.map_or_else(Vec::new, |timeline| timeline.columns().collect()),
        width: timeline.map_or_else(Default::default, twinpath_metrics::Timeline::width),
        sent: figures.sent(),
        lost: figures.lost,
        incomplete: !report.coverage().is_complete(),
        round_trip: (report.delays.round_trip.count() > 0)
            .then(|| report.delays.round_trip.clone()),
        clocks: report.clocks.clone(),
        figures: key_figures(report, unit),
        alarms: Vec::new(),
    }
}

/// A row by its name; `None` if it would be empty.
type KeyRow = (&'static str, Option<String>);

/// An empty cell.
pub(super) const NO_FIGURE: &str = "-";

/// The same rows for every session.
fn key_figures(report: &SessionReport, unit: Unit) -> Vec<KeyFigure> {
    let rows = counted(report).into_iter();
    let rows = rows.chain(round_trips(report, unit)).chain(clocks(report));
    rows.map(|(name, value)| KeyFigure {
        name,
        value: value.unwrap_or_else(|| NO_FIGURE.to_owned()),
    })
    .collect()
}

fn counted(report: &SessionReport) -> [KeyRow; 13] {
    let (counters, figures) = (&report.counters, &report.figures);
    let [loss_out, loss_in, _] = counts::losses_by_direction(report);
    let coverage = report.coverage();
    let unmeasured = match figures.availability {
        Some(blocks) if figures.unmeasured_blocks > 0 => Some(format!(
            "{} of {} blocks of {}",
            blocks.unmeasured_blocks,
            blocks.blocks.saturating_add(blocks.unmeasured_blocks),
            units::time(Duration::from_nanos(blocks.block_ns))
        )),
        _ => None,
    };
    let lost = if coverage.is_complete() {
        let share = units::percent(counters.lost, counters.sent);
        format!("{} ({share})", counters.lost)
    } else if counters.unawaited > 0 && counters.lost == 0 {
        counts::UNKNOWN.to_owned()
    } else {
        format!("{} (share {})", counters.lost, counts::UNKNOWN)
    };
    let some = |count: u64| (count > 0).then(|| count.to_string());
    let [not_sent, no_time] = match report.origin {
        Origin::Capture => ["Not in the capture", "Time without captured packets"],
        Origin::Run | Origin::Records | Origin::Store => {
            ["Could not be sent", "Time without packets sent"]
        }
    };
    [
        ("Packets sent", Some(counters.sent.to_string())),
        (not_sent, some(coverage.unsent)),
        (no_time, unmeasured),
        ("Still under way at the end", some(counters.in_flight)),
        ("Not to be answered here", some(counters.unawaited)),
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
            values.any(|figure| figure.value != NO_FIGURE)
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

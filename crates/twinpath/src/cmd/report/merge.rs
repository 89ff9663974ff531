//! Several runs as one.

use std::fmt::Write as _;

use twinpath_metrics::{Distributions, Figures, Series, Timeline};
use twinpath_report::{ClockState, Note, Origin, SessionReport, StampReport};

use super::alike;
use super::source::{self, Source};
use crate::output::{ends, schedule};

/// Values, and sessions, that a note names at most.
const SHOWN: usize = 4;

/// All sessions as one, with what their series have of it over time; `None` of none.
pub(super) fn merge<'a>(
    reports: &[SessionReport],
    sources: &[Source],
    series: impl Iterator<Item = &'a Series>,
) -> Option<SessionReport> {
    let (first, others) = reports.split_first()?;
    let mut sum = first.clone();
    for other in others {
        sum.figures.merge(&other.figures);
        sum.tally.merge(&other.tally);
        sum.delays.merge(&other.delays);
        sum.origin = sum.origin.max(other.origin);
        sum.started = sum.started.min(other.started);
        sum.receive_drops = sum.receive_drops.saturating_add(other.receive_drops);
        sum.icmp_foreign = sum.icmp_foreign.saturating_add(other.icmp_foreign);
        sum.rebinds = sum.rebinds.saturating_add(other.rebinds);
        sum.records_dropped = sum.records_dropped.saturating_add(other.records_dropped);
        sum.stamps.clock = worse(sum.stamps.clock, other.stamps.clock);
        let far = sum.stamps.far_clock.zip(other.stamps.far_clock);
        sum.stamps.far_clock = far.map(|(one, other)| worse(one, other));
        for icmp in &other.icmp {
            let same = |known: &&mut twinpath_report::IcmpCount| {
                known.what == icmp.what && known.from == icmp.from
            };
            match sum.icmp.iter_mut().find(same) {
                Some(known) => known.count = known.count.saturating_add(icmp.count),
                None => sum.icmp.push(icmp.clone()),
            }
        }
    }
    sum.notes = notes(reports, sources);
    if !others.is_empty() {
        sum.duration = alike::together(reports);
        ask(&sum.delays, &mut sum.figures);
        // Rates and offsets are each run's own.
        sum.achieved_pps = None;
        sum.sid = sum
            .sid
            .filter(|_| others.iter().all(|other| other.sid == sum.sid));
    }
    sum.stamps = StampReport {
        transmit: sum.figures.stamps_transmit.best(),
        receive: sum.figures.stamps_receive.best(),
        fallback_transmit: sum.figures.stamps_transmit.fell_back(),
        fallback_receive: sum.figures.stamps_receive.fell_back(),
        ..sum.stamps
    };
    sum.timeline =
        series
            .filter_map(Series::timeline)
            .fold(None, |sum: Option<Timeline>, other| match sum {
                None => Some(other.clone()),
                Some(mut sum) => {
                    sum.merge(other);
                    Some(sum)
                }
            });
    sum.number = 1;
    sum.renew_coverage();
    sum.notes.push(said(reports, sources));
    // Those of one file have packets of their own.
    if sources.len() > 1 {
        sum.notes.extend(twice(reports));
    }
    sum.notes.sort_by_key(|note| !note.warning);
    Some(sum)
}

/// The remarks of all sessions: those that not every session has, with the sessions that they are of.
fn notes(reports: &[SessionReport], sources: &[Source]) -> Vec<Note> {
    let mut notes: Vec<(&Note, Vec<usize>)> = Vec::new();
    for report in reports {
        for note in &report.notes {
            match notes.iter_mut().find(|(known, _)| *known == note) {
                Some((_, of)) => of.push(report.number),
                None => notes.push((note, vec![report.number])),
            }
        }
    }
    let notes = notes.into_iter().map(|(note, of)| {
        let mut note = note.clone();
        if of.len() < reports.len() {
            note.line = format!("{}: {}", named(&of, sources), note.line);
        }
        note
    });
    notes.collect()
}

/// Sessions by their files and their numbers there.
fn named(of: &[usize], sources: &[Source]) -> String {
    let names = source::names(sources);
    let mut first = 0;
    let mut shown = Vec::new();
    for (source, name) in sources.iter().zip(&names) {
        let count = source.sessions.len();
        let own = of.iter().filter_map(|number| number.checked_sub(first));
        let own = own.filter(|number| (1..=count).contains(number));
        shown.extend(own.map(|number| match (sources.len(), count) {
            (1, _) => format!("session {number}"),
            (_, 1) => name.clone(),
            _ => format!("{name} session {number}"),
        }));
        first += count;
    }
    some_of(&shown, ", ")
}

/// The first few, and how many more there are.
fn some_of(values: &[String], between: &str) -> String {
    let mut text = values.get(..SHOWN).unwrap_or(values).join(between);
    if let more @ 1.. = values.len().saturating_sub(SHOWN) {
        let _ = write!(text, " and {more} more");
    }
    text
}

/// What was added up, and whether it was the same thing.
fn said(reports: &[SessionReport], sources: &[Source]) -> Note {
    let files: Vec<&str> = sources.iter().map(|source| source.path.as_str()).collect();
    let files = files.join(", ");
    let mut line = match reports.len() {
        1 => format!("one session from {files}"),
        count => format!("{count} sessions added up ({files})"),
    };
    let differences = differences(reports);
    if !differences.is_empty() {
        line.push_str("; they differ in ");
        line.push_str(&differences.join(", "));
    }
    Note {
        key: "merged".into(),
        line,
        warning: !differences.is_empty(),
    }
}

/// In what sessions differ, with the values that they have.
fn differences(reports: &[SessionReport]) -> Vec<String> {
    type Fact = fn(&SessionReport) -> String;
    let facts: [(&str, Fact); 6] = [
        ("protocol", |report| ends::protocol(report.protocol)),
        ("sender", |report| report.sender.ip().to_string()),
        ("reflector", |report| ends::named(report.reflector)),
        ("DSCP", |report| report.tos.dscp().to_string()),
        ("padding", |report| report.padding.to_string()),
        ("interval", |report| schedule::words(report.schedule)),
    ];
    let mut differences = Vec::new();
    for (name, fact) in facts {
        let counted = reports.iter();
        // The mean interval of a capture is never exactly that of another.
        let counted =
            counted.filter(|report| name != "interval" || report.origin != Origin::Capture);
        let mut values: Vec<String> = Vec::new();
        for value in counted.map(fact) {
            if !values.contains(&value) {
                values.push(value);
            }
        }
        if values.len() > 1 {
            differences.push(format!("{name} ({})", some_of(&values, " and ")));
        }
    }
    differences
}

/// The same packets are in it twice.
fn twice(reports: &[SessionReport]) -> Option<Note> {
    let again = reports.iter().enumerate().filter(|(place, report)| {
        let before = reports.iter().take(*place);
        before
            .into_iter()
            .any(|earlier| alike::same_packets(earlier, report))
    });
    let count = again.count();
    (count > 0).then(|| {
        let line = format!(
            "sessions of packets that another one has already, by their addresses and times: {count}; \
             those are counted twice"
        );
        Note::warning("merged-twice", line)
    })
}

fn worse(one: ClockState, other: ClockState) -> ClockState {
    ClockState {
        synchronized: one.synchronized && other.synchronized,
        error_ns: one
            .error_ns
            .zip(other.error_ns)
            .map(|(one, other)| one.max(other)),
    }
}

/// The figures that cannot be added up, from the delays. Jitter hangs on the order of arrival and
/// is none.
fn ask(delays: &Distributions, figures: &mut Figures) {
    let split = figures.lost_unattributed == Some(0);
    let one_way = |lost: Option<u64>| lost.filter(|_| split);
    figures.round_trip_with_loss = delays.round_trip.percentiles_with_loss(figures.lost);
    figures.forward_with_loss =
        one_way(figures.lost_forward).and_then(|lost| delays.forward.percentiles_with_loss(lost));
    figures.backward_with_loss =
        one_way(figures.lost_backward).and_then(|lost| delays.backward.percentiles_with_loss(lost));
    figures.round_trip = delays.round_trip.figures();
    figures.forward = delays.forward.figures();
    figures.backward = delays.backward.figures();
    figures.residence = delays.residence.figures();
    figures.departure = delays.departure.figures();
}

//! Several runs as one.

use std::collections::{BTreeMap, BTreeSet};

use twinpath_metrics::{Distributions, Figures, Series, Timeline};
use twinpath_report::finding::{self, Difference, RawFile};
use twinpath_report::{
    ClockState, Finding, Identity, Note, Origin, SessionReport, StampReport, Traffic,
};

use super::alike;
use super::source::{self, Source};
use crate::output::{ends, schedule, words};

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
        sum.counters.merge(&other.counters);
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
    sum.traffic = Traffic::together(reports);
    sum.findings = findings(reports);
    if !others.is_empty() {
        sum.duration = alike::together(reports);
        recompute(&sum.delays, &mut sum.figures);
        // Rates and offsets are each run's own.
        sum.achieved_pps = None;
        let of_all = |same: fn(&Identity, &Identity) -> bool| {
            let mut others = others.iter();
            others.all(|other| same(&other.identity, &sum.identity))
        };
        let same_sid = of_all(|one, other| one.sid == other.sid);
        let same_target = of_all(|one, other| one.target == other.target);
        let same_path = of_all(|one, other| one.path == other.path);
        let own = &mut sum.identity;
        own.sid = own.sid.filter(|_| same_sid);
        own.target = own.target.take().filter(|_| same_target);
        own.path = own.path.filter(|_| same_path);
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
    sum.identity.number = 1;
    sum.decide_coverage_again();
    sum.add([RawFile::Merged {
        count: reports.len() as u64,
        files: sources
            .iter()
            .map(|source| source::plain(&source.path))
            .collect(),
        differences: differences(reports),
    }]);
    // Those of one file have packets of their own.
    if sources.len() > 1 {
        sum.add(twice(reports));
    }
    finding::sort(&mut sum.findings);
    sum.notes = notes(&sum, reports, sources);
    Some(sum)
}

/// The findings of all sessions, each once: those with the same words are one, whatever their values are
/// beyond the digits that are shown.
fn findings(reports: &[SessionReport]) -> Vec<Finding> {
    let mut said = BTreeSet::new();
    let findings = reports.iter().flat_map(|report| &report.findings);
    let new = findings.filter(|finding| said.insert(words::finding::line(finding)));
    new.cloned().collect()
}

/// The findings of the sum in words: those that not every session has, with the sessions that they are of.
fn notes(sum: &SessionReport, reports: &[SessionReport], sources: &[Source]) -> Vec<Note> {
    let mut of: BTreeMap<String, Vec<usize>> = BTreeMap::new();
    for report in reports {
        let lines: BTreeSet<String> = report.findings.iter().map(words::finding::line).collect();
        for line in lines {
            of.entry(line).or_default().push(report.identity.number);
        }
    }
    let mut notes = words::finding::notes(&sum.findings);
    for (note, finding) in notes.iter_mut().zip(&sum.findings) {
        if let Some(of) = of.get(&words::finding::line(finding))
            && of.len() < reports.len()
        {
            note.line = format!("{}: {}", named(of, sources), note.line);
        }
    }
    notes
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
    let more = match shown.len().saturating_sub(SHOWN) {
        0 => String::new(),
        more => format!(" and {more} more"),
    };
    shown.truncate(SHOWN);
    shown.join(", ") + &more
}

/// In what sessions differ, with the values that they have.
fn differences(reports: &[SessionReport]) -> Vec<Difference> {
    type Fact = fn(&SessionReport) -> String;
    let facts: [(&str, Fact); 6] = [
        ("protocol", |report| ends::protocol(report.identity.wire)),
        ("sender", |report| report.identity.sender.ip().to_string()),
        ("reflector", |report| ends::named(report.identity.reflector)),
        ("DSCP", |report| report.identity.tos.dscp().to_string()),
        ("padding", |report| match report.traffic {
            Some(_) => schedule::sizes(report),
            None => report.identity.padding.to_string(),
        }),
        ("interval", schedule::of),
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
            let more = values.len().saturating_sub(SHOWN) as u64;
            values.truncate(SHOWN);
            differences.push(Difference {
                what: name.to_owned(),
                values,
                more,
            });
        }
    }
    differences
}

/// The same packets are in it twice.
fn twice(reports: &[SessionReport]) -> Option<RawFile> {
    let again = reports.iter().enumerate().filter(|(place, report)| {
        let before = reports.iter().take(*place);
        before
            .into_iter()
            .any(|earlier| alike::same_packets(earlier, report))
    });
    let count = again.count();
    (count > 0).then_some(RawFile::MergedTwice {
        count: count as u64,
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
pub(super) fn recompute(delays: &Distributions, figures: &mut Figures) {
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

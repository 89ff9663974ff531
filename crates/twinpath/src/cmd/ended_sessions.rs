//! The sessions of a run that is over, and the reports that are made of them.

use std::borrow::Cow;
use std::collections::HashMap;
use std::net::IpAddr;

use twinpath_metrics::Series;
use twinpath_report::{Finding, SessionReport};
use twinpath_runtime::measure::EndedSession;

use super::subject::Known;
use crate::output::words;

/// The sessions of a run that is over, of which reports are made.
pub(super) struct EndedSessions<'a> {
    /// With their numbers.
    all: Vec<(usize, EndedSession)>,
    known: &'a Known,
    /// What is known of some of them beside that, by their numbers.
    findings: HashMap<usize, Vec<Finding>>,
    /// What is found beside what the packets tell, of each of them.
    pub(super) further: Option<Finding>,
    /// By target and address: how many sessions are answered, and how many there are.
    answered: HashMap<(&'a str, IpAddr), (u64, u64)>,
}

impl<'a> EndedSessions<'a> {
    /// `all`: with their numbers. `findings`: what is known of some of them, by their numbers.
    pub(super) fn new(
        all: Vec<(usize, EndedSession)>,
        known: &'a Known,
        findings: HashMap<usize, Vec<Finding>>,
    ) -> Self {
        Self {
            answered: answered(&all, known),
            all,
            known,
            findings,
            further: None,
        }
    }

    /// The sessions with their numbers.
    pub(super) fn all(&self) -> &[(usize, EndedSession)] {
        &self.all
    }

    /// The report of the session at this place, and its series. It lacks what that adds.
    fn at(&self, place: usize) -> Option<(SessionReport, Cow<'_, Series>)> {
        let (number, ended) = self.all.get(place)?;
        let (mut report, series) = ended.report_and_series();
        report.identity.number = *number;
        self.known.complete(&mut report);
        let beside = self.known.target(*number);
        if let Some((answered, sessions)) = beside.and_then(|it| self.answered.get(&it)) {
            report.put_beside(*answered, *sessions);
        }
        report.add(self.findings.get(number).into_iter().flatten().cloned());
        report.add(self.further.clone());
        Some((report, series))
    }

    /// The same for a file, whose records tell the rest again.
    pub(super) fn to_save(&self, place: usize) -> Option<SessionReport> {
        let (mut report, _) = self.at(place)?;
        words::finding::put([&mut report], None);
        Some(report)
    }

    pub(super) fn report(&self, place: usize) -> Option<SessionReport> {
        let (mut report, series) = self.at(place)?;
        take_series(&mut report, &series);
        words::finding::put([&mut report], None);
        Some(report)
    }
}

/// How many sessions to each far end are answered, and how many there are.
fn answered<'a>(
    all: &[(usize, EndedSession)],
    known: &'a Known,
) -> HashMap<(&'a str, IpAddr), (u64, u64)> {
    let mut far_ends = HashMap::new();
    for (number, ended) in all {
        if let Some(target) = known.target(*number) {
            let (answered, sessions) = far_ends.entry(target).or_default();
            *answered += u64::from(ended.received() > 0);
            *sessions += 1;
        }
    }
    far_ends
}

/// Adds what a session's series has beside figures.
pub(super) fn take_series(report: &mut SessionReport, series: &Series) {
    report.take_clocks(series.clocks());
    report.timeline = series.timeline().cloned();
}

//! Sessions without a control connection, one or many.

use std::borrow::Cow;
use std::cell::Cell;
use std::collections::{HashMap, VecDeque};

use tracing::info;
use twinpath_proto::sender::Limit;
use twinpath_report::finding::{Host, Silence};
use twinpath_report::{FailedTarget, Finding};
use twinpath_runtime::measure::{Engine, SessionHandle};
use twinpath_runtime::{SenderPlan, StartError};

use super::measure::{self, Measured, Run, Started};
use super::renewal::{Due, Renewal};
use super::run_events::Event;
use super::run_targets::not_measured;
use crate::failure::Failure;
use crate::output::ends::named;
use crate::output::words;
use crate::output::words::error::Remedy;
use crate::plan::{PlannedSession, PlannedSessions, Target, system_lookup};

/// Sessions that are being measured.
pub(super) struct PlainRun {
    sessions: Vec<SessionHandle>,
    /// Their targets' names, and their classes and paths.
    names: Vec<(String, String)>,
    /// They have one target.
    is_one_target: bool,
    /// It has the threads that the sessions share.
    engine: Engine,
    renewal: Renewal,
    is_stopped: Cell<bool>,
    /// What is known of sessions beside what they measured, by their numbers from 1.
    findings: HashMap<usize, Vec<Finding>>,
    /// What could not begin later on.
    failed: Vec<FailedTarget>,
    events: VecDeque<Event>,
}

impl PlainRun {
    /// Begins to send in one session.
    pub(super) fn of_one(plan: SenderPlan) -> Result<Self, StartError> {
        let mut run = Self::new(Engine::start(0)?, true);
        run.names = vec![(named(plan.far), plan.tos.dscp().to_string())];
        run.sessions = vec![run.engine.begin(plan)?];
        Ok(run)
    }

    fn new(engine: Engine, is_one_target: bool) -> Self {
        Self {
            sessions: Vec::new(),
            names: Vec::new(),
            is_one_target,
            engine,
            renewal: Renewal::new(&[], Vec::new(), system_lookup),
            is_stopped: Cell::new(false),
            findings: HashMap::new(),
            failed: Vec::new(),
            events: VecDeque::new(),
        }
    }

    /// Begins to send in all sessions. What cannot begin keeps no other from it, unless nothing can.
    pub(super) fn start(
        planned: PlannedSessions,
        threads: Option<usize>,
    ) -> Result<Started<Self>, StartError> {
        let engine = measure::engine(planned.all(), threads)?;
        let is_alone = planned.failed.is_empty() && planned.waiting.is_empty();
        let is_one_target = is_alone && has_one_target(&planned.sessions);
        let mut run = Self::new(engine, is_one_target);
        let (begun, mut failures) = run.begin_all(planned.sessions);
        if begun.is_empty() && is_one_target && !failures.is_empty() {
            let (_, error) = failures.swap_remove(0);
            return Err(error);
        }
        let mut failed = planned.failed;
        failed.extend(together_of(&failures, &begun));
        let waiting = planned.waiting.iter().map(|one| one.failed.clone());
        let waiting = waiting.collect();
        run.renewal = Renewal::new(&begun, planned.waiting, system_lookup);
        Ok(Started {
            run,
            sessions: begun,
            failed,
            waiting,
        })
    }

    /// Begins to send in all that can: these, and why not in the others.
    fn begin_all(
        &mut self,
        sessions: Vec<PlannedSession>,
    ) -> (Vec<PlannedSession>, Vec<(String, StartError)>) {
        let mut begun = Vec::with_capacity(sessions.len());
        let mut failures = Vec::new();
        for session in sessions {
            match self.engine.begin(session.plan.clone()) {
                Ok(handle) => {
                    let (sender, far) = (named(handle.sender()), named(session.plan.far));
                    info!(sender = %sender, far = %far, "sending");
                    let class = session.class.dscp();
                    let class = match session.path {
                        Some(path) => format!("{class} path {path}"),
                        None => class.to_string(),
                    };
                    self.names.push((session.target.name.clone(), class));
                    self.sessions.push(handle);
                    begun.push(session);
                }
                Err(error) => failures.push((session.target.name, error)),
            }
        }
        (begun, failures)
    }

    /// This is known of the session at this place, from 0.
    fn find(&mut self, place: usize, finding: impl Into<Finding>) {
        let findings = self.findings.entry(place + 1).or_default();
        findings.push(finding.into());
    }

    /// Begins what has an address now.
    fn begin_due(&mut self, due: Due, planned: &[PlannedSession]) -> Vec<PlannedSession> {
        let first = self.sessions.len();
        let is_endless = |session: &PlannedSession| session.plan.limit == Limit::Endless;
        let again = due.sessions.iter().all(is_endless);
        let again = again.then(|| due.sessions.clone());
        let (begun, failures) = self.begin_all(due.sessions);
        let earlier = due.instead_of.unwrap_or(0..0);
        let used = planned.get(earlier.start).filter(|_| !earlier.is_empty());
        let used = used.map(|session| session.target.address);
        for (place, session) in (first..).zip(&begun) {
            let late = Host::MeasuredLate {
                name: session.target.name.clone(),
                unmeasured: due.unmeasured,
            };
            self.find(place, late);
        }
        if let Some(Target { name, address, .. }) = begun.first().map(|one| &one.target) {
            for (place, used) in earlier.filter_map(|place| Some(place).zip(used)) {
                let moved = Silence::NameChanged {
                    name: name.clone(),
                    used,
                    now: *address,
                };
                self.find(place, moved);
            }
            let line = words::measured_now(name, *address, used);
            self.events.push_back(Event::warning(line));
            self.renewal.begun(due.target, first..self.sessions.len());
        }
        let mut failed = together_of(&failures, &begun);
        let last = failed.pop();
        if let (Some(last), Some(again), []) = (&last, again, begun.as_slice()) {
            if self.renewal.wait(due.target, again, last.clone()) {
                self.events.push_back(Event::warning(not_measured(last)));
            }
            return begun;
        }
        failed.extend(last);
        let lines = failed.iter().map(not_measured);
        self.events.extend(lines.map(Event::warning));
        self.failed.extend(failed);
        begun
    }
}

/// An error in words, and what to do about it.
type Why = (String, Option<String>);

fn why(error: &impl Remedy) -> Why {
    let remedy = error.remedy().map(Cow::into_owned);
    (error.to_string(), remedy)
}

/// As [`together`], of sessions that could not begin while these did.
fn together_of(failures: &[(String, StartError)], begun: &[PlannedSession]) -> Vec<FailedTarget> {
    let failures = failures.iter();
    let failures = failures.map(|(target, error)| (&**target, why(error)));
    together(failures, begun.iter().map(|session| &*session.target.name))
}

fn has_one_target(sessions: &[PlannedSession]) -> bool {
    sessions.windows(2).all(|pair| match pair {
        [one, next] => one.target == next.target,
        _ => true,
    })
}

/// One entry for all sessions of a target that fail alike and follow each other; it says how many they are, if
/// some are `measured`, which are given by their targets.
fn together<'a>(
    failures: impl Iterator<Item = (&'a str, Why)>,
    measured: impl Iterator<Item = &'a str>,
) -> Vec<FailedTarget> {
    // Of each target: all sessions, and those that are measured.
    let mut sessions: HashMap<&str, (u64, u64)> = HashMap::new();
    for target in measured {
        let (all, measured) = sessions.entry(target).or_default();
        (*all, *measured) = (*all + 1, *measured + 1);
    }
    let mut failed: Vec<(&str, Why, u64)> = Vec::new();
    for (target, why) in failures {
        sessions.entry(target).or_default().0 += 1;
        match failed.last_mut() {
            Some((last, known, count)) if *last == target && *known == why => *count += 1,
            _ => failed.push((target, why, 1)),
        }
    }
    let failed = failed.into_iter().map(|(target, (error, remedy), count)| {
        let (error, sessions) = match sessions.get(target) {
            Some((all, 1..)) => (
                format!("{error} ({count} of its {all} sessions)"),
                Some(count),
            ),
            _ => (error, None),
        };
        let remedy = remedy.map_or_else(String::new, |remedy| format!("; {remedy}"));
        let error = format!("{error}{remedy}");
        FailedTarget {
            target: target.to_owned(),
            error,
            sessions,
            file: None,
        }
    });
    failed.collect()
}

impl Run for PlainRun {
    fn sessions(&self) -> &[SessionHandle] {
        &self.sessions
    }

    fn sessions_mut(&mut self) -> &mut [SessionHandle] {
        &mut self.sessions
    }

    fn renew(&mut self, planned: &[PlannedSession]) -> Vec<PlannedSession> {
        if self.is_stopped.get() {
            return Vec::new();
        }
        let due = self.renewal.look(planned, &self.sessions).into_iter();
        due.flat_map(|due| self.begin_due(due, planned)).collect()
    }

    fn next_event(&mut self) -> Option<Event> {
        self.events.pop_front()
    }

    fn stop(&self) {
        self.is_stopped.set(true);
        self.sessions.iter().for_each(SessionHandle::stop);
    }

    fn is_finished(&self) -> bool {
        let is_pending = !self.is_stopped.get() && self.renewal.is_pending();
        !is_pending && self.sessions.iter().all(SessionHandle::is_finished)
    }

    fn join(self) -> Result<Measured, Failure> {
        let all = self.sessions.len();
        let mut sessions = Vec::with_capacity(all);
        let mut failures = Vec::new();
        for (number, (session, names)) in (1..).zip(self.sessions.into_iter().zip(&self.names)) {
            match session.ended() {
                Ok(ended) => sessions.push((number, ended)),
                Err(error) => failures.push((names, error)),
            }
        }
        if sessions.is_empty()
            && self.is_one_target
            && let Some((_, error)) = failures.pop()
        {
            return Err(error.into());
        }
        let failure = failures.first().filter(|_| self.is_one_target);
        let failure = failure.map(|((_, class), error)| {
            let some = failures.len();
            Failure::could_not(format!(
                "{some} of {all} sessions could not measure; {class}: {error}"
            ))
        });
        let failures = failures
            .iter()
            .map(|((target, _), error)| (&**target, why(error)));
        let measured = sessions.iter().filter_map(|(number, _)| {
            let (target, _) = self.names.get(number - 1)?;
            Some(&**target)
        });
        let mut failed = self.failed;
        failed.extend(together(failures, measured));
        failed.extend(self.renewal.unmeasured());
        Ok(Measured {
            failed,
            findings: self.findings,
            sessions,
            control: None,
            failure,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sessions_of_a_target_that_fail_alike_are_one_entry_which_counts_them_beside_measured_ones() {
        let failures = [("a", "x"), ("a", "x"), ("a", "y"), ("b", "y")];
        let failures = failures.map(|(target, error)| (target, (error.to_owned(), None)));
        let entries = |measured: &[&'static str]| {
            let failures = failures.clone().into_iter();
            let failed = together(failures, measured.iter().copied());
            let failed = failed.into_iter().map(|one| (one.target, one.error));
            failed.collect::<Vec<_>>()
        };
        let entry = |target: &str, error: &str| (target.to_owned(), error.to_owned());
        let none = [entry("a", "x"), entry("a", "y"), entry("b", "y")];
        assert_eq!(entries(&["c"]), none);
        let some = [
            entry("a", "x (2 of its 5 sessions)"),
            entry("a", "y (1 of its 5 sessions)"),
            entry("b", "y"),
        ];
        assert_eq!(entries(&["a", "a", "c"]), some);
    }
}

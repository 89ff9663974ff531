//! Sessions without a control connection, one or many.

use tracing::info;
use twinpath_report::FailedTarget;
use twinpath_runtime::measure::{Engine, SessionHandle};
use twinpath_runtime::{SenderPlan, StartError};

use super::measure::{Measured, Run, Started};
use crate::failure::Failure;
use crate::output::ends::named;
use crate::plan::{PlannedSession, PlannedSessions};

/// Sessions that are being measured.
pub(super) struct PlainRun {
    sessions: Vec<SessionHandle>,
    /// Their targets' names, and their classes.
    names: Vec<(String, String)>,
    /// They have one target.
    is_one_target: bool,
    /// It has the threads that the sessions share.
    engine: Engine,
}

impl PlainRun {
    /// Begins to send in one session.
    pub(super) fn of_one(plan: SenderPlan) -> Result<Self, StartError> {
        let names = vec![(named(plan.far), plan.tos.dscp().to_string())];
        let engine = Engine::start(0)?;
        Ok(Self {
            sessions: vec![engine.begin(plan)?],
            names,
            is_one_target: true,
            engine,
        })
    }

    /// Begins to send in all sessions. What cannot begin keeps no other from it, unless nothing can.
    pub(super) fn start(
        planned: PlannedSessions,
        threads: usize,
    ) -> Result<Started<Self>, StartError> {
        let shares = planned.sessions.iter().any(|session| !session.plan.exact);
        let engine = Engine::start(if shares { threads } else { 0 })?;
        let is_one_target = planned.failed.is_empty() && has_one_target(&planned.sessions);
        let mut run = Self {
            sessions: Vec::with_capacity(planned.sessions.len()),
            names: Vec::with_capacity(planned.sessions.len()),
            is_one_target,
            engine,
        };
        let mut begun = Vec::with_capacity(planned.sessions.len());
        let mut failures = Vec::new();
        for session in planned.sessions {
            match run.engine.begin(session.plan.clone()) {
                Ok(handle) => {
                    let (sender, far) = (named(handle.sender()), named(session.plan.far));
                    info!(sender = %sender, far = %far, "sending");
                    let class = session.class.dscp().to_string();
                    run.names.push((session.target.name.clone(), class));
                    run.sessions.push(handle);
                    begun.push(session);
                }
                Err(error) => failures.push((session.target.name, error)),
            }
        }
        if begun.is_empty() && is_one_target && !failures.is_empty() {
            let (_, error) = failures.swap_remove(0);
            return Err(error);
        }
        let mut failed = planned.failed;
        let failures = failures
            .iter()
            .map(|(target, error)| (&**target, error.to_string()));
        failed.extend(together(failures));
        Ok(Started {
            run,
            sessions: begun,
            failed,
        })
    }
}

fn has_one_target(sessions: &[PlannedSession]) -> bool {
    sessions.windows(2).all(|pair| match pair {
        [one, next] => one.target == next.target,
        _ => true,
    })
}

/// One entry for all sessions of a target that fail alike and follow each other.
fn together<'a>(failures: impl Iterator<Item = (&'a str, String)>) -> Vec<FailedTarget> {
    let mut failed: Vec<FailedTarget> = Vec::new();
    for (target, error) in failures {
        let is_last = |last: &FailedTarget| last.target == target && last.error == error;
        if !failed.last().is_some_and(is_last) {
            let target = target.to_owned();
            failed.push(FailedTarget { target, error });
        }
    }
    failed
}

impl Run for PlainRun {
    fn sessions(&self) -> &[SessionHandle] {
        &self.sessions
    }

    fn sessions_mut(&mut self) -> &mut [SessionHandle] {
        &mut self.sessions
    }

    fn stop(&self) {
        self.sessions.iter().for_each(SessionHandle::stop);
    }

    fn is_finished(&self) -> bool {
        self.sessions.iter().all(SessionHandle::is_finished)
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
            .map(|((target, _), error)| (&**target, error.to_string()));
        Ok(Measured {
            failed: together(failures),
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
    fn sessions_of_a_target_that_fail_alike_are_one_entry() {
        let failures = [("a", "x"), ("a", "x"), ("a", "y"), ("b", "y")];
        let failures = failures.map(|(target, error)| (target, error.to_owned()));
        let failed = together(failures.into_iter());
        let failed: Vec<(&str, &str)> = failed
            .iter()
            .map(|one| (&*one.target, &*one.error))
            .collect();
        assert_eq!(failed, [("a", "x"), ("a", "y"), ("b", "y")]);
    }
}

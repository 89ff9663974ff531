//! Commits of the candidate, and how they are undone (RFC 6241 sections 8.3.4 and 8.4).

use std::time::Duration;

use super::confirmed::{Confirmed, wrong_token};
use super::{After, Commit, Context, Datastores, Effect, failed};
use crate::fault::Fault;
use crate::netconf::error::RpcError;
use crate::netconf::events::ConfirmEvent;
use crate::netconf::operation::{CommitOptions, Datastore};
use crate::netconf::params::Errors;
use crate::schema::Schema;
use crate::tree::Children;

/// Events that are kept until they are asked for, at most.
const MAX_EVENTS: usize = 100;

impl Datastores {
    pub(super) fn commit(
        &mut self,
        context: &Context<'_>,
        options: &CommitOptions,
    ) -> Result<Effect, Errors> {
        self.check_target(context.session, Datastore::Running)?;
        self.check_target(context.session, Datastore::Candidate)?;
        self.check_not_due(context.now)?;
        let token = options.persist_id.as_deref();
        match &self.confirmed {
            Some(confirmed) => confirmed.check(context.session, token)?,
            None if token.is_some() => return Err(wrong_token()),
            None => {}
        }
        let tree = self.get(Datastore::Candidate, context.running);
        context.check_change(context.running, tree)?;
        context.check_valid(tree)?;
        self.check_not_stale(context.running)?;
        let tree = tree.clone();
        let after = After::Candidate(self.expected(context, options).map(Box::new));
        if tree == *context.running {
            self.apply(after, context.now);
            return Ok(Effect::Done);
        }
        Ok(self.begin(tree, after))
    }

    /// That the commit undoes nothing that others put in force meanwhile, or that was undone.
    pub(super) fn check_not_stale(&self, running: &Children) -> Result<(), Errors> {
        let candidate = self.candidate.as_ref();
        if candidate.is_none_or(|it| it.from == *running || it.tree == *running) {
            return Ok(());
        }
        let line = "candidate: what is in force has changed since it was edited first: discard-changes, and edit it again";
        Err(failed("operation-failed", line))
    }

    /// The commit that is to be confirmed after this one. It keeps the token of the one that it continues, unless it has its
    /// own.
    fn expected(&self, context: &Context<'_>, options: &CommitOptions) -> Option<Confirmed> {
        let timeout = options.confirmed?;
        let before = self.confirmed.as_ref();
        let token = before.and_then(|it| it.persist.clone());
        Some(Confirmed {
            session: context.session,
            persist: options.persist.clone().or(token),
            previous: before.map_or_else(|| context.running.clone(), |it| it.previous.clone()),
            timeout,
            deadline: context.now.saturating_add(timeout),
            again: None,
        })
    }

    pub(super) fn cancel(
        &mut self,
        context: &Context<'_>,
        token: Option<&str>,
    ) -> Result<Effect, Errors> {
        self.check_target(context.session, Datastore::Running)?;
        let Some(confirmed) = &self.confirmed else {
            if token.is_some() {
                return Err(wrong_token());
            }
            return Err(failed(
                "operation-failed",
                "no commit waits to be confirmed",
            ));
        };
        confirmed.check(context.session, token)?;
        let tree = confirmed.previous.clone();
        if tree == *context.running {
            self.apply(After::Rollback, context.now);
            return Ok(Effect::Done);
        }
        Ok(self.begin(tree, After::Rollback))
    }

    /// What is to be put in force as a commit was not confirmed in time, or its session has ended. It is to be asked for at
    /// [`Datastores::poll_timeout`], after [`Datastores::close`] and after [`Datastores::finish`].
    pub fn poll(&mut self, now: Duration) -> Option<Commit> {
        let due = |it: &&Confirmed| it.next_attempt() <= now;
        let confirmed = self.confirmed.as_ref().filter(due)?;
        if self.is_committing {
            return None;
        }
        self.is_committing = true;
        Some(Commit {
            tree: confirmed.previous.clone(),
            after: After::Rollback,
        })
    }

    /// When [`Datastores::poll`] is to be asked next.
    pub fn poll_timeout(&self) -> Option<Duration> {
        let confirmed = self.confirmed.as_ref()?;
        (!self.is_committing).then(|| confirmed.next_attempt())
    }

    /// What came of a commit: whether its tree is in force. `now`: when.
    ///
    /// # Errors
    ///
    /// The faults as errors of the reply. What is prepared is left as it was. A rollback is due again some time later, as long as
    /// nothing else ends the commit; one that a session asked for, at the end of the commit's time.
    pub fn finish(
        &mut self,
        schema: &Schema,
        commit: Commit,
        result: Result<(), Vec<Fault>>,
        now: Duration,
    ) -> Result<(), Errors> {
        self.is_committing = false;
        let is_rollback = commit.is_rollback();
        if result.is_ok() {
            self.apply(commit.after, now);
        } else if is_rollback
            && let Some(confirmed) = self.confirmed.as_mut().filter(|it| it.is_due(now))
        {
            confirmed.has_failed(now);
        }
        let Err(faults) = result else {
            return Ok(());
        };
        let mut errors: Errors = faults
            .iter()
            .map(|it| RpcError::of_fault(schema, it))
            .collect();
        if errors.is_empty() {
            errors = failed("operation-failed", "the configuration was not put in force");
        }
        if is_rollback {
            for error in &mut errors {
                error.tag = "rollback-failed";
                error.info.clear();
            }
        }
        Err(errors)
    }

    fn apply(&mut self, after: After, now: Duration) {
        match after {
            After::Edit => {}
            After::Candidate(confirmed) => {
                self.candidate = None;
                self.expect(confirmed.map(|it| *it), now);
            }
            After::Rollback => {
                if let Some(undone) = self.confirmed.take() {
                    // The end of its session has set its deadline to zero.
                    let is_timeout = undone.deadline > Duration::ZERO && undone.is_due(now);
                    let event = if is_timeout {
                        ConfirmEvent::Timeout
                    } else {
                        ConfirmEvent::Cancel
                    };
                    self.add_event(undone.session, event);
                }
            }
        }
    }

    /// Notes the commit that is to be confirmed from now on, if there is one.
    fn expect(&mut self, next: Option<Confirmed>, now: Duration) {
        let before = std::mem::replace(&mut self.confirmed, next);
        let is_first = before.is_none();
        let Some(confirmed) = &mut self.confirmed else {
            if let Some(before) = before {
                self.add_event(before.session, ConfirmEvent::Complete);
            }
            return;
        };
        let (session, timeout) = (confirmed.session, confirmed.timeout);
        confirmed.deadline = now.saturating_add(timeout);
        if !self.sessions.contains(&session) {
            confirmed.end_of(session);
        }
        let event = if is_first {
            ConfirmEvent::Start(timeout)
        } else {
            ConfirmEvent::Extend(timeout)
        };
        self.add_event(session, event);
    }

    fn add_event(&mut self, session: u32, event: ConfirmEvent) {
        if self.events.len() < MAX_EVENTS {
            self.events.push((session, event));
        }
    }

    /// That no rollback is to be done first.
    fn check_not_due(&self, now: Duration) -> Result<(), Errors> {
        if self.confirmed.as_ref().is_some_and(|it| it.is_due(now)) {
            let what = "a commit that was not confirmed in time is being rolled back";
            return Err(failed("in-use", what));
        }
        Ok(())
    }
}

//! Locks (RFC 6241 sections 7.5, 7.6 and 8.3.5.2).

use super::{Context, Datastores, Effect, failed, lock_denied};
use crate::netconf::operation::Datastore;
use crate::netconf::params::Errors;

/// A lock.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Lock {
    /// The session that has it.
    pub session: u32,
    /// Since when: date and time, as its [`Context`] had it.
    pub since: Box<str>,
}

impl Datastores {
    /// The lock of a datastore.
    pub fn lock_of(&self, datastore: Datastore) -> Option<&Lock> {
        self.locks.get(&datastore)
    }

    pub(super) fn lock(
        &mut self,
        context: &Context<'_>,
        target: Datastore,
    ) -> Result<Effect, Errors> {
        let name = target.word();
        if let Some(lock) = self.locks.get(&target) {
            let what = format!("{name}: locked by session {}", lock.session);
            return Err(lock_denied(lock.session, what));
        }
        if self.is_committing {
            return Err(lock_denied(0, format!("{name}: it is being changed")));
        }
        let is_changed = self
            .candidate
            .as_ref()
            .is_some_and(|it| it.tree != *context.running);
        if target == Datastore::Candidate && is_changed {
            let what = "candidate: it has changes: use commit or discard-changes first";
            return Err(lock_denied(0, what));
        }
        let others = self
            .confirmed
            .as_ref()
            .filter(|it| it.session != context.session);
        if let Some(other) = others.filter(|_| target == Datastore::Running) {
            let owner = Some(other.session).filter(|it| self.sessions.contains(it));
            let what = "running: a commit of another session is not confirmed";
            return Err(lock_denied(owner.unwrap_or(0), what));
        }
        let lock = Lock {
            session: context.session,
            since: context.at.into(),
        };
        self.locks.insert(target, lock);
        if target == Datastore::Candidate {
            // What is prepared begins with what is in force now.
            self.candidate = None;
        }
        Ok(Effect::Done)
    }

    pub(super) fn unlock(
        &mut self,
        context: &Context<'_>,
        target: Datastore,
    ) -> Result<Effect, Errors> {
        let name = target.word();
        match self.locks.get(&target) {
            Some(lock) if lock.session == context.session => {}
            Some(lock) => {
                let what = format!("{name}: locked by session {}", lock.session);
                return Err(failed("operation-failed", what));
            }
            None => return Err(failed("operation-failed", format!("{name}: not locked"))),
        }
        if self.is_committing {
            return Err(failed("in-use", format!("{name}: it is being changed")));
        }
        self.locks.remove(&target);
        if target == Datastore::Candidate {
            self.candidate = None;
        }
        Ok(Effect::Done)
    }

    /// Releases the locks of a session that ends.
    pub(super) fn release(&mut self, session: u32) {
        let candidate = self.locks.get(&Datastore::Candidate);
        if candidate.is_some_and(|lock| lock.session == session) {
            self.candidate = None;
        }
        self.locks.retain(|_, lock| lock.session != session);
    }
}

//! What sessions do with datastores: edits, locks, commits (RFC 6241 sections 7 and 8).

use std::collections::{BTreeSet, HashMap};
use std::time::Duration;

use super::error::{ErrorInfo, Layer, RpcError};
use super::events::ConfirmEvent;
use super::operation::{Datastore, EditConfig, Operation, Source, TestOption};
use super::params::{Errors, invalid};
use crate::access::{Access, User};
use crate::diff::diff;
use crate::edit::edit;
use crate::fault::Fault;
use crate::schema::Schema;
use crate::tree::{Children, Path, Scope, validate};
use confirmed::Confirmed;

mod commit;
mod confirmed;
mod locks;

pub use locks::Lock;

/// The candidate datastore, locks, and a commit that is not confirmed yet. What is in force is the caller's, which puts a
/// [`Commit`] in force and says how that went.
#[derive(Debug, Default)]
pub struct Datastores {
    /// `None`: as what is in force.
    candidate: Option<Candidate>,
    locks: HashMap<Datastore, Lock>,
    confirmed: Option<Confirmed>,
    sessions: BTreeSet<u32>,
    last_session: u32,
    /// Whether a [`Commit`] was returned and its result is not known.
    is_committing: bool,
    /// What happened to commits that are to be confirmed, with their sessions.
    events: Vec<(u32, ConfirmEvent)>,
}

/// What is prepared.
#[derive(Debug)]
struct Candidate {
    tree: Children,
    /// What was in force when it was edited first: with anything else in force a commit would undo what others did.
    from: Children,
}

/// Who does something, and what it is about.
#[derive(Clone, Copy, Debug)]
pub struct Context<'a> {
    /// The schema of all trees.
    pub schema: &'a Schema,
    /// What is in force.
    pub running: &'a Children,
    /// Rules of access; [`Access::default`] for sessions that may do all.
    pub access: &'a Access,
    /// The user of the session.
    pub user: User<'a>,
    /// Number of the session.
    pub session: u32,
    /// Time of a clock that never steps back.
    pub now: Duration,
    /// Date and time, for [`Lock::since`].
    pub at: &'a str,
}

/// What an operation leads to.
#[derive(Debug)]
pub enum Effect {
    /// It is done: `ok`.
    Done,
    /// A tree is to be put in force, after which [`Datastores::finish`] is called. Nothing else may change what is in force
    /// between [`Datastores::perform`] and that: the tree replaces all of it.
    Commit(Commit),
    /// This session ends after its reply: [`Datastores::close`].
    Close,
    /// Another session ends at once: [`Datastores::close`].
    Kill(u32),
    /// The operation is not about changes of datastores: it reads, subscribes, or is one of the schema.
    Elsewhere,
}

/// A configuration to be put in force.
#[derive(Debug)]
#[must_use = "until Datastores::finish, no other session can change anything"]
pub struct Commit {
    /// All of it. It is valid, and its changes are permitted.
    pub tree: Children,
    after: After,
}

impl Commit {
    /// Whether it restores what was before a commit that was not confirmed.
    pub fn is_rollback(&self) -> bool {
        matches!(self.after, After::Rollback)
    }

    /// Whether it is undone unless it is confirmed.
    pub fn is_to_be_confirmed(&self) -> bool {
        matches!(self.after, After::Candidate(Some(_)))
    }
}

/// What a commit changes once it is in force.
#[derive(Debug)]
enum After {
    /// Nothing: an edit of what is in force.
    Edit,
    /// The candidate is as what is in force; the confirmed commit that is expected then.
    Candidate(Option<Box<Confirmed>>),
    /// No commit is to be confirmed.
    Rollback,
}

impl Datastores {
    /// No sessions, nothing prepared.
    pub fn new() -> Self {
        Self::default()
    }

    /// A new session's number; it is not one of another session that is open.
    pub fn open(&mut self) -> u32 {
        loop {
            self.last_session = self.last_session.checked_add(1).unwrap_or(1);
            if self.sessions.insert(self.last_session) {
                return self.last_session;
            }
        }
    }

    /// Ends a session: releases its locks, and discards what they protected. A commit of it that was not confirmed is rolled
    /// back, unless it persists: [`Datastores::poll`] returns that.
    pub fn close(&mut self, session: u32) {
        self.sessions.remove(&session);
        self.release(session);
        if let Some(confirmed) = &mut self.confirmed {
            confirmed.end_of(session);
        }
    }

    /// What happened to commits that are to be confirmed since this was asked last, with the session that each is of.
    pub fn take_events(&mut self) -> Vec<(u32, ConfirmEvent)> {
        std::mem::take(&mut self.events)
    }

    /// Numbers of open sessions.
    pub fn sessions(&self) -> impl Iterator<Item = u32> {
        self.sessions.iter().copied()
    }

    /// A datastore; `running` is what is in force.
    pub fn get<'a>(&'a self, datastore: Datastore, running: &'a Children) -> &'a Children {
        match (datastore, &self.candidate) {
            (Datastore::Candidate, Some(candidate)) => &candidate.tree,
            (Datastore::Candidate, None) | (Datastore::Running, _) => running,
        }
    }

    /// Carries out an operation that changes datastores or sessions; whether the user may run it was checked before.
    ///
    /// # Errors
    ///
    /// Why it was not done; nothing has changed. `access-denied` is to be counted as a denied write.
    pub fn perform(
        &mut self,
        context: &Context<'_>,
        operation: &Operation,
    ) -> Result<Effect, Errors> {
        match operation {
            Operation::EditConfig(edit) => self.edit(context, edit),
            Operation::CopyConfig { target, source } => self.copy(context, *target, source),
            Operation::DeleteConfig => Err(failed(
                "operation-not-supported",
                "delete-config: running and candidate are not deleted",
            )),
            Operation::Lock(target) => self.lock(context, *target),
            Operation::Unlock(target) => self.unlock(context, *target),
            Operation::CloseSession => Ok(Effect::Close),
            Operation::KillSession(session) => self.kill(context, *session),
            Operation::Commit(options) => self.commit(context, options),
            Operation::CancelCommit { persist_id } => self.cancel(context, persist_id.as_deref()),
            Operation::DiscardChanges => {
                self.check_target(context.session, Datastore::Candidate)?;
                self.candidate = None;
                Ok(Effect::Done)
            }
            Operation::Validate(source) => self.validate(context, source),
            Operation::Get(_)
            | Operation::GetConfig { .. }
            | Operation::CreateSubscription(_)
            | Operation::GetSchema { .. }
            | Operation::Action { .. }
            | Operation::Rpc { .. } => Ok(Effect::Elsewhere),
        }
    }

    /// Whether a datastore may be changed by a session, or by what is none of NETCONF (`None`), such as RESTCONF.
    ///
    /// # Errors
    ///
    /// `in-use`: another session has its lock or a commit that is not confirmed, or a change of it is not finished.
    pub fn check_change(&self, session: Option<u32>, datastore: Datastore) -> Result<(), Errors> {
        self.check_lock(session, datastore)?;
        match self.unconfirmed() {
            Some(other) if datastore == Datastore::Running && Some(other) != session => {
                let what = format!("running: a commit of session {other} is not confirmed yet");
                Err(failed("in-use", what))
            }
            Some(_) | None => Ok(()),
        }
    }

    /// The session whose commit waits to be confirmed. What undoes it would undo changes by others too.
    pub fn unconfirmed(&self) -> Option<u32> {
        self.confirmed.as_ref().map(|it| it.session)
    }

    fn check_lock(&self, session: Option<u32>, datastore: Datastore) -> Result<(), Errors> {
        if self.is_committing {
            return Err(failed("in-use", "another change is being put in force"));
        }
        match self.locks.get(&datastore) {
            Some(lock) if Some(lock.session) != session => {
                let name = datastore.word();
                let what = format!("{name}: locked by session {}", lock.session);
                Err(failed("in-use", what))
            }
            Some(_) | None => Ok(()),
        }
    }

    fn check_target(&self, session: u32, datastore: Datastore) -> Result<(), Errors> {
        self.check_lock(Some(session), datastore)
    }

    fn edit(&mut self, context: &Context<'_>, it: &EditConfig) -> Result<Effect, Errors> {
        self.check_change(Some(context.session), it.target)?;
        context.check_sent(|access| {
            let (schema, user) = (context.schema, context.user);
            access.may_send_edit(schema, user, &it.nodes, it.default_operation)
        })?;
        let from = self.get(it.target, context.running);
        let tree = edit(context.schema, from, &it.nodes, it.default_operation);
        let tree = tree.map_err(|fault| context.errors(vec![fault]))?;
        context.check_change(from, &tree)?;
        // What is in force is valid always; what is prepared, when it is committed (RFC 7950 section 8.3.3).
        let is_tested = match it.test_option {
            Some(TestOption::TestThenSet | TestOption::TestOnly) => true,
            Some(TestOption::Set) | None => it.target == Datastore::Running,
        };
        if is_tested {
            context.check_valid(&tree)?;
        }
        if it.test_option == Some(TestOption::TestOnly) {
            return Ok(Effect::Done);
        }
        Ok(self.set(context, it.target, tree))
    }

    fn copy(
        &mut self,
        context: &Context<'_>,
        target: Datastore,
        source: &Source,
    ) -> Result<Effect, Errors> {
        self.check_change(Some(context.session), target)?;
        let tree = match source {
            Source::Config(tree) => {
                context.check_sent(|access| {
                    access.may_send(context.schema, context.user, &Path::root(), tree)
                })?;
                tree.clone()
            }
            Source::Datastore(source) => {
                let all = self.get(*source, context.running);
                context.access.visible(context.schema, context.user, all)
            }
        };
        context.check_change(self.get(target, context.running), &tree)?;
        if target == Datastore::Running {
            context.check_valid(&tree)?;
            if matches!(source, Source::Datastore(Datastore::Candidate)) {
                self.check_not_stale(context.running)?;
            }
        }
        if target == Datastore::Candidate {
            // It replaces all of what was prepared.
            self.candidate = None;
        }
        Ok(self.set(context, target, tree))
    }

    fn set(&mut self, context: &Context<'_>, target: Datastore, tree: Children) -> Effect {
        match target {
            Datastore::Candidate => {
                let before = self.candidate.take();
                let from = before.map_or_else(|| context.running.clone(), |it| it.from);
                self.candidate = (tree != *context.running).then_some(Candidate { tree, from });
                Effect::Done
            }
            Datastore::Running if tree == *context.running => Effect::Done,
            Datastore::Running => self.begin(tree, After::Edit),
        }
    }

    fn begin(&mut self, tree: Children, after: After) -> Effect {
        self.is_committing = true;
        Effect::Commit(Commit { tree, after })
    }

    fn validate(&self, context: &Context<'_>, source: &Source) -> Result<Effect, Errors> {
        let tree = match source {
            Source::Config(tree) => tree,
            Source::Datastore(source) => self.get(*source, context.running),
        };
        context.check_valid(tree)?;
        Ok(Effect::Done)
    }

    fn kill(&self, context: &Context<'_>, session: u32) -> Result<Effect, Errors> {
        if session == context.session {
            return Err(invalid("session-id: this session: use close-session"));
        }
        if !self.sessions.contains(&session) {
            return Err(invalid(format!("session-id: no session {session}")));
        }
        Ok(Effect::Kill(session))
    }
}

impl Context<'_> {
    /// What is sent must be permitted where it may not be read, even if it changes nothing.
    fn check_sent(&self, may: impl FnOnce(&Access) -> Result<(), Fault>) -> Result<(), Errors> {
        may(self.access).map_err(|fault| vec![RpcError::of_fault(self.schema, &fault)])
    }

    fn check_change(&self, from: &Children, to: &Children) -> Result<(), Errors> {
        if !self.access.is_enforced() {
            return Ok(());
        }
        let changes = diff(self.schema, from, to);
        let may = self.access.may_change(self.schema, self.user, &changes);
        may.map_err(|fault| vec![RpcError::of_fault(self.schema, &fault)])
    }

    fn check_valid(&self, tree: &Children) -> Result<(), Errors> {
        let faults = validate(self.schema, tree, Scope::Config);
        if faults.is_empty() {
            Ok(())
        } else {
            Err(self.errors(faults))
        }
    }

    /// Errors without what the user may not read.
    fn errors(&self, faults: Vec<Fault>) -> Errors {
        let faults = faults.into_iter();
        let faults = faults.map(|fault| self.access.conceal(self.schema, self.user, fault));
        faults
            .map(|fault| RpcError::of_fault(self.schema, &fault))
            .collect()
    }
}

/// An error of the protocol without a place.
fn failed(tag: &'static str, what: impl Into<String>) -> Errors {
    vec![RpcError::new(Layer::Protocol, tag, what)]
}

/// That a lock is not granted (RFC 6241 section 7.5).
fn lock_denied(session: u32, what: impl Into<String>) -> Errors {
    let error = RpcError::new(Layer::Protocol, "lock-denied", what);
    vec![error.with(ErrorInfo::SessionId(session))]
}

//! What operations of NETCONF do in the daemon.

use std::sync::Arc;

use tokio::task::spawn_blocking;
use tracing::info;
use twinpath_runtime::wall;
use twinpath_wire::Wall;
use twinpath_yang::netconf::{
    Commit, Context, Datastore, Effect, ErrorInfo, Layer, Operation, Reply, Request, RpcError,
    Selection, Subscription, schema_text,
};
use twinpath_yang::{Access, Children, Path, User};

use crate::daemon::actions::SessionAction;
use crate::daemon::api::State;
use crate::daemon::control::{By, ChangeError, Changing, Running};
use crate::daemon::notices::STREAMS;
use crate::daemon::operational::with_state;
use crate::daemon::places::Places;
use crate::daemon::source::Step;
use crate::output::rfc3339;

use super::{Shared, rollback};

/// What is wrong with a request.
pub(super) type Errors = Vec<RpcError>;

/// What a request leads to.
pub(super) enum Done {
    /// This reply.
    Reply(String),
    /// This reply, after which the session ends.
    Close(String),
    /// This reply, after which notifications are sent.
    Subscribed(String, Subscription),
}

/// Carries out a request of a session.
pub(super) async fn carry_out(
    shared: &Arc<Shared>,
    by: &By,
    Request { reply, operation }: Request,
) -> (Reply, Result<Done, Errors>) {
    let running = shared.control.running();
    let asked = Asked {
        shared: Arc::clone(shared),
        by: by.clone(),
        reply: reply.clone(),
        running,
    };
    if let Err(errors) = asked.check_access(&operation) {
        return (reply, Err(errors));
    }
    let done = match operation {
        Operation::Get(selection) => asked.get(selection).await,
        Operation::GetConfig { source, selection } => asked.get_config(source, selection).await,
        Operation::GetSchema {
            identifier,
            version,
            format,
        } => {
            let schema = &shared.model.schema;
            let text = schema_text(schema, &identifier, version.as_deref(), format.as_deref());
            text.map(|text| Done::Reply(reply.schema(text)))
        }
        Operation::CreateSubscription(subscription) => asked.subscribe(subscription),
        Operation::Action { path, .. } => asked.act(&path).await,
        Operation::Rpc { .. } => Err(failed(
            "operation-not-supported",
            "the daemon does not have this operation",
        )),
        Operation::EditConfig(_)
        | Operation::CopyConfig { .. }
        | Operation::DeleteConfig
        | Operation::Lock(_)
        | Operation::Unlock(_)
        | Operation::CloseSession
        | Operation::KillSession(_)
        | Operation::Commit(_)
        | Operation::CancelCommit { .. }
        | Operation::DiscardChanges
        | Operation::Validate(_) => {
            // To the end, even if its session ends before.
            let performed = tokio::spawn(asked.perform(operation)).await;
            performed.unwrap_or_else(|error| Err(failed("operation-failed", error.to_string())))
        }
    };
    (reply, done)
}

/// Puts a commit in force, as what `changing` begins; `by`: who wants it.
///
/// # Errors
/// Why it is not in force.
pub(super) async fn commit(
    shared: &Arc<Shared>,
    changing: &Changing,
    mut commit: Commit,
    by: Option<By>,
) -> Result<(), Errors> {
    let schema = &shared.model.schema;
    let tree = std::mem::take(&mut commit.tree);
    let access = Access::of(schema, changing.running().configuration.root());
    let user = by.clone();
    let waits = shared.control.datastores().unconfirmed().is_some();
    let step = if commit.is_rollback() {
        Step::Rollback
    } else if waits || commit.is_to_be_confirmed() {
        Step::Unconfirmed
    } else {
        Step::Final
    };
    let (result, why) = match changing.put(tree, by, step).await {
        Ok(_) => (Ok(()), None),
        Err(ChangeError::Faults(faults)) => {
            let conceal = |fault| match &user {
                Some(by) => access.conceal(schema, User::named(&by.user), fault),
                None => fault,
            };
            (Err(faults.into_iter().map(conceal).collect()), None)
        }
        Err(ChangeError::NotSaved(failure)) => (Err(Vec::new()), Some(failure.to_string())),
        Err(ChangeError::Late) => (Err(Vec::new()), Some("no answer within 8 s".to_owned())),
        Err(ChangeError::Locked(session) | ChangeError::Unconfirmed(session)) => {
            let why = format!("running: in use by session {session}");
            (Err(Vec::new()), Some(why))
        }
    };
    let now = shared.now();
    let finished = shared
        .control
        .datastores()
        .finish(schema, commit, result, now);
    finished.map_err(|mut errors| {
        if let (Some(error), Some(why)) = (errors.first_mut(), why) {
            error.layer = Layer::Application;
            error.message = why;
        }
        errors
    })
}

/// A request that is carried out.
struct Asked {
    shared: Arc<Shared>,
    by: By,
    reply: Reply,
    running: Arc<Running>,
}

impl Asked {
    fn check_access(&self, operation: &Operation) -> Result<(), Errors> {
        // Every user may end its own session (RFC 8341 section 3.2.1).
        if matches!(operation, Operation::CloseSession) {
            return Ok(());
        }
        let schema = &self.shared.model.schema;
        let access = Access::of(schema, self.running.configuration.root());
        let checked = operation.check_access(schema, &access, User::named(&self.by.user));
        checked.inspect_err(|_| self.shared.control.denied().add_operation())
    }

    /// Does something with what the user may do.
    fn in_context<T>(&self, at: &str, act: impl FnOnce(&Context<'_>) -> T) -> T {
        let schema = &self.shared.model.schema;
        let running = self.running.configuration.root();
        act(&Context {
            schema,
            running,
            access: &Access::of(schema, running),
            user: User::named(&self.by.user),
            session: self.by.session,
            now: self.shared.now(),
            at,
        })
    }

    async fn get(self, selection: Selection) -> Result<Done, Errors> {
        let state = self.shared.control.state().await.ok_or_else(late)?;
        blocking(move || {
            let (model, control) = (self.shared.model, &self.shared.control);
            let root = self.running.configuration.root();
            let state = self.of_state(state);
            let root = with_state(model, control, root, &state, &Path::root());
            self.selected(&selection, &root)
        })
        .await
    }

    /// The state without alarms that name what the user may not read.
    fn of_state(&self, state: Arc<State>) -> Arc<State> {
        let model = self.shared.model;
        let access = Access::of(&model.schema, self.running.configuration.root());
        if !access.is_enforced() {
            return state;
        }
        let user = User::named(&self.by.user);
        let places = Places::of(model, &self.shared.control, &self.running);
        let may_read = |path: &Path| access.may_read(&model.schema, user, path);
        let mut shown = State::clone(&state);
        shown.retain_alarms(|kind, name| places.show(kind, name, may_read));
        Arc::new(shown)
    }

    async fn get_config(self, source: Datastore, selection: Selection) -> Result<Done, Errors> {
        blocking(move || {
            let running = self.running.configuration.root();
            let root = self
                .shared
                .control
                .datastores()
                .get(source, running)
                .clone();
            self.selected(&selection, &root)
        })
        .await
    }

    fn selected(&self, selection: &Selection, root: &Children) -> Done {
        let select = |context: &Context<'_>| selection.reply(context, &self.reply, root);
        Done::Reply(self.in_context("", select))
    }

    async fn act(self, path: &Path) -> Result<Done, Errors> {
        let schema = &self.shared.model.schema;
        let is_derived = |name: &str| self.shared.control.is_of_mesh(name);
        let root = self.running.configuration.root();
        let asked = SessionAction::asked(schema, root, path, is_derived);
        let Some((session, action)) = asked else {
            let mut error = RpcError::new(Layer::Application, "data-missing", "no such session");
            error.path = twinpath_yang::netconf::ErrorPath::Data(path.parent().unwrap_or_default());
            return Err(vec![error]);
        };
        match self.shared.control.act(session, action).await {
            Some(Ok(())) => Ok(Done::Reply(self.reply.ok())),
            Some(Err(why)) => Err(vec![RpcError::new(
                Layer::Application,
                "operation-failed",
                why,
            )]),
            None => Err(late()),
        }
    }

    fn subscribe(self, subscription: Subscription) -> Result<Done, Errors> {
        let stream = subscription.stream.as_deref().unwrap_or("NETCONF");
        if !STREAMS.iter().any(|(name, _)| *name == stream) {
            let names = STREAMS.map(|(name, _)| name).join(" or ");
            return Err(bad_element("stream", format!("stream: use {names}")));
        }
        let now = wall();
        if subscription.start.is_some_and(|start| start.0 > ns(now)) {
            return Err(bad_element(
                "startTime",
                "startTime: use a time that has passed",
            ));
        }
        Ok(Done::Subscribed(self.reply.ok(), subscription))
    }

    /// An operation on datastores or sessions.
    async fn perform(mut self, operation: Operation) -> Result<Done, Errors> {
        let shared = Arc::clone(&self.shared);
        let changing = shared.control.begin().await;
        self.running = Arc::clone(changing.running());
        let name = operation.own_name().map_or("", |(_, _, name)| name);
        let (this, effect) = blocking(move || {
            let effect = self.effect(&operation);
            (self, effect)
        })
        .await?;
        let result = match effect {
            Ok(Effect::Done) => Ok(Done::Reply(this.reply.ok())),
            Ok(Effect::Commit(it)) => {
                let committed = commit(&shared, &changing, it, Some(this.by.clone())).await;
                if committed.is_ok() {
                    info!(
                        "configuration changed by user {} of NETCONF: {name}",
                        this.by.user
                    );
                }
                committed.map(|()| Done::Reply(this.reply.ok()))
            }
            Ok(Effect::Close) => Ok(Done::Close(this.reply.ok())),
            Ok(Effect::Kill(session)) => {
                shared.sessions.kill(session, this.by.session);
                shared.control.datastores().close(session);
                Ok(Done::Reply(this.reply.ok()))
            }
            // All others are done elsewhere.
            Ok(Effect::Elsewhere) => Err(failed("operation-not-supported", name)),
            Err(errors) => Err(errors),
        };
        let result = match result {
            Ok(done) => confirm(&shared, &changing).await.map(|()| done),
            Err(errors) => Err(errors),
        };
        drop(changing);
        rollback::notify(&shared);
        result
    }

    fn effect(&self, operation: &Operation) -> Result<Effect, Errors> {
        let mut datastores = self.shared.control.datastores();
        // A session that was ended while this waited would leave a lock behind.
        if !datastores.sessions().any(|it| it == self.by.session) {
            return Err(failed("operation-failed", "the session has ended"));
        }
        let at = rfc3339(wall());
        let effect = self.in_context(&at, |context| datastores.perform(context, operation));
        effect.inspect_err(|errors| {
            if errors.iter().any(|error| error.tag == "access-denied") {
                self.shared.control.denied().add_data_write();
            }
        })
    }
}

/// Has a commit that waits no more final in the files too.
///
/// # Errors
/// That is not on the disk yet: where the daemon ends before it is, the commit is undone.
async fn confirm(shared: &Shared, changing: &Changing) -> Result<(), Errors> {
    if shared.control.datastores().unconfirmed().is_some() {
        return Ok(());
    }
    let confirmed = changing.confirm().await;
    confirmed.map_err(|failure| {
        let what = format!("it is in force, but a start of the daemon would undo it: {failure}");
        vec![RpcError::new(Layer::Application, "operation-failed", what)]
    })
}

async fn blocking<T: Send + 'static>(
    work: impl FnOnce() -> T + Send + 'static,
) -> Result<T, Errors> {
    let done = spawn_blocking(work).await;
    done.map_err(|error| failed("operation-failed", error.to_string()))
}

/// Nanoseconds since 1970.
pub(super) fn ns(at: Wall) -> i128 {
    at.unix_ns().into()
}

/// An error of the protocol.
pub(super) fn failed(tag: &'static str, what: impl Into<String>) -> Errors {
    vec![RpcError::new(Layer::Protocol, tag, what)]
}

fn bad_element(name: &str, what: impl Into<String>) -> Errors {
    let error = RpcError::new(Layer::Protocol, "bad-element", what);
    vec![error.with(ErrorInfo::BadElement(name.into()))]
}

fn late() -> Errors {
    failed("resource-denied", "no answer within 8 s")
}

//! Notifications about NETCONF itself: `ietf-netconf-notifications` (RFC 6470).

use std::time::Duration;

use crate::diff::{Change, ChangeKind};
use crate::schema::{NodeId, Schema};
use crate::tree::{Children, Data, Path, Select};
use crate::value::{Names, Value};

/// Changes in one notification, at most; with more it has none of them.
pub const MAX_EDITS: usize = 1_000;

/// A notification: the way to it, and what it has. `None` for a schema without the module.
pub type Event = Option<(Path, Children)>;

/// The session that an event is about.
#[derive(Clone, Copy, Debug)]
pub struct Origin<'a> {
    /// Its user.
    pub user: &'a str,
    /// Its number; 0 for what is not a session of NETCONF.
    pub session: u32,
    /// Its client's IP address.
    pub source_host: Option<&'a str>,
}

/// Why a session has ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum EndReason {
    /// By `close-session`.
    Closed,
    /// By `kill-session` of this session.
    Killed(u32),
    /// With its connection.
    Dropped,
    /// As its client was silent.
    Timeout,
    /// At its `hello`.
    BadHello,
    /// Otherwise.
    Other,
}

/// What happened to a commit that is to be confirmed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ConfirmEvent {
    /// It was made; how long it waits.
    Start(Duration),
    /// It was undone by `cancel-commit`, or with its session.
    Cancel,
    /// It was undone as it was not confirmed in time.
    Timeout,
    /// It waits longer.
    Extend(Duration),
    /// It was confirmed.
    Complete,
}

/// That what is in force has changed; `by`: `None` for the server itself. A caller leaves out changes that a receiver may not
/// read.
pub fn config_change<'a>(
    schema: &Schema,
    by: Option<&Origin<'_>>,
    changes: impl Iterator<Item = &'a Change>,
) -> Event {
    let mut event = Content::new(schema, "netconf-config-change")?;
    let around = schema.child(Some(event.node), None, "changed-by")?;
    let mut changed_by = Content::at(schema, around);
    match by {
        None => changed_by.set("server", ""),
        Some(origin) => changed_by.origin(origin),
    }
    event
        .children
        .insert(around, Data::Container(changed_by.children));
    event.set("datastore", "running");
    let list = schema.child(Some(event.node), None, "edit")?;
    let edits = changes
        .take(MAX_EDITS + 1)
        .map(|change| edit(schema, list, change));
    let edits: Vec<Children> = edits.collect();
    if !edits.is_empty() && edits.len() <= MAX_EDITS {
        event.children.insert(list, Data::Keyless(edits));
    }
    Some(event.finish())
}

fn edit(schema: &Schema, list: NodeId, change: &Change) -> Children {
    let mut edit = Content::at(schema, list);
    if let Some(target) = schema.child(Some(list), None, "target") {
        let value = Value::Instance(change.path.clone());
        edit.children.insert(target, Data::Leaf(value));
    }
    let operation = match change.kind {
        ChangeKind::Created { .. } => "create",
        ChangeKind::Deleted(_) => "delete",
        ChangeKind::Replaced { .. } => "replace",
        ChangeKind::Moved(_) => "merge",
    };
    edit.set("operation", operation);
    edit.children
}

/// That a session has begun.
pub fn session_start(schema: &Schema, origin: &Origin<'_>) -> Event {
    let mut event = Content::new(schema, "netconf-session-start")?;
    event.origin(origin);
    Some(event.finish())
}

/// That a session has ended.
pub fn session_end(schema: &Schema, origin: &Origin<'_>, reason: EndReason) -> Event {
    let mut event = Content::new(schema, "netconf-session-end")?;
    event.origin(origin);
    let word = match reason {
        EndReason::Closed => "closed",
        EndReason::Killed(_) => "killed",
        EndReason::Dropped => "dropped",
        EndReason::Timeout => "timeout",
        EndReason::BadHello => "bad-hello",
        EndReason::Other => "other",
    };
    if let EndReason::Killed(session) = reason {
        event.set("killed-by", &session.to_string());
    }
    event.set("termination-reason", word);
    Some(event.finish())
}

/// That something happened to a commit that is to be confirmed. For [`ConfirmEvent::Timeout`] there is no session.
pub fn confirmed_commit(schema: &Schema, origin: &Origin<'_>, what: ConfirmEvent) -> Event {
    let mut event = Content::new(schema, "netconf-confirmed-commit")?;
    let (word, timeout) = match what {
        ConfirmEvent::Start(timeout) => ("start", Some(timeout)),
        ConfirmEvent::Extend(timeout) => ("extend", Some(timeout)),
        ConfirmEvent::Cancel => ("cancel", None),
        ConfirmEvent::Timeout => ("timeout", None),
        ConfirmEvent::Complete => ("complete", None),
    };
    if what != ConfirmEvent::Timeout {
        event.origin(origin);
    }
    event.set("confirm-event", word);
    if let Some(timeout) = timeout {
        event.set("timeout", &timeout.as_secs().to_string());
    }
    Some(event.finish())
}

/// What a node has so far.
struct Content<'a> {
    schema: &'a Schema,
    node: NodeId,
    children: Children,
}

impl<'a> Content<'a> {
    /// Of a notification.
    fn new(schema: &'a Schema, name: &str) -> Option<Self> {
        let module = schema.module_named("ietf-netconf-notifications")?;
        let node = schema.notification(None, Some(module), name)?;
        Some(Self::at(schema, node))
    }

    fn at(schema: &'a Schema, node: NodeId) -> Self {
        Self {
            schema,
            node,
            children: Children::new(),
        }
    }

    /// Sets a leaf, if its type has the text.
    fn set(&mut self, name: &str, text: &str) {
        let Some(leaf) = self.schema.child(Some(self.node), None, name) else {
            return;
        };
        let names = Names::Modules(self.schema.node(leaf).module);
        let ty = self.schema.leaf_type(leaf);
        if let Some(Ok(value)) = ty.map(|ty| self.schema.parse(ty, text, &names)) {
            self.children.insert(leaf, Data::Leaf(value));
        }
    }

    fn origin(&mut self, origin: &Origin<'_>) {
        self.set("username", origin.user);
        self.set("session-id", &origin.session.to_string());
        if let Some(host) = origin.source_host {
            self.set("source-host", host);
        }
    }

    fn finish(self) -> (Path, Children) {
        (Path::root().join(self.node, Select::All), self.children)
    }
}

//! Operations of NETCONF and their parameters.

use std::time::Duration;

use indexmap::IndexMap;

use super::time::Time;
use crate::access::{Access, User};
use crate::edit::{EditNode, Operation as Edit};
use crate::filter::Filter;
use crate::schema::{NodeId, Schema};
use crate::tree::{Children, Data, DefaultsMode, Path, Select};
use crate::xml::NETCONF;

use super::error::RpcError;

/// The namespace of notifications and subscriptions (RFC 5277).
pub const NOTIFICATION: &str = "urn:ietf:params:xml:ns:netconf:notification:1.0";
/// The namespace of `ietf-netconf-monitoring` (RFC 6022).
pub const MONITORING: &str = "urn:ietf:params:xml:ns:yang:ietf-netconf-monitoring";
/// The namespace of the parameter `with-defaults` (RFC 6243).
pub const WITH_DEFAULTS: &str = "urn:ietf:params:xml:ns:yang:ietf-netconf-with-defaults";
/// Seconds to confirm a commit, unless said otherwise (RFC 6241 section 8.4.1).
pub const CONFIRM_TIMEOUT: Duration = Duration::from_mins(10);

/// A datastore.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Datastore {
    /// What is in force.
    Running,
    /// What is prepared.
    Candidate,
}

impl Datastore {
    /// Its name.
    pub fn word(self) -> &'static str {
        match self {
            Self::Running => "running",
            Self::Candidate => "candidate",
        }
    }
}

/// Where a configuration is from.
#[derive(Clone, Debug, PartialEq)]
pub enum Source {
    /// A datastore.
    Datastore(Datastore),
    /// The message itself.
    Config(Children),
}

/// What is shown of defaults (RFC 6243 section 3).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum WithDefaults {
    /// As a mode has them.
    Mode(DefaultsMode),
    /// All, with those that are not set marked.
    Tagged,
}

/// What is asked for.
#[derive(Clone, Debug, PartialEq)]
pub struct Selection {
    /// What is selected; `None`: all.
    pub filter: Option<Vec<Filter>>,
    /// What is shown of defaults; explicit values without.
    pub defaults: Option<WithDefaults>,
}

/// What an edit does beside being made.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum TestOption {
    /// It is checked first.
    TestThenSet,
    /// It is not checked.
    Set,
    /// It is checked only.
    TestOnly,
}

/// What happens with an edit of which a part is wrong.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum ErrorOption {
    /// It ends there.
    #[default]
    StopOnError,
    /// The rest is done.
    ContinueOnError,
    /// Nothing is done.
    RollbackOnError,
}

/// An edit (RFC 6241 section 7.2).
#[derive(Clone, Debug, PartialEq)]
pub struct EditConfig {
    /// What is edited.
    pub target: Datastore,
    /// For nodes without an operation.
    pub default_operation: Edit,
    /// Whether it is checked; `None`: nothing was said.
    pub test_option: Option<TestOption>,
    /// What happens if a part is wrong. [`super::Datastores`] does an edit as a whole or not at all, whatever this is.
    pub error_option: ErrorOption,
    /// The nodes.
    pub nodes: Vec<EditNode>,
}

/// A commit (RFC 6241 sections 8.3.4.1 and 8.4.5.1).
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct CommitOptions {
    /// How long it waits to be confirmed; `None`: it need not be.
    pub confirmed: Option<Duration>,
    /// The token by which any session may confirm it.
    pub persist: Option<Box<str>>,
    /// The token of the commit that is confirmed or continued.
    pub persist_id: Option<Box<str>>,
}

/// A subscription (RFC 5277 section 2.1.1).
#[derive(Clone, Debug, PartialEq)]
pub struct Subscription {
    /// Name of the stream; `None`: `NETCONF`.
    pub stream: Option<Box<str>>,
    /// Which of the notifications; `None`: all.
    pub filter: Option<Vec<Filter>>,
    /// Since when past notifications are sent.
    pub start: Option<Time>,
    /// Until when.
    pub stop: Option<Time>,
}

/// What a request wants.
#[derive(Clone, Debug)]
pub enum Operation {
    /// Configuration and state.
    Get(Selection),
    /// Configuration.
    GetConfig {
        /// Of this datastore.
        source: Datastore,
        /// What of it.
        selection: Selection,
    },
    /// An edit.
    EditConfig(EditConfig),
    /// The whole of a datastore.
    CopyConfig {
        /// What is replaced.
        target: Datastore,
        /// By what.
        source: Source,
    },
    /// Deletion of a datastore, which none of these allows.
    DeleteConfig,
    /// A lock.
    Lock(Datastore),
    /// Its end.
    Unlock(Datastore),
    /// The end of this session.
    CloseSession,
    /// The end of another session.
    KillSession(u32),
    /// The candidate configuration in force.
    Commit(CommitOptions),
    /// The end of a commit that is not confirmed.
    CancelCommit {
        /// Its token.
        persist_id: Option<Box<str>>,
    },
    /// The end of what was prepared.
    DiscardChanges,
    /// A check.
    Validate(Source),
    /// Notifications.
    CreateSubscription(Subscription),
    /// The text of a module (RFC 6022 section 3.1).
    GetSchema {
        /// Name of the module.
        identifier: Box<str>,
        /// Its revision.
        version: Option<Box<str>>,
        /// Language, without prefix: `yang`.
        format: Option<Box<str>>,
    },
    /// An action of data (RFC 7950 section 7.15).
    Action {
        /// The way to it.
        path: Path,
        /// Its parameters.
        input: Children,
    },
    /// Another operation of the schema.
    Rpc {
        /// Which.
        node: NodeId,
        /// Its parameters.
        input: Children,
    },
}

impl Subscription {
    /// What is sent of a notification; `None`: it is not sent. `path` leads to it.
    pub fn select(&self, schema: &Schema, path: &Path, content: &Children) -> Option<Children> {
        let Some(filters) = &self.filter else {
            return Some(content.clone());
        };
        let mut root = Children::new();
        let mut inner = content.clone();
        for step in path.steps().iter().rev() {
            root = Children::new();
            let data = match &step.select {
                Select::Key(key) => {
                    let keys = schema
                        .node(step.node)
                        .list()
                        .map(|list| list.keys.as_slice());
                    for (leaf, value) in keys.unwrap_or_default().iter().zip(key) {
                        inner.insert(*leaf, Data::Leaf(value.clone()));
                    }
                    Data::List(IndexMap::from_iter([(key.clone(), inner)]))
                }
                Select::All | Select::Value(_) | Select::Position(_) => Data::Container(inner),
            };
            root.insert(step.node, data);
            inner = root.clone();
        }
        Filter::apply(schema, &root, filters).content(path).cloned()
    }
}

impl Operation {
    /// Its namespace, the module by which rules of access know it, and its name; `None` for those of the schema.
    pub fn own_name(&self) -> Option<(&'static str, &'static str, &'static str)> {
        let name = match self {
            Self::Get(_) => "get",
            Self::GetConfig { .. } => "get-config",
            Self::EditConfig(_) => "edit-config",
            Self::CopyConfig { .. } => "copy-config",
            Self::DeleteConfig => "delete-config",
            Self::Lock(_) => "lock",
            Self::Unlock(_) => "unlock",
            Self::CloseSession => "close-session",
            Self::KillSession(_) => "kill-session",
            Self::Commit(_) => "commit",
            Self::CancelCommit { .. } => "cancel-commit",
            Self::DiscardChanges => "discard-changes",
            Self::Validate(_) => "validate",
            Self::CreateSubscription(_) => {
                return Some((NOTIFICATION, "notifications", "create-subscription"));
            }
            Self::GetSchema { .. } => {
                return Some((MONITORING, "ietf-netconf-monitoring", "get-schema"));
            }
            Self::Action { .. } | Self::Rpc { .. } => return None,
        };
        Some((NETCONF, "ietf-netconf", name))
    }

    /// Whether a user may run it (RFC 8341 section 3.4.4); what it reads and changes is checked where that is done.
    ///
    /// # Errors
    ///
    /// `access-denied`, to be counted as a denied operation.
    pub fn check_access(
        &self,
        schema: &Schema,
        access: &Access,
        user: User<'_>,
    ) -> Result<(), Vec<RpcError>> {
        let (checked, named) = match (self.own_name(), self) {
            (Some((namespace, module, name)), _) => {
                let checked = access.may_run_named(schema, user, module, name);
                (checked, Some((namespace, name)))
            }
            (None, Self::Action { path, .. }) => (access.may_run(schema, user, path), None),
            (None, Self::Rpc { node, .. }) => {
                let path = Path::root().join(*node, Select::All);
                (access.may_run(schema, user, &path), None)
            }
            (None, _) => (Ok(()), None),
        };
        checked.map_err(|fault| {
            vec![match named {
                Some((namespace, name)) => RpcError::denied(namespace, name, fault.what),
                None => RpcError::of_fault(schema, &fault),
            }]
        })
    }
}

/// The text of a module, as `get-schema` asks for it (RFC 6022 section 3.1).
///
/// # Errors
///
/// The schema does not have it in that version and language.
pub fn schema_text<'s>(
    schema: &'s Schema,
    identifier: &str,
    version: Option<&str>,
    format: Option<&str>,
) -> Result<&'s str, Vec<RpcError>> {
    let module = schema.module_named(identifier).map(|id| schema.module(id));
    let fits = module.filter(|module| {
        let revision = module.revision.as_deref().unwrap_or_default();
        version.is_none_or(|version| version == revision) && format.is_none_or(|it| it == "yang")
    });
    fits.map(|module| &*module.text).ok_or_else(|| {
        let what = format!("{}: no such schema", crate::value::shorten(identifier));
        super::params::invalid(what)
    })
}

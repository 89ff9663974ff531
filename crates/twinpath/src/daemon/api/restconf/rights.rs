//! What the user of a request may do (RFC 8341; RFC 8040 section 2.5).

use std::sync::LazyLock;

use twinpath_yang::access::{self, Access};
use twinpath_yang::json::{self, ReadOptions};
use twinpath_yang::{Change, Children, Fault, Path, diff};

use super::refusal::Refusal;
use crate::daemon::control::{Control, Running};
use crate::daemon::model::Model;
use crate::http::User;

/// Rules where a configuration has none, for users that showed nothing: all but what the schema denies by default, such as
/// programs that alerts run.
static OF_ANONYMOUS: LazyLock<String> = LazyLock::new(|| {
    serde_json::json!({ "ietf-netconf-acm:nacm": {
        "read-default": "permit", "write-default": "permit", "exec-default": "permit",
    } })
    .to_string()
});

/// The rights of a user in a configuration.
pub(in crate::daemon::api) struct Rights<'a> {
    model: &'static Model,
    control: &'a Control,
    user: &'a User,
    /// `None`: all is permitted.
    access: Option<Access>,
    /// The configuration has rules for this user.
    has_rules: bool,
}

impl<'a> Rights<'a> {
    pub(in crate::daemon::api) fn of(
        model: &'static Model,
        control: &'a Control,
        user: &'a User,
        running: &Running,
    ) -> Self {
        let schema = &model.schema;
        let access = Access::of(schema, running.configuration.root());
        let has_rules = access.is_enforced() && *user != User::Local;
        let access = match user {
            User::Local => None,
            User::Anonymous if !access.is_enforced() => {
                // The schema has all of it, as a test holds.
                let rules = json::read(schema, OF_ANONYMOUS.as_bytes(), &ReadOptions::default());
                Some(Access::of(schema, &rules.unwrap_or_default()))
            }
            User::Anonymous | User::Named(_) => Some(access),
        };
        Self {
            model,
            control,
            user,
            access,
            has_rules,
        }
    }

    /// Whether the configuration has rules for this user.
    pub(in crate::daemon::api) fn has_rules(&self) -> bool {
        self.has_rules
    }

    fn user(&self) -> access::User<'_> {
        match self.user {
            User::Named(name) => access::User::named(name),
            User::Anonymous | User::Local => access::User::default(),
        }
    }

    /// What may be read of a tree.
    pub(super) fn visible(&self, root: Children) -> Children {
        match &self.access {
            Some(access) if access.is_enforced() => {
                access.visible(&self.model.schema, self.user(), &root)
            }
            Some(_) | None => root,
        }
    }

    /// Whether an entry of a list of the configuration may be read.
    pub(in crate::daemon::api) fn shows(&self, list: &str, name: &str) -> bool {
        self.may_read(&self.model.path(list, Some(name)))
    }

    /// Whether a node may be read.
    pub(super) fn may_read(&self, path: &Path) -> bool {
        let access = self.access.as_ref().filter(|it| it.is_enforced());
        access.is_none_or(|access| access.may_read(&self.model.schema, self.user(), path))
    }

    /// Faults without what may not be read.
    pub(super) fn conceal(&self, faults: Vec<Fault>) -> Vec<Fault> {
        let Some(access) = self.access.as_ref().filter(|it| it.is_enforced()) else {
            return faults;
        };
        let faults = faults.into_iter();
        faults
            .map(|fault| access.conceal(&self.model.schema, self.user(), fault))
            .collect()
    }

    /// Refuses a change from one tree to another that the user may not make.
    pub(super) fn may_change(&self, from: &Children, to: &Children) -> Result<(), Refusal> {
        let Some(access) = self.access.as_ref().filter(|it| it.is_enforced()) else {
            return Ok(());
        };
        let schema = &self.model.schema;
        let changes: Vec<Change> = diff(schema, from, to);
        access
            .may_change(schema, self.user(), &changes)
            .map_err(|fault| {
                self.control.denied().add_data_write();
                Refusal::of_faults(vec![fault], schema)
            })
    }

    /// Refuses an action that the user may not run.
    pub(super) fn may_run(&self, action: &Path) -> Result<(), Refusal> {
        let schema = &self.model.schema;
        let Some(access) = &self.access else {
            return Ok(());
        };
        access
            .may_run(schema, self.user(), action)
            .map_err(|fault| {
                self.control.denied().add_operation();
                Refusal::of_faults(vec![fault], schema)
            })
    }

    /// Whether the user may be sent a notification.
    pub(super) fn may_notify(&self, notification: &Path) -> bool {
        let schema = &self.model.schema;
        let Some(access) = &self.access else {
            return true;
        };
        let may = access.may_notify(schema, self.user(), notification);
        if !may {
            self.control.denied().add_notification();
        }
        may
    }
}

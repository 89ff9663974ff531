//! What the user of a request may do (RFC 8341; RFC 8040 section 2.5).

use std::sync::{Arc, LazyLock};

use twinpath_yang::access::{self, Access};
use twinpath_yang::json::{self, ReadOptions};
use twinpath_yang::{Change, ChangeKind, Children, Data, Fault, NodeId, Path, Select, diff};

use super::refusal::Refusal;
use crate::daemon::api::State;
use crate::daemon::control::{Control, Running};
use crate::daemon::model::{Model, model};
use crate::daemon::places::Places;
use crate::http::User;

/// What users that showed nothing may change in the container of the configuration where that has no rules, but for what the
/// schema denies by default, such as key files. All else is closed to them, in every module.
const OPEN: [&str; 3] = ["defaults", "group", "session"];
/// The group of these users, where the configuration has no rules.
const ANONYMOUS: &[&str] = &["anonymous"];

/// Rules where a configuration has none, for users that showed nothing.
static OF_ANONYMOUS: LazyLock<Access> = LazyLock::new(|| model().map(closed).unwrap_or_default());

/// Rules that permit changes of what is [`OPEN`] alone.
fn closed(model: &Model) -> Access {
    let schema = &model.schema;
    let rule = |path: &Path| {
        let path = path.text(schema);
        serde_json::json!({
            "name": path, "path": path, "access-operations": "create update delete exec", "action": "deny",
        })
    };
    let top = Path::root();
    let main = top.join(model.roots.main, Select::All);
    let is_open = |node: &NodeId| OPEN.contains(&&*schema.node(*node).name);
    let others = schema.data_children(None).iter();
    let others = others.filter(|node| **node != model.roots.main);
    let within = schema.data_children(Some(model.roots.main)).iter();
    let within = within.filter(|node| !is_open(node));
    let paths = others.map(|node| top.join(*node, Select::All));
    let paths = paths.chain(within.map(|node| main.join(*node, Select::All)));
    let rules: Vec<serde_json::Value> = paths.map(|path| rule(&path)).collect();
    let rules = serde_json::json!({ "ietf-netconf-acm:nacm": {
        "enable-external-groups": true,
        "read-default": "permit", "write-default": "permit", "exec-default": "permit",
        "rule-list": [{ "name": "anonymous", "group": ANONYMOUS, "rule": rules }],
    } })
    .to_string();
    let rules = json::read(schema, rules.as_bytes(), &ReadOptions::default());
    // The schema has all of it, as a test holds; nothing may be changed otherwise.
    Access::of(schema, &rules.unwrap_or_else(|_| without_rules(model)))
}

/// The container of rules with none in it: what is not permitted by a rule is not changed.
fn without_rules(model: &Model) -> Children {
    let schema = &model.schema;
    let nacm = schema.child(None, schema.module_named(access::MODULE), "nacm");
    let mut root = Children::new();
    if let Some(nacm) = nacm {
        root.insert(nacm, Data::Container(Children::new()));
    }
    root
}

/// The rights of a user in a configuration.
pub(in crate::daemon::api) struct Rights<'a> {
    model: &'static Model,
    control: &'a Control,
    user: &'a User,
    running: &'a Running,
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
        running: &'a Running,
    ) -> Self {
        let schema = &model.schema;
        let access = Access::of(schema, running.configuration.root());
        let has_rules = access.is_enforced() && *user != User::Local;
        let access = match user {
            User::Local => None,
            User::Anonymous if !access.is_enforced() => Some(OF_ANONYMOUS.clone()),
            User::Anonymous | User::Named(_) => Some(access),
        };
        Self {
            model,
            control,
            user,
            running,
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
            User::Anonymous if !self.has_rules => access::User {
                name: None,
                groups: ANONYMOUS,
            },
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

    /// Whether an entry may be read, by the nodes of the configuration where it is.
    pub(in crate::daemon::api) fn shows(&self, kind: &str, name: &str) -> bool {
        let places = Places::of(self.model, self.control, self.running);
        !self.has_rules || places.show(kind, name, |path| self.may_read(path))
    }

    /// The state without alarms that name what the user may not read.
    pub(super) fn of_state(&self, state: Arc<State>) -> Arc<State> {
        if !self.has_rules {
            return state;
        }
        let mut shown = State::clone(&state);
        shown.retain_alarms(|kind, name| self.shows(kind, name));
        Arc::new(shown)
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

    /// Refuses data below a node that the user may neither read nor write, whether or not it changes something.
    pub(super) fn may_send(&self, at: &Path, data: &Children) -> Result<(), Refusal> {
        let Some(access) = self.access.as_ref().filter(|it| it.is_enforced()) else {
            return Ok(());
        };
        let schema = &self.model.schema;
        access
            .may_send(schema, self.user(), at, data)
            .map_err(|fault| {
                self.control.denied().add_data_write();
                Refusal::of_faults(vec![fault], schema)
            })
    }

    /// Whether the user may delete a node.
    pub(super) fn may_delete(&self, path: &Path) -> bool {
        let access = self.access.as_ref().filter(|it| it.is_enforced());
        let deleted = Change {
            path: path.clone(),
            kind: ChangeKind::Deleted(Data::Container(Children::new())),
        };
        access.is_none_or(|access| {
            let may = access.may_change(&self.model.schema, self.user(), &[deleted]);
            may.is_ok()
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

#[cfg(test)]
mod tests {
    use twinpath_yang::Kind;

    use super::*;

    /// A new subtree, in whichever module, is closed until it is on the list.
    #[test]
    fn users_that_showed_nothing_change_what_is_open_alone() {
        let model = model().unwrap();
        let (schema, main) = (&model.schema, model.roots.main);
        let user = access::User {
            name: None,
            groups: ANONYMOUS,
        };
        assert!(OF_ANONYMOUS.is_enforced() && OF_ANONYMOUS.ignored().is_empty());
        let may = |path: &Path| {
            let change = Change {
                path: path.clone(),
                kind: ChangeKind::Deleted(Data::Container(Children::new())),
            };
            OF_ANONYMOUS.may_change(schema, user, &[change]).is_ok()
        };
        let top = Path::root();
        let mut closed = 0;
        for node in schema.data_children(None) {
            let path = top.join(*node, Select::All);
            if *node != main {
                assert!(!may(&path), "{}", path.text(schema));
                for below in schema.data_children(Some(*node)) {
                    assert!(!may(&path.join(*below, Select::All)));
                    closed += 1;
                }
                continue;
            }
            for below in schema.data_children(Some(main)) {
                let path = path.join(*below, Select::All);
                let is_open =
                    ["defaults", "group", "session"].contains(&&*schema.node(*below).name);
                assert_eq!(may(&path), is_open, "{}", path.text(schema));
            }
        }
        assert!(closed > 10);
        let rules = OF_ANONYMOUS.clone();
        assert!(rules.may_read(schema, user, &model.path("store", None)));
        let nothing = Access::of(schema, &without_rules(model));
        assert!(nothing.is_enforced());
    }

    #[test]
    fn actions_are_those_of_sessions_alone() {
        let model = model().unwrap();
        let schema = &model.schema;
        let user = access::User {
            name: None,
            groups: ANONYMOUS,
        };
        let actions = schema.nodes();
        let actions = actions.filter(|(_, node)| matches!(node.kind, Kind::Action));
        for (action, node) in actions {
            let mut above = vec![action];
            while let Some(parent) = above.last().and_then(|it| schema.data_parent(*it)) {
                above.push(parent);
            }
            above.reverse();
            let mut path = Path::root();
            for node in &above {
                path.push(*node, Select::All);
            }
            let is_of_session = above.get(1) == model.child(model.roots.main, "session").as_ref();
            let may = OF_ANONYMOUS.may_run(schema, user, &path).is_ok();
            assert_eq!(may, is_of_session, "{}", node.name);
        }
    }
}

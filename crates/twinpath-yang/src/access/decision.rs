//! What one user may do.

use super::rule::{Right, Rule};
use super::{MODULE, Rules, User};
use crate::schema::{NodeId, Schema};
use crate::tree::{Select, Step};

/// The rules that apply to a user, in their order.
pub(super) struct Decision<'a> {
    pub(super) schema: &'a Schema,
    /// `None`: everything is permitted.
    applied: Option<Applied<'a>>,
}

struct Applied<'a> {
    all: &'a Rules,
    rules: Vec<&'a Rule>,
    name: Option<Box<str>>,
}

impl<'a> Decision<'a> {
    pub(super) fn new(schema: &'a Schema, rules: Option<&'a Rules>, user: User<'_>) -> Self {
        let applied = rules.map(|all| {
            let groups = groups(all, user);
            let lists = all.lists.iter().filter(|list| list.is_for(&groups));
            Applied {
                all,
                rules: lists.flat_map(|list| &list.rules).collect(),
                name: user.name.map(Into::into),
            }
        });
        Self { schema, applied }
    }

    /// Whether everything is permitted.
    pub(super) fn is_open(&self) -> bool {
        self.applied.is_none()
    }

    /// Whether the user has a right to the last node of some steps (RFC 8341 section 3.4.5).
    pub(super) fn permits(&self, right: Right, steps: &[Step]) -> bool {
        let (Some(applied), Some(last)) = (&self.applied, steps.last()) else {
            return true;
        };
        let node = self.schema.node(last.node);
        let module = &*self.schema.module(node.module).name;
        let user = User {
            name: applied.name.as_deref(),
            groups: &[],
        };
        let mut rules = applied.rules.iter();
        if let Some(rule) = rules.find(|rule| rule.is_of_node(module, right, user, steps)) {
            return rule.is_permit;
        }
        let is_denied = |keyword| self.has_mark(last.node, keyword);
        match right {
            Right::Read => !is_denied(DENY_ALL) && applied.all.defaults.read,
            Right::Exec => !is_denied(DENY_ALL) && applied.all.defaults.exec,
            Right::Create | Right::Update | Right::Delete => {
                !is_denied(DENY_ALL) && !is_denied(DENY_WRITE) && applied.all.defaults.write
            }
        }
    }

    /// How many of the steps lead to nodes that the user may read, each with all that it is below.
    pub(super) fn readable(&self, steps: &[Step]) -> usize {
        let ends = 1..=steps.len();
        let is_readable = |end: &usize| {
            let shown = steps.get(..*end).unwrap_or_default();
            self.permits(Right::Read, shown) && self.shows_keys(shown)
        };
        ends.take_while(is_readable).last().unwrap_or(0)
    }

    /// Whether the user may read the keys of an entry, without which it is not shown.
    pub(super) fn shows_keys(&self, steps: &[Step]) -> bool {
        let Some(Step {
            node,
            select: Select::Key(_),
        }) = steps.last()
        else {
            return true;
        };
        let keys = self
            .schema
            .node(*node)
            .list()
            .map(|list| list.keys.as_slice());
        let mut steps = steps.to_vec();
        keys.unwrap_or_default().iter().all(|key| {
            steps.push(Step {
                node: *key,
                select: Select::All,
            });
            let is_permitted = self.permits(Right::Read, &steps);
            steps.pop();
            is_permitted
        })
    }

    /// Whether the user may run an operation at the top (RFC 8341 section 3.4.4). `node`: its own, if the schema has it.
    pub(super) fn permits_rpc(&self, module: &str, name: &str, node: Option<NodeId>) -> bool {
        let Some(applied) = &self.applied else {
            return true;
        };
        if (module, name) == (NETCONF, "close-session") {
            return true;
        }
        let mut rules = applied.rules.iter();
        if let Some(rule) = rules.find(|rule| rule.is_of_rpc(module, name)) {
            return rule.is_permit;
        }
        let is_hard = module == NETCONF && matches!(name, "kill-session" | "delete-config");
        let is_marked = node.is_some_and(|node| self.has_mark(node, DENY_ALL));
        !is_marked && !is_hard && applied.all.defaults.exec
    }

    /// Whether the user may receive a notification of the top (RFC 8341 section 3.4.6).
    pub(super) fn permits_notification(&self, node: NodeId) -> bool {
        let Some(applied) = &self.applied else {
            return true;
        };
        let name = &self.schema.node(node).name;
        let module = &*self.schema.module(self.schema.node(node).module).name;
        if module == STREAMS && matches!(&**name, "replayComplete" | "notificationComplete") {
            return true;
        }
        let mut rules = applied.rules.iter();
        if let Some(rule) = rules.find(|rule| rule.is_of_notification(module, name)) {
            return rule.is_permit;
        }
        !self.has_mark(node, DENY_ALL) && applied.all.defaults.read
    }

    /// Whether a node, or one that it is below, has a statement of the module's extensions.
    fn has_mark(&self, node: NodeId, keyword: &str) -> bool {
        let above = |id: &NodeId| self.schema.node(*id).parent;
        let mut all = std::iter::successors(Some(node), above);
        all.any(|id| self.schema.node(id).extension(MODULE, keyword).is_some())
    }
}

/// The module of NETCONF's own operations.
pub(super) const NETCONF: &str = "ietf-netconf";
/// The module of notifications about subscriptions.
const STREAMS: &str = "nc-notifications";
const DENY_ALL: &str = "default-deny-all";
const DENY_WRITE: &str = "default-deny-write";

/// The groups of a user.
fn groups<'a>(rules: &'a Rules, user: User<'a>) -> Vec<&'a str> {
    let own = rules.groups.iter().filter(|(_, members)| {
        let mut members = members.iter();
        user.name
            .is_some_and(|name| members.any(|it| **it == *name))
    });
    let mut groups: Vec<&str> = own.map(|(group, _)| &**group).collect();
    if rules.has_external_groups {
        groups.extend(user.groups);
    }
    groups
}

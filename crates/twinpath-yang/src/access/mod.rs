//! Access control (RFC 8341): which users may read, change and run what, by the rules of `ietf-netconf-acm` in the tree itself.
//!
//! Without the container `nacm`, everything is permitted: a program that wants it otherwise refuses such a configuration
//! or puts one in. What needs no permission (a recovery session, `close-session`) does not ask.

mod changes;
mod counters;
mod decision;
mod load;
mod operations;
mod rule;
mod rule_path;
mod visible;

pub use counters::Counters;
pub use load::IgnoredRule;

use crate::fault::{Fault, FaultKind};
use crate::schema::Schema;
use crate::tree::{Children, Path};
use decision::Decision;
use rule::RuleList;

/// The module of the rules.
pub const MODULE: &str = "ietf-netconf-acm";

/// Who asks.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct User<'a> {
    /// Name that the transport authenticated; `None` for anonymous users, who are in no group of the configuration.
    pub name: Option<&'a str>,
    /// Groups that the transport reports, which count if `enable-external-groups` is true.
    pub groups: &'a [&'a str],
}

impl<'a> User<'a> {
    /// A user with a name, in the groups that the configuration has for it.
    pub fn named(name: &'a str) -> Self {
        Self {
            name: Some(name),
            groups: &[],
        }
    }

    /// What messages call it.
    fn shown(self) -> String {
        self.name
            .map_or_else(|| "an anonymous user".to_owned(), crate::value::shorten)
    }
}

/// The rules of one configuration.
#[derive(Clone, Debug, Default)]
pub struct Access {
    /// `None`: everything is permitted.
    rules: Option<Rules>,
    ignored: Vec<IgnoredRule>,
}

/// What `nacm` has.
#[derive(Clone, Debug)]
struct Rules {
    /// What applies where no rule does.
    defaults: Defaults,
    has_external_groups: bool,
    /// Members of groups.
    groups: Vec<(Box<str>, Vec<Box<str>>)>,
    lists: Vec<RuleList>,
}

/// Whether something is permitted where no rule matches.
#[derive(Clone, Copy, Debug)]
struct Defaults {
    read: bool,
    write: bool,
    exec: bool,
}

impl Access {
    /// The rules of a datastore's root. They do not follow later changes of it.
    pub fn of(schema: &Schema, root: &Children) -> Self {
        load::load(schema, root)
    }

    /// Whether rules are enforced; `false`: everything is permitted.
    pub fn is_enforced(&self) -> bool {
        self.rules.is_some()
    }

    /// Rules that match nothing, as the schema does not have their path.
    pub fn ignored(&self) -> &[IgnoredRule] {
        &self.ignored
    }

    /// Whether a user may read a node, and with it all nodes that it is below (RFC 8341 section 3.4.5). The node need not
    /// exist.
    pub fn may_read(&self, schema: &Schema, user: User<'_>, path: &Path) -> bool {
        let decision = self.decision(schema, user);
        decision.readable(path.steps()) == path.steps().len()
    }

    /// The part of a datastore, from its root, that a user may read (RFC 8341 section 3.2.4). A node that is not permitted
    /// is left out with all below it, permitted or not, and an entry whose key is not permitted too. Filters and modes of
    /// defaults: defaults are filled in before, filters are applied after.
    #[must_use]
    pub fn visible(&self, schema: &Schema, user: User<'_>, root: &Children) -> Children {
        visible::visible(&self.decision(schema, user), root)
    }

    /// A fault without what a user may not read: its path ends before that, and it does not say what is wrong. Whether a node
    /// that the user may not read exists is not said either: the fault is that access was denied.
    #[must_use]
    pub fn conceal(&self, schema: &Schema, user: User<'_>, fault: Fault) -> Fault {
        let steps = fault.path.steps();
        let decision = self.decision(schema, user);
        let shown = decision.readable(steps);
        if shown == steps.len() {
            return fault;
        }
        let mut path = Path::root();
        for step in steps.iter().take(shown) {
            path.push(step.node, step.select.clone());
        }
        if matches!(fault.kind, FaultKind::Exists | FaultKind::Absent) {
            return changes::denied(&decision, user, rule::Right::Update, steps);
        }
        let what = format!("a node that {} may not read is wrong then", user.shown());
        Fault::new(&path, fault.kind, what)
    }

    fn decision<'a>(&'a self, schema: &'a Schema, user: User<'_>) -> Decision<'a> {
        Decision::new(schema, self.rules.as_ref(), user)
    }
}

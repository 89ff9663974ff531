//! Rules, and what they match.

use super::User;
use super::rule_path::RulePath;
use crate::tree::Step;

/// What a user wants to do with a node (RFC 8341 section 3.2.2).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Right {
    Create,
    Read,
    Update,
    Delete,
    Exec,
}

impl Right {
    /// Its bit in `access-operations`.
    fn word(self) -> &'static str {
        match self {
            Self::Create => "create",
            Self::Read => "read",
            Self::Update => "update",
            Self::Delete => "delete",
            Self::Exec => "exec",
        }
    }
}

/// A `rule-list`.
#[derive(Clone, Debug)]
pub(super) struct RuleList {
    pub(super) groups: Vec<Box<str>>,
    pub(super) rules: Vec<Rule>,
}

impl RuleList {
    /// Whether it is for one of these groups.
    pub(super) fn is_for(&self, groups: &[&str]) -> bool {
        let mut own = self.groups.iter();
        own.any(|it| &**it == ANY && !groups.is_empty() || groups.contains(&&**it))
    }
}

/// What matches all names.
pub(super) const ANY: &str = "*";

/// A `rule`.
#[derive(Clone, Debug)]
pub(super) struct Rule {
    /// `*` or the name of a module.
    pub(super) module: Box<str>,
    pub(super) subject: Subject,
    /// Words of `access-operations`, among them `*`.
    pub(super) rights: Vec<Box<str>>,
    pub(super) is_permit: bool,
}

/// What a rule is about (the choice `rule-type`).
#[derive(Clone, Debug)]
pub(super) enum Subject {
    /// All.
    All,
    /// Operations with this name, or `*`.
    Rpc(Box<str>),
    /// Notifications with this name, or `*`.
    Notification(Box<str>),
    /// A node and all below it.
    Data(RulePath),
    /// A path that the schema does not have.
    Nothing,
}

impl Rule {
    fn is_of(&self, module: &str, right: Right) -> bool {
        let is_named = |name: &str| name == ANY || name == module;
        let mut rights = self.rights.iter();
        is_named(&self.module) && rights.any(|it| &**it == ANY || **it == *right.word())
    }

    /// Whether it is about a data node, or an action or notification among data.
    pub(super) fn is_of_node(
        &self,
        module: &str,
        right: Right,
        user: User<'_>,
        steps: &[Step],
    ) -> bool {
        let is_about = match &self.subject {
            Subject::All => true,
            Subject::Data(path) => path.leads_to(steps, user),
            Subject::Rpc(_) | Subject::Notification(_) | Subject::Nothing => false,
        };
        is_about && self.is_of(module, right)
    }

    /// Whether it is about an operation at the top.
    pub(super) fn is_of_rpc(&self, module: &str, name: &str) -> bool {
        let is_about = match &self.subject {
            Subject::All => true,
            Subject::Rpc(own) => **own == *ANY || **own == *name,
            Subject::Data(_) | Subject::Notification(_) | Subject::Nothing => false,
        };
        is_about && self.is_of(module, Right::Exec)
    }

    /// Whether it is about a notification at the top.
    pub(super) fn is_of_notification(&self, module: &str, name: &str) -> bool {
        let is_about = match &self.subject {
            Subject::All => true,
            Subject::Notification(own) => **own == *ANY || **own == *name,
            Subject::Data(_) | Subject::Rpc(_) | Subject::Nothing => false,
        };
        is_about && self.is_of(module, Right::Read)
    }
}

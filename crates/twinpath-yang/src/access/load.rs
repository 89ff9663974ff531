//! Rules from a tree.

use super::rule::{ANY, Rule, RuleList, Subject};
use super::rule_path::RulePath;
use super::{Access, Defaults, MODULE, Rules};
use crate::schema::{NodeId, Schema};
use crate::tree::{Children, Data, Path, Select};
use crate::value::{Value, shorten};

/// A rule that matches nothing, as the schema does not have its path.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct IgnoredRule {
    /// Name of its rule-list.
    pub rule_list: Box<str>,
    /// Its name.
    pub rule: Box<str>,
    /// Why: what the schema does not have.
    pub what: String,
}

pub(super) fn load(schema: &Schema, root: &Children) -> Access {
    let module = schema.module_named(MODULE);
    let nacm = module.and_then(|module| schema.child(None, Some(module), "nacm"));
    let Some((id, Data::Container(content))) = nacm.and_then(|id| Some((id, root.get(id)?))) else {
        return Access::default();
    };
    let reader = Reader {
        schema,
        root,
        nacm: id,
    };
    if !reader.is("enable-nacm", "true") {
        return Access::default();
    }
    let defaults = Defaults {
        read: reader.is("read-default", "permit"),
        write: reader.is("write-default", "permit"),
        exec: reader.is("exec-default", "permit"),
    };
    let nacm = Node {
        schema,
        id,
        content,
    };
    let mut ignored = Vec::new();
    let lists = nacm.entries("rule-list");
    let lists = lists.map(|list| rule_list(&list, &mut ignored)).collect();
    let groups = nacm.container("groups").map(|groups| members(&groups));
    Access {
        rules: Some(Rules {
            defaults,
            has_external_groups: reader.is("enable-external-groups", "true"),
            groups: groups.unwrap_or_default(),
            lists,
        }),
        ignored,
    }
}

/// Leaves of `nacm`, with their defaults.
struct Reader<'a> {
    schema: &'a Schema,
    root: &'a Children,
    nacm: NodeId,
}

impl Reader<'_> {
    fn is(&self, name: &str, word: &str) -> bool {
        let Some(leaf) = self.schema.child(Some(self.nacm), None, name) else {
            return false;
        };
        let mut path = Path::root();
        path.push(self.nacm, Select::All);
        path.push(leaf, Select::All);
        let value = self.root.value(self.schema, &path);
        value.is_some_and(|value| self.schema.text(value) == word)
    }
}

/// A container or entry.
struct Node<'a> {
    schema: &'a Schema,
    id: NodeId,
    content: &'a Children,
}

impl<'a> Node<'a> {
    fn get(&self, name: &str) -> Option<(NodeId, &'a Data)> {
        let id = self.schema.child(Some(self.id), None, name)?;
        Some((id, self.content.get(id)?))
    }

    fn container(&self, name: &str) -> Option<Self> {
        let (id, data) = self.get(name)?;
        let content = data.container()?;
        Some(Self {
            id,
            content,
            ..*self
        })
    }

    fn entries(&self, name: &str) -> impl Iterator<Item = Self> + use<'a> {
        let (schema, found) = (self.schema, self.get(name));
        let entries = found.and_then(|(id, data)| Some((id, data.entries()?)));
        let entries = entries.into_iter();
        entries.flat_map(move |(id, entries)| {
            entries.values().map(move |content| Self {
                schema,
                id,
                content,
            })
        })
    }

    fn text(&self, name: &str) -> Option<Box<str>> {
        let (_, data) = self.get(name)?;
        data.leaf().and_then(Value::as_str).map(Into::into)
    }

    fn texts(&self, name: &str) -> Vec<Box<str>> {
        let values = self.get(name).and_then(|(_, data)| data.values());
        let values = values.unwrap_or_default().iter();
        values.filter_map(Value::as_str).map(Into::into).collect()
    }
}

fn members(groups: &Node<'_>) -> Vec<(Box<str>, Vec<Box<str>>)> {
    let groups = groups.entries("group");
    groups
        .map(|group| {
            (
                group.text("name").unwrap_or_default(),
                group.texts("user-name"),
            )
        })
        .collect()
}

fn rule_list(list: &Node<'_>, ignored: &mut Vec<IgnoredRule>) -> RuleList {
    let rules = list.entries("rule").map(|rule| {
        let subject = subject(&rule).unwrap_or_else(|what| {
            ignored.push(IgnoredRule {
                rule_list: list.text("name").unwrap_or_default(),
                rule: rule.text("name").unwrap_or_default(),
                what,
            });
            Subject::Nothing
        });
        Rule {
            module: rule.text("module-name").unwrap_or_else(|| ANY.into()),
            subject,
            rights: rights(&rule),
            is_permit: rule.text("action").as_deref() == Some("permit"),
        }
    });
    RuleList {
        groups: list.texts("group"),
        rules: rules.collect(),
    }
}

fn subject(rule: &Node<'_>) -> Result<Subject, String> {
    if let Some(name) = rule.text("rpc-name") {
        return Ok(Subject::Rpc(name));
    }
    if let Some(name) = rule.text("notification-name") {
        return Ok(Subject::Notification(name));
    }
    match rule.text("path") {
        None => Ok(Subject::All),
        Some(path) => RulePath::parse(rule.schema, &path)
            .map(Subject::Data)
            .map_err(|error| format!("path {}: {error}", shorten(path.trim()))),
    }
}

fn rights(rule: &Node<'_>) -> Vec<Box<str>> {
    match rule
        .get("access-operations")
        .and_then(|(_, data)| data.leaf())
    {
        Some(Value::Bits(words)) => words.iter().map(|word| (&**word).into()).collect(),
        Some(_) | None => vec![ANY.into()],
    }
}

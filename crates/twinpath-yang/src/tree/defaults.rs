//! Defaults (RFC 7950 sections 7.6.1 and 7.7.2), and what to show of them (RFC 6243).

use super::evaluate::Context;
use super::{Children, Data, Scope};
use crate::schema::{Kind, NodeId, Schema};
use crate::value::Value;

/// What to show of defaults (RFC 6243 section 3).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum DefaultsMode {
    /// All values, also defaults that were not set.
    ReportAll,
    /// No value that equals its default.
    Trim,
    /// What was set.
    Explicit,
}

/// The default of a leaf.
pub(super) fn of_leaf(schema: &Schema, id: NodeId) -> Option<&Value> {
    if let Kind::Leaf { default, .. } = &schema.node(id).kind {
        default.as_ref()
    } else {
        None
    }
}

/// The defaults of a leaf or leaf-list.
pub(super) fn values(schema: &Schema, id: NodeId) -> &[Value] {
    let kind = &schema.node(id).kind;
    if let Kind::Leaf { default, .. } = kind {
        default.as_slice()
    } else if let Kind::LeafList { defaults, .. } = kind {
        defaults
    } else {
        &[]
    }
}

/// The default of a leaf or leaf-list as data.
fn as_data(schema: &Schema, id: NodeId) -> Option<Data> {
    let kind = &schema.node(id).kind;
    if let Kind::Leaf { default, .. } = kind {
        return default.clone().map(Data::Leaf);
    }
    let defaults = values(schema, id);
    (!defaults.is_empty()).then(|| Data::LeafList(defaults.to_vec()))
}

impl Children {
    /// The data of a datastore's root as a mode of defaults shows it. `scope`: whether defaults of state are shown too.
    #[must_use]
    pub fn with_defaults(&self, schema: &Schema, mode: DefaultsMode, scope: Scope) -> Self {
        match mode {
            DefaultsMode::Explicit => self.clone(),
            DefaultsMode::ReportAll => {
                let mut filling = Filling {
                    context: Context::new(schema, self),
                    scope,
                };
                filling.level(None)
            }
            DefaultsMode::Trim => trim(schema, self),
        }
    }
}

struct Filling<'a> {
    context: Context<'a>,
    scope: Scope,
}

impl<'a> Filling<'a> {
    fn level(&mut self, of: Option<NodeId>) -> Children {
        let mut filled = Children::new();
        let schema = self.context.schema;
        for id in schema.data_children(of) {
            let data = self.context.here().and_then(|here| here.get(*id));
            let is_shown = self.scope == Scope::All || schema.node(*id).is_config;
            let full = match data {
                Some(data) => Some(self.data(*id, data)),
                None if is_shown && self.context.is_in_use(*id) => self.absent(*id),
                None => None,
            };
            if let Some(full) = full {
                filled.insert(*id, full);
            }
        }
        filled
    }

    fn within(&mut self, id: NodeId, children: Option<&'a Children>) -> Children {
        self.context.push(children);
        let filled = self.level(Some(id));
        self.context.pop();
        filled
    }

    fn data(&mut self, id: NodeId, data: &'a Data) -> Data {
        match data {
            Data::Leaf(_) | Data::LeafList(_) | Data::Any(_) => data.clone(),
            Data::Container(children) => Data::Container(self.within(id, Some(children))),
            Data::List(entries) => {
                let filled = entries.iter();
                let filled = filled.map(|(key, entry)| (key.clone(), self.within(id, Some(entry))));
                Data::List(filled.collect())
            }
            Data::Keyless(entries) => {
                let filled = entries.iter().map(|entry| self.within(id, Some(entry)));
                Data::Keyless(filled.collect())
            }
        }
    }

    fn absent(&mut self, id: NodeId) -> Option<Data> {
        if self.context.schema.node(id).is_plain_container() {
            let filled = self.within(id, None);
            return (!filled.is_empty()).then_some(Data::Container(filled));
        }
        as_data(self.context.schema, id)
    }
}

/// Without the values that equal their defaults; keys have none.
fn trim(schema: &Schema, children: &Children) -> Children {
    let mut left = Children::new();
    for (id, data) in children.iter() {
        let data = match data {
            Data::Leaf(_) | Data::LeafList(_) => {
                if as_data(schema, id).as_ref() == Some(data) {
                    continue;
                }
                data.clone()
            }
            Data::Any(_) => data.clone(),
            Data::Container(children) => {
                let inner = trim(schema, children);
                if inner.is_empty() && schema.node(id).is_plain_container() {
                    continue;
                }
                Data::Container(inner)
            }
            Data::List(entries) => {
                let entries = entries.iter();
                Data::List(
                    entries
                        .map(|(key, entry)| (key.clone(), trim(schema, entry)))
                        .collect(),
                )
            }
            Data::Keyless(entries) => {
                Data::Keyless(entries.iter().map(|entry| trim(schema, entry)).collect())
            }
        };
        left.insert(id, data);
    }
    left
}

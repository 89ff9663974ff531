//! Data: nodes with values, of one schema.

mod defaults;
mod evaluate;
mod path;
pub(crate) mod syntax;
mod validate;

pub use defaults::DefaultsMode;
pub use path::{Path, Select, Step};
pub use syntax::PathError;
pub(crate) use syntax::key_predicates;
pub use validate::{Scope, validate, validate_below};

use indexmap::IndexMap;

use evaluate::Context;
pub(crate) use evaluate::present;

use crate::schema::{NodeId, Schema};
use crate::value::Value;

/// Values of an entry's keys, in the order of the list's `key` statement.
pub type Key = Box<[Value]>;

/// The data nodes below a node, or below the root of a datastore. Two are equal if they hold the same data, whatever the
/// order in which it was put in.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Children(IndexMap<NodeId, Data>);

/// A data node, or all entries of a list or leaf-list.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Data {
    /// A leaf.
    Leaf(Value),
    /// Values of a leaf-list, in order; those of configuration differ from each other.
    LeafList(Vec<Value>),
    /// A container, or the input or output of an operation.
    Container(Children),
    /// Entries of a list by their keys, in order. The key leaves are among the children too.
    List(IndexMap<Key, Children>),
    /// Entries of a list without keys.
    Keyless(Vec<Children>),
    /// Content of an `anydata` node.
    Any(serde_json::Value),
}

impl Data {
    /// Whether there is no entry, or nothing in a container.
    pub fn is_empty(&self) -> bool {
        match self {
            Self::Leaf(_) | Self::Any(_) => false,
            Self::LeafList(values) => values.is_empty(),
            Self::Container(children) => children.is_empty(),
            Self::List(entries) => entries.is_empty(),
            Self::Keyless(entries) => entries.is_empty(),
        }
    }

    /// The value of a leaf.
    pub fn leaf(&self) -> Option<&Value> {
        if let Self::Leaf(value) = self {
            Some(value)
        } else {
            None
        }
    }

    /// The values of a leaf-list.
    pub fn values(&self) -> Option<&[Value]> {
        if let Self::LeafList(values) = self {
            Some(values)
        } else {
            None
        }
    }

    /// The content of a container.
    pub fn container(&self) -> Option<&Children> {
        if let Self::Container(children) = self {
            Some(children)
        } else {
            None
        }
    }

    /// The entries of a list with keys.
    pub fn entries(&self) -> Option<&IndexMap<Key, Children>> {
        if let Self::List(entries) = self {
            Some(entries)
        } else {
            None
        }
    }
}

impl Children {
    /// No data.
    pub fn new() -> Self {
        Self::default()
    }

    /// Whether there is no data.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// The data of a node.
    pub fn get(&self, node: NodeId) -> Option<&Data> {
        self.0.get(&node)
    }

    /// The data of a node, to change.
    pub fn get_mut(&mut self, node: NodeId) -> Option<&mut Data> {
        self.0.get_mut(&node)
    }

    /// Sets the data of a node; returns what was there.
    pub fn insert(&mut self, node: NodeId, data: Data) -> Option<Data> {
        self.0.insert(node, data)
    }

    /// Removes a node; returns what was there.
    pub fn remove(&mut self, node: NodeId) -> Option<Data> {
        self.0.shift_remove(&node)
    }

    /// All nodes, in the order in which they were put in. [`Children::ordered`] has that of the schema.
    pub fn iter(&self) -> impl Iterator<Item = (NodeId, &Data)> {
        self.0.iter().map(|(id, data)| (*id, data))
    }

    /// All nodes in schema order, the canonical one; `of`: the node that they are below.
    pub fn ordered<'a>(
        &'a self,
        schema: &'a Schema,
        of: Option<NodeId>,
    ) -> impl Iterator<Item = (NodeId, &'a Data)> {
        let ids = schema.data_children(of).iter();
        ids.filter_map(|id| Some((*id, self.get(*id)?)))
    }

    /// The content of a container; made if it is absent, `None` if the node is not a container.
    pub fn container_mut(&mut self, node: NodeId) -> Option<&mut Self> {
        let made = || Data::Container(Self::new());
        match self.0.entry(node).or_insert_with(made) {
            Data::Container(children) => Some(children),
            Data::Leaf(_) | Data::LeafList(_) | Data::List(_) | Data::Keyless(_) | Data::Any(_) => {
                None
            }
        }
    }

    /// The entries of a list with keys; made if it is absent, `None` if the node is not such a list.
    pub fn entries_mut(&mut self, node: NodeId) -> Option<&mut IndexMap<Key, Self>> {
        let made = || Data::List(IndexMap::new());
        match self.0.entry(node).or_insert_with(made) {
            Data::List(entries) => Some(entries),
            Data::Leaf(_)
            | Data::LeafList(_)
            | Data::Container(_)
            | Data::Keyless(_)
            | Data::Any(_) => None,
        }
    }

    /// The children that hold the last step of a path, here called the root; `None` if a node on the way is absent.
    fn above(&self, path: &Path) -> Option<&Self> {
        let steps = path.steps();
        let (_, above) = steps.split_last()?;
        above.iter().try_fold(self, |at, step| at.step(step))
    }

    fn step(&self, step: &Step) -> Option<&Self> {
        match (self.get(step.node)?, &step.select) {
            (Data::Container(children), Select::All) => Some(children),
            (Data::List(entries), Select::Key(key)) => entries.get(key),
            (Data::Keyless(entries), Select::Position(at)) => entries.get(at.checked_sub(1)?),
            (
                Data::Leaf(_)
                | Data::LeafList(_)
                | Data::Container(_)
                | Data::List(_)
                | Data::Keyless(_)
                | Data::Any(_),
                _,
            ) => None,
        }
    }

    /// The content of the container or entry that a path leads to; of the empty path these children.
    pub fn content(&self, path: &Path) -> Option<&Self> {
        path.steps().iter().try_fold(self, |at, step| at.step(step))
    }

    /// The data that a path leads to; of an entry see [`Children::content`].
    pub fn data(&self, path: &Path) -> Option<&Data> {
        let last = path.steps().last()?;
        let data = self.above(path)?.get(last.node)?;
        matches!(last.select, Select::All).then_some(data)
    }

    /// Whether the node that a path leads to is there.
    pub fn has(&self, path: &Path) -> bool {
        let Some(last) = path.steps().last() else {
            return true;
        };
        let data = self.above(path).and_then(|above| above.get(last.node));
        match (&last.select, data) {
            (_, None) => false,
            (Select::All, Some(_)) => true,
            (Select::Value(value), Some(Data::LeafList(values))) => values.contains(value),
            (Select::Key(_) | Select::Position(_) | Select::Value(_), Some(_)) => {
                self.content(path).is_some()
            }
        }
    }

    /// The value of the leaf that a path leads to: its own, else its default where that applies (RFC 7950 section
    /// 7.6.1).
    pub fn value<'a>(&'a self, schema: &'a Schema, path: &Path) -> Option<&'a Value> {
        let (last, above) = path.steps().split_last()?;
        let mut around = Context::new(schema, self);
        for step in above {
            let content = around.here().and_then(|at| at.step(step));
            if content.is_none() && !schema.node(step.node).is_plain_container() {
                return None;
            }
            if content.is_none() && !around.is_in_use(step.node) {
                return None;
            }
            around.push(content);
        }
        let set = around.here().and_then(|at| at.get(last.node));
        match set.and_then(Data::leaf) {
            Some(value) => Some(value),
            None if around.is_in_use(last.node) => defaults::of_leaf(schema, last.node),
            None => None,
        }
    }
}

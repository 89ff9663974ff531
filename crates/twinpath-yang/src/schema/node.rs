//! Nodes of a schema.

use super::{Condition, ModuleId, NodeId, Type};
use crate::value::Value;

/// A node: data, a choice, a case, or an operation.
#[derive(Clone, Debug)]
pub struct Node {
    /// Name within its module.
    pub name: Box<str>,
    /// Module of its namespace: for nodes of a grouping, the one that uses it.
    pub module: ModuleId,
    /// The node that it is written in; `None` at the top.
    pub parent: Option<NodeId>,
    /// What it is.
    pub kind: Kind,
    /// Whether it is configuration; `false` for state and within operations and notifications.
    pub is_config: bool,
    /// Text of its `description`.
    pub description: Option<Box<str>>,
    /// Whether it is still to be used.
    pub status: Status,
    /// Statements of extensions on it.
    pub extensions: Vec<Extension>,
    /// Conditions under which it exists, all of them.
    pub when: Vec<When>,
    /// Conditions that its data must meet.
    pub must: Vec<Must>,
    /// Module whose text declares it.
    pub source: ModuleId,
    /// Line of that text, from 1.
    pub line: usize,
    pub(super) children: Vec<NodeId>,
    pub(super) data: Vec<NodeId>,
}

impl Node {
    /// The argument of an extension statement, by the name of its module and its keyword.
    pub fn extension(&self, module: &str, keyword: &str) -> Option<Option<&str>> {
        let mut all = self.extensions.iter();
        all.find(|it| &*it.module == module && &*it.keyword == keyword)
            .map(|it| it.argument.as_deref())
    }

    /// Whether it is a container without `presence`, which exists by its content alone.
    pub fn is_plain_container(&self) -> bool {
        matches!(self.kind, Kind::Container { presence: false })
    }

    /// What a list has beside its nodes.
    pub fn list(&self) -> Option<&List> {
        if let Kind::List(list) = &self.kind {
            Some(list)
        } else {
            None
        }
    }
}

/// What a node is.
#[derive(Clone, Debug)]
pub enum Kind {
    /// A container.
    Container {
        /// Whether its existence says something by itself (RFC 7950 section 7.5.1).
        presence: bool,
    },
    /// A list.
    List(List),
    /// A leaf.
    Leaf {
        /// Type of its value.
        ty: Type,
        /// Value that applies where it is absent.
        default: Option<Value>,
        /// Whether it must exist; always for keys.
        mandatory: bool,
        /// Unit of its value.
        units: Option<Box<str>>,
    },
    /// A leaf-list.
    LeafList {
        /// Type of its values.
        ty: Type,
        /// Values that apply where there are none.
        defaults: Vec<Value>,
        /// Whether users order its values.
        user_ordered: bool,
        /// Values, at least.
        min: u64,
        /// Values, at most.
        max: Option<u64>,
        /// Unit of its values.
        units: Option<Box<str>>,
    },
    /// A choice, which has cases.
    Choice {
        /// The case whose defaults apply where no case is chosen.
        default: Option<NodeId>,
        /// Whether one of its cases must exist.
        mandatory: bool,
    },
    /// A case of a choice.
    Case,
    /// Data without a schema.
    Anydata {
        /// Whether it must exist.
        mandatory: bool,
        /// Whether it is `anyxml`, which any value of JSON can be (RFC 7951 section 5.6).
        is_xml: bool,
    },
    /// An operation at the top.
    Rpc,
    /// An operation of a container or of a list's entry.
    Action,
    /// Parameters of an operation.
    Input,
    /// Results of an operation.
    Output,
    /// A notification.
    Notification,
}

impl Kind {
    /// The type of a leaf or leaf-list.
    pub fn leaf_type(&self) -> Option<&Type> {
        if let Self::Leaf { ty, .. } | Self::LeafList { ty, .. } = self {
            Some(ty)
        } else {
            None
        }
    }

    pub(super) fn leaf_type_mut(&mut self) -> Option<&mut Type> {
        if let Self::Leaf { ty, .. } | Self::LeafList { ty, .. } = self {
            Some(ty)
        } else {
            None
        }
    }
}

/// What a list has beside its nodes (RFC 7950 section 7.8).
#[derive(Clone, Debug, Default)]
pub struct List {
    /// Leaves that identify an entry; empty for some lists of state.
    pub keys: Vec<NodeId>,
    /// Sets of leaves that no two entries share; each leaf as a path of nodes below the entry.
    pub unique: Vec<Vec<Vec<NodeId>>>,
    /// Whether users order its entries.
    pub user_ordered: bool,
    /// Entries, at least.
    pub min: u64,
    /// Entries, at most.
    pub max: Option<u64>,
}

/// A statement of an extension on a node (RFC 7950 section 6.3.1).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Extension {
    /// Name of the module that defines it.
    pub module: Box<str>,
    /// Its name in that module.
    pub keyword: Box<str>,
    /// Its argument.
    pub argument: Option<Box<str>>,
}

/// Whether a node is still to be used (RFC 7950 section 7.21.2).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Default)]
pub enum Status {
    /// In use.
    #[default]
    Current,
    /// Not for new data.
    Deprecated,
    /// No longer in use.
    Obsolete,
}

/// A condition under which a node exists (RFC 7950 section 7.21.5).
#[derive(Clone, Debug)]
pub struct When {
    /// The condition.
    pub condition: Condition,
    /// Whether paths begin at the data node above, as in `uses` and `augment`; else at the node itself.
    pub is_of_parent: bool,
}

/// A condition that data must meet (RFC 7950 section 7.5.3).
#[derive(Clone, Debug)]
pub struct Must {
    /// The condition, whose paths begin at the node.
    pub condition: Condition,
    /// As it is written.
    pub text: Box<str>,
    /// Message that the module gives for it.
    pub message: Option<Box<str>>,
    /// Value of `error-app-tag`.
    pub app_tag: Option<Box<str>>,
}

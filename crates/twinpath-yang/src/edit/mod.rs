//! Edits of configuration: those of NETCONF (RFC 6241 section 7.2) and of RESTCONF (RFC 8040 sections 4.4 to 4.7).
//!
//! An edit makes a new tree and leaves the old one as it is, so what is refused changes nothing. Values fit their types;
//! what else must hold of the new tree is for [`crate::validate`].

mod editor;
mod nodes;
mod ordered;
mod restconf;

pub use restconf::{delete, patch, place, post, put};

use crate::diff::{Change, ChangeKind, Place};
use crate::fault::Fault;
use crate::schema::{NodeId, Schema};
use crate::tree::{Children, Data, Scope, Select};
use editor::Editor;

/// Entries that one edit puts at places that it names, at most.
pub const MAX_PLACED: usize = 10_000;

/// What an edit does with a node (RFC 6241 section 7.2).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Operation {
    /// Sets what the edit has, and keeps what else is there.
    Merge,
    /// Sets what the edit has, and deletes what else is there.
    Replace,
    /// As [`Operation::Merge`], if the node is not there.
    Create,
    /// Deletes the node, which must be there.
    Delete,
    /// Deletes the node if it is there.
    Remove,
    /// Nothing; the node must be there. As the default operation only: an edit gives no node this.
    None,
}

/// A node of an edit.
#[derive(Clone, Debug, PartialEq)]
pub struct EditNode {
    /// The node.
    pub node: NodeId,
    /// The key of an entry, or the value of a leaf-list.
    pub select: Select,
    /// What to do with it; `None`: as with the node around it.
    pub operation: Option<Operation>,
    /// Where to put an entry of a list that users order.
    pub place: Option<Place>,
    /// What it has.
    pub content: EditContent,
}

/// What a node of an edit has.
#[derive(Clone, Debug, PartialEq)]
pub enum EditContent {
    /// Nothing: a value of a leaf-list, which is in [`EditNode::select`], and what is deleted.
    Nothing,
    /// The value of a leaf, of an `anydata` node, or of state that nothing identifies.
    Data(Data),
    /// Nodes of a container or entry. Key leaves may be left out.
    Nodes(Vec<EditNode>),
}

/// The tree that an edit makes of another. `default` is for nodes without an operation: [`Operation::Replace`] replaces the
/// whole tree.
///
/// # Errors
///
/// The first fault: RFC 6241 section 7.2, RFC 7950 sections 7.7.9, 7.8.6 and 8.3.
pub fn edit(
    schema: &Schema,
    root: &Children,
    nodes: &[EditNode],
    default: Operation,
) -> Result<Children, Fault> {
    let mut edited = if default == Operation::Replace {
        Children::new()
    } else {
        root.clone()
    };
    Editor::new(schema, Scope::Config).level(None, &mut edited, nodes, default)?;
    Ok(edited)
}

/// The tree that changes make of another, in their order.
///
/// # Errors
///
/// The first change that the tree does not have: a node to delete that is not there, or one to create that is.
pub fn apply(schema: &Schema, root: &Children, changes: &[Change]) -> Result<Children, Fault> {
    let mut nodes = Vec::new();
    for change in changes {
        if let Some(node) = EditNode::of_change(schema, change) {
            add(&mut nodes, node);
        }
    }
    let mut edited = root.clone();
    Editor::new(schema, Scope::All).level(None, &mut edited, &nodes, Operation::None)?;
    Ok(edited)
}

/// Adds a node with those above it, which it shares with the one before where they are the same.
fn add(nodes: &mut Vec<EditNode>, mut node: EditNode) {
    let last = nodes.last_mut().filter(|last| {
        let is_above = last.operation.is_none() && node.operation.is_none();
        is_above && last.node == node.node && last.select == node.select
    });
    if let Some(last) = last
        && let EditContent::Nodes(shared) = &mut last.content
        && let EditContent::Nodes(below) = &mut node.content
    {
        for node in below.drain(..) {
            add(shared, node);
        }
        return;
    }
    nodes.push(node);
}

impl EditNode {
    /// The edit of a change; `None` for the root, which no change is of.
    fn of_change(schema: &Schema, change: &Change) -> Option<Self> {
        let last = change.path.steps().last()?;
        let content = |data: &Data| Self::content(schema, &last.select, data);
        let (operation, place, content) = match &change.kind {
            ChangeKind::Created { data, place } => {
                (Operation::Create, place.clone(), content(data))
            }
            ChangeKind::Deleted(_) => (Operation::Delete, None, EditContent::Nothing),
            ChangeKind::Replaced { to, .. } => (Operation::Replace, None, content(to)),
            ChangeKind::Moved(place) => {
                (Operation::Merge, Some(place.clone()), EditContent::Nothing)
            }
        };
        let node = Self {
            node: last.node,
            select: last.select.clone(),
            operation: Some(operation),
            place,
            content,
        };
        Some(node.below(change.path.steps()))
    }
}

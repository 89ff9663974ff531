//! TOML, as people write configuration.
//!
//! The root of a file is one container; further tables at the top are other containers ([`Roots`]). Keys are names of
//! nodes, without modules where that is unambiguous, else `"module:name"`. Containers are tables, lists arrays of tables, leaf-lists arrays. A list with
//! one key and one other leaf called `value` is a table: `labels = { site = "fra" }`. A key on which a module has an
//! extension statement `position` may be left out: it is the entry's place, from 1. So may one with `named-by LEAF`: it
//! is the value of that leaf of the entry.

mod fit;
mod lines;
mod read;
mod update;
mod write;

pub use lines::{Document, FileFault, Place};
pub use read::Reader;
pub use update::update;
pub use write::write;

use crate::schema::{Kind, NodeId, Schema};

/// Octets of a file, at most.
pub const MAX_TEXT: usize = 4 << 20;

/// Which containers a file has.
#[derive(Clone, Debug)]
pub struct Roots {
    /// The container of the keys at the top.
    pub main: NodeId,
    /// Further containers, by the names of their tables.
    pub tables: Vec<(Box<str>, NodeId)>,
}

/// Key and value of a list that is written as a table.
pub(crate) fn table_form(schema: &Schema, list: NodeId) -> Option<(NodeId, NodeId)> {
    let [key] = schema.node(list).list()?.keys.as_slice() else {
        return None;
    };
    match schema.data_children(Some(list)) {
        [one, other] => {
            let value = if one == key { *other } else { *one };
            let node = schema.node(value);
            let is_value = &*node.name == "value" && matches!(node.kind, Kind::Leaf { .. });
            is_value.then_some((*key, value))
        }
        _ => None,
    }
}

/// Whether a key is the place of its entry.
fn is_position(schema: &Schema, key: NodeId) -> bool {
    let mut extensions = schema.node(key).extensions.iter();
    extensions.any(|it| &*it.keyword == "position")
}

/// The leaf whose value is a key that is left out.
fn named_by(schema: &Schema, key: NodeId) -> Option<NodeId> {
    let node = schema.node(key);
    let mut extensions = node.extensions.iter();
    let extension = extensions.find(|it| &*it.keyword == "named-by")?;
    schema.child(node.parent, None, extension.argument.as_deref()?)
}

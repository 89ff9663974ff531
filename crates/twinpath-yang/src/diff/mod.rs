//! How two trees of one schema differ, change by change, and in lines for people.

mod line;
mod order;

pub use line::line;

use std::collections::HashSet;

use indexmap::IndexMap;

use crate::schema::{Kind, NodeId, Schema};
use crate::tree::{Children, Data, Key, Path, Select, present};
use crate::value::Value;
use order::moved;

/// One difference.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Change {
    /// The node that differs: a leaf, a value of a leaf-list, an entry, a container with `presence`.
    pub path: Path,
    /// How it differs.
    pub kind: ChangeKind,
}

/// How a node differs. Data of an entry is a [`Data::Container`], and that of a value of a leaf-list a [`Data::Leaf`].
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum ChangeKind {
    /// It was not there, nor anything below it.
    Created {
        /// All that it has.
        data: Data,
        /// Where it is, if users order its list.
        place: Option<Place>,
    },
    /// It is no longer there; all that it had.
    Deleted(Data),
    /// Its value differs: of a leaf, of `anydata`, and of a list or leaf-list whose entries nothing identifies.
    Replaced {
        /// The value that it had.
        from: Data,
        /// The value that it has.
        to: Data,
    },
    /// It has another place in a list that users order.
    Moved(Place),
}

/// A place in a list or leaf-list that users order (RFC 7950 sections 7.7.9 and 7.8.6).
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Place {
    /// Before all others.
    First,
    /// After all others.
    Last,
    /// Before this entry.
    Before(Select),
    /// After this entry.
    After(Select),
}

/// What changes if `from` becomes `to`, in schema order. A container without `presence` exists by its content alone, so what
/// it has is listed. Made in their order, the changes lead from one tree to the other; no more entries are moved than must be.
pub fn diff(schema: &Schema, from: &Children, to: &Children) -> Vec<Change> {
    let mut comparison = Comparison {
        schema,
        none: &Children::new(),
        no_entries: &IndexMap::new(),
        path: Path::root(),
        changes: Vec::new(),
    };
    comparison.level(None, from, to);
    comparison.changes
}

struct Comparison<'a> {
    schema: &'a Schema,
    none: &'a Children,
    no_entries: &'a IndexMap<Key, Children>,
    path: Path,
    changes: Vec<Change>,
}

impl<'a> Comparison<'a> {
    fn change(&mut self, node: NodeId, select: Select, kind: ChangeKind) {
        let path = self.path.join(node, select);
        self.changes.push(Change { path, kind });
    }

    fn level(&mut self, of: Option<NodeId>, from: &'a Children, to: &'a Children) {
        for id in self.schema.data_children(of) {
            let from = present(self.schema, Some(from), *id);
            let to = present(self.schema, Some(to), *id);
            if from.is_some() || to.is_some() {
                self.node(*id, from, to);
            }
        }
    }

    fn within(&mut self, id: NodeId, select: Select, from: &'a Children, to: &'a Children) {
        self.path.push(id, select);
        self.level(Some(id), from, to);
        self.path.pop();
    }

    fn node(&mut self, id: NodeId, from: Option<&'a Data>, to: Option<&'a Data>) {
        let node = self.schema.node(id);
        match &node.kind {
            Kind::Container { .. } | Kind::Input | Kind::Output => {
                let is_plain = !matches!(node.kind, Kind::Container { presence: true });
                if is_plain || from.is_some() && to.is_some() {
                    let from = from.and_then(Data::container).unwrap_or(self.none);
                    let to = to.and_then(Data::container).unwrap_or(self.none);
                    self.within(id, Select::All, from, to);
                } else {
                    self.whole(id, from, to);
                }
            }
            Kind::List(list) if !list.keys.is_empty() => {
                let from = from.and_then(Data::entries).unwrap_or(self.no_entries);
                let to = to.and_then(Data::entries).unwrap_or(self.no_entries);
                self.entries(id, list.user_ordered, from, to);
            }
            Kind::LeafList { user_ordered, .. } => {
                let from_values = from.and_then(Data::values).unwrap_or_default();
                let to_values = to.and_then(Data::values).unwrap_or_default();
                if has_twice(from_values) || has_twice(to_values) {
                    self.whole(id, from, to);
                } else {
                    self.values(id, *user_ordered, from_values, to_values);
                }
            }
            Kind::Leaf { .. } | Kind::List(_) | Kind::Anydata { .. } => self.whole(id, from, to),
            Kind::Choice { .. } | Kind::Case | Kind::Rpc | Kind::Action | Kind::Notification => {}
        }
    }

    /// A node that is one with its value.
    fn whole(&mut self, id: NodeId, from: Option<&Data>, to: Option<&Data>) {
        let kind = match (from.cloned(), to.cloned()) {
            (Some(from), Some(to)) if from == to => return,
            (Some(from), Some(to)) => ChangeKind::Replaced { from, to },
            (Some(from), None) => ChangeKind::Deleted(from),
            (None, Some(data)) => ChangeKind::Created { data, place: None },
            (None, None) => return,
        };
        self.change(id, Select::All, kind);
    }

    fn entries(
        &mut self,
        id: NodeId,
        user_ordered: bool,
        from: &'a IndexMap<Key, Children>,
        to: &'a IndexMap<Key, Children>,
    ) {
        for (key, entry) in from.iter().filter(|(key, _)| !to.contains_key(*key)) {
            let kind = ChangeKind::Deleted(Data::Container(entry.clone()));
            self.change(id, Select::Key(key.clone()), kind);
        }
        let moved = moved(user_ordered, from.keys(), to.keys());
        let mut place = user_ordered.then_some(Place::First);
        for (key, entry) in to {
            let select = Select::Key(key.clone());
            if let Some(earlier) = from.get(key) {
                if let Some(place) = place.filter(|_| moved.contains(key)) {
                    self.change(id, select.clone(), ChangeKind::Moved(place));
                }
                self.within(id, select.clone(), earlier, entry);
            } else {
                let data = Data::Container(entry.clone());
                self.change(id, select.clone(), ChangeKind::Created { data, place });
            }
            place = user_ordered.then_some(Place::After(select));
        }
    }

    fn values(&mut self, id: NodeId, user_ordered: bool, from: &'a [Value], to: &'a [Value]) {
        let (from_set, to_set): (HashSet<_>, HashSet<_>) =
            (from.iter().collect(), to.iter().collect());
        for value in from.iter().filter(|value| !to_set.contains(value)) {
            let kind = ChangeKind::Deleted(Data::Leaf(value.clone()));
            self.change(id, Select::Value(value.clone()), kind);
        }
        let moved = moved(user_ordered, from.iter(), to.iter());
        let mut place = user_ordered.then_some(Place::First);
        for value in to {
            let select = Select::Value(value.clone());
            let kind = match place {
                place if !from_set.contains(value) => {
                    let data = Data::Leaf(value.clone());
                    Some(ChangeKind::Created { data, place })
                }
                Some(place) if moved.contains(value) => Some(ChangeKind::Moved(place)),
                Some(_) | None => None,
            };
            if let Some(kind) = kind {
                self.change(id, select.clone(), kind);
            }
            place = user_ordered.then_some(Place::After(select));
        }
    }
}

/// Whether a value is there twice, as leaf-lists of state can have it.
fn has_twice(values: &[Value]) -> bool {
    let mut seen = HashSet::new();
    !values.iter().all(|value| seen.insert(value))
}

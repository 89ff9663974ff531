//! What the operations of an edit do.

use indexmap::IndexMap;

use super::ordered::{NoSuchEntry, Ordered};
use super::{EditContent, EditNode, MAX_PLACED, Operation};
use crate::diff::Place;
use crate::fault::{Fault, FaultKind};
use crate::schema::{Kind, List, NodeId, Schema};
use crate::tree::{Children, Data, Key, Path, Scope, Select, present};
use crate::value::Value;

type Edited = Result<(), Fault>;

pub(super) struct Editor<'a> {
    schema: &'a Schema,
    /// Configuration for edits from outside; all for changes of two trees, which are not bounded either.
    scope: Scope,
    path: Path,
    placed: usize,
}

impl<'a> Editor<'a> {
    pub(super) fn new(schema: &'a Schema, scope: Scope) -> Self {
        Self {
            schema,
            scope,
            path: Path::root(),
            placed: 0,
        }
    }

    fn fault<T>(&self, kind: FaultKind, what: impl Into<String>) -> Result<T, Fault> {
        Err(Fault::new(&self.path, kind, what))
    }

    fn name(&self, id: NodeId) -> &'a str {
        &self.schema.node(id).name
    }

    /// All nodes of an edit below one node.
    pub(super) fn level(
        &mut self,
        of: Option<NodeId>,
        here: &mut Children,
        nodes: &[EditNode],
        around: Operation,
    ) -> Edited {
        let mut groups: IndexMap<NodeId, Vec<&EditNode>> = IndexMap::new();
        for node in nodes {
            groups.entry(node.node).or_default().push(node);
        }
        if self.scope == Scope::Config {
            self.check_cases(&groups, around)?;
        }
        let mut new = Vec::new();
        for (id, nodes) in groups {
            let was_there = present(self.schema, Some(here), id).is_some();
            self.group(of, id, here, &nodes, around)?;
            if !was_there && present(self.schema, Some(here), id).is_some() {
                new.push(id);
            }
        }
        // At last, as the edit may delete the other case itself; changes of two trees always do.
        if self.scope == Scope::Config {
            for id in new {
                self.clear_other_cases(here, id);
            }
        }
        Ok(())
    }

    /// The nodes of an edit that are of one schema node.
    fn group(
        &mut self,
        of: Option<NodeId>,
        id: NodeId,
        here: &mut Children,
        nodes: &[&EditNode],
        around: Operation,
    ) -> Edited {
        let node = self.schema.node(id);
        if self.schema.data_parent(id) != of {
            let what = format!("{}: it does not belong here", node.name);
            return self.fault(FaultKind::UnknownNode, what);
        }
        if !node.is_config && self.scope == Scope::Config {
            self.path.push(id, Select::All);
            let what = format!("{}: state, which cannot be set", node.name);
            return self.fault(FaultKind::NotConfig, what);
        }
        let is_whole = nodes.iter().all(|it| it.select == Select::All) && !node.is_config;
        match &node.kind {
            Kind::List(list) if !list.keys.is_empty() => {
                self.entries(id, list, here, nodes, around)
            }
            Kind::LeafList { user_ordered, .. } if !is_whole => {
                self.values(id, *user_ordered, here, nodes, around)
            }
            Kind::Container { .. } | Kind::Input | Kind::Output => {
                nodes.iter().try_for_each(|node| {
                    self.container(id, here, node, node.operation.unwrap_or(around))
                })
            }
            Kind::Leaf { .. } | Kind::LeafList { .. } | Kind::List(_) | Kind::Anydata { .. } => {
                nodes.iter().try_for_each(|node| {
                    self.leaf(of, here, node, node.operation.unwrap_or(around))
                })
            }
            Kind::Choice { .. } | Kind::Case | Kind::Rpc | Kind::Action | Kind::Notification => {
                let what = format!("{}: not a data node", node.name);
                self.fault(FaultKind::UnknownNode, what)
            }
        }
    }

    /// Whether an operation can be done, by what is there; the path leads to the node.
    fn check(&self, id: NodeId, operation: Operation, is_there: bool) -> Edited {
        let name = || match self.path.steps().last().map(|step| &step.select) {
            Some(Select::Key(key)) => {
                let key: Vec<_> = key.iter().map(|it| self.schema.text(it)).collect();
                format!("{} {}", self.name(id), key.join(" "))
            }
            Some(Select::Value(value)) => format!("{} {}", self.name(id), self.schema.text(value)),
            Some(Select::All | Select::Position(_)) | None => self.name(id).to_owned(),
        };
        match (operation, is_there) {
            (Operation::Create, true) => {
                self.fault(FaultKind::Exists, format!("{}: it exists already", name()))
            }
            (Operation::Delete | Operation::None, false) => {
                self.fault(FaultKind::Absent, format!("{}: it does not exist", name()))
            }
            _ => Ok(()),
        }
    }

    fn container(
        &mut self,
        id: NodeId,
        here: &mut Children,
        node: &EditNode,
        operation: Operation,
    ) -> Edited {
        let is_plain = self.schema.node(id).is_plain_container();
        let is_there = present(self.schema, Some(here), id).is_some();
        self.path.push(id, Select::All);
        self.check_place(id, false, node)?;
        self.check(
            id,
            operation,
            is_there || is_plain && operation == Operation::None,
        )?;
        if matches!(operation, Operation::Delete | Operation::Remove) {
            here.remove(id);
        } else {
            if operation == Operation::Replace {
                here.insert(id, Data::Container(Children::new()));
            }
            let Some(content) = here.container_mut(id) else {
                return self.fault(
                    FaultKind::UnknownNode,
                    format!("{}: not a container", self.name(id)),
                );
            };
            self.level(Some(id), content, node.content.nodes(), operation)?;
            if is_plain && content.is_empty() {
                here.remove(id);
            }
        }
        self.path.pop();
        Ok(())
    }

    fn leaf(
        &mut self,
        of: Option<NodeId>,
        here: &mut Children,
        node: &EditNode,
        operation: Operation,
    ) -> Edited {
        let id = node.node;
        let is_deletion = matches!(operation, Operation::Delete | Operation::Remove);
        self.path.push(id, Select::All);
        self.check_place(id, false, node)?;
        let list = of.and_then(|of| self.schema.node(of).list());
        if list.is_some_and(|list| list.keys.contains(&id)) {
            if is_deletion {
                let what = format!(
                    "{}: a key, which is deleted with its entry only",
                    self.name(id)
                );
                return self.fault(FaultKind::NotSupported, what);
            }
            self.path.pop();
            return Ok(());
        }
        self.check(id, operation, here.get(id).is_some())?;
        if is_deletion {
            here.remove(id);
        } else if operation != Operation::None {
            let EditContent::Data(data) = &node.content else {
                return self.fault(
                    FaultKind::WrongValue,
                    format!("{}: write its value", self.name(id)),
                );
            };
            here.insert(id, data.clone());
        }
        self.path.pop();
        Ok(())
    }

    fn entries(
        &mut self,
        id: NodeId,
        list: &List,
        here: &mut Children,
        nodes: &[&EditNode],
        around: Operation,
    ) -> Edited {
        let entries = match here.remove(id) {
            Some(Data::List(entries)) => entries,
            _ => IndexMap::new(),
        };
        let mut entries = Ordered::new(entries);
        for node in nodes {
            self.entry(
                id,
                list,
                &mut entries,
                node,
                node.operation.unwrap_or(around),
            )?;
        }
        let entries = entries.finish();
        if !entries.is_empty() {
            here.insert(id, Data::List(entries));
        }
        Ok(())
    }

    fn entry(
        &mut self,
        id: NodeId,
        list: &List,
        entries: &mut Ordered<Key, Children>,
        node: &EditNode,
        operation: Operation,
    ) -> Edited {
        let key = match &node.select {
            Select::Key(key) if key.len() == list.keys.len() => key,
            Select::Key(_) | Select::All | Select::Value(_) | Select::Position(_) => {
                self.path.push(id, Select::All);
                let what = format!("{}: write its key", self.name(id));
                return self.fault(FaultKind::MissingKey, what);
            }
        };
        self.path.push(id, node.select.clone());
        self.check_place(id, list.user_ordered, node)?;
        let is_there = entries.has(key);
        self.check(id, operation, is_there)?;
        if matches!(operation, Operation::Delete | Operation::Remove) {
            entries.remove(key);
        } else {
            if !is_there {
                let has_moved = entries.add(key.clone(), only_keys(list, key));
                self.count(has_moved)?;
            }
            let Some(entry) = entries.get_mut(key) else {
                return self.fault(
                    FaultKind::Absent,
                    format!("{}: it does not exist", self.name(id)),
                );
            };
            if operation == Operation::Replace && is_there {
                *entry = only_keys(list, key);
            }
            self.level(Some(id), entry, node.content.nodes(), operation)?;
            self.put(
                id,
                entries,
                key,
                node.place.as_ref(),
                |select| match select {
                    Select::Key(key) => Some(key),
                    Select::All | Select::Value(_) | Select::Position(_) => None,
                },
            )?;
        }
        self.path.pop();
        Ok(())
    }

    fn values(
        &mut self,
        id: NodeId,
        user_ordered: bool,
        here: &mut Children,
        nodes: &[&EditNode],
        around: Operation,
    ) -> Edited {
        let values = match here.remove(id) {
            Some(Data::LeafList(values)) => values,
            _ => Vec::new(),
        };
        let mut values = Ordered::new(values.into_iter().map(|value| (value, ())).collect());
        for node in nodes {
            let operation = node.operation.unwrap_or(around);
            self.value(id, user_ordered, &mut values, node, operation)?;
        }
        let values: Vec<Value> = values.finish().into_keys().collect();
        if !values.is_empty() {
            here.insert(id, Data::LeafList(values));
        }
        Ok(())
    }

    fn value(
        &mut self,
        id: NodeId,
        user_ordered: bool,
        values: &mut Ordered<Value, ()>,
        node: &EditNode,
        operation: Operation,
    ) -> Edited {
        self.path.push(id, node.select.clone());
        let Select::Value(value) = &node.select else {
            return self.fault(
                FaultKind::MissingKey,
                format!("{}: write its value", self.name(id)),
            );
        };
        self.check_place(id, user_ordered, node)?;
        let is_there = values.has(value);
        self.check(id, operation, is_there)?;
        if matches!(operation, Operation::Delete | Operation::Remove) {
            values.remove(value);
        } else {
            if !is_there {
                let has_moved = values.add(value.clone(), ());
                self.count(has_moved)?;
            }
            self.put(
                id,
                values,
                value,
                node.place.as_ref(),
                |select| match select {
                    Select::Value(value) => Some(value),
                    Select::All | Select::Key(_) | Select::Position(_) => None,
                },
            )?;
        }
        self.path.pop();
        Ok(())
    }

    /// Counts what takes time by the length of a list.
    fn count(&mut self, is_costly: bool) -> Edited {
        self.placed += usize::from(is_costly);
        if self.placed > MAX_PLACED && self.scope == Scope::Config {
            return self.fault(
                FaultKind::TooLarge,
                format!("more than {MAX_PLACED} entries with a place"),
            );
        }
        Ok(())
    }

    fn check_place(&self, id: NodeId, user_ordered: bool, node: &EditNode) -> Edited {
        if node.place.is_none() || user_ordered {
            return Ok(());
        }
        let what = format!(
            "{}: no place is set here, as users do not order it",
            self.name(id)
        );
        self.fault(FaultKind::UnknownAttribute, what)
    }

    /// Puts an entry at its place (RFC 7950 sections 7.7.9 and 7.8.6).
    fn put<K: Clone + Eq + std::hash::Hash, V>(
        &mut self,
        id: NodeId,
        entries: &mut Ordered<K, V>,
        key: &K,
        place: Option<&Place>,
        key_of: impl Fn(&Select) -> Option<&K>,
    ) -> Edited {
        let Some(place) = place else {
            return Ok(());
        };
        self.count(true)?;
        let beside = match place {
            Place::First | Place::Last => None,
            Place::Before(select) | Place::After(select) => key_of(select),
        };
        entries.put(key, place, beside).or_else(|NoSuchEntry| {
            let what = format!(
                "{}: the entry that it is put beside does not exist",
                self.name(id)
            );
            self.fault(FaultKind::MissingInstance, what)
        })
    }

    /// Whether the nodes that an edit sets are of one case of each choice (RFC 7950 section 8.3.1).
    fn check_cases(
        &mut self,
        groups: &IndexMap<NodeId, Vec<&EditNode>>,
        around: Operation,
    ) -> Edited {
        let mut chosen: IndexMap<NodeId, NodeId> = IndexMap::new();
        for (id, nodes) in groups {
            let is_set = nodes.iter().any(|node| {
                let operation = node.operation.unwrap_or(around);
                !matches!(
                    operation,
                    Operation::Delete | Operation::Remove | Operation::None
                )
            });
            for (choice, case) in self.cases(*id).filter(|_| is_set) {
                if *chosen.entry(choice).or_insert(case) != case {
                    self.path.push(*id, Select::All);
                    let what = format!(
                        "{}: another case of {} is set too",
                        self.name(*id),
                        self.name(choice)
                    );
                    return self.fault(FaultKind::SeveralCases, what);
                }
            }
        }
        Ok(())
    }

    /// The choices around a node, and the case of each.
    fn cases(&self, id: NodeId) -> impl Iterator<Item = (NodeId, NodeId)> + use<'a> {
        let schema = self.schema;
        let above = move |id: &NodeId| {
            let parent = schema.node(*id).parent?;
            matches!(schema.node(parent).kind, Kind::Choice { .. } | Kind::Case).then_some(parent)
        };
        std::iter::successors(Some(id), above).filter_map(move |id| {
            let choice = above(&id)?;
            matches!(schema.node(choice).kind, Kind::Choice { .. }).then_some((choice, id))
        })
    }

    /// Deletes what is there of other cases (RFC 7950 section 7.9).
    fn clear_other_cases(&self, here: &mut Children, id: NodeId) {
        for (choice, case) in self.cases(id) {
            let others = self.schema.children(Some(choice)).iter();
            let mut left: Vec<NodeId> = others.copied().filter(|other| *other != case).collect();
            while let Some(id) = left.pop() {
                if matches!(self.schema.node(id).kind, Kind::Choice { .. } | Kind::Case) {
                    left.extend(self.schema.children(Some(id)));
                } else {
                    here.remove(id);
                }
            }
        }
    }
}

impl EditContent {
    fn nodes(&self) -> &[EditNode] {
        match self {
            Self::Nodes(nodes) => nodes,
            Self::Nothing | Self::Data(_) => &[],
        }
    }
}

/// A new entry.
fn only_keys(list: &List, key: &Key) -> Children {
    let mut entry = Children::new();
    for (leaf, value) in list.keys.iter().zip(key) {
        entry.insert(*leaf, Data::Leaf(value.clone()));
    }
    entry
}

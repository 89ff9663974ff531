//! Subtree filters (RFC 6241 section 6).

use indexmap::IndexMap;

use crate::schema::{NodeId, Schema};
use crate::tree::{Children, Data, Key, present};
use crate::value::Value;

/// A node of a subtree filter. A filter is a list of them, which are siblings.
#[derive(Clone, Debug, PartialEq)]
pub struct Filter {
    /// The node; `None` for one that the schema does not have, which selects nothing.
    pub node: Option<NodeId>,
    /// What it selects.
    pub test: Test,
}

/// What a node of a subtree filter selects.
#[derive(Clone, Debug, PartialEq)]
pub enum Test {
    /// The node, with all that is below it: a selection node (RFC 6241 section 6.2.4).
    All,
    /// Its siblings, if it has this value: a content match node (RFC 6241 section 6.2.5). `None` for a text that is not a
    /// value of its type.
    Equals(Option<Value>),
    /// What the filters below it select: a containment node (RFC 6241 section 6.2.3).
    Below(Vec<Filter>),
}

impl Filter {
    /// The part of a tree that sibling filters at its root select, with the keys of its entries. Without filters it is empty.
    pub fn apply(schema: &Schema, root: &Children, filters: &[Self]) -> Children {
        level(schema, None, root, &[filters]).unwrap_or_default()
    }

    fn is_match(&self) -> bool {
        matches!(self.test, Test::Equals(_))
    }

    /// Whether a content match node holds among these nodes.
    fn holds(&self, here: &Children) -> bool {
        let Test::Equals(Some(value)) = &self.test else {
            return false;
        };
        match self.node.and_then(|node| here.get(node)) {
            Some(Data::Leaf(other)) => other == value,
            Some(Data::LeafList(others)) => others.contains(value),
            Some(Data::Container(_) | Data::List(_) | Data::Keyless(_) | Data::Any(_)) | None => {
                false
            }
        }
    }
}

/// What sets of siblings select among the nodes here; `None`: nothing.
fn level(
    schema: &Schema,
    of: Option<NodeId>,
    here: &Children,
    sets: &[&[Filter]],
) -> Option<Children> {
    let holds = |set: &&&[Filter]| {
        set.iter()
            .filter(|it| it.is_match())
            .all(|it| it.holds(here))
    };
    let sets: Vec<&[Filter]> = sets.iter().filter(holds).copied().collect();
    let is_all = |set: &&[Filter]| !set.is_empty() && set.iter().all(Filter::is_match);
    if sets.iter().any(is_all) {
        return Some(here.clone());
    }
    let mut by_node: IndexMap<NodeId, Vec<&Test>> = IndexMap::new();
    for filter in sets.into_iter().flatten() {
        if let Some(node) = filter.node {
            by_node.entry(node).or_default().push(&filter.test);
        }
    }
    let mut selected = Children::new();
    for (id, tests) in by_node {
        let data = present(schema, Some(here), id);
        if let Some(data) = data.and_then(|data| select(schema, id, data, &tests)) {
            selected.insert(id, data);
        }
    }
    if selected.is_empty() {
        return None;
    }
    let list = of.and_then(|of| schema.node(of).list());
    for key in list.map(|list| list.keys.as_slice()).unwrap_or_default() {
        if let Some(data) = here.get(*key) {
            selected.insert(*key, data.clone());
        }
    }
    Some(selected)
}

/// What tests select of one node's data.
fn select(schema: &Schema, id: NodeId, data: &Data, tests: &[&Test]) -> Option<Data> {
    if tests.iter().any(|test| matches!(test, Test::All)) {
        return Some(data.clone());
    }
    let below = tests.iter().filter_map(|test| match test {
        Test::Below(filters) => Some(filters.as_slice()),
        Test::All | Test::Equals(_) => None,
    });
    let below: Vec<&[Filter]> = below.collect();
    let within = |here: &Children| level(schema, Some(id), here, &below);
    match data {
        // All content match nodes hold.
        Data::Leaf(_) => below.is_empty().then(|| data.clone()),
        Data::LeafList(values) => {
            let is_chosen = |value: &Value| {
                let mut tests = tests.iter();
                tests.any(|test| matches!(test, Test::Equals(Some(chosen)) if chosen == value))
            };
            let chosen: Vec<Value> = values.iter().filter(|it| is_chosen(it)).cloned().collect();
            (!chosen.is_empty()).then_some(Data::LeafList(chosen))
        }
        Data::Container(here) => within(here).map(Data::Container),
        Data::List(entries) => {
            let chosen = entries.iter();
            let chosen = chosen.filter_map(|(key, entry)| Some((key.clone(), within(entry)?)));
            let chosen: IndexMap<Key, Children> = chosen.collect();
            (!chosen.is_empty()).then_some(Data::List(chosen))
        }
        Data::Keyless(entries) => {
            let chosen: Vec<Children> = entries.iter().filter_map(within).collect();
            (!chosen.is_empty()).then_some(Data::Keyless(chosen))
        }
        Data::Any(_) => None,
    }
}

//! Changes in lines for people.

use super::{Change, ChangeKind, Place};
use crate::schema::{NodeId, Schema};
use crate::toml::table_form;
use crate::tree::{Data, Path, Select, Step};
use crate::value::{Value, shorten};

/// A change in a line: `+ session a`, `- session a`, `session a interval: 1s -> 2s`. Nodes have no module names, and the
/// path begins below `root` if it leads there.
pub fn line(schema: &Schema, root: &Path, change: &Change) -> String {
    let all = change.path.steps();
    let steps = all.strip_prefix(root.steps()).unwrap_or(all);
    let path = || words(schema, steps);
    match &change.kind {
        ChangeKind::Created { data, .. } => match value(schema, steps, data) {
            Some((path, value)) => format!("{path}: (none) -> {value}"),
            None => format!("+ {}", path()),
        },
        ChangeKind::Deleted(data) => match value(schema, steps, data) {
            Some((path, value)) => format!("{path}: {value} -> (none)"),
            None => format!("- {}", path()),
        },
        ChangeKind::Replaced { from, to } => {
            match (value(schema, steps, from), value(schema, steps, to)) {
                (Some((path, from)), Some((_, to))) => format!("{path}: {from} -> {to}"),
                _ => format!("{}: changed", path()),
            }
        }
        ChangeKind::Moved(place) => format!("{}: moved {}", path(), place_words(schema, place)),
    }
}

fn place_words(schema: &Schema, place: &Place) -> String {
    match place {
        Place::First => "to the first place".to_owned(),
        Place::Last => "to the last place".to_owned(),
        Place::Before(select) => format!("before {}", select_words(schema, select).join(" ")),
        Place::After(select) => format!("after {}", select_words(schema, select).join(" ")),
    }
}

/// The path to write and its value, of a leaf or of an entry that is a name and a value.
fn value(schema: &Schema, steps: &[Step], data: &Data) -> Option<(String, String)> {
    let last = steps.last()?;
    match (data, &last.select) {
        (Data::Leaf(Value::Empty), Select::All) => None,
        (Data::Leaf(value), Select::All) => Some((words(schema, steps), text(schema, value))),
        (Data::LeafList(values), Select::All) => {
            let all: Vec<String> = values.iter().map(|value| text(schema, value)).collect();
            Some((words(schema, steps), all.join(", ")))
        }
        (Data::Container(entry), Select::Key(_)) => {
            let (_, leaf) = table_form(schema, last.node)?;
            let value = entry.get(leaf).and_then(Data::leaf)?;
            Some((words(schema, steps), text(schema, value)))
        }
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

/// Names and keys; without the leaf of an entry that is a name and a value.
fn words(schema: &Schema, steps: &[Step]) -> String {
    let mut words = Vec::new();
    let mut list: Option<NodeId> = None;
    for step in steps {
        let pair = list.and_then(|list| table_form(schema, list));
        list = Some(step.node);
        if pair.is_some_and(|(_, leaf)| leaf == step.node) {
            continue;
        }
        words.push(schema.node(step.node).name.to_string());
        words.extend(select_words(schema, &step.select));
    }
    words.join(" ")
}

fn select_words(schema: &Schema, select: &Select) -> Vec<String> {
    match select {
        Select::All => Vec::new(),
        Select::Key(key) => key.iter().map(|value| text(schema, value)).collect(),
        Select::Value(value) => vec![text(schema, value)],
        Select::Position(at) => vec![at.to_string()],
    }
}

/// A value, quoted if its end would not be clear.
fn text(schema: &Schema, value: &Value) -> String {
    if let Value::Identity(id) = value {
        return schema.identity(*id).name.to_string();
    }
    let text = schema.text(value);
    if text.contains([' ', '"']) || text.starts_with('(') {
        let shown: String = text.chars().take(60).collect();
        let end = if shown.len() < text.len() { "..." } else { "" };
        return format!("{shown:?}{end}");
    }
    shorten(&text)
}

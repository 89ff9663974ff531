//! The leaves of an entry, as text.

use std::collections::BTreeMap;

use twinpath_yang::{Children, Data, Schema};

use crate::plan::{Layer, Setting};

/// Leaves that are no options of a command.
const OWN: [&str; 8] = [
    "name", "address", "enabled", "group", "labels", "protocol", "classes", "raw",
];

/// Leaves and leaf-lists that are set, by their names.
#[derive(Clone, Debug, Default)]
pub(in crate::daemon) struct Leaves {
    all: BTreeMap<String, Vec<String>>,
    pub(in crate::daemon) labels: BTreeMap<String, String>,
}

impl Leaves {
    /// Those of a container or of an entry of a list.
    pub(in crate::daemon) fn of(schema: &Schema, node: &Children) -> Self {
        let mut leaves = Self::default();
        for (id, data) in node.iter() {
            let name = || schema.node(id).name.to_string();
            let text = |value| schema.text(value).into_owned();
            match data {
                Data::Leaf(value) => {
                    leaves.all.insert(name(), vec![text(value)]);
                }
                Data::LeafList(values) => {
                    leaves.all.insert(name(), values.iter().map(text).collect());
                }
                Data::List(entries) if &*schema.node(id).name == "labels" => {
                    let labels = entries.values().map(|entry| Self::of(schema, entry));
                    let label = |label: Self| {
                        let value = label.one("value")?.to_owned();
                        Some((label.one("name")?.to_owned(), value))
                    };
                    leaves.labels = labels.filter_map(label).collect();
                }
                Data::List(_) | Data::Container(_) | Data::Keyless(_) | Data::Any(_) => {}
            }
        }
        leaves
    }

    /// Whether a leaf or leaf-list is set.
    pub(in crate::daemon) fn has(&self, name: &str) -> bool {
        self.all.contains_key(name)
    }

    /// The text of a leaf.
    pub(in crate::daemon) fn one(&self, name: &str) -> Option<&str> {
        self.all.get(name)?.first().map(String::as_str)
    }

    /// The texts of a leaf-list.
    pub(in crate::daemon) fn each(&self, name: &str) -> &[String] {
        self.all.get(name).map_or(&[], Vec::as_slice)
    }

    /// The leaves that are options of a command, by their names. `repeats`: whether an option may be given several
    /// times; others have lists with commas.
    pub(super) fn options(&self, repeats: impl Fn(&str) -> bool) -> Layer {
        let options = self.all.iter();
        let options = options.filter(|(name, _)| !OWN.contains(&name.as_str()));
        let options = options.map(|(name, values)| {
            let setting = match values.as_slice() {
                [value] if value == "true" => Setting::Switch(true),
                [value] if value == "false" => Setting::Switch(false),
                values if repeats(name) => Setting::Values(values.to_vec()),
                values => Setting::Values(vec![values.join(",")]),
            };
            (name.clone(), (setting, 0))
        });
        options.collect()
    }
}

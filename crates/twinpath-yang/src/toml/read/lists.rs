//! Lists: arrays of tables, or tables of values.

use ::toml::Spanned;
use ::toml::de::{DeTable, DeValue};
use indexmap::IndexMap;

use super::Reading;
use crate::fault::FaultKind;
use crate::schema::NodeId;
use crate::toml::lines::Place;
use crate::toml::{fit, is_position, named_by, table_form};
use crate::tree::{Children, Data, Key, Select};
use crate::value::{Names, Value};

impl Reading<'_> {
    pub(super) fn list(
        &mut self,
        node: NodeId,
        name: &str,
        value: &Spanned<DeValue<'_>>,
        place: &Place,
        children: &mut Children,
    ) {
        self.path.push(node, Select::All);
        self.mark(place);
        self.path.pop();
        match (value.get_ref(), table_form(self.schema, node)) {
            (DeValue::Table(table), Some(leaves)) => {
                self.table_of_values(node, table, leaves, children);
            }
            (DeValue::Array(all), form) => {
                let before = children
                    .get(node)
                    .and_then(Data::entries)
                    .map_or(0, IndexMap::len);
                for (at, entry) in all.iter().enumerate() {
                    let place = self.line(entry.span().start);
                    if let DeValue::Table(table) = entry.get_ref() {
                        self.entry(node, name, table, before + at + 1, &place, children);
                    } else {
                        let instead = instead(name, form.is_some());
                        let noun = fit::noun(entry.get_ref());
                        let what = format!("{name}: {instead}, not {noun} in an array");
                        self.fault(&place, FaultKind::WrongValue, what);
                    }
                }
            }
            (other, form) => {
                let instead = instead(name, form.is_some());
                let what = format!("{name}: {instead}, not {}", fit::noun(other));
                self.fault(place, FaultKind::WrongValue, what);
            }
        }
        if children.get(node).is_some_and(Data::is_empty) {
            children.remove(node);
        }
    }

    /// `labels = { site = "fra" }`.
    fn table_of_values(
        &mut self,
        node: NodeId,
        table: &DeTable<'_>,
        (key_leaf, value_leaf): (NodeId, NodeId),
        children: &mut Children,
    ) {
        for (key, value) in table {
            let place = self.line(key.span().start);
            let name = key.get_ref().as_ref();
            let (Some(key_type), Some(value_type)) = (
                self.schema.leaf_type(key_leaf),
                self.schema.leaf_type(value_leaf),
            ) else {
                continue;
            };
            let names = Names::Short(self.schema.node(key_leaf).module);
            let key = match self.schema.parse(key_type, name, &names) {
                Ok(key) => key,
                Err(unfit) => {
                    let list = &self.schema.node(node).name;
                    self.unfit(list, unfit, &place);
                    continue;
                }
            };
            let Some(value) = self.value(value_leaf, name, value_type, value.get_ref(), &place)
            else {
                continue;
            };
            let mut entry = Children::new();
            entry.insert(key_leaf, Data::Leaf(key.clone()));
            entry.insert(value_leaf, Data::Leaf(value));
            let key = Key::from([key]);
            if self.begin(node, name, &key, &place) {
                if let Some(entries) = children.entries_mut(node) {
                    entries.insert(key, entry);
                }
                self.path.pop();
            }
        }
    }

    /// Goes to an entry, unless it was there before.
    fn begin(&mut self, node: NodeId, name: &str, key: &Key, place: &Place) -> bool {
        self.path.push(node, Select::Key(key.clone()));
        let Some(earlier) = self.document.places.get(&self.path).cloned() else {
            self.mark(place);
            return true;
        };
        let texts = key.iter().map(|value| self.schema.text(value));
        let texts: Vec<_> = texts.collect();
        let what = format!("{name}: {} is in {earlier} too", texts.join(" "));
        self.fault(place, FaultKind::Duplicate, what);
        self.path.pop();
        false
    }

    fn entry(
        &mut self,
        node: NodeId,
        name: &str,
        table: &DeTable<'_>,
        at: usize,
        place: &Place,
        children: &mut Children,
    ) {
        let Some(key) = self.entry_key(node, name, table, at, place) else {
            self.without_key(node, at, table);
            return;
        };
        if !self.begin(node, name, &key, place) {
            return;
        }
        let mut entry = Children::new();
        let leaves = self.schema.node(node).list().map(|list| list.keys.clone());
        for (leaf, value) in leaves.iter().flatten().zip(&key) {
            entry.insert(*leaf, Data::Leaf(value.clone()));
        }
        for (word, value) in table {
            let name = word.get_ref().as_ref();
            let place = self.line(word.span().start);
            match leaves
                .iter()
                .flatten()
                .find(|leaf| self.is_named(**leaf, name))
            {
                Some(leaf) => {
                    self.path.push(*leaf, Select::All);
                    self.mark(&place);
                    self.path.pop();
                }
                None => self.key(node, word, value, &mut entry),
            }
        }
        if let Some(entries) = children.entries_mut(node) {
            entries.insert(key, entry);
        }
        self.path.pop();
    }

    /// Faults of an entry whose key is wrong.
    fn without_key(&mut self, node: NodeId, at: usize, table: &DeTable<'_>) {
        let Some(keys) = self.schema.node(node).list().map(|list| list.keys.clone()) else {
            return;
        };
        self.path.push(node, Select::Position(at));
        let mut unused = Children::new();
        for (word, value) in table {
            let name = word.get_ref().as_ref();
            if !keys.iter().any(|leaf| self.is_named(*leaf, name)) {
                self.key(node, word, value, &mut unused);
            }
        }
        self.path.pop();
    }

    fn is_named(&self, leaf: NodeId, name: &str) -> bool {
        name == &*self.schema.node(leaf).name || name == self.schema.qualified_name(leaf)
    }

    /// The key of an entry; faults if it has none.
    fn entry_key(
        &mut self,
        node: NodeId,
        name: &str,
        table: &DeTable<'_>,
        at: usize,
        place: &Place,
    ) -> Option<Key> {
        let leaves = self.schema.node(node).list()?.keys.clone();
        let mut values: Vec<Option<Value>> = Vec::new();
        for leaf in leaves {
            let key = &self.schema.node(leaf).name;
            let ty = self.schema.leaf_type(leaf)?;
            let mut given = table.iter();
            let given = given
                .find(|(word, _)| self.is_named(leaf, word.get_ref()))
                .or_else(|| {
                    let other = named_by(self.schema, leaf)?;
                    let mut given = table.iter();
                    given.find(|(word, _)| self.is_named(other, word.get_ref()))
                });
            let value = match given {
                Some((word, value)) => {
                    let place = self.line(word.span().start);
                    self.value(leaf, key, ty, value.get_ref(), &place)
                }
                None if is_position(self.schema, leaf) => {
                    let names = Names::Short(self.schema.node(leaf).module);
                    let value = self.schema.parse(ty, &at.to_string(), &names);
                    value.map_err(|unfit| self.unfit(key, unfit, place)).ok()
                }
                None => {
                    let what = format!("{name}: its {key} is missing: write {key} = ...");
                    self.fault(place, FaultKind::MissingKey, what);
                    None
                }
            };
            values.push(value);
        }
        values
            .into_iter()
            .collect::<Option<Vec<_>>>()
            .map(Key::from)
    }
}

/// What to write for a list.
fn instead(name: &str, has_table_form: bool) -> String {
    if has_table_form {
        format!("write a table: {name} = {{ ... }}")
    } else {
        format!("write [[{name}]] above each")
    }
}

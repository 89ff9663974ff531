//! Data as TOML, in schema order: within a table first values, then tables.

use std::fmt::Write as _;

use super::{Roots, fit, is_position, table_form};
use crate::schema::{NodeId, Schema};
use crate::tree::{Children, Data};
use crate::value::{Names, Value};

/// The containers of `roots` as one file. Other data is not written.
pub fn write(schema: &Schema, roots: &Roots, root: &Children) -> String {
    let mut writer = Writer {
        schema,
        text: String::new(),
    };
    if let Some(children) = container(schema, root, roots.main) {
        writer.table(roots.main, children, &[]);
    }
    for (name, node) in &roots.tables {
        if let Some(children) = container(schema, root, *node) {
            writer.sub_table(*node, children, &[key(name)]);
        }
    }
    writer.text
}

/// The content of a container wherever it is below the root.
fn container<'a>(schema: &Schema, root: &'a Children, node: NodeId) -> Option<&'a Children> {
    let above = match schema.data_parent(node) {
        Some(above) => container(schema, root, above)?,
        None => root,
    };
    above.get(node)?.container()
}

struct Writer<'a> {
    schema: &'a Schema,
    text: String,
}

impl Writer<'_> {
    fn header(&mut self, names: &[String], brackets: (&str, &str)) {
        if !self.text.is_empty() {
            self.text.push('\n');
        }
        let (open, close) = brackets;
        self.text.extend([open, &names.join("."), close, "\n"]);
    }

    fn sub_table(&mut self, node: NodeId, children: &Children, names: &[String]) {
        let ordered = children.ordered(self.schema, Some(node));
        let has_values = ordered
            .filter(|(id, data)| self.is_value(*id, data))
            .count()
            > 0;
        if has_values || children.is_empty() {
            self.header(names, ("[", "]"));
        }
        self.table(node, children, names);
    }

    /// Whether data is written behind its key.
    fn is_value(&self, id: NodeId, data: &Data) -> bool {
        match data {
            Data::Leaf(_) | Data::LeafList(_) | Data::Any(_) => true,
            Data::List(_) => table_form(self.schema, id).is_some(),
            Data::Container(_) | Data::Keyless(_) => false,
        }
    }

    fn table(&mut self, node: NodeId, children: &Children, names: &[String]) {
        self.values(node, children, None);
        self.tables(node, children, names);
    }

    /// Values of a table; `at`: of an entry, its place from 1.
    fn values(&mut self, node: NodeId, children: &Children, at: Option<usize>) {
        for (id, data) in children.ordered(self.schema, Some(node)) {
            if !self.is_value(id, data) || self.is_at_place(node, id, data, at) {
                continue;
            }
            let text = match data {
                Data::Leaf(value) => self.value(id, value),
                Data::LeafList(values) => {
                    let all: Vec<String> = values.iter().map(|it| self.value(id, it)).collect();
                    format!("[{}]", all.join(", "))
                }
                Data::List(entries) => self.table_of_values(id, entries.values()),
                Data::Any(json) => any(json),
                Data::Container(_) | Data::Keyless(_) => continue,
            };
            let name = self.name(node, id);
            self.text.extend([&*name, " = ", &text, "\n"]);
        }
    }

    /// Whether a key says no more than the place of its entry.
    fn is_at_place(&self, list: NodeId, id: NodeId, data: &Data, at: Option<usize>) -> bool {
        let keys = self
            .schema
            .node(list)
            .list()
            .map(|list| list.keys.as_slice());
        let is_key = keys.is_some_and(|keys| keys == [id]);
        let text = data.leaf().map(|value| self.schema.text(value));
        is_key
            && is_position(self.schema, id)
            && at.is_some_and(|at| text.as_deref() == Some(at.to_string().as_str()))
    }

    fn table_of_values<'e>(
        &self,
        list: NodeId,
        entries: impl Iterator<Item = &'e Children>,
    ) -> String {
        let Some((key_leaf, value_leaf)) = table_form(self.schema, list) else {
            return "{}".to_owned();
        };
        let pairs = entries.filter_map(|entry| {
            let name = entry.get(key_leaf)?.leaf()?;
            let name = key(&self.schema.text(name));
            let value = entry.get(value_leaf).and_then(Data::leaf)?;
            Some(format!("{name} = {}", self.value(value_leaf, value)))
        });
        let pairs: Vec<String> = pairs.collect();
        format!("{{ {} }}", pairs.join(", "))
    }

    fn tables(&mut self, node: NodeId, children: &Children, names: &[String]) {
        for (id, data) in children.ordered(self.schema, Some(node)) {
            let mut below = names.to_vec();
            below.push(self.name(node, id));
            match data {
                Data::Container(inner) => self.sub_table(id, inner, &below),
                Data::List(entries) if table_form(self.schema, id).is_none() => {
                    for (at, entry) in entries.values().enumerate() {
                        self.header(&below, ("[[", "]]"));
                        self.values(id, entry, Some(at + 1));
                        self.tables(id, entry, &below);
                    }
                }
                Data::Keyless(entries) => {
                    for entry in entries {
                        self.header(&below, ("[[", "]]"));
                        self.table(id, entry, &below);
                    }
                }
                Data::List(_) | Data::Leaf(_) | Data::LeafList(_) | Data::Any(_) => {}
            }
        }
    }

    /// The key of a node: with its module where its name alone means another one, or nothing.
    fn name(&self, of: NodeId, id: NodeId) -> String {
        let name = &self.schema.node(id).name;
        if self.schema.child(Some(of), None, name) == Some(id) {
            key(name)
        } else {
            key(&self.schema.qualified_name(id))
        }
    }

    fn value(&self, id: NodeId, value: &Value) -> String {
        match value {
            Value::Uint(number) if fit::is_over(i128::from(*number)) => {
                quote(&self.schema.text(value))
            }
            Value::Int(_) | Value::Uint(_) | Value::Decimal(_) | Value::Bool(_) => {
                self.schema.text(value).into_owned()
            }
            Value::Empty => "true".to_owned(),
            Value::Identity(identity) => {
                let name = &self.schema.identity(*identity).name;
                let names = Names::Short(self.schema.node(id).module);
                let ty = self.schema.leaf_type(id);
                let short = ty.map(|ty| self.schema.parse(ty, name, &names));
                if short.as_ref() == Some(&Ok(value.clone())) {
                    quote(name)
                } else {
                    quote(&self.schema.text(value))
                }
            }
            Value::String(_)
            | Value::Binary(_)
            | Value::Enum(_)
            | Value::Bits(_)
            | Value::Instance(_) => quote(&self.schema.text(value)),
        }
    }
}

/// A key, in quotes where it needs them.
fn key(name: &str) -> String {
    let is_bare = |c: char| c.is_ascii_alphanumeric() || matches!(c, '_' | '-');
    if !name.is_empty() && name.chars().all(is_bare) {
        name.to_owned()
    } else {
        quote(name)
    }
}

fn quote(text: &str) -> String {
    let mut quoted = String::with_capacity(text.len() + 2);
    quoted.push('"');
    for c in text.chars() {
        match c {
            '"' => quoted.push_str("\\\""),
            '\\' => quoted.push_str("\\\\"),
            '\n' => quoted.push_str("\\n"),
            '\t' => quoted.push_str("\\t"),
            '\r' => quoted.push_str("\\r"),
            c if c.is_control() => {
                let _ = write!(quoted, "\\U{:08X}", u32::from(c));
            }
            c => quoted.push(c),
        }
    }
    quoted.push('"');
    quoted
}

/// Content of an `anydata` node, inline.
fn any(json: &serde_json::Value) -> String {
    use serde_json::Value as Json;
    match json {
        // TOML has no null.
        Json::Null => "\"\"".to_owned(),
        Json::Bool(is) => is.to_string(),
        Json::Number(number) => number.to_string(),
        Json::String(text) => quote(text),
        Json::Array(all) => format!("[{}]", all.iter().map(any).collect::<Vec<_>>().join(", ")),
        Json::Object(members) => {
            let members = members.iter();
            let members: Vec<String> = members
                .map(|(name, value)| format!("{} = {}", key(name), any(value)))
                .collect();
            format!("{{ {} }}", members.join(", "))
        }
    }
}

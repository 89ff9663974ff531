//! Paths to data nodes.

use std::fmt::Write as _;

use super::Key;
use crate::schema::{NodeId, Schema};
use crate::value::Value;

/// The way from the root of a datastore to a node of its data; empty for the root.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash)]
pub struct Path(Vec<Step>);

/// A node on a path.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Step {
    /// The node; choices and cases are no steps.
    pub node: NodeId,
    /// Which of its entries.
    pub select: Select,
}

/// Which entries of a node.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash)]
pub enum Select {
    /// The node, or all entries of a list or leaf-list.
    #[default]
    All,
    /// The entry of a list with this key.
    Key(Key),
    /// A value of a leaf-list.
    Value(Value),
    /// The entry of a list without keys, from 1.
    Position(usize),
}

impl Path {
    /// The path of the root.
    pub fn root() -> Self {
        Self::default()
    }

    /// The steps.
    pub fn steps(&self) -> &[Step] {
        &self.0
    }

    /// The schema node that it leads to; `None` for the root.
    pub fn node(&self) -> Option<NodeId> {
        self.0.last().map(|step| step.node)
    }

    /// The path without its last step; `None` for the root.
    pub fn parent(&self) -> Option<Self> {
        let (_, above) = self.0.split_last()?;
        Some(Self(above.to_vec()))
    }

    /// Adds a step.
    pub fn push(&mut self, node: NodeId, select: Select) {
        self.0.push(Step { node, select });
    }

    /// Removes the last step.
    pub fn pop(&mut self) -> Option<Step> {
        self.0.pop()
    }

    /// This path and a step more.
    #[must_use]
    pub fn join(&self, node: NodeId, select: Select) -> Self {
        let mut path = self.clone();
        path.push(node, select);
        path
    }

    /// As an instance-identifier with module names: `/module:container/list[key='v']/leaf` (RFC 7951 section 6.11).
    pub fn text(&self, schema: &Schema) -> String {
        let mut text = String::new();
        let mut module = None;
        for step in &self.0 {
            let node = schema.node(step.node);
            text.push('/');
            if module == Some(node.module) {
                text.push_str(&node.name);
            } else {
                text.push_str(&schema.qualified_name(step.node));
            }
            module = Some(node.module);
            match &step.select {
                Select::All => {}
                Select::Key(key) => {
                    let keys = key_names(schema, step.node);
                    for (name, value) in keys.zip(key.iter()) {
                        let _ = write!(text, "[{name}={}]", quote(&schema.text(value)));
                    }
                }
                Select::Value(value) => {
                    let _ = write!(text, "[.={}]", quote(&schema.text(value)));
                }
                Select::Position(at) => {
                    let _ = write!(text, "[{at}]");
                }
            }
        }
        if text.is_empty() {
            text.push('/');
        }
        text
    }

    /// As RESTCONF writes it in URIs: `module:container/list=v/leaf` (RFC 8040 section 3.5.3).
    pub fn api_text(&self, schema: &Schema) -> String {
        let mut parts = Vec::new();
        let mut module = None;
        for step in &self.0 {
            let node = schema.node(step.node);
            let mut part = if module == Some(node.module) {
                node.name.to_string()
            } else {
                schema.qualified_name(step.node)
            };
            module = Some(node.module);
            match &step.select {
                Select::All | Select::Position(_) => {}
                Select::Key(key) => {
                    let values = key.iter().map(|value| encode(&schema.text(value)));
                    part.push('=');
                    part.push_str(&values.collect::<Vec<_>>().join(","));
                }
                Select::Value(value) => {
                    part.push('=');
                    part.push_str(&encode(&schema.text(value)));
                }
            }
            parts.push(part);
        }
        parts.join("/")
    }
}

fn key_names(schema: &Schema, list: NodeId) -> impl Iterator<Item = String> {
    let keys = schema.node(list).list();
    let keys = keys.map_or(&[][..], |list| list.keys.as_slice());
    keys.iter().map(|key| schema.json_name(*key))
}

/// In the quotes that the text does not have. XPath has no way to write both; such a text is written in double quotes,
/// and [`Path::parse`] does not read it back.
fn quote(text: &str) -> String {
    let quote = if text.contains('\'') { '"' } else { '\'' };
    format!("{quote}{text}{quote}")
}

/// Percent-encoded but for unreserved characters (RFC 3986 section 2.3).
fn encode(text: &str) -> String {
    let mut encoded = String::with_capacity(text.len());
    for octet in text.bytes() {
        match octet {
            b'a'..=b'z' | b'A'..=b'Z' | b'0'..=b'9' | b'-' | b'.' | b'_' | b'~' => {
                encoded.push(char::from(octet));
            }
            octet => {
                let _ = write!(encoded, "%{octet:02X}");
            }
        }
    }
    encoded
}

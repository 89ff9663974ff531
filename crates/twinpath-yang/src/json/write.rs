//! Data as JSON, in schema order.

use crate::schema::{Base, NodeId, Schema, Type};
use crate::tree::{Children, Data};
use crate::value::Value;

/// How JSON is laid out.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Layout {
    /// On one line.
    Compact,
    /// A member a line, indented by two blanks.
    Indented,
}

/// An object of the data nodes below a node, or at the root. The names in it have those of their modules, as RESTCONF has
/// them too, and those within it where the module changes (RFC 7951 section 4).
pub fn write(schema: &Schema, of: Option<NodeId>, children: &Children, layout: Layout) -> String {
    let mut writer = Writer::new(schema, layout);
    writer.object(of, children, true);
    writer.text
}

/// An object with one member: a node by its name with module. For content of a notification or an operation's output, give
/// it as [`Data::Container`].
pub fn write_node(schema: &Schema, node: NodeId, data: &Data, layout: Layout) -> String {
    let mut writer = Writer::new(schema, layout);
    writer.open('{');
    writer.member(&schema.qualified_name(node), true);
    writer.data(node, data);
    writer.close('}');
    writer.text
}

struct Writer<'a> {
    schema: &'a Schema,
    layout: Layout,
    depth: usize,
    text: String,
}

impl<'a> Writer<'a> {
    fn new(schema: &'a Schema, layout: Layout) -> Self {
        Self {
            schema,
            layout,
            depth: 0,
            text: String::new(),
        }
    }

    fn line(&mut self) {
        if self.layout == Layout::Indented {
            self.text.push('\n');
            for _ in 0..self.depth {
                self.text.push_str("  ");
            }
        }
    }

    fn open(&mut self, bracket: char) {
        self.text.push(bracket);
        self.depth += 1;
    }

    fn close(&mut self, bracket: char) {
        self.depth = self.depth.saturating_sub(1);
        if !self.text.ends_with(['{', '[']) {
            self.line();
        }
        self.text.push(bracket);
    }

    fn next(&mut self, is_first: bool) {
        if !is_first {
            self.text.push(',');
        }
        self.line();
    }

    fn member(&mut self, name: &str, is_first: bool) {
        self.next(is_first);
        self.string(name);
        self.text.push(':');
        if self.layout == Layout::Indented {
            self.text.push(' ');
        }
    }

    fn string(&mut self, text: &str) {
        self.json(&serde_json::Value::from(text));
    }

    fn json(&mut self, json: &serde_json::Value) {
        self.text.push_str(&json.to_string());
    }

    fn object(&mut self, of: Option<NodeId>, children: &Children, is_top: bool) {
        self.open('{');
        let mut is_first = true;
        for (id, data) in children.ordered(self.schema, of) {
            let name = if is_top {
                self.schema.qualified_name(id)
            } else {
                self.schema.json_name(id)
            };
            self.member(&name, is_first);
            is_first = false;
            self.data(id, data);
        }
        self.close('}');
    }

    fn array<T>(&mut self, all: impl Iterator<Item = T>, mut each: impl FnMut(&mut Self, T)) {
        self.open('[');
        for (at, one) in all.enumerate() {
            self.next(at == 0);
            each(self, one);
        }
        self.close(']');
    }

    fn data(&mut self, id: NodeId, data: &Data) {
        match data {
            Data::Leaf(value) => self.value(id, value),
            Data::LeafList(values) => self.array(values.iter(), |it, value| it.value(id, value)),
            Data::Container(children) => self.object(Some(id), children, false),
            Data::List(entries) => {
                self.array(entries.values(), |it, entry| {
                    it.object(Some(id), entry, false);
                });
            }
            Data::Keyless(entries) => {
                self.array(entries.iter(), |it, entry| {
                    it.object(Some(id), entry, false);
                });
            }
            Data::Any(json) => self.json(json),
        }
    }

    fn value(&mut self, id: NodeId, value: &Value) {
        match value {
            Value::Bool(_) => self.text.push_str(&self.schema.text(value)),
            Value::Int(_) | Value::Uint(_) if self.is_number(id, value) => {
                self.text.push_str(&self.schema.text(value));
            }
            Value::Empty => self.text.push_str("[null]"),
            Value::Int(_)
            | Value::Uint(_)
            | Value::Decimal(_)
            | Value::String(_)
            | Value::Binary(_)
            | Value::Enum(_)
            | Value::Bits(_)
            | Value::Identity(_)
            | Value::Instance(_) => {
                let text = self.schema.text(value);
                self.string(&text);
            }
        }
    }

    /// Whether an integer is written as a number: its type has fewer than 64 bits (RFC 7951 section 6.1).
    fn is_number(&self, id: NodeId, value: &Value) -> bool {
        let (number, is_unsigned) = match (value.as_i64(), value.as_u64()) {
            (Some(number), _) => (i128::from(number), false),
            (None, Some(number)) => (i128::from(number), true),
            (None, None) => return false,
        };
        let mut left: Vec<&Type> = self.schema.leaf_type(id).into_iter().collect();
        while let Some(ty) = left.pop() {
            let ty = self.schema.value_type(ty);
            if let Base::Union(members) = &ty.base {
                left.extend(members.iter().rev());
            }
            if let Base::Int(int, ranges) = &ty.base
                && int.is_unsigned() == is_unsigned
                && ranges.contain(number)
            {
                return !int.is_64_bits();
            }
        }
        false
    }
}

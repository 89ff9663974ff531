//! Data as XML, in schema order with keys first.

use std::borrow::Cow;
use std::collections::BTreeMap;
use std::fmt::Write as _;

use super::WITH_DEFAULTS;
use super::names::{as_name, is_char, with_prefixes};
use super::value::is_xpath;
use crate::json::Layout;
use crate::schema::{Kind, ModuleId, NodeId, Schema};
use crate::tree::{Children, Data, Path, Select};
use crate::value::Value;

/// How to write.
#[derive(Clone, Copy, Debug)]
pub struct WriteOptions<'a> {
    /// How it is laid out.
    pub layout: Layout,
    /// Levels of blanks before each line.
    pub indent: usize,
    /// The data that is set: leaves that it does not have are marked as defaults (RFC 6243 section 3.4). It is below the same
    /// node as what is written.
    pub explicit: Option<&'a Children>,
}

impl Default for WriteOptions<'_> {
    /// On one line, without marks.
    fn default() -> Self {
        Self {
            layout: Layout::Compact,
            indent: 0,
            explicit: None,
        }
    }
}

/// Elements of the data nodes below a node, or at the root. Each declares its namespace.
pub fn write(
    schema: &Schema,
    of: Option<NodeId>,
    children: &Children,
    options: &WriteOptions<'_>,
) -> String {
    let mut writer = Writer {
        schema,
        layout: options.layout,
        depth: options.indent,
        text: String::new(),
    };
    let explicit = Explicit {
        is_marked: options.explicit.is_some(),
        children: options.explicit,
    };
    writer.level(of, None, children, explicit);
    writer.text
}

/// A path as XPath, each of whose names has a prefix, and the namespaces of these. Inputs and outputs are no steps.
pub(crate) fn write_path(schema: &Schema, path: &Path) -> (String, Vec<(String, String)>) {
    let writer = Writer {
        schema,
        layout: Layout::Compact,
        depth: 0,
        text: String::new(),
    };
    let mut used = BTreeMap::new();
    let text = writer.path(path, &mut used);
    let namespaces = used.into_iter().map(|(prefix, module)| {
        let namespace = schema.module(module).namespace.to_string();
        (prefix, namespace)
    });
    (text, namespaces.collect())
}

/// Text with what XML needs escaped, in elements and attributes. Characters that XML cannot have are U+FFFD.
pub fn escape(text: &str) -> Cow<'_, str> {
    let is_plain = |c: char| is_char(c) && !matches!(c, '<' | '>' | '&' | '"' | '\'' | '\r');
    if text.chars().all(is_plain) {
        return Cow::Borrowed(text);
    }
    let mut escaped = String::with_capacity(text.len() + 16);
    for c in text.chars() {
        match c {
            '<' => escaped.push_str("&lt;"),
            '>' => escaped.push_str("&gt;"),
            '&' => escaped.push_str("&amp;"),
            '"' => escaped.push_str("&quot;"),
            '\'' => escaped.push_str("&apos;"),
            '\r' => escaped.push_str("&#13;"),
            c if is_char(c) => escaped.push(c),
            _ => escaped.push('\u{FFFD}'),
        }
    }
    Cow::Owned(escaped)
}

/// What is set, beside what is written.
#[derive(Clone, Copy)]
struct Explicit<'a> {
    is_marked: bool,
    children: Option<&'a Children>,
}

impl<'a> Explicit<'a> {
    fn get(self, id: NodeId) -> Option<&'a Data> {
        self.children.and_then(|children| children.get(id))
    }

    fn below(self, children: Option<&'a Children>) -> Self {
        Self { children, ..self }
    }
}

struct Writer<'a> {
    schema: &'a Schema,
    layout: Layout,
    depth: usize,
    text: String,
}

impl Writer<'_> {
    fn line(&mut self) {
        if self.layout == Layout::Indented {
            if !self.text.is_empty() {
                self.text.push('\n');
            }
            for _ in 0..self.depth {
                self.text.push_str("  ");
            }
        }
    }

    fn level(
        &mut self,
        of: Option<NodeId>,
        around: Option<ModuleId>,
        children: &Children,
        explicit: Explicit<'_>,
    ) {
        let list = of.and_then(|of| self.schema.node(of).list());
        let keys = list.map(|list| list.keys.as_slice()).unwrap_or_default();
        let keyed = keys
            .iter()
            .filter_map(|key| Some((*key, children.get(*key)?)));
        for (id, data) in keyed {
            self.data(id, around, data, explicit);
        }
        let others = children.ordered(self.schema, of);
        for (id, data) in others.filter(|(id, _)| !keys.contains(id)) {
            self.data(id, around, data, explicit);
        }
    }

    fn data(&mut self, id: NodeId, around: Option<ModuleId>, data: &Data, explicit: Explicit<'_>) {
        let set = explicit.get(id);
        let is_default = explicit.is_marked && set.is_none();
        match data {
            Data::Leaf(value) => self.leaf(id, around, value, is_default),
            Data::LeafList(values) => {
                for value in values {
                    self.leaf(id, around, value, is_default);
                }
            }
            Data::Container(children) => {
                let below = explicit.below(set.and_then(Data::container));
                self.element(id, around, children, below);
            }
            Data::List(entries) => {
                let set = set.and_then(Data::entries);
                for (key, entry) in entries {
                    let below = explicit.below(set.and_then(|set| set.get(key)));
                    self.element(id, around, entry, below);
                }
            }
            Data::Keyless(entries) => {
                for (at, entry) in entries.iter().enumerate() {
                    let below = match set {
                        Some(Data::Keyless(set)) => set.get(at),
                        _ => None,
                    };
                    self.element(id, around, entry, explicit.below(below));
                }
            }
            Data::Any(json) => self.any(id, around, json),
        }
    }

    /// The beginning of a tag, with its namespace if it is not that around it.
    fn open(&mut self, id: NodeId, around: Option<ModuleId>) {
        self.line();
        let node = self.schema.node(id);
        let _ = write!(self.text, "<{}", node.name);
        if around != Some(node.module) {
            let namespace = escape(&self.schema.module(node.module).namespace);
            let _ = write!(self.text, " xmlns=\"{namespace}\"");
        }
    }

    fn element(
        &mut self,
        id: NodeId,
        around: Option<ModuleId>,
        children: &Children,
        explicit: Explicit<'_>,
    ) {
        self.open(id, around);
        if children.is_empty() {
            self.text.push_str("/>");
            return;
        }
        self.text.push('>');
        self.depth += 1;
        let node = self.schema.node(id);
        self.level(Some(id), Some(node.module), children, explicit);
        self.depth = self.depth.saturating_sub(1);
        self.line();
        let _ = write!(self.text, "</{}>", node.name);
    }

    fn leaf(&mut self, id: NodeId, around: Option<ModuleId>, value: &Value, is_default: bool) {
        self.open(id, around);
        if is_default {
            let _ = write!(
                self.text,
                " xmlns:wd=\"{WITH_DEFAULTS}\" wd:default=\"true\""
            );
        }
        let mut used = BTreeMap::new();
        let text = self.value(id, value, &mut used);
        for (prefix, module) in used {
            let namespace = escape(&self.schema.module(module).namespace);
            let _ = write!(self.text, " xmlns:{prefix}=\"{namespace}\"");
        }
        if text.is_empty() {
            self.text.push_str("/>");
        } else {
            let name = &self.schema.node(id).name;
            let _ = write!(self.text, ">{}</{name}>", escape(&text));
        }
    }

    /// The text of a value, and the prefixes that it uses.
    fn value<'v>(
        &self,
        id: NodeId,
        value: &'v Value,
        used: &mut BTreeMap<String, ModuleId>,
    ) -> Cow<'v, str> {
        match value {
            Value::Identity(identity) => {
                let identity = self.schema.identity(*identity);
                let prefix = self.prefix(identity.module, used);
                format!("{prefix}:{}", identity.name).into()
            }
            Value::Instance(path) => self.path(path, used).into(),
            Value::String(text) => {
                let ty = self
                    .schema
                    .leaf_type(id)
                    .map(|ty| self.schema.value_type(ty));
                if ty.is_some_and(|ty| is_xpath(self.schema, ty)) {
                    with_prefixes(text, |prefix| {
                        let module = self.schema.module_named(prefix)?;
                        used.insert(prefix.to_owned(), module);
                        None
                    });
                }
                Cow::Borrowed(text)
            }
            Value::Int(_)
            | Value::Uint(_)
            | Value::Decimal(_)
            | Value::Binary(_)
            | Value::Bool(_)
            | Value::Empty
            | Value::Enum(_)
            | Value::Bits(_) => self.schema.text(value),
        }
    }

    /// The prefix of a module: its own, unless another one has the same.
    fn prefix(&self, module: ModuleId, used: &mut BTreeMap<String, ModuleId>) -> String {
        let it = self.schema.module(module);
        let mut others = self.schema.modules().filter(|(id, _)| *id != module);
        let is_taken = &*it.prefix == "wd" || others.any(|(_, other)| other.prefix == it.prefix);
        let prefix = if is_taken { &*it.name } else { &*it.prefix };
        used.insert(prefix.to_owned(), module);
        prefix.to_owned()
    }

    /// An instance-identifier, each of whose names has a prefix (RFC 7950 section 9.13.2).
    fn path(&self, path: &Path, used: &mut BTreeMap<String, ModuleId>) -> String {
        let mut text = String::new();
        for step in path.steps() {
            let node = self.schema.node(step.node);
            if matches!(node.kind, Kind::Input | Kind::Output) {
                continue;
            }
            let prefix = self.prefix(node.module, used);
            let _ = write!(text, "/{prefix}:{}", node.name);
            match &step.select {
                Select::All => {}
                Select::Key(key) => {
                    let keys = node.list().map(|list| list.keys.as_slice());
                    for (leaf, value) in keys.unwrap_or_default().iter().zip(key) {
                        let name = &self.schema.node(*leaf).name;
                        let value = quote(&self.value(*leaf, value, used));
                        let _ = write!(text, "[{prefix}:{name}={value}]");
                    }
                }
                Select::Value(value) => {
                    let _ = write!(text, "[.={}]", quote(&self.value(step.node, value, used)));
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

    /// Content without a schema.
    fn any(&mut self, id: NodeId, around: Option<ModuleId>, json: &serde_json::Value) {
        self.open(id, around);
        let node = self.schema.node(id);
        self.any_content(&node.name, node.module, json);
    }

    /// What is after the attributes of an element that is begun.
    fn any_content(&mut self, name: &str, module: ModuleId, json: &serde_json::Value) {
        use serde_json::Value as Json;
        let text = match json {
            Json::Null => Cow::Borrowed(""),
            Json::String(text) => Cow::Borrowed(text.as_str()),
            Json::Bool(_) | Json::Number(_) | Json::Array(_) => Cow::Owned(json.to_string()),
            Json::Object(members) if members.is_empty() => Cow::Borrowed(""),
            Json::Object(members) => {
                self.text.push('>');
                self.depth += 1;
                for (member, value) in members {
                    self.any_member(member, module, value);
                }
                self.depth = self.depth.saturating_sub(1);
                self.line();
                let _ = write!(self.text, "</{name}>");
                return;
            }
        };
        if text.is_empty() {
            self.text.push_str("/>");
        } else {
            let _ = write!(self.text, ">{}</{name}>", escape(&text));
        }
    }

    fn any_member(&mut self, member: &str, around: ModuleId, json: &serde_json::Value) {
        let named = member
            .split_once(':')
            .and_then(|(module, local)| Some((self.schema.module_named(module)?, local)));
        let (module, local) = named.unwrap_or((around, member));
        let name = as_name(local);
        let one = std::slice::from_ref(json);
        for value in json.as_array().map_or(one, Vec::as_slice) {
            self.line();
            let _ = write!(self.text, "<{name}");
            if module != around {
                let namespace = escape(&self.schema.module(module).namespace);
                let _ = write!(self.text, " xmlns=\"{namespace}\"");
            }
            self.any_content(&name, module, value);
        }
    }
}

/// In the quotes that the text does not have.
fn quote(text: &str) -> String {
    let quote = if text.contains('\'') { '"' } else { '\'' };
    format!("{quote}{text}{quote}")
}

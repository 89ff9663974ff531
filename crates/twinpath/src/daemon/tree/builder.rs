//! Data that is put together by the names of nodes.

use twinpath_metrics::Value as Figure;
use twinpath_wire::Wall;
use twinpath_yang::schema::{Base, Type};
use twinpath_yang::value::Decimal;
use twinpath_yang::{Children, Data, Kind, NodeId, Schema, Value};

use crate::output::rfc3339;

/// The data below a node.
pub(in crate::daemon) struct Builder<'a> {
    schema: &'a Schema,
    node: NodeId,
    data: Vec<(NodeId, Data)>,
}

/// The content of a leaf, before its type is known.
pub(in crate::daemon) enum Content<'a> {
    Figure(Figure),
    Is(bool),
    Text(&'a str),
    Time(Wall),
}

/// What can be the content of a leaf.
pub(in crate::daemon) trait ToContent<'a> {
    /// `None`: it is not known.
    fn content(self) -> Option<Content<'a>>;
}

impl<'a, T: ToContent<'a>> ToContent<'a> for Option<T> {
    fn content(self) -> Option<Content<'a>> {
        self.and_then(ToContent::content)
    }
}

macro_rules! contents {
    ($($kind:ty => $make:expr,)*) => {
        $(impl<'a> ToContent<'a> for $kind {
            fn content(self) -> Option<Content<'a>> {
                Some($make(self))
            }
        })*
    };
}

contents! {
    u64 => |it| Content::Figure(Figure::Unsigned(it)),
    Figure => Content::Figure,
    bool => Content::Is,
    &'a str => Content::Text,
    Wall => Content::Time,
}

impl<'a> Builder<'a> {
    /// Nothing yet, below this node.
    pub(in crate::daemon) fn at(schema: &'a Schema, node: NodeId) -> Self {
        Self {
            schema,
            node,
            data: Vec::new(),
        }
    }

    /// What was put together.
    pub(in crate::daemon) fn finish(self) -> impl Iterator<Item = (NodeId, Data)> {
        self.data.into_iter()
    }

    /// The same as the content of the node.
    pub(in crate::daemon) fn content(self) -> Children {
        let mut children = Children::new();
        for (node, data) in self.data {
            children.insert(node, data);
        }
        children
    }

    fn child(&self, name: &str) -> Option<NodeId> {
        let child = self.schema.child(Some(self.node), None, name);
        debug_assert!(child.is_some(), "the schema has no {name} here");
        child
    }

    /// Sets a leaf, unless its content is not known or does not fit.
    pub(in crate::daemon) fn leaf<'b>(&mut self, name: &str, content: impl ToContent<'b>) {
        if let Some(content) = content.content()
            && let Some(node) = self.child(name)
        {
            self.set(node, &content);
        }
    }

    /// The same for a node of this one.
    pub(super) fn set(&mut self, node: NodeId, content: &Content<'_>) {
        let ty = self.schema.leaf_type(node);
        if let Some(value) = ty.and_then(|ty| fit(ty, content)) {
            self.data.push((node, Data::Leaf(value)));
        }
    }

    /// Sets a leaf-list to these words.
    pub(in crate::daemon) fn leaf_list<'b>(
        &mut self,
        name: &str,
        words: impl Iterator<Item = &'b str>,
    ) {
        let Some(node) = self.child(name) else {
            return;
        };
        let ty = self.schema.leaf_type(node);
        let values = words.filter_map(|word| fit(ty?, &Content::Text(word)));
        self.put(node, Data::LeafList(values.collect()));
    }

    /// Fills a container; without content it is left out.
    pub(in crate::daemon) fn container(&mut self, name: &str, fill: impl FnOnce(&mut Self)) {
        if let Some(node) = self.child(name) {
            self.container_at(node, fill);
        }
    }

    /// The same for a node of this one.
    pub(super) fn container_at(&mut self, node: NodeId, fill: impl FnOnce(&mut Self)) {
        let mut inner = Self::at(self.schema, node);
        fill(&mut inner);
        self.put(node, Data::Container(inner.content()));
    }

    /// Makes an entry of a list for each item. One without its keys is left out.
    pub(in crate::daemon) fn list<T>(
        &mut self,
        name: &str,
        items: impl IntoIterator<Item = T>,
        fill: impl Fn(&mut Self, T),
    ) {
        let mut items = items.into_iter().peekable();
        if items.peek().is_none() {
            return;
        }
        let Some(node) = self.child(name) else {
            return;
        };
        let Kind::List(list) = &self.schema.node(node).kind else {
            return;
        };
        let entries = items.map(|item| {
            let mut inner = Self::at(self.schema, node);
            fill(&mut inner, item);
            inner.content()
        });
        let data = if list.keys.is_empty() {
            Data::Keyless(entries.collect())
        } else {
            let keyed = entries.filter_map(|entry| {
                let leaf = |key: &NodeId| entry.get(*key)?.leaf().cloned();
                let key: Option<Vec<Value>> = list.keys.iter().map(leaf).collect();
                Some((key?.into(), entry))
            });
            Data::List(keyed.collect())
        };
        self.put(node, data);
    }

    fn put(&mut self, node: NodeId, data: Data) {
        if !data.is_empty() {
            self.data.push((node, data));
        }
    }
}

/// The content as a value of this type; `None`: it cannot be one.
fn fit(ty: &Type, content: &Content<'_>) -> Option<Value> {
    match (&ty.base, content) {
        (Base::Union(types), content) => types.iter().find_map(|ty| fit(ty, content)),
        (Base::Boolean, Content::Is(is)) => Some(Value::Bool(*is)),
        (Base::String { .. }, Content::Text(text)) => Some(Value::String(printable(text))),
        (Base::String { .. }, Content::Time(at)) => Some(Value::String(rfc3339(*at).into())),
        (Base::Enumeration(words), Content::Text(text)) => {
            let word = words.iter().find(|word| &*word.name == *text)?;
            Some(Value::Enum(word.name.clone()))
        }
        (Base::Bits(bits), Content::Text(text)) => {
            let words = bits
                .iter()
                .filter(|bit| text.split(' ').any(|it| it == &*bit.name));
            Some(Value::Bits(words.map(|bit| bit.name.clone()).collect()))
        }
        (Base::Int(int, _), Content::Figure(Figure::Unsigned(number))) => {
            if int.is_unsigned() {
                Some(Value::Uint(*number))
            } else {
                i64::try_from(*number).ok().map(Value::Int)
            }
        }
        (Base::Int(int, _), Content::Figure(Figure::Signed(number))) => {
            if int.is_unsigned() {
                u64::try_from(*number).ok().map(Value::Uint)
            } else {
                Some(Value::Int(*number))
            }
        }
        (Base::Decimal { digits, .. }, Content::Figure(Figure::Float(number))) => {
            let text = format!("{number:.*}", usize::from(*digits));
            Decimal::parse(&text, *digits).map(Value::Decimal)
        }
        (
            Base::Int(..)
            | Base::Decimal { .. }
            | Base::String { .. }
            | Base::Binary(_)
            | Base::Boolean
            | Base::Empty
            | Base::Enumeration(_)
            | Base::Bits(_)
            | Base::IdentityRef(_)
            | Base::LeafRef(_)
            | Base::InstanceIdentifier { .. },
            _,
        ) => None,
    }
}

/// Text without control characters, which strings cannot have (RFC 7950 section 9.4).
fn printable(text: &str) -> Box<str> {
    let all = text.chars();
    let all = all.map(|c| if c.is_control() { ' ' } else { c });
    all.collect::<String>().into()
}

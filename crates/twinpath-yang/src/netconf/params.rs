//! Parameters of an operation, each of which is read once.

use super::error::{ErrorInfo, Layer, RpcError};
use super::operation::Datastore;
use crate::schema::Schema;
use crate::value::shorten;
use crate::xml::{Element, NETCONF};

/// What is wrong with a message.
pub(super) type Errors = Vec<RpcError>;

/// An error about an element.
pub(super) fn element_error(tag: &'static str, element: &str, what: impl Into<String>) -> Errors {
    let error = RpcError::new(Layer::Protocol, tag, what);
    vec![error.with(ErrorInfo::BadElement(element.into()))]
}

/// An error about an attribute.
pub(super) fn attribute_error(
    tag: &'static str,
    layer: Layer,
    [element, attribute]: [&str; 2],
    what: impl Into<String>,
) -> Errors {
    let error = RpcError::new(layer, tag, what);
    let error = error.with(ErrorInfo::BadAttribute(attribute.into()));
    vec![error.with(ErrorInfo::BadElement(element.into()))]
}

/// That an element is not known, or its namespace.
pub(super) fn unknown(schema: &Schema, element: &Element, what: &str) -> Errors {
    let namespace = element.namespace.as_deref().unwrap_or_default();
    let mut modules = schema.modules().filter(|(_, it)| it.is_implemented);
    let own = [
        NETCONF,
        super::operation::NOTIFICATION,
        super::operation::MONITORING,
        super::operation::WITH_DEFAULTS,
        crate::xml::YANG,
    ];
    let name = shorten(&element.name);
    if own.contains(&namespace) || modules.any(|(_, it)| *it.namespace == *namespace) {
        let tag = if what == OPERATION {
            return vec![RpcError::new(
                Layer::Protocol,
                "operation-not-supported",
                format!("{name}: unknown {what}"),
            )];
        } else {
            "unknown-element"
        };
        return element_error(tag, &element.name, format!("{name}: unknown {what}"));
    }
    let what = format!("{name}: unknown namespace {}", shorten(namespace));
    let error = RpcError::new(Layer::Protocol, "unknown-namespace", what);
    let error = error.with(ErrorInfo::BadElement(element.name.clone()));
    vec![error.with(ErrorInfo::BadNamespace(namespace.into()))]
}

/// What [`unknown`] calls an operation.
pub(super) const OPERATION: &str = "operation";

/// The elements in an operation.
pub(super) struct Params<'a> {
    schema: &'a Schema,
    operation: &'a Element,
    left: Vec<&'a Element>,
}

impl<'a> Params<'a> {
    pub(super) fn new(schema: &'a Schema, operation: &'a Element) -> Self {
        Self {
            schema,
            operation,
            left: operation.children.iter().collect(),
        }
    }

    /// A parameter in the namespace of the operation.
    pub(super) fn take(&mut self, name: &str) -> Result<Option<&'a Element>, Errors> {
        let namespace = self.operation.namespace.as_deref().unwrap_or_default();
        self.take_of(namespace, name)
    }

    pub(super) fn take_of(
        &mut self,
        namespace: &str,
        name: &str,
    ) -> Result<Option<&'a Element>, Errors> {
        let mut found = None;
        let mut is_twice = false;
        self.left.retain(|it| {
            let is_this = it.is(namespace, name);
            is_twice |= is_this && found.is_some();
            if is_this && found.is_none() {
                found = Some(*it);
            }
            !is_this
        });
        if is_twice {
            return Err(element_error("bad-element", name, format!("{name}: twice")));
        }
        Ok(found)
    }

    pub(super) fn need(&mut self, name: &str) -> Result<&'a Element, Errors> {
        self.take(name)?.ok_or_else(|| self.missing(name))
    }

    /// The text of a parameter.
    pub(super) fn text(&mut self, name: &str) -> Result<Option<&'a str>, Errors> {
        let Some(element) = self.take(name)? else {
            return Ok(None);
        };
        if let Some(child) = element.children.first() {
            return Err(unknown(self.schema, child, "element"));
        }
        Ok(Some(element.word()))
    }

    /// The value of a parameter among words.
    pub(super) fn choice<T: Copy>(
        &mut self,
        name: &str,
        values: &[(&str, T)],
    ) -> Result<Option<T>, Errors> {
        let Some(word) = self.text(name)? else {
            return Ok(None);
        };
        let found = values.iter().find(|(own, _)| *own == word);
        let value = found.map(|(_, value)| *value);
        value.map(Some).ok_or_else(|| {
            let words = crate::value::either(values.iter().map(|(word, _)| (*word).to_owned()));
            invalid(format!(
                "{name}: {} is not allowed: use {words}",
                shorten(word)
            ))
        })
    }

    /// A number from 1 in a parameter.
    pub(super) fn number(&mut self, name: &str) -> Result<Option<u32>, Errors> {
        let Some(word) = self.text(name)? else {
            return Ok(None);
        };
        let number = word.parse().ok().filter(|number| *number > 0);
        number.map(Some).ok_or_else(|| {
            invalid(format!(
                "{name}: {} is not allowed: use a number from 1 to 4294967295",
                shorten(word)
            ))
        })
    }

    pub(super) fn need_number(&mut self, name: &str) -> Result<u32, Errors> {
        match self.number(name)? {
            Some(number) => Ok(number),
            None => Err(self.missing(name)),
        }
    }

    fn missing(&self, name: &str) -> Errors {
        let operation = &self.operation.name;
        let what = format!("{operation}: write the element {name}");
        element_error("missing-element", name, what)
    }

    /// Whether an element without content is there.
    pub(super) fn flag(&mut self, name: &str) -> Result<bool, Errors> {
        match self.text(name)? {
            None => Ok(false),
            Some("") => Ok(true),
            Some(text) => Err(invalid(format!(
                "{name}: {}: it is without text",
                shorten(text)
            ))),
        }
    }

    /// A datastore within `source` or `target`.
    pub(super) fn datastore(&mut self, name: &str) -> Result<Datastore, Errors> {
        let element = self.need(name)?;
        let only = only_element(self.schema, element, "running")?;
        self.datastore_of(only)
    }

    pub(super) fn datastore_of(&self, element: &Element) -> Result<Datastore, Errors> {
        let datastore = match (element.namespace.as_deref(), &*element.name) {
            (Some(NETCONF), "running") => Datastore::Running,
            (Some(NETCONF), "candidate") => Datastore::Candidate,
            _ => {
                let what = "element here: use running or candidate";
                return Err(unknown(self.schema, element, what));
            }
        };
        if let Some(child) = element.children.first() {
            return Err(unknown(self.schema, child, "element"));
        }
        if !element.word().is_empty() {
            return Err(invalid(format!("{}: it is without text", element.name)));
        }
        Ok(datastore)
    }

    /// That all parameters were read.
    pub(super) fn end(self) -> Result<(), Errors> {
        match self.left.first() {
            None => Ok(()),
            Some(element) => Err(unknown(self.schema, element, "element")),
        }
    }
}

pub(super) fn invalid(what: impl Into<String>) -> Errors {
    vec![RpcError::new(Layer::Protocol, "invalid-value", what)]
}

/// The one element in another; `missing` is the name of one that could be there.
pub(super) fn only_element<'a>(
    schema: &Schema,
    element: &'a Element,
    missing: &str,
) -> Result<&'a Element, Errors> {
    match element.children.as_slice() {
        [only] => Ok(only),
        [] => {
            let what = format!("{}: write an element such as {missing} in it", element.name);
            Err(element_error("missing-element", missing, what))
        }
        [_, second, ..] => {
            let found = unknown(schema, second, "element");
            let is_known = found.iter().all(|it| it.tag == "unknown-element");
            if !is_known {
                return Err(found);
            }
            let what = format!("{}: more than one element", element.name);
            Err(element_error("bad-element", &second.name, what))
        }
    }
}

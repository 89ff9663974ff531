//! Replies and notifications (RFC 6241 section 4.2, RFC 5277 section 2.2).

use std::fmt::Write as _;

use super::error::RpcError;
use super::operation::{MONITORING, NOTIFICATION};
use crate::schema::{NodeId, Schema};
use crate::tree::{Children, Data, Path, Select, Step};
use crate::xml::{Element, NETCONF, WriteOptions, XML, escape, write};

/// What a reply repeats of its request: all attributes of `rpc` (RFC 6241 section 4.1).
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Reply {
    /// Prefix of NETCONF's namespace, if it is not the default one.
    prefix: Option<Box<str>>,
    /// Attributes as text, each with a blank before it.
    attributes: String,
}

impl Reply {
    /// The reply to a message whose attributes cannot be read.
    pub fn without_attributes() -> Self {
        Self {
            prefix: None,
            attributes: format!(" xmlns=\"{NETCONF}\""),
        }
    }

    /// The reply to an `rpc`.
    pub(super) fn to(rpc: &Element) -> Self {
        let declared: Vec<(Option<&str>, &str)> = rpc.scope.all().collect();
        let mut attributes = String::new();
        for (prefix, namespace) in declared.iter().rev() {
            let name = prefix.map_or_else(|| "xmlns".to_owned(), |it| format!("xmlns:{it}"));
            let _ = write!(attributes, " {name}=\"{}\"", attribute(namespace));
        }
        for it in &rpc.attributes {
            let prefix = it.namespace.as_deref().map(|namespace| {
                let mut all = declared.iter();
                let prefix = all.find_map(|(prefix, own)| prefix.filter(|_| *own == namespace));
                if namespace == XML {
                    "xml"
                } else {
                    prefix.unwrap_or_default()
                }
            });
            let name = prefix.map_or_else(
                || it.name.to_string(),
                |prefix| format!("{prefix}:{}", it.name),
            );
            let _ = write!(attributes, " {name}=\"{}\"", attribute(&it.value));
        }
        let is_default = rpc.namespace_of(None) == Some(NETCONF);
        let mut all = declared.iter();
        let prefix = all.find_map(|(prefix, own)| prefix.filter(|_| *own == NETCONF));
        Self {
            prefix: prefix.filter(|_| !is_default).map(Into::into),
            attributes,
        }
    }

    /// A reply with other elements in it. Those of NETCONF's namespace declare it.
    fn around(&self, content: &str) -> String {
        let name = match &self.prefix {
            Some(prefix) => format!("{prefix}:rpc-reply"),
            None => "rpc-reply".to_owned(),
        };
        format!("<{name}{}>{content}</{name}>", self.attributes)
    }

    /// An element of NETCONF's namespace.
    fn element(&self, text: &str, name: &str) -> String {
        match &self.prefix {
            None => text.to_owned(),
            Some(_) => text.replacen(
                &format!("<{name}"),
                &format!("<{name} xmlns=\"{NETCONF}\""),
                1,
            ),
        }
    }

    /// That the operation was done.
    pub fn ok(&self) -> String {
        self.around(&self.element("<ok/>", "ok"))
    }

    /// Data of a datastore, from its root (RFC 6241 section 7.1).
    pub fn data(&self, schema: &Schema, root: &Children, options: &WriteOptions<'_>) -> String {
        let content = write(schema, None, root, options);
        let data = if content.is_empty() {
            "<data/>".to_owned()
        } else {
            format!("<data>{content}</data>")
        };
        self.around(&self.element(&data, "data"))
    }

    /// The output of an operation of the schema; without data, that it was done (RFC 7950 sections 7.14.4 and 7.15.2).
    pub fn output(&self, schema: &Schema, operation: NodeId, output: &Children) -> String {
        let node = schema.child(Some(operation), None, "output");
        let content = write(schema, node, output, &WriteOptions::default());
        if content.is_empty() {
            self.ok()
        } else {
            self.around(&content)
        }
    }

    /// The text of a module (RFC 6022 section 3.1).
    pub fn schema(&self, text: &str) -> String {
        self.around(&format!(
            "<data xmlns=\"{MONITORING}\">{}</data>",
            escape(text)
        ))
    }

    /// What was wrong.
    pub fn errors(&self, schema: &Schema, errors: &[RpcError]) -> String {
        let texts = errors.iter();
        let texts = texts.map(|error| self.element(&error.text(schema), "rpc-error"));
        self.around(&texts.collect::<String>())
    }
}

/// A notification of the schema: `path` leads to it, through the data that it is in (RFC 7950 section 7.16.2). `at`: RFC 3339.
pub fn notification(schema: &Schema, at: &str, path: &Path, content: &Children) -> String {
    let options = WriteOptions::default();
    let mut text = String::new();
    for (depth, step) in path.steps().iter().enumerate().rev() {
        let node = schema.node(step.node);
        let own = if depth + 1 == path.steps().len() {
            write(schema, Some(step.node), content, &options)
        } else {
            write(schema, Some(step.node), &keys(schema, step), &options)
        };
        let namespace = escape(&schema.module(node.module).namespace);
        text = format!("<{0} xmlns=\"{namespace}\">{own}{text}</{0}>", node.name);
    }
    notification_of(at, &text)
}

/// The keys of an entry that a path leads through.
fn keys(schema: &Schema, step: &Step) -> Children {
    let mut keys = Children::new();
    let list = schema.node(step.node).list();
    if let (Some(list), Select::Key(key)) = (list, &step.select) {
        for (leaf, value) in list.keys.iter().zip(key) {
            keys.insert(*leaf, Data::Leaf(value.clone()));
        }
    }
    keys
}

/// A notification with an element.
pub fn notification_of(at: &str, element: &str) -> String {
    format!(
        "<notification xmlns=\"{NOTIFICATION}\"><eventTime>{}</eventTime>{element}</notification>",
        escape(at)
    )
}

/// The namespace of notifications about subscriptions.
pub const STREAMS: &str = "urn:ietf:params:xml:ns:netmod:notification";

/// That all events before the subscription were sent again (RFC 5277 section 3.3.1).
pub fn replay_complete(at: &str) -> String {
    notification_of(at, &format!("<replayComplete xmlns=\"{STREAMS}\"/>"))
}

/// That a subscription has ended at its time (RFC 5277 section 3.3.1).
pub fn notification_complete(at: &str) -> String {
    notification_of(at, &format!("<notificationComplete xmlns=\"{STREAMS}\"/>"))
}

/// Text of an attribute; blanks other than spaces are written so that they are read as they are.
fn attribute(text: &str) -> String {
    escape(text).replace('\t', "&#9;").replace('\n', "&#10;")
}

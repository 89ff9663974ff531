//! Errors in replies (RFC 6241 section 4.3 and appendix A).

use std::fmt::Write as _;

use crate::fault::{Fault, FaultKind};
use crate::schema::{Kind, Schema};
use crate::tree::Path;
use crate::xml::{NETCONF, XmlFault, escape, write_path};

/// The part of the protocol in which an error is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Layer {
    /// Messages.
    Rpc,
    /// Operations.
    Protocol,
    /// Data.
    Application,
}

impl Layer {
    fn word(self) -> &'static str {
        match self {
            Self::Rpc => "rpc",
            Self::Protocol => "protocol",
            Self::Application => "application",
        }
    }
}

/// An element of `error-info`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum ErrorInfo {
    /// Name of the attribute that is wrong or missing.
    BadAttribute(Box<str>),
    /// Name of the element that is wrong or missing, or that has the attribute.
    BadElement(Box<str>),
    /// Namespace that is not known.
    BadNamespace(Box<str>),
    /// Session that holds a lock; 0 for what is not a session of NETCONF.
    SessionId(u32),
}

/// Where an error is.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub enum ErrorPath {
    /// Nowhere.
    #[default]
    None,
    /// At data; in input of an operation, at that.
    Data(Path),
    /// At an operation of NETCONF's namespace, or of another one: namespace and name.
    Operation(Box<str>, Box<str>),
}

/// An error in a reply.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RpcError {
    /// Part of the protocol: `error-type`.
    pub layer: Layer,
    /// `error-tag` of RFC 6241 appendix A.
    pub tag: &'static str,
    /// `error-app-tag`.
    pub app_tag: Option<Box<str>>,
    /// `error-path`.
    pub path: ErrorPath,
    /// `error-message`.
    pub message: String,
    /// `error-info`.
    pub info: Vec<ErrorInfo>,
}

impl RpcError {
    /// An error without a place.
    pub fn new(layer: Layer, tag: &'static str, message: impl Into<String>) -> Self {
        Self {
            layer,
            tag,
            app_tag: None,
            path: ErrorPath::None,
            message: message.into(),
            info: Vec::new(),
        }
    }

    /// With another element in its `error-info`.
    #[must_use]
    pub fn with(mut self, info: ErrorInfo) -> Self {
        self.info.push(info);
        self
    }

    /// Of a fault, at the data that it has a path to.
    pub fn of_fault(schema: &Schema, fault: &Fault) -> Self {
        let name = fault.path.node().map(|node| schema.node(node).name.clone());
        let mut error = Self::of(schema, fault);
        match fault.kind.error_tag() {
            "missing-element" | "bad-element" | "unknown-element" | "unknown-namespace" => {
                error.info.extend(name.map(ErrorInfo::BadElement));
            }
            "missing-attribute" | "bad-attribute" | "unknown-attribute" => {
                error.tag = "operation-failed";
            }
            _ => {}
        }
        error
    }

    /// Of a fault in XML, with what RFC 6241 appendix A has in `error-info`.
    pub fn of_xml(schema: &Schema, xml: &XmlFault) -> Self {
        let mut error = Self::of(schema, &xml.fault);
        match error.tag {
            "missing-attribute" | "bad-attribute" | "unknown-attribute" => {
                if let Some(attribute) = &xml.attribute {
                    error.info.push(ErrorInfo::BadAttribute(attribute.clone()));
                }
                error.info.push(ErrorInfo::BadElement(xml.element.clone()));
            }
            "missing-element" | "bad-element" | "unknown-element" => {
                error.info.push(ErrorInfo::BadElement(xml.element.clone()));
            }
            "unknown-namespace" => {
                error.info.push(ErrorInfo::BadElement(xml.element.clone()));
                if let Some(namespace) = &xml.namespace {
                    error.info.push(ErrorInfo::BadNamespace(namespace.clone()));
                }
            }
            _ => {}
        }
        error
    }

    fn of(schema: &Schema, fault: &Fault) -> Self {
        let layer = if fault.kind == FaultKind::NotReadable {
            Layer::Rpc
        } else {
            Layer::Application
        };
        let mut error = Self::new(layer, fault.kind.error_tag(), fault.what.clone());
        error.app_tag.clone_from(&fault.app_tag);
        let rpc = fault
            .path
            .steps()
            .first()
            .map(|step| schema.node(step.node));
        error.path = match rpc.filter(|node| matches!(node.kind, Kind::Rpc)) {
            Some(node) if fault.path.steps().len() == 1 => {
                error.layer = Layer::Protocol;
                let namespace = &schema.module(node.module).namespace;
                ErrorPath::Operation((&**namespace).into(), node.name.clone())
            }
            _ if fault.path.steps().is_empty() => ErrorPath::None,
            Some(_) | None => ErrorPath::Data(fault.path.clone()),
        };
        error
    }

    /// That a user may not run an operation (RFC 8341 section 3.4.4).
    pub fn denied(namespace: &str, name: &str, what: impl Into<String>) -> Self {
        let mut error = Self::new(Layer::Protocol, "access-denied", what);
        error.path = ErrorPath::Operation(namespace.into(), name.into());
        error
    }

    /// The element; NETCONF's namespace is the default one around it.
    pub(super) fn text(&self, schema: &Schema) -> String {
        let mut text = String::from("<rpc-error>");
        let mut leaf = |name: &str, value: &str| {
            let _ = write!(text, "<{name}>{}</{name}>", escape(value));
        };
        leaf("error-type", self.layer.word());
        leaf("error-tag", self.tag);
        leaf("error-severity", "error");
        if let Some(app_tag) = &self.app_tag {
            leaf("error-app-tag", app_tag);
        }
        text.push_str(&self.path.text(schema));
        let _ = write!(
            text,
            "<error-message xml:lang=\"en\">{}</error-message>",
            escape(&self.message)
        );
        if !self.info.is_empty() {
            text.push_str("<error-info>");
            for info in &self.info {
                let (name, value) = match info {
                    ErrorInfo::BadAttribute(name) => ("bad-attribute", name.clone()),
                    ErrorInfo::BadElement(name) => ("bad-element", name.clone()),
                    ErrorInfo::BadNamespace(name) => ("bad-namespace", name.clone()),
                    ErrorInfo::SessionId(number) => ("session-id", number.to_string().into()),
                };
                let _ = write!(text, "<{name}>{}</{name}>", escape(&value));
            }
            text.push_str("</error-info>");
        }
        text.push_str("</rpc-error>");
        text
    }
}

impl ErrorPath {
    fn text(&self, schema: &Schema) -> String {
        let (path, namespaces) = match self {
            Self::None => return String::new(),
            Self::Operation(namespace, name) if **namespace == *NETCONF => {
                let nc = ("nc".to_owned(), NETCONF.to_owned());
                (format!("/nc:rpc/nc:{name}"), vec![nc])
            }
            Self::Operation(namespace, name) => {
                let nc = ("nc".to_owned(), NETCONF.to_owned());
                let own = ("op".to_owned(), namespace.to_string());
                (format!("/nc:rpc/op:{name}"), vec![nc, own])
            }
            Self::Data(path) => {
                let (text, mut namespaces) = write_path(schema, path);
                let first = path
                    .steps()
                    .first()
                    .map(|step| &schema.node(step.node).kind);
                if matches!(first, Some(Kind::Rpc)) {
                    namespaces.push(("nc".to_owned(), NETCONF.to_owned()));
                    (format!("/nc:rpc{text}"), namespaces)
                } else {
                    (text, namespaces)
                }
            }
        };
        let mut text = String::from("<error-path");
        for (prefix, namespace) in namespaces {
            let _ = write!(text, " xmlns:{prefix}=\"{}\"", escape(&namespace));
        }
        let _ = write!(text, ">{}</error-path>", escape(&path));
        text
    }
}

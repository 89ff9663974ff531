//! What is wrong with data, and where.

use strsim::osa_distance;

use crate::schema::{NodeId, Schema};
use crate::tree::Path;

/// Faults of one text, at most.
pub const MAX_FAULTS: usize = 100;

/// What is wrong with data, and where.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Fault {
    /// The node, or the nearest one above that is known.
    pub path: Path,
    /// What kind of fault it is.
    pub kind: FaultKind,
    /// What is wrong, with the name of the node, and what to do instead.
    pub what: String,
    /// `error-app-tag` that the module gives, or RFC 7950 section 15.
    pub app_tag: Option<Box<str>>,
}

impl Fault {
    pub(crate) fn new(path: &Path, kind: FaultKind, what: impl Into<String>) -> Self {
        Self {
            path: path.clone(),
            kind,
            what: what.into(),
            app_tag: kind.app_tag().map(Into::into),
        }
    }
}

/// Kinds of faults; [`FaultKind::error_tag`] is their name in NETCONF and RESTCONF.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum FaultKind {
    /// The text is not JSON, XML or TOML.
    NotReadable,
    /// More nodes than are allowed.
    TooLarge,
    /// No node has this name.
    UnknownNode,
    /// A value does not fit its type.
    WrongValue,
    /// An entry of a list lacks a key.
    MissingKey,
    /// A node or entry twice.
    Duplicate,
    /// State among configuration.
    NotConfig,
    /// A mandatory node is missing.
    Missing,
    /// No case of a mandatory choice.
    MissingChoice,
    /// More than one case of a choice.
    SeveralCases,
    /// More entries than `max-elements`.
    TooMany,
    /// Fewer entries than `min-elements`.
    TooFew,
    /// Two entries share what is unique.
    NotUnique,
    /// What a leafref or instance-identifier refers to does not exist.
    DanglingReference,
    /// A node whose `when` does not hold.
    WhenFalse,
    /// A `must` does not hold.
    MustFalse,
    /// A node to create exists already.
    Exists,
    /// A node to delete, or one around what is changed, does not exist.
    Absent,
    /// The entry that another is to be put beside does not exist.
    MissingInstance,
    /// An attribute that an element or parameter needs is missing.
    MissingAttribute,
    /// An attribute has a value that is not allowed.
    BadAttribute,
    /// An attribute that is not known, or not allowed here.
    UnknownAttribute,
    /// No module has this XML namespace.
    UnknownNamespace,
    /// What is never allowed, such as to delete a key.
    NotSupported,
    /// What the user may not do.
    AccessDenied,
}

impl FaultKind {
    /// `error-tag` (RFC 6241 appendix A, RFC 7950 sections 8.3 and 15).
    pub fn error_tag(self) -> &'static str {
        match self {
            Self::NotReadable => "malformed-message",
            Self::TooLarge => "too-big",
            Self::UnknownNode | Self::WhenFalse => "unknown-element",
            Self::WrongValue => "invalid-value",
            Self::MissingKey => "missing-element",
            Self::SeveralCases | Self::NotConfig => "bad-element",
            Self::Missing | Self::MissingChoice | Self::DanglingReference | Self::Absent => {
                "data-missing"
            }
            Self::Duplicate | Self::Exists => "data-exists",
            Self::MissingInstance | Self::BadAttribute => "bad-attribute",
            Self::MissingAttribute => "missing-attribute",
            Self::UnknownAttribute => "unknown-attribute",
            Self::UnknownNamespace => "unknown-namespace",
            Self::NotSupported => "operation-not-supported",
            Self::AccessDenied => "access-denied",
            Self::TooMany | Self::TooFew | Self::NotUnique | Self::MustFalse => "operation-failed",
        }
    }

    /// `error-app-tag` where RFC 7950 section 15 has one.
    pub fn app_tag(self) -> Option<&'static str> {
        match self {
            Self::TooMany => Some("too-many-elements"),
            Self::TooFew => Some("too-few-elements"),
            Self::NotUnique => Some("data-not-unique"),
            Self::MustFalse => Some("must-violation"),
            Self::DanglingReference => Some("instance-required"),
            Self::MissingChoice => Some("missing-choice"),
            Self::MissingInstance => Some("missing-instance"),
            Self::NotReadable
            | Self::TooLarge
            | Self::UnknownNode
            | Self::WrongValue
            | Self::MissingKey
            | Self::Duplicate
            | Self::NotConfig
            | Self::Missing
            | Self::SeveralCases
            | Self::WhenFalse
            | Self::Exists
            | Self::Absent
            | Self::MissingAttribute
            | Self::BadAttribute
            | Self::UnknownAttribute
            | Self::UnknownNamespace
            | Self::NotSupported
            | Self::AccessDenied => None,
        }
    }
}

/// Faults so far, no more than [`MAX_FAULTS`].
#[derive(Debug, Default)]
pub(crate) struct Faults(pub(crate) Vec<Fault>);

impl Faults {
    pub(crate) fn add(&mut self, path: &Path, kind: FaultKind, what: impl Into<String>) {
        if !self.is_full() {
            self.0.push(Fault::new(path, kind, what));
        }
    }

    pub(crate) fn is_full(&self) -> bool {
        self.0.len() >= MAX_FAULTS
    }
}

/// What to say of a name that no node has: with the nearest of the others, if one is near.
pub(crate) fn unknown(name: &str, others: impl Iterator<Item = String>, noun: &str) -> String {
    let plain = name.replace('_', "-").to_lowercase();
    let plain: String = plain.chars().take(64).collect();
    let shown = crate::value::shorten(name);
    let all: Vec<String> = others.collect();
    let near = all
        .iter()
        .map(|other| (osa_distance(&plain, other), other))
        .min();
    match near.filter(|(distance, other)| *distance <= 1 + other.len() / 6) {
        Some((_, other)) => format!("{shown}: unknown {noun}: did you mean {other}?"),
        None if all.is_empty() => format!("{shown}: unknown {noun}: nothing can be written here"),
        None => {
            let words = crate::value::either(all.into_iter());
            format!("{shown}: unknown {noun}: use {words}")
        }
    }
}

/// Names of the data nodes below a node.
pub(crate) fn names(schema: &Schema, of: Option<NodeId>) -> impl Iterator<Item = String> {
    let children = schema.data_children(of).iter();
    children.map(|id| schema.node(*id).name.to_string())
}

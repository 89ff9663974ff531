//! The first message of both sides (RFC 6241 section 8.1).

use std::fmt::Write as _;

use super::framing::Framing;
use crate::schema::{Module, Schema};
use crate::statement;
use crate::xml::{Element, Limits, NETCONF, escape};

/// Base version 1.0, whose messages end with `]]>]]>`.
pub const BASE_1_0: &str = "urn:ietf:params:netconf:base:1.0";
/// Base version 1.1, whose messages are in chunks.
pub const BASE_1_1: &str = "urn:ietf:params:netconf:base:1.1";

/// Octets and elements of a `hello`, at most.
const LIMITS: Limits = Limits {
    max_octets: 1 << 20,
    max_elements: 20_000,
};

/// A version of NETCONF.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Version {
    /// RFC 4741.
    V1_0,
    /// RFC 6241.
    V1_1,
}

impl Version {
    /// How messages after `hello` are separated.
    pub fn framing(self) -> Framing {
        match self {
            Self::V1_0 => Framing::EndOfMessage,
            Self::V1_1 => Framing::Chunked,
        }
    }
}

/// What one side can do.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Hello {
    /// URIs of capabilities.
    pub capabilities: Vec<String>,
    /// Number of the session: from servers only.
    pub session_id: Option<u32>,
}

/// Why a `hello` ends the session.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum HelloError {
    /// It is not XML, or too large.
    #[error("hello: {0}")]
    NotReadable(String),
    /// It is another message.
    #[error("the first message is not a hello")]
    NotHello,
    /// It lacks an element.
    #[error("hello: no element {0}")]
    Missing(&'static str),
    /// A client said a session's number, or a server did not.
    #[error("hello: session-id: from servers only, a number from 1")]
    SessionId,
    /// Both sides have no version in common.
    #[error("hello: neither {BASE_1_1} nor {BASE_1_0} on both sides")]
    NoVersion,
}

impl Hello {
    /// Reads a message.
    ///
    /// # Errors
    ///
    /// It is no `hello`. The session ends.
    pub fn parse(message: &[u8]) -> Result<Self, HelloError> {
        let root = Element::parse(message, &LIMITS);
        let root = root.map_err(|fault| HelloError::NotReadable(fault.what))?;
        if !root.is(NETCONF, "hello") {
            return Err(HelloError::NotHello);
        }
        let list = root.child(NETCONF, "capabilities");
        let list = list.ok_or(HelloError::Missing("capabilities"))?;
        let capabilities = list.children.iter();
        let capabilities = capabilities.filter(|it| it.is(NETCONF, "capability"));
        let session_id = match root.child(NETCONF, "session-id") {
            None => None,
            Some(element) => {
                let number = element.word().parse().ok().filter(|number| *number > 0);
                Some(number.ok_or(HelloError::SessionId)?)
            }
        };
        Ok(Self {
            capabilities: capabilities.map(|it| it.word().to_owned()).collect(),
            session_id,
        })
    }

    /// Reads the message of a client, which has no number of a session.
    ///
    /// # Errors
    ///
    /// As [`Hello::parse`].
    pub fn of_client(message: &[u8]) -> Result<Self, HelloError> {
        let hello = Self::parse(message)?;
        match hello.session_id {
            None => Ok(hello),
            Some(_) => Err(HelloError::SessionId),
        }
    }

    /// Reads the message of a server, which has the number of the session.
    ///
    /// # Errors
    ///
    /// As [`Hello::parse`].
    pub fn of_server(message: &[u8]) -> Result<Self, HelloError> {
        let hello = Self::parse(message)?;
        match hello.session_id {
            Some(_) => Ok(hello),
            None => Err(HelloError::SessionId),
        }
    }

    /// The message.
    pub fn text(&self) -> String {
        let mut text = format!("<hello xmlns=\"{NETCONF}\"><capabilities>");
        for capability in &self.capabilities {
            let _ = write!(text, "<capability>{}</capability>", escape(capability));
        }
        text.push_str("</capabilities>");
        if let Some(number) = self.session_id {
            let _ = write!(text, "<session-id>{number}</session-id>");
        }
        text.push_str("</hello>");
        text
    }

    /// Whether a capability is among these, whatever its parameters.
    pub fn has(&self, capability: &str) -> bool {
        let mut all = self.capabilities.iter();
        all.any(|it| it.split('?').next() == Some(capability))
    }

    /// The version that both sides use: the highest that both have.
    ///
    /// # Errors
    ///
    /// They have none in common. The session ends.
    pub fn version(&self, other: &Self) -> Result<Version, HelloError> {
        let both = |capability| self.has(capability) && other.has(capability);
        if both(BASE_1_1) {
            Ok(Version::V1_1)
        } else if both(BASE_1_0) {
            Ok(Version::V1_0)
        } else {
            Err(HelloError::NoVersion)
        }
    }
}

/// What a server's capabilities depend on.
#[derive(Clone, Copy, Debug, Default)]
pub struct ServerOptions<'a> {
    /// `content-id` of the YANG library (RFC 8525), if there is one.
    pub content_id: Option<&'a str>,
    /// Whether notifications are sent (RFC 5277).
    pub has_notifications: bool,
}

/// Capabilities of RFC 6241 that this module has.
const CAPABILITIES: [&str; 6] = [
    "writable-running:1.0",
    "candidate:1.0",
    "confirmed-commit:1.1",
    "rollback-on-error:1.0",
    "validate:1.1",
    "with-defaults:1.0?basic-mode=explicit&also-supported=report-all,report-all-tagged,trim",
];
/// Those of RFC 5277.
const NOTIFICATIONS: [&str; 2] = ["notification:1.0", "interleave:1.0"];
/// Revision of `ietf-yang-library` (RFC 8525).
const YANG_LIBRARY: &str = "2019-01-04";

/// The module of NETCONF's operations.
const NETCONF_NAME: &str = "ietf-netconf";
/// Its capability, with the features that its operations have here. A schema that has it need not implement it.
const NETCONF_MODULE: &str = "urn:ietf:params:xml:ns:netconf:base:1.0?module=ietf-netconf&revision=2011-06-01&features=writable-running,candidate,confirmed-commit,rollback-on-error,validate";

/// The capabilities of a server with [`super::Datastores`]: the base versions, those of its operations, the YANG library
/// (RFC 8526 section 2), and modules of YANG version 1 (RFC 7950 section 5.6.4).
pub fn capabilities(schema: &Schema, options: ServerOptions<'_>) -> Vec<String> {
    let mut all = vec![BASE_1_0.to_owned(), BASE_1_1.to_owned()];
    let uri = |name: &&str| format!("urn:ietf:params:netconf:capability:{name}");
    all.extend(CAPABILITIES.iter().map(uri));
    if options.has_notifications {
        all.extend(NOTIFICATIONS.iter().map(uri));
    }
    if let Some(content_id) = options.content_id {
        all.push(uri(&&*format!(
            "yang-library:1.1?revision={YANG_LIBRARY}&content-id={content_id}"
        )));
    }
    if schema.module_named(NETCONF_NAME).is_some() {
        all.push(NETCONF_MODULE.to_owned());
    }
    let modules = schema.modules().map(|(_, module)| module);
    let modules = modules.filter(|it| it.is_implemented && *it.name != *NETCONF_NAME);
    all.extend(modules.filter(|it| is_version_1(it)).map(of_module));
    all
}

/// Whether a module is of YANG version 1.
fn is_version_1(module: &Module) -> bool {
    let parsed = statement::parse(&module.text);
    parsed.is_ok_and(|root| {
        root.text("yang-version")
            .is_none_or(|version| version == "1")
    })
}

/// The capability of a module (RFC 6020 section 5.6.4).
fn of_module(module: &Module) -> String {
    let mut uri = format!("{}?module={}", module.namespace, module.name);
    if let Some(revision) = &module.revision {
        let _ = write!(uri, "&revision={revision}");
    }
    let features = module.features.iter().filter(|it| it.is_supported);
    let features: Vec<&str> = features.map(|it| &*it.name).collect();
    if !features.is_empty() {
        let _ = write!(uri, "&features={}", features.join(","));
    }
    uri
}

//! XML (RFC 7950 sections 7.5.7 and following): data, edits and filters of NETCONF.
//!
//! A text is read as an [`Element`], so that what is around data (messages of NETCONF, bodies of RESTCONF) is read from it
//! too. There are no document types, and no entities but the five that XML predefines.

mod any;
mod element;
mod filters;
mod marks;
mod names;
mod read;
mod scope;
mod value;
mod write;

pub use element::{Attribute, Element, Limits, MAX_DEPTH};
pub use filters::{MAX_FILTERS, filters, notification_filters};
pub use read::{XmlFault, edits, read};
pub(crate) use write::write_path;
pub use write::{WriteOptions, escape, write};

/// The namespace of NETCONF's messages, and of the attribute `operation` (RFC 6241 section 3.1).
pub const NETCONF: &str = "urn:ietf:params:xml:ns:netconf:base:1.0";
/// The namespace of the attributes `insert`, `key` and `value` (RFC 7950 section 5.3.1).
pub const YANG: &str = "urn:ietf:params:xml:ns:yang:1";
/// The namespace of the attribute `default` (RFC 6243 section 6).
pub const WITH_DEFAULTS: &str = "urn:ietf:params:xml:ns:netconf:default:1.0";
/// The namespace of attributes whose prefix is `xml`.
pub(crate) const XML: &str = "http://www.w3.org/XML/1998/namespace";

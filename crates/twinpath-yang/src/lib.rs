//! YANG 1.1 modules (RFC 7950) as a [`Schema`], and trees of data that follow it: defaults, validation, paths, differences,
//! edits, filters, access control (RFC 8341), JSON (RFC 7951), XML and TOML; and NETCONF (RFC 6241) without its transport.
//!
//! Texts come from the caller and go back to it: nothing here reads a file or a clock.
//!
//! ```
//! use twinpath_yang::json::{self, ReadOptions};
//! use twinpath_yang::{Path, Schema, Scope, validate};
//!
//! let module = r#"
//!     module example {
//!       yang-version 1.1; namespace "urn:example"; prefix ex;
//!       container top {
//!         list session {
//!           key name;
//!           leaf name { type string; }
//!           leaf count { type uint8 { range "1..20"; } default 10; }
//!         }
//!       }
//!     }"#;
//! let schema = Schema::load(&[module], &["example"])?;
//! let text = br#"{ "example:top": { "session": [ { "name": "a", "count": 40 } ] } }"#;
//! let faults = json::read(&schema, text, &ReadOptions::default()).unwrap_err();
//! assert_eq!(faults[0].what, "count: 40 is not allowed: use an integer from 1 to 20");
//! assert_eq!(faults[0].path.text(&schema), "/example:top/session[name='a']/count");
//!
//! let text = br#"{ "example:top": { "session": [ { "name": "a" } ] } }"#;
//! let root = json::read(&schema, text, &ReadOptions::default()).unwrap();
//! assert!(validate(&schema, &root, Scope::Config).is_empty());
//! let count = Path::parse(&schema, "/example:top/session[name='a']/count")?;
//! assert_eq!(root.value(&schema, &count).and_then(|value| value.as_u64()), Some(10));
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```
#![forbid(unsafe_code)]

pub mod access;
pub mod diff;
pub mod edit;
mod fault;
pub mod filter;
pub mod json;
pub mod modules;
pub mod netconf;
pub mod schema;
pub mod statement;
pub mod toml;
pub mod tree;
pub mod value;
pub mod xml;

pub use access::{Access, User};
pub use diff::{Change, ChangeKind, Place, diff, line};
pub use edit::{EditContent, EditNode, Operation, apply, edit};
pub use fault::{Fault, FaultKind, MAX_FAULTS};
pub use filter::{Content, Fields, Filter, Query};
pub use schema::{Kind, ModuleId, Node, NodeId, Schema, SchemaError};
pub use tree::{Children, Data, Key, Path, Scope, Select, Step, validate};
pub use value::Value;

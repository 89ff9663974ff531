//! Which part of a tree is shown: subtree filters of NETCONF (RFC 6241 section 6), and `content`, `depth`, `fields` and
//! `with-defaults` of RESTCONF (RFC 8040 section 4.8).

mod fields;
mod query;
mod subtree;

pub use fields::Fields;
pub use query::{Content, Query, get, resource};
pub use subtree::{Filter, Test};

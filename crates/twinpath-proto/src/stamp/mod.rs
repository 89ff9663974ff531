//! Keys of STAMP: which key a packet has, and what is signed with it (RFC 8762 section 4.4, RFC
//! 8972 section 4.8).

#[cfg(test)]
mod costs;
mod key;
mod keys;

pub use key::{KeyTooShort, StampKey};
pub(crate) use keys::KeyAt;
pub use keys::{KeyScope, StampKeys};

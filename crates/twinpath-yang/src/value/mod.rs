//! Values of leaves, and their canonical text (RFC 7950 section 9).

mod decimal;
mod expected;
mod parse;
mod text;

pub use decimal::Decimal;
pub(crate) use expected::either;
pub use parse::{Names, Unfit};
pub(crate) use parse::{Restriction, check, fit_integer, fit_union, shorten};

use std::sync::Arc;

use crate::schema::IdentityId;
use crate::tree::Path;

/// A value that fits the type of its leaf.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum Value {
    /// Of a signed integer type.
    Int(i64),
    /// Of an unsigned integer type.
    Uint(u64),
    /// Of `decimal64`.
    Decimal(Decimal),
    /// Of `string`.
    String(Box<str>),
    /// Octets of `binary`.
    Binary(Box<[u8]>),
    /// Of `boolean`.
    Bool(bool),
    /// Of `empty`.
    Empty,
    /// The word of an `enumeration`.
    Enum(Arc<str>),
    /// The words of `bits`, in the order of their positions.
    Bits(Box<[Arc<str>]>),
    /// Of `identityref`.
    Identity(IdentityId),
    /// Of `instance-identifier`.
    Instance(Path),
}

impl Value {
    /// Text of a string or of an enumeration's word.
    pub fn as_str(&self) -> Option<&str> {
        match self {
            Self::String(text) => Some(text),
            Self::Enum(word) => Some(word),
            Self::Int(_)
            | Self::Uint(_)
            | Self::Decimal(_)
            | Self::Binary(_)
            | Self::Bool(_)
            | Self::Empty
            | Self::Bits(_)
            | Self::Identity(_)
            | Self::Instance(_) => None,
        }
    }

    /// The number of an unsigned integer.
    pub fn as_u64(&self) -> Option<u64> {
        if let Self::Uint(number) = self {
            Some(*number)
        } else {
            None
        }
    }

    /// The number of a signed integer.
    pub fn as_i64(&self) -> Option<i64> {
        if let Self::Int(number) = self {
            Some(*number)
        } else {
            None
        }
    }

    /// `true` or `false` of a boolean.
    pub fn as_bool(&self) -> Option<bool> {
        if let Self::Bool(is) = self {
            Some(*is)
        } else {
            None
        }
    }
}

//! Types (RFC 7950 sections 7.3, 7.4 and 9), resolved through typedefs.

mod compile;

mod members;

pub(super) use compile::RawDefault;

use std::sync::Arc;

use super::condition::DataPath;
use super::{IdentityId, ModuleId, NodeId, Pattern, Ranges};

/// The type of a leaf, with the restrictions of all typedefs on its way.
#[derive(Clone, Debug)]
pub struct Type {
    /// The built-in type and what is allowed of it.
    pub base: Base,
    /// Typedefs from the one that is written down to the last before the built-in type.
    pub typedefs: Vec<TypedefName>,
}

impl Type {
    /// Whether it is, or is derived from, a typedef of this name in this module.
    pub fn is_typedef(&self, module: ModuleId, name: &str) -> bool {
        self.typedefs
            .iter()
            .any(|it| it.module == module && &*it.name == name)
    }
}

/// A typedef by its name.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TypedefName {
    /// Module that defines it.
    pub module: ModuleId,
    /// Its name there.
    pub name: Box<str>,
}

/// A built-in type and what is allowed of it.
#[derive(Clone, Debug)]
pub enum Base {
    /// Integers of a width.
    Int(IntType, Ranges),
    /// Numbers with a fixed count of digits after the point.
    Decimal {
        /// Digits after the point, 1 to 18.
        digits: u8,
        /// Allowed numbers, scaled.
        ranges: Ranges,
    },
    /// Text.
    String {
        /// Allowed counts of characters.
        lengths: Ranges,
        /// What it must match, all of them.
        patterns: Vec<Pattern>,
    },
    /// Octets; their allowed counts.
    Binary(Ranges),
    /// `true` or `false`.
    Boolean,
    /// No value: existence says all.
    Empty,
    /// One of some words.
    Enumeration(Vec<EnumValue>),
    /// A set of words, in the order of positions.
    Bits(Vec<Bit>),
    /// An identity derived from all of these.
    IdentityRef(Vec<IdentityId>),
    /// The value of another leaf.
    LeafRef(LeafRef),
    /// A path to a node.
    InstanceIdentifier {
        /// Whether that node must exist.
        is_required: bool,
    },
    /// A value of one of these, the first that fits.
    Union(Vec<Type>),
}

/// Width and sign of an integer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[expect(missing_docs, reason = "names say all")]
pub enum IntType {
    Int8,
    Int16,
    Int32,
    Int64,
    Uint8,
    Uint16,
    Uint32,
    Uint64,
}

impl IntType {
    pub(super) fn named(name: &str) -> Option<Self> {
        Some(match name {
            "int8" => Self::Int8,
            "int16" => Self::Int16,
            "int32" => Self::Int32,
            "int64" => Self::Int64,
            "uint8" => Self::Uint8,
            "uint16" => Self::Uint16,
            "uint32" => Self::Uint32,
            "uint64" => Self::Uint64,
            _ => return None,
        })
    }

    /// The first and the last number of this width.
    pub fn limits(self) -> (i128, i128) {
        match self {
            Self::Int8 => (i8::MIN.into(), i8::MAX.into()),
            Self::Int16 => (i16::MIN.into(), i16::MAX.into()),
            Self::Int32 => (i32::MIN.into(), i32::MAX.into()),
            Self::Int64 => (i64::MIN.into(), i64::MAX.into()),
            Self::Uint8 => (0, u8::MAX.into()),
            Self::Uint16 => (0, u16::MAX.into()),
            Self::Uint32 => (0, u32::MAX.into()),
            Self::Uint64 => (0, u64::MAX.into()),
        }
    }

    /// All numbers of this width.
    pub(super) fn ranges(self) -> Ranges {
        let (first, last) = self.limits();
        Ranges::of(first, last)
    }

    /// Whether it has 64 bits: JSON writes it as a string (RFC 7951 section 6.1).
    pub fn is_64_bits(self) -> bool {
        matches!(self, Self::Int64 | Self::Uint64)
    }

    /// Whether it has no sign.
    pub fn is_unsigned(self) -> bool {
        matches!(
            self,
            Self::Uint8 | Self::Uint16 | Self::Uint32 | Self::Uint64
        )
    }
}

/// A word of an enumeration.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct EnumValue {
    /// The word.
    pub name: Arc<str>,
    /// Its number.
    pub value: i32,
}

/// A word of a set.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Bit {
    /// The word.
    pub name: Arc<str>,
    /// Its place, from 0.
    pub position: u32,
}

/// What a leafref refers to (RFC 7950 section 9.9).
#[derive(Clone, Debug)]
pub struct LeafRef {
    /// The way to it, from the leaf.
    pub path: DataPath,
    /// The leaf or leaf-list.
    pub target: NodeId,
    /// Whether the value must exist there.
    pub is_required: bool,
}

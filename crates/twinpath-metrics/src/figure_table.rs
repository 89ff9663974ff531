//! The table of figures: each figure's key, unit, meaning and RFC, how to get its value and how
//! values of several runs are combined. Documents, metrics for monitoring and the table in the docs
//! are generated from it.

use serde::Serialize;

/// Description of a figure.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct About {
    /// Its key in documents.
    pub key: &'static str,
    /// Its unit.
    pub unit: Unit,
    /// How the values of several runs become one.
    pub merge: Merge,
    /// The document that defines it; empty if only this project does.
    pub rfc: &'static str,
    /// Its meaning, as a short phrase.
    pub help: &'static str,
}

/// A figure of a `T`.
#[derive(Clone, Copy, Debug)]
pub struct Figure<T> {
    /// Its description.
    pub about: About,
    /// Its value; `None` is "not known", never 0.
    pub get: fn(&T) -> Option<Value>,
}

/// The unit of a figure.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Unit {
    /// Packets, replies or copies.
    Packets,
    /// How often something happened.
    Events,
    /// Nanoseconds.
    Nanoseconds,
    /// A part of a whole: 1 is 100 %, and more only where things are counted more than once.
    Ratio,
    /// Packets per second.
    PacketsPerSecond,
    /// Parts per million.
    PartsPerMillion,
    /// Blocks of time (row M-63).
    Blocks,
    /// Routers on the way.
    Hops,
    /// A number without a unit.
    Number,
}

impl Unit {
    /// The text in a table.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Packets => "packets",
            Self::Events => "events",
            Self::Nanoseconds => "ns",
            Self::Ratio => "1 is 100 %",
            Self::PacketsPerSecond => "packets/s",
            Self::PartsPerMillion => "ppm",
            Self::Blocks => "blocks",
            Self::Hops => "hops",
            Self::Number => "number",
        }
    }
}

/// How the figures of several runs become one.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Merge {
    /// Their sum; unknown if one of them is, or if blocks of time have different lengths.
    Sum,
    /// The least of them; a figure that only some runs can have may be unknown if one of them lacks
    /// it.
    Least,
    /// The greatest of them, under the same condition.
    Greatest,
    /// The common value; unknown if they differ.
    Same,
    /// Computed again from the sum of their distributions.
    Distribution,
    /// Computed again from the sums of other figures.
    Derived,
    /// The value of the first run.
    First,
    /// Not at all: it belongs to one run.
    Never,
}

impl Merge {
    /// The text in a table.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Sum => "sum",
            Self::Least => "minimum",
            Self::Greatest => "maximum",
            Self::Same => "if equal",
            Self::Distribution => "from distributions",
            Self::Derived => "from sums",
            Self::First => "the first run's",
            Self::Never => "not merged",
        }
    }
}

/// The value of a figure.
#[derive(Clone, Copy, Debug, PartialEq, Serialize)]
#[serde(untagged)]
pub enum Value {
    /// A count, or a time that is not negative.
    Unsigned(u64),
    /// A time that may be negative.
    Signed(i64),
    /// A ratio or a rate.
    Float(f64),
}

/// A type that can be the value of a figure.
pub trait ToValue {
    /// `None` is "not known".
    fn to_value(&self) -> Option<Value>;
}

impl<T: ToValue> ToValue for Option<T> {
    fn to_value(&self) -> Option<Value> {
        self.as_ref()?.to_value()
    }
}

macro_rules! values {
    ($($kind:ty => $value:expr,)*) => {
        $(impl ToValue for $kind {
            fn to_value(&self) -> Option<Value> {
                Some($value(*self))
            }
        })*
    };
}

values! {
    u8 => |it: u8| Value::Unsigned(it.into()),
    u32 => |it: u32| Value::Unsigned(it.into()),
    u64 => Value::Unsigned,
    u128 => |it| Value::Unsigned(u64::try_from(it).unwrap_or(u64::MAX)),
    i64 => Value::Signed,
    f64 => Value::Float,
}

/// The figures of a type: `key, unit, merge, "RFC", "help";`, with `key = get, ...` if it is not a
/// field.
#[macro_export]
macro_rules! figures {
    ($of:ident: $($key:ident $(= $get:expr)?, $unit:ident, $merge:ident, $rfc:literal, $help:literal;)*) => {
        impl $of {
            /// Its figures.
            pub const FIGURES: &'static [$crate::Figure<Self>] = &[$($crate::Figure {
                about: $crate::About {
                    key: stringify!($key),
                    unit: $crate::Unit::$unit,
                    merge: $crate::Merge::$merge,
                    rfc: $rfc,
                    help: $help,
                },
                get: |it| $crate::ToValue::to_value(&$crate::figures!(@get it, $key $(= $get)?)),
            },)*];
        }
    };
    (@get $it:ident, $key:ident) => { $it.$key };
    (@get $it:ident, $key:ident = $get:expr) => { ($get)($it) };
}

/// What documents contain of a type, in this order: figures, as in [`figures!`], and other values:
/// `key = get;`.
#[macro_export]
macro_rules! serialized_figures {
    ($of:ident: $($key:ident $(= $get:expr)? $(, $unit:ident, $merge:ident, $rfc:literal, $help:literal)?;)*) => {
        impl serde::Serialize for $of {
            fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
                use serde::ser::SerializeStruct as _;
                let keys = [$(stringify!($key)),*].len();
                let mut document = serializer.serialize_struct(stringify!($of), keys)?;
                $(document.serialize_field(
                    stringify!($key),
                    &$crate::figures!(@get self, $key $(= $get)?),
                )?;)*
                document.end()
            }
        }
        $crate::serialized_figures!(@rows $of [] $($key $(= $get)? $(, $unit, $merge, $rfc, $help)?;)*);
    };
    (@rows $of:ident [$($rows:tt)*]) => { $crate::figures!($of: $($rows)*); };
    (@rows $of:ident [$($rows:tt)*] $key:ident $(= $get:expr)?, $unit:ident, $merge:ident, $rfc:literal, $help:literal; $($rest:tt)*) => {
        $crate::serialized_figures!(@rows $of [$($rows)* $key $(= $get)?, $unit, $merge, $rfc, $help;] $($rest)*);
    };
    (@rows $of:ident [$($rows:tt)*] $key:ident = $get:expr; $($rest:tt)*) => {
        $crate::serialized_figures!(@rows $of [$($rows)*] $($rest)*);
    };
}

//! Compiled modules (RFC 7950): their nodes, types, identities and features.

mod build;
mod condition;
mod deviations;
mod error;
mod features;
mod finish;
mod grammar;
mod kinds;
mod load;
mod module;
mod node;
mod pattern;
mod query;
mod restrict;
mod types;
mod uses;

pub use condition::{Condition, DataPath};
pub use error::SchemaError;
pub use module::{Feature, Identity, Import, Module};
pub use node::{Extension, Kind, List, Must, Node, Status, When};
pub use pattern::Pattern;
pub use restrict::Ranges;
pub use types::{Base, Bit, EnumValue, IntType, LeafRef, Type, TypedefName};

use std::collections::HashMap;
use std::sync::Arc;

/// Nodes of a schema, at most.
pub const MAX_NODES: usize = 100_000;

/// A node of a [`Schema`].
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct NodeId(u32);

/// A module of a [`Schema`].
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct ModuleId(u32);

/// An identity of a [`Schema`].
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct IdentityId(u32);

/// A place in an arena as a number; the arenas are bounded far below `u32::MAX`.
fn number(of: usize) -> u32 {
    u32::try_from(of).unwrap_or(u32::MAX)
}

/// A number as a place in an arena.
fn index(number: u32) -> usize {
    usize::try_from(number).unwrap_or(usize::MAX)
}

/// A set of compiled modules. Ids are valid for the schema that returned them.
#[derive(Clone, Debug)]
pub struct Schema {
    modules: Vec<Module>,
    identities: Vec<Identity>,
    nodes: Vec<Node>,
    /// Data nodes at the top, in the order of modules and statements, with choices looked through.
    data: Vec<NodeId>,
    /// Top-level nodes as written, with choices.
    top: Vec<NodeId>,
    rpcs: Vec<NodeId>,
    notifications: Vec<NodeId>,
    names: HashMap<Arc<str>, ModuleId>,
}

impl Schema {
    /// Compiles module texts; all features of the implemented modules are supported.
    ///
    /// `implemented` names the modules whose data nodes exist; others are imported only.
    ///
    /// # Errors
    ///
    /// The first statement that is wrong or not supported: submodules, conditions beyond [`Condition`], deviations
    /// beyond what does not exist and types.
    pub fn load(sources: &[&str], implemented: &[&str]) -> Result<Self, SchemaError> {
        Self::load_with_features(sources, implemented, |_, _| true)
    }

    /// Compiles module texts; `is_supported` decides by module and feature of implemented modules.
    ///
    /// # Errors
    ///
    /// As [`Schema::load`].
    pub fn load_with_features(
        sources: &[&str],
        implemented: &[&str],
        is_supported: impl Fn(&str, &str) -> bool,
    ) -> Result<Self, SchemaError> {
        load::load(sources, implemented, &is_supported)
    }
}

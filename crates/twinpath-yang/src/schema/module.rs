//! Modules, features and identities.

use std::sync::Arc;

use super::{IdentityId, ModuleId};

/// A module as it was loaded.
#[derive(Clone, Debug)]
pub struct Module {
    /// Name, which JSON and RESTCONF use.
    pub name: Arc<str>,
    /// XML namespace.
    pub namespace: Arc<str>,
    /// Prefix that the module gives itself.
    pub prefix: Box<str>,
    /// Date of the latest revision, `YYYY-MM-DD`.
    pub revision: Option<Box<str>>,
    /// The YANG text.
    pub text: Arc<str>,
    /// Features that it defines.
    pub features: Vec<Feature>,
    /// Whether its data nodes exist; `false`: others only import it.
    pub is_implemented: bool,
    /// Modules that it imports.
    pub imports: Vec<Import>,
    /// Modules whose deviations change it.
    pub deviated_by: Vec<ModuleId>,
}

/// A feature (RFC 7950 section 7.20.1).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Feature {
    /// Name within its module.
    pub name: Box<str>,
    /// Whether nodes that need it exist.
    pub is_supported: bool,
}

/// An import (RFC 7950 section 7.1.5).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Import {
    /// Prefix of its names in the module that imports.
    pub prefix: Box<str>,
    /// The imported module.
    pub module: ModuleId,
}

/// An identity (RFC 7950 section 7.18).
#[derive(Clone, Debug)]
pub struct Identity {
    /// Module that defines it.
    pub module: ModuleId,
    /// Name within its module.
    pub name: Box<str>,
    /// Identities that it is derived from directly.
    pub bases: Vec<IdentityId>,
}

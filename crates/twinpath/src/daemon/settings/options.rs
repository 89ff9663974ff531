//! Options of a command as a configuration has them.

use std::collections::BTreeMap;
use std::sync::Arc;

use twinpath_proto::stamp::KeyScope;

use crate::plan::{Layer, Setting};

/// The options, and what they were read from: by that two of them are equal.
#[derive(Debug)]
pub(crate) struct Options<A> {
    pub(crate) args: Arc<A>,
    settings: BTreeMap<String, Setting>,
    operands: Vec<String>,
    /// Of the keys that its file has.
    keys: Fingerprints,
    /// Of a session: its raw packets are saved.
    is_raw: bool,
}

/// Of keys, by the packets that they are for.
pub(super) type Fingerprints = BTreeMap<KeyScope, [u8; 16]>;

impl<A> Options<A> {
    /// With the keys of a file: with others they are not equal.
    pub(super) fn with_keys(mut self, keys: Fingerprints) -> Self {
        self.keys = keys;
        self
    }

    /// With raw packets saved, or not.
    pub(in crate::daemon) fn with_raw(mut self, is_raw: bool) -> Self {
        self.is_raw = is_raw;
        self
    }

    /// Whether raw packets are saved.
    pub(in crate::daemon) fn is_raw(&self) -> bool {
        self.is_raw
    }

    pub(super) fn new(args: Arc<A>, settings: Layer, operands: &[&str]) -> Self {
        let settings = settings.into_iter();
        Self {
            args,
            settings: settings
                .map(|(name, (setting, _line))| (name, setting))
                .collect(),
            operands: operands.iter().copied().map(str::to_owned).collect(),
            keys: Fingerprints::new(),
            is_raw: false,
        }
    }

    /// Whether others are the same but for these options.
    pub(crate) fn differs_only_in(&self, other: &Self, names: &[&str]) -> bool {
        let rest = |options: &Self| {
            let rest = options.settings.clone().into_iter();
            rest.filter(|(name, _)| !names.contains(&name.as_str()))
                .collect::<BTreeMap<_, _>>()
        };
        self.operands == other.operands
            && self.keys == other.keys
            && self.is_raw == other.is_raw
            && rest(self) == rest(other)
    }
}

impl<A> Clone for Options<A> {
    fn clone(&self) -> Self {
        Self {
            args: Arc::clone(&self.args),
            settings: self.settings.clone(),
            operands: self.operands.clone(),
            keys: self.keys.clone(),
            is_raw: self.is_raw,
        }
    }
}

impl<A> PartialEq for Options<A> {
    fn eq(&self, other: &Self) -> bool {
        self.settings == other.settings
            && self.operands == other.operands
            && self.keys == other.keys
            && self.is_raw == other.is_raw
    }
}

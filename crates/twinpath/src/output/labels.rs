//! The user's remarks in a document: those of a target and those of its run.

use std::collections::BTreeMap;

use serde::{Serialize, Serializer};
use twinpath_report::Target;

use super::SessionName;
use crate::args::Label;

/// The user's remarks, each key once: a target's own come before those of its run.
#[derive(Clone, Copy)]
pub(super) struct Labels<'a> {
    own: Option<&'a BTreeMap<String, String>>,
    run: &'a [Label],
}

impl<'a> Labels<'a> {
    pub(super) fn of_run(run: &'a [Label]) -> Self {
        Self { own: None, run }
    }

    /// Of one of several sessions, or of the only one.
    pub(super) fn of_session(session: Option<&'a SessionName>, run: &'a [Label]) -> Self {
        let own = session.map(|session| &session.labels);
        Self { own, run }
    }

    pub(super) fn of_target(target: Option<&'a Target>, run: &'a [Label]) -> Self {
        let own = target.map(|target| &target.labels);
        Self { own, run }
    }

    /// There are none.
    pub(super) fn is_empty(&self) -> bool {
        self.iter().next().is_none()
    }

    pub(super) fn iter(self) -> impl Iterator<Item = (&'a str, &'a str)> {
        let own = self.own.into_iter().flatten();
        let own = own.map(|(key, value)| (&**key, &**value));
        let is_own = move |key: &str| self.own.is_some_and(|own| own.contains_key(key));
        let run = self.run.iter();
        let run = run.map(|label| (&*label.key, &*label.value));
        own.chain(run.filter(move |(key, _)| !is_own(key)))
    }

    /// What it has for a key.
    pub(super) fn get(self, key: &str) -> Option<&'a str> {
        self.iter()
            .find_map(|(own, value)| (own == key).then_some(value))
    }
}

impl Serialize for Labels<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_map(self.iter())
    }
}

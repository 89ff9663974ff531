//! The sessions of one connection by their stage: found without a look at all others, so that ten
//! thousand of them cost no more each than ten do.

use std::collections::{BTreeMap, BTreeSet};

/// Which sessions are in which stage. `K` names a session.
#[derive(Debug)]
pub(super) struct Stages<S, K>(BTreeMap<S, BTreeSet<K>>);

impl<S, K> Default for Stages<S, K> {
    fn default() -> Self {
        Self(BTreeMap::new())
    }
}

impl<S: Ord, K: Copy + Ord> Stages<S, K> {
    pub(super) fn insert(&mut self, stage: S, session: K) {
        look(1);
        self.0.entry(stage).or_default().insert(session);
    }

    pub(super) fn remove(&mut self, stage: &S, session: &K) {
        look(1);
        if let Some(sessions) = self.0.get_mut(stage) {
            sessions.remove(session);
        }
    }

    pub(super) fn count(&self, stage: &S) -> usize {
        look(1);
        self.0.get(stage).map_or(0, BTreeSet::len)
    }

    /// All of a stage, in their order.
    pub(super) fn all(&self, stage: &S) -> impl Iterator<Item = K> {
        let sessions = self.0.get(stage).into_iter().flatten();
        sessions.copied().inspect(|_| look(1))
    }

    /// The first of a stage that is neither before `low` nor after `high`.
    pub(super) fn first_within(&self, stage: &S, low: K, high: K) -> Option<K> {
        look(1);
        self.0.get(stage)?.range(low..=high).next().copied()
    }
}

#[cfg(test)]
use tests::look;

/// For tests, which count how many sessions are looked at.
#[cfg(not(test))]
fn look(_sessions: usize) {}

#[cfg(test)]
mod tests;

//! Entries while they are edited, so that each costs little whatever their number.

use std::collections::HashSet;
use std::hash::Hash;

use indexmap::IndexMap;

use crate::diff::Place;

/// The entries of a list, or the values of a leaf-list.
pub(super) struct Ordered<K, V> {
    entries: IndexMap<K, V>,
    /// Entries that are no longer there. They are taken out at the end, all at once.
    gone: HashSet<K>,
}

/// Why an entry is not put at a place.
pub(super) struct NoSuchEntry;

impl<K: Clone + Eq + Hash, V> Ordered<K, V> {
    pub(super) fn new(entries: IndexMap<K, V>) -> Self {
        Self {
            entries,
            gone: HashSet::new(),
        }
    }

    pub(super) fn has(&self, key: &K) -> bool {
        self.entries.contains_key(key) && !self.gone.contains(key)
    }

    pub(super) fn get_mut(&mut self, key: &K) -> Option<&mut V> {
        self.entries.get_mut(key)
    }

    pub(super) fn remove(&mut self, key: &K) {
        self.gone.insert(key.clone());
    }

    /// Adds an entry that is not there, as the last one. `true` if that moved the others.
    pub(super) fn add(&mut self, key: K, value: V) -> bool {
        let was_there = self.gone.remove(&key);
        if was_there {
            self.entries.shift_remove(&key);
        }
        self.entries.insert(key, value);
        was_there
    }

    /// Moves an entry. `beside`: the entry that the place is beside.
    pub(super) fn put(
        &mut self,
        key: &K,
        place: &Place,
        beside: Option<&K>,
    ) -> Result<(), NoSuchEntry> {
        let at = |key: &K| self.entries.get_index_of(key).ok_or(NoSuchEntry);
        let beside = match beside {
            Some(beside) if !self.has(beside) => return Err(NoSuchEntry),
            Some(beside) => Some(at(beside)?),
            None => None,
        };
        let from = at(key)?;
        let to = match (place, beside) {
            (Place::First, _) => 0,
            (Place::Last, _) => self.entries.len().saturating_sub(1),
            (Place::Before(_) | Place::After(_), Some(to)) if to == from => from,
            (Place::Before(_), Some(to)) if from < to => to.saturating_sub(1),
            (Place::Before(_), Some(to)) => to,
            (Place::After(_), Some(to)) if from < to => to,
            (Place::After(_), Some(to)) => to + 1,
            (Place::Before(_) | Place::After(_), None) => return Err(NoSuchEntry),
        };
        self.entries.move_index(from, to);
        Ok(())
    }

    pub(super) fn finish(mut self) -> IndexMap<K, V> {
        if !self.gone.is_empty() {
            self.entries.retain(|key, _| !self.gone.contains(key));
        }
        self.entries
    }
}

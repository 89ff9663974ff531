//! The sessions of one thread, by their numbers on it.

use crate::measure::SessionId;

/// Slots by index. A number whose slot has another session by now finds nothing.
#[derive(Debug)]
pub(super) struct Table<T> {
    slots: Vec<Option<(u32, Box<T>)>>,
    count: usize,
}

impl<T> Default for Table<T> {
    fn default() -> Self {
        Self {
            slots: Vec::new(),
            count: 0,
        }
    }
}

impl<T> Table<T> {
    pub(super) fn insert(&mut self, id: SessionId, member: Box<T>) {
        let index = id.index as usize;
        if self.slots.len() <= index {
            self.slots.resize_with(index + 1, || None);
        }
        if let Some(slot) = self.slots.get_mut(index) {
            self.count += usize::from(slot.is_none());
            *slot = Some((id.generation, member));
        }
    }

    pub(super) fn get(&self, id: SessionId) -> Option<&T> {
        match self.slots.get(id.index as usize)? {
            Some((generation, member)) if *generation == id.generation => Some(member),
            _ => None,
        }
    }

    pub(super) fn get_mut(&mut self, id: SessionId) -> Option<&mut T> {
        match self.slots.get_mut(id.index as usize)? {
            Some((generation, member)) if *generation == id.generation => Some(member),
            _ => None,
        }
    }

    pub(super) fn remove(&mut self, id: SessionId) -> Option<Box<T>> {
        self.get(id)?;
        let (_, member) = self.slots.get_mut(id.index as usize)?.take()?;
        self.count -= 1;
        Some(member)
    }

    pub(super) fn len(&self) -> usize {
        self.count
    }

    pub(super) fn is_empty(&self) -> bool {
        self.count == 0
    }

    /// All sessions with their numbers.
    pub(super) fn iter(&self) -> impl Iterator<Item = (SessionId, &T)> {
        (0..).zip(&self.slots).filter_map(|(index, slot)| {
            let (generation, member) = slot.as_ref()?;
            let id = SessionId {
                index,
                generation: *generation,
            };
            Some((id, &**member))
        })
    }
}

/// Numbers for sessions: each is given once at a time, and never again with the same generation.
#[derive(Debug, Default)]
pub(super) struct Ids {
    free: Vec<SessionId>,
    next: u32,
}

impl Ids {
    pub(super) fn take(&mut self) -> SessionId {
        self.free.pop().unwrap_or_else(|| {
            let index = self.next;
            self.next += 1;
            SessionId {
                index,
                generation: 0,
            }
        })
    }

    pub(super) fn give_back(&mut self, id: SessionId) {
        self.free.push(SessionId {
            generation: id.generation.wrapping_add(1),
            ..id
        });
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_number_of_before_finds_no_later_session() {
        let (mut ids, mut table) = (Ids::default(), Table::default());
        let first = ids.take();
        table.insert(first, Box::new("first"));
        assert_eq!(table.remove(first).as_deref(), Some(&"first"));
        assert!(table.is_empty());
        ids.give_back(first);
        let second = ids.take();
        assert_eq!(second.index, first.index);
        table.insert(second, Box::new("second"));
        assert_eq!(table.get(first), None);
        assert_eq!(table.get_mut(first), None);
        assert_eq!(table.remove(first), None);
        assert_eq!(table.get(second), Some(&"second"));
        assert_eq!(table.iter().count(), 1);
    }
}

//! A bounded table whose oldest idle entry is found and removed in constant time.
//!
//! Remote hosts choose the keys, so their hash is keyed (std's `SipHash`). The index contains only
//! hashes and slot numbers, to stay small in the caches; entries are in a slab and linked from the
//! newest to the oldest.

use std::collections::HashMap;
use std::hash::{BuildHasher, BuildHasherDefault, Hash, Hasher, RandomState};
use std::time::Duration;

use twinpath_wire::Mono;

/// No slot.
const NONE: u32 = u32::MAX;

/// Time is divided into spans of 2^30 ns, and an entry moves to the front on its first use in a
/// span, so that most packets of a busy session touch no other entry.
const SPAN_BITS: u32 = 30;

/// A bounded table, in order of last use (to within about a second).
#[derive(Debug)]
pub(super) struct Lru<K, V> {
    slots: Vec<Slot<K, V>>,
    index: HashMap<u64, u32, BuildHasherDefault<Hashed>>,
    hasher: RandomState,
    capacity: usize,
    newest: u32,
    oldest: u32,
    /// First of the empty slots, linked by `older`.
    empty: u32,
    /// The entry that was used last: packets of one key come in runs, for which it is not hashed again.
    last: u32,
}

/// Result of a lookup.
pub(super) enum Entry<'a, V> {
    /// Found; last used this long ago.
    Known(Occupied<'a, V>, Duration),
    /// Inserted. `evicted`: how long the entry that made room for it had been idle.
    Made {
        entry: Occupied<'a, V>,
        evicted: Option<Duration>,
    },
    /// The table is full of entries that are not idle long enough to be evicted.
    Full,
}

/// An entry in its slot.
pub(super) struct Occupied<'a, V> {
    pub(super) value: &'a mut V,
    generation: &'a mut u16,
    at: u32,
}

/// Names an entry for as long as it is in the table, and no other: a slot is used again under its
/// next generation. State that few entries have is kept elsewhere by this.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(super) struct SlotId {
    at: u32,
    generation: u16,
}

/// One cache line, if key and value allow it.
#[derive(Debug)]
#[repr(align(64))]
struct Slot<K, V> {
    key: K,
    /// How often the slot was used for another entry, modulo 2^16.
    generation: u16,
    value: V,
    last_use: Mono,
    newer: u32,
    older: u32,
}

impl<K: Copy + Eq + Hash, V: Default> Lru<K, V> {
    /// Octets of an entry, but its place in the index.
    pub(super) const SLOT_OCTETS: usize = size_of::<Slot<K, V>>();

    /// An empty table for `capacity` entries; memory comes with the entries.
    pub(super) fn new(capacity: usize) -> Self {
        Self {
            slots: Vec::new(),
            index: HashMap::default(),
            hasher: RandomState::new(),
            capacity: capacity.min(NONE as usize),
            newest: NONE,
            oldest: NONE,
            empty: NONE,
            last: NONE,
        }
    }

    /// Has so many entries at most, but for those that there are.
    pub(super) fn set_capacity(&mut self, capacity: usize) {
        self.capacity = capacity.min(NONE as usize);
    }

    /// Whether there are more entries than there may be.
    pub(super) fn is_over(&self) -> bool {
        self.index.len() > self.capacity
    }

    /// When the oldest entry was last used.
    pub(super) fn oldest_use(&self) -> Option<Mono> {
        self.slot(self.oldest).map(|slot| slot.last_use)
    }

    /// Entries with their last use, from the newest on.
    pub(super) fn newest(&self) -> impl Iterator<Item = (K, &V, Mono)> {
        let slots = std::iter::successors(self.slot(self.newest), |slot| self.slot(slot.older));
        slots.map(|slot| (slot.key, &slot.value, slot.last_use))
    }

    /// The entry of `key`, used at `now`; inserted if it is missing. A full table evicts its oldest
    /// entry for it if that was idle for `spare` or longer.
    pub(super) fn entry(&mut self, key: K, now: Mono, spare: Duration) -> Entry<'_, V> {
        if self.slot(self.last).is_some_and(|slot| slot.key == key) {
            return self.touch(self.last, key, now);
        }
        let hash = self.hasher.hash_one(key);
        if let Some(at) = self.index.get(&hash).copied() {
            self.last = at;
            return self.touch(at, key, now);
        }
        let mut evicted = None;
        if self.index.len() >= self.capacity {
            let idle = self.oldest_use().map(|heard| now.since(heard));
            if idle.is_none_or(|idle| idle < spare) {
                return Entry::Full;
            }
            evicted = idle;
            self.remove_oldest();
        }
        let slot = Slot {
            key,
            generation: 0,
            value: V::default(),
            last_use: now,
            newer: NONE,
            older: NONE,
        };
        let Some(at) = self.place(slot) else {
            return Entry::Full;
        };
        self.index.insert(hash, at);
        self.link_newest(at);
        self.last = at;
        match self.slot_mut(at) {
            Some(slot) => Entry::Made {
                entry: slot.occupied(at),
                evicted,
            },
            None => Entry::Full,
        }
    }

    /// The name of an entry, which is not used by that.
    pub(super) fn find(&self, key: K) -> Option<SlotId> {
        let at = *self.index.get(&self.hasher.hash_one(key))?;
        let slot = self.slot(at).filter(|slot| slot.key == key)?;
        let generation = slot.generation;
        Some(SlotId { at, generation })
    }

    /// The value of a key, which is not used by that.
    pub(super) fn get(&self, key: K) -> Option<&V> {
        let at = *self.index.get(&self.hasher.hash_one(key))?;
        let slot = self.slot(at).filter(|slot| slot.key == key)?;
        Some(&slot.value)
    }

    /// Removes the oldest entry. Its slot.
    pub(super) fn remove_oldest(&mut self) -> Option<u32> {
        let at = self.oldest;
        let slot = self.slot(at)?;
        let hash = self.hasher.hash_one(slot.key);
        self.index.remove(&hash);
        self.unlink(at);
        if self.last == at {
            self.last = NONE;
        }
        let empty = self.empty;
        if let Some(slot) = self.slot_mut(at) {
            slot.older = empty;
            slot.generation = slot.generation.wrapping_add(1);
            self.empty = at;
        }
        Some(at)
    }

    /// The entry with this name, if it is still in the table.
    pub(super) fn get_mut(&mut self, id: SlotId) -> Option<&mut V> {
        let slot = self.slot_mut(id.at)?;
        (slot.generation == id.generation).then_some(&mut slot.value)
    }

    fn touch(&mut self, at: u32, key: K, now: Mono) -> Entry<'_, V> {
        let Some(slot) = self.slot_mut(at) else {
            return Entry::Full;
        };
        if slot.key != key {
            // Two keys with the same 64-bit hash: the later one finds no room.
            return Entry::Full;
        }
        let before = slot.last_use;
        let idle = now.since(before);
        slot.last_use = before.max(now);
        if now.ns() >> SPAN_BITS > before.ns() >> SPAN_BITS {
            self.unlink(at);
            self.link_newest(at);
        }
        match self.slot_mut(at) {
            Some(slot) => Entry::Known(slot.occupied(at), idle),
            None => Entry::Full,
        }
    }

    /// Puts it into an empty slot or a new one and returns the slot's number.
    fn place(&mut self, mut slot: Slot<K, V>) -> Option<u32> {
        let at = self.empty;
        if let Some(place) = self.slot_mut(at) {
            let next = place.older;
            slot.generation = place.generation;
            *place = slot;
            self.empty = next;
            return Some(at);
        }
        let at = u32::try_from(self.slots.len()).ok()?;
        self.slots.push(slot);
        Some(at)
    }

    fn link_newest(&mut self, at: u32) {
        let second = std::mem::replace(&mut self.newest, at);
        match self.slot_mut(second) {
            Some(second) => second.newer = at,
            None => self.oldest = at,
        }
        if let Some(slot) = self.slot_mut(at) {
            slot.older = second;
            slot.newer = NONE;
        }
    }

    fn unlink(&mut self, at: u32) {
        let Some(slot) = self.slot(at) else { return };
        let (newer, older) = (slot.newer, slot.older);
        match self.slot_mut(newer) {
            Some(slot) => slot.older = older,
            None => self.newest = older,
        }
        match self.slot_mut(older) {
            Some(slot) => slot.newer = newer,
            None => self.oldest = newer,
        }
    }

    fn slot(&self, at: u32) -> Option<&Slot<K, V>> {
        self.slots.get(at as usize)
    }

    fn slot_mut(&mut self, at: u32) -> Option<&mut Slot<K, V>> {
        self.slots.get_mut(at as usize)
    }
}

impl<K, V> Slot<K, V> {
    fn occupied(&mut self, at: u32) -> Occupied<'_, V> {
        Occupied {
            value: &mut self.value,
            generation: &mut self.generation,
            at,
        }
    }
}

impl<V: Default> Occupied<'_, V> {
    /// Puts another entry with the same key in its place.
    pub(super) fn renew(&mut self) {
        *self.value = V::default();
        *self.generation = self.generation.wrapping_add(1);
    }

    pub(super) fn id(&self) -> SlotId {
        SlotId {
            at: self.at,
            generation: *self.generation,
        }
    }
}

impl SlotId {
    /// The slot.
    pub(super) fn at(self) -> u32 {
        self.at
    }
}

/// The index's keys are keyed hashes already.
#[derive(Default)]
struct Hashed(u64);

impl Hasher for Hashed {
    fn finish(&self) -> u64 {
        self.0
    }

    fn write_u64(&mut self, hash: u64) {
        self.0 = hash;
    }

    fn write(&mut self, octets: &[u8]) {
        // Never called, because the keys are `u64`; slow but correct.
        for octet in octets {
            self.0 = self.0.rotate_left(8) ^ u64::from(*octet);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_entry_that_was_used_last_is_not_found_once_it_is_removed() {
        let mut table: Lru<u32, u8> = Lru::new(2);
        let now = Mono::from_ns(0);
        for _ in 0..2 {
            let made = table.entry(7, now, Duration::MAX);
            assert!(matches!(made, Entry::Made { .. }));
            let known = table.entry(7, now, Duration::MAX);
            assert!(matches!(known, Entry::Known(..)));
            assert!(table.remove_oldest().is_some());
        }
    }

    #[test]
    fn emptied_slots_are_filled_again_before_new_ones_are_made() {
        let mut table: Lru<u32, u8> = Lru::new(100);
        let now = Mono::from_ns(0);
        for round in 0..50 {
            for key in 0..100 {
                let made = table.entry(round * 1_000 + key, now, Duration::MAX);
                assert!(matches!(made, Entry::Made { evicted: None, .. }));
            }
            assert!(matches!(
                table.entry(u32::MAX, now, Duration::MAX),
                Entry::Full
            ));
            for left in (0..100).rev() {
                table.remove_oldest();
                assert_eq!(table.index.len(), left);
            }
            assert_eq!(table.oldest_use(), None);
        }
        assert_eq!(table.slots.len(), 100);
    }

    #[test]
    fn two_keys_with_one_hash_are_never_confused() {
        #[derive(Clone, Copy, PartialEq, Eq)]
        struct Alike(u8);
        impl Hash for Alike {
            fn hash<H: Hasher>(&self, _: &mut H) {}
        }
        let mut table: Lru<Alike, u8> = Lru::new(10);
        let mut look = |key| {
            matches!(
                table.entry(Alike(key), Mono::from_ns(0), Duration::ZERO),
                Entry::Full
            )
        };
        assert!(!look(1));
        assert!(look(2), "the later one finds no room");
        assert!(!look(1));
    }
}

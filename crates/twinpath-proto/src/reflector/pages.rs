//! What few of the slots of a table have, by the slot: pages that are made and freed with their entries. No
//! entry is ever moved, so no packet waits until many are.

/// Slots of a page: a page for a single entry costs little, and a full one no more than its entries.
const PAGE: usize = 16;

/// Entries by slot.
pub(super) struct Pages<T> {
    pages: Vec<Option<Box<Page<T>>>>,
    used: usize,
}

struct Page<T> {
    entries: [Option<T>; PAGE],
    used: usize,
}

impl<T> Default for Pages<T> {
    fn default() -> Self {
        Self {
            pages: Vec::new(),
            used: 0,
        }
    }
}

impl<T> Pages<T> {
    pub(super) fn is_empty(&self) -> bool {
        self.used == 0
    }

    pub(super) fn get(&self, slot: u32) -> Option<&T> {
        let (page, at) = place(slot);
        self.pages.get(page)?.as_ref()?.entries.get(at)?.as_ref()
    }

    pub(super) fn get_mut(&mut self, slot: u32) -> Option<&mut T> {
        let (page, at) = place(slot);
        let page = self.pages.get_mut(page)?.as_mut()?;
        page.entries.get_mut(at)?.as_mut()
    }

    pub(super) fn insert(&mut self, slot: u32, entry: T) {
        let (page, at) = place(slot);
        if self.pages.len() <= page {
            self.pages.resize_with(page + 1, || None);
        }
        let Some(page) = self.pages.get_mut(page) else {
            return;
        };
        let page = page.get_or_insert_with(|| {
            Box::new(Page {
                entries: std::array::from_fn(|_| None),
                used: 0,
            })
        });
        if let Some(place) = page.entries.get_mut(at)
            && place.replace(entry).is_none()
        {
            page.used += 1;
            self.used += 1;
        }
    }

    pub(super) fn remove(&mut self, slot: u32) {
        let (page, at) = place(slot);
        let Some(place) = self.pages.get_mut(page) else {
            return;
        };
        let Some(page) = place else { return };
        let entry = page.entries.get_mut(at);
        if entry.and_then(Option::take).is_some() {
            page.used -= 1;
            self.used -= 1;
            if page.used == 0 {
                *place = None;
            }
        }
    }
}

/// The page of a slot, and where in it the slot is.
fn place(slot: u32) -> (usize, usize) {
    let slot = slot as usize;
    (slot / PAGE, slot % PAGE)
}

#[cfg(test)]
impl<T> Pages<T> {
    /// Entries, and pages that are there for them.
    pub(super) fn size(&self) -> (usize, usize) {
        (self.used, self.pages.iter().flatten().count())
    }
}

#[cfg(test)]
mod tests {
    use std::collections::HashMap;

    use proptest::prelude::*;

    use super::*;

    proptest! {
        /// The twin is a map.
        #[test]
        fn entries_are_those_of_a_map_and_pages_those_that_have_some(
            changes in prop::collection::vec((0..200_u32, any::<bool>(), any::<u8>()), 1..300),
        ) {
            let (mut pages, mut twin) = (Pages::default(), HashMap::new());
            for (slot, is_inserted, value) in changes {
                if is_inserted {
                    pages.insert(slot, value);
                    twin.insert(slot, value);
                } else {
                    pages.remove(slot);
                    twin.remove(&slot);
                }
                for slot in 0..210 {
                    prop_assert_eq!(pages.get(slot), twin.get(&slot));
                    prop_assert_eq!(pages.get_mut(slot), twin.get_mut(&slot));
                }
                let mut used: Vec<usize> = twin.keys().map(|slot| place(*slot).0).collect();
                used.sort_unstable();
                used.dedup();
                prop_assert_eq!(pages.size(), (twin.len(), used.len()));
                prop_assert_eq!(pages.is_empty(), twin.is_empty());
            }
        }
    }
}

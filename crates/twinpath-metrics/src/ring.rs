//! Windows of numbers that take the room of the numbers in them, up to that of the whole window.

use crate::round;

/// The least room, in slots.
const LEAST: usize = 16;

/// A slot for each number of a window: a number's slot is that of the number `most` before. As long as
/// all numbers lie closer together, there is less room than that.
#[derive(Clone, Debug)]
pub(crate) struct Ring<T> {
    slots: Vec<T>,
    /// A power of two.
    most: usize,
    /// The numbers that have had a slot lie from here to there.
    least: u64,
    greatest: u64,
}

impl<T: Copy + Default> Ring<T> {
    /// `most`: slots of the whole window, a power of two.
    pub(crate) const fn new(most: usize) -> Self {
        Self {
            slots: Vec::new(),
            most,
            least: 0,
            greatest: 0,
        }
    }

    /// What is in a number's slot; the default where nothing was put.
    #[inline]
    pub(crate) fn get(&self, number: u64) -> T {
        if self.is_whole() || (self.least..=self.greatest).contains(&number) {
            self.slots
                .get(self.place(number))
                .copied()
                .unwrap_or_default()
        } else {
            T::default()
        }
    }

    /// A number's slot, for which room is made.
    #[inline]
    pub(crate) fn slot(&mut self, number: u64) -> Option<&mut T> {
        self.make_room(number);
        let place = self.place(number);
        self.slots.get_mut(place)
    }

    /// Room for a number, and for those between it and the others.
    #[inline]
    pub(crate) fn make_room(&mut self, number: u64) {
        if !self.is_whole() {
            self.reach(number);
        }
    }

    /// Every slot is that of many numbers.
    #[inline]
    pub(crate) fn is_whole(&self) -> bool {
        self.slots.len() == self.most
    }

    /// Empties all slots, and keeps the memory.
    pub(crate) fn clear(&mut self) {
        self.slots.clear();
    }

    /// Heap memory in octets.
    pub(crate) fn octets(&self) -> usize {
        self.slots.capacity() * size_of::<T>()
    }

    fn reach(&mut self, number: u64) {
        if self.slots.is_empty() {
            (self.least, self.greatest) = (number, number);
        }
        let old = self.least;
        self.least = old.min(number);
        self.greatest = self.greatest.max(number);
        if self.greatest - self.least >= round::count(self.slots.len()) {
            self.grow(old);
        }
    }

    /// Makes room for the numbers up to `greatest`; those from `old` on are there.
    #[cold]
    fn grow(&mut self, old: u64) {
        let span = usize::try_from(self.greatest - self.least).unwrap_or(self.most);
        let room = span.min(self.most - 1) + 1;
        let room = room.next_power_of_two().max(LEAST.min(self.most));
        let mut slots = std::mem::take(&mut self.slots);
        if slots.is_empty() {
            slots.resize(room, T::default());
            self.slots = slots;
            return;
        }
        self.slots = vec![T::default(); room];
        let mask = round::count(slots.len()) - 1;
        for number in (old..=u64::MAX).take(slots.len()) {
            let from = usize::try_from(number & mask).unwrap_or(0);
            let to = self.place(number);
            if let (Some(from), Some(to)) = (slots.get(from), self.slots.get_mut(to)) {
                *to = *from;
            }
        }
    }

    fn place(&self, number: u64) -> usize {
        let mask = round::count(self.slots.len()).saturating_sub(1);
        usize::try_from(number & mask).unwrap_or(0)
    }
}

/// Signed numbers as unsigned ones in the same order.
pub(crate) fn unsigned(number: i64) -> u64 {
    number.cast_unsigned() ^ 1 << 63
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_ring_tells_what_one_of_all_slots_would_whatever_the_order_of_the_numbers() {
        for first in [0, 1_000_000, u64::MAX - 700] {
            let mut state = 88_172_645_463_325_252_u64;
            let mut ring: Ring<u32> = Ring::new(256);
            let mut put: Vec<(u64, u32)> = Vec::new();
            for round in 1..400_u32 {
                state = state
                    .wrapping_mul(6_364_136_223_846_793_005)
                    .wrapping_add(1);
                let number = first + (state >> 33) % (1 + u64::from(round));
                *ring.slot(number).unwrap() = round;
                put.push((number, round));
                for number in first..first + 400 {
                    let last = put.iter().rev().find(|(put, _)| put % 256 == number % 256);
                    let known = last.filter(|(put, _)| ring.is_whole() || *put == number);
                    assert_eq!(ring.get(number), known.map_or(0, |(_, round)| *round));
                }
            }
            assert!(ring.is_whole());
            ring.clear();
            assert_eq!(ring.get(first), 0);
        }
    }

    #[test]
    fn a_ring_takes_what_its_numbers_span_and_never_more_than_all_slots() {
        let mut ring: Ring<u64> = Ring::new(1024);
        assert_eq!(ring.octets(), 0);
        for (number, slots) in [
            (7, 16),
            (22, 16),
            (23, 32),
            (70, 64),
            (6, 128),
            (1029, 1024),
            (9_999, 1024),
        ] {
            ring.slot(number);
            assert_eq!(ring.octets(), slots * 8, "{number}");
        }
    }

    #[test]
    fn signed_numbers_keep_their_order() {
        let numbers = [i64::MIN, -1, 0, 1, i64::MAX];
        assert!(numbers.map(unsigned).is_sorted());
    }
}

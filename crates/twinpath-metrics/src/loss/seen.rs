//! The set of the reflector's recent numbers.

use crate::ring::{Ring, unsigned};

/// How many numbers are remembered.
const WINDOW: u64 = 65_536;
const WORDS: usize = 1024;

/// A bitmap over the last 65,536 numbers up to the greatest one.
#[derive(Clone, Debug)]
pub(crate) struct SeenWindow {
    words: Ring<u64>,
    greatest: Option<i64>,
}

/// Result of [`SeenWindow::insert`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Seen {
    First,
    Again,
    /// Older than the window.
    Unknown,
}

impl SeenWindow {
    /// Heap memory at most, in octets.
    pub(crate) const MOST_OCTETS: usize = WORDS * size_of::<u64>();

    pub(crate) fn new() -> Self {
        Self {
            words: Ring::new(WORDS),
            greatest: None,
        }
    }

    /// Adds a number.
    pub(crate) fn insert(&mut self, number: i64) -> Seen {
        match self.greatest {
            Some(greatest) if number <= greatest => {
                if greatest.abs_diff(number) >= WINDOW {
                    return Seen::Unknown;
                }
            }
            Some(greatest) => {
                self.clear_between(greatest, number);
                self.greatest = Some(number);
            }
            None => self.greatest = Some(number),
        }
        let (word, mask) = Self::place(number);
        let Some(word) = self.words.slot(word) else {
            return Seen::Unknown;
        };
        let again = *word & mask != 0;
        *word |= mask;
        if again { Seen::Again } else { Seen::First }
    }

    /// Forgets all.
    pub(crate) fn reset(&mut self) {
        self.words.clear();
        self.greatest = None;
    }

    /// Heap memory in octets.
    pub(crate) fn octets(&self) -> usize {
        self.words.octets()
    }

    /// Clears the bits of the numbers after `old` up to `new`, which were used for older numbers.
    fn clear_between(&mut self, old: i64, new: i64) {
        if new.abs_diff(old) >= WINDOW {
            self.words.clear();
            return;
        }
        // Room is made first: it may be as much as there is, and then numbers share it.
        self.words.make_room(Self::place(new).0);
        if !self.words.is_whole() {
            return;
        }
        let mut number = old + 1;
        while number <= new {
            let (word, mask) = Self::place(number);
            let whole = mask == 1 && new - number >= 63;
            if let Some(word) = self.words.slot(word) {
                *word &= if whole { 0 } else { !mask };
            }
            number += if whole { 64 } else { 1 };
        }
    }

    fn place(number: i64) -> (u64, u64) {
        let number = unsigned(number);
        (number / 64, 1 << (number % 64))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_are_seen_once_and_forgotten_after_the_window() {
        let mut seen = SeenWindow::new();
        assert_eq!(seen.insert(-5), Seen::First);
        assert_eq!(seen.insert(-5), Seen::Again);
        assert_eq!(seen.insert(-5 + 65_536), Seen::First);
        assert_eq!(seen.insert(-5), Seen::Unknown);
        assert_eq!(seen.insert(-4), Seen::First);
        assert_eq!(seen.insert(i64::MAX), Seen::First);
        assert_eq!(seen.insert(i64::MAX), Seen::Again);
        seen.reset();
        assert_eq!(seen.insert(i64::MAX), Seen::First);
    }

    #[test]
    fn any_order_of_numbers_is_that_of_a_set() {
        let mut state = 3_u64;
        for spread in [40, 3_000, 90_000, 1 << 40] {
            let mut seen = SeenWindow::new();
            let mut known = std::collections::BTreeSet::new();
            let mut base = -20_000_i64;
            for _ in 0..4_000 {
                state = state
                    .wrapping_mul(6_364_136_223_846_793_005)
                    .wrapping_add(1);
                let number = base + (state >> 20).cast_signed() % spread;
                base += (state >> 13).cast_signed() % 30;
                let greatest = known.last().copied().unwrap_or(number);
                let expected = if greatest - number >= 65_536 {
                    Seen::Unknown
                } else if known.insert(number) {
                    Seen::First
                } else {
                    Seen::Again
                };
                assert_eq!(seen.insert(number), expected, "{number} after {greatest}");
                assert!(seen.octets() <= SeenWindow::MOST_OCTETS);
            }
        }
    }

    #[test]
    fn a_jump_forgets_the_numbers_that_it_passes() {
        let mut seen = SeenWindow::new();
        for number in 0..65_536 {
            assert_eq!(seen.insert(number), Seen::First);
        }
        assert_eq!(seen.insert(65_536 + 1000), Seen::First);
        for number in 65_536..65_536 + 1000 {
            assert_eq!(seen.insert(number), Seen::First, "{number}");
        }
        assert_eq!(seen.insert(1001), Seen::Again);
    }
}

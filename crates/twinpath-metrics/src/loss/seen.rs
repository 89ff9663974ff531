//! The set of the reflector's recent numbers.

/// How many numbers are remembered.
const WINDOW: u64 = 65_536;
const WORDS: u16 = 1024;

/// A bitmap over the last 65,536 numbers up to the greatest one.
#[derive(Clone, Debug)]
pub(crate) struct SeenWindow {
    words: Box<[u64]>,
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
    pub(crate) fn new() -> Self {
        Self {
            words: vec![0; usize::from(WORDS)].into(),
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
                self.forget_between(greatest, number);
                self.greatest = Some(number);
            }
            None => self.greatest = Some(number),
        }
        let (word, mask) = Self::place(number);
        let Some(word) = self.words.get_mut(word) else {
            return Seen::Unknown;
        };
        let again = *word & mask != 0;
        *word |= mask;
        if again { Seen::Again } else { Seen::First }
    }

    /// Forgets all.
    pub(crate) fn reset(&mut self) {
        self.words.fill(0);
        self.greatest = None;
    }

    /// Heap memory in octets; it never changes.
    pub(crate) fn octets(&self) -> usize {
        size_of_val(&*self.words)
    }

    /// Clears the bits of the numbers after `old` up to `new`, which were used for older numbers.
    fn forget_between(&mut self, old: i64, new: i64) {
        if new.abs_diff(old) >= WINDOW {
            self.words.fill(0);
            return;
        }
        let mut number = old + 1;
        while number <= new {
            let (word, mask) = Self::place(number);
            let whole = mask == 1 && new - number >= 63;
            if let Some(word) = self.words.get_mut(word) {
                *word &= if whole { 0 } else { !mask };
            }
            number += if whole { 64 } else { 1 };
        }
    }

    fn place(number: i64) -> (usize, u64) {
        let slot = number.rem_euclid(WINDOW.cast_signed());
        (usize::try_from(slot / 64).unwrap_or(0), 1 << (slot % 64))
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

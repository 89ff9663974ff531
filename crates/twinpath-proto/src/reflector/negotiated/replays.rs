//! Numbers that a reflector received in a secured session (row TT-35).

/// How many numbers are remembered.
const WINDOW: u32 = 1024;
/// Numbers per word.
const WORD: u32 = u64::BITS;

/// Whether a number is new.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Repeat {
    /// Not seen before.
    New,
    /// Seen before: duplicated by the network, or replayed. Reflected, so that duplication can be
    /// measured, and counted.
    Seen,
    /// Too old to be remembered.
    Old,
}

/// The last 1024 numbers of a session.
#[derive(Clone, Debug, Default)]
pub(super) struct Replays {
    /// The greatest number seen, modulo 2^32; `None` before the first.
    greatest: Option<u32>,
    seen: [u64; (WINDOW / WORD) as usize],
}

impl Replays {
    /// Classifies and remembers `number`, of a packet that was verified.
    pub(super) fn classify(&mut self, number: u32) -> Repeat {
        let greatest = *self.greatest.get_or_insert(number);
        let ahead = number.wrapping_sub(greatest);
        if ahead < 1 << 31 {
            for passed in 1..=ahead.min(WINDOW) {
                self.set(greatest.wrapping_add(passed), false);
            }
            if ahead >= WINDOW {
                self.seen = [0; (WINDOW / WORD) as usize];
            }
            self.greatest = Some(number);
        } else if greatest.wrapping_sub(number) >= WINDOW {
            return Repeat::Old;
        }
        if self.set(number, true) {
            Repeat::Seen
        } else {
            Repeat::New
        }
    }

    /// Marks a number, and returns whether it was marked before.
    fn set(&mut self, number: u32, seen: bool) -> bool {
        let at = number % WINDOW;
        let bit = 1_u64 << (at % WORD);
        let Some(word) = self.seen.get_mut((at / WORD) as usize) else {
            return false;
        };
        let before = *word & bit != 0;
        *word = if seen { *word | bit } else { *word & !bit };
        before
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use proptest::prelude::*;

    use super::*;

    #[test]
    fn a_number_is_new_once_and_old_when_the_window_passed_it() {
        let mut replays = Replays::default();
        assert_eq!(replays.classify(5), Repeat::New);
        assert_eq!(replays.classify(5), Repeat::Seen);
        assert_eq!(replays.classify(3), Repeat::New);
        assert_eq!(replays.classify(5 + WINDOW), Repeat::New);
        assert_eq!(replays.classify(5), Repeat::Old);
        assert_eq!(replays.classify(6), Repeat::New);
        assert_eq!(replays.classify(6), Repeat::Seen);
    }

    #[test]
    fn numbers_continue_after_2_to_the_32() {
        let mut replays = Replays::default();
        assert_eq!(replays.classify(u32::MAX), Repeat::New);
        assert_eq!(replays.classify(0), Repeat::New);
        assert_eq!(replays.classify(u32::MAX), Repeat::Seen);
        assert_eq!(replays.classify(0), Repeat::Seen);
    }

    proptest! {
        #[test]
        fn it_agrees_with_a_set_of_all_numbers(steps in prop::collection::vec(-1500_i64..3000, 1..400)) {
            let mut replays = Replays::default();
            let mut all = BTreeSet::new();
            let mut at = 1_i64 << 31;
            for step in steps {
                at = (at + step).max(0);
                let greatest = all.last().copied().unwrap_or(at);
                let expected = if at <= greatest - i64::from(WINDOW) {
                    Repeat::Old
                } else if all.insert(at) {
                    Repeat::New
                } else {
                    Repeat::Seen
                };
                prop_assert_eq!(replays.classify(u32::try_from(at & 0xffff_ffff).unwrap()), expected);
            }
        }
    }
}

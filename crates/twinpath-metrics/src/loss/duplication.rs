//! Copies of replies (RFC 5560; rows M-38 to M-40).

use twinpath_wire::{Fate, Sample};

use crate::DuplicationFigures;
use crate::loss::direction::CopyOrigin;
use crate::loss::seen::{Seen, SeenWindow};

/// Counts copies, where they were made, and the packets that have any. Constant memory.
#[derive(Clone, Debug, Default)]
pub(crate) struct Duplication {
    answered: u64,
    copies: u64,
    replicated: u64,
    forward: u64,
    backward: u64,
    /// Packets with a copy; allocated with the first one.
    copied: Option<SeenWindow>,
}

impl Duplication {
    /// Records one packet's fate or a copy, and where the copy was made.
    #[inline]
    pub(crate) fn record(&mut self, sample: &Sample, copied: Option<CopyOrigin>) {
        match sample.fate {
            Fate::Received | Fate::Late => self.answered += 1,
            Fate::Lost | Fate::Unawaited => {}
            Fate::Duplicate => self.copy(sample.seq, copied),
        }
    }

    /// `by_direction`: the reflector keeps a counter, so that a copy's number shows where it was
    /// made.
    pub(crate) fn value(&self, by_direction: bool) -> DuplicationFigures {
        let known = by_direction || self.copies == 0;
        DuplicationFigures {
            answered: self.answered,
            copies: self.copies,
            replicated: self.replicated,
            forward: known.then_some(self.forward),
            backward: known.then_some(self.backward),
        }
    }

    /// Heap memory that is set aside for it, in octets: all of it from the first copy on.
    pub(crate) fn claimed_octets(&self) -> usize {
        self.copied.as_ref().map_or(0, |_| SeenWindow::MOST_OCTETS)
    }

    /// Heap memory in octets.
    pub(crate) fn heap_octets(&self) -> usize {
        self.copied.as_ref().map_or(0, SeenWindow::octets)
    }

    #[cold]
    fn copy(&mut self, seq: u64, copied: Option<CopyOrigin>) {
        self.copies += 1;
        match copied {
            Some(CopyOrigin::Forward) => self.forward += 1,
            Some(CopyOrigin::Backward) => self.backward += 1,
            None => {}
        }
        let window = self.copied.get_or_insert_with(SeenWindow::new);
        let number = i64::try_from(seq).unwrap_or(i64::MAX);
        self.replicated += u64::from(window.insert(number) == Seen::First);
    }
}

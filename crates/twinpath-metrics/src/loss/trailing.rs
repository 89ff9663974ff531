//! Losses at the end of a run, after the last packet that was answered.

use twinpath_wire::{Fate, Sample, Wall};

/// Packets without a reply since the last answered one, in time or late.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Trailing {
    /// Number and T1 of the answered packet with the greatest number.
    answered: Option<(u64, Wall)>,
    lost: u64,
}

impl Trailing {
    /// A packet is lost only after its timeout, so replies to earlier ones are already known.
    pub(crate) fn record(&mut self, sample: &Sample) {
        let is_newer = self.answered.is_none_or(|(seq, _)| sample.seq > seq);
        match sample.fate {
            Fate::Received | Fate::Late if is_newer => {
                self.answered = Some((sample.seq, sample.t1.at));
                self.lost = 0;
            }
            Fate::Lost if is_newer => self.lost += 1,
            Fate::Received | Fate::Late | Fate::Lost | Fate::Duplicate | Fate::Unawaited => {}
        }
    }

    /// When the last answered packet was sent; `None` without one.
    pub(crate) fn answered_until(&self) -> Option<Wall> {
        self.answered.map(|(_, at)| at)
    }

    /// Losses after it.
    pub(crate) fn lost(&self) -> u64 {
        self.lost
    }
}

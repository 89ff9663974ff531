//! Packets that were told lost and have no record yet.

use std::collections::BTreeSet;

/// The most that are kept; of older ones it is taken for granted.
const MOST: usize = 262_144;

/// Their numbers.
#[derive(Clone, Debug, Default)]
pub(super) struct ReportedLost {
    numbers: BTreeSet<u64>,
    /// What was dropped for want of room is below this.
    dropped_below: u64,
}

impl ReportedLost {
    pub(super) fn insert(&mut self, seq: u64) {
        self.numbers.insert(seq);
        if self.numbers.len() > MOST
            && let Some(oldest) = self.numbers.pop_first()
        {
            self.dropped_below = oldest.saturating_add(1);
        }
    }

    /// The record of a packet came: whether it had been told lost.
    pub(super) fn take(&mut self, seq: u64) -> bool {
        self.numbers.remove(&seq) || seq < self.dropped_below
    }

    /// Heap memory in octets, about.
    pub(super) fn octets(&self) -> usize {
        // Nodes of a B-tree are two thirds full as a rule.
        self.numbers.len() * size_of::<u64>() * 3 / 2
    }
}

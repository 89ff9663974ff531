//! Packets that were reported lost and have no record yet.

use std::collections::BTreeSet;

/// The most that are kept; older ones are assumed to have been reported.
const MOST: usize = 262_144;

/// Their numbers.
#[derive(Clone, Debug, Default)]
pub(super) struct ReportedLost {
    numbers: BTreeSet<u64>,
    /// Numbers dropped for lack of room are below this.
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

    /// The record of a packet arrived: returns whether it had been reported lost.
    pub(super) fn take(&mut self, seq: u64) -> bool {
        self.numbers.remove(&seq) || seq < self.dropped_below
    }

    /// Heap memory in octets, approximately.
    pub(super) fn octets(&self) -> usize {
        // Nodes of a B-tree are usually two thirds full.
        self.numbers.len() * size_of::<u64>() * 3 / 2
    }
}

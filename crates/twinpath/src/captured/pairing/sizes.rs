//! Losses by the size of requests, whatever order sizes come in.

use std::collections::BTreeMap;

use twinpath_metrics::SizeCounts;

/// The most different sizes that are counted.
pub(super) const SIZES: usize = 16;

/// Counts by octets of payload.
#[derive(Debug, Default)]
pub(super) struct BySize {
    counts: BTreeMap<usize, SizeCounts>,
    /// There are more sizes than are counted.
    is_beyond: bool,
}

impl BySize {
    pub(super) fn received(&mut self, octets: usize) {
        if let Some(counts) = self.of(octets) {
            counts.received += 1;
        }
    }

    pub(super) fn lost(&mut self, octets: usize) {
        if let Some(counts) = self.of(octets) {
            counts.lost += 1;
        }
    }

    fn of(&mut self, octets: usize) -> Option<&mut SizeCounts> {
        self.is_beyond |= self.counts.len() >= SIZES && !self.counts.contains_key(&octets);
        (!self.is_beyond).then(|| {
            self.counts.entry(octets).or_insert_with(|| SizeCounts {
                octets: u32::try_from(octets).unwrap_or(u32::MAX),
                ..SizeCounts::default()
            })
        })
    }

    /// Empty where all have one size, or more sizes than are counted.
    pub(super) fn value(&self) -> Vec<SizeCounts> {
        if self.is_beyond || self.counts.len() < 2 {
            return Vec::new();
        }
        self.counts.values().copied().collect()
    }
}

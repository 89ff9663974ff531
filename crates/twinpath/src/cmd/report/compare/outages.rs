//! Losses in a row, and outages: stretches in which the path was unavailable.

use super::blocks::Blocks;
use super::chance::real;

/// This share of a run without the path is a change from a run that had it: whatever the cause, and
/// however often it comes.
const MUCH: f64 = 1.0 / 3.0;
/// This share is, if the run ended so, in its only outage: the path was lost, and did not come back.
const MUCH_AT_END: f64 = 0.1;
/// A run had the path if it was without it for less than this share of the other run's outages.
const LITTLE: f64 = 0.1;

/// Losses in a row, by their numbers.
#[derive(Clone, Debug)]
pub(super) struct LossRuns {
    /// Packets of an outage at least.
    outage: u64,
    count: u64,
    outages: u64,
    unavailable: u64,
    /// The last loss, and how many there are in a row up to it.
    last: Option<(u64, u64)>,
}

impl LossRuns {
    /// With outages from so many packets on.
    pub(super) fn new(outage: u64) -> Self {
        Self {
            outage,
            count: 0,
            outages: 0,
            unavailable: 0,
            last: None,
        }
    }

    /// A packet was lost; those with lower numbers were before it.
    pub(super) fn lose(&mut self, seq: u64) {
        let before = self.last.filter(|(last, _)| last.saturating_add(1) == seq);
        let length = before.map_or(0, |(_, length)| length) + 1;
        self.count += u64::from(length == 1);
        if length == self.outage {
            self.outages += 1;
            self.unavailable += length;
        } else if length > self.outage {
            self.unavailable += 1;
        }
        self.last = Some((seq, length));
    }

    /// How many there are.
    pub(super) fn count(&self) -> u64 {
        self.count
    }

    /// How many are outages.
    pub(super) fn outages(&self) -> u64 {
        self.outages
    }

    /// Packets of the outage that lasts up to this number.
    fn until(&self, end: u64) -> u64 {
        let last = self
            .last
            .filter(|(seq, length)| *seq == end && *length >= self.outage);
        last.map_or(0, |(_, length)| length)
    }
}

/// The share of a run in which the path was unavailable.
pub(super) fn unavailable(blocks: &Blocks) -> f64 {
    real(blocks.loss_runs().unavailable) / real(blocks.packets().max(1))
}

/// One run had the path, and the other was without it for much of its time, or at its end.
pub(super) fn differ([before, after]: &[Blocks; 2]) -> bool {
    is_without(before, after) || is_without(after, before)
}

/// The run lacked the path, and the other had it.
fn is_without(run: &Blocks, other: &Blocks) -> bool {
    let share = unavailable(run);
    let runs = run.loss_runs();
    let at_end = real(runs.until(run.end())) / real(run.packets().max(1));
    // A run shorter than an outage tells of none.
    other.packets() >= other.loss_runs().outage
        && unavailable(other) <= share * LITTLE
        && (share >= MUCH || (at_end >= MUCH_AT_END && runs.outages == 1))
}

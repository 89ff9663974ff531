//! The step of a clock's timestamps: the common divisor of all their differences.

use twinpath_wire::Wall;

/// The fewest differences that determine the step.
const ENOUGH: u32 = 3;
/// The longest step considered, in nanoseconds.
const LONGEST_NS: u64 = 1_000_000_000;
/// The error of a difference, in nanoseconds: a timestamp's fraction is truncated.
const CUT_NS: u64 = 2;

/// The greatest step that divides the differences of timestamps, for any position of their grid:
/// possibly too long with few differences, never too short.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct StampStep {
    last: Option<Wall>,
    ns: Option<u64>,
    differences: u32,
}

impl StampStep {
    #[inline]
    pub(crate) fn record(&mut self, stamp: Wall) {
        let last = self.last.replace(stamp);
        let apart = last.map_or(0, |last| (stamp - last).abs_ns());
        if apart > 0 {
            self.differences = self.differences.saturating_add(1);
            self.ns = Some(self.ns.map_or(apart, |step| common(step, apart)));
        }
    }

    /// The step in nanoseconds; `None` with too few differences.
    pub(crate) fn value(&self) -> Option<u64> {
        (self.differences >= ENOUGH).then(|| self.so_far())
    }

    /// The step even with few differences.
    pub(crate) fn so_far(&self) -> u64 {
        self.ns.unwrap_or(LONGEST_NS).min(LONGEST_NS)
    }
}

/// The common divisor of both, allowing for truncation: Euclid's algorithm.
fn common(one: u64, other: u64) -> u64 {
    let (mut long, mut short) = (one.max(other), one.min(other));
    loop {
        let beyond = long % short;
        let beyond = beyond.min(short - beyond);
        // The error of the step accumulates.
        if beyond <= (long / short).saturating_add(1).saturating_mul(CUT_NS) {
            return short;
        }
        (long, short) = (short, beyond);
    }
}

//! What the stamps of a clock are apart: the step that all differences have in common.

use twinpath_wire::Wall;

/// Differences, and no fewer, tell what they have in common.
const ENOUGH: u32 = 3;
/// No clock is taken to have longer steps, in nanoseconds.
const LONGEST_NS: u64 = 1_000_000_000;
/// What a difference may be off by, in nanoseconds: a stamp's fraction is cut off.
const CUT_NS: u64 = 2;

/// The greatest step of which stamps are multiples apart, wherever their grid lies: perhaps too long
/// while they are few, never too short.
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

    /// Nanoseconds; `None` while differences are few.
    pub(crate) fn value(&self) -> Option<u64> {
        (self.differences >= ENOUGH).then(|| self.so_far())
    }

    /// The same while they are.
    pub(crate) fn so_far(&self) -> u64 {
        self.ns.unwrap_or(LONGEST_NS).min(LONGEST_NS)
    }
}

/// What both are multiples of, but for what is cut off: Euclid's algorithm.
fn common(one: u64, other: u64) -> u64 {
    let (mut long, mut short) = (one.max(other), one.min(other));
    loop {
        let beyond = long % short;
        let beyond = beyond.min(short - beyond);
        // What the step is off by adds up.
        if beyond <= (long / short).saturating_add(1).saturating_mul(CUT_NS) {
            return short;
        }
        (long, short) = (short, beyond);
    }
}

//! Departures that were missed over several intervals.

use twinpath_wire::Delta;

/// Stretches of missed departures remembered until their rows are returned.
pub(super) const STRETCHES: usize = 64;

/// Departures missed between two times since the origin.
#[derive(Clone, Copy, Debug)]
pub(super) struct Stretch {
    pub(super) from: Delta,
    pub(super) to: Delta,
    pub(super) count: u64,
}

impl Stretch {
    /// Those before `at`, assuming that they were due at equal distances.
    pub(super) fn before(&self, at: Delta) -> u64 {
        let part = u128::try_from((at - self.from).ns()).unwrap_or(0);
        let whole = u128::try_from((self.to - self.from).ns()).unwrap_or(0);
        if part >= whole {
            return self.count;
        }
        u64::try_from(u128::from(self.count) * part / whole).unwrap_or(self.count)
    }
}

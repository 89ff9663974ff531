//! The rounding of the far end's timestamps, on a round grid or not.

use twinpath_wire::{Sample, Wall};

use crate::clocks::resolution::Resolution;
use crate::clocks::stamp_step::StampStep;
use crate::clocks::step::Step;
use crate::round;

/// The assumed largest error of timestamps: T3 is read or estimated before its packet leaves.
pub(crate) const STAMP_ERROR_NS: i64 = 20_000;
/// The same as a float.
#[expect(clippy::cast_precision_loss, reason = "it has no bits to lose")]
pub(super) const STAMP_ERROR: f64 = STAMP_ERROR_NS as f64;

/// Finds it, in constant memory.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Rounding {
    /// The round grid of all timestamps.
    round: Resolution,
    stamp_step: StampStep,
    /// The step of a clock whose steps vary.
    step: Step,
    /// The last T3, and whether a T2 was ever equal to the previous T3.
    last: Option<Wall>,
    repeats: bool,
    /// Whether T3 was ever equal to T2, and whether it was ever later.
    at_once: bool,
    later: bool,
}

impl Rounding {
    #[inline]
    pub(crate) fn record(&mut self, sample: &Sample) {
        let (Some(t2), Some(t3), Some(t4)) = (sample.t2, sample.t3, sample.t4) else {
            return;
        };
        for (stamp, near) in [(t2, sample.t1.at), (t3, t4.at)] {
            self.round.record(Some(stamp));
            self.stamp_step.record(stamp);
            self.step.record(stamp, near);
        }
        self.repeats |= self.last == Some(t2);
        self.last = Some(t3);
        self.at_once |= t2 == t3;
        self.later |= t2 < t3;
    }

    /// The error of a delay, in nanoseconds.
    pub(crate) fn error(&self) -> f64 {
        self.worst(self.stamp_step.value())
    }

    /// The error even with few timestamps.
    pub(crate) fn error_at_most(&self) -> f64 {
        self.worst(Some(self.stamp_step.so_far()))
    }

    fn worst(&self, stamp_step: Option<u64>) -> f64 {
        // Whether the clock is coarse: one time appears in several packets, or T3 = T2 in some
        // packets only.
        let leaps = self.repeats || self.at_once && self.later;
        let step = leaps.then(|| self.step.so_far().unsigned_abs());
        let ns = self.round.so_far().max(stamp_step).max(step).unwrap_or(0);
        STAMP_ERROR.max(round::float_unsigned(ns))
    }
}

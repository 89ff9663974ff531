//! What the far end rounds its stamps to, on a round grid or off it.

use twinpath_wire::{Sample, Wall};

use crate::clocks::resolution::Resolution;
use crate::clocks::stamp_step::StampStep;
use crate::clocks::step::Step;
use crate::round;

/// What timestamps are taken to be off by at most: T3 is read, or reckoned, before its packet leaves.
pub(crate) const STAMP_ERROR_NS: i64 = 20_000;
/// The same to reckon with.
#[expect(clippy::cast_precision_loss, reason = "it has no bits to lose")]
pub(super) const STAMP_ERROR: f64 = STAMP_ERROR_NS as f64;

/// Finds it, in constant memory.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Rounding {
    /// A round grid that all lie on.
    round: Resolution,
    apart: StampStep,
    /// For a clock whose steps are not all alike.
    step: Step,
    /// The last T3, and whether a T2 was ever the same as the T3 before.
    last: Option<Wall>,
    repeats: bool,
    /// T3 was T2, T3 was later.
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
            self.apart.record(stamp);
            self.step.record(stamp, near);
        }
        self.repeats |= self.last == Some(t2);
        self.last = Some(t3);
        self.at_once |= t2 == t3;
        self.later |= t2 < t3;
    }

    /// What a delay may be off by, in nanoseconds.
    pub(crate) fn error(&self) -> f64 {
        self.worst(self.apart.value())
    }

    /// The same while stamps may be too few to tell.
    pub(crate) fn error_at_most(&self) -> f64 {
        self.worst(Some(self.apart.so_far()))
    }

    fn worst(&self, apart: Option<u64>) -> f64 {
        // One time for several packets, or for some of the residences: a clock that leaps.
        let leaps = self.repeats || self.at_once && self.later;
        let step = leaps.then(|| self.step.so_far().unsigned_abs());
        let ns = self.round.so_far().max(apart).max(step).unwrap_or(0);
        STAMP_ERROR.max(round::float_unsigned(ns))
    }
}

//! What the far end rounds its stamps to, on a round grid or off it.

use twinpath_wire::{Sample, Wall};

use super::model::STAMP_ERROR_NS;
use crate::resolution::Resolution;
use crate::round;
use crate::step::Step;

/// Differences, and no fewer, tell what they have in common.
const ENOUGH: u32 = 3;
/// No clock is taken to have longer steps, in nanoseconds.
const LONGEST_NS: u64 = 1_000_000_000;
/// What a difference may be off by, in nanoseconds: a stamp's fraction is cut off.
const CUT_NS: u64 = 2;

/// Finds it, in constant memory.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Rounding {
    /// A round grid that all lie on.
    round: Resolution,
    apart: Apart,
    /// For a clock whose steps are not all alike.
    step: Step,
    /// The last T3, and whether a T2 was ever the same as the T3 before.
    last: Option<Wall>,
    repeats: bool,
    /// T3 was T2, T3 was later.
    at_once: bool,
    later: bool,
}

/// The greatest step of which stamps are multiples apart: perhaps too long while they are few, never
/// too short.
#[derive(Clone, Copy, Debug, Default)]
struct Apart {
    last: Option<Wall>,
    ns: Option<u64>,
    differences: u32,
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
        let told = self.apart.differences >= ENOUGH;
        self.worst(self.apart.ns.filter(|_| told))
    }

    /// The same while stamps may be too few to tell.
    pub(crate) fn error_at_most(&self) -> f64 {
        self.worst(self.apart.ns.or(Some(LONGEST_NS)))
    }

    fn worst(&self, apart: Option<u64>) -> f64 {
        // One time for several packets, or for some of the residences: a clock that leaps.
        let leaps = self.repeats || self.at_once && self.later;
        let step = leaps.then(|| self.step.so_far().unsigned_abs());
        let apart = apart.map(|ns| ns.min(LONGEST_NS));
        let ns = self.round.so_far().max(apart).max(step).unwrap_or(0);
        STAMP_ERROR_NS.max(round::float_unsigned(ns))
    }
}

impl Apart {
    #[inline]
    fn record(&mut self, stamp: Wall) {
        let last = self.last.replace(stamp);
        let apart = last.map_or(0, |last| (stamp - last).abs_ns());
        if apart > 0 {
            self.differences = self.differences.saturating_add(1);
            self.ns = Some(self.ns.map_or(apart, |step| common(step, apart)));
        }
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

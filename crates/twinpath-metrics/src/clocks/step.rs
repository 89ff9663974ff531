//! The step of a coarse clock, found from its readings, on a round grid or not.

use twinpath_wire::Wall;

/// The longest step considered, in nanoseconds: whole seconds.
const LONGEST_NS: i64 = 1_000_000_000;
/// Differences count as multiples of a step within a sixteenth of it: steps of a clock that is
/// being corrected vary.
const NEAR: i64 = 16;
/// Differences of more steps than this are ignored: the error of steps accumulates.
const MOST_STEPS: i64 = 256;

/// The greatest step that divides all differences of successive readings. With few readings it is
/// possibly too long, never too short.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Step {
    ns: Option<i64>,
    last: Option<Wall>,
    /// When the current reading was first and last seen, by the near clock.
    same: Option<(Wall, Wall)>,
    repeats: bool,
}

impl Step {
    /// Records that the far clock read `value` at about `near`.
    #[inline]
    pub(crate) fn record(&mut self, value: Wall, near: Wall) {
        let apart = self.last.map(|last| (value - last).abs_ns());
        self.last = Some(value);
        let Some(apart) = apart else {
            self.same = Some((near, near));
            return;
        };
        match i64::try_from(apart).unwrap_or(i64::MAX) {
            0 => {
                self.repeats = true;
                if self.ns.is_none() {
                    self.same = self.same.map(|(first, _)| (first, near));
                }
            }
            apart => self.ns = Some(self.ns.map_or(apart, |step| common(step, apart))),
        }
    }

    /// The step in nanoseconds; 0 if one reading lasted longer than any step.
    pub(crate) fn so_far(&self) -> i64 {
        let told_one = || {
            let (first, last) = self.same?;
            let span = (last - first).abs_ns();
            (self.repeats && span <= LONGEST_NS.unsigned_abs()).then_some(LONGEST_NS)
        };
        self.ns.or_else(told_one).unwrap_or(0).min(LONGEST_NS)
    }

    /// Whether some reading came twice in a row, as from a clock whose step is longer than the time
    /// between.
    pub(crate) fn repeats(&self) -> bool {
        self.repeats
    }
}

/// The approximate common divisor of both: Euclid's algorithm on measured values.
#[inline]
fn common(one: i64, other: i64) -> i64 {
    let (mut long, mut short) = (one.max(other), one.min(other));
    while short > 0 && long / short <= MOST_STEPS {
        let beyond = long % short;
        let beyond = beyond.min(short - beyond);
        if beyond <= short / NEAR {
            break;
        }
        (long, short) = (short, beyond);
    }
    short
}

#[cfg(test)]
mod tests {
    use super::*;

    const STEPS: [i64; 7] = [
        1_000_000,
        4_000_000,
        10_000_000,
        15_625_000,
        20_000_000,
        100_000_000,
        1_000_000_000,
    ];

    /// Of values that `tell` makes of times about 7.1 ms apart.
    fn of(values: i64, tell: impl Fn(i64) -> i64) -> Step {
        let mut step = Step::default();
        for n in 0..values {
            let at = 1_763_900_000_123_456_789 + n * 7_123_457 + n * n % 97 * 10_301;
            step.record(Wall::from_unix_ns(tell(at)), Wall::from_unix_ns(at));
        }
        step
    }

    #[test]
    fn a_clocks_step_is_found_on_a_round_grid_and_off_it() {
        for ns in STEPS {
            for phase in [0, 1_234_567] {
                let step = of(400, |at| (at - phase).div_euclid(ns) * ns + phase);
                assert_eq!(step.so_far(), ns, "{phase}");
                // Steps of a clock that runs 50 ppm fast, cut off to whole microseconds.
                let fast = |at: i64| {
                    let steps = (at - phase).div_euclid(ns);
                    (steps * (ns + ns / 20_000) + phase) / 1_000 * 1_000
                };
                let found = of(400, fast).so_far();
                assert!((found - ns).abs() <= ns / 500, "{found} for {ns}");
            }
        }
        assert!(of(60, |at| at).so_far() < 5_000);
    }

    #[test]
    fn a_clock_that_repeats_one_time_counts_as_coarse_for_at_most_a_second() {
        assert_eq!(of(20, |_| 77).so_far(), LONGEST_NS);
        assert_eq!(of(400, |_| 77).so_far(), 0);
        assert_eq!(of(1, |_| 77).so_far(), 0);
    }
}

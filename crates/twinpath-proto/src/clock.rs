//! The two clocks of the host, read together, and the detection of steps of the system clock.

use twinpath_wire::{Delta, Mono, Wall};

/// One reading of both clocks, taken together: it relates schedules to timestamps.
///
/// The two readings must be close: read monotonic, system, monotonic, and repeat if the two outer
/// readings differ by more than a few microseconds. Otherwise a process that is delayed in between
/// would look like a stepped clock.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ClockPair {
    /// The monotonic clock.
    pub mono: Mono,
    /// The system clock.
    pub wall: Wall,
}

/// A jump beyond this, less the kernel's own slewing (at most 500 ppm), is a step however long it
/// took.
const JUMP_NS: u64 = 1_000_000;
/// Tolerance between two good readings of the pair, in the test for speed.
const NOISE_NS: u64 = 100_000;
/// The reference is renewed when it is this old.
const RENEWED_AFTER_NS: u64 = 1_000_000_000;

/// Finds steps of the system clock: `wall - mono` jumped by more than 1 ms, or moved faster than
/// 1000 ppm (row M-55).
#[derive(Clone, Copy, Debug, Default)]
pub struct StepWatch {
    reference: Option<ClockPair>,
}

impl StepWatch {
    /// How far the system clock stepped (or was slewed fast) since the reference reading; `None` if
    /// it did not.
    pub fn stepped(&mut self, pair: ClockPair) -> Option<Delta> {
        let Some(reference) = self.reference else {
            self.reference = Some(pair);
            return None;
        };
        let elapsed = pair.mono.signed_since(reference.mono);
        let by = (pair.wall - reference.wall) - elapsed;
        let moved = by.abs_ns();
        let elapsed = elapsed.abs_ns();
        let allowed = (JUMP_NS + elapsed / 2000).min(NOISE_NS + elapsed / 1000);
        let stepped = moved > allowed;
        if stepped || elapsed >= RENEWED_AFTER_NS {
            self.reference = Some(pair);
        }
        stepped.then_some(by)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn pair(mono_ns: u64, offset_ns: i64) -> ClockPair {
        let wall = Wall::from_unix_ns(mono_ns.cast_signed() + offset_ns);
        ClockPair {
            mono: Mono::from_ns(mono_ns),
            wall,
        }
    }

    #[test]
    fn a_jump_of_a_millisecond_is_a_step_in_both_directions() {
        for jump in [1_200_000_i64, -1_200_000, 3_600_000_000_000] {
            let mut watch = StepWatch::default();
            assert!(watch.stepped(pair(0, 5)).is_none());
            assert!(watch.stepped(pair(100_000_000, 5)).is_none());
            assert_eq!(
                watch.stepped(pair(200_000_000, 5 + jump)),
                Some(Delta::from_ns(jump))
            );
            assert!(
                watch.stepped(pair(300_000_000, 5 + jump)).is_none(),
                "{jump}"
            );
        }
    }

    #[test]
    fn slewing_by_the_kernel_is_not_a_step_however_sparse_the_readings() {
        for gap_ns in [10_000_u64, 1_000_000, 1_000_000_000, 60_000_000_000] {
            let mut watch = StepWatch::default();
            for k in 0..2_000_u64 {
                let at = k * gap_ns;
                assert!(
                    watch
                        .stepped(pair(at, (at / 2_000).cast_signed()))
                        .is_none(),
                    "{gap_ns} {k}"
                );
            }
        }
    }

    #[test]
    fn a_jump_over_a_millisecond_is_a_step_however_sparse_the_readings() {
        for gap_ns in [2_000_000_000_u64, 10_000_000_000, 60_000_000_000] {
            // The most that the kernel can have slewed meanwhile, plus a jump.
            let slewed = (gap_ns / 2_000).cast_signed();
            for (jump, found) in [(950_000, false), (1_050_000, true)] {
                for sign in [1, -1] {
                    let mut watch = StepWatch::default();
                    assert!(watch.stepped(pair(0, 5)).is_none());
                    let by = sign * (slewed + jump);
                    let step = watch.stepped(pair(gap_ns, 5 + by));
                    assert_eq!(step, found.then_some(Delta::from_ns(by)), "{gap_ns} {jump}");
                }
            }
        }
    }

    #[test]
    fn a_slew_of_some_percent_is_found_however_dense_the_readings() {
        for gap_ns in [10_000_u64, 1_000_000, 100_000_000] {
            let mut watch = StepWatch::default();
            let found = (0..20_000_u64)
                .map(|k| k * gap_ns)
                .take_while(|at| *at < 1_000_000_000)
                .any(|at| watch.stepped(pair(at, (at / 50).cast_signed())).is_some());
            assert!(found, "{gap_ns}");
        }
    }

    #[test]
    fn noise_of_the_readings_is_not_a_step() {
        let mut watch = StepWatch::default();
        for k in 0..10_000_u64 {
            let noise = if k % 3 == 0 { 40_000 } else { -40_000 };
            assert!(watch.stepped(pair(k * 10_000, noise)).is_none());
        }
    }
}

//! Time since the run's origin, unaffected by steps of the clock.

use std::collections::VecDeque;

use twinpath_wire::{Delta, Wall};

/// The most steps remembered; the fates of packets sent before older steps are long known.
const STEPS: usize = 16;

/// Converts the sender's timestamps to time since the origin.
#[derive(Clone, Debug)]
pub(crate) struct RunTime {
    origin: Wall,
    steps: VecDeque<Step>,
}

#[derive(Clone, Copy, Debug)]
struct Step {
    first_seq: u64,
    by: Delta,
    /// When, since the origin.
    at: Delta,
}

impl RunTime {
    pub(crate) fn new(origin: Wall) -> Self {
        Self {
            origin,
            steps: VecDeque::with_capacity(STEPS),
        }
    }

    /// Time since the origin of a timestamp of packet `seq`.
    pub(crate) fn of_packet(&self, seq: u64, at: Wall) -> Delta {
        self.since(at, |step| step.first_seq <= seq)
    }

    /// Time since the origin of a reading of the current clock.
    pub(crate) fn of_now(&self, now: Wall) -> Delta {
        self.since(now, |_| true)
    }

    /// The clock's past or future reading at a time since the origin.
    pub(crate) fn wall(&self, at: Delta) -> Wall {
        self.steps
            .iter()
            .filter(|step| step.at <= at)
            .fold(self.origin, |wall, step| wall + step.by)
            + at
    }

    /// The clock jumped; `now` is a reading after the jump.
    pub(crate) fn step(&mut self, now: Wall, by: Delta, first_seq: u64) {
        if self.steps.len() == STEPS
            && let Some(oldest) = self.steps.pop_front()
        {
            self.origin = self.origin + oldest.by;
        }
        let at = self.of_now(now - by);
        self.steps.push_back(Step { first_seq, by, at });
    }

    fn since(&self, at: Wall, counts: impl Fn(&Step) -> bool) -> Delta {
        let steps = self.steps.iter().filter(|step| counts(step));
        steps.fold(at, |at, step| at - step.by) - self.origin
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn time_continues_through_steps_of_the_clock() {
        let wall = Wall::from_unix_ns;
        let mut time = RunTime::new(wall(1000));
        assert_eq!(time.of_packet(3, wall(1500)).ns(), 500);
        let mut jumped = 0;
        for k in 0..40 {
            let by = if k % 2 == 0 { 1_000_000 } else { -999_000 };
            jumped += by;
            time.step(
                wall(2000 + k + jumped),
                Delta::from_ns(by),
                10 + k.unsigned_abs(),
            );
            assert_eq!(time.of_now(wall(2000 + k + jumped)).ns(), 1000 + k);
            let seq = 10 + k.unsigned_abs();
            assert_eq!(time.of_packet(seq, wall(3000 + jumped)).ns(), 2000);
            assert_eq!(time.of_packet(seq - 1, wall(3000 + jumped - by)).ns(), 2000);
            assert_eq!(time.wall(Delta::from_ns(5000)), wall(6000 + jumped));
        }
    }
}

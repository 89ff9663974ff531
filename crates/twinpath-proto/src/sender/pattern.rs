//! An endless sequence of slots (RFC 2330 section 11.1).
//!
//! All times are sums fixed beforehand (RFC 2330 section 11.1.3, method 3): a late departure does
//! not move another.

use std::time::Duration;

use twinpath_wire::{Mono, nanoseconds};

use super::schedule::Schedule;
use crate::random::SplitMix;

/// The most random slots computed in one call. Missed slots beyond them are assumed to be a mean
/// gap apart, since their individual times are never reported.
pub(super) const MOST_WALKED: u64 = 1 << 14;

/// A slot, and all those after it.
#[derive(Debug)]
pub(super) enum Pattern {
    Regular(Regular),
    Random(Random),
}

impl Pattern {
    /// From `start` on. The same seed gives the same slots.
    pub(super) fn new(schedule: Schedule, start: Mono, seed: u64) -> Self {
        let regular = |packets: u32, gap: Duration| {
            Self::Regular(Regular {
                start,
                gap_ns: nanoseconds::of(gap).max(1),
                packets: u64::from(packets.max(1)),
                round: 0,
                place: 0,
            })
        };
        let mean_ns = nanoseconds::of(schedule.mean_interval());
        let random = |gaps: Gaps, waits_first: bool| {
            // Independent of the padding and the first phase, which use the seed itself.
            let random = SplitMix::new(SplitMix::new(!seed).next_u64());
            let mut head = Cursor { due: start, random };
            if waits_first {
                head.step(gaps);
            }
            Self::Random(Random {
                gaps,
                mean_ns,
                tail: head.clone(),
                head,
                between: 0,
            })
        };
        match schedule {
            Schedule::Periodic { interval } => regular(1, interval),
            Schedule::Bursts { packets, gap } => regular(packets, gap),
            Schedule::Poisson { .. } => {
                let longest_ns = nanoseconds::of(schedule.longest_gap());
                random(
                    Gaps::Exponential {
                        mean_ns,
                        longest_ns,
                    },
                    true,
                )
            }
            Schedule::Uniform { least, most } => {
                let least_ns = nanoseconds::of(least);
                let span_ns = nanoseconds::of(most).saturating_sub(least_ns);
                random(Gaps::Even { least_ns, span_ns }, false)
            }
        }
    }

    /// When the next slot is due.
    #[inline]
    pub(super) fn due(&self) -> Mono {
        match self {
            Self::Regular(regular) => regular.due(),
            Self::Random(random) => random.head.due,
        }
    }

    /// How many slots, from the next one on, are due at `now`.
    pub(super) fn backlog(&mut self, now: Mono) -> u64 {
        match self {
            Self::Regular(regular) => regular.backlog(now),
            Self::Random(random) => random.backlog(now),
        }
    }

    /// Advances by one slot.
    #[inline]
    pub(super) fn step(&mut self) {
        match self {
            Self::Regular(regular) => regular.skip(1),
            Self::Random(random) => random.step(),
        }
    }

    /// Skips the next `slots`, at most as many as were counted.
    pub(super) fn skip(&mut self, slots: u64) {
        match self {
            Self::Regular(regular) => regular.skip(slots),
            Self::Random(random) => random.skip(slots),
        }
    }
}

/// This many slots at once, at start + k * gap.
#[derive(Debug)]
pub(super) struct Regular {
    start: Mono,
    gap_ns: u64,
    packets: u64,
    round: u64,
    /// Slots of this burst already passed.
    place: u64,
}

impl Regular {
    fn due(&self) -> Mono {
        self.start + Duration::from_nanos(self.round.saturating_mul(self.gap_ns))
    }

    fn backlog(&self, now: Mono) -> u64 {
        let due = self.due();
        if now < due {
            return 0;
        }
        let rounds = nanoseconds::of(now.since(due)) / self.gap_ns;
        rounds
            .saturating_add(1)
            .saturating_mul(self.packets)
            .saturating_sub(self.place)
    }

    fn skip(&mut self, slots: u64) {
        let place = self.place.saturating_add(slots);
        if place < self.packets {
            self.place = place;
        } else {
            self.round = self.round.saturating_add(place / self.packets);
            self.place = place % self.packets;
        }
    }
}

/// How gaps are distributed.
#[derive(Clone, Copy, Debug)]
enum Gaps {
    /// -ln(U) * mean with U in (0, 1], at most `longest_ns`.
    Exponential { mean_ns: u64, longest_ns: u64 },
    /// Uniformly from `least_ns` to `least_ns + span_ns`, both included.
    Even { least_ns: u64, span_ns: u64 },
}

impl Gaps {
    /// From 64 random bits.
    fn gap_ns(self, bits: u64) -> u64 {
        match self {
            Self::Exponential {
                mean_ns,
                longest_ns,
            } => exponential(bits, mean_ns).min(longest_ns),
            Self::Even { least_ns, span_ns } => {
                let bound = u128::from(span_ns) + 1;
                let part = (u128::from(bits) * bound) >> 64;
                least_ns.saturating_add(u64::try_from(part).unwrap_or(u64::MAX))
            }
        }
    }
}

#[expect(
    clippy::cast_precision_loss,
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    reason = "53 bits of each are enough; the product is not negative, and `as` saturates"
)]
fn exponential(bits: u64, mean_ns: u64) -> u64 {
    // From 1 to 2^53, divided by 2^53: never 0, which has no logarithm.
    let u = ((bits >> 11) + 1) as f64 / (1_u64 << 53) as f64;
    (-u.ln() * mean_ns as f64).round() as u64
}

/// A slot, and the generator of all later ones.
#[derive(Clone, Debug)]
struct Cursor {
    due: Mono,
    random: SplitMix,
}

impl Cursor {
    fn step(&mut self, gaps: Gaps) {
        self.due += Duration::from_nanos(gaps.gap_ns(self.random.next_u64()));
    }
}

/// Slots at sums of random gaps.
#[derive(Debug)]
pub(super) struct Random {
    gaps: Gaps,
    mean_ns: u64,
    /// The next slot.
    head: Cursor,
    /// The first slot not counted yet, and how many precede it. So each slot is generated twice,
    /// however often this is called.
    tail: Cursor,
    between: u64,
}

impl Random {
    fn backlog(&mut self, now: Mono) -> u64 {
        for _ in 0..MOST_WALKED {
            if now < self.tail.due {
                return self.between;
            }
            self.tail.step(self.gaps);
            self.between += 1;
        }
        let rest = if now < self.tail.due {
            0
        } else {
            (nanoseconds::of(now.since(self.tail.due)) / self.mean_ns).saturating_add(1)
        };
        self.between.saturating_add(rest)
    }

    fn step(&mut self) {
        self.head.step(self.gaps);
        match self.between.checked_sub(1) {
            Some(between) => self.between = between,
            None => self.tail = self.head.clone(),
        }
    }

    fn skip(&mut self, slots: u64) {
        if let Some(unseen) = slots.checked_sub(self.between) {
            // To the last computed slot, and from there on by mean gaps.
            self.between = 0;
            self.tail.due += Duration::from_nanos(unseen.saturating_mul(self.mean_ns));
            self.head = self.tail.clone();
            return;
        }
        self.between -= slots;
        for _ in 0..slots {
            self.head.step(self.gaps);
        }
    }
}

#[cfg(test)]
mod tests;

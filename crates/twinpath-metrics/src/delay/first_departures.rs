//! First packets that left together, late: a host keeps them until it knows its neighbour's address.

use twinpath_wire::{Exclusion, Fate, Sample, Wall};

/// Packets that leave within this time leave together.
const TOGETHER_NS: u64 = 10_000_000;

/// How late the packets that left together with the first one left, and all later ones.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct FirstDepartures {
    /// The longest time by which one of them was late.
    pub longest_ns: i64,
    /// The times by which they were late, added up.
    pub sum_ns: i64,
    /// The longest time by which a later one was late.
    pub later_ns: i64,
}

impl FirstDepartures {
    /// The first packets waited, and no later one did for half as long.
    pub fn are_late_alone(&self) -> bool {
        self.later_ns < self.longest_ns / 2
    }
}

#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Leading {
    first: Option<Wall>,
    value: FirstDepartures,
}

impl Leading {
    #[inline]
    pub(crate) fn record(&mut self, sample: &Sample) {
        if sample.fate == Fate::Duplicate || sample.excluded == Some(Exclusion::ClockStep) {
            return;
        }
        let late = sample.departure.ns();
        let first = *self.first.get_or_insert(sample.t1.at);
        let value = &mut self.value;
        if (sample.t1.at - first).ns().unsigned_abs() <= TOGETHER_NS {
            value.longest_ns = value.longest_ns.max(late);
            value.sum_ns = value.sum_ns.saturating_add(late.max(0));
        } else {
            value.later_ns = value.later_ns.max(late);
        }
    }

    pub(crate) fn value(&self) -> Option<FirstDepartures> {
        self.first.map(|_| self.value)
    }
}

#[cfg(test)]
mod tests {
    use twinpath_wire::{Delta, Rung, Stamp};

    use super::*;

    const MS: i64 = 1_000_000;

    /// Packets due every 50 ms that left this much later.
    fn of(late: impl Iterator<Item = (Fate, i64)>) -> FirstDepartures {
        let mut leading = Leading::default();
        for (seq, (fate, late)) in (0..).zip(late) {
            let t1 = Stamp {
                at: Wall::from_unix_ns(i64::try_from(seq).unwrap() * 50 * MS + late),
                rung: Rung::Kernel,
            };
            leading.record(&Sample {
                fate,
                departure: Delta::from_ns(late),
                ..Sample::lost(seq, t1)
            });
        }
        leading.value().unwrap()
    }

    #[test]
    fn packets_that_left_with_the_first_one_are_told_from_later_ones() {
        let held = |until: i64, seq: i64| (until - 50 * seq).max(0) * MS;
        let all = of((0..5).map(|seq| (Fate::Received, held(1_000, seq))));
        let expected = FirstDepartures {
            longest_ns: 1_000 * MS,
            sum_ns: 4_500 * MS,
            later_ns: 0,
        };
        assert_eq!(all, expected);
        assert!(all.are_late_alone());
        let some = of((0..100).map(|seq| (Fate::Received, held(1_000, seq))));
        assert_eq!(some.sum_ns, 10_500 * MS);
        assert!(some.are_late_alone());
        // Copies do not count, losses do.
        let mixed = of((0..100).map(|seq| match seq {
            3 => (Fate::Duplicate, held(1_000, seq)),
            4 => (Fate::Lost, held(1_000, seq)),
            _ => (Fate::Received, held(1_000, seq)),
        }));
        assert_eq!(mixed.sum_ns, 10_500 * MS - held(1_000, 3));
    }

    #[test]
    fn a_queue_and_a_later_stall_are_not_first_packets_that_waited() {
        let queue = of((0..50).map(|_| (Fate::Received, 90 * MS)));
        assert!(!queue.are_late_alone());
        let growing = of((0..50).map(|seq| (Fate::Received, 20 * seq * MS)));
        assert!(!growing.are_late_alone());
        let stall = of((0..50).map(|seq| (Fate::Received, if seq == 20 { 400 * MS } else { 0 })));
        assert!(!stall.are_late_alone());
    }
}

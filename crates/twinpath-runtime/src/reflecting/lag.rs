//! The way from reading T3 to the wire, and by how much T3 is advanced for it.
//!
//! T3 is read right before the system call, and the packet leaves some microseconds later. The
//! kernel tells when, for some of the packets; the median of the recent ones is added to the next
//! readings. It is never more than was measured, and old measurements do not count.

use std::time::Duration;

use twinpath_wire::{Delta, Mono, Wall};

/// Measurements that the median is taken of.
const WINDOW: usize = 32;
/// Fewer than these say too little: the first few packets find cold caches, and take their time.
const ENOUGH: usize = 8;
/// A measurement is recent for so long.
const RECENT: Duration = Duration::from_mins(1);
/// A stamped reply at most each such time, so that a flood is not slowed.
const BETWEEN_STAMPS: Duration = Duration::from_millis(1);
/// Replies whose stamps are awaited at once.
const AWAITED: usize = 64;
/// A way longer than this is not this host's own: the packet stood in a queue of the interface, and
/// that belongs to the path. It would also be gone when the next packet leaves. (Or the stamp is
/// another packet's, or the clock stepped.)
const LONGEST: Delta = Delta::from_ns(200_000);

/// Measures the way from T3 to the wire.
#[derive(Debug)]
pub(crate) struct Lag {
    measured: [(Mono, u64); WINDOW],
    count: usize,
    awaited: [Option<(u32, Wall)>; AWAITED],
    open: usize,
    next_stamp: Mono,
    median_ns: Option<u64>,
    median_until: Mono,
}

impl Lag {
    pub(crate) fn new() -> Self {
        Self {
            measured: [(Mono::from_ns(0), 0); WINDOW],
            count: 0,
            awaited: [None; AWAITED],
            open: 0,
            next_stamp: Mono::from_ns(0),
            median_ns: None,
            median_until: Mono::from_ns(0),
        }
    }

    /// Whether the next reply should ask for a stamp.
    pub(crate) fn wants_stamp(&self, now: Mono) -> bool {
        now >= self.next_stamp
    }

    /// A reply that asks for a stamp has left the process: `t3` is what was read, not advanced.
    pub(crate) fn sent(&mut self, key: u32, t3: Wall, now: Mono) {
        self.next_stamp = now + BETWEEN_STAMPS;
        if let Some(slot) = self.awaited.get_mut(key as usize % AWAITED) {
            if slot.is_none() {
                self.open += 1;
            }
            *slot = Some((key, t3));
        }
    }

    /// Stamps are still to come.
    pub(crate) fn awaits(&self) -> bool {
        self.open > 0
    }

    /// The kernel's word on the reply `key`.
    pub(crate) fn left(&mut self, key: u32, at: Wall, now: Mono) {
        let Some(slot) = self.awaited.get_mut(key as usize % AWAITED) else {
            return;
        };
        let Some((_, t3)) = slot.take_if(|(awaited, _)| *awaited == key) else {
            return;
        };
        self.open -= 1;
        let way = at - t3;
        if way <= Delta::ZERO || way > LONGEST {
            return;
        }
        if let Some(slot) = self.measured.get_mut(self.count % WINDOW) {
            *slot = (now, way.abs_ns());
        }
        self.count += 1;
        self.settle(now);
    }

    /// By how much to advance T3 now: the median of the recent measurements; zero without.
    pub(crate) fn advance(&mut self, now: Mono) -> Delta {
        if now > self.median_until {
            self.settle(now);
        }
        Delta::from_ns(i64::try_from(self.median_ns.unwrap_or(0)).unwrap_or(0))
    }

    /// The advance in force, in nanoseconds; `None` before enough was measured.
    pub(crate) fn median_ns(&self) -> Option<u64> {
        self.median_ns
    }

    /// Takes the median anew and notes until when it holds.
    fn settle(&mut self, now: Mono) {
        let mut recent = [0; WINDOW];
        let mut count = 0;
        let mut oldest = now;
        let filled = self.measured.iter().take(self.count);
        for (at, ns) in filled.filter(|(at, _)| now.since(*at) <= RECENT) {
            if let Some(slot) = recent.get_mut(count) {
                *slot = *ns;
                count += 1;
                oldest = oldest.min(*at);
            }
        }
        let recent = recent.get_mut(..count).unwrap_or_default();
        recent.sort_unstable();
        self.median_ns = if count < ENOUGH {
            None
        } else {
            recent.get((count - 1) / 2).copied()
        };
        self.median_until = oldest + RECENT;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn wall(ns: i64) -> Wall {
        Wall::from_unix_ns(ns)
    }

    fn measure(lag: &mut Lag, key: u32, ns: i64, now: Mono) {
        lag.sent(key, wall(1_000_000), now);
        lag.left(key, wall(1_000_000 + ns), now);
    }

    #[test]
    fn t3_is_advanced_by_the_median_of_what_was_measured() {
        let mut lag = Lag::new();
        let now = Mono::from_ns(5_000_000_000);
        // The first ones are cold.
        let ways = [90_000, 50_000, 30_000, 4_000, 4_500, 5_000, 5_500, 4_800];
        for (key, ns) in (0..).zip(ways) {
            assert_eq!(lag.advance(now), Delta::ZERO);
            measure(&mut lag, key, ns, now);
        }
        assert_eq!(lag.advance(now).ns(), 5_000);
        assert_eq!(lag.median_ns(), Some(5_000));
    }

    #[test]
    fn old_measurements_do_not_count() {
        let mut lag = Lag::new();
        let now = Mono::from_ns(5_000_000_000);
        for key in 0..40 {
            measure(&mut lag, key, 7_000, now);
        }
        assert_eq!(lag.advance(now + RECENT).ns(), 7_000);
        assert_eq!(
            lag.advance(now + RECENT + Duration::from_nanos(1)),
            Delta::ZERO
        );
    }

    #[test]
    fn stray_and_impossible_stamps_say_nothing() {
        let mut lag = Lag::new();
        let now = Mono::from_ns(5_000_000_000);
        lag.left(3, wall(1), now);
        for (key, ns) in [(0, -5), (1, 0), (2, 20_000_000), (3, 201_000)] {
            measure(&mut lag, key, ns, now);
        }
        assert!(!lag.awaits());
        assert_eq!(lag.advance(now), Delta::ZERO);
        // A slot that was never answered is taken over, and its own stamp then comes too late.
        lag.sent(7, wall(100), now);
        lag.sent(7 + 64, wall(200), now);
        lag.left(7, wall(150), now);
        assert!(lag.awaits());
    }

    #[test]
    fn a_queue_of_the_interface_belongs_to_the_path() {
        let mut lag = Lag::new();
        let now = Mono::from_ns(5_000_000_000);
        for key in 0..8 {
            measure(&mut lag, key, 6_000, now);
        }
        for key in 8..100 {
            measure(&mut lag, key, 5_000_000, now);
        }
        assert_eq!(lag.advance(now).ns(), 6_000);
    }

    #[test]
    fn stamps_are_asked_for_now_and_then() {
        let mut lag = Lag::new();
        let now = Mono::from_ns(5_000_000_000);
        assert!(lag.wants_stamp(now));
        lag.sent(0, wall(0), now);
        assert!(!lag.wants_stamp(now + Duration::from_micros(999)));
        assert!(lag.wants_stamp(now + Duration::from_millis(1)));
    }
}

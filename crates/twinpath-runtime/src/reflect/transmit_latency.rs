//! How long a reply takes from reading T3 to the wire, on one path, and by how much T3 is advanced for it.
//!
//! T3 is read right before the system call, and the packet leaves some microseconds later. The
//! kernel tells when, for some of the packets; the least of the recent ones is added to the next
//! readings. So T3 is hardly ever later than its packet, and no round trip is made negative, as one
//! in four was by the median on a link without a delay of its own. Old measurements do not count.
//!
//! A stamp takes the kernel time before it is taken: where most replies have none, they leave sooner
//! than those that tell. By how much sooner their system calls return, they are advanced less.

use std::time::Duration;

use twinpath_wire::{Delta, Mono};

/// Measurements that the least is taken of: of fewer one packet in a hundred or so undercuts it, more
/// are no better.
const WINDOW: usize = 128;
/// Fewer than these say too little: the first few packets find cold caches, and take their time. One a
/// second is enough.
const ENOUGH: usize = 32;
/// A measurement is recent for so long.
pub(super) const RECENT: Duration = Duration::from_mins(1);
/// A stamped reply at most each such time, so that a flood is not slowed.
const BETWEEN_STAMPS: Duration = Duration::from_millis(1);
/// A time longer than this is not this host's own: the packet stood in a queue of the interface, and
/// that belongs to the path. It would also be gone when the next packet leaves. (Or the stamp is
/// another packet's, or the clock stepped.)
const LONGEST: Delta = Delta::from_ns(200_000);

/// Measures the time from T3 to the wire.
#[derive(Debug)]
pub(super) struct TransmitLatency {
    /// From T3 to the kernel's stamp.
    latencies: Window,
    /// From T3 until the system call of a stamped reply, and of another, returned.
    stamped_calls: Window,
    plain_calls: Window,
    next_stamp: Mono,
    /// The last call that was timed was that of a stamped reply.
    was_stamped: bool,
    /// Replies have left without a stamp since a call of one was timed.
    has_plain: bool,
}

impl TransmitLatency {
    pub(super) fn new() -> Self {
        Self {
            latencies: Window::new(),
            stamped_calls: Window::new(),
            plain_calls: Window::new(),
            next_stamp: Mono::from_ns(0),
            was_stamped: false,
            has_plain: false,
        }
    }

    /// Whether to request a stamp for the next reply. Where others leave without one, calls of both kinds
    /// are timed in turn.
    pub(super) fn wants_stamp(&self, now: Mono) -> bool {
        now >= self.next_stamp && !(self.was_stamped && self.has_plain)
    }

    /// Whether the system call of the next reply, with a requested stamp or without, should be timed by
    /// [`Self::returned`].
    pub(super) fn wants_time(&self, stamped: bool) -> bool {
        stamped || self.was_stamped
    }

    /// The system call of a reply took this long; `stamped`: a stamp was requested for it.
    pub(super) fn returned(&mut self, stamped: bool, took: Delta, now: Mono) {
        self.was_stamped = stamped;
        let calls = if stamped {
            self.next_stamp = now + BETWEEN_STAMPS;
            &mut self.stamped_calls
        } else {
            self.has_plain = false;
            &mut self.plain_calls
        };
        calls.add(took, now);
    }

    /// By the kernel's stamp, a reply left this long after its T3 was read.
    pub(super) fn left(&mut self, after: Delta, now: Mono) {
        self.latencies.add(after, now);
    }

    /// By how much to advance T3 of a reply now, for which a stamp is asked or not; zero where nothing is
    /// known.
    pub(super) fn advance(&mut self, stamped: bool, now: Mono) -> Delta {
        self.has_plain |= !stamped;
        let least = self.latencies.least_ns(now).unwrap_or(0);
        let ns = if stamped {
            least
        } else {
            least.saturating_sub(self.dearer_ns(now))
        };
        Delta::from_ns(i64::try_from(ns).unwrap_or(0))
    }

    /// By how much the call of a stamped reply takes longer than another's: as long as there is, while
    /// that is not known.
    fn dearer_ns(&mut self, now: Mono) -> u64 {
        let with = self.stamped_calls.least_ns(now);
        let without = self.plain_calls.least_ns(now);
        match (with, without) {
            (Some(with), Some(without)) => with.saturating_sub(without),
            _ => u64::MAX,
        }
    }
}

/// The least of recent measurements.
#[derive(Debug)]
struct Window {
    measured: [(Mono, u64); WINDOW],
    count: usize,
    least_ns: Option<u64>,
    /// Until when it holds.
    until: Mono,
}

impl Window {
    fn new() -> Self {
        Self {
            measured: [(Mono::from_ns(0), 0); WINDOW],
            count: 0,
            least_ns: None,
            until: Mono::from_ns(0),
        }
    }

    fn add(&mut self, took: Delta, now: Mono) {
        if took <= Delta::ZERO || took > LONGEST {
            return;
        }
        if let Some(slot) = self.measured.get_mut(self.count % WINDOW) {
            *slot = (now, took.abs_ns());
        }
        self.count += 1;
        self.update_least(now);
    }

    /// `None` before enough was measured.
    fn least_ns(&mut self, now: Mono) -> Option<u64> {
        if now > self.until {
            self.update_least(now);
        }
        self.least_ns
    }

    /// Takes the least again and notes until when it holds.
    fn update_least(&mut self, now: Mono) {
        let (mut least, mut count, mut oldest) = (u64::MAX, 0, now);
        let filled = self.measured.iter().take(self.count);
        for (at, ns) in filled.filter(|(at, _)| now.since(*at) <= RECENT) {
            least = least.min(*ns);
            count += 1;
            oldest = oldest.min(*at);
        }
        self.least_ns = (count >= ENOUGH).then_some(least);
        self.until = oldest + RECENT;
    }
}

#[cfg(test)]
impl TransmitLatency {
    /// Each reply took this long, and each call of a stamped reply this much longer than another, whatever
    /// that is.
    pub(super) fn measured(after: Duration, dearer: Duration, now: Mono) -> Self {
        let mut latency = Self::new();
        latency.latencies.fill(after, now);
        latency.stamped_calls.fill(dearer, now);
        latency.plain_calls.fill(Duration::ZERO, now);
        latency
    }
}

#[cfg(test)]
impl Window {
    fn fill(&mut self, took: Duration, now: Mono) {
        self.measured
            .fill((now, u64::try_from(took.as_nanos()).unwrap()));
        self.count = WINDOW;
        self.update_least(now);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const NOW: Mono = Mono::from_ns(5_000_000_000);

    fn us(us: u64) -> Delta {
        Delta::from_ns(i64::try_from(us).unwrap() * 1_000)
    }

    fn measure(latency: &mut TransmitLatency, times: &[u64]) {
        for time in times {
            latency.left(us(*time), NOW);
        }
    }

    #[test]
    fn a_reply_without_a_stamp_is_advanced_by_less_where_its_call_is_shorter() {
        let mut latency = TransmitLatency::new();
        measure(&mut latency, &[4; ENOUGH]);
        for _ in 0..ENOUGH {
            latency.returned(true, us(7), NOW);
            assert!(latency.wants_time(false));
        }
        assert_eq!(latency.advance(false, NOW), Delta::ZERO, "not known");
        for _ in 0..ENOUGH {
            latency.returned(false, us(5), NOW);
            assert!(latency.wants_time(true) && !latency.wants_time(false));
        }
        assert_eq!(latency.advance(true, NOW), us(4));
        assert_eq!(latency.advance(false, NOW), us(2));
        // Never more than was measured.
        for _ in 0..WINDOW {
            latency.returned(false, us(9), NOW);
        }
        assert_eq!(latency.advance(false, NOW), us(4));
    }

    #[test]
    fn t3_is_advanced_by_the_least_of_what_was_measured() {
        let mut latency = TransmitLatency::new();
        // The first ones are cold.
        measure(&mut latency, &[90, 50, 30, 7]);
        measure(&mut latency, &[8; ENOUGH - 6]);
        for time in [4, 5] {
            assert_eq!(latency.advance(true, NOW), Delta::ZERO);
            measure(&mut latency, &[time]);
        }
        assert_eq!(latency.advance(true, NOW), us(4));
        // One packet that was quicker, and all that follow it for a while.
        measure(&mut latency, &[2]);
        measure(&mut latency, &[6; WINDOW - 1]);
        assert_eq!(latency.advance(true, NOW), us(2));
        measure(&mut latency, &[6]);
        assert_eq!(latency.advance(true, NOW), us(6));
    }

    #[test]
    fn old_measurements_do_not_count() {
        let mut latency = TransmitLatency::new();
        measure(&mut latency, &[7; 40]);
        assert_eq!(latency.advance(true, NOW + RECENT), us(7));
        let later = NOW + RECENT + Duration::from_nanos(1);
        assert_eq!(latency.advance(true, later), Delta::ZERO);
    }

    #[test]
    fn impossible_stamps_say_nothing() {
        let mut latency = TransmitLatency::new();
        for ns in [-5, 0, 20_000_000, 200_001] {
            for _ in 0..ENOUGH {
                latency.left(Delta::from_ns(ns), NOW);
            }
        }
        assert_eq!(latency.advance(true, NOW), Delta::ZERO);
    }

    #[test]
    fn a_queue_of_the_interface_belongs_to_the_path() {
        let mut latency = TransmitLatency::new();
        measure(&mut latency, &[5_000; 100]);
        assert_eq!(latency.advance(true, NOW), Delta::ZERO);
        measure(&mut latency, &[6; ENOUGH]);
        measure(&mut latency, &[5_000; 100]);
        assert_eq!(latency.advance(true, NOW), us(6));
    }

    #[test]
    fn stamps_are_asked_for_now_and_then() {
        let mut latency = TransmitLatency::new();
        assert!(latency.wants_stamp(NOW));
        latency.returned(false, us(5), NOW);
        assert!(latency.wants_stamp(NOW));
        latency.returned(true, us(5), NOW);
        assert!(!latency.wants_stamp(NOW + Duration::from_micros(999)));
        assert!(latency.wants_stamp(NOW + Duration::from_millis(1)));
    }
    #[test]
    fn calls_with_a_stamp_and_without_are_timed_in_turn_where_there_are_both() {
        let mut latency = TransmitLatency::new();
        let later = |ms: u64| NOW + Duration::from_millis(ms);
        for ms in 0..4 {
            assert!(latency.wants_stamp(later(ms)), "{ms}: no other reply left");
            latency.advance(true, later(ms));
            latency.returned(true, us(5), later(ms));
        }
        latency.advance(false, later(4));
        assert!(!latency.wants_stamp(later(5)) && latency.wants_time(false));
        latency.returned(false, us(5), later(5));
        assert!(latency.wants_stamp(later(5)));
    }
}

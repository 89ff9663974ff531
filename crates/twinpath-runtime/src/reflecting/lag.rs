//! The way from reading T3 to the wire, and by how much T3 is advanced for it.
//!
//! T3 is read right before the system call, and the packet leaves some microseconds later. The
//! kernel tells when, for some of the packets; the median of the recent ones is added to the next
//! readings. It is never more than was measured, and old measurements do not count.
//!
//! A stamp takes the kernel time before it is taken: where most replies have none, they leave sooner
//! than those that tell. By how much sooner their system calls return, they are advanced less.

use std::net::IpAddr;
use std::time::Duration;

use twinpath_wire::{Delta, Mono, Wall};

/// Measurements that a median is taken of: more would be slower to forget how it was when the host was
/// busy, fewer would follow what single packets met.
const WINDOW: usize = 16;
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

/// By how much T3 is advanced, where that is known.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Advance {
    /// Of a reply whose stamp is asked for, in nanoseconds.
    stamped_ns: Option<u64>,
    /// Of another.
    plain_ns: Option<u64>,
}

impl Advance {
    /// Of a reply whose stamp is asked for, or of another; zero where nothing is known.
    pub(crate) fn of(self, stamped: bool) -> Delta {
        let ns = if stamped {
            self.stamped_ns
        } else {
            self.plain_ns
        };
        Delta::from_ns(i64::try_from(ns.unwrap_or(0)).unwrap_or(0))
    }

    /// Of most replies, in nanoseconds; `None`: not known.
    pub(crate) fn ns(self) -> Option<u64> {
        self.plain_ns
    }

    pub(crate) fn is_known(self) -> bool {
        self.stamped_ns.is_some()
    }
}

/// Measures the way from T3 to the wire.
#[derive(Debug)]
pub(crate) struct Lag {
    /// From T3 to the kernel's stamp.
    ways: Window,
    /// From T3 until the system call of a stamped reply, and of another, returned.
    stamped_calls: Window,
    plain_calls: Window,
    awaited: [Option<(u32, Wall)>; AWAITED],
    open: usize,
    next_stamp: Mono,
    /// The call of a reply without a stamp is to be timed, to hold it against the last one with one.
    wants_plain: bool,
}

impl Lag {
    pub(crate) fn new() -> Self {
        Self {
            ways: Window::new(),
            stamped_calls: Window::new(),
            plain_calls: Window::new(),
            awaited: [None; AWAITED],
            open: 0,
            next_stamp: Mono::from_ns(0),
            wants_plain: false,
        }
    }

    /// Whether the next reply should ask for a stamp.
    pub(crate) fn wants_stamp(&self, now: Mono) -> bool {
        now >= self.next_stamp
    }

    /// Whether the next reply without a stamp should be timed by [`Self::returned`].
    pub(crate) fn wants_plain(&self) -> bool {
        self.wants_plain
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

    /// The system call of a reply, for which a stamp was asked or not, returned at `at`.
    pub(crate) fn returned(&mut self, stamped: bool, t3: Wall, at: Wall, now: Mono) {
        self.wants_plain = stamped;
        let calls = if stamped {
            &mut self.stamped_calls
        } else {
            &mut self.plain_calls
        };
        calls.add(at - t3, now);
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
        self.ways.add(at - t3, now);
    }

    /// By how much to advance T3 now.
    pub(crate) fn advance(&mut self, now: Mono) -> Advance {
        let stamped_ns = self.ways.median(now);
        let (with, without) = (self.stamped_calls.median(now), self.plain_calls.median(now));
        let dearer = match (with, without) {
            (Some(with), Some(without)) => with.saturating_sub(without),
            _ => 0,
        };
        Advance {
            stamped_ns,
            plain_ns: stamped_ns.map(|ns| ns.saturating_sub(dearer)),
        }
    }
}

/// The median of recent measurements.
#[derive(Debug)]
struct Window {
    measured: [(Mono, u64); WINDOW],
    count: usize,
    median_ns: Option<u64>,
    /// Until when it holds.
    until: Mono,
}

impl Window {
    fn new() -> Self {
        Self {
            measured: [(Mono::from_ns(0), 0); WINDOW],
            count: 0,
            median_ns: None,
            until: Mono::from_ns(0),
        }
    }

    fn add(&mut self, way: Delta, now: Mono) {
        if way <= Delta::ZERO || way > LONGEST {
            return;
        }
        if let Some(slot) = self.measured.get_mut(self.count % WINDOW) {
            *slot = (now, way.abs_ns());
        }
        self.count += 1;
        self.settle(now);
    }

    /// `None` before enough was measured.
    fn median(&mut self, now: Mono) -> Option<u64> {
        if now > self.until {
            self.settle(now);
        }
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
        self.until = oldest + RECENT;
    }
}

/// What a thread knows of the ways of its sockets: a fresh one begins with it.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Known(Option<(IpAddr, Advance, Mono)>);

impl Known {
    /// What is `measured` on a socket at `near`, or else what was on another one there: the same
    /// interface and the same way through this host.
    pub(crate) fn or(&mut self, measured: Advance, near: IpAddr, now: Mono) -> Advance {
        if measured.is_known() {
            self.0 = Some((near, measured, now));
            return measured;
        }
        match self.0 {
            Some((at, known, when)) if at == near && now.since(when) <= RECENT => known,
            _ => measured,
        }
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

    fn of(lag: &mut Lag, now: Mono) -> Delta {
        lag.advance(now).of(true)
    }

    #[test]
    fn a_reply_without_a_stamp_is_advanced_by_less_where_its_call_is_shorter() {
        let mut lag = Lag::new();
        let now = Mono::from_ns(5_000_000_000);
        let (t3, after) = (wall(1_000_000), |ns: i64| wall(1_000_000 + ns));
        for key in 0..8 {
            measure(&mut lag, key, 4_000, now);
            lag.returned(true, t3, after(6_500), now);
            assert!(lag.wants_plain());
        }
        assert_eq!(lag.advance(now).of(false).ns(), 4_000);
        for _ in 0..8 {
            lag.returned(false, t3, after(5_000), now);
            assert!(!lag.wants_plain());
        }
        let advance = lag.advance(now);
        assert_eq!(
            (advance.of(true).ns(), advance.of(false).ns()),
            (4_000, 2_500)
        );
        // Never more than was measured.
        for _ in 0..40 {
            lag.returned(false, t3, after(9_000), now);
        }
        assert_eq!(lag.advance(now).of(false).ns(), 4_000);
    }

    #[test]
    fn a_fresh_port_begins_with_what_is_known_of_its_address() {
        let now = Mono::from_ns(5_000_000_000);
        let (near, other) = ("192.0.2.1".parse().unwrap(), "::1".parse().unwrap());
        let mut lag = Lag::new();
        let mut known = Known::default();
        assert!(!known.or(lag.advance(now), near, now).is_known());
        for key in 0..8 {
            measure(&mut lag, key, 4_000, now);
        }
        known.or(lag.advance(now), near, now);
        let mut fresh = Lag::new();
        let begins = known.or(fresh.advance(now), near, now);
        assert_eq!(begins.of(false).ns(), 4_000);
        assert!(!known.or(fresh.advance(now), other, now).is_known());
        let later = now + RECENT + Duration::from_nanos(1);
        assert!(!known.or(fresh.advance(later), near, later).is_known());
    }

    #[test]
    fn t3_is_advanced_by_the_median_of_what_was_measured() {
        let mut lag = Lag::new();
        let now = Mono::from_ns(5_000_000_000);
        // The first ones are cold.
        let ways = [90_000, 50_000, 30_000, 4_000, 4_500, 5_000, 5_500, 4_800];
        for (key, ns) in (0..).zip(ways) {
            assert_eq!(of(&mut lag, now), Delta::ZERO);
            measure(&mut lag, key, ns, now);
        }
        assert_eq!(of(&mut lag, now).ns(), 5_000);
        assert_eq!(lag.advance(now).ns(), Some(5_000));
    }

    #[test]
    fn how_it_was_when_the_host_was_busy_is_soon_forgotten() {
        let mut lag = Lag::new();
        let now = Mono::from_ns(5_000_000_000);
        for key in 0..100 {
            measure(&mut lag, key, 35_000, now);
        }
        for key in 100..109 {
            measure(&mut lag, key, 5_000, now);
        }
        assert_eq!(of(&mut lag, now).ns(), 5_000);
    }

    #[test]
    fn old_measurements_do_not_count() {
        let mut lag = Lag::new();
        let now = Mono::from_ns(5_000_000_000);
        for key in 0..40 {
            measure(&mut lag, key, 7_000, now);
        }
        assert_eq!(of(&mut lag, now + RECENT).ns(), 7_000);
        assert_eq!(
            of(&mut lag, now + RECENT + Duration::from_nanos(1)),
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
        assert_eq!(of(&mut lag, now), Delta::ZERO);
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
        assert_eq!(of(&mut lag, now).ns(), 6_000);
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

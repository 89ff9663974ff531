//! A simulated link in virtual time: seeded, with delay, jitter, loss, duplication and
//! reordering, and clocks that are off and run fast or slow.

use std::cmp::Reverse;
use std::collections::BinaryHeap;
use std::time::Duration;

use twinpath_proto::ClockPair;
use twinpath_proto::random::SplitMix;
use twinpath_wire::{Mono, Wall, nanoseconds};

/// A system clock as a function of true time.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Clock {
    /// Its reading at true time 0, in Unix nanoseconds.
    pub(crate) offset_ns: i64,
    /// How much faster than true time it runs, in parts per billion.
    pub(crate) skew_ppb: i64,
}

impl Clock {
    /// Its reading at true time `at`.
    pub(crate) fn wall(&self, at: Mono) -> Wall {
        let at = i64::try_from(at.ns()).unwrap_or(i64::MAX);
        let ahead = i128::from(at) * i128::from(self.skew_ppb) / 1_000_000_000;
        let ahead = i64::try_from(ahead).unwrap_or(i64::MAX);
        Wall::from_unix_ns(self.offset_ns.saturating_add(at).saturating_add(ahead))
    }

    /// Both clocks of a host whose monotonic one shows true time.
    pub(crate) fn pair(&self, at: Mono) -> ClockPair {
        ClockPair {
            mono: at,
            wall: self.wall(at),
        }
    }
}

/// The impairments of one direction.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Path {
    /// The least delay.
    pub(crate) delay: Duration,
    /// Up to so much more, uniformly. It alone does not reorder.
    pub(crate) jitter: Duration,
    /// Packets lost, in a million.
    pub(crate) loss_ppm: u32,
    /// Packets that arrive twice, in a million.
    pub(crate) duplicate_ppm: u32,
    /// Packets that are held back, in a million.
    pub(crate) reorder_ppm: u32,
    /// How long those are held back.
    pub(crate) reorder_by: Duration,
}

/// One direction of a link.
#[derive(Debug)]
pub(crate) struct Link {
    path: Path,
    random: SplitMix,
    queue: BinaryHeap<Reverse<Parcel>>,
    order: u64,
    last: Mono,
}

#[derive(Debug, PartialEq, Eq, PartialOrd, Ord)]
struct Parcel {
    at: Mono,
    order: u64,
    octets: Vec<u8>,
}

impl Link {
    /// A direction that behaves by `path`, each time the same for one seed.
    pub(crate) fn new(path: Path, seed: u64) -> Self {
        let random = SplitMix::new(seed);
        Self {
            path,
            random,
            queue: BinaryHeap::new(),
            order: 0,
            last: Mono::default(),
        }
    }

    /// A packet enters at `now`.
    pub(crate) fn send(&mut self, now: Mono, octets: &[u8]) {
        if self.is_one_of(self.path.loss_ppm) {
            return;
        }
        let copies = 1 + u32::from(self.is_one_of(self.path.duplicate_ppm));
        for _ in 0..copies {
            let jitter_ns = nanoseconds::of(self.path.jitter);
            let jitter = Duration::from_nanos(self.random.below(jitter_ns));
            let mut at = (now + self.path.delay + jitter).max(self.last);
            if self.is_one_of(self.path.reorder_ppm) {
                at += self.path.reorder_by;
            } else {
                self.last = at;
            }
            self.order += 1;
            self.queue.push(Reverse(Parcel {
                at,
                order: self.order,
                octets: octets.to_vec(),
            }));
        }
    }

    /// True in `ppm` of a million cases.
    fn is_one_of(&mut self, ppm: u32) -> bool {
        self.random.below(1_000_000) < u64::from(ppm)
    }

    /// The next packet that has arrived by `now`, and when it did.
    pub(crate) fn poll(&mut self, now: Mono) -> Option<(Mono, Vec<u8>)> {
        if self.poll_timeout()? > now {
            return None;
        }
        self.queue
            .pop()
            .map(|Reverse(parcel)| (parcel.at, parcel.octets))
    }

    /// When the next packet arrives.
    pub(crate) fn poll_timeout(&self) -> Option<Mono> {
        self.queue.peek().map(|Reverse(parcel)| parcel.at)
    }
}

fn arrivals(path: Path, seed: u64) -> Vec<(Mono, Vec<u8>)> {
    let mut link = Link::new(path, seed);
    for k in 0..1_000_u64 {
        link.send(Mono::from_ns(k * 1_000_000), &k.to_be_bytes());
    }
    std::iter::from_fn(|| link.poll(Mono::from_ns(u64::MAX))).collect()
}

#[test]
fn a_seed_determines_the_run() {
    let path = Path {
        delay: Duration::from_millis(5),
        jitter: Duration::from_millis(3),
        loss_ppm: 100_000,
        duplicate_ppm: 50_000,
        reorder_ppm: 50_000,
        reorder_by: Duration::from_millis(4),
    };
    assert_eq!(arrivals(path, 1), arrivals(path, 1));
    assert_ne!(arrivals(path, 1), arrivals(path, 2));
}

#[test]
fn jitter_alone_keeps_the_order() {
    let jitter = Duration::from_millis(30);
    let arrivals = arrivals(
        Path {
            jitter,
            ..Path::default()
        },
        3,
    );
    assert_eq!(arrivals.len(), 1_000);
    assert!(arrivals.is_sorted_by(|one, two| one.0 <= two.0 && one.1 < two.1));
}

#[test]
fn a_skewed_clock_gains_by_its_rate() {
    let clock = Clock {
        offset_ns: 1_000,
        skew_ppb: 50_000,
    };
    assert_eq!(clock.wall(Mono::from_ns(0)), Wall::from_unix_ns(1_000));
    assert_eq!(
        clock.wall(Mono::from_ns(1_000_000_000)),
        Wall::from_unix_ns(1_000_051_000)
    );
}

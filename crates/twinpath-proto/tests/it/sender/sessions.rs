//! Whole sessions over a simulated link, in virtual time.

use std::time::Duration;

use twinpath_proto::sender::{Limit, Schedule, SenderConfig, SenderCounters, SessionSender};
use twinpath_wire::{Delta, Fate, Mono, Rung, Sample, Stamp};

use super::rig::{EPOCH_NS, arrival, config, reply_to};
use crate::sim::{Clock, Link, Path};

/// Both directions, the far clock, and a reflector that counts.
struct World {
    near: Clock,
    far: Clock,
    forward: Link,
    backward: Link,
    reflected: u32,
}

impl World {
    fn new(forward: Path, backward: Path, far: Clock) -> Self {
        let near = Clock {
            offset_ns: EPOCH_NS,
            skew_ppb: 0,
        };
        let far = Clock {
            offset_ns: EPOCH_NS + far.offset_ns,
            ..far
        };
        let (forward, backward) = (Link::new(forward, 1), Link::new(backward, 2));
        Self {
            near,
            far,
            forward,
            backward,
            reflected: 0,
        }
    }

    /// Runs a session to its end. The kernel stamps each departure 8 us after the process did.
    fn run(&mut self, config: SenderConfig) -> (Vec<Sample>, SenderCounters) {
        let mut sender = SessionSender::new(config);
        let mut buffer = vec![0; sender.largest_payload()];
        let mut samples = Vec::new();
        let mut now = Mono::from_ns(0);
        for _ in 0..10_000_000 {
            while let Some(transmit) = sender.poll_transmit(now, &mut buffer) {
                let packet = &mut buffer[..transmit.octets];
                let token = sender.finish(packet, transmit, self.near.pair(now));
                let left = now + Duration::from_micros(8);
                self.forward.send(left, packet);
                let at = self.near.wall(left);
                sender.handle_tx_stamp(
                    &token,
                    Stamp {
                        at,
                        rung: Rung::Kernel,
                    },
                );
            }
            while let Some((at, request)) = self.forward.poll(now) {
                let leaves = at + Duration::from_micros(15);
                let (t2, t3) = (self.far.wall(at), self.far.wall(leaves));
                self.backward
                    .send(leaves, &reply_to(&request, self.reflected, t2, t3));
                self.reflected += 1;
            }
            sender.handle_clock(self.near.pair(now));
            while let Some((at, reply)) = self.backward.poll(now) {
                sender.handle_reply(now, &reply, &arrival(self.near.wall(at)));
            }
            sender.handle_timeout(now);
            samples.extend(std::iter::from_fn(|| sender.poll_sample()));
            let next = [
                sender.poll_timeout(),
                self.forward.poll_timeout(),
                self.backward
                    .poll_timeout()
                    .filter(|_| sender.poll_timeout().is_some()),
            ];
            if next[0].is_none() {
                return (samples, *sender.counters());
            }
            now = next.into_iter().flatten().min().unwrap().max(now);
        }
        panic!("a session without an end");
    }
}

fn thousand() -> SenderConfig {
    SenderConfig {
        schedule: Schedule::every(Duration::from_millis(10)),
        limit: Limit::Count(1_000),
        await_tx_stamps: true,
        ..config()
    }
}

fn of(samples: &[Sample], fate: Fate) -> Vec<&Sample> {
    samples
        .iter()
        .filter(|sample| sample.fate == fate)
        .collect()
}

#[test]
fn on_a_clean_link_every_round_trip_is_what_the_link_says() {
    let way = Path {
        delay: Duration::from_millis(7),
        ..Path::default()
    };
    let back = Path {
        delay: Duration::from_millis(3),
        ..Path::default()
    };
    let mut world = World::new(way, back, Clock::default());
    let (samples, counters) = world.run(thousand());
    assert_eq!((samples.len(), counters.received), (1_000, 1_000));
    for sample in samples {
        assert_eq!(sample.round_trip().map(Delta::ns), Some(10_000_000));
        assert_eq!(sample.forward().map(Delta::ns), Some(7_000_000));
        assert_eq!(sample.backward().map(Delta::ns), Some(3_000_000));
        assert_eq!(sample.departure.ns(), 8_000);
        assert_eq!(sample.excluded, None);
    }
}

#[test]
fn a_far_clock_that_is_off_moves_the_ways_and_not_the_round_trip() {
    let way = Path {
        delay: Duration::from_millis(5),
        ..Path::default()
    };
    let far = Clock {
        offset_ns: -40_000_000,
        skew_ppb: 0,
    };
    let (samples, _) = World::new(way, way, far).run(thousand());
    for sample in samples {
        assert_eq!(sample.round_trip().map(Delta::ns), Some(10_000_000));
        assert_eq!(
            sample.forward().map(Delta::ns),
            Some(-35_000_000),
            "never clamped"
        );
        assert_eq!(sample.backward().map(Delta::ns), Some(45_000_000));
    }
}

#[test]
fn a_far_clock_that_runs_fast_shows_in_the_ways() {
    let way = Path {
        delay: Duration::from_millis(5),
        ..Path::default()
    };
    let far = Clock {
        offset_ns: 0,
        skew_ppb: 50_000,
    };
    let (samples, _) = World::new(way, way, far).run(thousand());
    let forward = |sample: &Sample| sample.forward().unwrap().ns();
    let gained = forward(&samples[999]) - forward(&samples[0]);
    assert!(
        (499_000..500_000).contains(&gained),
        "{gained}: 50 ppm of 9.99 s"
    );
}

#[test]
fn loss_duplication_and_reordering_are_counted_as_the_link_made_them() {
    let path = Path {
        delay: Duration::from_millis(20),
        jitter: Duration::from_millis(2),
        loss_ppm: 50_000,
        duplicate_ppm: 30_000,
        reorder_ppm: 20_000,
        reorder_by: Duration::from_millis(25),
    };
    let mut world = World::new(path, path, Clock::default());
    let (samples, counters) = world.run(thousand());
    let mut ends = [0_u32; 1_000];
    for sample in samples
        .iter()
        .filter(|sample| sample.fate != Fate::Duplicate)
    {
        ends[usize::try_from(sample.seq).unwrap()] += 1;
    }
    assert!(ends.iter().all(|ends| *ends == 1));
    let received = of(&samples, Fate::Received);
    assert_eq!(received.len() as u64, counters.received);
    assert_eq!(of(&samples, Fate::Lost).len() as u64, counters.lost);
    assert_eq!(
        of(&samples, Fate::Duplicate).len() as u64,
        counters.duplicates
    );
    assert_eq!(counters.received + counters.lost, 1_000);
    // Two directions of 5 % loss are 97 lost in a thousand, two of 3 % duplication 58 copies.
    assert!((60..140).contains(&counters.lost), "{counters:?}");
    assert!((25..95).contains(&counters.duplicates), "{counters:?}");
    let reordered = received
        .windows(2)
        .filter(|two| two[0].seq > two[1].seq)
        .count();
    assert!((10..70).contains(&reordered), "{reordered}");
    assert!(
        received.is_sorted_by_key(|sample| sample.t4.unwrap().at),
        "by arrival"
    );
}

#[test]
fn a_path_slower_than_the_timeout_is_all_late() {
    let way = Path {
        delay: Duration::from_millis(1_300),
        ..Path::default()
    };
    let config = SenderConfig {
        limit: Limit::Duration(Duration::from_secs(5)),
        ..thousand()
    };
    let (samples, counters) = World::new(way, way, Clock::default()).run(config);
    assert_eq!(
        (
            counters.sent,
            counters.received,
            counters.lost,
            counters.asked
        ),
        (500, 0, 500, None)
    );
    // Those whose reply comes before the run's end are late, the last ones are lost.
    assert_eq!(of(&samples, Fate::Late).len() as u64, counters.late);
    assert_eq!(
        of(&samples, Fate::Late).len() + of(&samples, Fate::Lost).len(),
        500
    );
    assert!(counters.late > 400, "{counters:?}");
}

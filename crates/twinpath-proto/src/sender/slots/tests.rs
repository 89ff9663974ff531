//! Schedules in virtual time, some compared with a twin that has every slot in a list.
#![expect(
    clippy::cast_precision_loss,
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    reason = "random gaps as the formula has them"
)]

use proptest::prelude::*;

use super::*;
use crate::random::SplitMix;

const MS: u64 = 1_000_000;

fn ms(at: u64) -> Mono {
    Mono::from_ns(at * MS)
}

fn slots(limit: Limit, max_burst: u32) -> Slots {
    let interval = Duration::from_millis(10);
    Slots::new(
        ms(1_000),
        Schedule::Periodic { interval },
        0,
        limit,
        max_burst,
    )
}

#[test]
fn slots_do_not_drift_with_late_departures() {
    let mut slots = slots(Limit::Count(1_000), 10);
    for k in 0..1_000 {
        let due = slots.next_due().unwrap();
        assert_eq!(due, ms(1_000 + 10 * k));
        assert_eq!(slots.take(due - Duration::from_nanos(1)), None);
        assert_eq!(slots.take(due + Duration::from_millis(7)), Some(due));
    }
    assert_eq!(
        (slots.next_due(), slots.skipped(), slots.largest_burst()),
        (None, 0, 1)
    );
}

#[test]
fn a_short_stall_is_caught_up_whole() {
    let mut slots = slots(Limit::Count(100), 10);
    let now = ms(1_095);
    let burst: Vec<_> = std::iter::from_fn(|| slots.take(now)).collect();
    assert_eq!(
        burst,
        (0..10).map(|k| ms(1_000 + 10 * k)).collect::<Vec<_>>()
    );
    assert_eq!((slots.skipped(), slots.largest_burst()), (0, 10));
}

#[test]
fn a_long_stall_is_caught_up_with_the_newest_slots_and_a_count_is_still_reached() {
    let mut slots = slots(Limit::Count(100), 10);
    let now = ms(1_245);
    let burst: Vec<_> = std::iter::from_fn(|| slots.take(now)).collect();
    assert_eq!(
        burst,
        (15..25).map(|k| ms(1_000 + 10 * k)).collect::<Vec<_>>()
    );
    assert_eq!((slots.skipped(), slots.largest_burst()), (15, 10));
    let rest = std::iter::from_fn(|| slots.next_due().and_then(|due| slots.take(due))).count();
    assert_eq!(rest, 90);
}

#[test]
fn a_duration_is_not_made_longer_by_a_stall() {
    let mut slots = slots(Limit::Duration(Duration::from_secs(1)), 10);
    assert_eq!(slots.take(ms(1_000)), Some(ms(1_000)));
    let late = ms(3_000);
    let burst: Vec<_> = std::iter::from_fn(|| slots.take(late)).collect();
    assert_eq!(
        burst,
        (90..100).map(|k| ms(1_000 + 10 * k)).collect::<Vec<_>>()
    );
    assert_eq!((slots.next_due(), slots.skipped()), (None, 89));
}

#[test]
fn a_duration_has_the_slots_before_its_end() {
    for (duration_ms, expected) in [(0, 0), (1, 1), (10, 1), (11, 2), (100, 10)] {
        let mut slots = slots(Limit::Duration(Duration::from_millis(duration_ms)), 10);
        let count = std::iter::from_fn(|| slots.next_due().and_then(|due| slots.take(due))).count();
        assert_eq!(count, expected, "{duration_ms} ms");
    }
}

#[test]
fn the_last_packets_of_a_count_are_not_skipped_over() {
    let mut slots = slots(Limit::Count(3), 10);
    assert_eq!(std::iter::from_fn(|| slots.take(ms(9_000))).count(), 3);
    assert_eq!(slots.skipped(), 0);
}

#[test]
fn a_row_is_bounded_while_time_goes_on_between_its_packets() {
    // Sending takes as long as a slot, so without a bound the row would never end.
    let mut slots = slots(Limit::Count(10_000), 5);
    let mut now = ms(1_200);
    let mut handed = 0;
    for _ in 0..200 {
        handed += u64::from(slots.take(now).is_some());
        now += Duration::from_millis(3);
    }
    assert!(handed > 50);
    assert!(slots.largest_burst() <= 5);
}

#[test]
fn an_interval_of_zero_does_not_divide_by_zero() {
    let interval = Duration::ZERO;
    let mut slots = Slots::new(
        ms(0),
        Schedule::Periodic { interval },
        0,
        Limit::Count(5),
        10,
    );
    assert_eq!(std::iter::from_fn(|| slots.take(ms(1))).count(), 5);
}

/// Every slot up to `end`, by the definition in RFC 2330 section 11.1.3 and this project's rules.
fn list(schedule: Schedule, start: Mono, seed: u64, end: Mono) -> Vec<Mono> {
    let mut random = SplitMix::new(SplitMix::new(!seed).next_u64());
    let mut slots = Vec::new();
    let mut at = start;
    while at < end {
        let gap_ns = match schedule {
            Schedule::Periodic { interval } => nanoseconds(interval),
            Schedule::Bursts { packets, gap } => {
                slots.extend((1..packets).map(|_| at));
                nanoseconds(gap)
            }
            Schedule::Uniform { least, most } => {
                let width = u128::from(nanoseconds(most) - nanoseconds(least)) + 1;
                let part = u128::from(random.next_u64()) * width / (1 << 64);
                nanoseconds(least) + u64::try_from(part).unwrap()
            }
            Schedule::Poisson { mean } => {
                let u = ((random.next_u64() >> 11) + 1) as f64 / 2_f64.powi(53);
                at += Duration::from_nanos((-u.ln() * mean.as_nanos() as f64).round() as u64);
                if at < end {
                    slots.push(at);
                }
                continue;
            }
        };
        slots.push(at);
        at += Duration::from_nanos(gap_ns);
    }
    slots
}

fn nanoseconds(duration: Duration) -> u64 {
    u64::try_from(duration.as_nanos()).unwrap()
}

/// The twin: the rest of the list, and the same rules applied by walking all of it.
struct Twin {
    slots: Vec<Mono>,
    left: u64,
    max_burst: u64,
    row: u64,
    handed_at: Option<Mono>,
    skipped: u64,
}

impl Twin {
    fn next_due(&self) -> Option<Mono> {
        self.slots.first().copied().filter(|_| self.left > 0)
    }

    fn take(&mut self, now: Mono) -> Option<Mono> {
        let first = self.next_due().filter(|due| *due <= now)?;
        if self.handed_at.is_none_or(|handed| first > handed) {
            self.row = 0;
        }
        let room = self.max_burst - self.row;
        let missed = self.slots.iter().filter(|due| **due <= now).count() as u64;
        if missed > room && self.left > room {
            self.slots.drain(..usize::try_from(missed - room).unwrap());
            self.skipped += missed - room;
            if room == 0 {
                return None;
            }
        }
        self.row += 1;
        self.left -= 1;
        self.handed_at = Some(now);
        Some(self.slots.remove(0))
    }
}

fn any_schedule() -> impl Strategy<Value = Schedule> {
    let us = |range: std::ops::Range<u64>| range.prop_map(Duration::from_micros);
    prop_oneof![
        us(500..20_000).prop_map(|interval| Schedule::Periodic { interval }),
        us(500..20_000).prop_map(|mean| Schedule::Poisson { mean }),
        (us(0..5_000), us(500..20_000)).prop_map(|(least, more)| Schedule::Uniform {
            least,
            most: least + more,
        }),
        (1..12_u32, us(1_000..50_000)).prop_map(|(packets, gap)| Schedule::Bursts { packets, gap }),
    ]
}

fn any_limit() -> impl Strategy<Value = Limit> {
    prop_oneof![
        (1..300_u64).prop_map(Limit::Count),
        (0..900_u64).prop_map(|ms| Limit::Duration(Duration::from_millis(ms))),
        Just(Limit::Endless),
    ]
}

proptest! {
    /// However late and however often it is called.
    #[test]
    fn slots_are_those_of_a_twin_that_has_them_all_in_a_list(
        schedule in any_schedule(),
        limit in any_limit(),
        seed: u64,
        max_burst in 0..20_u32,
        waits_us in prop::collection::vec(
            prop_oneof![12 => 0..900_u64, 6 => 0..9_000_u64, 1 => 0..150_000_u64], 1..150),
    ) {
        let start = ms(1_000);
        let mut slots = Slots::new(start, schedule, seed, limit, max_burst);
        let end = match limit {
            Limit::Count(_) | Limit::Endless => start + Duration::from_micros(waits_us.iter().sum::<u64>() + 500_000),
            Limit::Duration(duration) => start + duration,
        };
        let mut twin = Twin {
            slots: list(schedule, start, seed, end),
            left: if let Limit::Count(count) = limit { count } else { u64::MAX },
            max_burst: match schedule {
                Schedule::Bursts { packets, .. } if packets > max_burst => packets.into(),
                Schedule::Bursts { packets, .. } => (max_burst - max_burst % packets).into(),
                Schedule::Periodic { .. } | Schedule::Poisson { .. } | Schedule::Uniform { .. } => {
                    max_burst.max(1).into()
                }
            },
            row: 0,
            handed_at: None,
            skipped: 0,
        };
        let mut now = ms(999);
        for wait_us in waits_us {
            now += Duration::from_micros(wait_us);
            prop_assert_eq!(slots.next_due(), twin.next_due());
            prop_assert_eq!(slots.take(now), twin.take(now), "at {:?}", now);
            prop_assert_eq!(slots.skipped(), twin.skipped);
        }
    }

}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(ProptestConfig::default().cases / 4))]
    #[test]
    fn no_schedule_panics_or_hangs_whatever_its_times(
        which in 0..4_u8,
        first_ns: u64,
        second_ns: u64,
        packets: u32,
        limit in prop_oneof![
            any::<u64>().prop_map(Limit::Count),
            any::<u64>().prop_map(|ns| Limit::Duration(Duration::from_nanos(ns))),
            Just(Limit::Endless),
        ],
        max_burst: u32,
        shift in 0..64_u32,
        start: u64,
        moments: [u64; 8],
    ) {
        let first = Duration::from_nanos(first_ns >> shift);
        let second = Duration::from_nanos(second_ns >> shift);
        let schedule = match which {
            0 => Schedule::Periodic { interval: first },
            1 => Schedule::Poisson { mean: first },
            2 => Schedule::Uniform { least: first, most: second },
            _ => Schedule::Bursts { packets, gap: first },
        };
        let mut slots = Slots::new(Mono::from_ns(start), schedule, 7, limit, max_burst);
        for moment in moments {
            for _ in 0..3 {
                let now = Mono::from_ns(moment);
                let taken = slots.take(now);
                prop_assert!(taken.is_none_or(|due| due <= now));
            }
        }
    }
}

#[test]
fn missed_hours_of_a_random_schedule_are_skipped_at_once() {
    let hour = Duration::from_hours(1);
    for (schedule, mean_ns) in [
        (
            Schedule::Poisson {
                mean: Duration::from_nanos(1),
            },
            1,
        ),
        (
            Schedule::Poisson {
                mean: Duration::from_micros(1),
            },
            1_000,
        ),
        (
            Schedule::Uniform {
                least: Duration::ZERO,
                most: Duration::from_micros(2),
            },
            1_000,
        ),
    ] {
        let mut slots = Slots::new(ms(1_000), schedule, 1, Limit::Count(1_000), 10);
        let now = ms(1_000) + hour;
        let row: Vec<Mono> = std::iter::from_fn(|| slots.take(now)).collect();
        assert!(
            (1..=10).contains(&row.len()) && row.is_sorted() && row.iter().all(|due| *due <= now),
            "{row:?}"
        );
        let newest = now.since(row[0]);
        assert!(newest < Duration::from_micros(60), "{newest:?}");
        let expected = nanoseconds(hour) / mean_ns;
        assert!(
            slots.skipped().abs_diff(expected) < expected / 50,
            "{} of {expected}",
            slots.skipped()
        );
        assert!(slots.next_due().is_some());
    }
}

#[test]
fn a_burst_leaves_whole_and_a_missed_one_is_caught_up_whole() {
    let schedule = Schedule::Bursts {
        packets: 4,
        gap: Duration::from_millis(100),
    };
    let mut slots = Slots::new(ms(0), schedule, 0, Limit::Count(40), 10);
    let take_all =
        |slots: &mut Slots, now| std::iter::from_fn(|| slots.take(now)).collect::<Vec<_>>();
    assert_eq!(take_all(&mut slots, ms(0)), [ms(0); 4]);
    assert_eq!(slots.next_due(), Some(ms(100)));
    // Four bursts are due and ten packets may be caught up with: two bursts.
    let two = [[ms(300); 4], [ms(400); 4]].concat();
    assert_eq!(take_all(&mut slots, ms(450)), two);
    assert_eq!((slots.skipped(), slots.largest_burst()), (8, 8));
    assert_eq!(take_all(&mut slots, ms(500)), [ms(500); 4]);
    // A burst larger than the bound still leaves whole.
    let mut slots = Slots::new(ms(0), schedule, 0, Limit::Count(40), 1);
    assert_eq!(take_all(&mut slots, ms(0)), [ms(0); 4]);
    assert_eq!(take_all(&mut slots, ms(201)), [ms(200); 4]);
}

#[test]
fn missed_slots_are_reported_with_the_first_and_the_last_of_them() {
    let mut slots = slots(Limit::Duration(Duration::from_secs(1)), 10);
    assert_eq!(slots.take(ms(1_000)), Some(ms(1_000)));
    assert_eq!(slots.take_missed(), None);
    // 30 are due, 10 of them are caught up with.
    while slots.take(ms(1_300)).is_some() {}
    let missed = |count, since, until| Missed {
        count,
        since: ms(since),
        until: ms(until),
    };
    assert_eq!(slots.take_missed(), Some(missed(20, 1_010, 1_200)));
    assert_eq!(slots.take_missed(), None);
    // Long after its end, slots up to the end; two gaps are reported as one.
    while slots.take(ms(1_500)).is_some() {}
    while slots.take(ms(9_000)).is_some() {}
    assert_eq!(slots.take_missed(), Some(missed(49, 1_310, 1_890)));
    assert_eq!(slots.skipped(), 69);
}

#[test]
fn a_packet_beside_the_schedule_leaves_at_once_and_moves_no_other() {
    let mut slots = slots(Limit::Count(5), 10);
    assert_eq!(slots.take(ms(1_000)), Some(ms(1_000)));
    // Asked for twice before it leaves: one packet.
    slots.add(ms(1_003));
    slots.add(ms(1_004));
    assert_eq!(slots.next_due(), Some(ms(1_003)));
    assert_eq!(slots.take(ms(1_002)), None);
    assert_eq!(slots.take(ms(1_004)), Some(ms(1_003)));
    assert_eq!(slots.take(ms(1_004)), None);
    assert_eq!(slots.next_due(), Some(ms(1_010)));
    // The two slots that are due at the same time are not behind it.
    slots.add(ms(1_021));
    let row: Vec<_> = std::iter::from_fn(|| slots.take(ms(1_025))).collect();
    assert_eq!(row, [ms(1_021), ms(1_010), ms(1_020)]);
    assert_eq!((slots.skipped(), slots.largest_burst()), (0, 2));
    // All that were asked for left.
    slots.add(ms(1_026));
    assert_eq!((slots.next_due(), slots.take(ms(2_000))), (None, None));
}

#[test]
fn nothing_leaves_beside_the_schedule_after_its_end() {
    let mut slots = slots(Limit::Duration(Duration::from_millis(15)), 10);
    slots.add(ms(1_016));
    assert_eq!(slots.take(ms(1_020)), Some(ms(1_000)));
    assert_eq!(slots.take(ms(1_020)), Some(ms(1_010)));
    assert_eq!((slots.next_due(), slots.take(ms(1_020))), (None, None));
    slots.stop();
    slots.add(ms(1_001));
    assert_eq!(slots.next_due(), None);
}

//! A run over time, in columns.

use std::time::Duration;

use proptest::prelude::*;
use twinpath_metrics::{Column, Marks, SessionMetrics, Timeline};
use twinpath_wire::{Delta, Exclusion, Fate, Rung, Sample, Wall};

use crate::trace::{INTERVAL_NS, lost, received, session, wild};

fn origin() -> Wall {
    received(0, 0, 0, 0).t1.at
}

fn new(width_ms: u64, columns: usize) -> Timeline {
    Timeline::new(origin(), Duration::from_millis(width_ms), columns)
}

fn good(seq: u64) -> Sample {
    received(seq, 40_000, 1_000, 60_000)
}

fn sent(timeline: &Timeline) -> Vec<u64> {
    timeline.columns().map(|column| column.sent).collect()
}

#[test]
fn a_column_has_the_packets_that_were_sent_in_it() {
    let mut timeline = new(10, 8);
    for seq in 0..40 {
        let sample = if seq / 10 == 2 { lost(seq) } else { good(seq) };
        if seq / 10 != 1 {
            timeline.record(&sample);
        }
    }
    timeline.record(&Sample {
        fate: Fate::Duplicate,
        ..good(3)
    });
    timeline.record(&Sample {
        fate: Fate::Late,
        ..good(40)
    });
    timeline.record(&good(2));
    let columns: Vec<Column> = timeline.columns().collect();
    assert_eq!(sent(&timeline), [11, 0, 10, 10, 1]);
    // A pause is not loss.
    assert_eq!(
        (columns[1].lost, columns[2].lost, columns[4].late),
        (0, 10, 1)
    );
    assert_eq!(columns[1].round_trip, None);
    assert_eq!(columns[2].round_trip, None);
    assert_eq!((columns[0].duplicates, columns[0].reordered), (1, 1));
    let smoke = columns[3].round_trip.unwrap();
    assert_eq!(
        (smoke.count, smoke.min_ns, smoke.max_ns),
        (10, 100_000, 100_000)
    );
    assert_eq!(columns[3].forward.unwrap().median_ns, 40_000);
    assert_eq!(columns[3].backward.unwrap().p95_ns, 60_000);
    assert_eq!(columns[3].start, origin() + Delta::from_ns(30_000_000));
}

#[test]
fn columns_double_in_width_when_the_run_outgrows_them() {
    let mut timeline = new(1, 240);
    let before = timeline.memory_octets();
    assert!(before < 150_000, "{before}");
    for seq in 0..100_000 {
        timeline.record(&good(seq));
    }
    assert_eq!(timeline.width(), Duration::from_millis(512));
    assert_eq!(timeline.columns().count(), 196);
    assert!(sent(&timeline)[..195].iter().all(|sent| *sent == 512));
    assert_eq!(timeline.memory_octets(), before);
}

#[test]
fn recent_columns_keep_their_width_and_the_earliest_make_room() {
    let mut timeline = Timeline::recent(origin(), Duration::from_millis(10), 8);
    let before = timeline.memory_octets();
    for seq in 0..100 {
        timeline.record(&good(seq));
    }
    assert_eq!(sent(&timeline), [10; 8]);
    assert_eq!(timeline.reach(), Duration::from_millis(100));
    let first = timeline.columns().next().unwrap();
    assert_eq!(first.start, origin() + Delta::from_ns(20_000_000));
    // Dropped columns are not returned, and late events go to their own column.
    timeline.record(&lost(5));
    timeline.record(&lost(95));
    let lost: Vec<u64> = timeline.columns().map(|column| column.lost).collect();
    assert_eq!(lost, [0, 0, 0, 0, 0, 0, 0, 1]);
    // Over a pause longer than all columns.
    timeline.record(&good(1_000));
    assert_eq!(sent(&timeline), [0, 0, 0, 0, 0, 0, 0, 1]);
    assert_eq!(timeline.reach(), Duration::from_millis(1_010));
    assert_eq!(timeline.memory_octets(), before);
}

#[test]
fn a_step_of_the_clock_is_a_mark_and_no_absurd_axis() {
    for by in [-3_600_000_000_000_i64, 36_000_000_000_000, -5_000_000] {
        for announced in [true, false] {
            if !announced && by == -5_000_000 {
                continue;
            }
            let by = Delta::from_ns(by);
            let mut timeline = new(10, 240);
            for seq in 0..200 {
                let mut sample = good(seq);
                if seq >= 105 {
                    sample.t1.at = sample.t1.at + by;
                }
                if seq == 105 && announced {
                    timeline.record_clock_step(sample.t1.at, by, 105, false);
                }
                timeline.record(&sample);
            }
            let marked: Vec<usize> = timeline
                .columns()
                .enumerate()
                .filter_map(|(place, column)| column.marks.clock_step.then_some(place))
                .collect();
            if announced {
                assert_eq!(sent(&timeline), [10; 20]);
                assert_eq!(marked, [10]);
            } else {
                // How much time passed in between is unknown: one column.
                assert_eq!(marked, [11]);
                assert_eq!(timeline.columns().count(), 21);
            }
            assert_eq!(timeline.width(), Duration::from_millis(10));
            let last = timeline.columns().last().unwrap().start;
            let true_start = origin() + Delta::from_ns(190_000_000) + by;
            assert!(
                (last - true_start).abs_ns() <= 11_000_000,
                "{by:?} {announced}"
            );
        }
    }
}

#[test]
fn marks_stay_with_their_columns() {
    let mut timeline = new(1, 16);
    for seq in 0..64 {
        let mut sample = good(seq);
        if seq == 33 {
            sample.t1.rung = Rung::User;
        }
        if seq == 50 {
            sample.excluded = Some(Exclusion::ClockStep);
        }
        timeline.record(&sample);
        if seq == 40 {
            // Its copy has the T1 that was written: it is in no delay.
            sample.fate = Fate::Duplicate;
            sample.t1.rung = Rung::User;
            timeline.record(&sample);
        }
    }
    let at = |seq: u64| good(seq).t1.at;
    timeline.mark(
        Marks {
            restart: true,
            ..Marks::default()
        },
        5,
        at(5),
    );
    timeline.mark(
        Marks {
            far_step: true,
            ..Marks::default()
        },
        61,
        at(61),
    );
    let marks: Vec<Marks> = timeline.columns().map(|column| column.marks).collect();
    let set: Vec<usize> = (0..16)
        .filter(|place| marks[*place] != Marks::default())
        .collect();
    assert_eq!(set, [1, 8, 12, 15]);
    assert!(marks[1].restart && marks[8].lower_rung && marks[12].clock_step && marks[15].far_step);
    let excluded = timeline.columns().nth(12).unwrap();
    assert_eq!(
        (excluded.received, excluded.round_trip.unwrap().count),
        (4, 3)
    );
}

#[test]
fn timelines_of_several_runs_merge_into_one() {
    let later = Delta::from_ns(700 * INTERVAL_NS);
    let moved = |seq: u64| {
        let mut sample = good(seq);
        for at in [&mut sample.t1.at, &mut sample.t4.as_mut().unwrap().at] {
            *at = *at + later;
        }
        sample.t2 = sample.t2.map(|t2| t2 + later);
        sample.t3 = sample.t3.map(|t3| t3 + later);
        sample
    };
    let mut first = new(10, 100);
    let mut second = Timeline::new(origin() + later, Duration::from_millis(40), 50);
    for seq in 0..200 {
        first.record(&good(seq));
        second.record(&moved(seq));
    }
    let mut one = first.clone();
    one.merge(&second);
    let mut other = second.clone();
    other.merge(&first);
    for merged in [&one, &other] {
        assert_eq!(merged.width(), Duration::from_millis(40));
        let columns: Vec<Column> = merged.columns().collect();
        assert_eq!(columns[0].start, origin());
        assert_eq!(columns.iter().map(|column| column.sent).sum::<u64>(), 400);
        assert_eq!(columns[4].sent, 40);
        assert!(columns[5..17].iter().all(|column| column.sent == 0));
        assert_eq!(columns[18].sent, 40);
        let smoke = columns[18].round_trip.unwrap();
        assert_eq!((smoke.count, smoke.median_ns), (40, 100_000));
    }
    // Runs that lie years apart still fit.
    let mut ancient = Timeline::new(Wall::from_unix_ns(0), Duration::from_millis(1), 100);
    ancient.merge(&one);
    assert_eq!(sent(&ancient).iter().sum::<u64>(), 400);
    let mut sample = good(0);
    sample.t1.at = Wall::from_unix_ns(5);
    let mut epoch = Timeline::new(Wall::from_unix_ns(0), Duration::from_millis(1), 100);
    epoch.record(&sample);
    epoch.merge(&one);
    assert_eq!(sent(&epoch).iter().sum::<u64>(), 401);
    assert!(epoch.columns().count() > 50);
    let mut same = one.clone();
    same.merge(&new(1, 10));
    assert_eq!(sent(&same), sent(&one));
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(ProptestConfig::default().cases / 4))]

    #[test]
    fn columns_add_up_to_the_total_whatever_the_network_does(
        fortunes in prop::collection::vec(wild(), 1..400), width in 1..50_u64, half in 1..40_usize,
    ) {
        let samples = session(&fortunes, (0, 0), 5_000_000, None);
        let mut timeline = new(width, 2 * half);
        let mut total = SessionMetrics::new();
        for event in &samples {
            timeline.record(&event.sample);
            total.record(&event.sample);
        }
        let total = total.figures();
        let columns: Vec<Column> = timeline.columns().collect();
        let sum = |of: fn(&Column) -> u64| columns.iter().map(of).sum::<u64>();
        prop_assert_eq!(sum(|it| it.received), total.received);
        prop_assert_eq!(sum(|it| it.lost), total.lost);
        prop_assert_eq!(sum(|it| it.late), total.late);
        prop_assert_eq!(sum(|it| it.duplicates), total.duplicates);
        prop_assert_eq!(sum(|it| it.reordered), total.reordered);
        for (parts, whole) in [
            (columns.iter().filter_map(|it| it.round_trip).collect::<Vec<_>>(), total.round_trip),
            (columns.iter().filter_map(|it| it.forward).collect(), total.forward),
            (columns.iter().filter_map(|it| it.backward).collect(), total.backward),
        ] {
            prop_assert_eq!(parts.iter().map(|it| it.count).sum::<u64>(), whole.map_or(0, |it| it.count));
            prop_assert_eq!(parts.iter().map(|it| it.min_ns).min(), whole.map(|it| it.min_ns));
            prop_assert_eq!(parts.iter().map(|it| it.max_ns).max(), whole.map(|it| it.max_ns));
            for part in parts {
                let all = [
                    part.min_ns, part.p5_ns, part.p25_ns, part.median_ns, part.p75_ns, part.p95_ns,
                    part.max_ns,
                ];
                prop_assert!(all.is_sorted(), "{:?}", part);
            }
        }
    }
}

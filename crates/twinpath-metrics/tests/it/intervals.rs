//! Rows of equal time that add up to the total.

use std::time::Duration;

use proptest::prelude::*;
use twinpath_metrics::{
    DelayFigures, Figures, IntervalFigures, Intervals, ReflectorKind, SessionMetrics, Suspect,
};
use twinpath_wire::{Delta, Fate, Rung, Sample, Wall};

use crate::trace::{INTERVAL_NS, TIMEOUT_NS, lost, received, session, wild};

/// Timeout and lingering of the traces, and a little to spare.
const LAG: Duration = Duration::from_nanos(2 * TIMEOUT_NS.unsigned_abs() + 1_000_000);

fn origin() -> Wall {
    received(0, 0, 0, 0).t1.at
}

/// When the caller learns of it.
fn known_at(sample: &Sample) -> Wall {
    let gone = sample.t1.at + Delta::from_ns(2 * TIMEOUT_NS);
    sample.t4.map_or(gone, |t4| t4.at)
}

/// Feeds samples as they come to be known, polling all the while.
fn rows(intervals: &mut Intervals, samples: &[Sample]) -> Vec<IntervalFigures> {
    let mut rows = Vec::new();
    for sample in samples {
        rows.extend(std::iter::from_fn(|| intervals.poll(known_at(sample))));
        intervals.record(sample);
    }
    rows.extend(std::iter::from_fn(|| intervals.finish()));
    rows
}

fn new(length_ms: u64) -> Intervals {
    let length = Duration::from_millis(length_ms);
    Intervals::new(origin(), length, LAG, ReflectorKind::Stateful)
}

fn assert_rows_add_up(rows: &[IntervalFigures], total: &Figures) {
    let sum = |of: fn(&Figures) -> u64| rows.iter().map(|row| of(&row.figures)).sum::<u64>();
    let counts: [fn(&Figures) -> u64; 9] = [
        |it| it.received,
        |it| it.lost,
        |it| it.late,
        |it| it.duplicates,
        |it| it.reordered,
        |it| it.excluded_clock_step,
        |it| it.excluded_implausible,
        |it| it.stamps_transmit.total(),
        |it| it.stamps_receive.total(),
    ];
    for (place, of) in counts.into_iter().enumerate() {
        assert_eq!(sum(of), of(total), "count {place}");
    }
    let delays: [fn(&Figures) -> Option<DelayFigures>; 5] = [
        |it| it.round_trip,
        |it| it.forward,
        |it| it.backward,
        |it| it.residence,
        |it| it.departure,
    ];
    for (place, of) in delays.into_iter().enumerate() {
        let parts: Vec<_> = rows.iter().filter_map(|row| of(&row.figures)).collect();
        let whole = of(total);
        assert_eq!(parts.is_empty(), whole.is_none(), "delay {place}");
        let Some(whole) = whole else { continue };
        let count: u64 = parts.iter().map(|it| it.count).sum();
        assert_eq!(count, whole.count, "delay {place}");
        assert_eq!(parts.iter().map(|it| it.min_ns).min(), Some(whole.min_ns));
        assert_eq!(parts.iter().map(|it| it.max_ns).max(), Some(whole.max_ns));
    }
    let changes = |of: fn(&IntervalFigures) -> i64| rows.iter().map(of).sum::<i64>();
    let unattributed = changes(|row| row.loss.unattributed);
    let forward = changes(|row| row.loss.forward.unwrap_or(0));
    let backward = changes(|row| row.loss.backward.unwrap_or(0));
    assert_eq!(unattributed, total.lost_unattributed.unwrap().cast_signed());
    assert_eq!(forward, total.lost_forward.unwrap_or(0).cast_signed());
    assert_eq!(backward, total.lost_backward.unwrap_or(0).cast_signed());
    assert_eq!(forward + backward + unattributed, total.lost.cast_signed());
    for (index, row) in (0..).zip(rows) {
        assert_eq!(row.index, index);
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 64, ..ProptestConfig::default() })]

    #[test]
    fn rows_add_up_to_the_total_whatever_the_network_does(
        fortunes in prop::collection::vec(wild(), 1..400), length in 1..100_u64,
    ) {
        let samples: Vec<Sample> =
            session(&fortunes, (0, 0), 5_000_000, None).iter().map(|event| event.sample).collect();
        let mut intervals = new(length);
        let rows = rows(&mut intervals, &samples);
        let mut total = SessionMetrics::with_reflector(ReflectorKind::Stateful);
        for sample in &samples {
            total.record(sample);
        }
        let total = total.figures();
        prop_assert_eq!(&intervals.total().figures(), &total);
        assert_rows_add_up(&rows, &total);
        // Every packet is in the interval in which it was sent; copies may stray.
        let length = intervals.length();
        for row in &rows {
            let own = |sample: &&Sample| {
                sample.fate != Fate::Duplicate && (row.start..row.end).contains(&sample.t1.at)
            };
            let sent = samples.iter().filter(own).count() as u64;
            // The first packet may leave before its time, and the interval with it.
            if row.index > 0 {
                prop_assert_eq!(row.figures.received + row.figures.lost, sent);
            }
            prop_assert_eq!(row.end - row.start, Delta::from_duration(length));
        }
    }
}

fn quiet(count: u64) -> Vec<Sample> {
    (0..count)
        .map(|seq| received(seq, 40_000, 1_000, 40_000))
        .collect()
}

#[test]
fn a_row_comes_when_its_fates_are_final_and_not_before() {
    let mut intervals = new(100);
    for sample in quiet(250) {
        intervals.record(&sample);
    }
    let at = |ns: u128| origin() + Delta::from_ns(i64::try_from(ns).unwrap());
    let first = 100_000_000 + LAG.as_nanos();
    assert_eq!(intervals.poll(at(first - 1)), None);
    let row = intervals.poll(at(first)).unwrap();
    assert_eq!(
        (row.index, row.figures.received, row.start),
        (0, 100, origin())
    );
    assert_eq!(row.suspect, []);
    assert_eq!(intervals.poll(at(first)), None);
    let glance = intervals.glance(at(249_000_000));
    assert_eq!((glance.index, glance.figures.received), (2, 50));
    assert_eq!(intervals.finish().unwrap().figures.received, 100);
    assert_eq!(intervals.finish().unwrap().figures.received, 50);
    assert_eq!(intervals.finish(), None);
}

#[test]
fn an_interval_without_packets_has_its_row() {
    let mut samples = quiet(100);
    samples.extend((500..600).map(|seq| received(seq, 40_000, 1_000, 40_000)));
    let rows = rows(&mut new(100), &samples);
    let received: Vec<u64> = rows.iter().map(|row| row.figures.received).collect();
    assert_eq!(received, [100, 0, 0, 0, 0, 100]);
    assert_eq!(rows[2].suspect, [Suspect::FewPackets]);
    assert_eq!(rows[2].figures.round_trip, None);
    assert_eq!(rows[5].start, origin() + Delta::from_ns(500_000_000));
}

#[test]
fn a_step_of_the_clock_moves_no_packet_into_another_interval() {
    for by in [
        -3_600_000_000_000,
        -150_000_000,
        150_000_000,
        3_600_000_000_000,
    ] {
        let mut intervals = new(100);
        let by = Delta::from_ns(by);
        let mut seen = Vec::new();
        for mut sample in quiet(400) {
            if sample.seq == 210 {
                intervals.record_clock_step(sample.t1.at + by, by, 210);
            }
            if sample.seq >= 210 {
                sample.t1.at = sample.t1.at + by;
            }
            seen.extend(std::iter::from_fn(|| intervals.poll(sample.t1.at)));
            intervals.record(&sample);
            if sample.seq == 240 {
                // One that was sent before the step and is given up after it.
                intervals.record(&lost(209));
            }
        }
        seen.extend(std::iter::from_fn(|| intervals.finish()));
        let sent: Vec<u64> = seen
            .iter()
            .map(|row| row.figures.received + row.figures.lost)
            .collect();
        assert_eq!(sent, [100, 100, 101, 100], "{by:?}");
        let suspect: Vec<_> = seen.iter().map(|row| row.suspect.clone()).collect();
        assert_eq!(suspect, [vec![], vec![], vec![Suspect::ClockStep], vec![]]);
        assert_eq!(seen[2].start, origin() + Delta::from_ns(200_000_000));
        assert_eq!(seen[3].start, origin() + Delta::from_ns(300_000_000) + by);
    }
}

#[test]
fn each_reason_for_doubt_is_said_of_its_interval() {
    let mut intervals = new(100);
    for mut sample in quiet(500) {
        sample.t1.rung = if sample.seq == 150 {
            Rung::User
        } else {
            Rung::Kernel
        };
        if let Some(t4) = &mut sample.t4 {
            t4.rung = if sample.seq == 151 {
                Rung::Hardware
            } else {
                Rung::Queue
            };
        }
        intervals.record(&sample);
        // Neither is in any delay.
        let mut aside = match sample.seq {
            250 => Sample {
                fate: Fate::Duplicate,
                ..sample
            },
            350 => lost(350),
            _ => continue,
        };
        aside.t1.rung = Rung::User;
        intervals.record(&aside);
    }
    let at = |ms: i64| origin() + Delta::from_ns(ms * INTERVAL_NS);
    intervals.record_not_sent(500, at(210));
    intervals.record_missed(7, at(310), at(310));
    intervals.record_far_step(402, at(402));
    let rows: Vec<_> = std::iter::from_fn(|| intervals.finish()).collect();
    let suspect: Vec<_> = rows.iter().map(|row| row.suspect.clone()).collect();
    assert_eq!(
        suspect,
        [
            vec![],
            vec![Suspect::LowerRung],
            vec![Suspect::NotSent],
            vec![Suspect::NotSent],
            vec![Suspect::FarStep],
        ]
    );
    assert_eq!((rows[2].not_sent, rows[3].missed), (1, 7));
}

#[test]
fn a_copy_that_comes_after_its_row_is_counted_in_the_next() {
    let mut intervals = new(100);
    for sample in quiet(300) {
        intervals.record(&sample);
    }
    while intervals
        .poll(origin() + Delta::from_ns(260_000_000))
        .is_some()
    {}
    intervals.record(&Sample {
        fate: Fate::Duplicate,
        ..received(3, 40_000, 1_000, 40_000)
    });
    let rest: Vec<_> = std::iter::from_fn(|| intervals.finish()).collect();
    let (duplicates, strays) = (rest[0].figures.duplicates, rest[0].strays);
    assert_eq!((rest[0].index, duplicates, strays), (2, 1, 1));
}

#[test]
fn short_intervals_are_lengthened_and_memory_is_bounded() {
    let lag = Duration::from_secs(4);
    let mut intervals = Intervals::new(
        origin(),
        Duration::from_millis(1),
        lag,
        ReflectorKind::Undeclared,
    );
    assert_eq!(intervals.length(), lag / 14);
    let mut rows = 0;
    let mut counted = 0;
    for seq in 0..40_000 {
        let mut sample: Sample = received(seq, 40_000, 1_000, 40_000);
        if seq % 20 == 0 {
            sample = lost(seq);
        }
        intervals.record(&sample);
        // Nobody polls for 20 s: all is still counted.
        if seq > 20_000 {
            while let Some(row) = intervals.poll(sample.t1.at) {
                rows += 1;
                counted += row.figures.received + row.figures.lost;
            }
        }
        assert!(intervals.memory_octets() < 17 * 256 * 1024);
    }
    while let Some(row) = intervals.finish() {
        rows += 1;
        counted += row.figures.received + row.figures.lost;
    }
    assert_eq!((rows, counted), (140, 40_000));
}

#[test]
fn a_run_without_packets_has_no_row() {
    let mut intervals = new(100);
    assert_eq!(intervals.finish(), None);
    assert_eq!(intervals.glance(origin()).figures.received, 0);
}

//! Rows of equal time that add up to the total.

use std::time::Duration;

use proptest::prelude::*;
use twinpath_metrics::{
    DelayFigures, Figures, IntervalFigures, Intervals, ReflectorKind, SessionMetrics, Suspect,
    Waits,
};
use twinpath_wire::{Delta, Fate, Rung, Sample, Wall};

use crate::trace::{INTERVAL_NS, TIMEOUT_NS, lost, received, session, wild};

/// The traces' own, and a little to spare.
pub(crate) const WAITS: Waits = Waits {
    fates: Duration::from_nanos(TIMEOUT_NS.unsigned_abs()),
    records: Duration::from_nanos(2 * TIMEOUT_NS.unsigned_abs()),
    slack: Duration::from_millis(1),
    losses_at_once: false,
};

pub(crate) fn origin() -> Wall {
    received(0, 0, 0, 0).t1.at
}

/// When the caller learns of it.
fn known_at(sample: &Sample) -> Wall {
    let gone = sample.t1.at + Delta::from_ns(2 * TIMEOUT_NS);
    sample.t4.map_or(gone, |t4| t4.at)
}

/// Feeds samples as they become known, polling after each.
fn rows(intervals: &mut Intervals, samples: &[Sample]) -> Vec<IntervalFigures> {
    let mut rows = Vec::new();
    for sample in samples {
        rows.extend(std::iter::from_fn(|| intervals.poll(known_at(sample))));
        intervals.record(sample);
    }
    rows.extend(std::iter::from_fn(|| intervals.finish()));
    rows
}

pub(crate) fn new(length_ms: u64) -> Intervals {
    let length = Duration::from_millis(length_ms);
    Intervals::new(origin(), length, WAITS, ReflectorKind::Stateful)
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
    let mut next = 0;
    for row in rows {
        assert_eq!(row.index, next);
        next += row.intervals;
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(ProptestConfig::default().cases / 4))]

    #[test]
    fn rows_add_up_to_the_total_whatever_the_network_does(
        fortunes in prop::collection::vec(wild(), 1..400), length in 1..100_u64,
    ) {
        let samples: Vec<Sample> =
            session(&fortunes, (0, 0), 5_000_000, None).iter().map(|event| event.sample).collect();
        let mut intervals = new(length);
        let rows = rows(&mut intervals, &samples);
        let mut total = SessionMetrics::with_config(&ReflectorKind::Stateful.into());
        for sample in &samples {
            total.record(sample);
        }
        let total = total.figures();
        prop_assert_eq!(&intervals.total().figures(), &total);
        assert_rows_add_up(&rows, &total);
        // Every packet is in the interval in which it was sent; copies may stray.
        let length = Duration::from_millis(length);
        for row in &rows {
            let own = |sample: &&Sample| {
                sample.fate != Fate::Duplicate && (row.start..row.end).contains(&sample.t1.at)
            };
            let sent = samples.iter().filter(own).count() as u64;
            // The first packet may leave before its time, and the interval with it.
            if row.index > 0 && length >= Intervals::shortest(&WAITS) {
                prop_assert_eq!(row.figures.received + row.figures.lost, sent);
            }
            let span = length * u32::try_from(row.intervals).unwrap();
            if row.is_cut {
                prop_assert_eq!(Some(row.index), rows.last().map(|row| row.index));
                prop_assert!(row.start < row.end && row.end - row.start < Delta::from_duration(span));
            } else {
                prop_assert_eq!(row.end - row.start, Delta::from_duration(span));
            }
        }
    }
}

pub(crate) fn quiet(count: u64) -> Vec<Sample> {
    (0..count)
        .map(|seq| received(seq, 40_000, 1_000, 40_000))
        .collect()
}

#[test]
fn the_last_row_ends_where_what_was_measured_ended() {
    let length = Duration::from_millis(100);
    let ends = |samples: &[Sample]| {
        let mut intervals = new(100);
        let rows = rows(&mut intervals, samples);
        let whole = &rows[..rows.len() - 1];
        assert!(whole.iter().all(|row| !row.is_cut));
        let last = rows.last().unwrap();
        assert_eq!(
            last.start,
            origin() + Delta::from_duration(length * (rows.len() as u32 - 1))
        );
        (rows.len(), last.is_cut, (last.end - origin()).ns())
    };
    let mut samples = quiet(230);
    let reply = |samples: &[Sample]| (samples[229].t4.unwrap().at - origin()).ns();
    assert_eq!(ends(&samples), (3, true, reply(&samples)));
    assert!((229_000_000..230_000_000).contains(&reply(&samples)));
    // A packet without a reply is measured until it is counted lost, and no interval is longer than the others.
    samples[229] = lost(229);
    let known = 229_000_000 + TIMEOUT_NS;
    assert_eq!(
        ends(&samples),
        (3, known < 300_000_000, known.min(300_000_000))
    );
    assert!(ends(&samples[..229]).1);
}

#[test]
fn a_row_comes_when_its_fates_are_final_and_not_before() {
    let mut intervals = new(100);
    for sample in quiet(250) {
        intervals.record(&sample);
    }
    let at = |ns: u128| origin() + Delta::from_ns(i64::try_from(ns).unwrap());
    let first = 100_000_000 + WAITS.row().as_nanos();
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
fn each_reason_for_doubt_is_reported_for_its_interval() {
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
fn copies_and_late_replies_are_counted_when_they_come_and_losses_where_they_were_sent() {
    let mut intervals = new(100);
    for sample in quiet(300) {
        if sample.seq != 40 {
            intervals.record(&sample);
        }
    }
    // A copy and a late reply for packets of the first interval come in the third.
    let came = origin() + Delta::from_ns(260 * INTERVAL_NS);
    for (seq, fate) in [(3, Fate::Duplicate), (40, Fate::Late)] {
        let mut sample = Sample {
            fate,
            ..received(seq, 40_000, 1_000, 40_000)
        };
        sample.t4.as_mut().unwrap().at = came;
        intervals.record(&sample);
    }
    let rows: Vec<_> = std::iter::from_fn(|| intervals.finish()).collect();
    let counts = |of: fn(&Figures) -> u64| rows.iter().map(|row| of(&row.figures)).collect();
    let lost: Vec<u64> = counts(|it| it.lost);
    let late: Vec<u64> = counts(|it| it.late);
    let duplicates: Vec<u64> = counts(|it| it.duplicates);
    assert_eq!(lost, [1, 0, 0]);
    assert_eq!((late, duplicates), (vec![0, 0, 1], vec![0, 0, 1]));
    assert!(rows.iter().all(|row| row.strays == 0));
}

/// The events of packets counted lost that a run reports before their records.
fn overdue(seq: u64) -> Sample {
    Sample { seq, ..lost(seq) }
}

#[test]
fn a_row_of_a_run_needs_no_more_than_the_timeout() {
    let waits = Waits {
        losses_at_once: true,
        ..WAITS
    };
    let length = Duration::from_millis(100);
    let mut intervals = Intervals::new(origin(), length, waits, ReflectorKind::Stateful);
    for sample in quiet(150) {
        if sample.seq != 99 {
            intervals.record(&sample);
        }
    }
    intervals.record_overdue(&overdue(99));
    let known = origin() + Delta::from_duration(length + waits.fates + waits.slack);
    assert_eq!(intervals.poll(known - Delta::from_ns(1)), None);
    let row = intervals.poll(known).unwrap();
    assert_eq!((row.figures.received, row.figures.lost), (99, 1));
    // The record that comes later is in no other row.
    intervals.record(&lost(99));
    let rest = intervals.finish().unwrap();
    assert_eq!((rest.figures.received, rest.figures.lost), (50, 0));
    assert_eq!(rest.strays, 0);
}

#[test]
fn a_packet_counted_lost_that_was_read_late_is_received_once() {
    for given in [false, true] {
        let waits = Waits {
            losses_at_once: true,
            ..WAITS
        };
        let length = Duration::from_millis(100);
        let mut intervals = Intervals::new(origin(), length, waits, ReflectorKind::Stateful);
        for sample in quiet(250) {
            if ![99, 210].contains(&sample.seq) {
                intervals.record(&sample);
            }
        }
        intervals.record_overdue(&overdue(99));
        intervals.record_overdue(&overdue(210));
        let mut rows = Vec::new();
        if given {
            let known = origin() + Delta::from_duration(length + waits.row());
            rows.extend(intervals.poll(known));
        }
        intervals.record(&received(99, 40_000, 1_000, 40_000));
        rows.extend(std::iter::from_fn(|| intervals.finish()));
        let sum = |of: fn(&Figures) -> u64| rows.iter().map(|row| of(&row.figures)).sum::<u64>();
        assert_eq!((sum(|it| it.received), sum(|it| it.lost)), (249, 1));
        assert_eq!(rows[0].figures.lost, u64::from(given));
    }
}

/// The samples as a run reports them, with packets counted lost before their records, and the
/// resulting rows, polled after each.
fn rows_of_a_run(length: Duration, samples: &[Sample]) -> Vec<IntervalFigures> {
    let waits = Waits {
        losses_at_once: true,
        ..WAITS
    };
    let mut intervals = Intervals::new(origin(), length, waits, ReflectorKind::Stateful);
    let mut rows = Vec::new();
    let fate = Delta::from_duration(waits.fates);
    let gone = |sample: &Sample| {
        let is_lost = matches!(sample.fate, Fate::Lost | Fate::Late);
        is_lost.then_some(sample.t1.at + fate)
    };
    let mut waiting: Vec<&Sample> = samples.iter().filter(|it| gone(it).is_some()).collect();
    waiting.sort_by_key(|sample| gone(sample));
    let mut waiting = waiting.into_iter().peekable();
    for sample in samples {
        let now = known_at(sample);
        while let Some(gone) = waiting.next_if(|lost| gone(lost).is_some_and(|at| at <= now)) {
            let mut overdue = lost(gone.seq);
            overdue.t1 = gone.t1;
            rows.extend(std::iter::from_fn(|| intervals.poll(gone.t1.at + fate)));
            intervals.record_overdue(&overdue);
        }
        rows.extend(std::iter::from_fn(|| intervals.poll(now)));
        intervals.record(sample);
    }
    rows.extend(std::iter::from_fn(|| intervals.finish()));
    rows
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(ProptestConfig::default().cases / 4))]

    #[test]
    fn rows_of_a_run_are_those_of_its_saved_records(
        fortunes in prop::collection::vec(wild(), 1..400), length in 5..100_u64,
    ) {
        let samples: Vec<Sample> =
            session(&fortunes, (0, 0), 5_000_000, None).iter().map(|event| event.sample).collect();
        let length = Duration::from_millis(length);
        let live = rows_of_a_run(length, &samples);
        let mut intervals = Intervals::new(origin(), length, WAITS, ReflectorKind::Stateful);
        let saved = rows(&mut intervals, &samples);
        // And all of it without polling in between.
        let mut intervals = Intervals::new(origin(), length, WAITS, ReflectorKind::Stateful);
        let mut late = Vec::new();
        for sample in &samples {
            intervals.record(sample);
            while let Some(row) = intervals.poll(sample.t4.map_or(sample.t1.at, |t4| t4.at)) {
                late.push(row);
            }
        }
        late.extend(std::iter::from_fn(|| intervals.finish()));
        for rows in [&saved, &late] {
            prop_assert_eq!(live.len(), rows.len());
            for (live, row) in live.iter().zip(rows) {
                prop_assert_eq!((live.index, live.intervals), (row.index, row.intervals));
                prop_assert_eq!(live.loss, row.loss, "row {}", row.index);
                prop_assert_eq!(&live.suspect, &row.suspect);
                let counts = |it: &Figures| [it.received, it.lost, it.late, it.duplicates, it.reordered];
                prop_assert_eq!(counts(&live.figures), counts(&row.figures), "row {}", row.index);
                prop_assert_eq!(live.figures.round_trip, row.figures.round_trip);
                prop_assert_eq!(live.figures.forward, row.figures.forward);
            }
        }
    }
}

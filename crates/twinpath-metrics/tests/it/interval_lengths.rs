//! Rows of intervals of any length, of long pauses and of extreme times.

use std::time::Duration;

use twinpath_metrics::{Intervals, ReflectorKind};
use twinpath_wire::{Delta, Sample};

use crate::intervals::{WAITS, new, origin, quiet};
use crate::trace::{INTERVAL_NS, TIMEOUT_NS, lost, received};

#[test]
fn an_interval_has_the_requested_length_and_memory_is_bounded() {
    let mut intervals = Intervals::new(
        origin(),
        Duration::from_millis(1),
        WAITS,
        ReflectorKind::Undeclared,
    );
    let mut rows = Vec::new();
    for seq in 0..40_000 {
        let mut sample: Sample = received(seq, 40_000, 1_000, 40_000);
        if seq % 20 == 0 {
            sample = lost(seq);
        }
        intervals.record(&sample);
        // Too short an interval, and nothing polled for 20 s: everything is still counted.
        if seq > 20_000 {
            rows.extend(std::iter::from_fn(|| intervals.poll(sample.t1.at)));
        }
        assert!(intervals.memory_octets() < (Intervals::OPEN as usize + 1) * 128 * 1024);
    }
    rows.extend(std::iter::from_fn(|| intervals.finish()));
    let counted: u64 = rows
        .iter()
        .map(|row| row.figures.received + row.figures.lost)
        .sum();
    assert_eq!(counted, 40_000);
    assert!(
        rows.iter().all(|row| row.is_cut
            || (row.end - row.start).ns() == row.intervals.cast_signed() * 1_000_000)
    );
    let strays: u64 = rows.iter().map(|row| row.strays).sum();
    assert!(strays > 0, "what found no place is said");
}

#[test]
fn the_shortest_interval_keeps_every_packet_in_its_own_row() {
    let length = Intervals::shortest(&WAITS);
    let mut intervals = Intervals::new(origin(), length, WAITS, ReflectorKind::Undeclared);
    let mut rows = Vec::new();
    for seq in 0..4_000 {
        let now = received(seq, 0, 0, 0).t1.at;
        rows.extend(std::iter::from_fn(|| intervals.poll(now)));
        // Lost packets have their records as late as possible.
        let gone = seq.checked_sub(2 * TIMEOUT_NS.unsigned_abs() / INTERVAL_NS.unsigned_abs());
        if let Some(gone) = gone.filter(|gone| gone % 3 == 0) {
            intervals.record(&lost(gone));
        }
        if seq % 3 > 0 {
            intervals.record(&received(seq, 40_000, 1_000, 40_000));
        }
    }
    rows.extend(std::iter::from_fn(|| intervals.finish()));
    assert!(rows.iter().all(|row| row.strays == 0));
}

#[test]
fn a_long_empty_stretch_is_one_row_whatever_its_length() {
    for gap_ns in [3_600_000_000_000, i64::MAX - 2_000_000_000_000_000_000] {
        let mut intervals = new(1);
        let mut rows = Vec::new();
        for (place, mut sample) in quiet(2_000).into_iter().enumerate() {
            let moved = Delta::from_ns(if place < 1_000 { 0 } else { gap_ns });
            sample.t1.at = sample.t1.at + moved;
            sample.t4.as_mut().unwrap().at = sample.t4.unwrap().at + moved;
            intervals.record(&sample);
            rows.extend(std::iter::from_fn(|| intervals.poll(sample.t1.at)));
        }
        rows.extend(std::iter::from_fn(|| intervals.finish()));
        let empty: Vec<_> = rows.iter().filter(|row| row.intervals > 1).collect();
        assert_eq!(empty.len(), 1, "{gap_ns}");
        assert_eq!(empty[0].figures.received + empty[0].figures.lost, 0);
        assert!(rows.len() <= 2_001, "{} rows", rows.len());
        let received: u64 = rows.iter().map(|row| row.figures.received).sum();
        assert_eq!(received, 2_000);
    }
}

#[test]
fn departures_missed_for_a_long_time_are_one_row_too() {
    let mut intervals = new(1);
    for sample in quiet(20) {
        intervals.record(&sample);
    }
    let since = origin() + Delta::from_ns(30 * INTERVAL_NS);
    let now = origin() + Delta::from_ns(i64::MAX - 2_000_000_000_000_000_000);
    intervals.record_missed(1_000_000, since, now);
    let rows: Vec<_> = std::iter::from_fn(|| intervals.finish()).collect();
    assert!(rows.len() < 40, "{} rows", rows.len());
    let missed: u64 = rows.iter().map(|row| row.missed).sum();
    assert_eq!(missed, 1_000_000);
    assert!(rows.iter().any(|row| row.intervals > 1 && row.missed > 0));
}

#[test]
fn extreme_times_take_a_row_or_two_per_packet() {
    let mut intervals = new(1);
    let mut rows = 0;
    let mut counted = 0;
    for seq in 0..1_000_u64 {
        let mut sample = received(seq, 40_000, 1_000, 40_000);
        // Back and forth.
        let at = (seq * 7_919 % 1_000).cast_signed() * 4_000_000_000_000_000;
        sample.t1.at = origin() + Delta::from_ns(at);
        sample.t4.as_mut().unwrap().at = sample.t1.at + Delta::from_ns(81_000);
        intervals.record(&sample);
        while let Some(row) = intervals.poll(sample.t1.at) {
            rows += 1;
            counted += row.figures.received;
        }
    }
    while let Some(row) = intervals.finish() {
        rows += 1;
        counted += row.figures.received;
    }
    assert_eq!(counted, 1_000);
    assert!(rows <= 2_000, "{rows} rows");
}

#[test]
fn a_run_without_packets_has_no_row() {
    let mut intervals = new(100);
    assert_eq!(intervals.finish(), None);
    assert_eq!(intervals.glance(origin()).figures.received, 0);
}

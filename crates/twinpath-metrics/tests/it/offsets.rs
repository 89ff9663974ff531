//! Offset and bound by hand: packets with given times, and the results by rows M-50 to M-56.

use twinpath_metrics::{ClockEstimate, ClockModel};
use twinpath_wire::{Delta, Rung, Sample, Stamp, Wall};

use crate::trace::received;

const US: i64 = 1_000;
const MS: i64 = 1_000_000;
const S: i64 = 1_000_000_000;
const START: i64 = 1_763_900_000 * S;
const STAMP_ERROR_NS: i64 = ClockModel::STAMP_ERROR_NS.cast_signed();

/// A packet sent at `at`, with these delays, while the far clock is `offset` ahead.
fn packet(at: i64, offset: i64, forward: i64, backward: i64) -> Sample {
    let residence = 1_000;
    let here = |ns: i64| Stamp {
        at: Wall::from_unix_ns(START + ns),
        rung: Rung::Kernel,
    };
    let there = |ns: i64| Some(Wall::from_unix_ns(START + ns + offset));
    Sample {
        t1: here(at),
        t2: there(at + forward),
        t3: there(at + forward + residence),
        t4: Some(here(at + forward + residence + backward)),
        ..received(0, 0, 0, 0)
    }
}

fn estimate(packets: impl IntoIterator<Item = Sample>) -> ClockEstimate {
    let mut model = ClockModel::new();
    for packet in packets {
        model.record(&packet);
    }
    model.estimate().unwrap()
}

/// The offset is the middle, and the bound half the width, of the interval from `low` to `high`,
/// plus or minus the error of timestamps and a hundredth for the clocks' drift meanwhile.
fn assert_interval(told: &ClockEstimate, low: i64, high: i64) {
    let bound = told.error_bound_ns.cast_signed();
    let half = (high - low) / 2 + STAMP_ERROR_NS;
    assert!(
        (told.offset_ns - i64::midpoint(low, high)).abs() <= half / 100,
        "not the middle of {low} and {high}: {told:?}"
    );
    assert!(
        (bound - half).abs() <= half / 100,
        "not half the width, {half}: {told:?}"
    );
}

#[test]
fn one_packet_has_its_offset_in_the_middle_of_what_its_times_allow() {
    for offset in [0, 7 * S, -3 * MS] {
        for (forward, backward) in [(4 * MS, MS), (MS, 4 * MS), (100 * US, 100 * US)] {
            let told = estimate([packet(0, offset, forward, backward)]);
            assert_interval(&told, offset - backward, offset + forward);
            assert_eq!(told.skew_ppm, None);
        }
    }
}

#[test]
fn without_skew_the_least_delays_of_either_direction_bound_the_offset() {
    // The least outbound and the least inbound delay are of two packets, neither of them the
    // fastest.
    let delays = [(9, 9), (2, 30), (5, 5), (30, 4), (8, 7)];
    let packets = (0..)
        .zip(delays)
        .map(|(k, (forward, backward))| packet(k * 10 * US, 40 * MS, forward * MS, backward * MS));
    let told = estimate(packets);
    assert_interval(&told, 40 * MS - 4 * MS, 40 * MS + 2 * MS);
}

#[test]
fn with_skew_the_line_runs_in_the_middle_between_the_least_delays() {
    for ppm in [-80, 35, 120] {
        let at = |k: i64| k * S / 2;
        let offset = |k: i64| 2 * S + at(k) / 1_000_000 * ppm;
        let least = (4 * MS, MS);
        let delay = |k: i64| if k % 3 == 0 { 0 } else { k % 7 * MS };
        let packets =
            (0..121).map(|k| packet(at(k), offset(k), least.0 + delay(k), least.1 + delay(k)));
        let told = estimate(packets);
        let skew = told.skew_ppm.unwrap();
        assert!((skew - ppm as f64).abs() < 0.1, "{ppm} {told:?}");
        // Of the time of the last packet, to which the offset belongs.
        assert_interval(&told, offset(120) - least.1, offset(120) + least.0);
    }
}

/// Packets at equal distances over this much time, with a constant skew.
fn over(span: i64, packets: i64) -> ClockEstimate {
    let at = |k: i64| span / (packets - 1) * k;
    estimate((0..packets).map(|k| packet(at(k), at(k) / 20_000, 100 * US, 100 * US)))
}

#[test]
fn a_skew_takes_ten_seconds_and_thirty_packets() {
    assert_eq!(over(9_990 * MS, 1_000).skew_ppm, None);
    assert_eq!(over(60 * S, 29).skew_ppm, None);
    for (span, packets) in [(10_010 * MS, 1_000), (10_010 * MS, 30), (60 * S, 30)] {
        let told = over(span, packets);
        let skew = told
            .skew_ppm
            .unwrap_or_else(|| panic!("{packets} in {span}: {told:?}"));
        assert!((skew - 50.0).abs() < 0.5, "{told:?}");
    }
}

#[test]
fn three_packets_in_a_row_show_a_step_and_two_do_not() {
    let shifted = |k: i64, wrong: i64| {
        let by = Delta::from_ns(if (100..100 + wrong).contains(&k) {
            80 * MS
        } else {
            0
        });
        let packet = packet(k * 100 * MS, 0, MS, MS);
        Sample {
            t2: packet.t2.map(|t2| t2 + by),
            t3: packet.t3.map(|t3| t3 + by),
            ..packet
        }
    };
    for wrong in [1, 2] {
        let told = estimate((0..200).map(|k| shifted(k, wrong)));
        assert_eq!(told.far_steps_total, 0, "{wrong}");
        assert_eq!(told.disregarded, wrong.cast_unsigned());
    }
    // There and back again.
    let told = estimate((0..200).map(|k| shifted(k, 3)));
    assert_eq!((told.far_steps_total, told.disregarded), (2, 0), "{told:?}");
    let sizes: Vec<i64> = told
        .far_steps
        .iter()
        .map(|step| step.size_ns / MS)
        .collect();
    assert!(
        sizes[0].abs_diff(80) <= 1 && sizes[1].abs_diff(-80) <= 1,
        "{sizes:?}"
    );
}

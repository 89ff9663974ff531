//! Offset, skew and de-skewed delays against runs whose truth is known.

use proptest::prelude::*;
use twinpath_metrics::{Basis, ClockEstimate, ClockModel, OneWay, Spread};
use twinpath_wire::{Delta, Exclusion, Fate, Sample, Wall};

use crate::clock_runs::{CALM, Run, START_NS, Truth, play, random, runs, share};
use crate::memory::CLOCKS;
use crate::oracle;
use crate::trace::received;

fn estimate(run: &Run) -> (ClockEstimate, Truth, ClockModel) {
    let mut model = ClockModel::new();
    let truth = play(run, |event| match event {
        Some(sample) => model.record(sample),
        None => model.record_clock_step(),
    });
    (model.estimate().expect("no packet"), truth, model)
}

/// The same figures of a list.
fn spread(values: &[i64]) -> Spread {
    let mut sorted = values.to_vec();
    sorted.sort_unstable();
    let percentile = |permille: usize| sorted[(values.len() * permille).div_ceil(1000) - 1];
    let (lower, upper) = oracle::delays::middle(values);
    Spread {
        count: values.len() as u64,
        min_ns: *values.iter().min().unwrap(),
        max_ns: *values.iter().max().unwrap(),
        mean_ns: oracle::delays::mean(values),
        median_ns: i64::midpoint(lower, upper),
        p95_ns: percentile(950),
        p99_ns: percentile(990),
        p999_ns: percentile(999),
    }
}

/// The greatest difference of two figures.
fn difference(one: &Spread, other: &Spread) -> u64 {
    assert_eq!(one.count, other.count);
    let all = |it: &Spread| {
        [
            it.min_ns,
            it.max_ns,
            it.mean_ns,
            it.median_ns,
            it.p95_ns,
            it.p99_ns,
            it.p999_ns,
        ]
    };
    let pairs = all(one).into_iter().zip(all(other));
    pairs.map(|(a, b)| a.abs_diff(b)).max().unwrap()
}

/// Checks one direction and returns the greatest errors of delay and variation.
fn check(direction: usize, shown: &OneWay, truth: &Truth) -> (u64, u64) {
    let delays: Vec<i64> = truth
        .parts
        .iter()
        .flat_map(|part| part[direction].iter().copied())
        .collect();
    let variations: Vec<i64> = truth
        .parts
        .iter()
        .flat_map(|part| {
            let least = part[direction].iter().min().unwrap();
            part[direction].iter().map(move |delay| delay - least)
        })
        .collect();
    let delay = difference(&shown.delay, &spread(&delays));
    let variation = difference(&shown.variation, &spread(&variations));
    assert!(
        delay <= shown.error_bound_ns,
        "delay off by {delay}: {shown:?}, {:?}",
        spread(&delays)
    );
    assert!(
        variation <= shown.variation_bound_ns,
        "variation off by {variation}: {shown:?}, {:?}",
        spread(&variations)
    );
    (delay, variation)
}

fn check_all(run: &Run) -> (ClockEstimate, [(u64, u64); 2]) {
    let (estimate, truth, model) = estimate(run);
    assert!(model.memory_octets() < CLOCKS, "{}", model.memory_octets());
    assert!(!estimate.contradicted);
    assert_eq!(estimate.rate_changes, 0);
    let at = (estimate.reference.unix_ns() - START_NS) as f64;
    let stepped = run
        .local_step
        .filter(|_| estimate.local_steps > 0)
        .map_or(0, |(_, size)| size);
    let offset = truth.offset_at_start
        + (at - stepped as f64) * run.skew_ppm / 1e6
        + stepped as f64 * run.skew_ppm / 1e6;
    let error = (estimate.offset_ns as f64 - offset).abs();
    assert!(
        error <= estimate.error_bound_ns as f64,
        "offset off by {error}: {estimate:?}, {offset}"
    );
    if let Some(skew) = estimate.skew_ppm {
        assert!(
            (skew - run.skew_ppm).abs() <= estimate.skew_bound_ppm,
            "{estimate:?}"
        );
    }
    let errors = [
        check(0, &estimate.forward.unwrap(), &truth),
        check(1, &estimate.backward.unwrap(), &truth),
    ];
    (estimate, errors)
}

#[test]
fn offset_and_skew_of_a_calm_run_come_out() {
    let (estimate, errors) = check_all(&CALM);
    assert!(
        (estimate.skew_ppm.unwrap() - 37.0).abs() < 0.3,
        "{estimate:?}"
    );
    // What cannot be known is how the least round trip of 8.5 ms is split.
    assert!(estimate.error_bound_ns > 4_000_000 && estimate.error_bound_ns < 5_000_000);
    for (delay, _) in errors {
        assert!(delay.abs_diff(250_000) < 60_000, "{delay}");
    }
    assert!(!estimate.path_change);
}

#[test]
fn a_run_of_a_day_is_known_as_well_as_one_of_minutes() {
    for skew_ppm in [-100.0, -3.7, 0.0, 100.0] {
        let run = Run {
            packets: 86_400,
            duration: 86_400_000_000_000,
            skew_ppm,
            busy: (0.3, 0.5),
            loss: 0.01,
            ..CALM
        };
        let (estimate, errors) = check_all(&run);
        let shown = estimate.forward.unwrap();
        // 100 ppm of a day are 8.6 s. What cannot be known stays under 5 ms for the delays; for
        // their variation it is what is likely that counts.
        assert!(estimate.error_bound_ns < 5_000_000, "{estimate:?}");
        assert!(
            shown.variation_error_ns < 1_000_000,
            "{skew_ppm} {estimate:?}"
        );
        for (_, variation) in errors {
            assert!(
                variation <= shown.variation_error_ns,
                "{skew_ppm} {variation}"
            );
        }
        assert!(!estimate.path_change);
    }
}

#[test]
fn a_short_run_has_an_offset_and_no_skew() {
    for (packets, duration) in [(30, 3_000_000_000), (20, 60_000_000_000), (1, 1_000_000)] {
        for skew_ppm in [0.0, 100.0, -100.0] {
            let run = Run {
                packets,
                duration,
                skew_ppm,
                queue: [20_000, 20_000],
                least: [50_000, 50_000],
                ..CALM
            };
            let (estimate, _) = check_all(&run);
            assert_eq!(estimate.skew_ppm, None);
        }
    }
}

#[test]
fn a_step_of_the_far_clock_is_found_with_its_size() {
    for size in [-3_600_000_000_000, -30_000_000, 30_000_000, 1_000_000_000] {
        let run = Run {
            far_step: Some((0.4, size)),
            ..CALM
        };
        let (estimate, _) = check_all(&run);
        let [step] = estimate.far_steps.as_slice() else {
            panic!("{estimate:?}");
        };
        assert!(step.size_ns.abs_diff(size) <= step.bound_ns, "{step:?}");
        assert!(step.bound_ns < 20_000_000, "{step:?}");
        let at = step.at.unix_ns() - START_NS;
        assert!(
            (at - share(&run, 0.4)).abs() <= run.duration / run.packets,
            "{step:?}"
        );
        assert_eq!(estimate.disregarded, 0);
    }
}

#[test]
fn a_step_of_the_local_clock_begins_anew() {
    for size in [-30_000_000, 5_000_000_000] {
        let run = Run {
            local_step: Some((0.7, size)),
            ..CALM
        };
        let (estimate, _) = check_all(&run);
        assert_eq!((estimate.local_steps, estimate.far_steps_total), (1, 0));
    }
    // As many steps as one likes take no more memory, and the list of them ends.
    let mut model = ClockModel::new();
    for round in 0..40 {
        let run = Run {
            packets: 600,
            offset: round * 1_000_000_000,
            ..CALM
        };
        play(&run, |event| model.record(event.unwrap()));
        if round % 2 == 0 {
            model.record_clock_step();
            model.record_clock_step();
        }
    }
    let estimate = model.estimate().unwrap();
    assert_eq!((estimate.local_steps, estimate.far_steps_total), (40, 19));
    assert_eq!(estimate.far_steps.len(), ClockModel::FAR_STEPS);
    assert_eq!(estimate.forward.unwrap().delay.count, 24_000);
    assert!(model.memory_octets() < CLOCKS);
}

#[test]
fn single_stamps_that_are_wrong_are_no_step() {
    let mut model = ClockModel::new();
    let mut count = 0;
    play(&CALM, |event| {
        let mut sample = *event.unwrap();
        count += 1;
        if count % 50 < 2 && count > 50 {
            let wrong = Delta::from_ns(80_000_000 * (count % 50 * 2 - 1));
            sample.t2 = sample.t2.map(|t2| t2 + wrong);
            sample.t3 = sample.t3.map(|t3| t3 + wrong);
        }
        model.record(&sample);
    });
    let estimate = model.estimate().unwrap();
    assert_eq!(estimate.far_steps_total, 0);
    assert_eq!(estimate.disregarded, 78);
    assert_eq!(estimate.forward.unwrap().delay.count, 2000 - 78);
}

#[test]
fn a_longer_route_is_a_change_of_the_path_and_bounds_hold() {
    for (forward, backward) in [(6_000_000, 0), (0, -2_000_000), (6_000_000, 6_000_000)] {
        let run = Run {
            route: [(0.5, forward), (0.5, backward)],
            ..CALM
        };
        let (estimate, _) = check_all(&run);
        assert!(estimate.path_change, "{forward} {backward} {estimate:?}");
    }
    // Changes in opposite directions look like a skew: the bounds know.
    check_all(&Run {
        route: [(0.5, 2_000_000), (0.5, -2_000_000)],
        ..CALM
    });
}

#[test]
fn what_stamps_are_off_by_on_a_path_of_a_microsecond_is_no_change_of_rate() {
    let mut model = ClockModel::new();
    let run = Run {
        packets: 10_000,
        duration: 100_000_000_000,
        skew_ppm: 0.0,
        offset: 0,
        least: [500, 500],
        queue: [300, 300],
        ..CALM
    };
    play(&run, |event| {
        let mut sample = *event.unwrap();
        // T3 as it is reckoned: early or late, and another way after a while.
        let seq = i64::try_from(sample.seq).unwrap();
        let off = Delta::from_ns(seq * 7_919 % 6_000 - 3_000 - seq / 1_000 * 500);
        sample.t3 = sample.t3.map(|t3| t3 + off);
        if sample
            .round_trip()
            .is_some_and(|round_trip| round_trip.ns() >= 0)
        {
            model.record(&sample);
        }
    });
    let estimate = model.estimate().unwrap();
    assert_eq!(estimate.rate_changes, 0, "{estimate:?}");
    assert!(!estimate.contradicted, "{estimate:?}");
    assert!(estimate.error_bound_ns < 25_000, "{estimate:?}");
}

#[test]
fn a_path_that_grows_in_one_direction_is_no_skew_of_the_clocks() {
    // Two halves of one clock; the second one's way out is 10 ms longer.
    let mut model = ClockModel::new();
    for part in 0..2 {
        let run = Run {
            packets: 1_000,
            duration: 20_000_000_000,
            skew_ppm: 0.0,
            offset: 0,
            least: [500_000 + part * 10_000_000, 500_000],
            queue: [50_000, 50_000],
            ..CALM
        };
        play(&run, |event| {
            let mut sample = *event.unwrap();
            let later = Delta::from_ns(part * run.duration);
            sample.t1.at = sample.t1.at + later;
            sample.t2 = sample.t2.map(|t2| t2 + later);
            sample.t3 = sample.t3.map(|t3| t3 + later);
            sample.t4.as_mut().unwrap().at = sample.t4.unwrap().at + later;
            model.record(&sample);
        });
    }
    let estimate = model.estimate().unwrap();
    assert!(estimate.path_change, "{estimate:?}");
    assert_eq!(estimate.skew_ppm, None);
    assert!(estimate.offset_ns.unsigned_abs() < 100_000, "{estimate:?}");
    let [outbound, inbound] =
        [estimate.forward, estimate.backward].map(|way| way.unwrap().variation);
    assert!(inbound.p99_ns < 1_000_000, "{inbound:?}");
    assert!(outbound.max_ns > 10_000_000, "{outbound:?}");
    assert!(outbound.median_ns < 11_000_000, "{outbound:?}");
}

#[test]
fn a_rate_that_changes_is_noticed_and_not_averaged() {
    let mut model = ClockModel::new();
    for (part, skew_ppm) in [(0, 60.0), (1, -60.0)] {
        let run = Run {
            packets: 100_000,
            duration: 1_000_000_000_000,
            skew_ppm,
            offset: part * 60_000_000,
            least: [100_000, 100_000],
            queue: [10_000, 10_000],
            ..CALM
        };
        play(&run, |event| {
            let mut sample = *event.unwrap();
            let later = Delta::from_ns(part * run.duration);
            sample.t1.at = sample.t1.at + later;
            sample.t2 = sample.t2.map(|t2| t2 + later);
            sample.t3 = sample.t3.map(|t3| t3 + later);
            sample.t4.as_mut().unwrap().at = sample.t4.unwrap().at + later;
            model.record(&sample);
        });
    }
    let estimate = model.estimate().unwrap();
    assert!(estimate.rate_changes > 0, "{estimate:?}");
    assert_eq!(estimate.far_steps_total, 0);
    assert!(
        (estimate.skew_ppm.unwrap() + 60.0).abs() < 1.0,
        "{estimate:?}"
    );
    assert!(estimate.error_bound_ns < 200_000, "{estimate:?}");
    assert_eq!(estimate.forward.unwrap().delay.count, 200_000);
}

#[test]
fn a_constant_rate_is_a_rate_and_no_step_however_fast() {
    for skew_ppm in [501.0, -1_000.0, 1_000.0, 5_000.0, -7_300.0, 60_000.0] {
        for (packets, duration, least) in [
            (2_000, 200_000_000_000, [4_000_000, 4_500_000]),
            (2_000, 2_000_000_000, [10_000_000, 9_000_000]),
            (300, 300_000_000_000, [50_000, 50_000]),
            (60, 600_000_000_000, [30_000_000, 30_000_000]),
            (20_000, 2_000_000_000_000, [300_000, 900_000]),
        ] {
            let run = Run {
                packets,
                duration,
                skew_ppm,
                least,
                ..CALM
            };
            // A short run with long delays does not show the rate.
            let long = duration > 10_000_000_000;
            let estimate = if long {
                check_all(&run).0
            } else {
                estimate(&run).0
            };
            let told = format!("{skew_ppm} {run:?} {estimate:?}");
            assert_eq!(
                (estimate.far_steps_total, estimate.disregarded),
                (0, 0),
                "{told}"
            );
            if long {
                assert!(estimate.known_skew_ppm().is_some(), "{told}");
            }
        }
    }
}

#[test]
fn a_fast_clock_that_steps_has_its_steps_and_its_rate() {
    for (skew_ppm, size) in [
        (1_000.0, 30_000_000),
        (-5_000.0, 200_000_000),
        (3_000.0, -90_000_000),
    ] {
        let run = Run {
            skew_ppm,
            far_step: Some((0.6, size)),
            ..CALM
        };
        let (estimate, _) = check_all(&run);
        let [step] = estimate.far_steps.as_slice() else {
            panic!("{estimate:?}");
        };
        assert!(step.size_ns.abs_diff(size) <= step.bound_ns, "{step:?}");
        assert!(
            (estimate.skew_ppm.unwrap() - skew_ppm).abs() < 10.0,
            "{estimate:?}"
        );
    }
}

#[test]
fn a_clock_that_becomes_fast_has_not_stepped() {
    for skew_ppm in [1_000.0, -4_000.0, 20_000.0] {
        let mut model = ClockModel::new();
        let half = Run {
            skew_ppm: 0.0,
            ..CALM
        };
        play(&half, |event| model.record(event.unwrap()));
        let fast = Run {
            skew_ppm,
            seed: 2,
            ..CALM
        };
        play(&fast, |event| {
            let mut sample = *event.unwrap();
            let later = Delta::from_ns(half.duration);
            sample.t1.at = sample.t1.at + later;
            sample.t2 = sample.t2.map(|t2| t2 + later);
            sample.t3 = sample.t3.map(|t3| t3 + later);
            sample.t4.as_mut().unwrap().at = sample.t4.unwrap().at + later;
            model.record(&sample);
        });
        let estimate = model.estimate().unwrap();
        assert_eq!(estimate.far_steps_total, 0, "{estimate:?}");
        assert!(estimate.rate_changes > 0, "{estimate:?}");
        assert!(
            (estimate.skew_ppm.unwrap() - skew_ppm).abs() < 10.0,
            "{estimate:?}"
        );
    }
}

#[test]
fn claims_of_synchronised_clocks_are_held_against_the_packets() {
    let (estimate, ..) = estimate(&Run {
        offset: 9_000_000,
        skew_ppm: 0.0,
        ..CALM
    });
    let of = |one, other| Basis::of(one, other, Some(&estimate));
    assert_eq!(of(Some(1000), None), Basis::Unsynchronized);
    assert_eq!(of(None, Some(1000)), Basis::Unsynchronized);
    assert_eq!(
        of(Some(6_000_000), Some(5_000_000)),
        Basis::Synchronized {
            error_ns: 11_000_000
        }
    );
    let Basis::Disproved {
        claimed_ns: 3000,
        least_offset_ns,
    } = of(Some(1000), Some(2000))
    else {
        panic!("{estimate:?}");
    };
    assert!((4_000_000..=9_000_000).contains(&least_offset_ns));
    assert_eq!(
        Basis::of(Some(1000), Some(2000), None),
        Basis::Synchronized { error_ns: 3000 }
    );
}

#[test]
fn what_has_no_delay_does_not_count() {
    let mut model = ClockModel::new();
    assert_eq!(model.estimate(), None);
    let good = received(0, 40_000, 1_000, 40_000);
    for fate in [Fate::Late, Fate::Duplicate, Fate::Lost] {
        model.record(&Sample { fate, ..good });
    }
    for excluded in [Exclusion::ClockStep, Exclusion::Implausible] {
        model.record(&Sample {
            excluded: Some(excluded),
            ..good
        });
    }
    assert_eq!(model.estimate(), None);
    // T3 - T2 longer than T4 - T1 by more than stamps are off by, and a time that is 200 years off.
    model.record(&received(1, 40_000, 1_000, -80_001));
    model.record(&good);
    model.record(&received(2, i64::MAX / 4, 0, -(i64::MAX / 4)));
    let estimate = model.estimate().unwrap();
    assert_eq!(estimate.disregarded, 2);
    assert_eq!(estimate.offset_ns, 0);
    // Half the round trip, and what stamps are off by.
    assert_eq!(estimate.error_bound_ns / 100, 600);
}

#[test]
fn times_that_a_hostile_reflector_makes_up_stay_within_the_limit() {
    let mut model = ClockModel::new();
    let mut state = 88_172_645_463_325_252;
    let mut any = |least: u32| (random(&mut state) * 2_f64.powi(40)) as i64 >> least;
    for seq in 0..100_000 {
        let shift = seq % 41;
        let honest = received(u64::from(seq), any(shift), 1_000, any(40 - shift));
        let lie = Delta::from_ns(any(shift / 3) - any(shift / 3));
        model.record(&Sample {
            t2: honest.t2.map(|t2| t2 + lie),
            t3: honest.t3.map(|t3| t3 + lie),
            ..honest
        });
    }
    let estimate = model.estimate().unwrap();
    assert!(estimate.disregarded > 1000);
    let memory = model.memory_octets();
    assert!(memory < CLOCKS, "{memory}");
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 150, ..ProptestConfig::default() })]

    #[test]
    fn the_truth_is_within_the_bounds_whatever_the_network_does(run in runs()) {
        // A far step shows in three packets; with fewer than that behind it there is none.
        let shown = |(at, _): (f64, i64)| (1.0 - at) * run.packets as f64 * (1.0 - run.loss) > 40.0;
        if run.far_step.is_none_or(shown) && run.packets as f64 * (1.0 - run.loss) > 12.0 {
            check_all(&run);
        }
    }

    #[test]
    fn the_truth_is_within_the_bounds_of_a_clock_that_tells_its_time_in_steps(
        run in runs(),
        (step, phase) in (1..4_000_i64, 0..4_000_000_i64),
        (packets, interval) in (20..1_500_i64, 1_000_000..3_000_000_000_i64),
        least in [100_000..60_000_000_i64, 100_000..60_000_000_i64],
    ) {
        let step = step * 5_000;
        let run = Run {
            packets,
            duration: packets * interval,
            least,
            loss: 0.0,
            far_step: None,
            local_step: None,
            ..run
        };
        let told = |at: Wall| {
            let at = at.unix_ns() - phase;
            Wall::from_unix_ns(at - at.rem_euclid(step) + phase)
        };
        let mut model = ClockModel::new();
        let mut used = Vec::new();
        let truth = play(&run, |event| {
            let mut sample = *event.unwrap();
            (sample.t2, sample.t3) = (sample.t2.map(told), sample.t3.map(told));
            let residence = sample.t3.unwrap() - sample.t2.unwrap();
            let away = sample.t4.unwrap().at - sample.t1.at;
            used.push(residence <= away + Delta::from_ns(20_000));
            if used.last() == Some(&true) {
                model.record(&sample);
            }
        });
        let estimate = model.estimate().unwrap();
        let told = format!("step {step} phase {phase} {estimate:?}");
        prop_assert_eq!((estimate.far_steps_total, estimate.disregarded), (0, 0), "{}", told);
        let at = (estimate.reference.unix_ns() - START_NS) as f64;
        let offset = truth.offset_at_start + at * run.skew_ppm / 1e6;
        let off = (estimate.offset_ns as f64 - offset).abs();
        prop_assert!(off <= estimate.error_bound_ns as f64, "off by {off}: {told}");
        if let Some(skew) = estimate.skew_ppm {
            prop_assert!((skew - run.skew_ppm).abs() <= estimate.skew_bound_ppm, "{}", told);
        }
        let of_used = |delays: &Vec<i64>| {
            let delays = delays.iter().zip(&used).filter(|(_, used)| **used);
            delays.map(|(delay, _)| *delay).collect()
        };
        let truth = Truth {
            parts: truth.parts.iter().map(|part| [of_used(&part[0]), of_used(&part[1])]).collect(),
            ..truth
        };
        check(0, &estimate.forward.unwrap(), &truth);
        check(1, &estimate.backward.unwrap(), &truth);
    }

    #[test]
    fn bounds_are_those_of_all_lines_that_the_points_allow(
        run in runs(), packets in 3..40_i64,
    ) {
        let run = Run { packets, loss: 0.0, far_step: None, local_step: None, ..run };
        let mut points = [Vec::new(), Vec::new()];
        let mut model = ClockModel::new();
        let mut origin = None;
        play(&run, |event| {
            let sample = event.unwrap();
            model.record(sample);
            let (t1, t4) = (sample.t1.at, sample.t4.unwrap().at);
            let base = *origin.get_or_insert(sample.forward().unwrap().ns());
            let x = |at: Wall| (at.unix_ns() - START_NS) as f64;
            points[0].push((x(t1), (sample.forward().unwrap().ns() - base) as f64));
            points[1].push((x(t4), (-sample.backward().unwrap().ns() - base) as f64));
        });
        let estimate = model.estimate().unwrap();
        let (least, greatest) = oracle::clocks::slopes(&points[0], &points[1], 40_000.0).unwrap();
        let width = greatest - least;
        let bound = estimate.skew_bound_ppm / 1e6;
        prop_assert!(bound >= width / 2.0 - 1e-12, "{bound} {width}");
        prop_assert!(bound <= width + 1e-9, "{bound} {width}");
    }

    #[test]
    fn the_order_of_recording_does_not_matter(run in runs(), packets in 3..250_i64) {
        let run = Run { packets, far_step: None, local_step: None, ..run };
        let mut samples = Vec::new();
        play(&run, |event| samples.push(*event.unwrap()));
        prop_assume!(!samples.is_empty());
        let mut forwards = ClockModel::new();
        for sample in &samples {
            forwards.record(sample);
        }
        // The first one stays: times are relative to it.
        let mut backwards = ClockModel::new();
        let (first, rest) = samples.split_first().unwrap();
        backwards.record(first);
        rest.iter().rev().for_each(|sample| backwards.record(sample));
        let (one, other) = (forwards.estimate().unwrap(), backwards.estimate().unwrap());
        prop_assert!(one.skew_bound_ppm - other.skew_bound_ppm < 1e-6);
        prop_assert!(one.error_bound_ns.abs_diff(other.error_bound_ns) <= 2);
        let shown = |it: &ClockEstimate| it.forward.unwrap();
        prop_assert!(difference(&shown(&one).delay, &shown(&other).delay) <= 2);
    }
}

#[test]
fn variation_is_within_its_likely_error_where_the_least_delay_recurs() {
    let (mut worst, mut tightest) = (0.0_f64, f64::INFINITY);
    for seed in 0..150 {
        let mut state = (seed + 1) * 0x9e37_79b9;
        let mut pick = |values: &[i64]| values[(random(&mut state) * values.len() as f64) as usize];
        let run = Run {
            packets: pick(&[100, 1000, 4000]),
            duration: pick(&[20, 600, 40_000]) * 1_000_000_000,
            skew_ppm: pick(&[-100, -1, 0, 12, 80]) as f64,
            least: [pick(&[50_000, 20_000_000]), pick(&[50_000, 20_000_000])],
            queue: [
                pick(&[1_000, 50_000, 2_000_000]),
                pick(&[1_000, 50_000, 2_000_000]),
            ],
            loss: 0.05,
            seed,
            ..CALM
        };
        let (estimate, errors) = check_all(&run);
        for (shown, (_, variation)) in [estimate.forward, estimate.backward].iter().zip(errors) {
            let shown = shown.unwrap();
            let ratio = variation as f64 / shown.variation_error_ns as f64;
            worst = worst.max(ratio);
            tightest =
                tightest.min(shown.variation_error_ns as f64 / shown.variation_bound_ns as f64);
        }
    }
    assert!(worst <= 1.0, "{worst}");
    // And it says more than the bound does.
    assert!(tightest < 0.01, "{tightest}");
}

//! Offset, skew and de-skewed delays against runs whose truth is known.

use twinpath_metrics::{Basis, ClockModel};
use twinpath_wire::{Delta, Exclusion, Fate, Sample};

use crate::clock_checks::{check_all, estimate};
use crate::clock_runs::{CALM, Run, START_NS, play, random, share};
use crate::memory::CLOCKS;
use crate::trace::received;

#[test]
fn offset_and_skew_of_a_calm_run_are_found() {
    let (estimate, errors) = check_all(&CALM);
    assert!(
        (estimate.skew_ppm.unwrap() - 37.0).abs() < 0.3,
        "{estimate:?}"
    );
    // The split of the least round trip of 8.5 ms is unknown.
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
        // 100 ppm of a day are 8.6 s. The bound stays under 5 ms for the delays; for their
        // variation, the likely error counts.
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
fn a_step_within_what_a_clock_may_drift_over_a_pause_is_found() {
    // A packet every ten minutes, of which half are lost: 500 ppm of the pauses are more than the step.
    let hours = Run {
        packets: 83,
        duration: 82_500_000_000_000,
        skew_ppm: -33.0,
        least: [72_000_000, 34_000_000],
        queue: [661, 2_800_000],
        loss: 0.32,
        ..CALM
    };
    for (at, size, seed) in [
        (0.08, 2_200_000_000, 1),
        (0.2, -2_900_000_000, 2),
        (0.3, 2_400_000_000, 3),
        (0.5, -2_100_000_000, 4),
        (0.4, -900_000_000, 5),
    ] {
        let run = Run {
            far_step: Some((at, size)),
            seed,
            ..hours.clone()
        };
        let (estimate, _) = check_all(&run);
        let [step] = estimate.far_steps.as_slice() else {
            panic!("{at} {size}: {estimate:?}");
        };
        assert!(step.size_ns.abs_diff(size) <= step.bound_ns, "{step:?}");
        assert_eq!(estimate.disregarded, 0);
    }
}

#[test]
fn a_step_of_the_local_clock_starts_a_new_estimate() {
    for size in [-30_000_000, 5_000_000_000] {
        let run = Run {
            local_step: Some((0.7, size)),
            ..CALM
        };
        let (estimate, _) = check_all(&run);
        assert_eq!((estimate.local_steps, estimate.far_steps_total), (1, 0));
    }
    // More steps take no more memory, and their list is bounded.
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
fn single_wrong_timestamps_are_not_a_step() {
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
    // Changes in opposite directions look like a skew; the bounds allow for that.
    check_all(&Run {
        route: [(0.5, 2_000_000), (0.5, -2_000_000)],
        ..CALM
    });
}

#[test]
fn errors_of_timestamps_on_a_path_of_a_microsecond_are_not_a_change_of_rate() {
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
        // T3 as estimated: early or late, and differently after a while.
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
fn a_path_that_grows_in_one_direction_is_not_a_skew_of_the_clocks() {
    // Two halves of one clock; the second one's outbound delay is 10 ms longer.
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
fn claims_of_synchronized_clocks_are_held_against_the_packets() {
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
fn packets_without_a_delay_do_not_count() {
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
    // T3 - T2 longer than T4 - T1 by more than the error of timestamps, and a time that is 200
    // years off.
    model.record(&received(1, 40_000, 1_000, -80_001));
    model.record(&good);
    model.record(&received(2, i64::MAX / 4, 0, -(i64::MAX / 4)));
    let estimate = model.estimate().unwrap();
    assert_eq!(estimate.disregarded, 2);
    assert_eq!(estimate.offset_ns, 0);
    // Half the round trip, and the error of timestamps.
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

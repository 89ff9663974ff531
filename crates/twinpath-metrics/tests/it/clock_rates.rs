//! Rates of the far clock: constant ones however fast, and those that change.

use twinpath_metrics::ClockModel;
use twinpath_wire::Delta;

use crate::clock_checks::{check_all, estimate};
use crate::clock_runs::{CALM, Run, play};

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

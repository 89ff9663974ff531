//! Rates of the far clock: constant ones however fast, and those that change.

use twinpath_metrics::{ClockEstimate, ClockModel};
use twinpath_wire::{Delta, Wall};

use crate::clock_checks::{check_all, estimate};
use crate::clock_runs::{CALM, Run, START_NS, play, random};

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

/// The estimate of a run whose far clock changes its rate at random, within `ppm` of the other's.
fn wandering(run: &Run, changes: i64, ppm: f64) -> ClockEstimate {
    let mut state = run.seed | 1;
    let mut bends: Vec<(f64, f64)> = (0..changes)
        .map(|_| {
            let at = random(&mut state) * run.duration as f64;
            (at, (random(&mut state) - 0.5) * 2.0 * ppm * 1e-6)
        })
        .collect();
    bends.sort_by(|one, other| one.0.total_cmp(&other.0));
    let run = Run {
        skew_ppm: 0.0,
        far_step: None,
        ..run.clone()
    };
    let told = |at: Wall| {
        let now = (at.unix_ns() - START_NS - run.offset) as f64;
        let ends = bends
            .iter()
            .skip(1)
            .map(|bend| bend.0)
            .chain([f64::INFINITY]);
        let parts = bends.iter().zip(ends).filter(|(bend, _)| bend.0 < now);
        let off: f64 = parts
            .map(|((from, rate), to)| (now.min(to) - from) * rate)
            .sum();
        at + Delta::from_ns(off.round() as i64)
    };
    let mut model = ClockModel::new();
    play(&run, |event| match event {
        Some(sample) => {
            let mut sample = *sample;
            (sample.t2, sample.t3) = (sample.t2.map(told), sample.t3.map(told));
            model.record(&sample);
        }
        None => model.record_clock_step(),
    });
    model.estimate().unwrap()
}

#[test]
fn a_rate_that_wanders_is_no_step() {
    for seed in 1..400_u64 {
        let run = Run {
            packets: 30 + seed.cast_signed() % 90,
            duration: 80_000_000_000_000,
            least: [2_000_000, 3_000_000],
            loss: 0.4,
            seed,
            ..CALM
        };
        let estimate = wandering(&run, 20, 100.0);
        assert_eq!(estimate.far_steps_total, 0, "{run:?} {estimate:?}");
    }
}

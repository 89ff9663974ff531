//! Figures are within their bounds for any clocks and network.

use proptest::prelude::*;
use twinpath_metrics::{ClockEstimate, ClockModel};
use twinpath_wire::{Delta, Wall};

use crate::clock_checks::{check, check_all, difference};
use crate::clock_runs::{CALM, Run, START_NS, Truth, play, random, runs};
use crate::oracle;

proptest! {
    #![proptest_config(ProptestConfig::with_cases(ProptestConfig::default().cases / 2))]

    #[test]
    fn the_truth_is_within_the_bounds_whatever_the_network_does(run in runs()) {
        // A step of the far clock shows in three packets; with fewer after it, none is reported.
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
        // The first one stays in place, because times are relative to it.
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
    // And it is tighter than the bound.
    assert!(tightest < 0.01, "{tightest}");
}

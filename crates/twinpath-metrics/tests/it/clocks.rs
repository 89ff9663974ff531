//! Offset, skew and de-skewed delays against runs whose truth is known.

use proptest::prelude::*;
use twinpath_metrics::{Basis, ClockEstimate, ClockModel, OneWay, Spread};
use twinpath_wire::{Exclusion, Fate, Rung, Sample, Stamp, Wall};

use crate::oracle;
use crate::trace::received;

const START_NS: i64 = 1_763_900_000_000_000_000;

/// A run whose truth is known. Nanoseconds; shares of the run where it says `at`.
#[derive(Clone, Debug)]
struct Run {
    packets: i64,
    duration: i64,
    offset: i64,
    skew_ppm: f64,
    least: [i64; 2],
    /// Mean of the queueing delay.
    queue: [i64; 2],
    loss: f64,
    /// From here on the least delay is another one.
    route: [(f64, i64); 2],
    far_step: Option<(f64, i64)>,
    local_step: Option<(f64, i64)>,
    /// Between these shares of the run the queues are a hundred times as long.
    busy: (f64, f64),
    seed: u64,
}

const CALM: Run = Run {
    packets: 2000,
    duration: 200_000_000_000,
    offset: 7_000_000_000,
    skew_ppm: 37.0,
    least: [4_000_000, 4_500_000],
    queue: [100_000, 100_000],
    loss: 0.0,
    route: [(1.0, 0), (1.0, 0)],
    far_step: None,
    local_step: None,
    busy: (1.0, 1.0),
    seed: 1,
};

/// What was really so: the delays of either direction by part of the run between steps, and the
/// offset by the sender's time since the last step.
#[derive(Default)]
struct Truth {
    parts: Vec<[Vec<i64>; 2]>,
    offset_at_start: f64,
}

fn random(state: &mut u64) -> f64 {
    *state ^= *state << 13;
    *state ^= *state >> 7;
    *state ^= *state << 17;
    (*state >> 11) as f64 / (1_u64 << 53) as f64
}

fn exponential(state: &mut u64, mean: i64) -> i64 {
    (-(1.0 - random(state)).ln() * mean as f64) as i64
}

fn share(run: &Run, at: f64) -> i64 {
    (at * run.duration as f64) as i64
}

/// The packets of a run in order of departure, recorded by `record`; `None` is a step of the local
/// clock that the caller noticed.
fn play(run: &Run, mut record: impl FnMut(Option<&Sample>)) -> Truth {
    let mut state = run.seed.wrapping_mul(0x9e37_79b9_7f4a_7c15) | 1;
    let mut truth = Truth::default();
    truth.parts.push([Vec::new(), Vec::new()]);
    let after = |step: Option<(f64, i64)>, t: i64| step.is_some_and(|(at, _)| t >= share(run, at));
    let by = |step: Option<(f64, i64)>| step.map_or(0, |(_, size)| size);
    let far = |t: i64| {
        let stepped = if after(run.far_step, t) {
            by(run.far_step)
        } else {
            0
        };
        t + run.offset + (t as f64 * run.skew_ppm / 1e6).round() as i64 + stepped
    };
    let near = |t: i64| {
        t + if after(run.local_step, t) {
            by(run.local_step)
        } else {
            0
        }
    };
    let (mut far_stepped, mut near_stepped) = (false, false);
    for seq in 0..run.packets {
        let sent = run.duration / run.packets * seq;
        if random(&mut state) < run.loss {
            continue;
        }
        let busy = (share(run, run.busy.0)..share(run, run.busy.1)).contains(&sent);
        let mut delay = [0; 2];
        for (direction, delay) in delay.iter_mut().enumerate() {
            let (at, change) = run.route[direction];
            let mean = run.queue[direction] * if busy { 100 } else { 1 };
            *delay = run.least[direction]
                + if sent >= share(run, at) { change } else { 0 }
                + exponential(&mut state, mean);
        }
        let arrived = sent + delay[0];
        let back = arrived + 2_000 + delay[1];
        let in_flight = after(run.local_step, back) && !after(run.local_step, sent);
        if after(run.local_step, sent) && !near_stepped {
            near_stepped = true;
            record(None);
            truth.parts.push([Vec::new(), Vec::new()]);
        }
        if after(run.far_step, arrived) && !far_stepped {
            far_stepped = true;
            truth.parts.push([Vec::new(), Vec::new()]);
        }
        // A residence with a step in it is no residence.
        let split = after(run.far_step, arrived + 2_000) && !after(run.far_step, arrived);
        let stamp = |t: i64| Stamp {
            at: Wall::from_unix_ns(START_NS + near(t)),
            rung: Rung::Kernel,
        };
        let sample = Sample {
            t1: stamp(sent),
            t2: Some(Wall::from_unix_ns(START_NS + far(arrived))),
            t3: Some(Wall::from_unix_ns(START_NS + far(arrived + 2_000))),
            t4: Some(stamp(back)),
            excluded: if in_flight {
                Some(Exclusion::ClockStep)
            } else {
                split.then_some(Exclusion::Implausible)
            },
            ..received(seq.cast_unsigned(), 0, 0, 0)
        };
        if sample.excluded.is_none() {
            let part = truth.parts.last_mut().unwrap();
            for (list, delay) in part.iter_mut().zip(delay) {
                list.push(delay);
            }
        }
        record(Some(&sample));
    }
    truth.parts.retain(|part| !part[0].is_empty());
    truth.offset_at_start = run.offset as f64
        + if far_stepped {
            by(run.far_step) as f64
        } else {
            0.0
        }
        - if near_stepped {
            by(run.local_step) as f64 * (1.0 + run.skew_ppm / 1e6)
        } else {
            0.0
        };
    truth
}

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
    assert!(
        model.memory_octets() < 256 * 1024,
        "{}",
        model.memory_octets()
    );
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
            shown.variation_error_ns < 300_000,
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
    assert!(model.memory_octets() < 256 * 1024);
}

#[test]
fn single_stamps_that_are_wrong_are_no_step() {
    let mut model = ClockModel::new();
    let mut count = 0;
    play(&CALM, |event| {
        let mut sample = *event.unwrap();
        count += 1;
        if count % 50 < 2 && count > 50 {
            let wrong = twinpath_wire::Delta::from_ns(80_000_000 * (count % 50 * 2 - 1));
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
            let later = twinpath_wire::Delta::from_ns(part * run.duration);
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
    // T3 - T2 longer than T4 - T1, and a time that is 200 years off.
    model.record(&received(1, 40_000, 1_000, -40_001));
    model.record(&good);
    model.record(&received(2, i64::MAX / 4, 0, -(i64::MAX / 4)));
    let estimate = model.estimate().unwrap();
    assert_eq!(estimate.disregarded, 2);
    assert_eq!(estimate.offset_ns, 0);
    assert_eq!(estimate.error_bound_ns / 100, 400);
}

#[test]
fn times_that_a_hostile_reflector_makes_up_stay_within_the_limit() {
    let mut model = ClockModel::new();
    let mut state = 88_172_645_463_325_252;
    let mut any = |least: u32| (random(&mut state) * 2_f64.powi(40)) as i64 >> least;
    for seq in 0..100_000 {
        let shift = seq % 41;
        let honest = received(u64::from(seq), any(shift), 1_000, any(40 - shift));
        let lie = twinpath_wire::Delta::from_ns(any(shift / 3) - any(shift / 3));
        model.record(&Sample {
            t2: honest.t2.map(|t2| t2 + lie),
            t3: honest.t3.map(|t3| t3 + lie),
            ..honest
        });
    }
    let estimate = model.estimate().unwrap();
    assert!(estimate.disregarded > 1000);
    let memory = model.memory_octets();
    assert!(memory < 300 * 1024, "{memory}");
}

fn runs() -> impl Strategy<Value = Run> {
    let step = || {
        prop::option::weighted(
            0.3,
            (
                0.05..0.95_f64,
                prop_oneof![Just(-1), Just(1)],
                2_000_000_000..9_000_000_000_i64,
            )
                .prop_map(|(at, sign, size)| (at, sign * size)),
        )
    };
    let route = || (0.0..1.0_f64, 0..5_000_000_i64);
    let least = || 10_000..90_000_000_i64;
    let queue = || prop_oneof![0..1_000_i64, 0..3_000_000_i64];
    (
        (
            1..3000_i64,
            3_000_000_000..86_400_000_000_000_i64,
            any::<i32>(),
            -100.0..100.0_f64,
        ),
        [least(), least()],
        [queue(), queue()],
        (0.0..0.5_f64, [route(), route()], step(), step()),
        (0.0..1.0_f64, 0.0..1.0_f64, any::<u64>()),
    )
        .prop_map(|(run, least, queue, path, (busy, until, seed))| Run {
            packets: run.0,
            duration: run.1,
            offset: i64::from(run.2) * 1000,
            skew_ppm: run.3,
            least,
            queue,
            loss: path.0,
            route: path.1,
            // One of them, so that the truth has two parts at most.
            far_step: path.2,
            local_step: if path.2.is_some() { None } else { path.3 },
            busy: (busy, until),
            seed,
        })
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 300, ..ProptestConfig::default() })]

    #[test]
    fn the_truth_is_within_the_bounds_whatever_the_network_does(run in runs()) {
        // A far step shows in three packets; with fewer than that behind it there is none.
        let shown = |(at, _): (f64, i64)| (1.0 - at) * run.packets as f64 * (1.0 - run.loss) > 40.0;
        if run.far_step.is_none_or(shown) && run.packets as f64 * (1.0 - run.loss) > 12.0 {
            check_all(&run);
        }
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
        let (least, greatest) = oracle::clocks::slopes(&points[0], &points[1], 2.0).unwrap();
        let width = greatest - least;
        let bound = estimate.skew_bound_ppm / 1e6;
        prop_assert!(bound >= width / 2.0 - 1e-12, "{bound} {width}");
        prop_assert!(bound <= width + 1e-9, "{bound} {width}");
    }

    #[test]
    fn the_order_of_recording_does_not_matter(run in runs(), packets in 3..500_i64) {
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

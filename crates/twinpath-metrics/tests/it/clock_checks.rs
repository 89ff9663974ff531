//! Estimates of the clocks against the truth of a run.

use twinpath_metrics::{ClockEstimate, ClockModel, OneWay, Spread};

use crate::clock_runs::{Run, START_NS, Truth, play};
use crate::memory::CLOCKS;
use crate::oracle;

pub(crate) fn estimate(run: &Run) -> (ClockEstimate, Truth, ClockModel) {
    let mut model = ClockModel::new();
    let truth = play(run, |event| match event {
        Some(sample) => model.record(sample),
        None => model.record_clock_step(),
    });
    (model.estimate().expect("no packet"), truth, model)
}

/// The same figures of a list.
pub(crate) fn spread(values: &[i64]) -> Spread {
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
pub(crate) fn difference(one: &Spread, other: &Spread) -> u64 {
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
pub(crate) fn check(direction: usize, shown: &OneWay, truth: &Truth) -> (u64, u64) {
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

pub(crate) fn check_all(run: &Run) -> (ClockEstimate, [(u64, u64); 2]) {
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

//! Whether gaps have the claimed distribution, with fixed seeds.
#![expect(clippy::cast_precision_loss, reason = "statistics of small numbers")]

use super::*;

const MS: Duration = Duration::from_millis(1);
const COUNT: usize = 100_000;

fn start() -> Mono {
    Mono::from_ns(5_000_000_000)
}

/// The first slots, taken one by one.
fn slots(schedule: Schedule, seed: u64, count: usize) -> Vec<Mono> {
    let mut pattern = Pattern::new(schedule, start(), seed);
    let next = || {
        let due = pattern.due();
        pattern.step();
        due
    };
    std::iter::repeat_with(next).take(count).collect()
}

/// Gaps in units of the mean gap, including the one before the first packet if `waits_first`.
fn gaps(schedule: Schedule, seed: u64, waits_first: bool) -> Vec<f64> {
    let mean_ns = schedule.mean_interval().as_nanos() as f64;
    let slots = slots(schedule, seed, COUNT);
    let first = waits_first.then_some(start());
    let all: Vec<Mono> = first.into_iter().chain(slots).collect();
    all.windows(2)
        .map(|pair| pair[1].since(pair[0]).as_nanos() as f64 / mean_ns)
        .collect()
}

/// The greatest distance between the distribution of `values` and `expected` (Kolmogorov, Smirnov).
fn distance(mut values: Vec<f64>, expected: impl Fn(f64) -> f64) -> f64 {
    values.sort_by(f64::total_cmp);
    let count = values.len() as f64;
    let apart = |(index, value): (usize, &f64)| {
        let wanted = expected(*value);
        let (below, above) = (index as f64 / count, (index + 1) as f64 / count);
        (wanted - below).abs().max((above - wanted).abs())
    };
    values.iter().enumerate().map(apart).fold(0.0, f64::max)
}

/// Exceeded once in a hundred samples of the right distribution.
fn bound() -> f64 {
    1.63 / (COUNT as f64).sqrt()
}

fn mean(values: &[f64]) -> f64 {
    values.iter().sum::<f64>() / values.len() as f64
}

/// Between each gap and the next.
fn correlation(values: &[f64]) -> f64 {
    let mean = mean(values);
    let product = |pair: &[f64]| (pair[0] - mean) * (pair[1] - mean);
    let with_next: f64 = values.windows(2).map(product).sum();
    let with_itself: f64 = values.iter().map(|value| (value - mean).powi(2)).sum();
    with_next / with_itself
}

#[test]
fn poisson_gaps_are_exponential_and_independent() {
    for seed in [0, 1, 2, u64::MAX] {
        let gaps = gaps(Schedule::Poisson { mean: MS }, seed, true);
        assert_eq!(gaps.len(), COUNT);
        assert!((mean(&gaps) - 1.0).abs() < 0.01, "mean {}", mean(&gaps));
        assert!(correlation(&gaps).abs() < 0.01, "{}", correlation(&gaps));
        let mut sorted = gaps.clone();
        sorted.sort_by(f64::total_cmp);
        for percent in [10, 50, 90, 99] {
            let quantile = -f64::ln(1.0 - percent as f64 / 100.0);
            let found = sorted[COUNT * percent / 100];
            assert!(
                (found / quantile - 1.0).abs() < 0.04,
                "p{percent}: {found}, {quantile} expected"
            );
        }
        let apart = distance(gaps, |gap| 1.0 - (-gap).exp());
        assert!(apart < bound(), "seed {seed}: {apart}");
    }
}

#[test]
fn uniform_gaps_fill_their_range_evenly_both_ends_included() {
    let (least, most) = (5 * MS, 20 * MS);
    for seed in [0, 1, 2, u64::MAX] {
        let gaps = gaps(Schedule::Uniform { least, most }, seed, false);
        assert!((mean(&gaps) - 1.0).abs() < 0.005, "mean {}", mean(&gaps));
        assert!(correlation(&gaps).abs() < 0.01, "{}", correlation(&gaps));
        let apart = distance(gaps, |gap| (gap * 12.5 - 5.0) / 15.0);
        assert!(apart < bound(), "seed {seed}: {apart}");
    }
    let narrow = Schedule::Uniform {
        least: Duration::from_nanos(3),
        most: Duration::from_nanos(5),
    };
    let slots = slots(narrow, 9, 300);
    let gaps: std::collections::BTreeSet<u128> = slots
        .windows(2)
        .map(|pair| pair[1].since(pair[0]).as_nanos())
        .collect();
    assert_eq!(gaps.into_iter().collect::<Vec<_>>(), [3, 4, 5]);
}

#[test]
fn the_logarithm_of_zero_is_never_taken() {
    assert_eq!(exponential(u64::MAX, 1_000_000), 0);
    // 2^-53, whose logarithm is -36.7.
    assert_eq!(exponential(0, 1_000_000), 36_736_801);
    assert_eq!(exponential(0, u64::MAX), u64::MAX);
    let gaps = Gaps::Exponential {
        mean_ns: 1_000_000,
        longest_ns: 30_000_000,
    };
    assert_eq!(gaps.gap_ns(0), 30_000_000);
}

#[test]
fn a_poisson_schedule_waits_before_its_first_packet_and_a_uniform_one_does_not() {
    let uniform = Schedule::Uniform {
        least: MS,
        most: MS,
    };
    assert_eq!(slots(uniform, 3, 2), [start(), start() + MS]);
    assert!(slots(Schedule::Poisson { mean: MS }, 3, 1)[0] > start());
}

#[test]
fn a_seed_gives_the_same_slots_each_time_and_another_one_others() {
    for schedule in [
        Schedule::Poisson { mean: MS },
        Schedule::Uniform {
            least: MS,
            most: 3 * MS,
        },
    ] {
        let first = slots(schedule, 1, 1_000);
        assert_eq!(first, slots(schedule, 1, 1_000));
        let second = slots(schedule, 2, 1_000);
        let shared = first.iter().filter(|slot| second.contains(slot)).count();
        assert!(shared < 10, "{shared} slots of two seeds are the same");
    }
}

#[test]
fn counting_ahead_moves_no_slot() {
    let schedule = Schedule::Poisson { mean: MS };
    let mut pattern = Pattern::new(schedule, start(), 4);
    let now = start() + 50 * MS;
    let due = pattern.backlog(now);
    for expected in slots(schedule, 4, 200) {
        assert_eq!(pattern.due(), expected);
        let counted = pattern.backlog(now.max(expected));
        if expected <= now {
            assert!(counted <= due);
        }
        pattern.step();
    }
}

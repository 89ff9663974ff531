//! The histogram against a sorted list and against hdrhistogram.

use std::collections::BTreeMap;

use proptest::prelude::*;
use twinpath_metrics::Histogram;

use crate::oracle::delays;

fn of(values: &[i64]) -> Histogram {
    let mut histogram = Histogram::new();
    for value in values {
        histogram.record(*value);
    }
    histogram
}

/// Values as delays are: near one another, at any scale and of either sign.
fn value() -> impl Strategy<Value = i64> {
    (0_u32..63, any::<i64>()).prop_map(|(shift, bits)| bits >> shift)
}

proptest! {
    #[test]
    fn every_rank_is_within_a_thousandth_of_the_sorted_list(
        values in prop::collection::vec(value(), 1..300),
        halvings in 0..4,
    ) {
        let mut histogram = of(&values);
        for _ in 0..halvings {
            histogram.coarsen();
        }
        let bins = u64::from(histogram.bins_per_octave());
        let mut sorted = values.clone();
        sorted.sort_unstable();
        let all: Vec<i64> =
            histogram.bins().flat_map(|(value, count)| (0..count).map(move |_| value)).collect();
        for (binned, exact) in all.iter().zip(&sorted) {
            let size = exact.unsigned_abs();
            let limit = if size < 512 { 0 } else { size / (2 * bins) };
            prop_assert!(binned.abs_diff(*exact) <= limit, "{binned} for {exact}");
        }
        let [first, middle, last] = [1, sorted.len().div_ceil(2), sorted.len()];
        let ranked = histogram.at_ranks([first as u64, middle as u64, last as u64]);
        prop_assert_eq!(ranked, [first, middle, last].map(|rank| all[rank - 1]));
        prop_assert_eq!(all.len(), sorted.len());
        let sum: u64 = histogram.bins().map(|(_, count)| count).sum();
        prop_assert_eq!(sum, histogram.count());
    }

    #[test]
    fn few_values_or_many_are_in_the_bins_that_each_has_alone(
        values in prop::collection::vec((value(), 0..6_u32), 1..60),
        busy in (value(), 1..40_i64, 0..1500_usize),
        halved_at in prop::collection::vec(0..2000_usize, 0..4),
        often in (value(), prop::sample::select(vec![1_u64, 255, 256, 257, 65_535, 70_000])),
    ) {
        let (centre, width, times) = busy;
        let near = (0..times as i64).map(|n| centre.saturating_add(n * n % 97 * width));
        let all = values.iter().flat_map(|(value, times)| (0..*times).map(|_| *value));
        let all: Vec<i64> = all.chain(near).collect();
        let mut histogram = Histogram::new();
        let mut halvings = 0;
        for (place, value) in all.iter().enumerate() {
            histogram.record(*value);
            if halved_at.contains(&place) {
                halvings += 1;
                histogram.coarsen();
            }
        }
        histogram.record_many(often.0, often.1);
        let alone = |value: i64| {
            let mut one = of(&[value]);
            (0..halvings).for_each(|_| { one.coarsen(); });
            one.at_ranks([1])[0]
        };
        let mut expected = BTreeMap::new();
        for (value, count) in all.iter().map(|value| (*value, 1)).chain([often]) {
            *expected.entry(alone(value)).or_insert(0) += count;
        }
        prop_assert!(histogram.bins().eq(expected));
    }

    #[test]
    fn merging_is_recording_in_one(
        one in prop::collection::vec(value(), 0..200),
        other in prop::collection::vec(value(), 0..200),
    ) {
        let mut merged = of(&one);
        merged.merge(&of(&other));
        let all = of(&[one, other].concat());
        prop_assert!(merged.bins().eq(all.bins()));
        prop_assert_eq!(merged.count(), all.count());

        let mut coarse = all.clone();
        coarse.coarsen();
        let mut empty = Histogram::new();
        empty.merge(&coarse);
        prop_assert_eq!(empty.bins_per_octave(), 256);
        prop_assert!(empty.bins().eq(coarse.bins()));
    }

    #[test]
    fn histograms_with_different_references_merge_by_the_difference(
        values in prop::collection::vec(0..500_i64, 1..200),
        shift in -500..500_i64,
    ) {
        let mut moved = Histogram::new();
        moved.merge_shifted(&of(&values), shift);
        let expected: Vec<i64> = values.iter().map(|value| value + shift).collect();
        prop_assert!(moved.bins().eq(of(&expected).bins()));
    }

    #[test]
    fn nearest_rank_is_the_least_value_that_reaches_the_share(
        values in prop::collection::vec(-300..300_i64, 1..120),
        permille in 1_usize..=1000,
    ) {
        let rank = (values.len() * permille).div_ceil(1000) as u64;
        prop_assert_eq!(of(&values).at_ranks([rank]), [delays::percentile(&values, permille)]);
    }
}

#[test]
fn hdrhistogram_sees_the_same_percentiles() {
    let mut theirs = hdrhistogram::Histogram::<u64>::new(3).unwrap();
    let mut ours = Histogram::new();
    let mut state = 0x2545_f491_4f6c_dd1d_u64;
    let count = 200_000;
    for _ in 0..count {
        state = state
            .wrapping_mul(6_364_136_223_846_793_005)
            .wrapping_add(1_442_695_040_888_963_407);
        let value = (1_000.0 * 2_f64.powf((state >> 40) as f64 / f64::from(1 << 20))) as u64;
        theirs.record(value).unwrap();
        ours.record(value as i64);
    }
    for permille in [1, 10, 250, 500, 900, 950, 990, 999] {
        let [ours] = ours.at_ranks([count * permille / 1000]);
        let theirs = theirs.value_at_quantile(permille as f64 / 1000.0);
        let ratio = ours as f64 / theirs as f64;
        assert!(
            (ratio - 1.0).abs() < 0.003,
            "{permille}: {ours} and {theirs}"
        );
    }
}

#[test]
fn counts_of_ten_billion_packets_do_not_overflow() {
    let mut histogram = Histogram::new();
    histogram.record_many(0, 9_000_000_000);
    assert!(!histogram.record(0));
    histogram.record_many(1_000_000, 999_999_999);
    let other = histogram.clone();
    histogram.merge(&other);
    assert_eq!(histogram.count(), 20_000_000_000);
    let [first, last, next] = histogram.at_ranks([1, 18_000_000_002, 18_000_000_003]);
    assert_eq!((first, last), (0, 0));
    assert_eq!(
        histogram.bins().map(|(_, count)| count).collect::<Vec<_>>()[0],
        18_000_000_002
    );
    assert!(next.abs_diff(1_000_000) <= 976);
    assert!(!histogram.record_many(5, 0));
}

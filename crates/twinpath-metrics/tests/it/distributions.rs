//! Percentiles, distribution function, plain data and merging of delays against sorted lists.

use proptest::prelude::*;
use twinpath_metrics::{
    BadParts, BinCounts, BinEdges, Distribution, DistributionParts, MetricsConfig, SessionMetrics,
};

use crate::known_answers::data;
use crate::oracle::delays;
use crate::trace::{lost, received};

type Spoil = fn(&mut DistributionParts);

/// Forward and residence delays of a session: relative to the first, and as they are.
fn session(values: &[i64]) -> SessionMetrics {
    let mut metrics = SessionMetrics::new();
    for (seq, value) in (0..).zip(values) {
        // Delays long enough to be measured by one clock.
        metrics.record(&received(seq, *value, value.abs(), 10_000_000_000 - *value));
    }
    metrics
}

/// Delays of either sign, at any scale up to 4 s.
fn value() -> impl Strategy<Value = i64> {
    (31_u32..63, any::<i64>()).prop_map(|(shift, bits)| bits >> shift)
}

/// A delay is within half a bin of its distance from the reference.
fn within(told: i64, exact: i64, distribution: &Distribution) -> bool {
    let distance = exact.abs_diff(distribution.reference_ns().unwrap_or(0));
    let bins = u64::from(distribution.histogram().bins_per_octave());
    told.abs_diff(exact)
        <= if distance < 512 {
            0
        } else {
            distance / (2 * bins)
        }
}

proptest! {
    #[test]
    fn any_quantile_is_that_of_the_sorted_list(
        values in prop::collection::vec(value(), 1..200),
        p in 0_u32..=1000,
    ) {
        let metrics = session(&values);
        let forward = metrics.histograms().forward;
        let told = forward.quantile(f64::from(p) / 1000.0).unwrap();
        let exact = delays::percentile(&values, p.max(1) as usize);
        prop_assert!(within(told, exact, forward), "{} for {}", told, exact);
        prop_assert_eq!(forward.quantile(1.0), values.iter().max().copied());
        prop_assert_eq!(forward.quantile(0.0), values.iter().min().copied());
    }

    #[test]
    fn lost_packets_are_infinite_if_requested(
        values in prop::collection::vec(0..400_i64, 0..60),
        undefined in 0_u64..60,
    ) {
        let metrics = session(&values);
        let told = metrics.histograms().residence.percentiles_with_loss(undefined);
        // Infinite is a number beyond all others.
        let infinite = i64::MAX / 4;
        let mut all = values.clone();
        all.extend((0..undefined).map(|_| infinite));
        if all.is_empty() {
            prop_assert!(told.is_none());
            return Ok(());
        }
        let told = told.unwrap();
        let finite = |value: i64| (value < infinite / 2).then_some(value);
        prop_assert_eq!(told.undefined, undefined);
        for (permille, told) in
            [(900, told.p90_ns), (950, told.p95_ns), (990, told.p99_ns), (999, told.p999_ns)]
        {
            prop_assert_eq!(told, finite(delays::percentile(&all, permille)), "{}", permille);
        }
        let (lower, upper) = delays::middle(&all);
        let median = finite(upper).map(|upper| delays::mean(&[lower, upper]));
        prop_assert_eq!(told.median_ns, median);
        let residence = metrics.histograms().residence;
        prop_assert_eq!(residence.median_with_loss(undefined), median);
        prop_assert_eq!(residence.median(), residence.figures().map(|figures| figures.median_ns));
        prop_assert_eq!(residence.quantile_with_loss(0.9, undefined), told.p90_ns);
    }

    #[test]
    fn the_distribution_function_counts_what_is_at_most_a_value(
        values in prop::collection::vec(-500..500_i64, 1..100),
        x in -1200..1200_i64,
    ) {
        // Within 512 ns of the first, all values have bins of their own.
        let near: Vec<i64> = values.iter().map(|value| value / 2).collect();
        let metrics = session(&near);
        let expected = near.iter().filter(|value| **value <= x).count() as u64;
        prop_assert_eq!(metrics.histograms().forward.at_most(x), expected);
    }

    #[test]
    fn plain_data_and_back_loses_nothing(values in prop::collection::vec(value(), 0..200)) {
        let metrics = session(&values);
        let all = metrics.histograms();
        for distribution in [all.round_trip, all.forward, all.backward, all.residence] {
            let parts = distribution.parts();
            let back = Distribution::from_parts(&parts).unwrap();
            prop_assert_eq!(back.parts(), parts);
            prop_assert_eq!(back.figures(), distribution.figures());
        }
    }

    #[test]
    fn merged_runs_have_the_figures_of_one_run(
        runs in prop::collection::vec(prop::collection::vec(value(), 0..60), 1..5),
    ) {
        let mut merged = session(&runs[0]).histograms().forward.clone();
        let mut absolute = session(&runs[0]).histograms().residence.clone();
        for run in &runs[1..] {
            let other = session(run);
            merged.merge(other.histograms().forward);
            absolute.merge(other.histograms().residence);
        }
        let values = runs.concat();
        let Some(figures) = merged.figures() else {
            prop_assert!(values.is_empty());
            return Ok(());
        };
        prop_assert_eq!(figures.count, values.len() as u64);
        prop_assert_eq!(figures.min_ns, *values.iter().min().unwrap());
        prop_assert_eq!(figures.max_ns, *values.iter().max().unwrap());
        prop_assert_eq!(figures.mean_ns, delays::mean(&values));
        let stddev = delays::stddev(&values);
        prop_assert!((figures.stddev_ns as f64 - stddev).abs() <= 0.5 + stddev * 1e-9);
        let pairs: Vec<Vec<(u64, i64)>> =
            runs.iter().map(|run| (0..).zip(run.iter().copied()).collect()).collect();
        let ipdv = delays::ipdv_mean_abs(&pairs);
        prop_assert_eq!(figures.ipdv_mean_abs_ns.is_some(), ipdv.is_some());
        prop_assert!(
            (figures.ipdv_mean_abs_ns.unwrap_or(0) as f64 - ipdv.unwrap_or(0.0)).abs() <= 0.5 + 1e-6
        );
        prop_assert_eq!(figures.jitter_ns, None);
        // The middle of one bin falls into another: half a bin of each run, in distances from
        // references that differ by at most the whole range.
        let range = figures.min_ns.abs_diff(figures.max_ns);
        for (permille, told) in [(500, merged.quantile(0.5).unwrap()), (900, figures.p90_ns)] {
            let exact = delays::percentile(&values, permille);
            prop_assert!(told.abs_diff(exact) <= range / 512 + 2, "{} for {}", told, exact);
        }
        // As they are, values have the same bins in all runs.
        let one = session(&values);
        prop_assert_eq!(absolute.parts().histogram, one.histograms().residence.parts().histogram);
    }

    #[test]
    fn user_defined_bins_count_every_value_exactly(
        values in prop::collection::vec(-1000..1000_i64, 0..100),
        edges in prop::collection::btree_set(-1200..1200_i64, 1..40),
    ) {
        let edges: Vec<i64> = edges.into_iter().collect();
        let mut metrics = SessionMetrics::with_config(&MetricsConfig {
            bins: Some(BinEdges::new(&edges).unwrap()),
            ..MetricsConfig::default()
        });
        for (seq, value) in (0..).zip(&values) {
            metrics.record(&received(seq, *value, 5, 2 * value));
        }
        let bins = metrics.figures().bins.unwrap();
        for (bins, factor) in [(&bins.forward, 1), (&bins.backward, 2), (&bins.round_trip, 3)] {
            let within = |from: i64, to: i64| {
                let within = values.iter().filter(|value| (from..to).contains(&(**value * factor)));
                within.count() as u64
            };
            prop_assert_eq!(&bins.edges_ns, &edges);
            prop_assert_eq!(bins.below, within(i64::MIN, edges[0]));
            let counts: Vec<u64> = edges.windows(2).map(|two| within(two[0], two[1])).collect();
            prop_assert_eq!(&bins.counts, &counts);
            prop_assert_eq!(bins.above, within(*edges.last().unwrap(), i64::MAX));
        }
    }

    #[test]
    fn automatic_bins_are_few_and_hold_all_values(
        values in prop::collection::vec(value(), 1..200),
        most in 2_u16..100,
    ) {
        let metrics = session(&values);
        let bins: BinCounts = metrics.histograms().forward.automatic_bins(most).unwrap();
        prop_assert!(bins.counts.len() <= usize::from(most), "{}", bins.counts.len());
        prop_assert_eq!(bins.counts.iter().sum::<u64>(), values.len() as u64);
        prop_assert_eq!((bins.below, bins.above), (0, 0));
        let widths: Vec<i64> = bins.edges_ns.windows(2).map(|two| two[1] - two[0]).collect();
        prop_assert!(widths.iter().all(|width| *width == widths[0]));
        let [least, greatest] = [values.iter().min(), values.iter().max()].map(|end| *end.unwrap());
        prop_assert!(bins.edges_ns[0] <= least && least < bins.edges_ns[1]);
        let last = bins.counts.len();
        prop_assert!(bins.edges_ns[last - 1] <= greatest && greatest < bins.edges_ns[last]);
    }
}

#[test]
fn a_lost_packet_moves_the_median_as_rfc_7679_has_it() {
    let case = &data("percentiles")["stream2_rfc7679"];
    let mut metrics = SessionMetrics::new();
    for (seq, value) in (0..).zip(case["values"].as_array().unwrap()) {
        match value.as_i64() {
            Some(delay) => metrics.record(&received(seq, delay, 3, 0)),
            None => metrics.record(&lost(seq)),
        }
    }
    let figures = metrics.figures();
    let with_loss = figures.round_trip_with_loss.unwrap();
    assert_eq!(with_loss.median_ns, case["median"].as_i64());
    assert_eq!((with_loss.undefined, with_loss.p90_ns), (1, None));
    assert_eq!(figures.round_trip.unwrap().median_ns, 100);
    // The direction of the loss is unknown, so no direction has such a median.
    assert_eq!(figures.forward_with_loss, None);
}

#[test]
fn invalid_data_of_a_file_is_not_taken_for_a_distribution() {
    let metrics = session(&[-40_000, 20, 5_000_000, 70]);
    let good = metrics.histograms().forward.parts();
    let cases: [(Spoil, BadParts); 7] = [
        (|parts| parts.count += 1, BadParts::Count),
        (
            |parts| parts.histogram.bins_per_octave = 3,
            BadParts::Resolution,
        ),
        (
            |parts| parts.histogram.bins[1].upper_ns += 1,
            BadParts::Bounds,
        ),
        (|parts| parts.min_ns = parts.max_ns + 1, BadParts::Moments),
        (|parts| parts.sum_ns = i128::MAX, BadParts::Moments),
        (|parts| parts.squares_ns2 = f64::NAN, BadParts::Moments),
        (|parts| parts.squares_ns2 = -1.0, BadParts::Moments),
    ];
    for (place, (spoil, expected)) in cases.into_iter().enumerate() {
        let mut parts = good.clone();
        spoil(&mut parts);
        assert_eq!(
            Distribution::from_parts(&parts).err(),
            Some(expected),
            "case {place}"
        );
    }
    assert!(Distribution::from_parts(&good).is_ok());
}

#[test]
fn extreme_but_valid_data_is_read_merged_and_queried_without_a_panic() {
    let mut metrics = SessionMetrics::new();
    metrics.record(&received(0, 0, 0, 0));
    let mut low = metrics.histograms().forward.parts();
    low.histogram.reference_ns = Some(i64::MIN);
    (low.min_ns, low.max_ns, low.sum_ns) = (i64::MIN, i64::MIN, i128::from(i64::MIN));
    let mut high = low.clone();
    high.histogram.reference_ns = Some(i64::MAX);
    (high.min_ns, high.max_ns, high.sum_ns) = (i64::MAX, i64::MAX, i128::from(i64::MAX));
    for parts in [&mut low, &mut high] {
        (parts.ipdv_sum_ns, parts.ipdv_pairs) = (u128::MAX, u64::MAX);
    }
    let [low, high] = [low, high].map(|parts| Distribution::from_parts(&parts).unwrap());
    let mut merged = low.clone();
    merged.merge(&high);
    merged.merge(&low);
    let figures = merged.figures().unwrap();
    assert_eq!((figures.min_ns, figures.max_ns), (i64::MIN, i64::MAX));
    assert!(merged.at_most(0) >= 2);
    assert_eq!(merged.at_most(i64::MAX), 3);
    // As many values as 64 bits count, all of them far from the reference.
    let mut many = high.parts();
    many.histogram.reference_ns = Some(i64::MIN);
    many.count = u64::MAX;
    many.histogram.bins[0].count = u64::MAX;
    many.sum_ns = i128::from(u64::MAX) * i128::from(i64::MAX);
    let many = Distribution::from_parts(&many).unwrap();
    merged.merge(&many);
    merged.merge(&many);
    assert_eq!(merged.count(), u64::MAX);
    assert_eq!(merged.figures().unwrap().max_ns, i64::MAX);
    assert!(merged.at_most(i64::MAX - 1) > 0);
    let _ = merged.automatic_bins(50);
    let _ = merged.percentiles_with_loss(u64::MAX);
}

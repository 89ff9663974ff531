//! Median absolute deviation from the median: a spread that a few outliers do not move.

use super::distribution::{Distribution, middle};

/// The median of the distances of `values` from `median_ns`, nanoseconds. Each value is as exact as its
/// bin is wide.
pub(super) fn of(values: &Distribution, median_ns: i64) -> u64 {
    let bins: Vec<(i64, u64)> = values.binned().collect();
    let (below, above) = bins.split_at(bins.partition_point(|(value, _)| *value < median_ns));
    // From the median on, both ways: each side by itself comes in order of distance.
    let distance = |(value, count): &(i64, u64)| (value.abs_diff(median_ns), *count);
    let mut below = below.iter().rev().map(distance).peekable();
    let mut above = above.iter().map(distance).peekable();
    let mut in_order = std::iter::from_fn(|| match (below.peek(), above.peek()) {
        (Some(lower), Some(upper)) if lower < upper => below.next(),
        (Some(_), None) => below.next(),
        _ => above.next(),
    });
    let count = values.count();
    let (mut farthest, mut passed) = (0, 0_u64);
    let mut at = |rank: u64| {
        while passed < rank
            && let Some((distance, count)) = in_order.next()
        {
            farthest = distance;
            passed = passed.saturating_add(count);
        }
        i64::try_from(farthest).unwrap_or(i64::MAX)
    };
    let (lower, upper) = (at(count.div_ceil(2)), at(count / 2 + 1));
    middle(lower, upper).unsigned_abs()
}

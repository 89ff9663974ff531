//! Median absolute deviation from the median: a spread that a few outliers do not move.

use super::distribution::middle;

/// The median of the distances of the values of `bins` (least first, each with its count) from
/// `median_ns`, in nanoseconds. Each value is exact to the width of its bin.
pub(super) fn of(bins: &[(i64, u64)], median_ns: i64) -> u64 {
    let (below, above) = bins.split_at(bins.partition_point(|(value, _)| *value < median_ns));
    // From the median outwards: each side by itself is in order of distance.
    let distance = |(value, count): &(i64, u64)| (value.abs_diff(median_ns), *count);
    let mut below = below.iter().rev().map(distance).peekable();
    let mut above = above.iter().map(distance).peekable();
    let mut in_order = std::iter::from_fn(|| match (below.peek(), above.peek()) {
        (Some(lower), Some(upper)) if lower < upper => below.next(),
        (Some(_), None) => below.next(),
        _ => above.next(),
    });
    let count = bins
        .iter()
        .fold(0_u64, |sum, (_, count)| sum.saturating_add(*count));
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

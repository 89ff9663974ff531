//! Median absolute deviation from the median: a spread that a few outliers do not move.

use super::distribution::{Distribution, middle};

/// The median of the distances of `values` from `median_ns`, nanoseconds. Each value is as exact as its
/// bin is wide.
pub(super) fn of(values: &Distribution, median_ns: i64) -> u64 {
    let mut distances: Vec<(u64, u64)> = values
        .binned()
        .map(|(value_ns, count)| (value_ns.abs_diff(median_ns), count))
        .collect();
    distances.sort_unstable();
    let at = |rank: u64| {
        let mut below = 0_u64;
        let found = distances.iter().find(|(_, count)| {
            below = below.saturating_add(*count);
            rank <= below
        });
        let distance = found.map_or(0, |(distance, _)| *distance);
        i64::try_from(distance).unwrap_or(i64::MAX)
    };
    let count = values.count();
    middle(at(count.div_ceil(2)), at(count / 2 + 1)).unsigned_abs()
}

//! Percentiles of values that each have an error.

use super::figures::Spread;
use crate::round;

/// This many values of about this size, in nanoseconds.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Item {
    pub(crate) value: f64,
    /// Their error, in addition to `width`.
    pub(crate) error: f64,
    /// The error added by their bin.
    pub(crate) width: f64,
    /// Bins grow with their values: `width` is this share of the value that was binned.
    pub(crate) share: f64,
    pub(crate) count: u64,
}

impl Item {
    fn total_error(&self) -> f64 {
        self.error + self.width
    }
}

/// Figures known without the items, in nanoseconds.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Ends {
    pub(crate) least: f64,
    pub(crate) greatest: f64,
    pub(crate) mean: f64,
}

/// Nearest rank (RFC 2330 section 11.3) of the items, and the largest error of a percentile due to
/// errors of the items, from the percentiles with all values at their lowest and at their highest.
pub(crate) fn spread(items: &mut [Item], ends: Ends) -> (Spread, f64) {
    let count = items.iter().map(|item| item.count).sum();
    let middle = at_ranks(items, count, |item| item.value);
    let low = at_ranks(items, count, |item| item.value - item.total_error());
    let high = at_ranks(items, count, |item| item.value + item.total_error());
    let within = |value: f64| value.max(ends.least).min(ends.greatest);
    let middle = middle.map(within);
    let mut error = 0.0_f64;
    for ((value, low), high) in middle.iter().zip(low).zip(high) {
        error = error.max(within(high) - value).max(value - within(low));
    }
    let [lower, upper, p95, p99, one_in_1000] = middle;
    let spread = Spread {
        count,
        min_ns: round::nearest(ends.least),
        max_ns: round::nearest(ends.greatest),
        mean_ns: round::nearest(ends.mean),
        median_ns: round::nearest(f64::midpoint(lower, upper)),
        p95_ns: round::nearest(p95),
        p99_ns: round::nearest(p99),
        p999_ns: round::nearest(one_in_1000),
    };
    (spread, error)
}

fn at_ranks(items: &mut [Item], count: u64, value: impl Fn(&Item) -> f64) -> [f64; 5] {
    items.sort_unstable_by(|a, b| value(a).total_cmp(&value(b)));
    let permille = |p: u128| {
        let rank = (u128::from(count) * p).div_ceil(1000);
        u64::try_from(rank).unwrap_or(count).max(1)
    };
    let ranks = [
        count.div_ceil(2),
        count / 2 + 1,
        permille(950),
        permille(990),
        permille(999),
    ];
    let mut values = [0.0; 5];
    let mut wanted = ranks.into_iter().zip(values.iter_mut()).peekable();
    let mut below = 0_u64;
    for item in items.iter() {
        below = below.saturating_add(item.count);
        while let Some((_, slot)) = wanted.next_if(|(rank, _)| *rank <= below) {
            *slot = value(item);
        }
    }
    if let Some(last) = items.last() {
        wanted.for_each(|(_, slot)| *slot = value(last));
    }
    values
}

//! Whole numbers to pixels.

use std::time::Duration;

/// Nanoseconds, and differences of them.
#[expect(
    clippy::cast_precision_loss,
    reason = "a picture has some thousand pixels; a float has 53 bits"
)]
pub(super) fn float(value: i64) -> f64 {
    value as f64
}

/// `a - b` without overflow.
#[expect(
    clippy::cast_precision_loss,
    reason = "a picture has some thousand pixels; a float has 53 bits"
)]
pub(super) fn difference(a: i64, b: i64) -> f64 {
    (i128::from(a) - i128::from(b)) as f64
}

/// Counts.
#[expect(
    clippy::cast_precision_loss,
    reason = "a picture has some thousand pixels; a float has 53 bits"
)]
pub(super) fn count(value: u64) -> f64 {
    value as f64
}

/// Places and lengths of lists.
pub(super) fn place(value: usize) -> f64 {
    count(u64::try_from(value).unwrap_or(u64::MAX))
}

/// Nanoseconds.
pub(super) fn nanoseconds(time: Duration) -> f64 {
    time.as_secs_f64() * 1e9
}

/// The nearest whole number; the ends of the scale beyond it, 0 for what is no number.
#[expect(
    clippy::cast_possible_truncation,
    reason = "`as` saturates, which is what is wanted"
)]
pub(super) fn whole(value: f64) -> i64 {
    value.round() as i64
}

/// How many, from 0 on.
pub(super) fn places(value: f64) -> usize {
    usize::try_from(whole(value.floor())).unwrap_or(0)
}

//! All rounding of the crate, in one place: nanoseconds are integers, except as floats in means of
//! squares.

/// `sum / count` rounded half away from zero (row M-12); 0 if `count` is 0.
pub(crate) fn mean(sum: i128, count: u64) -> i64 {
    let count = i128::from(count.max(1));
    let (quotient, rest) = (sum / count, sum % count);
    let away = if rest.abs() * 2 >= count {
        sum.signum()
    } else {
        0
    };
    saturated(quotient + away)
}

/// The nearest `i64`.
pub(crate) fn saturated(value: i128) -> i64 {
    i64::try_from(value).unwrap_or(if value < 0 { i64::MIN } else { i64::MAX })
}

/// The nearest float: exact up to 2^53 ns, which is 104 days.
#[expect(
    clippy::cast_precision_loss,
    reason = "a delay of over 104 days loses its last bits"
)]
pub(crate) fn float(value: i64) -> f64 {
    value as f64
}

/// The nearest float of an unsigned count or distance, as [`float`].
#[expect(
    clippy::cast_precision_loss,
    reason = "beyond 2^53 the last bits are not shown anyway"
)]
pub(crate) fn float_unsigned(value: u64) -> f64 {
    value as f64
}

/// `sum / count` as a float; 0 if `count` is 0.
#[expect(
    clippy::cast_precision_loss,
    reason = "a mean need not be exact beyond 2^-53 of itself"
)]
pub(crate) fn quotient(sum: i128, count: u64) -> f64 {
    sum as f64 / float_unsigned(count.max(1))
}

/// `part / whole`; `None` if `whole` is 0.
pub fn ratio(part: u64, whole: u64) -> Option<f64> {
    (whole > 0).then(|| float_unsigned(part) / float_unsigned(whole))
}

/// `sum / count` of unsigned nanoseconds, rounded half up; `None` if `count` is 0.
pub(crate) fn mean_unsigned(sum: u128, count: u64) -> Option<u64> {
    let count = u128::from(count);
    let mean = sum.saturating_add(count / 2).checked_div(count)?;
    Some(u64::try_from(mean).unwrap_or(u64::MAX))
}

/// A float rounded half away from zero; negative values and NaN become 0, too large ones the
/// maximum.
#[expect(
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    reason = "`as` saturates, as the doc says"
)]
pub(crate) fn whole(value: f64) -> u64 {
    value.round() as u64
}

/// A float rounded half away from zero, saturating; NaN becomes 0.
#[expect(
    clippy::cast_possible_truncation,
    reason = "`as` saturates, as the doc says"
)]
pub(crate) fn nearest(value: f64) -> i64 {
    value.round() as i64
}

/// A length as a count.
pub(crate) fn count(length: usize) -> u64 {
    u64::try_from(length).unwrap_or(u64::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn halves_go_away_from_zero() {
        let table = [
            (5, 2, 3),
            (-5, 2, -3),
            (4, 3, 1),
            (-4, 3, -1),
            (5, 3, 2),
            (0, 7, 0),
        ];
        for (sum, count, expected) in table {
            assert_eq!(mean(sum, count), expected, "{sum} / {count}");
        }
        assert_eq!(mean(i128::from(i64::MAX) * 9, 3), i64::MAX);
        assert_eq!(mean(0, 0), 0);
    }

    #[test]
    fn floats_saturate() {
        assert_eq!(whole(2.5), 3);
        assert_eq!(whole(-1.0), 0);
        assert_eq!(whole(f64::NAN), 0);
        assert_eq!(whole(1e30), u64::MAX);
    }
}

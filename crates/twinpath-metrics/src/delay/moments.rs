//! Count, least, greatest, mean and standard deviation, computed with integers where possible (rows
//! M-12, M-13), never from the histogram.

use crate::round;

/// Moments of signed nanoseconds. The squares are those of the distances from the first value
/// (Welford), so that a clock offset of hours costs no precision.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Moments {
    count: u64,
    /// What distances are measured from: the first value.
    first: i64,
    min: i64,
    max: i64,
    sum: i128,
    mean: f64,
    squares: f64,
}

impl Moments {
    pub(crate) const fn new() -> Self {
        Self {
            count: 0,
            first: 0,
            min: 0,
            max: 0,
            sum: 0,
            mean: 0.0,
            squares: 0.0,
        }
    }

    pub(crate) fn record(&mut self, value_ns: i64) {
        if self.count == 0 {
            (self.first, self.min, self.max) = (value_ns, value_ns, value_ns);
        }
        self.count += 1;
        self.min = self.min.min(value_ns);
        self.max = self.max.max(value_ns);
        self.sum += i128::from(value_ns);
        let distance = round::float(value_ns.saturating_sub(self.first));
        let before = distance - self.mean;
        self.mean += before / round::float_unsigned(self.count);
        self.squares += before * (distance - self.mean);
    }

    /// From plain data; `base` is near the values. `None` if no set of values has these moments.
    pub(crate) fn from_parts(
        base: i64,
        count: u64,
        (min, max): (i64, i64),
        sum: i128,
        squares: f64,
    ) -> Option<Self> {
        if count == 0 {
            return (sum == 0).then(Self::default);
        }
        let n = i128::from(count);
        let possible = min <= max
            && (n * i128::from(min)..=n * i128::from(max)).contains(&sum)
            && squares.is_finite()
            && squares >= 0.0;
        possible.then(|| Self {
            count,
            first: base,
            min,
            max,
            sum,
            mean: round::quotient(sum.saturating_sub(n * i128::from(base)), count),
            squares,
        })
    }

    /// Adds the values of `other`, as if they had been recorded here (Chan, Golub and LeVeque for
    /// the squares).
    pub(crate) fn merge(&mut self, other: &Self) {
        if self.count == 0 || other.count == 0 {
            if self.count == 0 {
                *self = *other;
            }
            return;
        }
        let (ours, theirs) = (
            round::float_unsigned(self.count),
            round::float_unsigned(other.count),
        );
        let apart = other.mean - self.mean
            + round::quotient(i128::from(other.first) - i128::from(self.first), 1);
        self.squares += other.squares + apart * apart * (ours * theirs / (ours + theirs));
        self.mean += apart * (theirs / (ours + theirs));
        self.count = self.count.saturating_add(other.count);
        self.sum = self.sum.saturating_add(other.sum);
        self.min = self.min.min(other.min);
        self.max = self.max.max(other.max);
    }

    pub(crate) fn count(&self) -> u64 {
        self.count
    }

    /// Exact.
    pub(crate) fn sum(&self) -> i128 {
        self.sum
    }

    /// Sum of the squared distances from the mean.
    pub(crate) fn squares(&self) -> f64 {
        self.squares
    }

    /// The first value, if there is one: the reference of the relative histograms (row M-16).
    pub(crate) fn first(&self) -> Option<i64> {
        (self.count > 0).then_some(self.first)
    }

    pub(crate) fn min(&self) -> i64 {
        self.min
    }

    pub(crate) fn max(&self) -> i64 {
        self.max
    }

    /// Arithmetic mean over a 128-bit sum, rounded half away from zero.
    pub(crate) fn mean(&self) -> i64 {
        round::mean(self.sum, self.count)
    }

    /// Population standard deviation (RFC 8912 section 7.4.2.5), rounded.
    pub(crate) fn stddev(&self) -> u64 {
        let variance = self.squares / round::float_unsigned(self.count.max(1));
        round::whole(variance.max(0.0).sqrt())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_offset_of_hours_leaves_the_deviation_alone() {
        let hours = 7 * 3_600_000_000_000;
        let mut plain = Moments::default();
        let mut offset = Moments::default();
        for value in (0..99_900).map(|i| (i * 7919) % 999) {
            plain.record(value);
            offset.record(value - hours);
        }
        assert_eq!(plain.stddev(), offset.stddev());
        assert_eq!(plain.mean() - hours, offset.mean());
        assert_eq!(offset.min(), plain.min() - hours);
        assert_eq!(plain.stddev(), 288);
    }

    #[test]
    fn one_value_deviates_by_nothing() {
        let mut one = Moments::default();
        assert_eq!(one.first(), None);
        one.record(i64::MIN);
        assert_eq!(
            (one.mean(), one.stddev(), one.first()),
            (i64::MIN, 0, Some(i64::MIN))
        );
    }
}

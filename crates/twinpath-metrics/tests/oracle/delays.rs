//! Delay, its percentiles and its variation over a list.

/// Nearest rank (RFC 2330 section 11.3): the least value with at least `permille` of all values
/// at or below it.
pub(crate) fn percentile(values: &[i64], permille: usize) -> i64 {
    let mut sorted = values.to_vec();
    sorted.sort_unstable();
    let reached = |x: i64| {
        sorted.iter().filter(|value| **value <= x).count() * 1000 >= permille * sorted.len()
    };
    *sorted.iter().find(|x| reached(**x)).unwrap()
}

/// The middle value, or the two middle values (RFC 2330 section 11.3).
pub(crate) fn middle(values: &[i64]) -> (i64, i64) {
    let mut sorted = values.to_vec();
    sorted.sort_unstable();
    let n = sorted.len();
    if n % 2 == 1 {
        (sorted[n / 2], sorted[n / 2])
    } else {
        (sorted[n / 2 - 1], sorted[n / 2])
    }
}

/// Arithmetic mean, in whole nanoseconds and sixteenths enough to round it by.
pub(crate) fn mean(values: &[i64]) -> i64 {
    let sum: i128 = values.iter().map(|value| i128::from(*value)).sum();
    let n = i128::try_from(values.len()).unwrap();
    let doubled = sum.abs() * 2 + n;
    i64::try_from(doubled / (2 * n) * sum.signum()).unwrap()
}

/// Population standard deviation, in two passes.
pub(crate) fn stddev(values: &[i64]) -> f64 {
    let n = values.len() as f64;
    let base = values[0];
    let mean = values
        .iter()
        .map(|value| (value - base) as f64)
        .sum::<f64>()
        / n;
    (values
        .iter()
        .map(|value| ((value - base) as f64 - mean).powi(2))
        .sum::<f64>()
        / n)
        .sqrt()
}

/// RFC 3550 section 6.4.1 over transit times in order of arrival; `None` restarts.
pub(crate) fn jitter(transits: &[Option<i64>]) -> Option<f64> {
    let last_part = transits.rsplit(Option::is_none).next().unwrap();
    let last_part: Vec<f64> = last_part
        .iter()
        .flatten()
        .map(|transit| *transit as f64)
        .collect();
    if last_part.len() < 2 {
        return None;
    }
    let mut j = 0.0;
    for pair in last_part.windows(2) {
        let d = (pair[1] - pair[0]).abs();
        j = j + (d - j) / 16.0;
    }
    Some(j)
}

/// Mean |D(i) - D(i-1)| over (number, delay) lists (RFC 3393); no pair spans two lists.
pub(crate) fn ipdv_mean_abs(parts: &[Vec<(u64, i64)>]) -> Option<f64> {
    let mut differences = Vec::new();
    for part in parts {
        for (i, delay) in part {
            for (before, earlier) in part {
                if before + 1 == *i {
                    differences.push((delay - earlier).abs() as f64);
                }
            }
        }
    }
    (!differences.is_empty()).then(|| differences.iter().sum::<f64>() / differences.len() as f64)
}

/// Median absolute deviation from the median, by sorting.
pub(crate) fn mad(values: &[i64]) -> u64 {
    let (lower, upper) = middle(values);
    let median = mean(&[lower, upper]);
    let distances: Vec<i64> = values
        .iter()
        .map(|value| i64::try_from(value.abs_diff(median)).unwrap())
        .collect();
    let (lower, upper) = middle(&distances);
    mean(&[lower, upper]).unsigned_abs()
}

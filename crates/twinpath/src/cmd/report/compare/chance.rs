//! How likely a difference is by chance alone: Student's t, Fisher's exact test, Holm's correction.

/// Two-sided probability of a t at least as far from 0, with `freedom` degrees (any positive number).
pub(super) fn student(t: f64, freedom: f64) -> f64 {
    if !t.is_finite() {
        return 0.0;
    }
    incomplete_beta(freedom / 2.0, 0.5, freedom / (freedom + t * t))
}

/// The t that is exceeded, on both sides together, with probability `p`.
pub(super) fn student_quantile(p: f64, freedom: f64) -> f64 {
    let (mut low, mut high) = (0.0, 1.0);
    while student(high, freedom) > p && high < 1e9 {
        high *= 2.0;
    }
    for _ in 0..100 {
        let middle = f64::midpoint(low, high);
        if student(middle, freedom) > p {
            low = middle;
        } else {
            high = middle;
        }
    }
    high
}

/// Fisher's exact test, two-sided: `hits` of `of` against `other_hits` of `other_of`.
pub(super) fn fisher(hits: u64, of: u64, other_hits: u64, other_of: u64) -> f64 {
    let (all, total) = (of + other_of, hits + other_hits);
    let least = total.saturating_sub(other_of);
    let most = total.min(of);
    let log = |k: u64| log_choose(of, k) + log_choose(other_of, total - k) - log_choose(all, total);
    let found = log(hits);
    // Those as unlikely as what was found, rounding aside.
    let p: f64 = (least..=most)
        .map(log)
        .filter(|log| *log <= found + 1e-7)
        .map(f64::exp)
        .sum();
    p.min(1.0)
}

/// Holm's step-down correction: each probability such that all together err as often as one.
pub(super) fn holm(ps: &mut [&mut f64]) {
    ps.sort_by(|one, other| one.total_cmp(other));
    let count = ps.len();
    let mut least: f64 = 0.0;
    for (place, p) in ps.iter_mut().enumerate() {
        least = least.max(**p * float(count - place)).min(1.0);
        **p = least;
    }
}

fn log_choose(n: u64, k: u64) -> f64 {
    log_gamma(real(n) + 1.0) - log_gamma(real(k) + 1.0) - log_gamma(real(n - k) + 1.0)
}

#[expect(clippy::cast_precision_loss, reason = "statistics of counts")]
pub(super) fn real(count: u64) -> f64 {
    count as f64
}

#[expect(clippy::cast_precision_loss, reason = "a handful")]
fn float(count: usize) -> f64 {
    count as f64
}

/// Stirling's series after shifting the argument above 10: 15 digits.
fn log_gamma(x: f64) -> f64 {
    let (mut x, mut shift) = (x, 0.0);
    while x < 10.0 {
        shift -= x.ln();
        x += 1.0;
    }
    let square = x * x;
    let series =
        (1.0 / 12.0 - (1.0 / 360.0 - (1.0 / 1260.0 - 1.0 / 1680.0 / square) / square) / square) / x;
    shift + (x - 0.5) * x.ln() - x + 0.5 * std::f64::consts::TAU.ln() + series
}

/// The regularised incomplete beta function by its continued fraction.
fn incomplete_beta(a: f64, b: f64, x: f64) -> f64 {
    if x <= 0.0 {
        return 0.0;
    }
    if x >= 1.0 {
        return 1.0;
    }
    let front =
        (log_gamma(a + b) - log_gamma(a) - log_gamma(b) + a * x.ln() + b * (1.0 - x).ln()).exp();
    // It converges fast on one side of the mean.
    if x < (a + 1.0) / (a + b + 2.0) {
        front * fraction(a, b, x) / a
    } else {
        1.0 - front * fraction(b, a, 1.0 - x) / b
    }
}

/// Modified Lentz's method.
fn fraction(a: f64, b: f64, x: f64) -> f64 {
    const TINY: f64 = 1e-300;
    let away = |value: f64| if value.abs() < TINY { TINY } else { value };
    let mut above = 1.0;
    let mut below = 1.0 / away(1.0 - (a + b) * x / (a + 1.0));
    let mut value = below;
    let mut m = 0.0;
    for _ in 0..1_000 {
        m += 1.0;
        let even = m * (b - m) * x / ((a + 2.0 * m - 1.0) * (a + 2.0 * m));
        below = 1.0 / away(1.0 + even * below);
        above = away(1.0 + even / above);
        value *= below * above;
        let odd = -(a + m) * (a + b + m) * x / ((a + 2.0 * m) * (a + 2.0 * m + 1.0));
        below = 1.0 / away(1.0 + odd * below);
        above = away(1.0 + odd / above);
        value *= below * above;
        if (below * above - 1.0).abs() < 1e-14 {
            break;
        }
    }
    value
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn student_s_t_has_the_values_of_its_tables() {
        // Two-sided 5 % and 1 %.
        for (freedom, at_5, at_1) in [
            (1.0, 12.706, 63.657),
            (5.0, 2.571, 4.032),
            (10.0, 2.228, 3.169),
            (30.0, 2.042, 2.750),
            (1e6, 1.960, 2.576),
        ] {
            assert!(
                (student_quantile(0.05, freedom) - at_5).abs() < 6e-4,
                "{freedom}"
            );
            assert!(
                (student_quantile(0.01, freedom) - at_1).abs() < 6e-4,
                "{freedom}"
            );
            assert!((student(at_5, freedom) - 0.05).abs() < 1e-4, "{freedom}");
        }
        assert!((student(0.0, 7.0) - 1.0).abs() < 1e-12);
        assert!(student(f64::INFINITY, 7.0) < 1e-12);
    }

    #[test]
    fn fisher_s_test_has_the_values_of_the_tea_lady() {
        // Fisher, The Design of Experiments, chapter 2: 1 in 70 on one side.
        assert!((fisher(4, 4, 0, 4) - 2.0 / 70.0).abs() < 1e-9);
        assert!((fisher(3, 4, 1, 4) - 34.0 / 70.0).abs() < 1e-9);
        assert!((fisher(0, 100, 0, 100) - 1.0).abs() < 1e-9);
        assert!(fisher(0, 100_000, 100, 100_000) < 1e-20);
        assert!((fisher(5, 1_000, 5, 1_000) - 1.0).abs() < 1e-6);
    }

    #[test]
    fn holm_multiplies_the_least_most() {
        let (mut a, mut b, mut c) = (0.04, 0.01, 0.03);
        holm(&mut [&mut a, &mut b, &mut c]);
        for (found, expected) in [(a, 0.06), (b, 0.03), (c, 0.06)] {
            assert!((found - expected).abs() < 1e-12, "{found} {expected}");
        }
    }

    #[test]
    fn student_s_t_has_values_of_exact_integrals() {
        // Two-sided, worked out with 30 digits as an incomplete beta function.
        for (t, freedom, p) in [
            (0.5, 1.0, 0.704_832_764_699_133_5),
            (2.0, 2.0, 0.183_503_419_072_273_8),
            (2.570_581_835_636_314, 5.0, 0.05),
            (3.5, 7.5, 0.008_948_871_980_079_34),
            (-1.2, 24.3, 0.241_708_392_370_250_2),
            (4.0, 100.0, 0.000_121_523_644_300_761_7),
        ] {
            let found = student(t, freedom);
            assert!((found - p).abs() < 1e-10, "{t} {freedom}: {found}, {p}");
            let back = student_quantile(p, freedom);
            assert!((back - f64::abs(t)).abs() < 1e-8, "{t} {freedom}: {back}");
        }
    }

    #[test]
    fn fisher_s_test_has_the_values_of_exact_fractions() {
        // Added up in whole numbers, and divided once.
        for ([hits, of, other_hits, other_of], p) in [
            ([1, 10, 9, 10], 0.001_093_333_910_671_372),
            ([8, 10, 1, 6], 0.034_965_034_965_034_97),
            ([3, 1_000, 12, 1_000], 0.034_491_425_398_052_215),
            ([0, 5_000, 4, 5_000], 0.124_924_996_250_750_42),
            ([17, 300, 5, 250], 0.030_231_111_491_161_31),
            ([2, 7, 8, 11], 0.144_796_380_090_497_75),
        ] {
            let found = fisher(hits, of, other_hits, other_of);
            assert!(
                (found - p).abs() < 1e-9,
                "{hits}/{of} {other_hits}/{other_of}: {found}, {p}"
            );
            let turned = fisher(other_hits, other_of, hits, of);
            assert!((found - turned).abs() < 1e-9, "no matter which comes first");
        }
    }

    #[test]
    fn holm_steps_down_and_never_up() {
        // By hand: 4 x 0.005, 3 x 0.011, then 2 x 0.02 and 0.04, which is no less.
        let mut ps = [0.02, 0.005, 0.04, 0.011];
        holm(&mut ps.each_mut().map(|p| p)[..]);
        for (found, expected) in ps.into_iter().zip([0.04, 0.02, 0.04, 0.033]) {
            assert!((found - expected).abs() < 1e-12, "{ps:?}");
        }
        let mut ps = [0.9, 0.6];
        holm(&mut ps.each_mut().map(|p| p)[..]);
        assert!(
            ps.iter().all(|p| (p - 1.0).abs() < 1e-12),
            "a probability at most"
        );
    }
}

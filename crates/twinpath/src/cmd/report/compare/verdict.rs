//! What a comparison of two figures comes to: changed, unchanged within so much, or undecided.

use super::blocks::Estimate;
use super::chance::{fisher, real, student, student_quantile};
use super::{Change, Unit};

/// A difference that chance makes less often than this is a change.
pub(super) const CHANCE: f64 = 0.05;
/// Degrees of freedom with which Student's distribution is the normal one.
const NORMAL: f64 = 1e6;
/// More losses than this are counted as though they were normal.
const EXACT: u64 = 10_000;
/// A change of a delay that matters: this share of it, and no less than stamps are off by.
const MATTERS: f64 = 0.1;
const MATTERS_NS: f64 = 20_000.0;
/// A change of a loss ratio that matters.
const MATTERS_RATIO: f64 = 0.01;

/// What is known of a difference.
#[derive(Clone, Debug, PartialEq)]
pub(super) enum Verdict {
    /// Chance alone hardly makes it.
    Changed,
    /// A change of more than this would have been noticed, and one that matters is more.
    Unchanged { within: f64 },
    /// Why it is undecided.
    Undecided { why: String },
    /// Undecided: a change of up to this would not have been noticed.
    Unnoticed { within: f64 },
    /// There is no such figure in either run.
    Absent,
}

impl Change {
    /// Once its probability is corrected.
    pub(super) fn verdict(&self) -> Verdict {
        let undecided = |why: &str| Verdict::Undecided {
            why: why.to_owned(),
        };
        match self.values {
            [None, None] => return Verdict::Absent,
            [Some(_), Some(_)] => {}
            _ => return undecided("unknown in one of the runs"),
        }
        if self.observed {
            return Verdict::Changed;
        }
        if let Some(why) = &self.doubt {
            return undecided(why);
        }
        let (Some(p), Some([low, high])) = (self.p_holm, self.interval) else {
            return undecided("too few packets");
        };
        if p < CHANCE {
            return Verdict::Changed;
        }
        let within = low.abs().max(high.abs());
        if within <= self.matters() {
            Verdict::Unchanged { within }
        } else {
            Verdict::Unnoticed { within }
        }
    }

    /// The least change that would be worth a word.
    fn matters(&self) -> f64 {
        match self.unit {
            Unit::Nanoseconds => {
                let values = self.values.iter().flatten();
                let greatest = values.fold(0.0_f64, |greatest, value| greatest.max(value.abs()));
                (greatest * MATTERS).max(MATTERS_NS)
            }
            Unit::Ratio => MATTERS_RATIO,
        }
    }
}

/// Welch's test: the interval of the difference, and how often chance makes it.
pub(super) fn welch_test(before: Estimate, after: Estimate) -> ([f64; 2], f64) {
    let difference = after.value - before.value;
    let [one, other] = [before, after].map(|estimate| estimate.error * estimate.error);
    let error = (one + other).sqrt();
    if error <= 0.0 {
        let p = if difference == 0.0 { 1.0 } else { 0.0 };
        return ([difference; 2], p);
    }
    let freedom =
        (one + other).powi(2) / (one * one / before.freedom + other * other / after.freedom);
    let reach = student_quantile(CHANCE, freedom) * error;
    let p = student(difference / error, freedom);
    ([difference - reach, difference + reach], p)
}

/// How uncertain a loss is beside one of packets that are lost each by itself.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) struct Clustering {
    /// The factor of the variance; 1 at least.
    pub(super) times: f64,
    /// Losses in a row, how many there are.
    pub(super) runs: f64,
    /// How many of them are one burst; 1 at least.
    pub(super) runs_of_burst: f64,
    /// Degrees of freedom of `times`; `None`: as though it were known.
    pub(super) freedom: Option<f64>,
}

impl Clustering {
    /// Of a run without a loss, or without anything else.
    pub(super) const ALONE: Self = Self {
        times: 1.0,
        runs: 0.0,
        runs_of_burst: 1.0,
        freedom: None,
    };

    /// Bursts of losses that are independent of each other.
    pub(super) fn bursts(self) -> f64 {
        self.runs / self.runs_of_burst
    }

    /// Losses in a row of a burst, on average.
    fn length(self, lost: u64) -> f64 {
        (real(lost) / self.bursts().max(1.0)).max(1.0)
    }
}

/// As [`test_loss`], with packets of each run under way at its end: the interval
/// that holds whether they were lost or not, and the less sure probability.
pub(super) fn test_losses(
    counts: [(u64, u64); 2],
    under_way: [u64; 2],
    clustering: [Clustering; 2],
) -> ([f64; 2], f64) {
    let (mut interval, mut p) = test_loss(counts, clustering);
    if under_way == [0; 2] {
        return (interval, p);
    }
    let [before, after] = counts;
    let mut ways = [false; 2];
    for lost in [[true, false], [false, true]] {
        let with = |(lost, sent): (u64, u64), more: u64, are_lost: bool| {
            let lost_more = if are_lost { more } else { 0 };
            (lost.saturating_add(lost_more), sent.saturating_add(more))
        };
        let counts = [
            with(before, under_way[0], lost[0]),
            with(after, under_way[1], lost[1]),
        ];
        let ([low, high], other_p) = test_loss(counts, clustering);
        interval = [interval[0].min(low), interval[1].max(high)];
        p = p.max(other_p);
        let [ratio, other_ratio] = counts.map(|(lost, sent)| real(lost) / real(sent.max(1)));
        ways[0] |= other_ratio <= ratio;
        ways[1] |= other_ratio >= ratio;
    }
    // Where either run may have lost more, no difference is sure.
    (interval, if ways == [true; 2] { 1.0 } else { p })
}

/// Lost and sent packets of two runs, and how their losses cluster. The interval is Newcombe's, of
/// Wilson's for each run: it holds where nothing or everything was lost, and stays within 100 points.
pub(super) fn test_loss(counts: [(u64, u64); 2], clustering: [Clustering; 2]) -> ([f64; 2], f64) {
    let [before, after] = counts;
    let [one, other] = clustering;
    // The best estimate of a burst's length in a run without any is the other run's.
    let shares = [
        Share::of(before, one, other.length(after.0)),
        Share::of(after, other, one.length(before.0)),
    ];
    let [
        Share { ratio, .. },
        Share {
            ratio: other_ratio, ..
        },
    ] = shares;
    let [[low, high], [other_low, other_high]] = shares.map(Share::interval);
    let difference = other_ratio - ratio;
    let down = (other_ratio - other_low).hypot(high - ratio);
    let up = (other_high - other_ratio).hypot(ratio - low);
    let interval = [(difference - down).max(-1.0), (difference + up).min(1.0)];
    (interval, by_chance(counts, clustering, shares))
}

/// How often chance makes such a difference of losses. Where a run has none, by how many bursts began
/// in the other, of the packets with which one might have; otherwise by that or by the odds of a loss.
fn by_chance(counts: [(u64, u64); 2], clustering: [Clustering; 2], shares: [Share; 2]) -> f64 {
    let [(lost, sent), (other_lost, other_sent)] = counts;
    let each_alone = if lost + other_lost <= EXACT {
        fisher(lost, sent, other_lost, other_sent)
    } else {
        0.0
    };
    let all_lost = counts.iter().any(|(lost, sent)| lost == sent);
    let began = || {
        let [one, other] = clustering;
        // As many in both: two runs alike would differ in their bursts if one alone showed that several
        // losses in a row are one burst.
        let runs_of_burst = one.runs_of_burst.max(other.runs_of_burst);
        let of = |lost: u64, sent: u64, it: Clustering| {
            let bursts = whole(it.runs / runs_of_burst).clamp(u64::from(lost > 0), lost);
            (bursts, sent - lost + bursts)
        };
        let (bursts, of_packets) = of(lost, sent, one);
        let (other_bursts, of_others) = of(other_lost, other_sent, other);
        fisher(bursts, of_packets, other_bursts, of_others)
    };
    let p = if lost == 0 || other_lost == 0 {
        began()
    } else if all_lost {
        0.0
    } else {
        // Of independent packets, the logarithm of the odds has this variance.
        let estimates = shares.map(|share| Estimate {
            value: (share.ratio / (1.0 - share.ratio)).ln(),
            error: (share.size * share.ratio * (1.0 - share.ratio))
                .sqrt()
                .recip(),
            freedom: share.freedom,
        });
        let [one, other] = estimates;
        // The better of two tests has twice as many chances.
        (2.0 * welch_test(one, other).1.min(began())).min(1.0)
    };
    p.max(each_alone)
}

#[expect(
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    reason = "a count that is no more than that of all packets"
)]
fn whole(count: f64) -> u64 {
    count.round() as u64
}

/// A share of packets, and how many of them are independent of each other.
#[derive(Clone, Copy)]
struct Share {
    ratio: f64,
    size: f64,
    freedom: f64,
}

impl Share {
    /// Lost and sent packets. `length`: of a burst, if the run had none.
    fn of((lost, sent): (u64, u64), clustering: Clustering, length: f64) -> Self {
        let times = if lost == 0 { length } else { clustering.times };
        let sent = real(sent.max(1));
        Self {
            ratio: real(lost) / sent,
            size: sent / times,
            freedom: clustering.freedom.unwrap_or(NORMAL),
        }
    }

    /// Wilson's.
    fn interval(self) -> [f64; 2] {
        let Self {
            ratio,
            size,
            freedom,
        } = self;
        let z = student_quantile(CHANCE, freedom);
        let square = z * z;
        let middle = ratio + square / (2.0 * size);
        let reach = z * (ratio * (1.0 - ratio) / size + square / (4.0 * size * size)).sqrt();
        let scale = 1.0 + square / size;
        [(middle - reach) / scale, (middle + reach) / scale].map(|at| at.clamp(0.0, 1.0))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Losses each by itself.
    fn alone(counts: [(u64, u64); 2]) -> [Clustering; 2] {
        counts.map(|(lost, _)| Clustering {
            runs: real(lost),
            ..Clustering::ALONE
        })
    }

    #[test]
    fn intervals_of_shares_have_newcombe_s_values_and_stay_within_100_points() {
        // Newcombe (1998), table II, method 10.
        for (counts, expected) in [
            ([(48, 80), (56, 70)], [0.0524, 0.3339]),
            ([(3, 10), (9, 10)], [0.1705, 0.8090]),
            ([(0, 20), (10, 10)], [0.6791, 1.0]),
            ([(0, 10), (0, 20)], [-0.2775, 0.1611]),
        ] {
            let ([low, high], _) = test_loss(counts, alone(counts));
            let [want_low, want_high] = expected;
            assert!((low - want_low).abs() < 2e-4, "{counts:?}: {low} {high}");
            assert!((high - want_high).abs() < 2e-4, "{counts:?}: {low} {high}");
            let [(lost, sent), other] = counts;
            let turned = [other, (lost, sent)];
            let ([back_low, back_high], _) = test_loss(turned, alone(turned));
            assert!((back_low + high).abs() < 1e-9 && (back_high + low).abs() < 1e-9);
        }
        let bursty = Clustering {
            times: 800.0,
            runs: 2.2,
            runs_of_burst: 2.0,
            freedom: Some(1.1),
        };
        for one in [(0, 1), (1, 1), (0, 1_000), (500, 1_000), (1_000, 1_000)] {
            for other in [(0, 1), (1, 1), (0, 1_000), (500, 1_000), (1_000, 1_000)] {
                for clustering in [
                    [Clustering::ALONE; 2],
                    [bursty; 2],
                    [Clustering::ALONE, bursty],
                ] {
                    let ([low, high], p) = test_loss([one, other], clustering);
                    assert!(-1.0 <= low && low <= high && high <= 1.0, "{low} {high}");
                    assert!((0.0..=1.0).contains(&p), "{p}");
                }
            }
        }
    }
}

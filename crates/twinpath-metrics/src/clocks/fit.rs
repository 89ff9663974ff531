//! The line of one clock's offset from the other over time, and its error bound (rows M-50 to
//! M-54).
//!
//! Apart from errors of timestamps, a delay is never negative, so the true offset lies below every
//! T2 - T1 and above every T3 - T4. If both clocks run at constant rates, the truth is one of the
//! straight lines between those two sets of points. The estimate is the one of row M-53; the bound
//! is its greatest distance from any line that the points allow. Unlike the formula of row M-53,
//! that also holds if least delays drift in opposite directions.

use super::hull::{Point, least};
use super::points::{Pair, Points};

/// The sign with which the offset enters a delay: added to T2 - T1, subtracted from T4 - T3.
pub(crate) const SIGN: [f64; 2] = [1.0, -1.0];
/// The greatest relative rate of two clocks that is assumed unless the packets show a greater one:
/// NTP's own limit (RFC 5905 section 7.1, 500 ppm), and that of row M-56.
const GREATEST_SKEW: f64 = 500e-6;
/// The greatest relative rate of two crystals, each within 100 ppm of its nominal rate.
const GREATEST_STEADY: f64 = 200e-6;
/// The greatest rate that packets can show, a tenth. Clocks that are being slewed fast stay below;
/// times whose fraction is misread are slow by more than that.
const GREATEST_SHOWN: f64 = 0.1;
/// With less than these no skew is estimated (row M-54).
const LEAST_SPAN_NS: f64 = 10e9;
const LEAST_PACKETS: u64 = 30;
/// If the least round trip changes over a run by both this share and this amount, the path changed.
const CHANGED_SHARE: f64 = 0.1;
const CHANGED_NS: f64 = 100_000.0;

/// Reflector's clock minus sender's clock, by the sender's time, both relative to the origin.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Line {
    pub(crate) slope: f64,
    pub(crate) at_0: f64,
}

/// A range of relative rates.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Rates {
    pub(crate) least: f64,
    pub(crate) greatest: f64,
}

impl Rates {
    /// The rates of ordinary clocks.
    pub(crate) const ORDINARY: Self = Self {
        least: -GREATEST_SKEW,
        greatest: GREATEST_SKEW,
    };
    /// The rates of two clocks that none corrects.
    pub(crate) const STEADY: Self = Self {
        least: -GREATEST_STEADY,
        greatest: GREATEST_STEADY,
    };
    /// All rates that packets can show.
    const ANY: Self = Self {
        least: -GREATEST_SHOWN,
        greatest: GREATEST_SHOWN,
    };

    /// The rates of all lines that fit these points, extended on either side by the ordinary range.
    /// `None` if no line fits.
    pub(crate) fn shown(above: &[Point], below: &[Point], error: f64) -> Option<Self> {
        let (least, greatest) = slopes(above, below, error, Self::ANY).ok()?;
        Some(Self {
            least: least - GREATEST_SKEW,
            greatest: greatest + GREATEST_SKEW,
        })
    }
}

/// All lines that fit some points.
pub(crate) struct Lines<'a> {
    above: &'a [Point],
    below: &'a [Point],
    error: f64,
    /// The least and the greatest slope.
    slopes: (f64, f64),
}

impl<'a> Lines<'a> {
    /// Below all of `above` and, mirrored, of `below`, within `error`. `None` if no line is.
    pub(crate) fn of(
        above: &'a [Point],
        below: &'a [Point],
        error: f64,
        rates: Rates,
    ) -> Option<Self> {
        slopes(above, below, error, rates).ok().map(|slopes| Self {
            above,
            below,
            error,
            slopes,
        })
    }

    /// Their least and greatest value at a time that is not between those of the points.
    pub(crate) fn at(&self, x: f64) -> (f64, f64) {
        let [one, other] = [self.slopes.0, self.slopes.1].map(|slope| self.with_slope(slope, x));
        (one.0.min(other.0), one.1.max(other.1))
    }

    /// A line in their middle.
    pub(crate) fn middle(&self) -> Line {
        let slope = f64::midpoint(self.slopes.0, self.slopes.1);
        let (low, high) = self.with_slope(slope, 0.0);
        Line {
            slope,
            at_0: f64::midpoint(low, high),
        }
    }

    fn with_slope(&self, slope: f64, x: f64) -> (f64, f64) {
        (
            slope * x - least(self.below, -slope) - self.error,
            slope * x + least(self.above, slope) + self.error,
        )
    }
}

/// A line with its error bounds.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Fit {
    pub(crate) line: Line,
    /// Whether the run was long enough, with enough packets, to estimate a skew.
    pub(crate) skewed: bool,
    /// Greatest distance of the line from the truth, over the segment.
    pub(crate) bound: f64,
    /// Greatest error of the slope.
    pub(crate) slope_bound: f64,
    /// The estimated change of the offset's error over the segment (see [`wander`]).
    pub(crate) wander: f64,
    /// (k_f + k_b) of row M-52 over the segment is a large part of the round trip.
    pub(crate) path_change: bool,
    /// No straight line fits.
    pub(crate) contradicted: bool,
}

impl Line {
    pub(crate) fn at(self, x: f64) -> f64 {
        self.at_0 + self.slope * x
    }

    /// Whether it fits a packet whose delays may be off by `error`.
    #[inline]
    pub(crate) fn fits(self, pair: &Pair, error: f64) -> bool {
        let (above, below) = (pair.point(0), pair.point(1));
        self.at(above.x) <= above.y + error && self.at(below.x) >= -below.y - error
    }
}

impl Fit {
    /// Fits points whose delays may be off by `error`, in nanoseconds. `None` without a packet.
    pub(crate) fn of(points: &Points, error: f64, rates: Rates) -> Option<Self> {
        if points.count() == 0 {
            return None;
        }
        let [forward, backward] = points.low();
        let (a, b) = points.span();
        let allowed = slopes(forward.vertices(), backward.vertices(), error, rates);
        let means = points.mean_times();
        let k_f = forward.slope_over(means[0]).unwrap_or(0.0);
        let k_b = backward.slope_over(means[1]).unwrap_or(0.0);
        let enough = b - a >= LEAST_SPAN_NS && points.count() >= LEAST_PACKETS;
        let least_round_trip = (forward.least(0.0) + backward.least(0.0)).max(0.0);
        let change = (k_f + k_b).abs() * (b - a);
        let path_change =
            enough && change > CHANGED_NS && change > CHANGED_SHARE * least_round_trip;
        // A change of the path in one direction looks like a skew, so only the skew that the points
        // force is removed.
        let skewed = enough && !path_change;
        let wanted = if skewed { (k_f - k_b) / 2.0 } else { 0.0 };
        let slope = match &allowed {
            Ok((least, greatest)) => wanted.clamp(*least, *greatest),
            Err(best) => *best,
        };
        let high = forward.least(slope);
        let low = -backward.least(-slope);
        let line = Line {
            slope,
            at_0: f64::midpoint(low, high),
        };
        let (bound, slope_bound) = match &allowed {
            Ok(range) => (
                bound(
                    line,
                    (a, b),
                    *range,
                    [forward.vertices(), backward.vertices()],
                ) + error,
                (slope - range.0).max(range.1 - slope),
            ),
            Err(_) => (
                (low - high).abs() + distance(line, [forward.vertices(), backward.vertices()]),
                (rates.greatest - rates.least) / 2.0,
            ),
        };
        Some(Self {
            line,
            skewed,
            bound,
            slope_bound,
            wander: wander(points, line, (k_f + k_b).abs()).min(slope_bound * (b - a)),
            path_change,
            contradicted: allowed.is_err(),
        })
    }
}

/// Whether any straight line fits.
pub(crate) fn fits(points: &Points, error: f64, rates: Rates) -> bool {
    let [forward, backward] = points.low();
    slopes(forward.vertices(), backward.vertices(), error, rates).is_ok()
}

/// The least and greatest slope of a line below all of `above` and, mirrored, of `below`, within
/// `error`; if no line fits, the slope that comes nearest.
///
/// The gap between the two sets along a slope is a concave function of the slope: its maximum is
/// found by ternary search, the two ends of its positive range by bisection.
fn slopes(above: &[Point], below: &[Point], error: f64, rates: Rates) -> Result<(f64, f64), f64> {
    let room = |slope: f64| least(above, slope) + least(below, -slope) + 2.0 * error;
    let (mut left, mut right) = (rates.least, rates.greatest);
    for _ in 0..100 {
        let third = (right - left) / 3.0;
        if room(left + third) < room(right - third) {
            left += third;
        } else {
            right -= third;
        }
    }
    let best = f64::midpoint(left, right);
    if room(best) < 0.0 {
        return Err(best);
    }
    let end = |limit: f64| {
        if room(limit) >= 0.0 {
            return limit;
        }
        let (mut inside, mut outside) = (best, limit);
        for _ in 0..50 {
            let middle = f64::midpoint(inside, outside);
            if room(middle) < 0.0 {
                outside = middle;
            } else {
                inside = middle;
            }
        }
        outside
    };
    Ok((end(rates.least), end(rates.greatest)))
}

/// The greatest distance between `line` and any allowed one from time `a` to `b`. Two lines are
/// farthest apart at one of the ends, and there the extreme slopes give the extreme values.
fn bound(
    line: Line,
    (a, b): (f64, f64),
    (least_slope, greatest_slope): (f64, f64),
    [forward, backward]: [&[Point]; 2],
) -> f64 {
    let top = |x: f64, slope: f64| least(forward, slope) + slope * x - line.at(x);
    let bottom = |x: f64, slope: f64| line.at(x) - (slope * x - least(backward, -slope));
    top(a, least_slope)
        .max(top(b, greatest_slope))
        .max(bottom(a, greatest_slope))
        .max(bottom(b, least_slope))
        .max(0.0)
}

/// The greatest distance of a vertex from the line.
fn distance(line: Line, hulls: [&[Point]; 2]) -> f64 {
    hulls
        .into_iter()
        .zip(SIGN)
        .flat_map(|(points, sign)| {
            points
                .iter()
                .map(move |p| (p.y - sign * line.at(p.x)).abs())
        })
        .fold(0.0, f64::max)
}

/// The estimated change of the line's error from one end to the other.
///
/// If the least delay of a direction recurs in the first and last part of the run, its hull follows
/// the truth there, and its height above the chosen line at one and seven eighths shows the error
/// of the slope. Skew appears in both directions with opposite signs, so their disagreement adds to
/// it. The sum is doubled because packets with the least delay may be missing. This is an estimate,
/// not a bound: two routes that change in opposite directions look like a skew.
fn wander(points: &Points, line: Line, disagreement: f64) -> f64 {
    let (a, b) = points.span();
    let mut height = 0.0_f64;
    for (hull, sign) in points.low().iter().zip(SIGN) {
        let above = |share: f64| {
            let x = a + (b - a) * share;
            hull.height_over(x)
                .map_or(0.0, |y| y - sign * line.slope * x)
        };
        let floor = hull.least(sign * line.slope);
        height = height.max(above(0.125) - floor).max(above(0.875) - floor);
    }
    2.0 * (height * 4.0 / 3.0 + disagreement * (b - a) / 2.0)
}

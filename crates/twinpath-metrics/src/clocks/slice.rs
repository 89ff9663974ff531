//! Delays of a stretch of time, binned against the line assumed when it began.

use super::fit::{Line, SIGN};
use super::points::{Pair, Points};
use super::spread::Item;
use crate::Histogram;
use crate::round;

/// Two references that differ by less than this, or than this part of the least round trip, are
/// taken as equal and the difference as an error: moving values from bin to bin loses more.
const ALIKE_NS: f64 = 256.0;
const ALIKE_PART: f64 = 2048.0;

/// A trend, and the packets' differences after it is subtracted.
#[derive(Clone, Debug)]
pub(crate) struct Slice {
    slope: f64,
    /// Roughly the least difference of either direction after subtracting the slope: binned values
    /// are small, so bins are narrow.
    base: [f64; 2],
    /// The error of values from merging slices.
    smear: [f64; 2],
    /// How often values have been binned.
    binned: u32,
    span: (f64, f64),
    histograms: [Histogram; 2],
}

impl Slice {
    /// An empty slice against the line that fits the points so far.
    pub(crate) fn new(line: Line, known: &Points) -> Self {
        let mut base = [0.0; 2];
        for ((base, hull), sign) in base.iter_mut().zip(known.low()).zip(SIGN) {
            *base = hull.least(sign * line.slope);
        }
        Self {
            slope: line.slope,
            base,
            smear: [0.0; 2],
            binned: 1,
            span: (f64::INFINITY, f64::NEG_INFINITY),
            histograms: [Histogram::new(), Histogram::new()],
        }
    }

    /// Bins a packet; true if that claims more memory.
    #[inline]
    pub(crate) fn record(&mut self, pair: &Pair) -> bool {
        let mut grown = false;
        for (direction, ((histogram, base), sign)) in self
            .histograms
            .iter_mut()
            .zip(self.base)
            .zip(SIGN)
            .enumerate()
        {
            let point = pair.point(direction);
            self.span = (self.span.0.min(point.x), self.span.1.max(point.x));
            let rest = point.y - sign * self.slope * point.x - base;
            grown |= histogram.record(round::nearest(rest));
        }
        grown
    }

    /// Merges an earlier slice: its values move by the difference of the two lines in its middle,
    /// and the difference at its ends becomes an error.
    pub(crate) fn merge_earlier(&mut self, earlier: &Self) {
        let alike = (self.base.iter().sum::<f64>() / ALIKE_PART).max(ALIKE_NS);
        for (direction, sign) in SIGN.into_iter().enumerate() {
            let (Some(base), Some(histogram), Some(smear)) = (
                self.base.get(direction),
                self.histograms.get_mut(direction),
                self.smear.get_mut(direction),
            ) else {
                continue;
            };
            let Some((shift, error)) = earlier.moved(direction, sign * self.slope, *base) else {
                continue;
            };
            let Some(other) = earlier.histograms.get(direction) else {
                continue;
            };
            if shift.abs() < alike {
                histogram.merge(other);
                *smear = smear.max(error + shift.abs());
            } else {
                let bins = f64::from(other.bins_per_octave());
                histogram.merge_shifted(other, round::nearest(shift));
                *smear = smear.max(error + shift.abs() / (2.0 * bins) + 1.0);
                self.binned = self.binned.max(earlier.binned + 1);
            }
        }
        self.span = (
            self.span.0.min(earlier.span.0),
            self.span.1.max(earlier.span.1),
        );
    }

    /// The delays of one direction, given `line`.
    pub(crate) fn items(&self, direction: usize, line: Line, into: &mut Vec<Item>) {
        let sign = SIGN.get(direction).copied().unwrap_or(1.0);
        let (Some((shift, error)), Some(histogram)) = (
            self.moved(direction, sign * line.slope, sign * line.at_0),
            self.histograms.get(direction),
        ) else {
            return;
        };
        let share = f64::from(self.binned) / (2.0 * f64::from(histogram.bins_per_octave()));
        into.extend(histogram.bins().map(|(value, count)| Item {
            value: round::float(value) + shift,
            error: error + 0.5 * f64::from(self.binned),
            share,
            width: bin_error(value, share),
            count,
        }));
    }

    pub(crate) fn heap_octets(&self) -> usize {
        self.histograms.iter().map(Histogram::heap_octets).sum()
    }

    pub(crate) fn claimed_octets(&self) -> usize {
        self.histograms.iter().map(Histogram::claimed_octets).sum()
    }

    /// Halves the resolution; false if it is already the coarsest.
    pub(crate) fn coarsen(&mut self) -> bool {
        self.histograms
            .iter_mut()
            .fold(false, |any, histogram| histogram.coarsen() | any)
    }

    /// How far values move relative to another line (in this direction's sign), and the resulting
    /// error. `None` in an empty slice.
    fn moved(&self, direction: usize, slope: f64, base: f64) -> Option<(f64, f64)> {
        let (a, b) = self.span;
        if a > b {
            return None;
        }
        let sign = SIGN.get(direction)?;
        let turn = sign * self.slope - slope;
        let shift = self.base.get(direction)? - base + turn * f64::midpoint(a, b);
        Some((
            shift,
            self.smear.get(direction)? + turn.abs() * (b - a) / 2.0,
        ))
    }
}

/// The largest distance of a bin's middle from its values: zero below 512, then a share.
pub(crate) fn bin_error(value: i64, share: f64) -> f64 {
    let magnitude = value.unsigned_abs();
    if magnitude < 512 {
        0.0
    } else {
        round::float_unsigned(magnitude) * share
    }
}

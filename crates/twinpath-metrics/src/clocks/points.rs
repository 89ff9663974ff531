//! Summary of the points of a stretch of time: hulls, counts and sums.

use super::hull::{Hull, Point};
use crate::round;

/// The two differences of one packet: forward (T1, T2 - T1), backward (T4, T4 - T3), relative to
/// the segment's origin; nanoseconds.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Pair {
    pub(crate) x: [i64; 2],
    pub(crate) y: [i64; 2],
}

impl Pair {
    pub(crate) fn point(&self, direction: usize) -> Point {
        let of = |values: [i64; 2]| {
            values
                .get(direction)
                .map_or(0.0, |value| round::float(*value))
        };
        Point {
            x: of(self.x),
            y: of(self.y),
        }
    }

    /// (T2 - T1) + (T4 - T3).
    pub(crate) fn round_trip(&self) -> i64 {
        self.y[0].saturating_add(self.y[1])
    }
}

/// Hulls and sums of both directions.
#[derive(Clone, Debug)]
pub(crate) struct Points {
    count: u64,
    /// Lower hulls: the least delays.
    low: [Hull; 2],
    /// Upper hulls, mirrored: the greatest delays.
    top: [Hull; 2],
    sum_x: [i128; 2],
    sum_y: [i128; 2],
    span: (f64, f64),
}

impl Points {
    /// With hulls of at most this many vertices.
    pub(crate) fn new(most: usize) -> Self {
        Self {
            count: 0,
            low: [Hull::new(most), Hull::new(most)],
            top: [Hull::new(most), Hull::new(most)],
            sum_x: [0; 2],
            sum_y: [0; 2],
            span: (f64::INFINITY, f64::NEG_INFINITY),
        }
    }

    #[inline]
    pub(crate) fn record(&mut self, pair: &Pair) {
        self.count += 1;
        for (direction, (low, top)) in self.low.iter_mut().zip(&mut self.top).enumerate() {
            let point = pair.point(direction);
            low.insert(point);
            top.insert(Point {
                y: -point.y,
                ..point
            });
            self.span = (self.span.0.min(point.x), self.span.1.max(point.x));
        }
        for (sum, value) in self.sum_x.iter_mut().zip(pair.x) {
            *sum += i128::from(value);
        }
        for (sum, value) in self.sum_y.iter_mut().zip(pair.y) {
            *sum += i128::from(value);
        }
    }

    pub(crate) fn merge(&mut self, other: &Self) {
        self.count += other.count;
        for (hull, more) in self.low.iter_mut().zip(&other.low) {
            hull.merge(more);
        }
        for (hull, more) in self.top.iter_mut().zip(&other.top) {
            hull.merge(more);
        }
        for direction in 0..2 {
            for (sums, more) in [
                (&mut self.sum_x, other.sum_x),
                (&mut self.sum_y, other.sum_y),
            ] {
                if let (Some(sum), Some(more)) = (sums.get_mut(direction), more.get(direction)) {
                    *sum += more;
                }
            }
        }
        self.span = (self.span.0.min(other.span.0), self.span.1.max(other.span.1));
    }

    /// Adds what there is.
    pub(crate) fn merge_some(&mut self, other: Option<&Self>) {
        if let Some(other) = other {
            self.merge(other);
        }
    }

    pub(crate) fn clear(&mut self) {
        self.count = 0;
        self.low.iter_mut().for_each(Hull::clear);
        self.top.iter_mut().for_each(Hull::clear);
        (self.sum_x, self.sum_y) = ([0; 2], [0; 2]);
        self.span = (f64::INFINITY, f64::NEG_INFINITY);
    }

    pub(crate) fn count(&self) -> u64 {
        self.count
    }

    /// First and last time.
    pub(crate) fn span(&self) -> (f64, f64) {
        self.span
    }

    pub(crate) fn low(&self) -> &[Hull; 2] {
        &self.low
    }

    /// As [`low`](Self::low), mirrored.
    pub(crate) fn top(&self) -> &[Hull; 2] {
        &self.top
    }

    pub(crate) fn mean_times(&self) -> [f64; 2] {
        self.sum_x.map(|sum| self.mean(sum))
    }

    pub(crate) fn mean_differences(&self) -> [f64; 2] {
        self.sum_y.map(|sum| self.mean(sum))
    }

    /// Heap memory in octets.
    pub(crate) fn heap_octets(&self) -> usize {
        let hulls = self.low.iter().chain(&self.top);
        hulls.map(Hull::heap_octets).sum()
    }

    fn mean(&self, sum: i128) -> f64 {
        round::float(round::mean(sum, self.count))
    }
}

//! The figures of one direction over finished segments and the one in progress.

use super::figures::OneWay;
use super::fit::{Fit, SIGN};
use super::points::Points;
use super::segment::Segment;
use super::slice::bin_error;
use super::spread::{Ends, Item, spread};
use crate::Histogram;
use crate::round;

/// The most heap memory that the histograms may claim, in octets.
const HISTOGRAM_OCTETS: usize = 6 * 1024;

/// The de-skewed delays of one direction in finished segments.
#[derive(Clone, Debug)]
pub(crate) struct FinishedSegments {
    totals: Option<Totals>,
    /// Relative to `Totals::base`.
    delays: Histogram,
    variations: Histogram,
}

#[derive(Clone, Copy, Debug)]
struct Totals {
    base: f64,
    count: u64,
    delay: Ends,
    variation: Ends,
    /// The error of binned values, in addition to a share of the value.
    smear: f64,
    share: f64,
    errors: Errors,
}

/// The error of figures, excluding binning.
#[derive(Clone, Copy, Debug)]
struct Errors {
    delay: f64,
    variation: f64,
    likely: f64,
}

/// One direction of one segment.
struct Part {
    items: Vec<Item>,
    count: u64,
    delay: Ends,
    errors: Errors,
}

impl FinishedSegments {
    pub(crate) const fn new() -> Self {
        Self {
            totals: None,
            delays: Histogram::new(),
            variations: Histogram::new(),
        }
    }

    /// Adds a finished segment.
    pub(crate) fn add_segment(
        &mut self,
        direction: usize,
        segment: &Segment,
        points: &Points,
        fit: &Fit,
    ) {
        let part = Part::of(direction, segment, points, fit);
        let variation = part.variation();
        let rest = |item: &Item| {
            let width = item.share * (item.value - part.delay.least).abs();
            item.error + (item.width - width).max(0.0)
        };
        let smear = part.items.iter().map(rest).fold(1.0, f64::max);
        let share = part.items.iter().map(|item| item.share).fold(0.0, f64::max);
        let fresh = Totals {
            base: part.delay.least,
            count: part.count,
            delay: part.delay,
            variation,
            smear,
            share,
            errors: part.errors,
        };
        let known = self.totals.map_or(fresh, |known| known.plus(&fresh));
        for item in &part.items {
            let bin = |value: f64| round::nearest(value);
            self.delays
                .record_many(bin(item.value - known.base), item.count);
            self.variations
                .record_many(bin(item.value - part.delay.least), item.count);
        }
        self.totals = Some(known);
        while self.delays.claimed_octets() + self.variations.claimed_octets() > HISTOGRAM_OCTETS {
            let coarser = self.delays.coarsen();
            if !(self.variations.coarsen() | coarser) {
                break;
            }
        }
    }

    /// Together with the segment in progress; `None` without a packet.
    pub(crate) fn figures(
        &self,
        direction: usize,
        present: Option<(&Segment, &Points, &Fit)>,
    ) -> Option<OneWay> {
        let part = present.map(|(segment, points, fit)| Part::of(direction, segment, points, fit));
        let fresh = part.as_ref().map(|part| Totals {
            base: 0.0,
            count: part.count,
            delay: part.delay,
            variation: part.variation(),
            smear: 0.0,
            share: 0.0,
            errors: part.errors,
        });
        let all = match (self.totals, fresh) {
            (Some(known), Some(fresh)) => known.plus(&fresh),
            (Some(one), None) | (None, Some(one)) => one,
            (None, None) => return None,
        };
        let (mut delays, mut variations) = match part {
            Some(part) => {
                let least = part.delay.least;
                let moved = |item: &Item| Item {
                    value: item.value - least,
                    ..*item
                };
                let variations = part.items.iter().map(moved).collect();
                (part.items, variations)
            }
            None => (Vec::new(), Vec::new()),
        };
        if let Some(known) = &self.totals {
            known.items(&self.delays, known.base, &mut delays);
            known.items(&self.variations, 0.0, &mut variations);
        }
        let (delay, delay_error) = spread(&mut delays, all.delay);
        let (variation, variation_error) = spread(&mut variations, all.variation);
        let bound = |error: f64| round::whole(error.ceil() + 1.0);
        Some(OneWay {
            delay,
            error_bound_ns: bound(all.errors.delay + delay_error),
            variation,
            variation_bound_ns: bound(all.errors.variation + variation_error),
            variation_error_ns: bound(
                all.errors.likely.min(all.errors.variation) + variation_error,
            ),
        })
    }

    pub(crate) fn heap_octets(&self) -> usize {
        self.delays.heap_octets() + self.variations.heap_octets()
    }
}

impl Totals {
    fn plus(&self, other: &Self) -> Self {
        let count = self.count + other.count;
        let join = |one: &Ends, more: &Ends| {
            let share = round::float_unsigned(other.count) / round::float_unsigned(count.max(1));
            Ends {
                least: one.least.min(more.least),
                greatest: one.greatest.max(more.greatest),
                mean: one.mean + (more.mean - one.mean) * share,
            }
        };
        Self {
            base: self.base,
            count,
            delay: join(&self.delay, &other.delay),
            variation: join(&self.variation, &other.variation),
            smear: self.smear.max(other.smear),
            share: self.share.max(other.share),
            errors: Errors {
                delay: self.errors.delay.max(other.errors.delay),
                variation: self.errors.variation.max(other.errors.variation),
                likely: self.errors.likely.max(other.errors.likely),
            },
        }
    }

    fn items(&self, histogram: &Histogram, base: f64, into: &mut Vec<Item>) {
        // Two least delays lie between the two references of a value that was added late.
        let apart = self.share * (base - self.delay.least).abs();
        let share = self.share + 1.0 / (2.0 * f64::from(histogram.bins_per_octave()));
        into.extend(histogram.bins().map(|(value, count)| Item {
            value: round::float(value) + base,
            error: self.smear + apart + 0.5,
            width: bin_error(value, share),
            share,
            count,
        }));
    }
}

impl Part {
    /// The line turns differences into delays, and removing a fast reflector's rate leaves them in
    /// the sender's time.
    fn of(direction: usize, segment: &Segment, points: &Points, fit: &Fit) -> Self {
        let pick = |values: [f64; 2]| values.get(direction).copied().unwrap_or(0.0);
        let sign = pick(SIGN);
        let slope = sign * fit.line.slope;
        let offset = sign * fit.line.at_0;
        let rate = 1.0 + fit.line.slope;
        let (low, top) = (points.low().get(direction), points.top().get(direction));
        let least = low.map_or(0.0, |hull| hull.least(slope)) - offset;
        let greatest = -top.map_or(0.0, |hull| hull.least(-slope)) - offset;
        let mean = pick(points.mean_differences()) - sign * fit.line.at(pick(points.mean_times()));
        let slack = [low, top]
            .into_iter()
            .flatten()
            .map(super::hull::Hull::slack)
            .fold(0.0, f64::max);
        let delay = Ends {
            least: least / rate,
            greatest: greatest / rate,
            mean: mean / rate,
        };
        let mut items = segment.items(direction, fit);
        for item in &mut items {
            item.value /= rate;
            item.error /= rate;
            item.width /= rate;
        }
        let (a, b) = points.span();
        // The rate removed from the delays is as exact as the skew.
        let stretch = fit.slope_bound * greatest.abs().max(least.abs()) + slack;
        let drift = (fit.slope_bound * (b - a)).min(2.0 * fit.bound);
        let rounding = segment.rounding();
        let errors = Errors {
            delay: (fit.bound + stretch + rounding) / rate,
            variation: (drift + 2.0 * stretch + rounding) / rate,
            likely: (fit.wander + 2.0 * slack + rounding) / rate,
        };
        Self {
            items,
            count: points.count(),
            delay,
            errors,
        }
    }

    fn variation(&self) -> Ends {
        Ends {
            least: 0.0,
            greatest: self.delay.greatest - self.delay.least,
            mean: self.delay.mean - self.delay.least,
        }
    }
}

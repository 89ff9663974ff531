//! A histogram as plain data, for reports that other programs read, and back.

use super::{COARSEST_BITS, EXACT_BITS, Histogram, Place};
use crate::round;

/// The values of one bin, in nanoseconds, both bounds included.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct HistogramBin {
    /// The least value that the bin can hold.
    pub lower_ns: i64,
    /// The greatest value that the bin can hold.
    pub upper_ns: i64,
    /// How many values it holds.
    pub count: u64,
}

/// A [`Histogram`] as plain data, without loss.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct HistogramParts {
    /// The reference of the values, which are distances from it; `None` if they are the values
    /// themselves.
    pub reference_ns: Option<i64>,
    /// Bins per octave: a power of two from 16 to 512.
    pub bins_per_octave: u32,
    /// The bins that are not empty, least first, relative to the reference.
    pub bins: Vec<HistogramBin>,
}

/// Why plain data is not a valid distribution.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum BadParts {
    /// A number of bins per octave that no histogram has.
    #[error("bins per octave have to be a power of two from 16 to 512")]
    Resolution,
    /// Bounds that are not those of a bin at this resolution.
    #[error("a bin's bounds are not those of a bin of this resolution")]
    Bounds,
    /// The bins do not ascend, or one is repeated.
    #[error("the bins do not ascend")]
    Order,
    /// A bin without a value, more values than 64 bits count, or a total that differs.
    #[error("the counts are not those of the bins")]
    Count,
    /// A least and greatest value, sum and squares that no set of values has.
    #[error("no values have these least, greatest and sums")]
    Moments,
}

impl Histogram {
    /// Converts to plain data; `reference_ns` is the reference of the values.
    pub fn parts(&self, reference_ns: Option<i64>) -> HistogramParts {
        HistogramParts {
            reference_ns,
            bins_per_octave: self.bins_per_octave(),
            bins: self
                .bins()
                .map(|(value, count)| {
                    let (lower_ns, upper_ns) = self.bounds(self.place(value));
                    HistogramBin {
                        lower_ns,
                        upper_ns,
                        count,
                    }
                })
                .collect(),
        }
    }

    /// From plain data of any origin. Allocates at most the 112 existing octaves.
    ///
    /// # Errors
    /// [`BadParts`] if [`parts`](Self::parts) cannot return it.
    pub fn from_parts(parts: &HistogramParts) -> Result<Self, BadParts> {
        let bits = (COARSEST_BITS..=EXACT_BITS)
            .find(|bits| 1 << bits == parts.bins_per_octave)
            .ok_or(BadParts::Resolution)?;
        let mut histogram = Self {
            bits,
            ..Self::new()
        };
        let mut last = None;
        for bin in &parts.bins {
            let place = histogram.place(bin.lower_ns);
            if histogram.bounds(place) != (bin.lower_ns, bin.upper_ns) {
                return Err(BadParts::Bounds);
            }
            if last.is_some_and(|last| bin.lower_ns <= last) {
                return Err(BadParts::Order);
            }
            if bin.count == 0 || histogram.total.checked_add(bin.count).is_none() {
                return Err(BadParts::Count);
            }
            last = Some(bin.upper_ns);
            histogram.record_many(bin.lower_ns, bin.count);
        }
        Ok(histogram)
    }

    /// The least and the greatest value of a bin.
    fn bounds(&self, place: Place) -> (i64, i64) {
        let bin = i128::try_from(place.bin).unwrap_or(0);
        let (least, greatest) = match u32::try_from(place.page) {
            Ok(octave @ 1..) => {
                let shift = octave + EXACT_BITS - 1 - self.bits;
                let least = ((1 << self.bits) + bin) << shift;
                (least, least + (1 << shift) - 1)
            }
            Ok(0) | Err(_) => (bin, bin),
        };
        let (lower, upper) = if place.negative {
            (-greatest, -least)
        } else {
            (least, greatest)
        };
        (round::saturated(lower), round::saturated(upper))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    type Spoil = fn(&mut HistogramParts);

    #[test]
    fn every_value_is_within_the_bounds_of_its_bin_and_of_no_other() {
        let mut histogram = Histogram::new();
        loop {
            for shift in 0..63 {
                for value in [1_i64 << shift, (1 << shift) + 1, -(1 << shift), i64::MIN, 0] {
                    let place = histogram.place(value);
                    let (lower, upper) = histogram.bounds(place);
                    assert!(
                        (lower..=upper).contains(&value),
                        "{value}: {lower} to {upper}"
                    );
                    assert_eq!(histogram.place(lower), place, "{value}");
                    assert_eq!(histogram.place(upper), place, "{value}");
                    if let Some(below) = lower.checked_sub(1) {
                        assert_ne!(histogram.place(below), place, "{value}");
                    }
                    if let Some(above) = upper.checked_add(1) {
                        assert_ne!(histogram.place(above), place, "{value}");
                    }
                }
            }
            if !histogram.coarsen() {
                break;
            }
        }
    }

    #[test]
    fn parts_that_no_histogram_has_are_refused() {
        let mut histogram = Histogram::new();
        for value in [-70_000, -3, 12, 5_000] {
            histogram.record(value);
        }
        let good = histogram.parts(Some(7));
        assert!(Histogram::from_parts(&good).is_ok());
        let spoilt = |spoil: Spoil| {
            let mut parts = good.clone();
            spoil(&mut parts);
            Histogram::from_parts(&parts).err()
        };
        let resolutions: [Spoil; 5] = [
            |parts| parts.bins_per_octave = 0,
            |parts| parts.bins_per_octave = 8,
            |parts| parts.bins_per_octave = 511,
            |parts| parts.bins_per_octave = 1024,
            |parts| parts.bins_per_octave = u32::MAX,
        ];
        for spoil in resolutions {
            assert_eq!(spoilt(spoil), Some(BadParts::Resolution));
        }
        let others: [(Spoil, BadParts); 7] = [
            (|parts| parts.bins_per_octave = 256, BadParts::Bounds),
            (|parts| parts.bins[0].lower_ns += 1, BadParts::Bounds),
            (|parts| parts.bins[3].upper_ns = i64::MAX, BadParts::Bounds),
            (|parts| parts.bins.swap(1, 2), BadParts::Order),
            (|parts| parts.bins.insert(1, parts.bins[0]), BadParts::Order),
            (|parts| parts.bins[2].count = 0, BadParts::Count),
            (|parts| parts.bins[2].count = u64::MAX, BadParts::Count),
        ];
        for (place, (spoil, expected)) in others.into_iter().enumerate() {
            assert_eq!(spoilt(spoil), Some(expected), "case {place}");
        }
    }
}

//! Log-linear histogram of signed nanoseconds (row M-16): 512 linear bins per octave on either
//! side of zero, one page of counters per octave, allocated when a value first falls into it.
//!
//! Exact below 1024 ns; otherwise a value is off by at most 1/1024 of itself. Under a memory limit
//! [`coarsen`](Histogram::coarsen) halves the bins of all octaves from 512 ns on, and the error
//! doubles: values from a hostile peer cannot fill the host.

mod parts;

pub use parts::{BadParts, HistogramBin, HistogramParts};

use crate::delay::page::Page;
use crate::delay::rank::at_ranks;
use crate::round;

/// log2 of the exact values and of the bins per octave that a histogram starts with.
const EXACT_BITS: u32 = 9;
/// log2 of the fewest bins per octave.
const COARSEST_BITS: u32 = 4;
/// Page 0 holds magnitudes below 512, page k those from 2^(k+8) to 2^(k+9) - 1, 55 the last.
const PAGES: usize = 56;

/// Counts of signed nanoseconds from which any percentile can be read (RFC 2330 section 11.3).
///
/// No allocation once the octaves are touched, counts that cannot overflow, mergeable.
#[derive(Clone, Debug)]
pub struct Histogram {
    bits: u32,
    total: u64,
    /// One more than the index of an octave's page in `pages`; 0: not touched yet.
    positive: [u8; PAGES],
    negative: [u8; PAGES],
    pages: Vec<Page>,
    page_octets: usize,
}

/// The bin of a value.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Place {
    negative: bool,
    page: usize,
    bin: usize,
}

impl Default for Histogram {
    fn default() -> Self {
        Self::new()
    }
}

impl Histogram {
    /// An empty histogram, without heap memory.
    pub const fn new() -> Self {
        Self {
            bits: EXACT_BITS,
            total: 0,
            positive: [0; PAGES],
            negative: [0; PAGES],
            pages: Vec::new(),
            page_octets: 0,
        }
    }

    /// Counts one value. True if memory was allocated for it: an octave's first value, or a
    /// counter that was full.
    #[inline]
    pub fn record(&mut self, value_ns: i64) -> bool {
        self.record_many(value_ns, 1)
    }

    /// Counts one value `count` times; true as in [`record`](Self::record).
    pub fn record_many(&mut self, value_ns: i64, count: u64) -> bool {
        if count == 0 {
            return false;
        }
        self.total = self.total.saturating_add(count);
        let place = self.place(value_ns);
        let touched = match self.page_index(place) {
            Some(index) => self
                .pages
                .get_mut(index)
                .is_some_and(|page| page.add(place.bin, count)),
            None => self.touch(place, count),
        };
        if touched {
            self.page_octets = self.pages.iter().map(Page::octets).sum();
        }
        touched
    }

    /// Adds all counts of `other`. The result has the coarser resolution of the two.
    pub fn merge(&mut self, other: &Self) {
        self.merge_shifted(other, 0);
    }

    /// Adds all counts of `other`, each value moved by `shift_ns`, for histograms relative to
    /// different references. With a shift other than 0, the middle of a bin is binned again, so the
    /// errors of both add up.
    pub fn merge_shifted(&mut self, other: &Self, shift_ns: i64) {
        while self.bits > other.bits {
            self.coarsen();
        }
        for (value, count) in other.bins() {
            self.record_many(value.saturating_add(shift_ns), count);
        }
    }

    /// Number of values.
    pub const fn count(&self) -> u64 {
        self.total
    }

    /// Linear bins per octave: 512, or fewer after [`coarsen`](Self::coarsen). A value is off by
    /// at most 1 / (2 x bins) of itself.
    pub const fn bins_per_octave(&self) -> u32 {
        1 << self.bits
    }

    /// Halves the bins of every octave from 512 ns on; false if they are already the coarsest.
    pub fn coarsen(&mut self) -> bool {
        if self.bits == COARSEST_BITS {
            return false;
        }
        self.bits -= 1;
        for side in [&self.positive, &self.negative] {
            for entry in side.iter().skip(1) {
                if let Some(index) = usize::from(*entry).checked_sub(1)
                    && let Some(page) = self.pages.get_mut(index)
                {
                    *page = page.halved();
                }
            }
        }
        self.page_octets = self.pages.iter().map(Page::octets).sum();
        true
    }

    /// The bins that are not empty, least value first: the value in the middle of the bin (exact
    /// below 1024 ns) and its count.
    pub fn bins(&self) -> impl Iterator<Item = (i64, u64)> + '_ {
        let negative = (0..PAGES)
            .rev()
            .flat_map(move |page| self.page_bins(true, page));
        let positive = (0..PAGES).flat_map(move |page| self.page_bins(false, page));
        negative.chain(positive)
    }

    /// The values at `ranks` (1 to count, ascending) of the sorted values, each within half a bin.
    /// A rank beyond the count gives the last value; all are 0 in an empty histogram.
    pub fn at_ranks<const N: usize>(&self, ranks: [u64; N]) -> [i64; N] {
        at_ranks(self.bins(), ranks)
    }

    /// Memory in octets, the histogram itself and its heap.
    pub fn memory_octets(&self) -> usize {
        size_of::<Self>() + self.heap_octets()
    }

    pub(crate) fn heap_octets(&self) -> usize {
        self.page_octets + self.pages.capacity() * size_of::<Page>()
    }

    #[inline]
    fn place(&self, value_ns: i64) -> Place {
        let magnitude = value_ns.unsigned_abs();
        let bits = u64::BITS - magnitude.leading_zeros();
        let octave = bits.saturating_sub(EXACT_BITS);
        let bin = if octave == 0 {
            magnitude
        } else {
            (magnitude >> (bits - 1 - self.bits)) & ((1 << self.bits) - 1)
        };
        Place {
            negative: value_ns < 0,
            page: usize::try_from(octave).unwrap_or(0),
            bin: usize::try_from(bin).unwrap_or(0),
        }
    }

    /// The middle of a bin.
    fn value(&self, place: Place) -> i64 {
        let bin = i128::try_from(place.bin).unwrap_or(0);
        let magnitude = match u32::try_from(place.page) {
            Ok(octave @ 1..) => {
                let shift = octave + EXACT_BITS - 1 - self.bits;
                (((1 << self.bits) + bin) << shift) + ((1 << shift) >> 1)
            }
            Ok(0) | Err(_) => bin,
        };
        round::saturated(if place.negative {
            -magnitude
        } else {
            magnitude
        })
    }

    fn page_index(&self, place: Place) -> Option<usize> {
        let side = if place.negative {
            &self.negative
        } else {
            &self.positive
        };
        usize::from(*side.get(place.page)?).checked_sub(1)
    }

    #[cold]
    fn touch(&mut self, place: Place, count: u64) -> bool {
        let bits = if place.page == 0 {
            EXACT_BITS
        } else {
            self.bits
        };
        let mut page = Page::new(1 << bits);
        page.add(place.bin, count);
        self.pages.push(page);
        let side = if place.negative {
            &mut self.negative
        } else {
            &mut self.positive
        };
        if let Some(entry) = side.get_mut(place.page) {
            *entry = u8::try_from(self.pages.len()).unwrap_or(0);
        }
        true
    }

    /// The bins of one page that are not empty, least value first.
    fn page_bins(&self, negative: bool, page: usize) -> impl Iterator<Item = (i64, u64)> + '_ {
        let index = self.page_index(Place {
            negative,
            page,
            bin: 0,
        });
        let counts = index.and_then(|index| self.pages.get(index));
        let bins = counts.map_or(0, Page::len);
        (0..bins).filter_map(move |bin| {
            let bin = if negative { bins - 1 - bin } else { bin };
            let count = counts.map_or(0, |page| page.count(bin));
            (count > 0).then(|| {
                (
                    self.value(Place {
                        negative,
                        page,
                        bin,
                    }),
                    count,
                )
            })
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_value_falls_into_a_bin_whose_middle_is_near() {
        let mut histogram = Histogram::new();
        for bins in [512, 256, 128, 64, 32, 16] {
            assert_eq!(histogram.bins_per_octave(), bins);
            for shift in 0..63 {
                for offset in -3..=3 {
                    for value in [(1_i64 << shift) + offset, -(1_i64 << shift) + offset] {
                        let back = histogram.value(histogram.place(value));
                        let limit = if value.unsigned_abs() < 512 {
                            0
                        } else {
                            value.unsigned_abs() / u64::from(bins * 2)
                        };
                        assert!(
                            back.abs_diff(value) <= limit,
                            "{value} came back as {back}, {bins} bins"
                        );
                    }
                }
            }
            let coarser = histogram.coarsen();
            assert_eq!(coarser, bins > 16);
        }
    }

    #[test]
    fn the_ends_of_the_scale_are_counted() {
        let mut histogram = Histogram::new();
        assert!(histogram.record(i64::MIN));
        assert!(histogram.record(i64::MAX));
        assert!(!histogram.record(i64::MAX));
        assert_eq!(histogram.at_ranks([1]), [i64::MIN]);
        assert!(histogram.at_ranks([3])[0] > i64::MAX / 1024 * 1023);
        assert_eq!(histogram.count(), 3);
        assert_eq!(Histogram::new().at_ranks([1, 2]), [0, 0]);
    }

    #[test]
    fn values_come_in_ascending_order_on_both_sides_of_zero() {
        let mut histogram = Histogram::new();
        for value in [5, -5, 0, 700, -700, 100_000, -100_000, 511, 512, -1] {
            histogram.record(value);
        }
        let values: Vec<i64> = histogram.bins().map(|(value, _)| value).collect();
        assert!(values.is_sorted(), "{values:?}");
        assert_eq!(values.len(), 10);
        assert_eq!(
            histogram.at_ranks([1, 5, 6, 99]),
            [values[0], 0, 5, values[9]]
        );
    }
}

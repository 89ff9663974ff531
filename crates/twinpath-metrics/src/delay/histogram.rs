//! Log-linear histogram of signed nanoseconds (row M-16): 512 linear bins per octave on either
//! side of zero. Octaves with few values share a list; one with many has a table of its own.
//!
//! Exact below 1024 ns; otherwise a value is off by at most 1/1024 of itself. Under a memory limit
//! [`coarsen`](Histogram::coarsen) halves the bins of all octaves from 512 ns on, and the error
//! doubles: values from a hostile peer cannot fill the host.

mod parts;

pub use parts::{BadParts, HistogramBin, HistogramParts};

use crate::delay::few::FewValues;
use crate::delay::page::Page;
use crate::delay::rank::at_ranks;
use crate::round;

/// log2 of the exact values and of the bins per octave that a histogram starts with.
const EXACT_BITS: u32 = 9;
/// log2 of the fewest bins per octave.
const COARSEST_BITS: u32 = 4;
/// Of negative and of positive values, by ascending values: page 0 of the latter comes in the middle.
const OCTAVES: u8 = 128;
const POSITIVE: u8 = OCTAVES / 2;
/// Counters of page 0, and of others while nothing is made coarser.
const BINS: usize = 1 << EXACT_BITS;
/// The number of an octave's last bin, in the list.
const MIRROR: u16 = (1 << EXACT_BITS) - 1;

/// Counts of signed nanoseconds from which any percentile can be read (RFC 2330 section 11.3).
///
/// No allocation once the octaves have their tables, counts that cannot overflow, mergeable.
#[derive(Clone, Debug)]
pub struct Histogram {
    bits: u32,
    total: u64,
    few: FewValues,
    tables: Option<Box<Tables>>,
    /// Octaves that a value fell into.
    octaves: u8,
    claimed_octets: u32,
}

/// The octaves with many values.
#[derive(Clone, Debug)]
struct Tables {
    /// One more than the place of an octave's page in `pages`; 0: it has none.
    places: [u8; OCTAVES as usize],
    pages: Vec<Page>,
}

/// The bin of a value.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Place {
    negative: bool,
    page: usize,
    bin: usize,
}

impl Place {
    /// The number of the octave by ascending values.
    fn octave(self) -> u8 {
        let page = u8::try_from(self.page).unwrap_or(0);
        if self.negative {
            POSITIVE - 1 - page
        } else {
            POSITIVE + page
        }
    }

    /// The number of the bin by ascending values.
    fn ascending(self) -> u16 {
        u16::try_from(mirrored(self.negative, self.bin)).unwrap_or(0)
    }
}

/// The bin with this number from the other end, in an octave of negative values.
fn mirrored(negative: bool, bin: usize) -> usize {
    if negative { BINS - 1 - bin } else { bin }
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
            few: FewValues::new(),
            tables: None,
            octaves: 0,
            claimed_octets: 0,
        }
    }

    /// Counts one value. True if `claimed_octets` grew for it: an octave's
    /// first value, or a counter that was full.
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
        let grown = match self.table_mut(place.octave()) {
            Some(page) => page.add(place.bin, count),
            None => self.record_few(place, count),
        };
        if grown {
            self.claim();
        }
        grown
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
        self.few.rebin(|octave, bin| match octave {
            // Exact values stay so.
            octave if octave == POSITIVE || octave == POSITIVE - 1 => bin,
            octave if octave < POSITIVE => MIRROR - (MIRROR - bin) / 2,
            _ => bin / 2,
        });
        for octave in 0..OCTAVES {
            if octave != POSITIVE
                && octave != POSITIVE - 1
                && let Some(page) = self.table_mut(octave)
            {
                *page = page.halved();
            }
        }
        self.claim();
        true
    }

    /// The bins that are not empty, least value first: the value in the middle of the bin (exact
    /// below 1024 ns) and its count.
    pub fn bins(&self) -> impl Iterator<Item = (i64, u64)> + '_ {
        (0..OCTAVES).flat_map(move |octave| self.bins_of(octave))
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
        let tables = self.tables.as_deref().map_or(0, |tables| {
            let pages: usize = tables.pages.iter().map(Page::octets).sum();
            size_of::<Tables>() + tables.pages.capacity() * size_of::<Page>() + pages
        });
        self.few.octets() + tables
    }

    /// What the octaves take once each has a table, in octets. Limits are about this: how exact the
    /// values are is not to depend on the order in which they came.
    pub(crate) fn claimed_octets(&self) -> usize {
        usize::try_from(self.claimed_octets).unwrap_or(usize::MAX)
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

    fn table(&self, octave: u8) -> Option<&Page> {
        let tables = self.tables.as_deref()?;
        let place = tables.places.get(usize::from(octave))?;
        tables.pages.get(usize::from(*place).checked_sub(1)?)
    }

    #[inline]
    fn table_mut(&mut self, octave: u8) -> Option<&mut Page> {
        let tables = self.tables.as_deref_mut()?;
        let place = tables.places.get(usize::from(octave))?;
        tables.pages.get_mut(usize::from(*place).checked_sub(1)?)
    }

    /// Counts a value of an octave without a table; true if it is the octave's first, or too many
    /// for narrow counters.
    #[inline(never)]
    fn record_few(&mut self, place: Place, count: u64) -> bool {
        let octave = place.octave();
        let Some(first) = self.few.add(octave, place.ascending(), count) else {
            let first = !self.few.has(octave);
            self.octaves += u8::from(first);
            self.make_table(octave);
            let page = self.table_mut(octave);
            return page.is_some_and(|page| page.add(place.bin, count)) || first;
        };
        self.octaves += u8::from(first);
        if let Some(octave) = self.few.outgrown() {
            self.make_table(octave);
        }
        first
    }

    /// Gives an octave a table.
    #[cold]
    fn make_table(&mut self, octave: u8) {
        let negative = octave < POSITIVE;
        let mut page = Page::new(self.bins_in(octave));
        for (bin, count) in self.few.bins(octave) {
            page.add(mirrored(negative, usize::from(bin)), count);
        }
        self.few.remove(octave);
        let tables = self.tables.get_or_insert_with(|| {
            Box::new(Tables {
                places: [0; OCTAVES as usize],
                pages: Vec::new(),
            })
        });
        tables.pages.push(page);
        if let Some(place) = tables.places.get_mut(usize::from(octave)) {
            *place = u8::try_from(tables.pages.len()).unwrap_or(0);
        }
    }

    /// Bins of an octave.
    fn bins_in(&self, octave: u8) -> usize {
        if octave == POSITIVE || octave == POSITIVE - 1 {
            BINS
        } else {
            1 << self.bits
        }
    }

    #[cold]
    fn claim(&mut self) {
        let pages = self.tables.iter().flat_map(|tables| &tables.pages);
        let tables: usize = pages.map(Page::octets).sum();
        let few = self.few.octaves().map(|octave| self.bins_in(octave));
        let few: usize = few.map(|bins| bins * size_of::<u16>()).sum();
        let room = match usize::from(self.octaves) {
            0 => 0,
            octaves => octaves.max(4).next_power_of_two() * size_of::<Page>(),
        };
        self.claimed_octets = u32::try_from(room + tables + few).unwrap_or(u32::MAX);
    }

    /// The bins of one octave that are not empty, least value first.
    fn bins_of(&self, octave: u8) -> impl Iterator<Item = (i64, u64)> + '_ {
        let negative = octave < POSITIVE;
        let page = if negative {
            POSITIVE - 1 - octave
        } else {
            octave - POSITIVE
        };
        let page = usize::from(page);
        let few = self.few.bins(octave);
        let few = few.map(move |(bin, count)| (mirrored(negative, usize::from(bin)), count));
        let table = self.table(octave);
        let bins = table.map_or(0, Page::len);
        let many = (0..bins).filter_map(move |bin| {
            let bin = if negative { bins - 1 - bin } else { bin };
            let count = table.map_or(0, |page| page.count(bin));
            (count > 0).then_some((bin, count))
        });
        few.chain(many).map(move |(bin, count)| {
            let place = Place {
                negative,
                page,
                bin,
            };
            (self.value(place), count)
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

    /// What a table for each octave takes, by the values alone.
    fn claimed(values: &[i64], bits: u32) -> usize {
        let mut octaves = std::collections::BTreeMap::new();
        let like = Histogram {
            bits,
            ..Histogram::new()
        };
        for value in values {
            let place = like.place(*value);
            let counts = octaves.entry(place.octave()).or_insert_with(|| {
                let counters = if place.page == 0 { BINS } else { 1 << bits };
                vec![0_u32; counters]
            });
            counts[place.bin] += 1;
        }
        let tables = octaves.values().map(|counts| {
            let is_wide = counts.iter().any(|count| *count > 65_535);
            counts.len() * if is_wide { 4 } else { 2 }
        });
        let vector = octaves.len().max(4).next_power_of_two() * size_of::<Page>();
        tables.sum::<usize>() + vector
    }

    #[test]
    fn a_histogram_claims_what_tables_take_and_says_when_that_grows() {
        for (values, width) in [(40, 1), (3_000, 12), (70_000, 3), (200_000, 1)] {
            let mut histogram = Histogram::new();
            let mut all = Vec::new();
            let mut last = 0;
            for n in 0..values {
                let value = (n * n % 101 - 50) * (1 << (n % width * 3));
                let grown = histogram.record(value);
                all.push(value);
                assert_eq!(grown, histogram.claimed_octets() > last, "{n}");
                last = histogram.claimed_octets();
            }
            assert_eq!(last, claimed(&all, EXACT_BITS));
            let beside = size_of::<Tables>() + 128 * 4;
            assert!(histogram.heap_octets() <= last + beside);
            assert!(histogram.coarsen());
            assert_eq!(histogram.claimed_octets(), claimed(&all, EXACT_BITS - 1));
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

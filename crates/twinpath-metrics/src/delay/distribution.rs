//! The distribution of one kind of delay: moments, percentiles and neighbours' differences,
//! mergeable and available as plain data (rows M-8 to M-19).

use crate::delay::histogram::{BadParts, Histogram, HistogramParts};
use crate::delay::ipdv::Ipdv;
use crate::delay::moments::Moments;
use crate::delay::rank::{at_ranks, rank, rank_of};
use crate::round;
use crate::{BinCounts, PercentilesWithLoss};

/// Whether delays are binned as they are or as their distance from the first one (row M-16): a
/// one-way delay includes the offset of two clocks, which may be hours, and 0.1 % of that would
/// hide the variation.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Binning {
    AsTheyAre,
    FromTheFirst,
}

/// The values of one kind of delay, in nanoseconds: everything that does not depend on their order.
///
/// Distributions of several runs can be merged, and one can be converted to plain data and back
/// without loss.
#[derive(Clone, Debug)]
pub struct Distribution {
    binning: Binning,
    moments: Moments,
    ipdv: Ipdv,
    histogram: Histogram,
}

/// A [`Distribution`] as plain data: for a report that another program reads.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct DistributionParts {
    /// Number of values.
    pub count: u64,
    /// Least value; 0 without one.
    pub min_ns: i64,
    /// Greatest value; 0 without one.
    pub max_ns: i64,
    /// Sum of the values.
    pub sum_ns: i128,
    /// Sum of the squared distances from the mean, in square nanoseconds.
    pub squares_ns2: f64,
    /// Sum of the absolute differences of consecutive packets (RFC 3393).
    pub ipdv_sum_ns: u128,
    /// Number of those differences.
    pub ipdv_pairs: u64,
    /// The values by size, as distances from its reference.
    pub histogram: HistogramParts,
}

impl Distribution {
    pub(crate) const fn new(binning: Binning) -> Self {
        Self {
            binning,
            moments: Moments::new(),
            ipdv: Ipdv::new(),
            histogram: Histogram::new(),
        }
    }

    /// Records one value; true if the histogram claims more memory.
    #[inline]
    pub(crate) fn record(&mut self, value_ns: i64) -> bool {
        self.moments.record(value_ns);
        let reference = self.reference_ns().unwrap_or(0);
        self.histogram.record(value_ns.saturating_sub(reference))
    }

    /// Records the values of two packets with consecutive numbers.
    #[inline]
    pub(crate) fn record_pair(&mut self, one_ns: i64, other_ns: i64) {
        self.ipdv.record(one_ns, other_ns);
    }

    /// Halves the histogram's resolution; false if it is already the coarsest.
    pub(crate) fn coarsen(&mut self) -> bool {
        self.histogram.coarsen()
    }

    /// Heap memory in octets.
    pub(crate) fn heap_octets(&self) -> usize {
        self.histogram.heap_octets()
    }

    /// As [`Histogram::claimed_octets`].
    pub(crate) fn claimed_octets(&self) -> usize {
        self.histogram.claimed_octets()
    }

    /// Number of values.
    pub fn count(&self) -> u64 {
        self.moments.count()
    }

    /// Least value, exact; `None` without one.
    pub fn min_ns(&self) -> Option<i64> {
        (self.count() > 0).then(|| self.moments.min())
    }

    /// Greatest value, exact; `None` without one.
    pub fn max_ns(&self) -> Option<i64> {
        (self.count() > 0).then(|| self.moments.max())
    }

    /// The value that the histogram's distances refer to (row M-16); `None` if it holds the values
    /// themselves.
    pub fn reference_ns(&self) -> Option<i64> {
        match self.binning {
            Binning::AsTheyAre => None,
            Binning::FromTheFirst => self.moments.first(),
        }
    }

    /// The values by size, as distances from the reference.
    pub fn histogram(&self) -> &Histogram {
        &self.histogram
    }

    /// The median: the middle value, or the mean of the two in the middle (RFC 2330 section 11.3).
    /// `None` without a value.
    pub fn median(&self) -> Option<i64> {
        self.median_with_loss(0)
    }

    /// [`median`](Self::median) with `undefined` further values that are infinite (row M-11). `None`
    /// if one of the two in the middle is infinite too.
    pub fn median_with_loss(&self, undefined: u64) -> Option<i64> {
        let ranks = middle_ranks(self.count().saturating_add(undefined));
        let [_, upper] = ranks;
        let [low, high] = self.values_at(ranks);
        (upper <= self.count()).then(|| middle(low, high))
    }

    /// The smallest value that at least the share `p` (0 to 1, rounded to 9 decimals) of all values
    /// does not exceed: nearest rank (RFC 2330 section 11.3; row M-14). `None` without a value, or
    /// if `p` is not from 0 to 1.
    pub fn quantile(&self, p: f64) -> Option<i64> {
        self.quantile_with_loss(p, 0)
    }

    /// [`quantile`](Self::quantile) with `undefined` further values that are infinite, as RFC 7679
    /// section 5.1 counts lost packets (row M-11). `None` if that is infinite too.
    pub fn quantile_with_loss(&self, p: f64, undefined: u64) -> Option<i64> {
        let rank = rank_of(self.count().saturating_add(undefined), p)?;
        let [value] = self.values_at([rank]);
        (rank <= self.count()).then_some(value)
    }

    /// How many values are at most `x_ns`: the distribution function times the count. Values within
    /// half a bin of `x_ns` may be counted on the wrong side.
    pub fn at_most(&self, x_ns: i64) -> u64 {
        if self.max_ns().is_none_or(|max| x_ns >= max) {
            return self.count();
        }
        if self.min_ns().is_none_or(|min| x_ns < min) {
            return 0;
        }
        let reference = i128::from(self.reference_ns().unwrap_or(0));
        self.histogram
            .bins()
            .take_while(|(value, _)| i128::from(*value) + reference <= i128::from(x_ns))
            .fold(0, |sum, (_, count)| sum.saturating_add(count))
    }

    /// Adds the values of another run. Medians and percentiles stay within half a bin, or within
    /// two halves if the references differ; everything else is as if one run had measured them.
    pub fn merge(&mut self, other: &Self) {
        if self.count() == 0 {
            *self = other.clone();
            return;
        }
        let ours = self.reference_ns().unwrap_or(0);
        let theirs = other.reference_ns().unwrap_or(0);
        self.histogram
            .merge_shifted(&other.histogram, theirs.saturating_sub(ours));
        self.moments.merge(&other.moments);
        self.ipdv.merge(&other.ipdv);
    }

    /// Converts to plain data, without loss.
    pub fn parts(&self) -> DistributionParts {
        let (ipdv_sum_ns, ipdv_pairs) = self.ipdv.parts();
        DistributionParts {
            count: self.count(),
            min_ns: self.moments.min(),
            max_ns: self.moments.max(),
            sum_ns: self.moments.sum(),
            squares_ns2: self.moments.squares(),
            ipdv_sum_ns,
            ipdv_pairs,
            histogram: self.histogram.parts(self.reference_ns()),
        }
    }

    /// From plain data of any origin. Allocates at most the 112 existing octaves.
    ///
    /// # Errors
    /// [`BadParts`] if no set of values has them.
    pub fn from_parts(parts: &DistributionParts) -> Result<Self, BadParts> {
        let histogram = Histogram::from_parts(&parts.histogram)?;
        if histogram.count() != parts.count {
            return Err(BadParts::Count);
        }
        let reference = parts.histogram.reference_ns;
        let moments = Moments::from_parts(
            reference.unwrap_or(parts.min_ns),
            parts.count,
            (parts.min_ns, parts.max_ns),
            parts.sum_ns,
            parts.squares_ns2,
        );
        Ok(Self {
            binning: match reference {
                Some(_) => Binning::FromTheFirst,
                None => Binning::AsTheyAre,
            },
            moments: moments.ok_or(BadParts::Moments)?,
            ipdv: Ipdv::from_parts(parts.ipdv_sum_ns, parts.ipdv_pairs),
            histogram,
        })
    }

    /// Arithmetic mean, rounded half away from zero; 0 without a value.
    pub fn mean_ns(&self) -> i64 {
        self.moments.mean()
    }

    /// Standard deviation of the population.
    pub fn stddev_ns(&self) -> u64 {
        self.moments.stddev()
    }

    /// Mean absolute difference of the delays of consecutive numbers; `None` without a pair.
    pub fn ipdv_mean_abs_ns(&self) -> Option<u64> {
        self.ipdv.value()
    }

    /// Median and percentiles with `undefined` further values that are infinite (row M-11); `None`
    /// without any value, finite or infinite.
    pub fn percentiles_with_loss(&self, undefined: u64) -> Option<PercentilesWithLoss> {
        let all = self.count().saturating_add(undefined);
        if all == 0 {
            return None;
        }
        let ranks = report_ranks(all);
        let mut finite = self.values_at(ranks).map(Some);
        for (value, rank) in finite.iter_mut().zip(ranks) {
            *value = value.filter(|_| rank <= self.count());
        }
        let [lower, upper, p90_ns, p95_ns, p99_ns, one_in_1000] = finite;
        Some(PercentilesWithLoss {
            undefined,
            median_ns: lower.zip(upper).map(|(lower, upper)| middle(lower, upper)),
            p90_ns,
            p95_ns,
            p99_ns,
            p999_ns: one_in_1000,
        })
    }

    /// The values in at most `most` bins of equal and round width (1, 2 or 5 times a power of
    /// ten), each counted at the middle of its histogram bin; `None` without a value.
    pub fn automatic_bins(&self, most: u16) -> Option<BinCounts> {
        BinCounts::automatic(self, most)
    }

    /// The middles of the bins, least first, each with its count. They do not depend on the least and the greatest
    /// value, so a value stays where it is as others come, unless [`Histogram::coarsen`] widens the bins.
    pub fn fixed_bins(&self) -> impl Iterator<Item = (i64, u64)> + '_ {
        let reference = self.reference_ns().unwrap_or(0);
        let bins = self.histogram.bins();
        bins.map(move |(value, count)| (value.saturating_add(reference), count))
    }

    /// The sum of all values.
    pub fn sum_ns(&self) -> i128 {
        self.moments.sum()
    }

    /// The middles of the bins within the least and the greatest value, least first, each with its count.
    pub fn binned(&self) -> impl Iterator<Item = (i64, u64)> + '_ {
        let (min, max) = (self.moments.min(), self.moments.max());
        self.fixed_bins()
            .map(move |(value, count)| (value.clamp(min, max), count))
    }

    /// The values at ascending ranks, the ends exact.
    fn values_at<const N: usize>(&self, ranks: [u64; N]) -> [i64; N] {
        self.values_in(self.binned(), ranks)
    }

    /// As above, from [`binned`](Self::binned) values.
    pub(super) fn values_in<const N: usize>(
        &self,
        bins: impl Iterator<Item = (i64, u64)>,
        ranks: [u64; N],
    ) -> [i64; N] {
        let mut values = at_ranks(bins, ranks);
        for (value, rank) in values.iter_mut().zip(ranks) {
            match rank {
                1 => *value = self.moments.min(),
                _ if rank >= self.count() => *value = self.moments.max(),
                _ => {}
            }
        }
        values
    }
}

/// The two in the middle; the same if the count is odd.
fn middle_ranks(count: u64) -> [u64; 2] {
    [count.div_ceil(2), count / 2 + 1]
}

/// The ranks of the middle values, then those of the reported percentiles.
pub(super) fn report_ranks(count: u64) -> [u64; 6] {
    let [lower, upper] = middle_ranks(count);
    [
        lower,
        upper,
        rank(count, 900),
        rank(count, 950),
        rank(count, 990),
        rank(count, 999),
    ]
}

/// Median of an even count (RFC 2330 section 11.3).
pub(crate) fn middle(lower: i64, upper: i64) -> i64 {
    round::mean(i128::from(lower) + i128::from(upper), 2)
}

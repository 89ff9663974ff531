//! One kind of delay: its moments, percentiles and variation (rows M-8 to M-22), composed.

use crate::DelayFigures;
use crate::histogram::Histogram;
use crate::ipdv::Ipdv;
use crate::jitter::Jitter;
use crate::moments::Moments;
use crate::round;

/// Whether delays are binned as they are or as their distance from the first one (row M-16): a
/// one-way delay carries the offset of two clocks, hours at worst, and 0.1 % of that would swamp
/// the variation.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Binning {
    AsTheyAre,
    FromTheFirst,
}

/// Everything that is said of one kind of delay. Nanoseconds.
#[derive(Clone, Debug)]
pub(crate) struct Delay {
    binning: Binning,
    moments: Moments,
    jitter: Jitter,
    ipdv: Ipdv,
    histogram: Histogram,
}

impl Delay {
    pub(crate) fn new(binning: Binning) -> Self {
        Self {
            binning,
            moments: Moments::default(),
            jitter: Jitter::default(),
            ipdv: Ipdv::default(),
            histogram: Histogram::new(),
        }
    }

    /// The delay of the next packet to arrive; true if the histogram had to allocate.
    #[inline]
    pub(crate) fn record(&mut self, delay_ns: i64) -> bool {
        self.moments.record(delay_ns);
        self.jitter.record(delay_ns);
        self.histogram
            .record(delay_ns.saturating_sub(self.reference().unwrap_or(0)))
    }

    /// The delays of two packets with consecutive numbers.
    #[inline]
    pub(crate) fn record_pair(&mut self, one_ns: i64, other_ns: i64) {
        self.ipdv.record(one_ns, other_ns);
    }

    /// What comes is not comparable with what was (row M-22). The partner of the IPDV is kept, and
    /// forgotten, where the numbers are.
    pub(crate) fn reset(&mut self) {
        self.jitter.reset();
    }

    /// `None` without a packet.
    pub(crate) fn figures(&self) -> Option<DelayFigures> {
        let count = self.moments.count();
        if count == 0 {
            return None;
        }
        let (min_ns, max_ns) = (self.moments.min(), self.moments.max());
        let ranks = [
            count.div_ceil(2),
            count / 2 + 1,
            rank(count, 900),
            rank(count, 950),
            rank(count, 990),
            rank(count, 999),
        ];
        let reference = self.reference().unwrap_or(0);
        let mut values = self.histogram.at_ranks(ranks);
        for (value, rank) in values.iter_mut().zip(ranks) {
            *value = match rank {
                1 => min_ns,
                _ if rank == count => max_ns,
                _ => value.saturating_add(reference).clamp(min_ns, max_ns),
            };
        }
        let [lower, upper, p90_ns, p95_ns, p99_ns, one_in_1000] = values;
        Some(DelayFigures {
            count,
            min_ns,
            max_ns,
            mean_ns: self.moments.mean(),
            median_ns: round::mean(i128::from(lower) + i128::from(upper), 2),
            stddev_ns: self.moments.stddev(),
            p90_ns,
            p95_ns,
            p99_ns,
            p999_ns: one_in_1000,
            jitter_ns: self.jitter.value(),
            pdv_p99_ns: Some(p99_ns.abs_diff(min_ns)),
            ipdv_mean_abs_ns: self.ipdv.value(),
            reference_ns: self.reference(),
            bins_per_octave: self.histogram.bins_per_octave(),
        })
    }

    /// Halves the histogram's resolution; false if it is as coarse as can be.
    pub(crate) fn coarsen(&mut self) -> bool {
        self.histogram.coarsen()
    }

    /// Heap memory in octets.
    pub(crate) fn heap_octets(&self) -> usize {
        self.histogram.heap_octets()
    }

    fn reference(&self) -> Option<i64> {
        match self.binning {
            Binning::AsTheyAre => None,
            Binning::FromTheFirst => self.moments.first(),
        }
    }
}

/// Nearest rank of a percentile given in tenths of a percent: the smallest x with EDF(x) >= p
/// (RFC 2330 section 11.3; row M-14).
fn rank(count: u64, permille: u16) -> u64 {
    let rank = (u128::from(count) * u128::from(permille)).div_ceil(1000);
    u64::try_from(rank).unwrap_or(count).max(1)
}

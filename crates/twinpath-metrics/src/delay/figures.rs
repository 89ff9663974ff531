//! The figures of one kind of delay, one line each.

use serde::Serialize;

use super::distribution::{Distribution, middle, report_ranks};
use super::mad;
use crate::figures;

/// The input of a delay's figures.
struct Delay<'a> {
    values: &'a Distribution,
    /// The values, least first, each with its count.
    bins: &'a [(i64, u64)],
    /// Median, p90, p95, p99 and p99.9, which one pass finds.
    ranked: [i64; 5],
    min_ns: i64,
    max_ns: i64,
    /// Jitter depends on the order of arrival, which a distribution does not keep.
    jitter_ns: Option<u64>,
}

impl Distribution {
    /// The figures without jitter, which depends on the order of arrival. `None` without a value.
    pub fn figures(&self) -> Option<DelayFigures> {
        self.figures_with_jitter(None)
    }

    pub(crate) fn figures_with_jitter(&self, jitter_ns: Option<u64>) -> Option<DelayFigures> {
        let (min_ns, max_ns) = (self.min_ns()?, self.max_ns()?);
        // One pass over the bins serves percentiles and deviations.
        let bins: Vec<(i64, u64)> = self.binned().collect();
        let ranks = report_ranks(self.count());
        let [lower, upper, p90, p95, p99, one_in_1000] =
            self.values_in(bins.iter().copied(), ranks);
        Some(DelayFigures::from(&Delay {
            values: self,
            bins: &bins,
            ranked: [middle(lower, upper), p90, p95, p99, one_in_1000],
            min_ns,
            max_ns,
            jitter_ns,
        }))
    }
}

/// `key: type = formula, unit, merge, "RFC", "help";`: a field, its value, its row of the table.
macro_rules! delay_figures {
    (|$delay:ident| $($key:ident: $type:ty = $value:expr, $unit:ident, $merge:ident, $rfc:literal, $help:literal;)*) => {
        /// The figures of one kind of delay, over the packets received in time, first copies only, that
        /// no clock step touched (RFC 8912 section 4.4.1). Nanoseconds.
        #[derive(Clone, Copy, Debug, PartialEq, Serialize)]
        pub struct DelayFigures {
            $(#[doc = concat!($help, "; ", $rfc)] pub $key: $type,)*
        }

        impl From<&Delay<'_>> for DelayFigures {
            fn from($delay: &Delay<'_>) -> Self {
                Self { $($key: $value,)* }
            }
        }

        figures! { DelayFigures: $($key, $unit, $merge, $rfc, $help;)* }
    };
}

delay_figures! { |delay|
    count: u64 = delay.values.count(), Packets, Sum, "", "number of packets";
    min_ns: i64 = delay.min_ns, Nanoseconds, Least, "RFC 7679 section 5.3", "minimum delay, exact";
    max_ns: i64 = delay.max_ns, Nanoseconds, Greatest, "RFC 8912 section 7.4.2.4", "maximum delay, exact";
    mean_ns: i64 = delay.values.mean_ns(), Nanoseconds, Distribution, "RFC 8912 section 7.4.2.2",
        "arithmetic mean, exact, rounded half away from zero";
    median_ns: i64 = delay.ranked[0], Nanoseconds, Distribution, "RFC 2330 section 11.3",
        "middle value, or the mean of the two middle values";
    stddev_ns: u64 = delay.values.stddev_ns(), Nanoseconds, Distribution, "RFC 8912 section 7.4.2.5",
        "standard deviation of the population";
    p90_ns: i64 = delay.ranked[1], Nanoseconds, Distribution, "RFC 2330 section 11.3",
        "90th percentile: nearest rank, never interpolated";
    p95_ns: i64 = delay.ranked[2], Nanoseconds, Distribution, "RFC 2330 section 11.3", "95th percentile";
    p99_ns: i64 = delay.ranked[3], Nanoseconds, Distribution, "RFC 2330 section 11.3", "99th percentile";
    p999_ns: i64 = delay.ranked[4], Nanoseconds, Distribution, "RFC 2330 section 11.3", "99.9th percentile";
    jitter_ns: Option<u64> = delay.jitter_ns, Nanoseconds, Never, "RFC 3550 section 6.4.1",
        "interarrival jitter after the last packet; unknown without two packets to compare since the last \
         clock step, reflector restart or long silence";
    pdv_p99_ns: Option<u64> = Some(delay.ranked[3].abs_diff(delay.min_ns)), Nanoseconds, Distribution,
        "RFC 5481 section 4.2", "99th percentile of the delay variation against the minimum";
    ipdv_mean_abs_ns: Option<u64> = delay.values.ipdv_mean_abs_ns(), Nanoseconds, Distribution,
        "RFC 5481 section 6.5", "mean absolute difference of the delays of packets with consecutive numbers";
    reference_ns: Option<i64> = delay.values.reference_ns(), Nanoseconds, First, "",
        "first delay, against which those of one-way delays are binned (row M-16)";
    bins_per_octave: u32 = delay.values.histogram().bins_per_octave(), Number, Least, "",
        "bins per octave of the histogram behind median and percentiles, which are within 1 / (2 x bins) of \
         their distance from the reference";
    mad_ns: u64 = mad::of(delay.bins, delay.ranked[0]), Nanoseconds, Distribution, "",
        "median absolute deviation: the middle value of the distances from the median";
}

//! The requested schedule of departures (RFC 2330 section 11.1, RFC 3432). [`super::slots`] carries
//! it out.

use std::time::Duration;

use serde::{Deserialize, Serialize};
use twinpath_wire::nanoseconds;

/// The longest usual wait of a Poisson schedule, in mean waits: one in a thousand is longer.
const USUAL_POISSON: u32 = 7;

/// Longer gaps of a Poisson schedule, one in 10^13, are cut to this many mean ones: the limit of the
/// registry's Poisson streams (RFC 8912 section 7.3.2).
const LONGEST_POISSON: u32 = 30;

/// A pattern of departures. A time of zero is taken as 1 ns, a count of zero as one.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "name", rename_all = "kebab-case")]
pub enum Schedule {
    /// One packet every interval (RFC 3432 section 3).
    Periodic {
        /// From one packet to the next.
        #[serde(rename = "interval_ns", with = "nanoseconds")]
        interval: Duration,
    },
    /// Exponentially distributed gaps, the first before the first packet (RFC 2330 section 11.1.1).
    Poisson {
        /// Their mean.
        #[serde(rename = "mean_ns", with = "nanoseconds")]
        mean: Duration,
    },
    /// Uniformly distributed gaps: additive random sampling (RFC 2330 section 11.1).
    Uniform {
        /// The shortest.
        #[serde(rename = "least_ns", with = "nanoseconds")]
        least: Duration,
        /// The longest.
        #[serde(rename = "most_ns", with = "nanoseconds")]
        most: Duration,
    },
    /// Several packets back to back at each time.
    Bursts {
        /// How many.
        packets: u32,
        /// From the beginning of a burst to that of the next.
        #[serde(rename = "gap_ns", with = "nanoseconds")]
        gap: Duration,
    },
}

impl Schedule {
    /// One packet every `interval`.
    pub const fn every(interval: Duration) -> Self {
        Self::Periodic { interval }
    }

    /// The name on the command line and in reports.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Periodic { .. } => "periodic",
            Self::Poisson { .. } => "poisson",
            Self::Uniform { .. } => "uniform",
            Self::Bursts { .. } => "bursts",
        }
    }

    /// The mean time between two packets.
    pub fn mean_interval(self) -> Duration {
        let mean = match self {
            Self::Periodic { interval } => interval,
            Self::Poisson { mean } => mean,
            Self::Uniform { least, most } => least.saturating_add(most) / 2,
            Self::Bursts { packets, gap } => gap / packets.max(1),
        };
        mean.max(Duration::from_nanos(1))
    }

    /// The longest usual wait between two packets.
    pub fn usual_gap(self) -> Duration {
        match self {
            Self::Periodic { interval } => interval,
            Self::Poisson { mean } => mean.saturating_mul(USUAL_POISSON),
            Self::Uniform { least, most } => most.max(least),
            Self::Bursts { gap, .. } => gap,
        }
    }

    /// The shortest possible wait between two packets.
    pub fn shortest_gap(self) -> Duration {
        match self {
            Self::Periodic { interval } => interval,
            Self::Uniform { least, .. } => least,
            Self::Bursts { packets, gap } if packets <= 1 => gap,
            Self::Poisson { .. } | Self::Bursts { .. } => Duration::ZERO,
        }
    }

    /// The longest possible wait between two packets.
    pub fn longest_gap(self) -> Duration {
        match self {
            Self::Poisson { mean } => mean.saturating_mul(LONGEST_POISSON),
            Self::Periodic { .. } | Self::Uniform { .. } | Self::Bursts { .. } => self.usual_gap(),
        }
    }

    /// Whether gaps are random, so that a rate is met only on average.
    pub const fn is_random(self) -> bool {
        matches!(self, Self::Poisson { .. } | Self::Uniform { .. })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const MS: Duration = Duration::from_millis(1);

    #[test]
    fn the_shortest_gap_is_none_where_packets_may_leave_together() {
        let bursts = |packets| Schedule::Bursts { packets, gap: MS };
        for (schedule, gap) in [
            (Schedule::every(MS), MS),
            (Schedule::Poisson { mean: MS }, Duration::ZERO),
            (
                Schedule::Uniform {
                    least: MS,
                    most: 4 * MS,
                },
                MS,
            ),
            (bursts(1), MS),
            (bursts(2), Duration::ZERO),
        ] {
            assert_eq!(schedule.shortest_gap(), gap, "{schedule:?}");
        }
    }

    #[test]
    fn the_mean_interval_is_that_of_the_packets() {
        for (schedule, mean) in [
            (Schedule::Periodic { interval: MS }, 1_000_000),
            (Schedule::Poisson { mean: MS }, 1_000_000),
            (
                Schedule::Uniform {
                    least: MS,
                    most: 4 * MS,
                },
                2_500_000,
            ),
            (
                Schedule::Bursts {
                    packets: 8,
                    gap: MS,
                },
                125_000,
            ),
            (
                Schedule::Bursts {
                    packets: 0,
                    gap: Duration::ZERO,
                },
                1,
            ),
            (
                Schedule::Uniform {
                    least: Duration::MAX,
                    most: Duration::MAX,
                },
                Duration::MAX.as_nanos() / 2,
            ),
        ] {
            let name = schedule.name();
            assert_eq!(schedule.mean_interval().as_nanos(), mean, "{name}");
        }
    }
}

//! The schedule in numbers.

use serde::Serialize;
use twinpath_proto::sender::Schedule;
use twinpath_wire::nanoseconds;

/// The parameters of a schedule, besides its name.
#[derive(Serialize)]
#[serde(untagged)]
pub(super) enum Numbers {
    Periodic { interval_ns: u64 },
    Poisson { mean_ns: u64 },
    Uniform { least_ns: u64, most_ns: u64 },
    Bursts { packets: u32, gap_ns: u64 },
}

/// In whole nanoseconds.
pub(super) fn numbers(schedule: Schedule) -> Numbers {
    let ns = nanoseconds::of;
    match schedule {
        Schedule::Periodic { interval } => Numbers::Periodic {
            interval_ns: ns(interval),
        },
        Schedule::Poisson { mean } => Numbers::Poisson { mean_ns: ns(mean) },
        Schedule::Uniform { least, most } => Numbers::Uniform {
            least_ns: ns(least),
            most_ns: ns(most),
        },
        Schedule::Bursts { packets, gap } => Numbers::Bursts {
            packets,
            gap_ns: ns(gap),
        },
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use serde_json::json;

    use super::*;

    #[test]
    fn each_schedule_has_its_own_numbers() {
        let us = Duration::from_micros;
        let (mean, least, most, gap) = (us(1_500), us(5), us(20_000), us(1_000_000));
        for (schedule, expected) in [
            (
                Schedule::every(us(20_000)),
                json!({ "interval_ns": 20_000_000 }),
            ),
            (Schedule::Poisson { mean }, json!({ "mean_ns": 1_500_000 })),
            (
                Schedule::Uniform { least, most },
                json!({ "least_ns": 5_000, "most_ns": 20_000_000 }),
            ),
            (
                Schedule::Bursts { packets: 10, gap },
                json!({ "packets": 10, "gap_ns": 1_000_000_000 }),
            ),
        ] {
            assert_eq!(json!(numbers(schedule)), expected);
        }
    }
}

//! When packets left, for people and for machines.

use serde::Serialize;
use twinpath_proto::sender::Schedule;
use twinpath_wire::nanoseconds;

use super::units::asked;

/// In the words of a heading.
pub(crate) fn words(schedule: Schedule) -> String {
    match schedule {
        Schedule::Periodic { interval } => format!("every {}", asked(interval)),
        Schedule::Poisson { mean } => format!("Poisson, {} on average", asked(mean)),
        Schedule::Uniform { least, most } => {
            format!("uniform, {} to {}", asked(least), asked(most))
        }
        Schedule::Bursts { packets, gap } => format!("bursts of {packets} every {}", asked(gap)),
    }
}

/// The numbers beside a schedule's name.
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
    fn each_schedule_has_its_own_words_and_numbers() {
        let us = Duration::from_micros;
        for (schedule, said, expected) in [
            (
                Schedule::every(us(20_000)),
                "every 20 ms",
                json!({ "interval_ns": 20_000_000 }),
            ),
            (
                Schedule::Poisson { mean: us(1_500) },
                "Poisson, 1.5 ms on average",
                json!({ "mean_ns": 1_500_000 }),
            ),
            (
                Schedule::Uniform {
                    least: us(5),
                    most: us(20_000),
                },
                "uniform, 5 us to 20 ms",
                json!({ "least_ns": 5_000, "most_ns": 20_000_000 }),
            ),
            (
                Schedule::Bursts {
                    packets: 10,
                    gap: us(1_000_000),
                },
                "bursts of 10 every 1 s",
                json!({ "packets": 10, "gap_ns": 1_000_000_000 }),
            ),
        ] {
            assert_eq!(words(schedule), said);
            assert_eq!(json!(numbers(schedule)), expected);
        }
    }
}

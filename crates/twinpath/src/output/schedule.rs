//! When packets left, for people and for machines.

use twinpath_proto::sender::Schedule;

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

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    #[test]
    fn each_schedule_has_its_own_words() {
        let us = Duration::from_micros;
        let (mean, least, most, gap) = (us(1_500), us(5), us(20_000), us(1_000_000));
        for (schedule, said) in [
            (Schedule::every(us(20_000)), "every 20 ms"),
            (Schedule::Poisson { mean }, "Poisson, 1.5 ms on average"),
            (Schedule::Uniform { least, most }, "uniform, 5 us to 20 ms"),
            (
                Schedule::Bursts { packets: 10, gap },
                "bursts of 10 every 1 s",
            ),
        ] {
            assert_eq!(words(schedule), said);
        }
    }
}

//! `--schedule`: when packets leave, as it is written.

use std::str::FromStr;
use std::time::Duration;

use super::quantity::{SHORTEST_INTERVAL, interval, number, out_of_range};
use crate::args::Advice;

/// A burst of more than this leaves no time for anything else.
const MOST_PACKETS: u64 = 10_000;

/// A schedule; periodic and Poisson ones have their times from `--interval`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Pattern {
    /// One packet each interval.
    Periodic,
    /// Exponential gaps.
    Poisson,
    /// Gaps between two times.
    Uniform {
        /// The shortest.
        least: Duration,
        /// The longest.
        most: Duration,
    },
    /// Packets back to back.
    Bursts {
        /// How many each time.
        packets: u32,
        /// From burst to burst.
        gap: Duration,
    },
}

impl FromStr for Pattern {
    type Err = Advice;

    fn from_str(text: &str) -> Result<Self, Advice> {
        let (name, times) = match text.split_once(':') {
            Some((name, times)) => (name, Some(times)),
            None => (text, None),
        };
        match (name, times) {
            ("periodic", None) => Ok(Self::Periodic),
            ("poisson", None) => Ok(Self::Poisson),
            ("periodic" | "poisson", Some(_)) => Err(Advice::new(format!(
                "its time is set by --interval: use --schedule {name} --interval 20"
            ))),
            ("uniform", Some(times)) => uniform(times),
            ("uniform", None) => Err(Advice::new(UNIFORM)),
            ("bursts", Some(times)) => bursts(times),
            ("bursts", None) => Err(Advice::new(BURSTS)),
            _ => Err(Advice::new(
                "not a schedule: use periodic, poisson, uniform:LO-HI or bursts:N/GAP",
            )),
        }
    }
}

const UNIFORM: &str = "give the shortest and the longest gap, such as uniform:5ms-20ms";
const BURSTS: &str = "give how many packets and how often, such as bursts:10/1s";

fn uniform(times: &str) -> Result<Pattern, Advice> {
    let (low, high) = times.split_once('-').ok_or(Advice::new(UNIFORM))?;
    if is_bare(low) && low != "0" && !is_bare(high) {
        return Err(Advice::new(
            "give the unit at both times, such as uniform:5ms-20ms",
        ));
    }
    let zero = (Duration::ZERO, "0");
    let (least, most) = (interval(low, zero)?, interval(high, zero)?);
    if least > most {
        return Err(Advice::new(format!(
            "the shorter one comes first: use uniform:{high}-{low}"
        )));
    }
    if least + most < 2 * SHORTEST_INTERVAL {
        return Err(out_of_range("a mean gap of 1us", "365d"));
    }
    Ok(Pattern::Uniform { least, most })
}

fn bursts(times: &str) -> Result<Pattern, Advice> {
    let (packets, gap) = times.split_once('/').ok_or(Advice::new(BURSTS))?;
    let packets: u32 =
        number(packets, 1..=MOST_PACKETS).map_err(|advice| advice.of("N", packets))?;
    let length = interval(gap, (Duration::ZERO, "0"))?;
    // A packet takes 1 us.
    if length < packets * SHORTEST_INTERVAL {
        return Err(out_of_range(format_args!("{packets}us"), "365d").of("GAP", gap));
    }
    let gap = length;
    Ok(Pattern::Bursts { packets, gap })
}

fn is_bare(time: &str) -> bool {
    !time.ends_with(char::is_alphabetic)
}

#[cfg(test)]
mod tests {
    use super::*;

    const MS: Duration = Duration::from_millis(1);

    #[test]
    fn bare_numbers_are_milliseconds_and_units_are_those_of_every_time() {
        for (text, pattern) in [
            ("periodic", Pattern::Periodic),
            ("poisson", Pattern::Poisson),
            (
                "uniform:5-20",
                Pattern::Uniform {
                    least: 5 * MS,
                    most: 20 * MS,
                },
            ),
            (
                "uniform:500us-1s",
                Pattern::Uniform {
                    least: MS / 2,
                    most: 1_000 * MS,
                },
            ),
            (
                "uniform:0-2us",
                Pattern::Uniform {
                    least: Duration::ZERO,
                    most: MS / 500,
                },
            ),
            (
                "uniform:7ms-7",
                Pattern::Uniform {
                    least: 7 * MS,
                    most: 7 * MS,
                },
            ),
            (
                "bursts:10/1s",
                Pattern::Bursts {
                    packets: 10,
                    gap: 1_000 * MS,
                },
            ),
            (
                "bursts:1/0.5",
                Pattern::Bursts {
                    packets: 1,
                    gap: MS / 2,
                },
            ),
        ] {
            assert_eq!(text.parse(), Ok(pattern), "{text}");
        }
    }

    #[test]
    fn what_is_no_schedule_says_how_one_is_written() {
        for (bad, part) in [
            ("", "uniform:LO-HI or bursts:N/GAP"),
            ("Poisson", "use periodic, poisson"),
            ("exponential", "use periodic, poisson"),
            ("poisson:20", "use --schedule poisson --interval 20"),
            ("periodic:1", "use --schedule periodic --interval 20"),
            ("uniform", "such as uniform:5ms-20ms"),
            ("uniform:5ms", "such as uniform:5ms-20ms"),
            ("uniform:20ms-5ms", "use uniform:5ms-20ms"),
            ("uniform:5-20s", "the unit at both"),
            ("uniform:0-0", "use a mean gap of 1us to 365d"),
            ("uniform:0us-1us", "use a mean gap of 1us to 365d"),
            ("uniform:a-b", "milliseconds"),
            ("uniform:1-", "milliseconds"),
            ("uniform:1-2-3", "milliseconds"),
            ("bursts", "such as bursts:10/1s"),
            ("bursts:10", "such as bursts:10/1s"),
            ("bursts:0/1s", "use 1 to 10000"),
            ("bursts:10001/1s", "use 1 to 10000"),
            ("bursts:x/1s", "use 1 to 10000"),
            ("bursts:10/0", "out of range: use 10us to 365d"),
            ("bursts:10/9999ns", "out of range: use 10us to 365d"),
            ("bursts:10/9000h", "to 365d"),
            ("bursts:10/", "milliseconds"),
        ] {
            let error = bad.parse::<Pattern>().unwrap_err().to_string();
            assert!(error.contains(part), "{bad}: {error}");
        }
    }
}

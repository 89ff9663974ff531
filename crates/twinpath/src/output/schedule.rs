//! When packets left and how large they were, for people.

use std::time::Duration;

use twinpath_proto::sender::{PayloadSize, Schedule};
use twinpath_report::{SessionReport, Sizes, Spacing};

use super::ends;
use super::units::time;

/// Sizes that are listed at most.
const LISTED: usize = 4;

/// When the packets of a session left: of a run, as it was told; of a capture, as far as that shows it.
pub(crate) fn of(report: &SessionReport) -> String {
    let intervals = ends::several(report, "interval");
    match (&report.traffic, intervals) {
        (Some(traffic), _) => seen(traffic.spacing),
        (None, Some((_, count))) => format!("{count} intervals"),
        (None, None) => words(report.identity.schedule),
    }
}

fn seen(spacing: Option<Spacing>) -> String {
    match spacing {
        Some(Spacing {
            median_ns,
            is_even: true,
        }) => format!("about every {}", about(median_ns)),
        Some(Spacing { median_ns, .. }) => {
            format!("schedule unknown (median spacing {})", about(median_ns))
        }
        None => "schedule unknown".to_owned(),
    }
}

/// To a hundredth, in as few digits as that takes: a capture tells no more of a spacing.
fn about(ns: u64) -> String {
    let digits = ns.checked_ilog10().unwrap_or(0);
    let steps = (0..=digits).rev().map(|power| 10_u64.pow(power));
    let mut rounded = steps.map(|step| ns.saturating_add(step / 2) / step * step);
    let near = rounded.find(|rounded| rounded.abs_diff(ns) <= ns / 100);
    time(Duration::from_nanos(near.unwrap_or(ns)))
}

/// How large the packets of a session were.
pub(crate) fn sizes(report: &SessionReport) -> String {
    if let (None, Some((values, _))) = (&report.traffic, ends::several(report, "padding")) {
        return format!("padding {}", values.join(", "));
    }
    let sizes = octets(&report.sizes());
    match report.payload_sizes() {
        PayloadSize::Imix(_) if report.traffic.is_none() => format!("IMIX ({sizes})"),
        PayloadSize::Imix(_) | PayloadSize::Fixed(_) => sizes,
    }
}

fn octets(sizes: &Sizes) -> String {
    let Sizes { least, most, each } = sizes;
    match each.as_slice() {
        _ if least == most => format!("{least}-octet packets"),
        [others @ .., _] if each.len() <= LISTED => {
            let others: Vec<String> = others.iter().map(usize::to_string).collect();
            format!("packets of {} and {most} octets", others.join(", "))
        }
        _ => format!("packets of {least} to {most} octets"),
    }
}

/// As in a heading.
fn words(schedule: Schedule) -> String {
    match schedule {
        Schedule::Periodic { interval } => format!("every {}", time(interval)),
        Schedule::Poisson { mean } => format!("Poisson, {} on average", time(mean)),
        Schedule::Uniform { least, most } => {
            format!("uniform, {} to {}", time(least), time(most))
        }
        Schedule::Bursts { packets, gap } => format!("bursts of {packets} every {}", time(gap)),
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;
    use crate::output::fixtures;
    use twinpath_report::Traffic;

    #[test]
    fn of_a_capture_only_what_was_seen_is_said() {
        for (median_ns, is_even, said) in [
            (9_995_434, true, "about every 10 ms"),
            (99_951_000, true, "about every 100 ms"),
            (125_432_100, true, "about every 125 ms"),
            (8_538_444, false, "schedule unknown (median spacing 8.5 ms)"),
            (21_600_000, true, "about every 21.6 ms"),
            (102_000_000, true, "about every 102 ms"),
            (17, true, "about every 17 ns"),
            (0, true, "about every 0 ns"),
            (59_996_000_000, true, "about every 1 min"),
            (u64::MAX, true, "about every 18400000000 s"),
        ] {
            let spacing = Some(Spacing { median_ns, is_even });
            assert_eq!(seen(spacing), said);
        }
        assert_eq!(seen(None), "schedule unknown");
        let mut report = fixtures::quiet_path();
        report.traffic = Some(Traffic {
            sizes: Sizes::of([41]),
            spacing: None,
        });
        assert_eq!(of(&report), "schedule unknown");
    }

    #[test]
    fn sizes_are_listed_where_they_are_few() {
        let mut report = fixtures::quiet_path();
        assert_eq!(sizes(&report), "41-octet packets");
        report.identity.padding = -1;
        assert_eq!(sizes(&report), "IMIX (packets of 22, 548 and 1472 octets)");
        let mut seen = |of: Sizes| {
            report.traffic = Some(Traffic {
                sizes: of,
                spacing: None,
            });
            sizes(&report)
        };
        assert_eq!(seen(Sizes::of([22, 22])), "22-octet packets");
        assert_eq!(seen(Sizes::of([548, 22])), "packets of 22 and 548 octets");
        assert_eq!(seen(Sizes::of(50..60)), "packets of 50 to 59 octets");
        let beyond = Sizes {
            least: 22,
            most: 1_472,
            each: Vec::new(),
        };
        assert_eq!(seen(beyond), "packets of 22 to 1472 octets");
    }

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

//! The validity of the reflector's times and of the figures that use them.

use twinpath_report::finding::{FarFault, FarStamps};

use super::replies;
use crate::output::units::count;

const YEAR_NS: u64 = 365 * 86_400 * 1_000_000_000;

pub(super) fn line(finding: &FarStamps) -> String {
    match finding {
        FarStamps::FarTimesUndecided => "the reflector's times do not match the sender's, and there are too few packets to say why: its own time and one-way delays are unreliable"
            .to_owned(),
        FarStamps::FarTimes { fault, marked } => {
            format!("{}: {}", fault_words(*fault), whole(*marked))
        }
        FarStamps::ClockResolution {
            step_ns,
            is_round_trip_whole,
            marked,
        } => {
            let us = step_ns / 1_000;
            let clock = format!(
                "the reflector's clock has a resolution of {us} us, longer than the round trip"
            );
            if *is_round_trip_whole {
                format!("{clock}: {}", whole(*marked))
            } else {
                format!("{clock}: one-way delays are unreliable")
            }
        }
        FarStamps::FarTimesMissing { count } => format!(
            "{} without a reflector timestamp (T2 or T3 is 0): left out of the delays",
            replies(*count)
        ),
        FarStamps::FarClockNotSet { away_ns } => format!(
            "the reflector's clock is {}: it seems to count from its start, or was never set; one-way delays are meaningless",
            years_away(*away_ns)
        ),
        FarStamps::Implausible { count } => format!(
            "{} with impossible reflector timestamps (departure before arrival, or a residence longer than the round trip): left out of the delays",
            replies(*count)
        ),
        FarStamps::NegativeMedian { median_ns } => format!(
            "the median round trip is {}: the reflector's T3 is too late, so all inbound delays are too short; if it is twinpath, start it with --raw-t3",
            below_zero(*median_ns)
        ),
        FarStamps::NegativeRoundTrip {
            least_ns,
            is_of_capture,
        } => {
            let whose = if *is_of_capture {
                " of capture and reflector, which dominates near the reflector"
            } else {
                ", mainly of the reflector's T3, which is taken or estimated before its packet leaves"
            };
            let least = below_zero(*least_ns);
            format!("round trips down to {least}: timestamp error{whose}")
        }
        FarStamps::ResidenceNotMeasured => "the reflector gives the same time for arrival and departure: the round trip includes its own time"
            .to_owned(),
        FarStamps::ResidenceLong { longest_ns } => format!(
            "the reflector kept replies for up to {} ms: it is overloaded, or its clock stepped; that \
             time is not in the round trip",
            longest_ns / 1_000_000
        ),
    }
}

fn years_away(ns: i64) -> String {
    let side = if ns < 0 { "behind" } else { "ahead" };
    let years = count(ns.unsigned_abs() / YEAR_NS, "year", "years");
    format!("{years} {side}")
}

/// As the table rounds.
fn below_zero(ns: i64) -> String {
    let tenths = (ns.unsigned_abs() + 50) / 100;
    format!("-{}.{}us", tenths / 10, tenths % 10)
}

/// The meaning of the round trip if the reflector's times are unusable.
fn whole(marked: u64) -> String {
    let marked = match marked {
        0 => String::new(),
        count => format!(
            " ({count} replies that records of single packets mark as implausible among them)"
        ),
    };
    format!(
        "the round trip is T4 - T1 for all replies{marked}, including the reflector's own time; one-way delays are unknown"
    )
}

fn fault_words(fault: FarFault) -> &'static str {
    match fault {
        FarFault::Missing => "the reflector's timestamps are missing (T2 or T3 is 0)",
        FarFault::Contradict => "the reflector's times contradict the sender's in an unknown way",
        FarFault::Nanoseconds => {
            "the fraction of the reflector's times looks like nanoseconds, not units of 2^-32 s"
        }
        FarFault::Microseconds => {
            "the fraction of the reflector's times looks like microseconds, not units of 2^-32 s"
        }
        FarFault::Milliseconds => {
            "the fraction of the reflector's times looks like milliseconds, not units of 2^-32 s"
        }
        FarFault::UnixMicroseconds => {
            "the reflector's times look like seconds since 1970 and microseconds"
        }
        FarFault::Thousandth => {
            "the fraction of the reflector's times looks like a thousandth of what it should be \
             (milliseconds taken for microseconds, or microseconds for nanoseconds)"
        }
        FarFault::UnixMilliseconds => {
            "the reflector's times look like seconds since 1970 and milliseconds"
        }
        FarFault::Millionth => {
            "the fraction of the reflector's times looks like a millionth of what it should be \
             (milliseconds taken for nanoseconds)"
        }
        FarFault::UnixSeconds => {
            "the reflector's times look like seconds since 1970, not since 1900, with a fraction in units of 2^-32 s"
        }
    }
}

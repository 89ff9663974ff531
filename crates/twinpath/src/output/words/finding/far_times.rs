//! What the reflector's times are worth, and the figures that use them.

use twinpath_report::finding::{FarFault, FarStamps};

use super::replies;
use crate::output::units::count;

const YEAR_NS: u64 = 365 * 86_400 * 1_000_000_000;

pub(super) fn line(finding: &FarStamps) -> String {
    match finding {
        FarStamps::FarTimesUndecided => "the reflector's times do not match those of this host, in too few \
                                      packets to say why: its own time in the round trip and one-way \
                                      delays are uncertain"
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
                "the reflector's clock has steps of {us} us, longer than the round trip"
            );
            if *is_round_trip_whole {
                format!("{clock}: {}", whole(*marked))
            } else {
                format!("{clock}: one-way delays are unreliable")
            }
        }
        FarStamps::FarTimesMissing { count } => format!(
            "{} without a time of arrival or departure (T2 or T3 is 0): left out of the delays",
            replies(*count)
        ),
        FarStamps::FarClockNotSet { away_ns } => format!(
            "the reflector's clock is {}: it seems to count from its start or was never set; one-way delays \
             are meaningless",
            years_away(*away_ns)
        ),
        FarStamps::Implausible { count } => format!(
            "{} with impossible times (left before it arrived, or stayed longer than it was away): left \
             out of the delays",
            replies(*count)
        ),
        FarStamps::NegativeMedian { median_ns } => format!(
            "the median round trip is {}: the far T3 is estimated too late, and all inbound delays are \
             too short; start the reflector with --raw-t3 if it is a twinpath",
            below_zero(*median_ns)
        ),
        FarStamps::NegativeRoundTrip {
            least_ns,
            is_of_capture,
        } => {
            let whose = if *is_of_capture {
                "the capture's and the reflector's; near the reflector nothing else is left"
            } else {
                "mostly of the far T3, which is read or estimated before its packet leaves"
            };
            let least = below_zero(*least_ns);
            format!("round trips down to {least}: that is the timestamps' error, {whose}")
        }
        FarStamps::ResidenceNotMeasured => "the reflector gives one time for arrival and departure: its \
                                         own time is in the round trip"
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

/// What the round trip is, where the reflector's times are of no use.
fn whole(marked: u64) -> String {
    let marked = match marked {
        0 => String::new(),
        count => format!(
            " ({count} replies that records of single packets mark as implausible among them)"
        ),
    };
    format!(
        "the round trip is T4 - T1 of all replies{marked}, including the reflector's own time, and \
         one-way delays are unknown"
    )
}

fn fault_words(fault: FarFault) -> &'static str {
    match fault {
        FarFault::Missing => "the reflector gives no time of arrival or departure (T2 or T3 is 0)",
        FarFault::Contradict => {
            "the reflector's times contradict those of this host, in no known way"
        }
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
            "the reflector's times look like seconds since 1970, not since 1900, and a fraction in units \
             of 2^-32 s"
        }
    }
}

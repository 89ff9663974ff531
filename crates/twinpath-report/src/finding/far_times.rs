//! The validity of the reflector's times, judged by the packets: decided from the figures alone, so
//! that the findings apply to every report, whatever its source.

use serde::{Deserialize, Serialize};
use twinpath_metrics::{FarFormat, FarTimes};

use super::{Finding, STAMP_ERROR_NS, sort};
use crate::SessionReport;

findings! {
    /// Findings about the reflector's times and the figures that use them.
    pub enum FarStamps {
        /// The reflector's times are inconsistent with this host's; too few packets to say why.
        Warning "far-times-undecided" FarTimesUndecided
        /// The reflector's times are unusable.
        Warning "far-times" FarTimes {
            /// Why.
            fault: FarFault,
            /// Replies that records of single packets mark as implausible, written before this was known.
            marked: u64,
        }
        /// The reflector's clock has steps longer than the round trip.
        Warning "clock-resolution" ClockResolution {
            /// Their length.
            step_ns: u64,
            /// Whether its times are unusable, so that the round trip includes its own time.
            /// Otherwise only the one-way delays are of little use.
            is_round_trip_whole: bool,
            /// As in `FarStamps::FarTimes`.
            marked: u64,
        }
        /// Replies without T2 or T3.
        Warning "far-times-missing" FarTimesMissing {
            /// How many.
            count: u64,
        }
        /// The reflector's clock is years away.
        Warning "far-clock-not-set" FarClockNotSet {
            /// From this host's; negative: behind.
            away_ns: i64,
        }
        /// Replies with impossible times.
        Warning "implausible" Implausible {
            /// How many.
            count: u64,
        }
        /// The median round trip is below zero.
        Warning "negative-median" NegativeMedian {
            /// The median.
            median_ns: i64,
        }
        /// Round trips below zero.
        Remark "negative-round-trip" NegativeRoundTrip {
            /// The least.
            least_ns: i64,
            /// T1 and T4 are those of a capture.
            is_of_capture: bool,
        }
        /// The reflector writes the same time for arrival and departure.
        Remark "residence-not-measured" ResidenceNotMeasured
        /// The reflector held replies for a long time.
        Warning "residence-long" ResidenceLong {
            /// The longest time.
            longest_ns: i64,
        }
    }
}

/// Keys of the findings that [`of`] makes.
const KEYS: [&str; 5] = [
    "clock-resolution",
    "far-times",
    "far-times-undecided",
    "far-times-missing",
    "far-clock-not-set",
];
/// Keys of findings that assume valid T2 and T3.
const FROM_TIMES: [&str; 8] = [
    "clocks-not-synchronized",
    "time-scale",
    "implausible",
    "residence-not-measured",
    "residence-long",
    "z-bit-wrong",
    "negative-round-trip",
    "negative-median",
];
const YEAR_NS: i64 = 365 * 86_400 * 1_000_000_000;

/// Why the reflector's times are unusable.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum FarFault {
    /// T2 or T3 is 0.
    Missing,
    /// They contradict this host's for an unknown reason.
    Contradict,
    /// The fraction looks like nanoseconds.
    Nanoseconds,
    /// The fraction looks like microseconds.
    Microseconds,
    /// The fraction looks like milliseconds.
    Milliseconds,
    /// The fraction looks like a thousandth of what it should be.
    Thousandth,
    /// The fraction looks like a millionth of what it should be.
    Millionth,
    /// They look like seconds since 1970.
    UnixSeconds,
    /// They look like seconds since 1970 and microseconds.
    UnixMicroseconds,
    /// They look like seconds since 1970 and milliseconds.
    UnixMilliseconds,
}

/// Findings about T2 and T3.
pub(super) fn of(report: &SessionReport) -> Vec<FarStamps> {
    let figures = &report.figures;
    let marked = figures.implausible;
    let fault = |fault| Some(FarStamps::FarTimes { fault, marked });
    let mut findings = Vec::new();
    findings.extend(match figures.far_times {
        // A few packets give a finding only if they contradict this host's times.
        FarTimes::Undecided if figures.far_times_contradicted => Some(FarStamps::FarTimesUndecided),
        FarTimes::Agree | FarTimes::Undecided => None,
        FarTimes::Missing => fault(FarFault::Missing),
        FarTimes::Coarse => Some(FarStamps::ClockResolution {
            step_ns: figures.far_rounding_ns,
            is_round_trip_whole: true,
            marked,
        }),
        FarTimes::Contradict => fault(FarFault::Contradict),
        FarTimes::Looks(format) => fault(looks_like(format, report)),
    });
    if figures.excluded_unstamped > 0 {
        findings.push(FarStamps::FarTimesMissing {
            count: figures.excluded_unstamped,
        });
    }
    let one_way = figures.forward.is_some() || figures.backward.is_some();
    let round_trip = figures
        .round_trip
        .map_or(0, |delay| delay.median_ns.unsigned_abs());
    // With few packets, only delays without another explanation show a step.
    let least = [figures.forward, figures.backward].map(|delay| delay.map_or(0, |d| d.min_ns));
    let below = least.iter().any(|ns| *ns < -STAMP_ERROR_NS) && !report.has_negative_delay();
    let step_ns = match figures.far_resolution_ns {
        None if below => figures.far_rounding_ns,
        step => step.unwrap_or(0),
    };
    if one_way && step_ns > STAMP_ERROR_NS.unsigned_abs() && step_ns > round_trip {
        findings.push(FarStamps::ClockResolution {
            step_ns,
            is_round_trip_whole: false,
            marked: 0,
        });
    }
    if is_unset(report) {
        findings.push(FarStamps::FarClockNotSet {
            away_ns: away_ns(report),
        });
    }
    findings
}

fn away_ns(report: &SessionReport) -> i64 {
    report.figures.forward.map_or(0, |delay| delay.median_ns)
}

/// The far clock is years away.
pub(super) fn is_unset(report: &SessionReport) -> bool {
    away_ns(report).saturating_abs() > YEAR_NS
}

fn looks_like(format: FarFormat, report: &SessionReport) -> FarFault {
    let other_format = report.counters.anomalies.z_wrong > 0;
    match format {
        FarFormat::Nanoseconds => FarFault::Nanoseconds,
        FarFormat::Microseconds => FarFault::Microseconds,
        FarFormat::Milliseconds => FarFault::Milliseconds,
        FarFormat::Thousandth if other_format => FarFault::UnixMicroseconds,
        FarFormat::Thousandth => FarFault::Thousandth,
        FarFormat::Millionth if other_format => FarFault::UnixMilliseconds,
        FarFormat::Millionth => FarFault::Millionth,
        FarFormat::UnixSeconds => FarFault::UnixSeconds,
    }
}

/// Decides again, replaces the report's findings, and removes disproved ones.
pub(crate) fn renew(report: &mut SessionReport) {
    let usable = report.figures.far_times.are_usable();
    report.findings.retain(|finding| {
        let key = finding.key();
        !KEYS.contains(&&*key) && (usable || !FROM_TIMES.contains(&&*key))
    });
    if report.counters.received > 0 {
        let new = of(report);
        report.findings.extend(new.into_iter().map(Finding::from));
        sort(&mut report.findings);
    }
}

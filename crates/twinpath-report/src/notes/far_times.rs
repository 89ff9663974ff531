//! Remarks on the reflector's times, by what the packets tell of them: by the figures alone, so that
//! every report has them, whatever it was made from.

use twinpath_metrics::{FarFormat, FarTimes};

use super::warning;
use crate::words::count;
use crate::{Note, SessionReport};

/// Keys of the remarks that [`of`] makes.
const OURS: [&str; 5] = [
    "clock-resolution",
    "far-times",
    "far-times-undecided",
    "far-times-missing",
    "far-clock-not-set",
];
/// Keys of remarks that take T2 and T3 for times.
const THEIRS: [&str; 8] = [
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

/// What there is to say of T2 and T3.
pub(super) fn of(report: &SessionReport) -> Vec<Note> {
    let figures = &report.figures;
    // Records of packets were written before this was known.
    let marked = match figures.implausible {
        0 => String::new(),
        count => format!(
            " ({count} replies that records of single packets mark as implausible among them)"
        ),
    };
    let whole = format!(
        "the round trip is T4 - T1 of all replies{marked} with the reflector's own time in it, and one \
         way nothing is known"
    );
    let mut notes = Vec::new();
    match figures.far_times {
        // Of a handful of packets nothing is said that they do not contradict.
        FarTimes::Undecided if figures.far_times_contradicted => notes.push(warning(
            "far-times-undecided",
            "the reflector's times do not fit to those of this host, in packets too few to say why: its \
             own time in the round trip and one-way delays are not known well"
                .to_owned(),
        )),
        FarTimes::Agree | FarTimes::Undecided => {}
        FarTimes::Missing => notes.push(warning(
            "far-times",
            format!("the reflector gives no time of arrival or departure (T2 or T3 is 0): {whole}"),
        )),
        FarTimes::Coarse => {
            let us = figures.far_rounding_ns / 1_000;
            let line = format!(
                "the reflector's clock has steps of {us} us, longer than the round trip: {whole}"
            );
            notes.push(warning("clock-resolution", line));
        }
        FarTimes::Contradict => notes.push(warning(
            "far-times",
            format!("the reflector's times contradict those of this host, in no way that is known: {whole}"),
        )),
        FarTimes::Looks(format) => notes.push(warning(
            "far-times",
            format!("{}: {whole}", looks_like(format, report)),
        )),
    }
    if figures.excluded_unstamped > 0 {
        let line = format!(
            "{} without a time of arrival or departure (T2 or T3 is 0): left out of the delays",
            super::replies(figures.excluded_unstamped)
        );
        notes.push(warning("far-times-missing", line));
    }
    let one_way = figures.forward.is_some() || figures.backward.is_some();
    let round_trip = figures
        .round_trip
        .map_or(0, |delay| delay.median_ns.unsigned_abs());
    // Of few packets only delays that nothing else explains show a step.
    let least = [figures.forward, figures.backward].map(|delay| delay.map_or(0, |d| d.min_ns));
    let below = least.iter().any(|ns| *ns < -super::STAMP_ERROR_NS) && !report.has_negative_delay();
    let step = match figures.far_resolution_ns {
        None if below => figures.far_rounding_ns,
        step => step.unwrap_or(0),
    };
    if one_way && step > super::STAMP_ERROR_NS.unsigned_abs() && step > round_trip {
        let line = format!(
            "the reflector's clock has steps of {} us, longer than the round trip: one-way delays mean \
             little",
            step / 1_000
        );
        notes.push(warning("clock-resolution", line));
    }
    if is_unset(report) {
        let away = figures.forward.map_or(0, |delay| delay.median_ns);
        let years = away.unsigned_abs() / YEAR_NS.unsigned_abs();
        let side = if away < 0 { "behind" } else { "ahead" };
        let line = format!(
            "the reflector's clock is {} {side}: it looks as though it counts from its start or \
             was never set; one-way delays mean nothing",
            count(years, "year", "years")
        );
        notes.push(warning("far-clock-not-set", line));
    }
    notes
}

/// The far clock is years away.
pub(super) fn is_unset(report: &SessionReport) -> bool {
    let away = report.figures.forward.map_or(0, |delay| delay.median_ns);
    away.saturating_abs() > YEAR_NS
}

/// What the times look like that no clock tells.
fn looks_like(format: FarFormat, report: &SessionReport) -> &'static str {
    match format {
        FarFormat::Nanoseconds => {
            "the fraction of the reflector's times looks like nanoseconds, not units of 2^-32 s"
        }
        FarFormat::Microseconds => {
            "the fraction of the reflector's times looks like microseconds, not units of 2^-32 s"
        }
        FarFormat::Milliseconds => {
            "the fraction of the reflector's times looks like milliseconds, not units of 2^-32 s"
        }
        FarFormat::Thousandth if report.tally.odd.z_wrong > 0 => {
            "the reflector's times look like seconds since 1970 and microseconds"
        }
        FarFormat::Thousandth => {
            "the fraction of the reflector's times looks like a thousandth of what it should be \
             (milliseconds taken for microseconds, or microseconds for nanoseconds)"
        }
        FarFormat::Millionth if report.tally.odd.z_wrong > 0 => {
            "the reflector's times look like seconds since 1970 and milliseconds"
        }
        FarFormat::Millionth => {
            "the fraction of the reflector's times looks like a millionth of what it should be \
             (milliseconds taken for nanoseconds)"
        }
        FarFormat::UnixSeconds => {
            "the reflector's times look like seconds since 1970, not since 1900, and a fraction in units \
             of 2^-32 s"
        }
    }
}

/// Puts these remarks in the place of those that the report has, and takes out what they disprove.
pub(crate) fn renew(report: &mut SessionReport) {
    let usable = report.figures.far_times.are_usable();
    report
        .notes
        .retain(|note| !OURS.contains(&&*note.key) && (usable || !THEIRS.contains(&&*note.key)));
    if report.tally.received > 0 {
        let new = of(report);
        report.notes.extend(new);
        report.notes.sort_by_key(|note| !note.warning);
    }
}

//! Packets sent, received and lost: the lines of counts under the table, and its column of losses.

use std::io::{self, Write};
use std::time::Duration;

use crate::output::words::{self, finding::missed_departures};
use twinpath_metrics::{DuplicationFigures, Figures, LossPeriods};
use twinpath_report::finding::CountedLosses;
use twinpath_report::{Origin, SessionReport};

use super::table::fact;
use super::{schedule, units};

/// The text for a figure that is unknown because too little was measured.
pub(crate) const UNKNOWN: &str = "unknown";

/// Of packets to which no reply was to come here.
pub(crate) const UNAWAITED: &str = "not to be answered here";

/// The same, with the address where they are answered, if they name one.
pub(crate) fn unawaited(report: &SessionReport) -> String {
    match report.return_address {
        Some(to) => format!("to be answered at {to}"),
        None => UNAWAITED.to_owned(),
    }
}

/// The loss of one direction, of the `whole` sent in it: `-` if unknown, `>=` if more losses may
/// belong to it, `~` if the split is uncertain.
fn loss(report: &SessionReport, lost: Option<u64>, whole: u64) -> Option<String> {
    let lost = lost?;
    let open = report.figures.lost_unattributed.unwrap_or(0) > 0;
    let uncertain = report.figures.direction_uncertain && report.counters.lost > 0;
    let share = units::percent(lost, whole);
    match (lost, uncertain, open) {
        (_, false, false) => Some(share),
        (0, _, _) => None,
        (_, true, _) => Some(format!("~{share}")),
        (_, false, true) => Some(format!(">={share}")),
    }
}

/// Outbound, inbound, both; unknown if packets that were due were not sent.
pub(super) fn losses_by_direction(report: &SessionReport) -> [Option<String>; 3] {
    if !report.coverage().is_complete() {
        return [const { UNKNOWN }; 3].map(|word| Some(word.to_owned()));
    }
    let figures = &report.figures;
    // Of the packets that reached the far end (RFC 6673 section 7).
    let reached = figures.lost_backward.unwrap_or(0) + figures.received + figures.late;
    [
        loss(report, figures.lost_forward, report.counters.sent),
        loss(report, figures.lost_backward, reached),
        Some(units::percent(report.counters.lost, report.counters.sent)),
    ]
}

/// How many packets were sent, and what became of them.
fn fate(report: &SessionReport, out: &mut impl Write) -> io::Result<()> {
    let counters = &report.counters;
    let left = counters.sent + counters.in_flight;
    let asked = match counters.asked {
        Some(asked) if asked != left => format!("{asked} asked, "),
        _ => String::new(),
    };
    let took = units::took(report.duration);
    // Of packets that are not answered here, it is unknown how many are lost.
    let fate = match (counters.lost, counters.unawaited) {
        (lost, 0) => format!("{lost} lost"),
        (0, count) => format!("{count} {}", unawaited(report)),
        (lost, count) => format!("{lost} lost, {count} {}", unawaited(report)),
    };
    fact(
        out,
        "Packets",
        &format!(
            "{asked}{} sent, {} received, {fate}, in {took}",
            counters.sent, counters.received
        ),
    )
}

/// Counts of packets, in words.
///
/// # Errors
/// Errors of writing to `out`.
pub(super) fn write(report: &SessionReport, out: &mut impl Write) -> io::Result<()> {
    let (counters, figures) = (&report.counters, &report.figures);
    fate(report, out)?;
    if counters.in_flight > 0 {
        let text = format!("{} at the end: neither sent nor lost", counters.in_flight);
        fact(out, "Under way", &text)?;
    }
    if counters.lost > 0 && counters.received > 0 {
        fact(out, "Lost", &losses(report))?;
        bursts(&figures.loss_periods, out)?;
    }
    by_size(report, out)?;
    let duplicates = units::count(counters.duplicates, "duplicate", "duplicates");
    // Reordering depends on how packets were sent (RFC 4737 section 6).
    let pattern = match figures.reordered {
        0 => String::new(),
        _ if !report.origin.has_setup() => String::new(),
        _ if report.traffic.is_some() => format!(" ({})", schedule::of(report)),
        _ => format!(" (schedule {})", report.identity.schedule.name()),
    };
    let order = format!("{} reordered{pattern}, {duplicates}", figures.reordered);
    fact(out, "Order", &order)?;
    reordering(figures, out)?;
    duplication(&figures.duplication, out)?;
    coverage(report, out)?;
    availability(report, out)?;
    let missed = missed_departures(counters.slots_skipped, counters.asked.is_some());
    let unsent = [
        (counters.send_errors, "refused by this host's network"),
        (counters.slots_skipped, missed),
    ];
    list(out, "Not counted", unsent)?;
    list(
        out,
        "Not in delays",
        [
            (
                figures.excluded_clock_step,
                match report.origin {
                    Origin::Capture => "touched by a step of the capture's clock",
                    Origin::Run | Origin::Records | Origin::Store if counters.suspensions > 0 => {
                        "touched by a step of the sender's clock or a suspension of its host"
                    }
                    Origin::Run | Origin::Records | Origin::Store => {
                        "touched by a step of the sender's clock"
                    }
                },
            ),
            (
                figures.excluded_implausible,
                "with implausible reflector timestamps",
            ),
            (
                figures.excluded_unstamped,
                "without a reflector timestamp (T2 or T3 is 0)",
            ),
        ],
    )?;
    rate(report, out)?;
    list(
        out,
        "Odd replies",
        counters
            .anomalies
            .kinds()
            .chain([("too late to count", counters.stale)])
            .map(|(kind, count)| (count, kind)),
    )
}

/// Late packets reached the far end and came back: of the rest, some may have no direction.
fn losses(report: &SessionReport) -> String {
    let figures = &report.figures;
    let late = match figures.late {
        0 => String::new(),
        count => format!(", {count} late"),
    };
    match (figures.lost_forward, figures.lost_backward) {
        (Some(forward), Some(backward)) => {
            let rest = figures.lost_unattributed.unwrap_or(0);
            let rest = match rest.saturating_sub(figures.late) {
                0 => String::new(),
                count => format!(", {count} in unknown direction"),
            };
            let doubt = if figures.direction_uncertain {
                " (uncertain)"
            } else {
                ""
            };
            format!("{forward} outbound, {backward} inbound{late}{rest}{doubt}")
        }
        _ => match report.counters.lost.saturating_sub(figures.late) {
            0 => format!("{} late", figures.late),
            count => {
                let counted = CountedLosses::of(report);
                let counted = counted.map(|CountedLosses { forward, backward }| {
                    format!(" (Direct Measurement: {forward} outbound, {backward} inbound)")
                });
                let counted = counted.unwrap_or_default();
                format!("{count} in unknown direction{counted}{late}")
            }
        },
    }
}

/// Losses by the size of packets, if these differ.
fn by_size(report: &SessionReport, out: &mut impl Write) -> io::Result<()> {
    let sizes = &report.figures.by_size;
    if sizes.is_empty() || report.counters.lost == 0 {
        return Ok(());
    }
    let sizes = sizes.iter().map(|counts| {
        let (lost, sent) = (counts.lost, counts.sent());
        format!("{lost} of {sent} of {} octets", counts.octets)
    });
    fact(out, "Lost by size", &sizes.collect::<Vec<_>>().join(", "))
}

/// Losses in a row (RFC 3357).
fn bursts(periods: &LossPeriods, out: &mut impl Write) -> io::Result<()> {
    if periods.longest < 2 {
        return Ok(());
    }
    let mean = periods
        .mean_length()
        .map(|mean| format!(", mean {mean:.1}"));
    let between = periods
        .mean_inter_length()
        .map(|mean| format!("; {mean:.1} packets from one to the next"));
    // The distance is given only if it is not the default.
    let own = periods.delta != LossPeriods::DELTA;
    let noticeable = own.then(|| format!("; {} noticeable", periods.noticeable));
    let more = [mean, between, noticeable].map(Option::unwrap_or_default);
    let text = format!(
        "{}, longest {}{}",
        periods.periods,
        periods.longest,
        more.concat()
    );
    fact(out, "Loss bursts", &text)
}

/// How far packets were out of order (RFC 4737).
fn reordering(figures: &Figures, out: &mut impl Write) -> io::Result<()> {
    let order = &figures.reordering;
    let Some(extent) = order.extent_max else {
        return Ok(());
    };
    let by_direction = figures
        .reordering_forward
        .zip(figures.reordering_backward)
        .map(|(forward, backward)| {
            format!(
                "{} outbound, {} inbound; ",
                forward.reordered, backward.reordered
            )
        });
    let beyond = if order.extent_beyond_window > 0 {
        " or more"
    } else {
        ""
    };
    let late = order
        .late_time_max_ns
        .map(|ns| format!(", late by up to {}", units::span(ns)));
    let [.., third] = order.n_reordered;
    let again = (third > 0).then(|| format!(", {third} 3-reordered"));
    let [by_direction, late, again] = [by_direction, late, again].map(Option::unwrap_or_default);
    let text = format!("{by_direction}extent up to {extent}{beyond}{late}{again}");
    fact(out, "Reordering", &text)
}

/// Copies, and where they were duplicated (RFC 5560).
fn duplication(figures: &DuplicationFigures, out: &mut impl Write) -> io::Result<()> {
    if figures.copies == 0 {
        return Ok(());
    }
    let made = match (figures.forward, figures.backward) {
        (Some(forward), Some(backward)) => format!(": {forward} outbound, {backward} inbound"),
        _ => ", origin unknown".to_owned(),
    };
    let copies = units::count(figures.copies, "copy", "copies");
    let of = units::count(figures.replicated, "packet", "packets");
    fact(out, "Duplicates", &format!("{copies} of {of}{made}"))
}

/// The packets that the unknown loss refers to, and what is known about it.
fn coverage(report: &SessionReport, out: &mut impl Write) -> io::Result<()> {
    let coverage = report.coverage();
    if coverage.is_complete() {
        return Ok(());
    }
    let unawaited = (coverage.unawaited > 0).then(|| {
        let packets = units::count(coverage.unawaited, "packet", "packets");
        format!("{packets} {}", unawaited(report))
    });
    let word = words::sent(report);
    let unsent = match coverage.unsent {
        0 => format!("for a time nothing was {word}"),
        unsent => format!(
            "{unsent} of {} not {word}",
            units::count(coverage.due, "packet", "packets")
        ),
    };
    if let Some(unawaited) = unawaited {
        let unsent = (!coverage.is_sent()).then(|| format!("{unsent}, "));
        let unsent = unsent.unwrap_or_default();
        return fact(out, "Loss", &format!("{UNKNOWN}: {unsent}{unawaited}"));
    }
    let share = units::percent(report.counters.lost, report.counters.sent);
    let text = format!("{UNKNOWN}: {unsent}; {share} of those {word} were lost");
    fact(out, "Loss", &text)
}

/// Given only if the path was not available throughout, or not known to be.
fn availability(report: &SessionReport, out: &mut impl Write) -> io::Result<()> {
    let Some(figures) = report.figures.availability else {
        return Ok(());
    };
    if figures.unmeasured_blocks > 0 {
        let outages = match figures.outages {
            0 => String::new(),
            count => format!("; {} in the rest", units::count(count, "outage", "outages")),
        };
        let text = format!(
            "{UNKNOWN}: nothing was {} in {} of {} of {}{outages}",
            words::sent(report),
            figures.unmeasured_blocks,
            units::count(
                figures.blocks.saturating_add(figures.unmeasured_blocks),
                "block",
                "blocks"
            ),
            units::time(Duration::from_nanos(figures.block_ns))
        );
        return fact(out, "Availability", &text);
    }
    if figures.unavailable_blocks == 0 {
        return Ok(());
    }
    let available = figures.blocks.saturating_sub(figures.unavailable_blocks);
    let longest = figures
        .longest_outage_blocks
        .saturating_mul(figures.block_ns);
    let text = format!(
        "{} of the time: {}, the longest {}",
        units::percent(available, figures.blocks),
        units::count(figures.outages, "outage", "outages"),
        units::time(Duration::from_nanos(longest))
    );
    fact(out, "Availability", &text)
}

/// Given only if it is not the requested rate and no note says so.
fn rate(report: &SessionReport, out: &mut impl Write) -> io::Result<()> {
    let asked = 1.0 / report.identity.schedule.mean_interval().as_secs_f64();
    // With only a few packets, the lateness of the last one would distort the rate. Random gaps
    // meet their rate only on average.
    let counters = &report.counters;
    let unsaid = counters.slots_skipped == 0
        && counters.sent >= 100
        && !report.identity.schedule.is_random();
    match report.achieved_pps {
        Some(achieved) if achieved < asked * 0.99 && unsaid => fact(
            out,
            "Rate",
            &format!(
                "{} packets/s of {} asked",
                units::rate(achieved),
                units::rate(asked)
            ),
        ),
        _ => Ok(()),
    }
}

/// A line of the counts that are not 0; no line if all are 0.
///
/// # Errors
/// Errors of writing to `out`.
pub(super) fn list<'a>(
    out: &mut impl Write,
    name: &str,
    counts: impl IntoIterator<Item = (u64, &'a str)>,
) -> io::Result<()> {
    let counts = counts.into_iter().filter(|(count, _)| *count > 0);
    let counts: Vec<String> = counts
        .map(|(count, what)| format!("{count} {what}"))
        .collect();
    if counts.is_empty() {
        Ok(())
    } else {
        fact(out, name, &counts.join(", "))
    }
}

#[cfg(test)]
mod tests;

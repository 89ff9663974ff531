//! Figures on request: percentiles with losses, voice quality, bins.

use std::io::{self, Write};
use std::time::Duration;

use twinpath_metrics::{BinCounts, BinFigures, DelayFigures, PercentilesWithLoss, Voice};
use twinpath_report::{Requested, SessionReport};

use super::{WIDTH, table_unit};
use crate::output::style::Style;
use crate::output::table::{CELL, cell, fact, row};
use crate::output::words;
use crate::output::{counts, units};

/// All requested figures.
///
/// # Errors
/// Errors of writing to `out`.
pub(super) fn write(
    report: &SessionReport,
    requested: &Requested,
    style: Style,
    out: &mut impl Write,
) -> io::Result<()> {
    if requested.with_loss {
        with_loss(report, style, out)?;
    }
    if requested.voice_asked {
        estimates(report, requested, out)?;
    }
    match report.bins(requested) {
        Some(bins) if requested.automatic_bins => {
            for (name, counts) in named(&bins) {
                table(&[(name, counts)], style, out)?;
            }
            Ok(())
        }
        Some(bins) => table(&named(&bins), style, out),
        None => Ok(()),
    }
}

fn named(bins: &BinFigures) -> [(&'static str, &BinCounts); 3] {
    [
        ("Outbound", &bins.forward),
        ("Inbound", &bins.backward),
        ("Roundtrip", &bins.round_trip),
    ]
}

type Percentile = fn(&PercentilesWithLoss) -> Option<i64>;

const PERCENTILES: [(&str, u64, Percentile); 5] = [
    ("Median", 1, |with| with.median_ns),
    ("p90", 10, |with| with.p90_ns),
    ("p95", 20, |with| with.p95_ns),
    ("p99", 100, |with| with.p99_ns),
    ("p99.9", 1_000, |with| with.p999_ns),
];

/// Lost packets count as infinite delays (RFC 7679 section 5.1).
fn with_loss(report: &SessionReport, style: Style, out: &mut impl Write) -> io::Result<()> {
    let (figures, unit) = (&report.figures, table_unit(&report.figures));
    let columns = [
        (&figures.forward, &figures.forward_with_loss),
        (&figures.backward, &figures.backward_with_loss),
        (&figures.round_trip, &figures.round_trip_with_loss),
    ];
    if !report.coverage().is_complete() {
        let why = if report.coverage().is_sent() {
            format!("unknown: packets were {}", counts::unawaited(report))
        } else {
            format!("unknown: due packets were not {}", words::sent(report))
        };
        return fact(out, "With losses", &why);
    }
    let heads = ["Outbound", "Inbound", "Roundtrip"];
    writeln!(out, "{}", style.heading(&row("With losses", &heads, CELL)))?;
    for (name, least, percentile) in PERCENTILES {
        let of = |(delay, with): &(&Option<DelayFigures>, &Option<PercentilesWithLoss>)| {
            let with = with.as_ref()?;
            let received = delay.as_ref().map_or(0, |delay| delay.count);
            let enough = received.saturating_add(with.undefined) >= least;
            let value = percentile(with).map_or_else(|| "inf".to_owned(), |ns| unit.delay(ns));
            enough.then_some(value)
        };
        let cells = columns.each_ref().map(|column| cell(of(column)));
        writeln!(out, "{}", row(name, &cells, CELL))?;
    }
    Ok(())
}

/// An estimate for each direction, with its basis.
fn estimates(
    report: &SessionReport,
    requested: &Requested,
    out: &mut impl Write,
) -> io::Result<()> {
    let figures = report.voice(requested);
    let codec = requested.voice.codec.name();
    let buffer = requested.voice.buffer_ms;
    let of = format!("{codec}, jitter buffer {buffer} ms, estimated by the E-model (ITU-T G.107)");
    fact(out, "Voice", &of)?;
    let ways = [
        ("  outbound", figures.forward),
        ("  inbound", figures.backward),
        ("  one way", figures.round_trip),
    ];
    for (name, way) in ways {
        if let Some(way) = way {
            fact(out, name, &estimate(&way))?;
        }
    }
    if ways.iter().all(|(_, way)| way.is_none()) {
        let why = if report.coverage().is_complete() {
            "no estimate: nothing came back"
        } else {
            "no estimate: loss unknown"
        };
        fact(out, "", why)?;
    }
    let any = |is: fn(&Voice) -> bool| ways.iter().filter_map(|(_, way)| way.as_ref()).any(is);
    let assumed = [
        (
            any(|way| way.half_of_round_trip),
            "half of the round trip's delay",
        ),
        (
            any(|way| way.round_trip_loss),
            "the loss of both directions",
        ),
    ];
    let assumed = assumed.into_iter().filter(|(any, _)| *any);
    let assumed: Vec<&str> = assumed.map(|(_, what)| what).collect();
    if assumed.is_empty() {
        Ok(())
    } else {
        fact(out, "", &format!("(of {})", assumed.join(" and ")))
    }
}

fn estimate(voice: &Voice) -> String {
    format!(
        "R {:.1}, MOS-CQE {:.2}, {:.1} ms mouth to ear, {} lost to the listener",
        voice.r_factor,
        voice.mos,
        voice.delay_ms,
        share(voice.loss_percent)
    )
}

/// A small loss is not shown as zero.
fn share(percent: f64) -> String {
    if percent > 0.0 && percent < 0.01 {
        "under 0.01%".to_owned()
    } else {
        format!("{percent:.2}%")
    }
}

/// An edge as requested.
fn exact(ns: i64) -> String {
    let sign = if ns < 0 { "-" } else { "" };
    let size = Duration::from_nanos(ns.unsigned_abs());
    format!("{sign}{}", units::time(size))
}

/// Bins from the first to the last one with a packet.
fn table(
    columns: &[(&'static str, &BinCounts)],
    style: Style,
    out: &mut impl Write,
) -> io::Result<()> {
    let Some((_, first)) = columns.first() else {
        return Ok(());
    };
    let counts: Vec<Vec<u64>> = columns
        .iter()
        .map(|(_, counts)| counts.bins().map(|(.., count)| count).collect())
        .collect();
    let count = |column: &Vec<u64>, bin: usize| column.get(bin).copied().unwrap_or(0);
    let is_touched = |bin: usize| counts.iter().any(|column| count(column, bin) > 0);
    let edges: Vec<_> = first.bins().map(|(from, to, _)| (from, to)).collect();
    let touched = (0..edges.len()).filter(|bin| is_touched(*bin));
    let (Some(least), Some(greatest)) = (touched.clone().min(), touched.max()) else {
        return Ok(());
    };
    let names: Vec<&str> = ["below"]
        .into_iter()
        .chain(columns.iter().map(|(name, _)| *name))
        .collect();
    writeln!(out, "{}", style.heading(&row("Delays from", &names, CELL)))?;
    for (bin, (from, to)) in edges.iter().enumerate() {
        if (least..=greatest).contains(&bin) {
            let edge = |edge: &Option<i64>| cell(edge.map(exact));
            let numbers = counts.iter().map(|column| count(column, bin).to_string());
            let cells: Vec<String> = [edge(to)].into_iter().chain(numbers).collect();
            writeln!(out, "{}", row(&edge(from), &cells, CELL))?;
        }
    }
    writeln!(out, "{}", "-".repeat(WIDTH))
}

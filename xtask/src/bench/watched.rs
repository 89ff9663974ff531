//! What `--save`, `--report-interval` and `--live` cost the measurement: each run beside one without.

use std::time::Duration;

use anyhow::{Context, Result};

use super::{Bench, Found};
use crate::outcome::{Bar, Row, Unit};
use crate::process::{Place, Terminal};
use crate::statistics::float;
use crate::tool::{Session, Tool};

/// Five seconds.
const INTERVAL_US: u64 = 1_000;
const COUNT: u32 = 5_000;
/// Five seconds at the highest rate that a sender is to reach.
const FAST_INTERVAL_US: u64 = 10;
const FAST_COUNT: u32 = 500_000;

pub(super) fn measure(bench: &Bench) -> Result<Found> {
    let Some(tool) = &bench.tool else {
        return Ok((
            Vec::new(),
            vec!["there is nothing bare to compare".to_owned()],
        ));
    };
    let file = bench.scratch.name("watched.parquet");
    let save = format!("--save {}", file.display());
    let interim = "--report-interval 1s".to_owned();
    let live = "--live".to_owned();
    let all = format!("{save} {live}");
    let mut rows = Vec::new();
    for (name, options) in [
        ("saved", save),
        ("interim rows", interim),
        ("live", live),
        ("saved, live", all),
    ] {
        rows.extend(paced(bench, tool, name, &options)?);
        rows.extend(fast(bench, tool, name, &options)?);
    }
    Ok((rows, Vec::new()))
}

/// Departures and round trips at a usual pace.
fn paced(bench: &Bench, tool: &Tool, name: &str, options: &str) -> Result<[Row; 4]> {
    let row = |figure: &str, most| {
        Row::new(
            format!("1 ms, {name}: {figure}"),
            Unit::Nanoseconds,
            Bar::AtMostTimes(most),
        )
    };
    let mut rows = [
        row("|departure - schedule| p50", 1.1),
        row("|departure - schedule| p99", 1.3),
        row("round trip p50", 1.1),
        row("round trip p99", 1.3),
    ];
    for run in 1..=bench.runs {
        // Neither is always the first.
        for turn in [run % 2 == 0, run % 2 != 0] {
            let options = if turn { options } else { "" };
            let session = session(bench, tool, INTERVAL_US, COUNT, options)?;
            session.require_kernel_stamps()?;
            let departure = session.departure.context("a report without departures")?;
            let round_trip = session.round_trip.context("a report without round trips")?;
            let figures = [&departure, &round_trip]
                .map(|delay| [delay.median_ns, delay.p99_ns])
                .into_iter()
                .flatten();
            for (row, figure) in rows.iter_mut().zip(figures) {
                let column = if turn {
                    &mut row.twinpath
                } else {
                    &mut row.limit
                };
                column.push(float(figure.unsigned_abs()));
            }
        }
        eprintln!("watched, {name}: run {run} of {}", bench.runs);
    }
    Ok(rows)
}

/// What the highest rate comes to.
fn fast(bench: &Bench, tool: &Tool, name: &str, options: &str) -> Result<[Row; 1]> {
    let mut row = Row::new(
        format!("10 µs, {name}: packets/s achieved"),
        Unit::PacketsPerSecond,
        Bar::AtLeastTimes(0.99),
    );
    for run in 1..=bench.runs {
        for turn in [run % 2 == 0, run % 2 != 0] {
            let options = if turn { options } else { "" };
            let session = session(bench, tool, FAST_INTERVAL_US, FAST_COUNT, options)?;
            let column = if turn {
                &mut row.twinpath
            } else {
                &mut row.limit
            };
            column.extend(session.achieved_pps);
        }
        eprintln!(
            "watched, {name}, 100,000 packets/s: run {run} of {}",
            bench.runs
        );
    }
    Ok([row])
}

fn session(
    bench: &Bench,
    tool: &Tool,
    interval_us: u64,
    count: u32,
    options: &str,
) -> Result<Session> {
    let far = bench.reflector_v4();
    let reflector = Place::at(&bench.link.reflector);
    let responder = tool.responder(&bench.scratch, reflector, far, &bench.responder_options)?;
    let options = format!(
        "--output json -c {count} -i {interval_us}us --padding 27 {options} {}",
        bench.sender_options
    );
    let terminal = Terminal::open()?;
    let place = Place::at(&bench.link.sender).on_terminal(&terminal);
    let sender = tool.sender(&bench.scratch, place, far, &options)?;
    let ended = sender.succeed(Duration::from_mins(1))?;
    drop(responder);
    Session::parse(&ended.stdout)
}

//! How close to the schedule packets depart, and how fast they can.
//!
//! A departure is the kernel's transmit stamp; the bare loop sleeps (or spins) until the absolute
//! time and sends, nothing else. Both send to the bare reflector, so that both get replies.

use std::time::Duration;

use anyhow::{Context, Result, bail};
use twinpath_bench::PacePlan;

use super::{Bench, Found, bursts};
use crate::outcome::{Bar, Row, Unit};
use crate::process::{Place, Process};
use crate::role::Role;
use crate::statistics::{float, percentile};
use crate::tool::Session;

/// Interval and count: five seconds and ten.
const PACES: [(u64, u32); 2] = [(1_000, 5_000), (10_000, 1_000)];
const FAST_INTERVAL_US: u64 = 10;
const FAST_COUNT: u32 = 500_000;
const FAST_PPS: f64 = 100_000.0;

pub(super) fn measure(bench: &Bench) -> Result<Found> {
    let mut rows = Vec::new();
    let mut notes = Vec::new();
    for spin in [false, true] {
        for (interval_us, count) in PACES {
            rows.extend(paced(bench, interval_us, count, spin, &mut notes)?);
        }
    }
    if bench.tool.is_some() {
        rows.extend(fast(bench)?);
        notes.push(format!(
            "{FAST_COUNT} packets, one every {FAST_INTERVAL_US} µs, sender on core 1, responder \
             on core 0"
        ));
    }
    let (bursts, burst_notes) = bursts::measure(bench)?;
    rows.extend(bursts);
    notes.extend(burst_notes);
    Ok((rows, notes))
}

fn paced(
    bench: &Bench,
    interval_us: u64,
    count: u32,
    spin: bool,
    notes: &mut Vec<String>,
) -> Result<[Row; 2]> {
    let how = if spin { "spin" } else { "sleep" };
    let row = |name| {
        let figure = format!(
            "{} ms, {how}: |departure - schedule| {name}",
            interval_us / 1000
        );
        Row::new(figure, Unit::Nanoseconds, Bar::AtMostTimes(1.3))
    };
    let (mut p50, mut p99) = (row("p50"), row("p99"));
    let far = bench.reflector_v4();
    let reflector = Place::at(&bench.link.reflector);
    let _reflector = bench.listener(reflector, &Role::IdealReflector(far))?;
    let place = Place::at(&bench.link.sender);
    let limit = Duration::from_micros(interval_us) * count * 2 + Duration::from_secs(20);
    for run in 1..=bench.runs {
        if let Some(tool) = &bench.tool {
            let spin = if spin { "--spin" } else { "" };
            let options = format!(
                "--output json -c {count} -i {interval_us}us --padding 27 {spin} {}",
                bench.sender_options
            );
            let sender = tool.sender(&bench.scratch, place, far, &options)?;
            let session = Session::parse(&sender.succeed(limit)?.stdout)?;
            session.require_kernel_stamps()?;
            let departure = session.departure.context("a report without departures")?;
            if departure.min_ns < 0 {
                notes.push(format!(
                    "{interval_us} µs, {how}, run {run}: a departure {} ns early; the report's \
                     percentiles are signed",
                    departure.min_ns.unsigned_abs()
                ));
            }
            p50.twinpath.push(float(departure.median_ns.unsigned_abs()));
            p99.twinpath.push(float(departure.p99_ns.unsigned_abs()));
        }
        let plan = PacePlan {
            count,
            interval: Duration::from_micros(interval_us),
            spin,
        };
        let role = Role::Pace(far, plan);
        let printed = Process::role(&bench.scratch, place, &role)?
            .succeed(limit)?
            .stdout;
        let departures: Vec<Option<i64>> = serde_json::from_str(&printed)?;
        let mut sizes: Vec<u64> = departures
            .iter()
            .flatten()
            .map(|departure| departure.unsigned_abs())
            .collect();
        if sizes.len() * 100 < departures.len() * 99 {
            bail!("transmit stamps did not arrive: {} of {count}", sizes.len());
        }
        sizes.sort_unstable();
        p50.limit.extend(percentile(&sizes, 50).map(float));
        p99.limit.extend(percentile(&sizes, 99).map(float));
        eprintln!(
            "sending, {interval_us} µs, {how}: run {run} of {}",
            bench.runs
        );
    }
    Ok([p50, p99])
}

/// The highest rate that the issue asks for, from one process on one core.
fn fast(bench: &Bench) -> Result<Vec<Row>> {
    let Some(tool) = &bench.tool else {
        return Ok(Vec::new());
    };
    let mut achieved = Row::new(
        "10 µs: packets/s achieved",
        Unit::PacketsPerSecond,
        Bar::AtLeast(0.99 * FAST_PPS),
    );
    let asked = f64::from(FAST_COUNT);
    let mut sent = Row::new("10 µs: packets sent", Unit::Packets, Bar::AtLeast(asked));
    let mut received = Row::new("10 µs: packets received", Unit::Packets, Bar::Open);
    let mut cpu = Row::new(
        "10 µs: processor time of the sender",
        Unit::CpuSeconds,
        Bar::Open,
    );
    let far = bench.reflector_v4();
    for run in 1..=bench.runs {
        let place = Place::at(&bench.link.reflector).on_core(0);
        let responder = tool.responder(&bench.scratch, place, far, &bench.responder_options)?;
        let options = format!(
            "--output json -c {FAST_COUNT} -i {FAST_INTERVAL_US}us --padding 27 {}",
            bench.sender_options
        );
        let place = Place::at(&bench.link.sender).on_core(1);
        let sender = tool.sender(&bench.scratch, place, far, &options)?;
        let ended = sender.succeed(Duration::from_mins(1))?;
        drop(responder);
        let session = Session::parse(&ended.stdout)?;
        if session.packets.asked != Some(u64::from(FAST_COUNT)) {
            bail!(
                "the report says that {:?} packets were asked for",
                session.packets.asked
            );
        }
        sent.twinpath.push(float(session.packets.sent));
        received.twinpath.push(float(session.packets.received));
        cpu.twinpath.push(ended.cpu.as_secs_f64());
        achieved.twinpath.extend(session.achieved_pps);
        eprintln!("sending, 100,000 packets/s: run {run} of {}", bench.runs);
    }
    Ok(vec![achieved, sent, received, cpu])
}

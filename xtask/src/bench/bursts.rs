//! The highest rate of one sender, beside a bare loop of `sendmmsg` that reads its transmit timestamps;
//! and of the sender's socket by itself, which shows what the rest of the sender takes.

use std::time::Duration;

use anyhow::{Context, Result, bail};
use twinpath_bench::BurstCount;

use super::{Bench, Found};
use crate::burst::Sending;
use crate::outcome::{Bar, Row, Unit};
use crate::process::{Place, Process};
use crate::role::Role;
use crate::statistics::{float, median};
use crate::tool::Session;

const OCTETS: usize = 41;
const DURATION: Duration = Duration::from_secs(1);
const COUNT: u32 = 300_000;

pub(super) fn measure(bench: &Bench) -> Result<Found> {
    let rate = |name, bar| Row::new(format!("{name}: packets/s"), Unit::PacketsPerSecond, bar);
    let cost = |name| {
        Row::new(
            format!("{name}: processor time of a packet"),
            Unit::Nanoseconds,
            Bar::Open,
        )
    };
    let mut sender = rate("sender, 1 µs", Bar::AtLeastTimes(0.9));
    let mut together = (
        rate("socket, 64 by one call", Bar::Open),
        cost("socket, 64 by one call"),
    );
    let mut singly = (
        rate("socket, one by one", Bar::Open),
        cost("socket, one by one"),
    );
    let far = bench.reflector_v4();
    let place = Place::at(&bench.link.reflector).on_core(0);
    let _sink = bench.listener(place, &Role::Sink(far))?;
    let mut connected = Vec::new();
    for run in 1..=bench.runs {
        connected.push(burst(bench, Sending::BareConnected)?.0);
        let (bare_pps, bare_ns) = burst(bench, Sending::Bare)?;
        sender.limit.push(bare_pps);
        for (sending, (rate, cost)) in [
            (Sending::Together, &mut together),
            (Sending::OneByOne, &mut singly),
        ] {
            let (pps, ns) = burst(bench, sending)?;
            rate.twinpath.push(pps);
            rate.limit.push(bare_pps);
            cost.twinpath.push(ns);
            cost.limit.push(bare_ns);
        }
        if let Some(tool) = &bench.tool {
            let options = format!(
                "--output json -c {COUNT} -i 1us --padding 27 {}",
                bench.sender_options
            );
            let place = Place::at(&bench.link.sender).on_core(1);
            let process = tool.sender(&bench.scratch, place, far, &options)?;
            // Without replies, its exit status is not 0.
            let ended = process.finish(Duration::from_mins(1))?;
            let session = Session::parse(&ended.stdout)?;
            let pps = session.achieved_pps.context("a report without a rate")?;
            sender.twinpath.push(pps);
        }
        eprintln!("highest rate: run {run} of {}", bench.runs);
    }
    let rows = vec![sender, together.0, together.1, singly.0, singly.1];
    let note = format!(
        "highest rates: {OCTETS} octets to a socket that never reads, with transmit timestamps, on \
         core 1; limit: `sendmmsg` of 64 on an unconnected socket (connected: {:.0} /s)",
        median(&connected).unwrap_or_default()
    );
    Ok((rows, vec![note]))
}

/// Packets a second, and nanoseconds of processor time for each.
fn burst(bench: &Bench, sending: Sending) -> Result<(f64, f64)> {
    let place = Place::at(&bench.link.sender).on_core(1);
    let role = Role::Burst(bench.reflector_v4(), OCTETS, DURATION, sending);
    let process = Process::role(&bench.scratch, place, &role)?;
    let printed = process.succeed(Duration::from_secs(30))?.stdout;
    let count: BurstCount = serde_json::from_str(&printed)?;
    if count.sent == 0 || count.stamped * 100 < count.sent * 99 {
        bail!("{} timestamps of {} packets", count.stamped, count.sent);
    }
    let sent = float(count.sent);
    let cpu_ns = float(u64::try_from(count.cpu.as_nanos())?);
    Ok((sent / count.elapsed.as_secs_f64(), cpu_ns / sent))
}
